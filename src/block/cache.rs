//! The sector cache of all volumes: the only way from a file system to a disk.
//!
//! May call `block::device`. Lines of several sectors, in three classes that do not push each other
//! out: allocation tables (written back in batches), directories (written through, never dirty) and
//! single data sectors (the ragged ends of files). Everything larger goes past the cache.
//!
//! Every command to a disk is charged against a budget that the caller sets for each slice of work, and
//! against the turn's time ([`pace`]); when either is used up the answer is [`CacheError::Again`], before
//! anything was done.

mod pace;
mod past;

pub use super::device::Owner;
use core::mem;

use super::device::{DiskError, DiskId, Disks, Lba, SECTOR};
use crate::memory::{Memory, OutOfMemory};
pub use pace::PutOff;

/// Which part of the cache a sector belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Allocation tables.
    Table,
    /// Directories.
    Directory,
    /// Pieces of files that do not fill a sector.
    Data,
}

/// A stretch of a disk that is cached in lines counted from its start. A sector must always be
/// asked for with the same region.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    /// The disk.
    pub disk: DiskId,
    /// First sector.
    pub start: u32,
    /// Number of sectors; lines end there.
    pub sectors: u32,
    /// Where it belongs.
    pub class: Class,
    /// Sectors from a sector to its second copy, which is written first; 0: there is none.
    pub mirror: u32,
}

/// Why a sector is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheError {
    /// The slice's commands are used up.
    Again,
    /// The disk failed.
    Disk(DiskError),
}

impl From<DiskError> for CacheError {
    fn from(error: DiskError) -> CacheError {
        CacheError::Disk(error)
    }
}

/// A sector in the cache; good until the next call that may read another one.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    line: u8,
    sector: u8,
    /// Its place in the cache's bytes, in sectors.
    at: u16,
}

#[derive(Clone, Copy)]
struct Line {
    disk: DiskId,
    base: u32,
    /// Bit n: sector n is here.
    valid: u8,
    /// Bit n: sector n is newer than the disk's.
    dirty: u8,
    /// Bit n: sector n is newer than the second copy.
    mirror_dirty: u8,
    mirror: u32,
    stamp: u32,
    owner: Owner,
}

const EMPTY: Line = Line {
    disk: DiskId(0xFF),
    base: 0,
    valid: 0,
    dirty: 0,
    mirror_dirty: 0,
    mirror: 0,
    stamp: 0,
    owner: 0,
};

/// The lines of one class.
#[derive(Clone, Copy)]
struct Share {
    first: u8,
    lines: u8,
    /// Sectors of a line: 1 to 8.
    sectors: u8,
    /// Sectors of the classes before it.
    offset: u16,
    /// The line that was hit last.
    last: u8,
}

impl Share {
    fn slot(&self, line: u8, sector: u8) -> Slot {
        let inside = u16::from(line - self.first) * u16::from(self.sectors) + u16::from(sector);
        Slot { line, sector, at: self.offset + inside }
    }
}

/// How memory is divided.
#[derive(Debug, Clone, Copy)]
pub struct CacheSize {
    /// Lines and sectors a line for tables: at least 4 lines, of 1 to 8 sectors.
    pub tables: (u8, u8),
    /// The same for directories: at least 2 lines.
    pub directories: (u8, u8),
    /// Single data sectors: at least 2.
    pub data: u8,
    /// Sectors of the buffer for long runs of table sectors and for zeroing: at least 2.
    pub scratch: u8,
}

impl CacheSize {
    /// Enough to read a file here and there, as at the start.
    pub const TO_READ: CacheSize =
        CacheSize { tables: (1, 1), directories: (1, 2), data: 1, scratch: 2 };

    /// Divides about `bytes`; of less than 6 KB it makes 5, of less than 8 it makes 7, of less than 20 it makes 11.
    pub const fn of(bytes: usize) -> CacheSize {
        if bytes >= 28 * 1024 {
            CacheSize { tables: (4, 4), directories: (3, 8), data: 8, scratch: 8 }
        } else if bytes >= 20 * 1024 {
            CacheSize { tables: (4, 4), directories: (3, 4), data: 6, scratch: 6 }
        } else if bytes >= 8 * 1024 {
            CacheSize { tables: (4, 2), directories: (3, 2), data: 4, scratch: 4 }
        } else if bytes >= 6 * 1024 {
            CacheSize { tables: (4, 1), directories: (2, 2), data: 3, scratch: 2 }
        } else {
            CacheSize { tables: (4, 1), directories: (2, 1), data: 2, scratch: 2 }
        }
    }

    /// Bytes of all sectors.
    pub const fn bytes(&self) -> usize {
        (self.sectors() + self.scratch as usize) * SECTOR
    }

    const fn sectors(&self) -> usize {
        self.tables.0 as usize * self.tables.1 as usize
            + self.directories.0 as usize * self.directories.1 as usize
            + self.data as usize
    }
}

/// The cache and the disks behind it.
pub struct Cache<'a> {
    disks: &'a mut dyn Disks,
    bytes: &'a mut [u8],
    scratch: &'a mut [u8],
    lines: &'a mut [Line],
    shares: [Share; 3],
    pace: pace::Pace,
    /// What of a disk the scratch buffer holds, for [`Cache::copy_tables`].
    kept: Option<(DiskId, u32, u32)>,
    clock: u32,
    /// Bit n: a data sector of owner n could not be written when its line was needed.
    failed: u32,
    /// Bit n: the medium of disk n was changed, and nobody has acknowledged it.
    gone: u32,
    /// Bit n: whether the medium of disk n was changed is being found out.
    doubted: u32,
}

const fn bit_of(disk: DiskId) -> u32 {
    1 << (disk.0 & 31)
}

impl<'a> Cache<'a> {
    /// Takes the memory to read.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(
        disks: &'a mut dyn Disks,
        memory: &mut impl Memory<'a>,
    ) -> Result<Cache<'a>, OutOfMemory> {
        let mut cache = Cache {
            disks,
            bytes: &mut [],
            scratch: &mut [],
            lines: &mut [],
            shares: [Share { first: 0, lines: 0, sectors: 0, offset: 0, last: 0 }; 3],
            pace: pace::Pace::default(),
            kept: None,
            clock: 0,
            failed: 0,
            gone: 0,
            doubted: 0,
        };
        cache.resize(memory, CacheSize::TO_READ)?;
        Ok(cache)
    }

    /// Takes memory of another size, gives back what it had, and forgets what was there: nothing may be dirty.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    #[inline(never)]
    pub fn resize(
        &mut self,
        memory: &mut impl Memory<'a>,
        size: CacheSize,
    ) -> Result<(), OutOfMemory> {
        let lines = usize::from(size.tables.0) + usize::from(size.directories.0);
        let lines = lines + usize::from(size.data);
        let sectors = |(lines, sectors): (u8, u8)| u16::from(lines) * u16::from(sectors);
        let (tables, directories) = (sectors(size.tables), sectors(size.directories));
        let share =
            |first, (lines, sectors), offset| Share { first, lines, sectors, offset, last: first };
        let purpose = "the sector cache";
        let wanted = (size.sectors() + usize::from(size.scratch)) * SECTOR;
        // What the start reads with is given back when the rest is there.
        let bytes = if self.bytes.is_empty() {
            memory.bytes_for_now(purpose, wanted)?
        } else {
            memory.bytes(purpose, wanted)?
        };
        let (scratch, bytes) = bytes.split_at_mut(usize::from(size.scratch) * SECTOR);
        self.lines = memory.slots(purpose, lines, |_| EMPTY)?;
        memory.give_back(mem::replace(&mut self.bytes, bytes));
        memory.give_back(mem::replace(&mut self.scratch, scratch));
        self.kept = None;
        self.shares = [
            share(0, size.tables, 0),
            share(size.tables.0, size.directories, tables),
            share(size.tables.0 + size.directories.0, (size.data, 1), tables + directories),
        ];
        Ok(())
    }

    /// The disks, to look only.
    pub fn disks_ref(&self) -> &dyn Disks {
        self.disks
    }

    /// What a command came to, after it: remembers that a medium was changed, which a drive says only once.
    // Not inlined: there are many commands.
    #[inline(never)]
    fn noted(&mut self, disk: DiskId, result: Result<(), DiskError>) -> Result<(), DiskError> {
        self.count();
        if result == Err(DiskError::Changed) {
            self.gone |= bit_of(disk);
        }
        result
    }

    /// Forgets everything of a disk, and talks to it again after its medium was changed.
    pub fn acknowledge_change(&mut self, disk: DiskId) {
        self.gone &= !bit_of(disk);
        self.trust(disk);
        self.forget(disk, 0, u32::MAX);
    }

    // ---- Single sectors ----

    /// The sector `lba` of `region`, read if it is not here.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn sector(&mut self, region: &Region, lba: u32) -> Result<Slot, CacheError> {
        self.fetch(region, lba, true)
    }

    /// As [`Cache::sector`] for a sector whose content does not matter: it is zeros if it is not here.
    ///
    /// # Errors
    /// [`CacheError`]: to make room, a dirty sector may have to be written.
    pub fn blank(&mut self, region: &Region, lba: u32) -> Result<Slot, CacheError> {
        self.fetch(region, lba, false)
    }

    fn fetch(&mut self, region: &Region, lba: u32, read: bool) -> Result<Slot, CacheError> {
        let class = region.class as usize;
        // A chain's entries mostly lie in one sector, and are asked for one after the other.
        let last = self.shares[class].last;
        let recent = &self.lines[usize::from(last)];
        let sector = lba.wrapping_sub(recent.base);
        if recent.disk == region.disk
            && recent.stamp == self.clock
            && sector < 8
            && recent.valid >> sector & 1 != 0
        {
            return Ok(self.shares[class].slot(last, sector as u8));
        }
        let width = u32::from(self.shares[class].sectors);
        let inside = lba.wrapping_sub(region.start);
        if inside >= region.sectors {
            return Err(CacheError::Disk(DiskError::OutOfRange));
        }
        let base = lba - inside % width;
        let line = match self.find(class, region.disk, base) {
            Some(line) => line,
            None => self.make_room(class, region, base)?,
        };
        let slot = self.shares[class].slot(line, (lba - base) as u8);
        self.shares[class].last = line;
        if self.may_touch() {
            self.clock = self.clock.wrapping_add(1);
            self.lines[usize::from(line)].stamp = self.clock;
        }
        let bit = 1 << slot.sector;
        if self.lines[usize::from(line)].valid & bit == 0 {
            if read {
                let count = width.min(region.start + region.sectors - base) as u8;
                self.fill(line, slot.sector, count)?;
            } else {
                self.bytes_mut(slot).fill(0);
                self.lines[usize::from(line)].valid |= bit;
            }
        }
        Ok(slot)
    }

    fn find(&self, class: usize, disk: DiskId, base: u32) -> Option<u8> {
        let share = &self.shares[class];
        let is_it = |&line: &u8| {
            let line = &self.lines[usize::from(line)];
            line.base == base && line.disk == disk && line.valid != 0
        };
        Some(share.last)
            .filter(is_it)
            .or_else(|| (share.first..share.first + share.lines).find(is_it))
    }

    /// A line of the class for `base`: the one longest unused, and rather a clean one.
    fn make_room(&mut self, class: usize, region: &Region, base: u32) -> Result<u8, CacheError> {
        let share = self.shares[class];
        let clock = self.clock;
        let victim = (share.first..share.first + share.lines)
            .max_by_key(|&line| {
                let line = &self.lines[usize::from(line)];
                let clean = line.dirty | line.mirror_dirty == 0;
                let age = clock.wrapping_sub(line.stamp);
                // What was touched just now is about to be changed together with this one.
                (line.valid == 0 || age > 6, clean, age)
            })
            .ok_or(CacheError::Disk(DiskError::OutOfRange))?;
        if class == Class::Data as usize {
            self.evict_data(victim)?;
        }
        self.write_line(victim)?;
        self.lines[usize::from(victim)] =
            Line { disk: region.disk, base, mirror: region.mirror, ..EMPTY };
        Ok(victim)
    }

    /// Writes a data sector that must make room. A failure is its owner's, not the caller's.
    fn evict_data(&mut self, line: u8) -> Result<(), CacheError> {
        match self.write_line(line) {
            Err(CacheError::Disk(error)) if error != DiskError::Changed => {
                let line = &mut self.lines[usize::from(line)];
                self.failed |= 1 << line.owner;
                *line = EMPTY;
                Ok(())
            }
            other => other,
        }
    }

    /// Reads what is missing of a line's first `count` sectors; only `wanted` when it already has some,
    /// or when the whole cannot be read.
    fn fill(&mut self, line: u8, wanted: u8, count: u8) -> Result<(), CacheError> {
        let Line { disk, base, valid, mirror, .. } = self.lines[usize::from(line)];
        self.charge(disk)?;
        self.pace.read = true;
        let whole = span(self.slot(line, 0), count);
        if valid == 0 && count > 1 {
            let result = self.disks.read(disk, Lba(base), &mut self.bytes[whole]);
            match self.noted(disk, result) {
                Ok(()) => {
                    self.lines[usize::from(line)].valid = ((1u16 << count) - 1) as u8;
                    return Ok(());
                }
                Err(DiskError::Failed { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let single = span(self.slot(line, wanted), 1);
        let lba = base + u32::from(wanted);
        let mut result = self.disks.read(disk, Lba(lba), &mut self.bytes[single.clone()]);
        if mirror != 0 && matches!(result, Err(DiskError::Failed { .. })) {
            result = self.disks.read(disk, Lba(lba + mirror), &mut self.bytes[single]);
        }
        self.noted(disk, result)?;
        self.lines[usize::from(line)].valid |= 1 << wanted;
        Ok(())
    }

    /// A sector of a line, whatever its class.
    fn slot(&self, line: u8, sector: u8) -> Slot {
        let share = self.shares.iter().rfind(|share| line >= share.first);
        share.unwrap_or(&self.shares[0]).slot(line, sector)
    }

    /// A sector's 512 bytes.
    pub fn bytes(&self, slot: Slot) -> &[u8] {
        let span = span(slot, 1);
        &self.bytes[span]
    }

    /// A sector's 512 bytes to change; [`Cache::mark`] or [`Cache::write_through`] must follow.
    pub fn bytes_mut(&mut self, slot: Slot) -> &mut [u8] {
        let span = span(slot, 1);
        &mut self.bytes[span]
    }

    /// Notes that a sector was changed and is to be written some time.
    pub fn mark(&mut self, slot: Slot, owner: Owner) {
        let line = &mut self.lines[usize::from(slot.line)];
        line.dirty |= 1 << slot.sector;
        line.owner = owner;
        if line.mirror != 0 {
            line.mirror_dirty |= 1 << slot.sector;
        }
    }

    /// Writes a changed sector now. When it fails the sector leaves the cache, so that the disk's old
    /// content counts.
    ///
    /// # Errors
    /// [`CacheError::Disk`]; [`CacheError::Again`] unless [`Cache::may_command`] was asked.
    pub fn write_through(&mut self, slot: Slot) -> Result<(), CacheError> {
        let Line { disk, base, .. } = self.lines[usize::from(slot.line)];
        self.charge(disk)?;
        let lba = Lba(base + u32::from(slot.sector));
        let span = span(slot, 1);
        let result = self.disks.write(disk, lba, &self.bytes[span]);
        if result.is_err() {
            self.lines[usize::from(slot.line)].valid &= !(1 << slot.sector);
        }
        Ok(self.noted(disk, result)?)
    }

    // ---- Writing back ----

    /// Writes one line's dirty sectors: second copies, then the first.
    fn write_line(&mut self, line: u8) -> Result<(), CacheError> {
        loop {
            let Line { disk, base, dirty, mirror_dirty, mirror, .. } =
                self.lines[usize::from(line)];
            let (mask, offset) =
                if mirror_dirty != 0 { (mirror_dirty, mirror) } else { (dirty, 0) };
            if mask == 0 {
                return Ok(());
            }
            self.charge(disk)?;
            let first = mask.trailing_zeros();
            let count = (!(u32::from(mask) >> first)).trailing_zeros();
            let span = span(self.slot(line, first as u8), count as u8);
            let lba = base + first + offset;
            if line >= self.shares[Class::Data as usize].first {
                self.outdate_directories(disk, lba, lba + count);
            }
            let result = self.disks.write(disk, Lba(lba), &self.bytes[span]);
            self.noted(disk, result)?;
            let written = !((((1u32 << count) - 1) << first) as u8);
            let line = &mut self.lines[usize::from(line)];
            if mirror_dirty != 0 {
                line.mirror_dirty &= written;
            } else {
                line.dirty &= written;
            }
        }
    }

    /// Writes all dirty table sectors from `start` to before `end`.
    ///
    /// # Errors
    /// [`CacheError`]; what was not written stays dirty.
    pub fn flush_tables(&mut self, disk: DiskId, start: u32, end: u32) -> Result<(), CacheError> {
        let share = self.shares[Class::Table as usize];
        for number in share.first..share.first + share.lines {
            let line = &self.lines[usize::from(number)];
            if line.disk == disk && line.base >= start && line.base < end {
                self.write_line(number)?;
            }
        }
        Ok(())
    }

    /// Writes all dirty data sectors of `owner`.
    ///
    /// # Errors
    /// [`CacheError`]; also when one of them could not be written earlier.
    pub fn flush_data(&mut self, owner: Owner) -> Result<(), CacheError> {
        self.check(owner)?;
        let share = self.shares[Class::Data as usize];
        for number in share.first..share.first + share.lines {
            let line = &self.lines[usize::from(number)];
            if line.dirty != 0 && line.owner == owner {
                self.write_line(number)?;
            }
        }
        Ok(())
    }

    /// Whether all of `owner`'s data that had to leave the cache reached the disk.
    ///
    /// # Errors
    /// [`CacheError::Disk`] when not.
    pub fn check(&self, owner: Owner) -> Result<(), CacheError> {
        match self.failed & 1 << owner {
            0 => Ok(()),
            _ => Err(CacheError::Disk(DiskError::Failed { code: 0 })),
        }
    }

    /// As [`Disks::pin`].
    pub fn pin(&mut self, owner: Owner) {
        self.disks.pin(owner);
    }

    /// Forgets `owner`'s unwritten data, transfers and failures: its handle is closed.
    pub fn release(&mut self, owner: Owner) {
        self.disks.release(owner);
        self.failed &= !(1 << owner);
        let share = self.shares[Class::Data as usize];
        for number in share.first..share.first + share.lines {
            let line = &mut self.lines[usize::from(number)];
            if line.dirty != 0 && line.owner == owner {
                *line = EMPTY;
            }
        }
    }

    /// Forgets everything of `disk` from `start` to before `end`, written or not.
    pub fn forget(&mut self, disk: DiskId, start: u32, end: u32) {
        for line in self.lines.iter_mut() {
            if line.disk == disk && line.base >= start && line.base < end {
                *line = EMPTY;
            }
        }
    }

    /// Whether a table sector between `start` and `end` waits to be written.
    pub fn has_dirty_tables(&self, disk: DiskId, start: u32, end: u32) -> bool {
        self.lines.iter().any(|line| {
            line.dirty | line.mirror_dirty != 0
                && line.disk == disk
                && line.base >= start
                && line.base < end
        })
    }

    /// Returns when everything written is on the medium.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn barrier(&mut self, disk: DiskId) -> Result<(), CacheError> {
        self.charge(disk)?;
        let result = self.disks.flush(disk);
        Ok(self.noted(disk, result)?)
    }

    /// As [`Cache::barrier`], without waiting for the drive. `owner` writes nothing until it is done, or calls
    /// [`Cache::begin_barrier`] anew.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn barrier_of(&mut self, owner: Owner, disk: DiskId) -> Result<(), CacheError> {
        self.charge_transfer(disk)?;
        let mut done = false;
        let result = self.disks.flush_some(owner, disk).map(|is_done| done = is_done);
        self.noted(disk, result)?;
        if done { Ok(()) } else { Err(self.put_off(disk, Some(owner))) }
    }

    /// Before `owner` writes what the next [`Cache::barrier_of`] is for: none that was begun earlier is.
    pub fn begin_barrier(&mut self, owner: Owner) {
        self.disks.release(owner);
    }
}

/// The bytes of so many sectors from a slot's on.
fn span(slot: Slot, sectors: u8) -> core::ops::Range<usize> {
    let start = usize::from(slot.at) * SECTOR;
    start..start + usize::from(sectors) * SECTOR
}
