//! Reading, writing and flushing: commands of up to 256 sectors, their retries, a drive's set-up.
//!
//! A command that fails goes on sector by sector around the place, so that one bad sector costs its
//! neighbours nothing. A drive that does not answer within 10 s, which is what spinning up takes, is reset
//! and asked once more; if that fails, each of its commands fails within some 100 ms, with another reset,
//! until it is ready again. Nobody else is served while a command lasts.

use super::channel::{Channel, Fault, Limit};
use super::taskfile::{Taskfile, Translation, WRITE_CACHE_OFF, command};
use super::{Ata, Drive};
use crate::block::{DiskError, Lba, SECTOR, Transfer};
use crate::hw::ports::Ports;

/// Sectors of one command.
const MOST: usize = 256;
/// Tries of a single sector, the last one after a reset.
const TRIES: u32 = 4;
/// Sectors that are tried one by one after a failure.
const CAREFUL: usize = 16;

/// A drive may have to spin up first.
const COMMAND: Limit = Limit::ms(10_000);
pub(super) const RESET: Limit = Limit::ms(4_000);
const FLUSH: Limit = Limit::ms(30_000);
/// For a drive to become idle before it gets a command.
const IDLE: Limit = Limit::ms(200);
/// Being idle, reset and command of a drive that did not answer the last time.
const STILL_IDLE: Limit = Limit::ms(20);
const REVIVE: Limit = Limit::ms(100);
const SECOND_CHANCE: Limit = Limit::ms(2_000);

/// Bits of the error register.
mod error {
    /// Bit 6 of a write to a removable medium. (Of a read: uncorrectable data.)
    pub const WRITE_PROTECTED: u8 = 0x40;
    pub const MEDIA_CHANGED: u8 = 0x20;
    pub const NO_MEDIA: u8 = 0x02;
}

impl<P: Ports> Ata<P> {
    /// Reads the sectors from `lba` on into `buffer`, whose length is a multiple of [`SECTOR`].
    ///
    /// # Errors
    /// Any [`DiskError`], after retries; the buffer's content is undefined then.
    pub fn read(&mut self, drive: u8, lba: Lba, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.transfer(drive, lba, Transfer::Read(buffer))
    }

    /// Writes `data`, whose length is a multiple of [`SECTOR`], to the sectors from `lba` on.
    ///
    /// # Errors
    /// Any [`DiskError`], after retries; which sectors were written is unknown then.
    pub fn write(&mut self, drive: u8, lba: Lba, data: &[u8]) -> Result<(), DiskError> {
        self.transfer(drive, lba, Transfer::Write(data))
    }

    /// Returns when what was written is on the medium: FLUSH CACHE where the drive has it. (A write
    /// cache without that command is switched off.)
    ///
    /// # Errors
    /// [`DiskError::Failed`] when something written earlier could not be brought to the medium,
    /// [`DiskError::NotReady`].
    pub fn flush(&mut self, number: u8) -> Result<(), DiskError> {
        self.settle(number);
        let Some((_, drive)) = self.at(number) else { return Err(DiskError::NotReady) };
        let mut result = match drive.lost.take() {
            Some(fault) => Err(meaning(fault, false, drive.identity.removable)),
            None => Ok(()),
        };
        if !drive.unflushed || !drive.identity.flush || result == Err(DiskError::NotReady) {
            return result;
        }
        self.free(number).map_err(|_| DiskError::NotReady)?;
        let Some((channel, drive)) = self.at(number) else { return Err(DiskError::NotReady) };
        let registers = Taskfile::plain(number & 1, command::FLUSH_CACHE);
        for _ in 0..TRIES {
            let limit = if drive.hung { SECOND_CHANCE } else { FLUSH };
            let fault = match channel.command(&registers, limit) {
                Ok(()) => {
                    drive.unflushed = false;
                    return result;
                }
                Err(fault) => fault,
            };
            // The next try goes on behind the sector that failed: the first error is what counts.
            result = result.and(Err(meaning(fault, false, drive.identity.removable)));
            if fault == Fault::TimeOut {
                drive.hung = true;
                self.reset(number, RESET);
                break;
            }
        }
        result
    }

    /// Begins a flush; how long the drive may take for it.
    pub(super) fn issue_flush(&mut self, number: u8) -> Result<Limit, Fault> {
        self.free(number)?;
        let Some((channel, drive)) = self.at(number) else { return Err(Fault::TimeOut) };
        let limit = if drive.hung { SECOND_CHANCE } else { FLUSH };
        channel.issue(&Taskfile::plain(number & 1, command::FLUSH_CACHE), limit)?;
        drive.unflushed = false;
        Ok(limit)
    }

    fn transfer(
        &mut self,
        drive: u8,
        lba: Lba,
        mut transfer: Transfer<'_>,
    ) -> Result<(), DiskError> {
        let removable = self.check(drive, lba, transfer.bytes())?;
        let (write, sectors) = (transfer.is_write(), transfer.bytes() / SECTOR);
        let mut at = 0;
        while at < sectors {
            let count = MOST.min(sectors - at);
            let part = transfer.part(at * SECTOR, count * SECTOR);
            at += self
                .piece(drive, lba.0 + at as u32, part)
                .map_err(|fault| meaning(fault, write, removable))?;
        }
        Ok(())
    }

    /// Whether the sectors are on the drive. Says of the drive whether its medium can be removed.
    pub(super) fn check(&self, drive: u8, lba: Lba, bytes: usize) -> Result<bool, DiskError> {
        let identity = self.identity(drive).ok_or(DiskError::NotReady)?;
        let end = u32::try_from(bytes / SECTOR).ok().and_then(|count| lba.0.checked_add(count));
        if end.is_none_or(|end| end > identity.sectors) {
            return Err(DiskError::OutOfRange);
        }
        Ok(identity.removable)
    }

    /// Transfers up to 256 sectors; how many that were, at least one.
    fn piece(&mut self, drive: u8, lba: u32, mut transfer: Transfer<'_>) -> Result<usize, Fault> {
        let count = transfer.bytes() / SECTOR;
        let mut done = 0;
        let fault = match self.attempt(drive, lba, transfer.part(0, count * SECTOR), &mut done) {
            Ok(()) => return Ok(count),
            Err(fault) => fault,
        };
        self.mend(drive, lba, transfer, done, fault)
    }

    /// Goes on after a failure before which `done` bytes came; how many sectors are transferred then.
    pub(super) fn mend(
        &mut self,
        drive: u8,
        lba: u32,
        mut transfer: Transfer<'_>,
        done: usize,
        fault: Fault,
    ) -> Result<usize, Fault> {
        let count = transfer.bytes() / SECTOR;
        self.after(drive, fault)?;
        // What a failed write has written is unknown (`done` is 0 then): all of it is repeated. A read's
        // last block is not trusted: a drive may tell of an error after the data.
        let block = self.at(drive).map_or(1, |(_, drive)| usize::from(drive.block));
        let good = (done / SECTOR).saturating_sub(block);
        let end = (good + CAREFUL).min(count);
        for sector in good..end {
            self.single(drive, lba + sector as u32, transfer.part(sector * SECTOR, SECTOR))?;
        }
        Ok(end)
    }

    fn single(&mut self, drive: u8, lba: u32, mut transfer: Transfer<'_>) -> Result<(), Fault> {
        let mut result = Ok(());
        for tried in 0..TRIES {
            if tried + 1 == TRIES {
                self.reset(drive, RESET);
            }
            result = self.attempt(drive, lba, transfer.part(0, SECTOR), &mut 0);
            match result {
                Ok(()) => return Ok(()),
                Err(fault) => self.after(drive, fault)?,
            }
        }
        result
    }

    /// After a failure: a drive that did not answer is reset, and given up when it did so twice.
    pub(super) fn after(&mut self, number: u8, fault: Fault) -> Result<(), Fault> {
        let Some((channel, drive)) = self.at(number) else { return Err(fault) };
        let answered = fault != Fault::TimeOut;
        if answered && channel.is_idle(IDLE) {
            drive.hung = false;
            return Ok(());
        }
        if drive.hung {
            return Err(fault);
        }
        drive.hung = !answered;
        if self.reset(number, RESET) { Ok(()) } else { Err(fault) }
    }

    /// One command, to its end.
    fn attempt(
        &mut self,
        number: u8,
        lba: u32,
        transfer: Transfer<'_>,
        done: &mut usize,
    ) -> Result<(), Fault> {
        let count = transfer.bytes() / SECTOR;
        let (limit, _) = self.issue(number, lba, count as u32, transfer.is_write(), None)?;
        let Some((channel, drive)) = self.at(number) else { return Err(Fault::TimeOut) };
        let bytes = if count > 1 { usize::from(drive.block) * SECTOR } else { SECTOR };
        match transfer {
            Transfer::Read(buffer) => channel.read(bytes, buffer, done, limit)?,
            Transfer::Write(data) => channel.write(bytes, data, limit)?,
        }
        drive.hung = false;
        Ok(())
    }

    /// Begins a command, with what it needs before it; how long the drive may take for it, and whether it is by
    /// DMA: where `memory` is given, of as many sectors as that has, and a bus master reaches it.
    pub(super) fn issue(
        &mut self,
        number: u8,
        lba: u32,
        count: u32,
        write: bool,
        memory: Option<&mut Transfer<'_>>,
    ) -> Result<(Limit, bool), Fault> {
        self.free(number)?;
        let Some((channel, drive)) = self.at(number) else { return Err(Fault::TimeOut) };
        let limit = if drive.hung { SECOND_CHANCE } else { COMMAND };
        if !drive.prepared {
            prepare(channel, number & 1, drive, limit)?;
        }
        let translation = drive.identity.translation;
        let with = |code, count| Taskfile::sectors(number & 1, code, translation, lba, count);
        drive.unflushed |= write;
        if let Some(memory) = memory {
            let sectors = count.min(memory.sectors());
            let code = if write { command::WRITE_DMA } else { command::READ_DMA };
            let bytes = sectors * SECTOR as u32;
            if sectors > 0
                && channel.begin_dma(&with(code, sectors), memory.start(), bytes, !write, limit)?
            {
                return Ok((limit, true));
            }
        }
        let code = match (write, drive.block > 1 && count > 1) {
            (false, true) => command::READ_MULTIPLE,
            (false, false) => command::READ_SECTORS,
            (true, true) => command::WRITE_MULTIPLE,
            (true, false) => command::WRITE_SECTORS,
        };
        channel.issue(&with(code, count), limit)?;
        Ok((limit, false))
    }

    /// Frees the channel of what is pending, and of what a drive is still busy with after it was given up, be it this one or
    /// its neighbour.
    fn free(&mut self, number: u8) -> Result<(), Fault> {
        self.settle(number);
        let Some((channel, drive)) = self.at(number) else { return Err(Fault::TimeOut) };
        let (idle, limit) = if drive.hung {
            (channel.is_idle_as(number & 1, STILL_IDLE), REVIVE)
        } else {
            (channel.is_idle(IDLE), RESET)
        };
        if idle || self.reset(number, limit) { Ok(()) } else { Err(Fault::TimeOut) }
    }

    /// Resets the drive's channel, both drives of which have to be set up again.
    pub(super) fn reset(&mut self, number: u8, limit: Limit) -> bool {
        for of_channel in [number & !1, number | 1] {
            if let Some((_, drive)) = self.at(of_channel) {
                drive.prepared = false;
            }
        }
        self.at(number).is_some_and(|(channel, _)| channel.reset(number & 1, limit).is_ok())
    }

    pub(super) fn at(&mut self, number: u8) -> Option<(&mut Channel<P>, &mut Drive)> {
        let drive = self.drives.get_mut(usize::from(number))?.as_mut()?;
        Some((self.channels.get_mut(usize::from(number / 2))?, drive))
    }
}

/// Sets up a drive: translation, block size, no write cache that cannot be flushed.
fn prepare<P: Ports>(
    channel: &mut Channel<P>,
    device: u8,
    drive: &mut Drive,
    limit: Limit,
) -> Result<(), Fault> {
    let willing = |result: Result<(), Fault>| match result {
        Ok(()) => Ok(true),
        Err(Fault::Error { .. }) => Ok(false),
        Err(Fault::TimeOut) => Err(Fault::TimeOut),
    };
    channel.claim();
    if let Translation::Chs { heads, sectors_per_track } = drive.identity.translation {
        let mut registers = Taskfile::plain(device, command::INITIALIZE_DEVICE_PARAMETERS);
        registers.count = sectors_per_track;
        registers.device |= heads.wrapping_sub(1) & 0x0F;
        channel.command(&registers, limit)?;
    }
    drive.block = 1;
    if drive.identity.multiple > 1 {
        let mut registers = Taskfile::plain(device, command::SET_MULTIPLE_MODE);
        registers.count = drive.identity.multiple;
        if willing(channel.command(&registers, limit))? {
            drive.block = drive.identity.multiple;
        }
    }
    if drive.identity.write_cache && !drive.identity.flush {
        let mut registers = Taskfile::plain(device, command::SET_FEATURES);
        registers.features = WRITE_CACHE_OFF;
        willing(channel.command(&registers, limit))?;
    }
    drive.prepared = true;
    Ok(())
}

/// What a fault means to the layers above.
pub(super) fn meaning(fault: Fault, write: bool, removable: bool) -> DiskError {
    match fault {
        Fault::TimeOut => DiskError::NotReady,
        Fault::Error { code } if removable && code & error::MEDIA_CHANGED != 0 => {
            DiskError::Changed
        }
        Fault::Error { code } if removable && code & error::NO_MEDIA != 0 => DiskError::NotReady,
        Fault::Error { code } if removable && write && code & error::WRITE_PROTECTED != 0 => {
            DiskError::WriteProtected
        }
        Fault::Error { code } => DiskError::Failed { code },
    }
}
