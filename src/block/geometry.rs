//! Cylinders, heads and sectors, and what one call of the BIOS can transfer.
//!
//! Calls nothing. Sources: IBM PC/AT Technical Reference, "INT 13h"; for media bytes, IBM DOS Technical
//! Reference, "Boot record / BPB"; Intel 8237A data sheet, which counts addresses within 64 KB.

use super::SECTOR;

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

/// The geometry of a floppy without BIOS parameter block (DOS 1.x), by the media byte of its table; `None`
/// for bytes that other formats share.
pub fn of_media(media: u8) -> Option<Geometry> {
    let (heads, sectors_per_track) = match media {
        0xFE => (1, 8),
        0xFC => (1, 9),
        0xFF => (2, 8),
        0xFD => (2, 9),
        _ => return None,
    };
    Some(Geometry { cylinders: 40, heads, sectors_per_track })
}

/// Whole sectors from a physical address up to the next multiple of 64 KB, which the floppy controller's DMA
/// cannot cross; 0 when the next sector would.
pub fn sectors_to_dma_line(address: usize) -> u32 {
    ((0x1_0000 - (address & 0xFFFF)) / SECTOR) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sector_has_its_place_and_no_call_leaves_its_track() {
        for (geometry, sectors) in [
            (of_media(0xFE).unwrap(), 320),
            (of_media(0xFC).unwrap(), 360),
            (of_media(0xFF).unwrap(), 640),
            (KB360, 720),
            (FLOPPIES[3], 1440),
            (FLOPPIES[2], 2400),
            (FLOPPIES[1], 2880),
            (FLOPPIES[0], 5760),
        ] {
            assert_eq!(geometry.sectors(), sectors);
            let mut lba = 0;
            for cylinder in 0..geometry.cylinders {
                for head in 0..geometry.heads {
                    for sector in 1..=geometry.sectors_per_track {
                        assert_eq!(geometry.chs(lba), (cylinder, head, sector));
                        let left = geometry.sectors_per_track - sector + 1;
                        assert_eq!(geometry.to_track_end(lba), left);
                        lba += 1;
                    }
                }
            }
            assert_eq!(lba, sectors);
        }
        assert_eq!(of_media(0xFD), Some(KB360));
        assert_eq!([0xF0, 0xF8, 0xF9, 0x00].map(of_media), [None; 4]);
    }

    #[test]
    fn parameter_blocks_of_floppies_are_believed_and_others_not() {
        let of = |bytes: u16, total: u16, track: u16, heads: u16| {
            let mut sector = [0; SECTOR];
            for (at, word) in [(11, bytes), (19, total), (24, track), (26, heads)] {
                sector[at..at + 2].copy_from_slice(&word.to_le_bytes());
            }
            of_boot_sector(&sector)
        };
        for (total, track, heads, cylinders) in [
            (320, 8, 1, 40),
            (360, 9, 1, 40),
            (640, 8, 2, 40),
            (720, 9, 2, 40),
            (1440, 9, 2, 80),
            (2400, 15, 2, 80),
            (2880, 18, 2, 80),
            (3360, 21, 2, 80),
            (5760, 36, 2, 80),
        ] {
            let geometry = of(512, total, track, heads).unwrap();
            assert_eq!(geometry.sectors(), u32::from(total));
            assert_eq!(geometry.cylinders, cylinders);
        }
        assert_eq!(of(512, 2880, 0, 2), None);
        assert_eq!(of(512, 2880, 18, 0), None);
        assert_eq!(of(512, 2880, 63, 16), None);
        assert_eq!(of(1024, 2880, 18, 2), None);
        assert_eq!(of(512, 0, 18, 2), None);
        assert_eq!(of_boot_sector(&[0; 20]), None);
    }

    #[test]
    fn no_transfer_crosses_a_dma_line() {
        for address in (0..0x3_0000).step_by(16) {
            let sectors = sectors_to_dma_line(address) as usize;
            let (last, next) = (address + sectors * SECTOR, address + (sectors + 1) * SECTOR);
            let line = (address / 0x1_0000 + 1) * 0x1_0000;
            assert!(last <= line && next > line, "{address:x}");
        }
        assert_eq!(sectors_to_dma_line(0x1_FFF0), 0);
        assert_eq!(sectors_to_dma_line(0x2_0000), 128);
    }
}
