//! Cylinders, heads and sectors.

/// The shape of a disk as INT 13h sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// 1 to 1024.
    pub cylinders: u32,
    /// 1 to 256.
    pub heads: u32,
    /// 1 to 63.
    pub sectors_per_track: u32,
}

const fn floppy(cylinders: u32, sectors_per_track: u32) -> Geometry {
    Geometry { cylinders, heads: 2, sectors_per_track }
}

/// The floppy of the PC and PC/XT.
pub const KB360: Geometry = floppy(40, 9);

/// The formats of floppies that say nothing of themselves, longest track first.
pub const FLOPPIES: [Geometry; 5] =
    [floppy(80, 36), floppy(80, 18), floppy(80, 15), floppy(80, 9), floppy(40, 8)];

impl Geometry {
    /// Sectors of the whole disk.
    pub fn sectors(&self) -> u32 {
        self.cylinders * self.heads * self.sectors_per_track
    }

    /// Sectors from `lba` to the end of its track, 1 at least.
    pub fn to_track_end(&self, lba: u32) -> u32 {
        self.sectors_per_track - lba % self.sectors_per_track
    }

    /// Cylinder, head, and sector counted from 1.
    pub fn chs(&self, lba: u32) -> (u32, u32, u32) {
        let track = lba / self.sectors_per_track;
        (track / self.heads, track % self.heads, lba % self.sectors_per_track + 1)
    }
}

/// The geometry that a floppy's BIOS parameter block tells; `None` where there is none, or one that
/// no floppy has.
pub fn of_boot_sector(sector: &[u8]) -> Option<Geometry> {
    let word =
        |at: usize| Some(u32::from(u16::from_le_bytes([*sector.get(at)?, *sector.get(at + 1)?])));
    let (bytes, total) = (word(11)?, word(19)?);
    let (sectors_per_track, heads) = (word(24)?, word(26)?);
    let plausible = bytes == 512 && (8..=36).contains(&sectors_per_track) && matches!(heads, 1 | 2);
    if !plausible {
        return None;
    }
    let cylinders = total / (heads * sectors_per_track);
    (20..=85).contains(&cylinders).then_some(Geometry { cylinders, heads, sectors_per_track })
}
