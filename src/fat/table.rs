//! The allocation table: what follows each cluster, and which clusters are free.
//!
//! May call `block`. Changes go to the cache and from there to both copies. A new chain hangs free
//! until a directory entry or an older chain is made to name it, so it may be written in any order.

use super::boot_sector::FatType;
use super::error::FatError;
use super::volume::Volume;
use crate::block::cache::Slot;
use crate::block::{Cache, SECTOR};

/// What the table says of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It is free.
    Free,
    /// Another one follows; it is a cluster of the volume.
    Next(u32),
    /// It is the last one.
    End,
    /// Bad cluster, or a number that is no cluster.
    Invalid,
}

/// Bytes that files written at the same time lie in one piece, where there is room.
const RUN: u32 = 512 * 1024;

/// And clusters: a sector of FAT32's table, so that ten files do not need more of it than the cache holds.
const RUN_CLUSTERS: u32 = 128;

/// Bytes of an entry, and how it is read.
type Entries = (u32, fn(&[u8]) -> u32);

/// The mark of a chain's end, cut to the entry's bits.
pub(super) const END: u32 = 0x0FFF_FFFF;

impl Volume {
    fn table_slot(&self, cache: &mut Cache<'_>, byte: u32) -> Result<Slot, FatError> {
        let lba = self.geometry.table + byte / SECTOR as u32;
        Ok(cache.sector(&self.table_region(), lba)?)
    }

    /// The raw entry of `cluster`, which must be one of the volume.
    pub(super) fn raw_entry(&self, cache: &mut Cache<'_>, cluster: u32) -> Result<u32, FatError> {
        let sector = SECTOR as u32;
        Ok(match self.geometry.fat_type {
            FatType::Fat12 => {
                let at = cluster + cluster / 2;
                let slot = self.table_slot(cache, at)?;
                let low = cache.bytes(slot)[(at % sector) as usize];
                let slot = self.table_slot(cache, at + 1)?;
                let high = cache.bytes(slot)[((at + 1) % sector) as usize];
                let both = u32::from(u16::from_le_bytes([low, high]));
                if cluster % 2 == 1 { both >> 4 } else { both & 0xFFF }
            }
            FatType::Fat16 => {
                let slot = self.table_slot(cache, cluster * 2)?;
                entry16(&cache.bytes(slot)[(cluster * 2 % sector) as usize..])
            }
            FatType::Fat32 => {
                let slot = self.table_slot(cache, cluster * 4)?;
                entry32(&cache.bytes(slot)[(cluster * 4 % sector) as usize..])
            }
        })
    }

    /// What the table says of `cluster`.
    ///
    /// # Errors
    /// [`FatError`]; [`FatError::Damaged`] when it is no cluster of the volume.
    pub fn link(&self, cache: &mut Cache<'_>, cluster: u32) -> Result<Link, FatError> {
        if !self.geometry.is_cluster(cluster) {
            return Err(FatError::Damaged);
        }
        let raw = self.raw_entry(cache, cluster)?;
        Ok(self.link_of(raw))
    }

    /// How many clusters lie behind `cluster` on the disk as in its chain: counted up to `most`, and no further
    /// than a sector of the table tells. On FAT12, whose entries lie across sectors, none are counted.
    ///
    /// # Errors
    /// [`FatError`].
    pub fn run(&self, cache: &mut Cache<'_>, cluster: u32, most: u32) -> Result<u32, FatError> {
        let Some((width, read)) = self.entries() else { return Ok(0) };
        if !self.geometry.is_cluster(cluster) {
            return Err(FatError::Damaged);
        }
        let slot = self.table_slot(cache, cluster * width)?;
        let start = (cluster * width % SECTOR as u32) as usize;
        let mut entries = cache.bytes(slot)[start..].chunks_exact(width as usize);
        let mut last = cluster;
        while last - cluster < most
            && entries.next().is_some_and(|entry| read(entry) == last + 1)
            && self.geometry.is_cluster(last + 1)
        {
            last += 1;
        }
        Ok(last - cluster)
    }

    /// Bytes of an entry, and how it is read, where none lies across sectors.
    fn entries(&self) -> Option<Entries> {
        match self.geometry.fat_type {
            FatType::Fat12 => None,
            FatType::Fat16 => Some((2, entry16)),
            FatType::Fat32 => Some((4, entry32)),
        }
    }

    /// What a raw entry says.
    pub(super) fn link_of(&self, raw: u32) -> Link {
        match raw {
            0 => Link::Free,
            raw if self.geometry.is_cluster(raw) => Link::Next(raw),
            raw if raw > self.bad_mark() => Link::End,
            _ => Link::Invalid,
        }
    }

    /// The raw entry of a bad cluster; ends of chains are above it.
    pub(super) fn bad_mark(&self) -> u32 {
        match self.geometry.fat_type {
            FatType::Fat12 => 0xFF7,
            FatType::Fat16 => 0xFFF7,
            FatType::Fat32 => 0x0FFF_FFF7,
        }
    }

    /// Sets the entry of `cluster`, and keeps the count of free clusters right.
    ///
    /// # Errors
    /// [`FatError`]; nothing is changed then.
    pub(super) fn set_link(
        &mut self,
        cache: &mut Cache<'_>,
        cluster: u32,
        value: u32,
    ) -> Result<(), FatError> {
        if !self.geometry.is_cluster(cluster) {
            return Err(FatError::Damaged);
        }
        let sector = SECTOR as u32;
        let before = match self.geometry.fat_type {
            FatType::Fat12 => {
                let before = self.raw_entry(cache, cluster)?;
                let at = cluster + cluster / 2;
                let shift = cluster % 2 * 4;
                let low = self.table_slot(cache, at)?;
                let high = self.table_slot(cache, at + 1)?;
                let value = (value & 0xFFF) << shift;
                let keep = !(0xFFFu32 << shift);
                for (slot, at, part) in [(low, at, 0), (high, at + 1, 8)] {
                    let byte = &mut cache.bytes_mut(slot)[(at % sector) as usize];
                    *byte = *byte & (keep >> part) as u8 | (value >> part) as u8;
                    cache.mark(slot, 0);
                }
                before
            }
            FatType::Fat16 | FatType::Fat32 => {
                let Some((width, read)) = self.entries() else { return Err(FatError::Damaged) };
                let slot = self.table_slot(cache, cluster * width)?;
                let at = (cluster * width % sector) as usize;
                let entry = &mut cache.bytes_mut(slot)[at..at + width as usize];
                let before = read(entry);
                put(entry, value);
                cache.mark(slot, 0);
                before
            }
        };
        self.account(cluster, before == 0, value == 0);
        Ok(())
    }

    fn account(&mut self, cluster: u32, was_free: bool, is_free: bool) {
        if cluster - 2 < self.counted {
            match (was_free, is_free) {
                (false, true) => self.free += 1,
                (true, false) => self.free -= 1,
                _ => {}
            }
        }
        if is_free {
            self.searched = 0;
        }
    }

    /// Where the search for free clusters is: changes as long as it gets on.
    pub fn search_position(&self) -> u32 {
        self.next_free
    }

    /// Looks on for a free cluster from where the last search ended. It stays free: [`Volume::claim`].
    ///
    /// # Errors
    /// [`FatError::Full`], and others of [`FatError`].
    pub(super) fn find_free(&mut self, cache: &mut Cache<'_>) -> Result<u32, FatError> {
        if self.free_clusters() == Some(0) {
            return Err(FatError::Full);
        }
        while self.searched < self.geometry.clusters {
            if !self.geometry.is_cluster(self.next_free) {
                self.next_free = 2;
            }
            if self.link(cache, self.next_free)? == Link::Free {
                self.searched = 0;
                return Ok(self.next_free);
            }
            self.searched += 1;
            self.next_free += 1;
        }
        Err(FatError::Full)
    }

    /// A free cluster: the one behind `after` if that is free, so that files lie in one piece.
    ///
    /// # Errors
    /// As [`Volume::find_free`].
    pub(super) fn find_free_near(
        &mut self,
        cache: &mut Cache<'_>,
        after: u32,
    ) -> Result<u32, FatError> {
        if after != 0
            && self.geometry.is_cluster(after + 1)
            && self.link(cache, after + 1)? == Link::Free
        {
            return Ok(after + 1);
        }
        self.find_free(cache)
    }

    /// Takes a free cluster, whose table sector the search has just touched, as a chain of its own.
    ///
    /// # Errors
    /// [`FatError`].
    pub(super) fn claim(&mut self, cache: &mut Cache<'_>, cluster: u32) -> Result<(), FatError> {
        self.set_link(cache, cluster, END)?;
        self.search_behind(cluster);
        Ok(())
    }

    /// Hangs up to `most` free clusters behind `last`, the end of a new chain, that follow it on the disk, and says
    /// how many: no further than a sector of the table tells, in which everything changes at once. On FAT12, whose
    /// entries lie across sectors, none.
    ///
    /// # Errors
    /// [`FatError`]; nothing is changed then.
    pub(super) fn claim_run(
        &mut self,
        cache: &mut Cache<'_>,
        last: u32,
        most: u32,
    ) -> Result<u32, FatError> {
        let Some((width, read)) = self.entries() else { return Ok(0) };
        let slot = self.table_slot(cache, last * width)?;
        let start = (last * width % SECTOR as u32) as usize;
        let mut entries = cache.bytes(slot)[start..].chunks_exact(width as usize).map(read);
        if !entries.next().is_some_and(|end| self.link_of(end) == Link::End) {
            return Ok(0);
        }
        let mut count = 0;
        while count < most
            && self.geometry.is_cluster(last + count + 1)
            && entries.next() == Some(0)
        {
            count += 1;
        }
        if count == 0 {
            return Ok(0);
        }
        let end = last + count;
        let entries = cache.bytes_mut(slot)[start..].chunks_exact_mut(width as usize);
        for (cluster, entry) in (last..=end).zip(entries) {
            put(entry, if cluster == end { END } else { cluster + 1 });
        }
        cache.mark(slot, 0);
        for cluster in last + 1..=end {
            self.account(cluster, true, false);
        }
        self.search_behind(end);
        Ok(count)
    }

    fn search_behind(&mut self, cluster: u32) {
        if cluster >= self.next_free {
            self.next_free = cluster + 1 + self.spread;
        }
    }

    /// Says how many files are being written: where they are several, each keeps room behind it, lest they
    /// take alternate clusters.
    pub fn set_writers(&mut self, count: usize) {
        let room = (RUN / self.geometry.cluster_bytes()).min(self.geometry.clusters / 32);
        self.spread = if count > 1 { room.min(RUN_CLUSTERS) } else { 0 };
    }
}

/// Writes an entry of FAT16 or FAT32, of which the upper 4 bits are not ours to change.
fn put(entry: &mut [u8], value: u32) {
    match entry {
        [low, high] => [*low, *high] = (value as u16).to_le_bytes(),
        [a, b, c, d] => {
            let value = value & 0x0FFF_FFFF | u32::from(*d & 0xF0) << 24;
            [*a, *b, *c, *d] = value.to_le_bytes();
        }
        _ => {}
    }
}

pub(super) fn entry16(bytes: &[u8]) -> u32 {
    match bytes {
        [a, b, ..] => u32::from(u16::from_le_bytes([*a, *b])),
        _ => 0,
    }
}

pub(super) fn entry32(bytes: &[u8]) -> u32 {
    match bytes {
        [a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]) & 0x0FFF_FFFF,
        _ => 0,
    }
}
