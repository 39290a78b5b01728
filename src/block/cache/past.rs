//! Past the cache: long runs of sectors between the caller's buffer and the disk, and the scratch buffer.

use super::{Cache, CacheError, Class, EMPTY, Owner, span};
use crate::block::device::{DiskError, DiskId, Lba, SECTOR, Transfer};

impl Cache<'_> {
    /// Reads whole sectors into the caller's buffer, and says how many bytes. Dirty data sectors among them
    /// are written first. `ahead`: so many sectors more are likely to be read next ([`Disks::move_some`]).
    ///
    /// # Errors
    /// [`CacheError`]; [`CacheError::Again`] also while the drive is at work.
    ///
    /// [`Disks::move_some`]: crate::block::Disks::move_some
    pub fn read(
        &mut self,
        owner: Owner,
        disk: DiskId,
        lba: u32,
        buffer: &mut [u8],
        ahead: u32,
    ) -> Result<usize, CacheError> {
        let end = lba.saturating_add((buffer.len() / SECTOR) as u32);
        let share = self.shares[Class::Data as usize];
        for number in share.first..share.first + share.lines {
            let line = &self.lines[usize::from(number)];
            if line.dirty != 0 && line.disk == disk && line.base >= lba && line.base < end {
                self.write_line(number)?;
            }
        }
        self.charge_transfer(disk)?;
        let result = self.disks.move_some(owner, disk, Lba(lba), Transfer::Read(buffer), ahead);
        self.come(owner, disk, result)
    }

    /// Writes whole sectors from the caller's buffer, and says how many bytes. Cached ones among them are
    /// forgotten.
    ///
    /// # Errors
    /// [`CacheError`]; [`CacheError::Again`] also while the drive is at work: then the same bytes must be
    /// given again, or `owner` released.
    pub fn write(
        &mut self,
        owner: Owner,
        disk: DiskId,
        lba: u32,
        data: &[u8],
    ) -> Result<usize, CacheError> {
        self.charge_transfer(disk)?;
        let end = lba.saturating_add((data.len() / SECTOR) as u32);
        let share = self.shares[Class::Data as usize];
        for number in share.first..share.first + share.lines {
            let line = &mut self.lines[usize::from(number)];
            if line.disk == disk && line.base >= lba && line.base < end {
                *line = EMPTY;
            }
        }
        let result = self.disks.move_some(owner, disk, Lba(lba), Transfer::Write(data), 0);
        if result != Ok(0) {
            self.outdate_directories(disk, lba, end);
        }
        self.come(owner, disk, result)
    }

    /// Bytes that came or went; none: the drive is at work.
    fn come(
        &mut self,
        owner: Owner,
        disk: DiskId,
        result: Result<usize, DiskError>,
    ) -> Result<usize, CacheError> {
        let mut moved = 0;
        self.noted(disk, result.map(|bytes| moved = bytes))?;
        if moved == 0 { Err(self.put_off(disk, Some(owner))) } else { Ok(moved) }
    }

    /// Directory lines read ahead and so may hold sectors of files: those that change leave the cache.
    pub(super) fn outdate_directories(&mut self, disk: DiskId, start: u32, end: u32) {
        let share = self.shares[Class::Directory as usize];
        for number in share.first..share.first + share.lines {
            let line = &mut self.lines[usize::from(number)];
            let is_near =
                line.disk == disk && line.base < end && start < line.base.saturating_add(8);
            for sector in (0..8).filter(|_| is_near) {
                if (start..end).contains(&line.base.wrapping_add(sector)) {
                    line.valid &= !(1 << sector);
                }
            }
        }
    }

    /// Sectors that [`Cache::read_tables`] and [`Cache::write_zeros`] move at most.
    pub fn scratch_sectors(&self) -> u32 {
        (self.scratch.len() / SECTOR) as u32
    }

    /// Reads up to `sectors` sectors of tables in one command, newer ones in the cache counting, and
    /// gives their bytes: for looking through long stretches without pushing anything out.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn read_tables(
        &mut self,
        disk: DiskId,
        lba: u32,
        sectors: u32,
    ) -> Result<&[u8], CacheError> {
        self.charge(disk)?;
        self.kept = None;
        let sectors = sectors.min(self.scratch_sectors());
        let length = sectors as usize * SECTOR;
        let result = self.disks.read(disk, Lba(lba), &mut self.scratch[..length]);
        self.noted(disk, result)?;
        let share = self.shares[Class::Table as usize];
        for number in share.first..share.first + share.lines {
            let line = self.lines[usize::from(number)];
            for sector in (0..8).filter(|bit| line.dirty & 1 << bit != 0) {
                let at = line.base.wrapping_add(sector).wrapping_sub(lba);
                if line.disk == disk && at < sectors {
                    let span = span(self.slot(number, sector as u8), 1);
                    let at = at as usize * SECTOR;
                    self.scratch[at..at + SECTOR].copy_from_slice(&self.bytes[span]);
                }
            }
        }
        Ok(&self.scratch[..length])
    }

    /// Copies up to `sectors` sectors of a table, past the cache, to where they are `offset` sectors further
    /// on; says how many. Two commands: what the first has read is kept for the second.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn copy_tables(
        &mut self,
        disk: DiskId,
        lba: u32,
        sectors: u32,
        offset: u32,
    ) -> Result<u32, CacheError> {
        let sectors = sectors.min(self.scratch_sectors());
        if self.kept != Some((disk, lba, sectors)) {
            self.read_tables(disk, lba, sectors)?;
            self.kept = Some((disk, lba, sectors));
        }
        self.charge(disk)?;
        self.kept = None;
        let bytes = &self.scratch[..sectors as usize * SECTOR];
        let result = self.disks.write(disk, Lba(lba + offset), bytes);
        self.noted(disk, result)?;
        Ok(sectors)
    }

    /// Writes up to `sectors` sectors of zeros, the first of which begins with `head`, in one command, and
    /// says how many.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn write_zeros(
        &mut self,
        disk: DiskId,
        lba: u32,
        sectors: u32,
        head: &[u8],
    ) -> Result<u32, CacheError> {
        self.charge(disk)?;
        self.kept = None;
        let sectors = sectors.min(self.scratch_sectors());
        self.outdate_directories(disk, lba, lba.saturating_add(sectors));
        let bytes = &mut self.scratch[..sectors as usize * SECTOR];
        bytes.fill(0);
        if let Some(start) = bytes.get_mut(..head.len()) {
            start.copy_from_slice(head);
        }
        let result = self.disks.write(disk, Lba(lba), bytes);
        self.noted(disk, result)?;
        Ok(sectors)
    }

    /// Reads one sector past the cache, to look at.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn peek(&mut self, disk: DiskId, lba: u32) -> Result<&[u8], CacheError> {
        self.peek_or(disk, lba, lba)
    }

    /// As [`Cache::peek`], for a sector that has a copy at `copy`, which serves where it is bad.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn peek_or(&mut self, disk: DiskId, lba: u32, copy: u32) -> Result<&[u8], CacheError> {
        self.charge_to_look(disk)?;
        self.kept = None;
        let mut result = self.disks.read(disk, Lba(lba), &mut self.scratch[..SECTOR]);
        if copy != lba && matches!(result, Err(DiskError::Failed { .. })) {
            result = self.disks.read(disk, Lba(copy), &mut self.scratch[..SECTOR]);
        }
        self.noted(disk, result)?;
        Ok(&self.scratch[..SECTOR])
    }

    /// The first two sectors of a disk in one command, or one where the second is bad.
    ///
    /// # Errors
    /// [`CacheError`].
    pub fn peek_start(&mut self, disk: DiskId) -> Result<&[u8], CacheError> {
        self.charge_to_look(disk)?;
        self.kept = None;
        let mut length = self.scratch.len().min(2 * SECTOR);
        let mut result = self.disks.read(disk, Lba(0), &mut self.scratch[..length]);
        if matches!(result, Err(DiskError::Failed { .. })) {
            length = SECTOR;
            result = self.disks.read(disk, Lba(0), &mut self.scratch[..length]);
        }
        self.noted(disk, result)?;
        Ok(&self.scratch[..length])
    }
}
