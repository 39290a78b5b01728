//! A mounted volume: its geometry, what is known of its free space, and whether it is clean.
//!
//! May call `block`. A volume is marked "in use" on the disk before the first change, and "closed"
//! again when everything is written and nothing is open (FAT specification 1.03, sections 3.2, 4).

use core::fmt;

use super::boot_sector::{BootError, FatType, Geometry};
use super::dirent::{Dirent, ENTRY, EntryKind};
use super::error::FatError;
use super::name83::Name83;
use crate::block::cache::{Class, Region};
use crate::block::{Cache, CacheError, DiskError, DiskId, SECTOR};

/// Why a volume is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOnly {
    /// The medium is write-protected.
    WriteProtected,
    /// Something on it makes no sense.
    Damaged,
    /// A table or directory sector could not be written.
    WriteFailed,
    /// It has more than two copies of its table.
    OddTables,
    /// It was closed properly, but the two copies of its table are not the same.
    CopiesDiffer,
    /// A cluster belongs to two chains.
    CrossLinked,
    /// A part of its table could not be read.
    TableUnreadable,
}

impl fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReadOnly::WriteProtected => "write-protected",
            ReadOnly::Damaged => "damaged; run SCANDISK or CHKDSK",
            ReadOnly::WriteFailed => "a system sector could not be written",
            ReadOnly::OddTables => "it has more than two allocation tables",
            ReadOnly::CopiesDiffer => "its allocation tables differ; run SCANDISK or CHKDSK",
            ReadOnly::CrossLinked => "it has cross-linked files; run SCANDISK or CHKDSK",
            ReadOnly::TableUnreadable => "its allocation table could not be read",
        })
    }
}

/// Why there is no volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountError {
    /// The boot sector is not believed.
    Boot(BootError),
    /// The disk failed.
    Disk(DiskError),
}

/// What the disk says of its being in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// Closed.
    Clean,
    /// On the way to "in use": so many steps are done.
    Opening(u8),
    /// In use.
    Dirty,
    /// On the way to closed.
    Closing(u8),
}

/// What is still to be read when a volume is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Table,
    Info,
    Label,
    Done,
}

/// A mounted volume.
#[derive(Debug)]
pub struct Volume {
    /// Its disk.
    pub disk: DiskId,
    /// Where everything lies.
    pub geometry: Geometry,
    /// Label: of the root directory, or else of the boot sector.
    pub label: Option<[u8; 11]>,
    /// Why it is not written, if it is not.
    pub read_only: Option<ReadOnly>,
    /// It was marked "in use" when it was mounted: it was not closed then.
    pub was_dirty: bool,
    mark: Mark,
    look: Look,
    /// Where to look for a free cluster next.
    pub(super) next_free: u32,
    /// Clusters that a new run of a file keeps free behind it, while several files are written.
    pub(super) spread: u32,
    /// Clusters looked at in vain since one was last found or freed.
    pub(super) searched: u32,
    /// Free clusters below `counted`.
    pub(super) free: u32,
    /// Clusters whose being free is known, from cluster 2 on.
    pub(super) counted: u32,
    /// Its table was looked through once, and both copies are the same.
    pub(super) vouched: bool,
    /// Clusters below this are named once at most, by an entry or another cluster, and none of them is free.
    pub(super) unique_below: u32,
    /// What names a cluster wrongly: why it is not written.
    pub culprit: Option<Name83>,
    /// Free clusters of the information sector; a hint only.
    pub(super) hinted_free: Option<u32>,
    /// A hash of the boot sector, to know the medium again.
    pub fingerprint: u32,
}

fn fingerprint(sector: &[u8], state_byte: Option<u16>) -> u32 {
    sector.iter().enumerate().fold(0x811C_9DC5, |hash, (at, &byte)| {
        let byte = if state_byte.map(usize::from) == Some(at) { 0 } else { byte };
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

impl Volume {
    /// Mounts the volume that begins at `start` and has at most `available` sectors, by one command. It can
    /// be used when [`Volume::look_around`] is done, too.
    ///
    /// # Errors
    /// [`MountError`]; `None`: the slice's commands are used up.
    pub fn mount(
        cache: &mut Cache<'_>,
        disk: DiskId,
        start: u32,
        available: u32,
    ) -> Result<Volume, Option<MountError>> {
        let sectors = if start == 0 { cache.peek_start(disk) } else { cache.peek(disk, start) };
        let (sector, table) = sectors.map_err(mount_error)?.split_at(SECTOR);
        let parsed = Geometry::parse(sector, start, available);
        let state_byte = parsed.as_ref().ok().and_then(|geometry| geometry.state_byte);
        let hash = fingerprint(sector, state_byte);
        let marked = state_byte.is_some_and(|at| sector[usize::from(at)] & 1 != 0);
        let geometry = match (parsed, table.first()) {
            (Ok(geometry), _) => Ok(geometry),
            (Err(BootError::NotFat), Some(&media)) => {
                Geometry::of_media(media, available).ok_or(BootError::NotFat)
            }
            (Err(error), _) => Err(error),
        };
        let geometry = geometry.map_err(MountError::Boot)?;
        Ok(Volume {
            disk,
            geometry,
            label: geometry.label.filter(|label| label != b"NO NAME    "),
            read_only: geometry.odd_tables.then_some(ReadOnly::OddTables),
            was_dirty: marked,
            mark: Mark::Clean,
            look: Look::Table,
            next_free: 2,
            spread: 0,
            searched: 0,
            free: 0,
            counted: 0,
            vouched: false,
            unique_below: 2,
            culprit: None,
            hinted_free: None,
            fingerprint: hash,
        })
    }

    /// Reads what else a mounted volume begins with, a command at a time. `false` until it is done.
    ///
    /// # Errors
    /// [`MountError`].
    pub fn look_around(&mut self, cache: &mut Cache<'_>) -> Result<bool, MountError> {
        loop {
            let looked = match self.look {
                Look::Table => self.look_at_table(cache),
                Look::Info => self.look_at_info(cache),
                Look::Label => self.look_for_label(cache),
                Look::Done => return Ok(true),
            };
            match looked {
                Ok(next) => self.look = next,
                Err(CacheError::Again) => return Ok(false),
                Err(CacheError::Disk(error)) => return Err(MountError::Disk(error)),
            }
        }
    }

    /// Whether [`Volume::look_around`] is done.
    pub fn is_mounted(&self) -> bool {
        self.look == Look::Done
    }

    /// Whether it is certain that it was closed when it was mounted.
    pub(super) fn was_closed(&self) -> bool {
        let tells = self.geometry.fat_type != FatType::Fat12 || self.geometry.state_byte.is_some();
        tells && !self.was_dirty
    }

    /// The table's first entries: media byte, and the "closed" bit.
    fn look_at_table(&mut self, cache: &mut Cache<'_>) -> Result<Look, CacheError> {
        let table = self.geometry.table;
        let sector = cache.peek_or(self.disk, table, table + self.geometry.mirror)?;
        let closed = match self.geometry.fat_type {
            FatType::Fat12 => true,
            FatType::Fat16 => sector[3] & 0x80 != 0,
            FatType::Fat32 => sector[7] & 0x08 != 0,
        };
        // Entry 0 holds the media byte and ones. Anything else is no table.
        if sector[0] < 0xF0 || sector[1] != 0xFF {
            self.read_only.get_or_insert(ReadOnly::Damaged);
        }
        self.was_dirty |= !closed;
        Ok(Look::Info)
    }

    fn look_at_info(&mut self, cache: &mut Cache<'_>) -> Result<Look, CacheError> {
        let Some(info) = self.geometry.info else { return Ok(Look::Label) };
        let sector = cache.peek(self.disk, info)?;
        if !is_info(sector) {
            self.geometry.info = None;
            return Ok(Look::Label);
        }
        let long = |at: usize| {
            u32::from_le_bytes([sector[at], sector[at + 1], sector[at + 2], sector[at + 3]])
        };
        let (free, next) = (long(488), long(492));
        self.hinted_free = Some(free).filter(|&free| free <= self.geometry.clusters);
        if self.geometry.is_cluster(next) {
            self.next_free = next;
        }
        Ok(Look::Label)
    }

    /// Looks in the root directory's first sector, where FORMAT and LABEL put it.
    fn look_for_label(&mut self, cache: &mut Cache<'_>) -> Result<Look, CacheError> {
        let lba = match self.geometry.fat_type {
            FatType::Fat32 => self.geometry.cluster_lba(self.geometry.root_cluster),
            _ => self.geometry.root,
        };
        let sector = cache.peek(self.disk, lba)?;
        let mut entries = sector.chunks_exact(ENTRY).map(Dirent::read);
        if let Some(entry) = entries.find(|entry| entry.kind() == EntryKind::Label) {
            self.label = Some(*entry.name().as_raw());
        }
        Ok(Look::Done)
    }

    /// Whether the medium in the drive is still this one.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn is_same_medium(&self, cache: &mut Cache<'_>) -> Result<bool, CacheError> {
        let sector = cache.peek(self.disk, self.geometry.start)?;
        Ok(fingerprint(sector, self.geometry.state_byte) == self.fingerprint)
    }

    /// The table's sectors.
    pub(super) fn table_region(&self) -> Region {
        Region {
            disk: self.disk,
            start: self.geometry.table,
            sectors: self.geometry.table_sectors,
            class: Class::Table,
            mirror: self.geometry.mirror,
        }
    }

    /// The clusters' sectors, as directories or as pieces of files.
    pub(super) fn data_region(&self, class: Class) -> Region {
        Region {
            disk: self.disk,
            start: self.geometry.data,
            sectors: self.geometry.clusters * self.geometry.cluster_sectors,
            class,
            mirror: 0,
        }
    }

    /// The fixed root directory's sectors.
    pub(super) fn root_region(&self) -> Region {
        Region {
            disk: self.disk,
            start: self.geometry.root,
            sectors: self.geometry.root_entries / 16,
            class: Class::Directory,
            mirror: 0,
        }
    }

    /// Whether entries have cluster numbers of more than 16 bits.
    pub fn is_wide(&self) -> bool {
        self.geometry.fat_type == FatType::Fat32
    }

    /// Free clusters, once they are counted.
    pub fn free_clusters(&self) -> Option<u32> {
        (self.counted >= self.geometry.clusters).then_some(self.free)
    }

    /// Notes damage: the volume is not written from now on.
    pub(super) fn damaged(&mut self) -> FatError {
        self.read_only.get_or_insert(ReadOnly::Damaged);
        FatError::Damaged
    }

    // ---- In use, or closed ----

    /// Marks the volume "in use" on the disk, before the first change.
    ///
    /// # Errors
    /// [`FatError`].
    pub fn mark_in_use(&mut self, cache: &mut Cache<'_>) -> Result<(), FatError> {
        let mut done = match self.mark {
            Mark::Dirty => return Ok(()),
            Mark::Opening(done) => done,
            Mark::Clean | Mark::Closing(_) => 0,
        };
        loop {
            match done {
                0 => self.set_state_byte(cache, true)?,
                1 => self.set_closed_bit(cache, false)?,
                // What was counted no longer holds.
                2 => self.write_info(cache, None)?,
                3 => cache.barrier(self.disk)?,
                _ => break,
            }
            done += 1;
            self.mark = Mark::Opening(done);
        }
        self.mark = Mark::Dirty;
        Ok(())
    }

    /// Whether the disk says, or is about to say, that the volume is in use.
    pub fn is_in_use(&self) -> bool {
        self.mark != Mark::Clean
    }

    /// Writes all of the table that is changed.
    ///
    /// # Errors
    /// [`FatError`].
    pub fn flush_table(&mut self, cache: &mut Cache<'_>) -> Result<(), FatError> {
        let end = self.geometry.table + self.geometry.table_sectors;
        Ok(cache.flush_tables(self.disk, self.geometry.table, end)?)
    }

    /// Marks the volume "closed" when it is in use: everything is written, the information sector says
    /// what is free. To be called again until it is no longer [`FatError::Again`].
    ///
    /// # Errors
    /// [`FatError`].
    pub fn close(&mut self, cache: &mut Cache<'_>) -> Result<(), FatError> {
        if self.read_only.is_some() {
            return Ok(());
        }
        let mut done = match self.mark {
            Mark::Clean => return Ok(()),
            Mark::Closing(done) => done,
            Mark::Opening(_) | Mark::Dirty => 0,
        };
        loop {
            self.mark = Mark::Closing(done);
            match done {
                0 | 4 => self.flush_table(cache)?,
                1 | 5 | 7 => cache.barrier(self.disk)?,
                2 => self.write_info(cache, Some(self.next_free))?,
                3 if !self.was_dirty => self.set_closed_bit(cache, true)?,
                // The last word, and alone.
                6 if !self.was_dirty => self.set_state_byte(cache, false)?,
                3 | 6 => {}
                _ => break,
            }
            done += 1;
        }
        self.mark = Mark::Clean;
        Ok(())
    }

    /// Writes what is free to the information sector; without `next`, that it is not known.
    fn write_info(&mut self, cache: &mut Cache<'_>, next: Option<u32>) -> Result<(), FatError> {
        let Some(info) = self.geometry.info else { return Ok(()) };
        let next = next.map(|next| if self.geometry.is_cluster(next) { next } else { 2 });
        let free = self.free_clusters().filter(|_| next.is_some()).unwrap_or(u32::MAX);
        self.edit_reserved(cache, info, |sector| {
            let sound = is_info(sector);
            if sound {
                sector[488..492].copy_from_slice(&free.to_le_bytes());
                if let Some(next) = next {
                    sector[492..496].copy_from_slice(&next.to_le_bytes());
                }
            }
            sound
        })
    }

    fn set_state_byte(&mut self, cache: &mut Cache<'_>, in_use: bool) -> Result<(), FatError> {
        let Some(at) = self.geometry.state_byte else { return Ok(()) };
        self.edit_reserved(cache, self.geometry.start, |sector| {
            let byte = &mut sector[usize::from(at)];
            let changed = *byte & !1 | u8::from(in_use);
            core::mem::replace(byte, changed) != changed
        })
    }

    /// Changes a sector before the table, in the cache and, when `edit` says `true`, on the disk at once.
    fn edit_reserved(
        &mut self,
        cache: &mut Cache<'_>,
        lba: u32,
        edit: impl FnOnce(&mut [u8]) -> bool,
    ) -> Result<(), FatError> {
        let start = self.geometry.start;
        let sectors = self.geometry.table - start;
        let region = Region { disk: self.disk, start, sectors, class: Class::Data, mirror: 0 };
        let slot = cache.sector(&region, lba)?;
        cache.may_command(self.disk)?;
        if edit(cache.bytes_mut(slot)) {
            cache.write_through(slot)?;
        }
        Ok(())
    }

    /// Bit 15 or 27 of the table's entry 1, where there is one, in the cache.
    fn set_closed_bit(&mut self, cache: &mut Cache<'_>, closed: bool) -> Result<(), FatError> {
        let (at, bit) = match self.geometry.fat_type {
            FatType::Fat12 => return Ok(()),
            FatType::Fat16 => (3, 0x80),
            FatType::Fat32 => (7, 0x08),
        };
        let slot = cache.sector(&self.table_region(), self.geometry.table)?;
        let byte = &mut cache.bytes_mut(slot)[at];
        let changed = if closed { *byte | bit } else { *byte & !bit };
        if core::mem::replace(byte, changed) != changed {
            cache.mark(slot, 0);
        }
        Ok(())
    }
}

fn is_info(sector: &[u8]) -> bool {
    sector[..4] == *b"RRaA" && sector[484..488] == *b"rrAa" && sector[510..512] == [0x55, 0xAA]
}

fn mount_error(error: CacheError) -> Option<MountError> {
    match error {
        CacheError::Disk(error) => Some(MountError::Disk(error)),
        CacheError::Again => None,
    }
}
