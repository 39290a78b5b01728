//! Looking a volume through once, before what is on it is changed.
//!
//! May call `block`. Three parts, each in slices of one command, while nobody else needs the disk or while
//! somebody waits for it:
//!
//! 1. All entries of the table: free clusters are counted, both copies compared, and a bit set for each
//!    cluster that another names as its next. One that two name is a cross-link.
//! 2. All directories: a bit for each cluster that an entry names as its first. One that has a bit already
//!    belongs to two files.
//! 3. The table once more: a cluster that is named but free belongs to a damaged file. Not of a volume that
//!    was not closed: the power may have gone while a chain that no entry names was written or freed.
//!
//! Nothing is written before the first part is over, so that no write can hide what it would have found;
//! from then on files and directories may be made. What is there already is only changed, moved or freed
//! when all is done: so nothing that two files own is ever freed or overwritten. Until then nothing is freed,
//! and nothing that has an entry moves, so that the bits stay true while new files are written.
//!
//! The tables of FAT12 and FAT16 take 100 commands at most, those of FAT32 some 800 a GB with clusters of
//! 4 KB and 100 a GB with 32 KB; two thirds of them before the first write. The bitmap is as large as the
//! largest volume needs, but takes 1/16 of the memory beyond 64 KB at most (1/32 of all may be up to 2 KB, and
//! 1 KB always): where that is too little, the volume is looked through as often as it takes, for some of the
//! clusters at a time.
//!
//! What comes of it: a volume that was not closed may have copies that differ, because the power went
//! between them; its second copy is made like the first, which is the one that is read. Everything
//! else is a volume that is not written.

use super::boot_sector::FatType;
use super::change::write_failed;
use super::dirent::EntryKind;
use super::error::FatError;
use super::table::{Link, entry16, entry32};
use super::tree::Tree;
use super::volume::{ReadOnly, Volume};
use crate::block::{Cache, SECTOR};
use crate::memory::{Memory, OutOfMemory};

/// Bytes that the bitmap may always have: an eighth of the clusters of FAT16; and twice that where a 32nd of
/// the memory is as much.
const ALWAYS: usize = 1024;
const MOSTLY: usize = 2 * ALWAYS;

/// Memory of which the bitmap has no share: a client with small buffers needs it more.
const OTHERS: usize = 64 * 1024;

/// The bitmap of a floppy.
const LEAST: usize = 512;

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
    /// The directories.
    Tree,
}

/// The bitmap and how far a pass is; for one volume at a time.
pub struct Survey<'a> {
    /// Bit n: something names cluster `window` + n.
    named: &'a mut [u8],
    /// Bytes that it is to have.
    wanted: usize,
    volume: Option<u8>,
    stage: Stage,
    /// The table is read for the second time.
    again: bool,
    window: u32,
    /// Sectors of the table that are done, and FAT12's clusters.
    sector: u32,
    cluster: u32,
    /// The second copy was made like the first in this pass.
    renewed: bool,
    tree: Tree,
}

impl Volume {
    /// Whether something new may be written: its table is known.
    pub fn is_vouched(&self) -> bool {
        self.vouched
    }

    /// Whether there is something left for a survey to do.
    pub fn needs_survey(&self) -> bool {
        self.is_mounted() && (!self.vouched || (!self.is_surveyed() && self.read_only.is_none()))
    }

    /// Whether what is on it may be changed, moved and freed.
    pub fn is_surveyed(&self) -> bool {
        self.unique_below >= self.geometry.clusters + 2
    }

    /// Ends the survey of a volume whose table cannot be read, or whose directories make no sense.
    pub fn give_up_survey(&mut self, error: FatError) {
        let damaged = error == FatError::Damaged;
        let reason = if damaged { ReadOnly::Damaged } else { ReadOnly::TableUnreadable };
        self.read_only.get_or_insert(reason);
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
    /// A survey of volumes of so many clusters at most, which has no memory yet; `free` bytes of it are left.
    pub fn of(clusters: u32, free: usize) -> Survey<'a> {
        let share = (free / 32).clamp(ALWAYS, MOSTLY);
        Survey {
            named: &mut [],
            wanted: (clusters as usize)
                .div_ceil(8)
                .clamp(LEAST, (free.saturating_sub(OTHERS) / 16).max(share)),
            volume: None,
            stage: Stage::First,
            again: false,
            window: 2,
            sector: 0,
            cluster: 0,
            renewed: false,
            tree: Tree::new(),
        }
    }

    /// Takes memory for the bitmap.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn take_memory(&mut self, memory: &mut impl Memory<'a>) -> Result<(), OutOfMemory> {
        self.named = memory.bytes("the disk check", self.wanted)?;
        Ok(())
    }

    /// Bytes that [`Survey::take_memory`] takes.
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// Whether it has its memory, without which it finds nothing.
    pub fn has_memory(&self) -> bool {
        !self.named.is_empty()
    }

    /// The volume that it is at.
    pub fn volume(&self) -> Option<u8> {
        self.volume
    }

    /// Begins anew when it comes to this volume again: it is another one.
    pub fn forget(&mut self, number: u8) {
        self.volume = self.volume.filter(|&other| other != number);
    }

    fn begin(&mut self, number: u8, volume: &mut Volume) {
        self.volume = Some(number);
        self.named.fill(0);
        self.window = volume.unique_below;
        self.renewed = false;
        self.begin_table(false);
        if !volume.vouched {
            (volume.counted, volume.free) = (0, 0);
        }
        // The boot sector names FAT32's root.
        self.is_known(volume.root_directory());
    }

    fn begin_table(&mut self, again: bool) {
        (self.again, self.stage) = (again, Stage::First);
        (self.sector, self.cluster) = (0, 2);
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
        if self.volume != Some(number) {
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
            Stage::Tree => self.look_at_tree(volume, cache)?,
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

    /// Ends a pass over the table.
    fn end(&mut self, volume: &mut Volume) {
        volume.vouched = true;
        if self.again {
            self.finish(volume);
        } else {
            self.tree.begin(volume);
            self.stage = Stage::Tree;
        }
    }

    fn finish(&mut self, volume: &mut Volume) {
        volume.unique_below = self.window.saturating_add(self.named.len() as u32 * 8);
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
        for (entry, cluster) in entries.skip(skip as usize).zip(first + skip..) {
            let raw = if width == 2 { entry16(entry) } else { entry32(entry) };
            self.note(volume, cluster, raw);
        }
    }

    fn look_at_entries(
        &mut self,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
    ) -> Result<(), FatError> {
        while volume.geometry.is_cluster(self.cluster) {
            let raw = volume.raw_entry(cache, self.cluster)?;
            self.note(volume, self.cluster, raw);
            self.cluster += 1;
        }
        self.end(volume);
        Ok(())
    }

    fn look_at_tree(&mut self, volume: &mut Volume, cache: &mut Cache<'_>) -> Result<(), FatError> {
        while let Some(found) = self.tree.next(volume, cache)? {
            let first = found.entry.cluster(volume.is_wide());
            let damage = if first == 0 {
                continue;
            } else if !volume.geometry.is_cluster(first) {
                ReadOnly::Damaged
            } else if self.is_known(first) {
                ReadOnly::CrossLinked
            } else if found.entry.kind() != EntryKind::Directory || self.tree.enter(first) {
                continue;
            } else {
                ReadOnly::Damaged
            };
            volume.culprit = Some(found.entry.name());
            volume.read_only.get_or_insert(damage);
            return Ok(());
        }
        if volume.was_closed() {
            self.begin_table(true);
        } else {
            self.finish(volume);
        }
        Ok(())
    }

    /// Notes an entry of the table, and that it was counted.
    fn note(&mut self, volume: &mut Volume, cluster: u32, raw: u32) {
        if !volume.vouched {
            volume.counted += 1;
            volume.free += u32::from(raw == 0);
        }
        let damage = match volume.link_of(raw) {
            Link::Free if self.again && self.is_known(cluster) => ReadOnly::Damaged,
            Link::Next(next) if !self.again && self.is_known(next) => ReadOnly::CrossLinked,
            Link::Invalid if raw != volume.bad_mark() => ReadOnly::Damaged,
            _ => return,
        };
        volume.read_only.get_or_insert(damage);
    }

    /// Whether something named this cluster before; from now on it does.
    fn is_known(&mut self, cluster: u32) -> bool {
        let bit = cluster.wrapping_sub(self.window);
        let Some(byte) = self.named.get_mut((bit / 8) as usize) else { return false };
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
