//! Looking through a volume's allocation table before it is written for the first time.
//!
//! May call `block`. The first pass counts free clusters, compares both copies of the table, and looks for
//! clusters that two others name as their next (cross-links) and for numbers that are no clusters.
//! Nothing is written to a volume before that pass is over, so that no write can hide what it would
//! have found. Cross-links need a bit a cluster: where the volume has more (FAT32), further passes
//! look for the rest while it is closed, and begin anew when it was written in between.
//!
//! What comes of it: a volume that was not closed may have copies that differ, because the power went
//! between them; its second copy is made like the first, which is the one that is read. Everything
//! else is a volume that is not written.

use super::boot_sector::FatType;
use super::change::write_failed;
use super::error::FatError;
use super::table::{Link, entry16, entry32};
use super::volume::{ReadOnly, Volume};
use crate::block::{Cache, SECTOR};
use crate::memory::{Memory, OutOfMemory};

/// Least bytes of the bitmap: all clusters of FAT12 and FAT16.
const LEAST: usize = 8 * 1024;

/// Most bytes of the bitmap: 2 GB in clusters of 4 KB.
const MOST: usize = 64 * 1024;

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The first copy's next piece.
    First,
    /// The second copy's piece, which should have this hash.
    Second([u32; 2]),
    /// The second copy's piece is to be made like the first's.
    Renew,
    /// FAT12's entries, through the cache: they lie across sectors.
    Entries,
}

/// The bitmap and how far a pass is; for one volume at a time.
pub struct Survey<'a> {
    /// Bit n: a cluster names `window` + n as its next.
    targets: &'a mut [u8],
    volume: Option<u8>,
    stage: Stage,
    window: u32,
    /// Sectors of the table that are done.
    sector: u32,
    /// Changes of the table when the pass began.
    changes: u32,
    /// The second copy was made like the first in this pass.
    renewed: bool,
}

impl Volume {
    /// Whether it may be written: its first survey is over.
    pub fn is_vouched(&self) -> bool {
        self.vouched
    }

    /// Whether there is something left for a survey to do now.
    pub fn needs_survey(&self) -> bool {
        !self.vouched || (!self.is_surveyed() && self.read_only.is_none() && !self.is_in_use())
    }

    /// Whether all of it was looked through for cross-links.
    pub fn is_surveyed(&self) -> bool {
        self.unique_below >= self.geometry.clusters + 2
    }

    /// Ends the survey of a volume whose table cannot be read.
    pub fn give_up_survey(&mut self) {
        self.read_only.get_or_insert(ReadOnly::TableUnreadable);
        self.counted = self.geometry.clusters;
        self.vouched = true;
    }

    /// Sectors of the table that say something of clusters.
    fn used_sectors(&self) -> u32 {
        let entries = self.geometry.clusters + 2;
        match self.geometry.fat_type {
            FatType::Fat12 => (entries + entries.div_ceil(2)).div_ceil(SECTOR as u32),
            FatType::Fat16 => entries.div_ceil(SECTOR as u32 / 2),
            FatType::Fat32 => entries.div_ceil(SECTOR as u32 / 4),
        }
    }
}

impl<'a> Survey<'a> {
    /// Takes memory for the bitmap: 1/64 of what there is, 8 KB to 64 KB.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(memory: &mut impl Memory<'a>) -> Result<Survey<'a>, OutOfMemory> {
        let bytes = (memory.free() / 64).clamp(LEAST, MOST);
        Ok(Survey {
            targets: memory.bytes("the disk check", bytes)?,
            volume: None,
            stage: Stage::First,
            window: 2,
            sector: 0,
            changes: 0,
            renewed: false,
        })
    }

    /// The volume that it is at.
    pub fn volume(&self) -> Option<u8> {
        self.volume
    }

    fn begin(&mut self, number: u8, volume: &mut Volume) {
        self.volume = Some(number);
        self.targets.fill(0);
        (self.stage, self.sector, self.renewed) = (Stage::First, 0, false);
        (self.window, self.changes) = (volume.unique_below, volume.changes);
        if !volume.vouched {
            (volume.counted, volume.free) = (0, 0);
        }
    }

    /// One command's worth of volume `number`'s survey, which must need one. `true` when the second copy of
    /// its table was found to be out of date, and is now made like the first.
    ///
    /// # Errors
    /// [`FatError`]; also when the second copy cannot be written.
    pub fn step(
        &mut self,
        number: u8,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
    ) -> Result<bool, FatError> {
        if self.volume != Some(number) || self.changes != volume.changes {
            self.begin(number, volume);
        }
        let left = volume.used_sectors().saturating_sub(self.sector);
        let piece = left.min(cache.scratch_sectors());
        let lba = volume.geometry.table + self.sector;
        let mirror = volume.geometry.mirror;
        let mut news = false;
        match self.stage {
            Stage::First => {
                let bytes = cache.read_tables(volume.disk, lba, piece)?;
                self.look_at(volume, bytes);
                if !volume.vouched && mirror != 0 {
                    self.stage = Stage::Second(self.hash(volume, bytes));
                } else {
                    self.advance(volume, piece);
                }
            }
            Stage::Second(expected) => {
                let bytes = cache.read_tables(volume.disk, lba + mirror, piece)?;
                if self.hash(volume, bytes) == expected {
                    self.advance(volume, piece);
                } else if volume.was_dirty && volume.read_only.is_none() {
                    self.stage = Stage::Renew;
                } else {
                    volume.read_only.get_or_insert(ReadOnly::CopiesDiffer);
                    self.advance(volume, piece);
                }
            }
            Stage::Renew => {
                let copied = cache.copy_tables(volume.disk, lba, piece, mirror);
                if let Err(error) = copied.map_err(FatError::from) {
                    if error != FatError::Again {
                        write_failed(volume, error);
                        self.advance(volume, piece);
                    }
                    return Err(error);
                }
                news = !core::mem::replace(&mut self.renewed, true);
                self.advance(volume, piece);
            }
            Stage::Entries => self.look_at_entries(volume, cache)?,
        }
        Ok(news)
    }

    /// Goes on to the next piece, or ends the pass.
    fn advance(&mut self, volume: &mut Volume, sectors: u32) {
        self.sector += sectors;
        self.stage = Stage::First;
        if self.sector >= volume.used_sectors() {
            match volume.geometry.fat_type {
                FatType::Fat12 => self.stage = Stage::Entries,
                _ => self.end(volume),
            }
        }
    }

    fn end(&mut self, volume: &mut Volume) {
        volume.vouched = true;
        volume.unique_below = self.window.saturating_add(self.targets.len() as u32 * 8);
        self.volume = None;
    }

    /// A piece of the first copy of FAT16 or FAT32.
    fn look_at(&mut self, volume: &mut Volume, bytes: &[u8]) {
        let width = match volume.geometry.fat_type {
            FatType::Fat12 => return,
            FatType::Fat16 => 2,
            FatType::Fat32 => 4,
        };
        let first = self.sector * (SECTOR as u32 / width);
        let skip = 2u32.saturating_sub(first);
        let end = volume.geometry.clusters + 2;
        let entries = bytes.chunks_exact(width as usize).take((end - first) as usize);
        for entry in entries.skip(skip as usize) {
            let raw = if width == 2 { entry16(entry) } else { entry32(entry) };
            self.note(volume, raw);
        }
    }

    fn look_at_entries(
        &mut self,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
    ) -> Result<(), FatError> {
        while volume.counted < volume.geometry.clusters {
            let raw = volume.raw_entry(cache, volume.counted + 2)?;
            self.note(volume, raw);
        }
        self.end(volume);
        Ok(())
    }

    /// Notes an entry, and that it was counted.
    fn note(&mut self, volume: &mut Volume, raw: u32) {
        if !volume.vouched {
            volume.counted += 1;
            volume.free += u32::from(raw == 0);
        }
        if raw == 0 {
            return;
        }
        let damage = match volume.link_of(raw) {
            Link::Next(next) if self.is_known(next) => ReadOnly::CrossLinked,
            Link::Invalid if raw != volume.bad_mark() => ReadOnly::Damaged,
            _ => return,
        };
        volume.read_only.get_or_insert(damage);
    }

    /// Whether this cluster was somebody's next before; from now on it is.
    fn is_known(&mut self, cluster: u32) -> bool {
        let bit = cluster.wrapping_sub(self.window);
        let Some(byte) = self.targets.get_mut((bit / 8) as usize) else { return false };
        let mask = 1 << (bit % 8);
        let known = *byte & mask != 0;
        *byte |= mask;
        known
    }

    /// Two hashes of a piece; entries 0 and 1, which name no clusters, are left out.
    fn hash(&self, volume: &Volume, bytes: &[u8]) -> [u32; 2] {
        let masks = match volume.geometry.fat_type {
            _ if self.sector != 0 => [!0, !0],
            FatType::Fat12 => [0xFF00_0000, !0],
            FatType::Fat16 => [0, !0],
            FatType::Fat32 => [0, 0],
        };
        let mut hash = [0x811C_9DC5u32, 0x9E37_79B9];
        for (at, word) in bytes.chunks_exact(4).enumerate() {
            let word = match word {
                [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
                _ => 0,
            };
            let word = word & masks.get(at).copied().unwrap_or(!0);
            hash[0] = (hash[0] ^ word).wrapping_mul(0x0100_0193);
            hash[1] = (hash[1].rotate_left(5) ^ word).wrapping_mul(0x85EB_CA6B);
        }
        hash
    }
}
