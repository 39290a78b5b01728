//! A mounted volume: its geometry, what is known of its free space, and whether it is clean.
//!
//! May call `block`. A volume is marked "in use" on the disk before the first change, and "closed"
//! again when everything is written and nothing is open (FAT specification 1.03, sections 3.2, 4).

use core::fmt;

use super::boot_sector::{BootError, FatType, Geometry};
use super::dirent::{Dirent, ENTRY, EntryKind};
use super::error::FatError;
use crate::block::cache::{Class, Region};
use crate::block::{Cache, CacheError, DiskError, DiskId};

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
pub(super) enum Mark {
    /// Closed.
    Clean,
    /// The boot sector says "in use", the information sector does not know yet.
    Marking,
    /// In use.
    Dirty,
    /// On the way to closed: the table's mark is set in the cache.
    Closing,
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
    pub(super) mark: Mark,
    /// Where to look for a free cluster next.
    pub(super) next_free: u32,
    /// Clusters looked at in vain since one was last found or freed.
    pub(super) searched: u32,
    /// Free clusters below `counted`.
    pub(super) free: u32,
    /// Clusters whose being free is known, from cluster 2 on.
    pub(super) counted: u32,
    /// Its table was looked through once, and both copies are the same.
    pub(super) vouched: bool,
    /// No two clusters name one below this as their next.
    pub(super) unique_below: u32,
    /// Changes of the table.
    pub(super) changes: u32,
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
    /// Mounts the volume that begins at `start` and has at most `available` sectors. Reads at most
    /// five sectors.
    ///
    /// # Errors
    /// [`MountError`].
    pub fn mount(
        cache: &mut Cache<'_>,
        disk: DiskId,
        start: u32,
        available: u32,
    ) -> Result<Volume, MountError> {
        cache.begin(8);
        let sector = cache.peek(disk, start).map_err(mount_error)?;
        let parsed = Geometry::parse(sector, start, available);
        let (state_byte, hash) = match &parsed {
            Ok(geometry) => (geometry.state_byte, fingerprint(sector, geometry.state_byte)),
            Err(_) => (None, fingerprint(sector, None)),
        };
        let marked = state_byte.is_some_and(|at| sector[usize::from(at)] & 1 != 0);
        let geometry = match parsed {
            Ok(geometry) => geometry,
            Err(BootError::NotFat) if start == 0 => {
                let media = cache.peek(disk, 1).map_err(mount_error)?[0];
                Geometry::of_media(media, available).ok_or(MountError::Boot(BootError::NotFat))?
            }
            Err(error) => return Err(MountError::Boot(error)),
        };
        let mut volume = Volume {
            disk,
            geometry,
            label: geometry.label.filter(|label| label != b"NO NAME    "),
            read_only: geometry.odd_tables.then_some(ReadOnly::OddTables),
            was_dirty: marked,
            mark: Mark::Clean,
            next_free: 2,
            searched: 0,
            free: 0,
            counted: 0,
            vouched: false,
            unique_below: 2,
            changes: 0,
            hinted_free: None,
            fingerprint: hash,
        };
        volume.look_at_table(cache).map_err(mount_error)?;
        volume.look_at_info(cache).map_err(mount_error)?;
        volume.look_for_label(cache).map_err(mount_error)?;
        Ok(volume)
    }

    /// The table's first entries: media byte, and the "closed" bit.
    fn look_at_table(&mut self, cache: &mut Cache<'_>) -> Result<(), CacheError> {
        let sector = match cache.peek(self.disk, self.geometry.table) {
            Err(CacheError::Disk(DiskError::Failed { .. })) if self.geometry.mirror != 0 => {
                cache.peek(self.disk, self.geometry.table + self.geometry.mirror)?
            }
            other => other?,
        };
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
        Ok(())
    }

    fn look_at_info(&mut self, cache: &mut Cache<'_>) -> Result<(), CacheError> {
        let Some(info) = self.geometry.info else { return Ok(()) };
        let sector = cache.peek(self.disk, info)?;
        if !is_info(sector) {
            self.geometry.info = None;
            return Ok(());
        }
        let long = |at: usize| {
            u32::from_le_bytes([sector[at], sector[at + 1], sector[at + 2], sector[at + 3]])
        };
        let (free, next) = (long(488), long(492));
        self.hinted_free = Some(free).filter(|&free| free <= self.geometry.clusters);
        if self.geometry.is_cluster(next) {
            self.next_free = next;
        }
        Ok(())
    }

    /// Looks in the root directory's first sector, where FORMAT and LABEL put it.
    fn look_for_label(&mut self, cache: &mut Cache<'_>) -> Result<(), CacheError> {
        let lba = match self.geometry.fat_type {
            FatType::Fat32 => self.geometry.cluster_lba(self.geometry.root_cluster),
            _ => self.geometry.root,
        };
        let sector = cache.peek(self.disk, lba)?;
        let mut entries = sector.chunks_exact(ENTRY).map(Dirent::read);
        if let Some(entry) = entries.find(|entry| entry.kind() == EntryKind::Label) {
            self.label = Some(*entry.name().as_raw());
        }
        Ok(())
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
        if self.mark == Mark::Dirty {
            return Ok(());
        }
        if matches!(self.mark, Mark::Clean) {
            self.set_state_byte(cache, true)?;
            self.mark = Mark::Marking;
        }
        self.set_closed_bit(cache, false)?;
        if let Some(info) = self.geometry.info {
            cache.rewrite(self.disk, info, |sector| {
                let sound = is_info(sector);
                if sound {
                    sector[488..492].fill(0xFF);
                }
                sound
            })?;
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
        if self.mark == Mark::Clean || self.read_only.is_some() {
            return Ok(());
        }
        self.flush_table(cache)?;
        if self.mark != Mark::Closing {
            cache.may_command()?;
            self.write_info(cache)?;
            self.mark = Mark::Closing;
        }
        if !self.was_dirty {
            self.set_closed_bit(cache, true)?;
            self.flush_table(cache)?;
        }
        cache.barrier(self.disk)?;
        // Not sliced further: the state byte is the last word, and alone.
        cache.begin(2);
        if !self.was_dirty {
            self.set_state_byte(cache, false)?;
        }
        cache.barrier(self.disk)?;
        self.mark = Mark::Clean;
        Ok(())
    }

    fn write_info(&mut self, cache: &mut Cache<'_>) -> Result<(), FatError> {
        let Some(info) = self.geometry.info else { return Ok(()) };
        let free = self.free_clusters().unwrap_or(u32::MAX);
        let next = self.next_free;
        Ok(cache.rewrite(self.disk, info, |sector| {
            let sound = is_info(sector);
            if sound {
                sector[488..492].copy_from_slice(&free.to_le_bytes());
                sector[492..496].copy_from_slice(&next.to_le_bytes());
            }
            sound
        })?)
    }

    fn set_state_byte(&mut self, cache: &mut Cache<'_>, in_use: bool) -> Result<(), FatError> {
        let Some(at) = self.geometry.state_byte else { return Ok(()) };
        Ok(cache.rewrite(self.disk, self.geometry.start, |sector| {
            let byte = &mut sector[usize::from(at)];
            let changed = *byte & !1 | u8::from(in_use);
            core::mem::replace(byte, changed) != changed
        })?)
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

fn mount_error(error: CacheError) -> MountError {
    match error {
        CacheError::Disk(error) => MountError::Disk(error),
        CacheError::Again => MountError::Disk(DiskError::NotReady),
    }
}
