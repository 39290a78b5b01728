//! What a drive says of itself: the answer to IDENTIFY DEVICE.
//!
//! Source: ATA/ATAPI-6 (T13 1410D) section 8.15; ATA-1 (X3.221-1994) section 9.9 for the words of
//! old drives; CompactFlash specification 2.0, "Identify drive", for the signature of a card.

use super::taskfile::Translation;
use crate::block::SECTOR;

/// Sectors that 28 bits can address.
const MAX_SECTORS: u32 = 1 << 28;
/// Word 0 of a CompactFlash card, which would be a packet device's without this meaning.
const COMPACT_FLASH: u16 = 0x848A;
/// Words 10 to 19 and 27 to 46: serial number and model.
const NAME: usize = 60;

/// What is known of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Sectors, 1 to 2^28.
    pub sectors: u32,
    /// How its sectors are addressed.
    pub translation: Translation,
    /// The drive's translation is in force already: no INITIALIZE DEVICE PARAMETERS is needed.
    pub translates: bool,
    /// Sectors in a block of READ MULTIPLE and WRITE MULTIPLE, a power of two; 1: it has none.
    pub multiple: u8,
    /// It has FLUSH CACHE.
    pub flush: bool,
    /// It reports a write cache that is on.
    pub write_cache: bool,
    /// Its medium can be removed.
    pub removable: bool,
    /// Somebody, mostly the BIOS, has chosen how it moves data by DMA, and so set up its controller, too.
    pub dma: bool,
    /// Serial number and model, as the drive spells them.
    name: [u8; NAME],
}

impl Identity {
    /// Reads an answer of [`SECTOR`] bytes; `None` when it is not one of a disk.
    pub fn parse(answer: &[u8; SECTOR]) -> Option<Identity> {
        let word = |at: usize| match answer.get(at * 2..at * 2 + 2) {
            Some(&[low, high]) => u16::from_le_bytes([low, high]),
            _ => 0,
        };
        let dword = |at: usize| u32::from(word(at)) | u32::from(word(at + 1)) << 16;
        if word(0) & 0x8000 != 0 && word(0) != COMPACT_FLASH {
            return None;
        }
        let by_lba = word(49) & 1 << 9 != 0 && dword(60) > 0;
        let current = (word(53) & 1 != 0).then(|| chs(word(54), word(55), word(56))).flatten();
        let (sectors, translation) = match (by_lba, current) {
            (true, _) => (dword(60), Translation::Lba),
            (false, Some(geometry)) => geometry,
            (false, None) => chs(word(1), word(3), word(6))?,
        };
        // Words 83 and 87 say by their top bits whether their group of words means anything.
        let supports = |at: usize, bit: u16| word(83) >> 14 == 1 && word(at) & bit != 0;
        let enabled = |at: usize, bit: u16| word(87) >> 14 == 1 && word(at) & bit != 0;
        let mut name = [0; NAME];
        name.get_mut(..20)?.copy_from_slice(answer.get(20..40)?);
        name.get_mut(20..)?.copy_from_slice(answer.get(54..94)?);
        Some(Identity {
            sectors: sectors.min(MAX_SECTORS),
            translation,
            translates: by_lba || current.is_some(),
            multiple: multiple(word(47) as u8),
            flush: supports(83, 1 << 12),
            write_cache: enabled(85, 1 << 5),
            removable: word(0) & 1 << 7 != 0,
            // The mode in force: Ultra DMA's in word 88, which word 53 vouches for, or multiword DMA's in 63.
            dma: word(49) & 1 << 8 != 0
                && (word(53) & 4 != 0 && word(88) & 0x7F00 != 0 || word(63) & 0x0700 != 0),
            name,
        })
    }

    /// Whether both name the same piece of hardware. Two cards without a serial number look so, too.
    pub fn same_drive(&self, other: &Identity) -> bool {
        self.name == other.name && self.sectors == other.sectors
    }
}

/// Capacity and translation of a geometry; `None` when it is none.
fn chs(cylinders: u16, heads: u16, sectors_per_track: u16) -> Option<(u32, Translation)> {
    let possible =
        cylinders > 0 && (1..=16).contains(&heads) && (1..=255).contains(&sectors_per_track);
    possible.then(|| {
        (
            u32::from(cylinders) * u32::from(heads) * u32::from(sectors_per_track),
            Translation::Chs { heads: heads as u8, sectors_per_track: sectors_per_track as u8 },
        )
    })
}

/// The greatest power of two in `most`: drives need not take another number.
fn multiple(most: u8) -> u8 {
    if most == 0 { 1 } else { 1 << most.ilog2() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(words: &[(usize, u16)]) -> [u8; SECTOR] {
        let mut answer = [0; SECTOR];
        for &(at, word) in words {
            answer[at * 2..at * 2 + 2].copy_from_slice(&word.to_le_bytes());
        }
        answer
    }

    #[test]
    fn a_drive_of_1990_is_addressed_by_its_default_geometry() {
        let old = answer(&[(0, 0x0C5A), (1, 980), (3, 5), (6, 17)]);
        let identity = Identity::parse(&old).unwrap();
        assert_eq!(identity.sectors, 83_300);
        assert_eq!(identity.translation, Translation::Chs { heads: 5, sectors_per_track: 17 });
        assert!(!identity.translates && !identity.flush && identity.multiple == 1);
    }

    #[test]
    fn the_geometry_in_force_goes_before_the_default() {
        let set = [(53, 1), (54, 490), (55, 10), (56, 17)];
        let old = answer(&[&[(1, 980), (3, 5), (6, 17)][..], &set].concat());
        let identity = Identity::parse(&old).unwrap();
        assert_eq!(identity.translation, Translation::Chs { heads: 10, sectors_per_track: 17 });
        assert!(identity.translates);
    }

    #[test]
    fn a_large_drive_is_cut_to_what_28_bits_reach() {
        let large = answer(&[(49, 1 << 9), (60, 0xFFFF), (61, 0x1FFF), (47, 0x8010)]);
        let identity = Identity::parse(&large).unwrap();
        assert_eq!((identity.sectors, identity.multiple), (1 << 28, 16));
        assert_eq!(identity.translation, Translation::Lba);
    }

    #[test]
    fn words_of_later_standards_count_only_where_they_are_valid() {
        let lba = (49, 1 << 9);
        let flags = [(60, 1000), (82, 1 << 5), (83, 1 << 12), (85, 1 << 5)];
        let bare = Identity::parse(&answer(&[&[lba][..], &flags].concat())).unwrap();
        assert!(!bare.flush && !bare.write_cache);
        let valid = [(60, 1000), (83, 1 << 14 | 1 << 12), (85, 1 << 5), (87, 1 << 14)];
        let full = Identity::parse(&answer(&[&[lba][..], &valid].concat())).unwrap();
        assert!(full.flush && full.write_cache);
    }

    #[test]
    fn dma_counts_where_a_mode_is_in_force() {
        let disk = [(1, 100), (3, 4), (6, 32)];
        let of = |words: &[(usize, u16)]| {
            Identity::parse(&answer(&[&disk[..], words].concat())).unwrap().dma
        };
        assert!(of(&[(49, 1 << 8), (63, 0x0407)]), "multiword DMA 2");
        assert!(of(&[(49, 1 << 8), (63, 0x0007), (53, 4), (88, 0x043F)]), "Ultra DMA 2");
        assert!(!of(&[(49, 1 << 8), (63, 0x0007), (53, 4), (88, 0x003F)]), "none is chosen");
        assert!(!of(&[(49, 1 << 8), (63, 0x0007), (53, 1), (88, 0x043F)]), "word 88 means nothing");
        assert!(!of(&[(63, 0x0407)]), "no DMA");
    }

    #[test]
    fn only_disks_are_disks() {
        let geometry = [(1, 100), (3, 4), (6, 32)];
        let of = |word0| Identity::parse(&answer(&[&[(0, word0)][..], &geometry].concat()));
        assert!(of(0x85C0).is_none(), "a CD-ROM drive");
        assert!(of(COMPACT_FLASH).is_some());
        assert!(Identity::parse(&answer(&[(1, 100), (3, 0), (6, 32)])).is_none());
        assert!(Identity::parse(&[0; SECTOR]).is_none());
        assert!(Identity::parse(&[0xFF; SECTOR]).is_none());
    }
}
