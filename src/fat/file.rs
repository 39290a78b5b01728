//! An open file: reading, writing and what makes it safe on the disk.
//!
//! May call `block`. Whole sectors go straight between the caller's buffer and the disk. Clusters that
//! are new hang free until [`File::finish`]; only then the chain's old end, and at last the directory
//! entry, name them. So whatever was cut off leaves the file as it was and some clusters that nobody names.

use super::boot_sector::Geometry;
use super::change::{Chain, write_failed};
use super::dir::Place;
use super::dirent::{Dirent, attribute};
use super::error::FatError;
use super::table::{END, Link};
use super::volume::Volume;
use crate::block::cache::{Class, Owner};
use crate::block::{Cache, SECTOR};
use crate::time::DateTime;

/// Sectors behind a piece that the disk may be asked for together with it.
const AHEAD: usize = 16;

/// How far [`File::finish`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finish {
    Data,
    Table,
    Join,
    JoinTable,
    Entry,
    Barrier,
}

/// An open file.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Its directory entry.
    pub place: Place,
    /// The entry as it is on the disk.
    pub entry: Dirent,
    /// Bytes now.
    pub size: u32,
    /// Its number in the cache.
    owner: Owner,
    /// First cluster that the directory entry names; 0: none.
    first: u32,
    /// First of the new clusters; 0: none.
    fresh: u32,
    /// The cluster that the new ones follow; 0: they are the file's first.
    joint: u32,
    /// Clusters up to the last new one.
    reached: u32,
    /// A cluster's number in the file, and the cluster; 0: none.
    hint: (u32, u32),
    /// Clusters that follow it on the disk as in the file, as far as that is known.
    run: u32,
    changed: bool,
    stage: Finish,
}

impl File {
    /// Opens the file of `entry`.
    ///
    /// # Errors
    /// [`FatError::Damaged`] when size and first cluster contradict each other.
    pub fn open(
        geometry: &Geometry,
        wide: bool,
        place: Place,
        entry: Dirent,
    ) -> Result<File, FatError> {
        let (first, size) = (entry.cluster(wide), entry.size());
        let sound = if size == 0 {
            first == 0 || geometry.is_cluster(first)
        } else {
            let clusters = size.div_ceil(geometry.cluster_bytes());
            geometry.is_cluster(first) && clusters <= geometry.clusters
        };
        if !sound {
            return Err(FatError::Damaged);
        }
        Ok(File {
            place,
            entry,
            size,
            owner: 0,
            first,
            fresh: 0,
            joint: 0,
            reached: 0,
            hint: (0, 0),
            run: 0,
            changed: false,
            stage: Finish::Data,
        })
    }

    /// Gives the file its number in the cache: its handle's, below 32.
    pub fn set_owner(&mut self, owner: Owner) {
        self.owner = owner;
    }

    /// Notes that the entry was only just made: the drive may still hold it in its cache.
    pub fn set_created(&mut self) {
        (self.changed, self.stage) = (true, Finish::Barrier);
    }

    /// Whether [`File::finish`] has something to do.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// How far its chain has been followed: changes as long as reading or writing gets on.
    pub fn position(&self) -> (u32, u32) {
        (self.hint.0.wrapping_add(self.run), self.hint.1)
    }

    // ---- The chain ----

    /// What follows `cluster` in this file.
    fn next(
        &self,
        volume: &Volume,
        cache: &mut Cache<'_>,
        cluster: u32,
    ) -> Result<Option<u32>, FatError> {
        if self.fresh != 0 && cluster == self.joint {
            return Ok(Some(self.fresh));
        }
        match volume.link(cache, cluster)? {
            Link::Next(next) => Ok(Some(next)),
            Link::End => Ok(None),
            Link::Free | Link::Invalid => Err(FatError::Damaged),
        }
    }

    /// Cluster number `index` of the file; `None` behind the last. Remembers how far it came.
    fn cluster(
        &mut self,
        volume: &Volume,
        cache: &mut Cache<'_>,
        index: u32,
    ) -> Result<Option<u32>, FatError> {
        let start = if self.first != 0 { self.first } else { self.fresh };
        if start == 0 {
            return Ok(None);
        }
        if index > volume.geometry.clusters {
            return Err(FatError::Damaged);
        }
        if self.hint.1 == 0 || self.hint.0 > index {
            (self.hint, self.run) = ((0, start), 0);
        }
        while self.hint.0 < index {
            let known = self.run.min(index - self.hint.0);
            if known > 0 {
                self.hint = (self.hint.0 + known, self.hint.1 + known);
                self.run -= known;
                continue;
            }
            match self.next(volume, cache, self.hint.1)? {
                Some(next) => self.hint = (self.hint.0 + 1, next),
                None => return Ok(None),
            }
        }
        Ok(Some(self.hint.1))
    }

    /// Cluster number `index`, a new one where the file ends just before it.
    fn cluster_to_write(
        &mut self,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
        index: u32,
    ) -> Result<u32, FatError> {
        if !self.ends_before(index)
            && let Some(cluster) = self.cluster(volume, cache, index)?
        {
            return Ok(cluster);
        }
        let before = match index {
            0 => 0,
            _ => self.cluster(volume, cache, index - 1)?.ok_or(FatError::Damaged)?,
        };
        if self.grow_run(volume, cache, before, index, 1)? > 0 {
            (self.hint, self.run) = ((index, before + 1), 0);
            return Ok(before + 1);
        }
        let cluster = volume.find_free_near(cache, before)?;
        if before != 0 {
            volume.link(cache, before)?;
        }
        volume.link(cache, cluster)?;
        self.grow(volume, cache, before, cluster, index)?;
        (self.hint, self.run) = ((index, cluster), 0);
        Ok(cluster)
    }

    /// Whether the file is known to end before cluster number `index`: its last ones are new.
    fn ends_before(&self, index: u32) -> bool {
        self.fresh != 0 && self.reached == index
    }

    /// Hangs a free cluster behind the file's last, as its number `index`. The caller has just looked at the
    /// entries of both, so that they are in the cache and nothing stops half-way.
    fn grow(
        &mut self,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
        before: u32,
        cluster: u32,
        index: u32,
    ) -> Result<(), FatError> {
        if self.fresh != 0 {
            // Nothing has to be read between what follows: a cluster that nobody names would be lost.
            volume.link(cache, before)?;
        }
        volume.claim(cache, cluster)?;
        if self.fresh == 0 {
            (self.fresh, self.joint) = (cluster, before);
        } else {
            volume.set_link(cache, before, cluster)?;
        }
        self.reached = index + 1;
        (self.changed, self.stage) = (true, Finish::Data);
        Ok(())
    }

    /// Hangs up to `most` free clusters that follow on the disk behind `last`, if that is the file's last and new,
    /// as its number `index` and on; how many.
    fn grow_run(
        &mut self,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
        last: u32,
        index: u32,
        most: u32,
    ) -> Result<u32, FatError> {
        if !self.ends_before(index) {
            return Ok(0);
        }
        let count = volume.claim_run(cache, last, most)?;
        if count > 0 {
            self.reached += count;
            (self.changed, self.stage) = (true, Finish::Data);
        }
        Ok(count)
    }

    /// Whether the cluster behind the run follows it in the file; the run is longer then, by it and by up to
    /// `most` clusters.
    fn extend(
        &mut self,
        volume: &Volume,
        cache: &mut Cache<'_>,
        most: u32,
    ) -> Result<bool, FatError> {
        let last = self.hint.1 + self.run;
        let more = volume.run(cache, last, most)?;
        if more > 0 {
            self.run += more;
            return Ok(true);
        }
        let follows = self.next(volume, cache, last)? == Some(last + 1);
        self.run += u32::from(follows);
        Ok(follows)
    }

    /// As [`File::extend`]; where the file ends, free clusters there, up to `most`, become its last.
    fn extend_to_write(
        &mut self,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
        most: u32,
    ) -> Result<bool, FatError> {
        let last = self.hint.1 + self.run;
        let more = self.grow_run(volume, cache, last, self.hint.0 + self.run + 1, most)?;
        if more > 0 {
            self.run += more;
            return Ok(true);
        }
        if self.next(volume, cache, last)?.is_some() {
            return self.extend(volume, cache, 1);
        }
        if !volume.geometry.is_cluster(last + 1) || volume.link(cache, last + 1)? != Link::Free {
            return Ok(false);
        }
        self.grow(volume, cache, last, last + 1, self.hint.0 + self.run + 1)?;
        self.run += 1;
        Ok(true)
    }

    // ---- Reading and writing ----

    /// Reads from `offset` on; 0 bytes at the end of the file.
    ///
    /// # Errors
    /// [`FatError`].
    pub fn read(
        &mut self,
        volume: &Volume,
        cache: &mut Cache<'_>,
        offset: u32,
        buffer: &mut [u8],
    ) -> Result<usize, FatError> {
        let left = self.size.saturating_sub(offset) as usize;
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let (index, inside) = split(&volume.geometry, offset);
        let cluster = self.cluster(volume, cache, index)?.ok_or(FatError::Damaged)?;
        let lba = volume.geometry.cluster_lba(cluster) + inside / SECTOR as u32;
        let skip = inside as usize % SECTOR;
        if skip != 0 || buffer.len() < SECTOR {
            let slot = cache.sector(&volume.data_region(Class::Data), lba)?;
            let count = left.min(buffer.len()).min(SECTOR - skip);
            buffer[..count].copy_from_slice(&cache.bytes(slot)[skip..skip + count]);
            return Ok(count);
        }
        let left_sectors = left.div_ceil(SECTOR);
        let wanted = (buffer.len() / SECTOR).min(left_sectors);
        let foreseen = (wanted + AHEAD).min(left_sectors);
        loop {
            let missing =
                foreseen.saturating_sub(self.run_sectors(&volume.geometry, inside)) as u32;
            if missing == 0 {
                break;
            }
            match self.extend(volume, cache, missing.div_ceil(volume.geometry.cluster_sectors)) {
                Ok(true) => {}
                Ok(false) | Err(FatError::Again) => break,
                // Reading ahead must not fail for what nobody may ask for.
                Err(_) if self.run_sectors(&volume.geometry, inside) >= wanted => break,
                Err(error) => return Err(error),
            }
        }
        let known = self.run_sectors(&volume.geometry, inside).min(foreseen);
        let buffer = &mut buffer[..wanted.min(known) * SECTOR];
        let ahead = known.saturating_sub(wanted) as u32;
        let bytes = cache.read(self.owner, volume.disk, lba, buffer, ahead)?;
        Ok(bytes.min(left))
    }

    /// Sectors of the run from byte `inside` of its first cluster on.
    fn run_sectors(&self, geometry: &Geometry, inside: u32) -> usize {
        ((self.run + 1) * geometry.cluster_sectors - inside / SECTOR as u32) as usize
    }

    /// Writes at `offset`, which is at most the file's size, and says how much was taken: at least one byte.
    ///
    /// # Errors
    /// [`FatError::Full`], [`FatError::TooLarge`], and others of [`FatError`].
    pub fn write(
        &mut self,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
        offset: u32,
        data: &[u8],
    ) -> Result<usize, FatError> {
        cache.check(self.owner)?;
        let room = (u32::MAX - offset) as usize;
        if room == 0 && !data.is_empty() {
            return Err(FatError::TooLarge);
        }
        volume.mark_in_use(cache).inspect_err(|&error| write_failed(volume, error))?;
        let data = &data[..data.len().min(room)];
        let mut taken = 0;
        while taken < data.len() {
            match self.write_piece(volume, cache, offset + taken as u32, &data[taken..]) {
                Ok(count) => taken += count,
                // What the disk says must not be lost.
                Err(FatError::Again | FatError::Full) if taken > 0 => break,
                Err(error) => return Err(error),
            }
            self.size = self.size.max(offset + taken as u32);
            self.changed = true;
            self.stage = Finish::Data;
        }
        Ok(taken)
    }

    fn write_piece(
        &mut self,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
        offset: u32,
        data: &[u8],
    ) -> Result<usize, FatError> {
        let (index, inside) = split(&volume.geometry, offset);
        let cluster = self.cluster_to_write(volume, cache, index)?;
        let lba = volume.geometry.cluster_lba(cluster) + inside / SECTOR as u32;
        let skip = inside as usize % SECTOR;
        if skip != 0 || data.len() < SECTOR {
            let region = volume.data_region(Class::Data);
            let is_new = offset - skip as u32 >= self.size;
            let slot =
                if is_new { cache.blank(&region, lba)? } else { cache.sector(&region, lba)? };
            let count = data.len().min(SECTOR - skip);
            cache.bytes_mut(slot)[skip..skip + count].copy_from_slice(&data[..count]);
            cache.mark(slot, self.owner);
            return Ok(count);
        }
        let wanted = data.len() / SECTOR;
        loop {
            let missing = wanted.saturating_sub(self.run_sectors(&volume.geometry, inside)) as u32;
            if missing == 0 {
                break;
            }
            let most = missing.div_ceil(volume.geometry.cluster_sectors);
            match self.extend_to_write(volume, cache, most) {
                Ok(true) => {}
                Ok(false) | Err(FatError::Again) => break,
                Err(error) => return Err(error),
            }
        }
        let bytes = self.run_sectors(&volume.geometry, inside).min(wanted) * SECTOR;
        Ok(cache.write(self.owner, volume.disk, lba, &data[..bytes])?)
    }

    // ---- Making it last ----

    /// Brings data, table and directory entry to the disk, in this order. Clusters that were taken and
    /// not used come back in `unused`.
    ///
    /// # Errors
    /// [`FatError::Again`] until everything is on the disk; others of [`FatError`].
    pub fn finish(
        &mut self,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
        now: DateTime,
        unused: &mut Option<Chain>,
    ) -> Result<(), FatError> {
        while self.changed {
            match self.stage {
                Finish::Data => {
                    cache.begin_barrier(self.owner);
                    cache.flush_data(self.owner)?;
                    self.trim(volume, cache, unused)?;
                    self.stage = if self.fresh != 0 { Finish::Table } else { Finish::Join };
                }
                Finish::Table => {
                    self.flush_table(volume, cache)?;
                    self.stage = Finish::Join;
                }
                Finish::Join => {
                    cache.barrier_of(self.owner, volume.disk)?;
                    self.stage = if self.joint != 0 && self.fresh != 0 {
                        Finish::JoinTable
                    } else {
                        Finish::Entry
                    };
                }
                Finish::JoinTable => self.join(volume, cache)?,
                Finish::Entry => {
                    self.write_entry(volume, cache, now)?;
                    self.stage = Finish::Barrier;
                }
                Finish::Barrier => {
                    cache.barrier_of(self.owner, volume.disk)?;
                    self.changed = false;
                    self.stage = Finish::Data;
                }
            }
        }
        Ok(())
    }

    fn flush_table(&self, volume: &mut Volume, cache: &mut Cache<'_>) -> Result<(), FatError> {
        volume.flush_table(cache).inspect_err(|&error| write_failed(volume, error))
    }

    /// Hangs the new clusters behind the old ones.
    fn join(&mut self, volume: &mut Volume, cache: &mut Cache<'_>) -> Result<(), FatError> {
        if self.fresh != 0 {
            volume.set_link(cache, self.joint, self.fresh)?;
            (self.fresh, self.joint) = (0, 0);
        }
        self.flush_table(volume, cache)?;
        cache.barrier_of(self.owner, volume.disk)?;
        self.stage = Finish::Entry;
        Ok(())
    }

    /// Cuts new clusters behind the end of the file off: taken for data that did not come to the disk.
    fn trim(
        &mut self,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
        unused: &mut Option<Chain>,
    ) -> Result<(), FatError> {
        let needed = self.size.div_ceil(volume.geometry.cluster_bytes());
        if self.fresh == 0 || self.reached <= needed {
            return Ok(());
        }
        let limit = self.reached - needed;
        let last = match needed {
            0 => None,
            _ => self.cluster(volume, cache, needed - 1)?,
        };
        let spare = match last {
            Some(last) if last != self.joint => {
                let next = self.next(volume, cache, last)?;
                volume.set_link(cache, last, END)?;
                next
            }
            _ => {
                let all = self.fresh;
                (self.fresh, self.joint) = (0, 0);
                Some(all)
            }
        };
        self.reached = needed;
        (self.hint, self.run) = ((0, 0), 0);
        *unused = spare.map(|cluster| Chain::new(cluster, limit));
        Ok(())
    }

    fn write_entry(
        &mut self,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
        now: DateTime,
    ) -> Result<(), FatError> {
        let first = if self.first != 0 { self.first } else { self.fresh };
        let mut entry = self.entry;
        entry.set_cluster(first, volume.is_wide());
        entry.set_size(self.size);
        entry.set_attributes(entry.attributes() | attribute::ARCHIVE);
        entry.set_modified(now);
        let at = usize::from(self.place.offset);
        volume
            .edit_sector(cache, self.place.lba, |bytes| {
                bytes[at..at + entry.0.len()].copy_from_slice(&entry.0);
            })
            .inspect_err(|&error| write_failed(volume, error))?;
        (self.entry, self.first) = (entry, first);
        (self.fresh, self.joint) = (0, 0);
        Ok(())
    }

    /// Gives up: the file stays as it is on the disk, and its new clusters are to be freed.
    pub fn abandon(&mut self, cache: &mut Cache<'_>) -> Option<Chain> {
        cache.release(self.owner);
        self.changed = false;
        let cluster = core::mem::take(&mut self.fresh);
        (cluster != 0).then_some(Chain::new(cluster, u32::MAX))
    }
}

fn split(geometry: &Geometry, offset: u32) -> (u32, u32) {
    let bytes = geometry.cluster_bytes();
    (offset / bytes, offset % bytes)
}
