//! Transfers that nobody waits for: a drive works while the network is served.
//!
//! A drive offers or wants its blocks when it is ready, and holds them for as long as the host likes. So a
//! command of up to [`MOST`] sectors is begun, and its blocks are moved whenever somebody asks for them and the
//! drive is ready. One such command a channel is pending at a time: others wait for it as long as its owner is
//! expected to ask again. Whoever cannot wait has it finished first ([`Ata::settle`]). A flush is such a command,
//! too.
//!
//! Where the controller's bus master moves data ([`super::dma`]), it works with the memory of an owner who keeps it
//! in place ([`Ata::pin`]), until the command has ended or he is released; what was read comes all at once.
//!
//! What always holds: bytes to be written are said to be written after the drive has said so, and only to the
//! owner who gave them; so those of a write that failed are still at hand, and are repeated as
//! [`Ata::write`] does. What was read is handed out when its block came without an error; in a command that is
//! handed out at once, when all of it did.

use super::channel::{Channel, Fault, Limit, SPINS};
use super::dma::is_distrusted;
use super::transfer::{RESET, meaning};
use super::{Ata, Drive};
use crate::block::{DiskError, Lba, Owner, SECTOR, Transfer};
use crate::hw::ports::Ports;

/// Sectors of a command: what others may have to wait for.
const MOST: u32 = 16;
/// The same of one whose data a bus master moves: such drives are faster. A command costs the same whatever its size.
pub(super) const MOST_BY_DMA: u32 = 64;
/// Calls of others that an owner may miss before its command is finished without it: each client's once or
/// twice a turn, and two turns.
const PATIENCE: u8 = 50;
/// Commands of one that go without reading ahead after others have asked for the channel, or had it.
const ALONE: u8 = 8;

/// Owner of what nobody asks for.
const NOBODY: Owner = Owner::MAX;

/// In place of a first sector: the command is a flush, of no sectors, and a write to everybody else.
const FLUSH: u32 = u32::MAX;

/// A command that was begun.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    drive: u8,
    owner: Owner,
    write: bool,
    /// A write, or a read by DMA: the drive has said that all of it is good.
    pub(super) good: bool,
    /// The address of the memory that the bus master has been lent; 0: the CPU moves the data.
    pub(super) memory: usize,
    /// Calls of others that are refused yet, for its owner was told to ask again.
    patience: u8,
    /// The command's first sector, and how many.
    lba: u32,
    pub(super) sectors: u32,
    /// Sectors that were moved, and those that are left of the block on offer.
    moved: u32,
    offered: u32,
    /// When the drive was last seen to get on, and how long it may take to do so, in milliseconds.
    since: u32,
    limit: u32,
}

/// Of a channel.
#[derive(Clone, Copy, Default)]
pub(super) struct Traffic {
    pub(super) pending: Option<Pending>,
    /// Commands until one is alone again.
    others: u8,
    /// Whose command was begun last, if he is not gone.
    last: Option<Owner>,
}

impl<P: Ports> Ata<P> {
    /// Moves sectors from `lba` on without waiting, as [`Disks::move_some`]. `now`: milliseconds, which may wrap.
    ///
    /// # Errors
    /// Any [`DiskError`], after retries, for which the drive is waited for.
    ///
    /// [`Disks::move_some`]: crate::block::Disks::move_some
    pub fn move_some(
        &mut self,
        owner: Owner,
        drive: u8,
        lba: Lba,
        transfer: Transfer<'_>,
        ahead: u32,
        now: u32,
    ) -> Result<usize, DiskError> {
        let removable = self.check(drive, lba, transfer.bytes())?;
        if transfer.bytes() < SECTOR {
            return Err(DiskError::OutOfRange);
        }
        let write = transfer.is_write();
        self.carry_on(owner, drive, lba.0, transfer, ahead, now)
            .map_err(|fault| meaning(fault, write, removable))
    }

    fn carry_on(
        &mut self,
        owner: Owner,
        drive: u8,
        lba: u32,
        mut transfer: Transfer<'_>,
        ahead: u32,
        now: u32,
    ) -> Result<usize, Fault> {
        let (write, sectors) = (transfer.is_write(), transfer.sectors());
        let mut fresh = true;
        // Of a block that is handed out in parts, what is left.
        let mut rest = 0;
        if let Some(pending) = &mut self.traffic(drive).pending
            && (pending.drive, pending.write) == (drive, write)
            && match write || pending.memory != 0 {
                true => {
                    (pending.owner, pending.lba) == (owner, lba)
                        && pending.sectors <= sectors
                        && (write || pending.place_in(&transfer).is_some())
                }
                false => pending.lba + pending.moved == lba,
            }
        {
            pending.owner = owner;
            (fresh, rest) = (false, pending.offered);
        } else if self.engaged(drive, Some(owner), now) {
            return Ok(0);
        }
        let mut moved = 0;
        let mut result = Ok(());
        if fresh {
            result = self.begin(owner, drive, lba, &mut transfer, sectors, now);
        }
        let looks = if fresh && write { SPINS } else { 1 };
        if result.is_ok() {
            result = self.exchange(drive, &mut transfer, looks, &mut moved, now);
        }
        if let Err(fault) = result {
            let ended = self.traffic(drive).pending.take().is_none();
            if ended && 0 < moved && moved <= rest {
                // A part of the last block is gone to the client already: nobody knows which sector was bad.
                self.after(drive, fault)?;
                return Err(fault);
            }
            return Ok(self.mend(drive, lba, transfer, moved as usize * SECTOR, fault)? * SECTOR);
        }
        if let Some(pending) = &mut self.traffic(drive).pending {
            pending.patience = if moved == 0 { PATIENCE } else { 0 };
        }
        // What is written comes in whole commands.
        let least = if write { MOST } else { 1 };
        // A bus master needs memory to read to.
        let all = if self.is_by_dma(owner, drive) { sectors } else { sectors + ahead };
        while self.goes_ahead(drive) && all - moved >= least {
            let (rest, more) = (transfer.from_sector(moved), all - moved);
            match self.go_ahead(owner, drive, lba + moved, rest, more, now) {
                Some(came) => moved += came,
                None => break,
            }
        }
        Ok(moved as usize * SECTOR)
    }

    /// Whether the command is over, and good, and nobody else has come lately.
    fn goes_ahead(&mut self, drive: u8) -> bool {
        let traffic = self.traffic(drive);
        let over = traffic.pending.is_none();
        let alone = traffic.others == 0;
        traffic.others = traffic.others.saturating_sub(over.into());
        over && alone
    }

    /// Begins what is asked for next, and says how many sectors of it came at once. If that fails, it does so
    /// again when it is asked for.
    fn go_ahead(
        &mut self,
        owner: Owner,
        drive: u8,
        lba: u32,
        mut transfer: Transfer<'_>,
        sectors: u32,
        now: u32,
    ) -> Option<u32> {
        let mut came = 0;
        let looks = if transfer.is_write() { SPINS } else { 1 };
        let begun = self.begin(owner, drive, lba, &mut transfer, sectors, now);
        let result =
            begun.and_then(|()| self.exchange(drive, &mut transfer, looks, &mut came, now));
        let Err(fault) = result else { return Some(came) };
        self.traffic(drive).pending = None;
        let _ = self.after(drive, fault);
        None
    }

    /// Begins a command of up to `sectors` sectors; by DMA, of no more than `transfer` has room for.
    pub(super) fn begin(
        &mut self,
        owner: Owner,
        drive: u8,
        lba: u32,
        transfer: &mut Transfer<'_>,
        sectors: u32,
        now: u32,
    ) -> Result<(), Fault> {
        let write = transfer.is_write();
        let (memory, most) = match self.is_by_dma(owner, drive) {
            true => (Some(&mut *transfer), MOST_BY_DMA),
            false => (None, MOST),
        };
        let sectors = sectors.min(most);
        let (limit, by_dma) = self.issue(drive, lba, sectors, write, memory)?;
        let mut command = Pending::new(owner, drive, write, lba, sectors);
        if by_dma {
            command.sectors = sectors.min(transfer.sectors());
            command.memory = transfer.start() as usize;
        }
        let traffic = self.traffic(drive);
        if traffic.last.replace(owner).is_some_and(|last| last != owner) {
            traffic.others = ALONE;
        }
        traffic.pending = Some(command.timed(now, limit));
        Ok(())
    }

    /// Whether what was written until now is on the medium, as [`Disks::flush_some`]. `now`: milliseconds.
    ///
    /// # Errors
    /// As [`Ata::flush`].
    ///
    /// [`Disks::flush_some`]: crate::block::Disks::flush_some
    pub fn flush_some(&mut self, owner: Owner, number: u8, now: u32) -> Result<bool, DiskError> {
        let own = |pending: Pending| {
            pending.lba == FLUSH && (pending.owner, pending.drive) == (owner, number)
        };
        if !self.traffic(number).pending.is_some_and(own) {
            if self.engaged(number, Some(owner), now) {
                return Ok(false);
            }
            self.settle(number);
            let Some((_, drive)) = self.at(number) else { return Err(DiskError::NotReady) };
            if drive.unflushed && drive.identity.flush && drive.lost.is_none() && !drive.hung {
                // If it cannot be begun, the flush that waits finds out why.
                if let Ok(limit) = self.issue_flush(number) {
                    let command = Pending::new(owner, number, true, FLUSH, 0);
                    self.traffic(number).pending = Some(command.timed(now, limit));
                    return Ok(false);
                }
            }
        } else if let Err(fault) = self.exchange(number, &mut Transfer::Write(&[]), 1, &mut 0, now)
        {
            self.traffic(number).pending = None;
            self.lose(number, fault);
        } else {
            return Ok(self.traffic(number).pending.is_none());
        }
        self.flush(number).map(|()| true)
    }

    /// Notes that a flush failed, for the next one to tell.
    fn lose(&mut self, number: u8, fault: Fault) {
        let _ = self.after(number, fault);
        if let Some((_, drive)) = self.at(number) {
            (drive.lost, drive.unflushed) = (Some(fault), true);
        }
    }

    /// Moves what the drive is ready for. `done` counts the sectors that came, or that were written and are good.
    /// When all of the command is done it is pending no more.
    fn exchange(
        &mut self,
        number: u8,
        transfer: &mut Transfer<'_>,
        mut looks: u32,
        done: &mut u32,
        now: u32,
    ) -> Result<(), Fault> {
        let Some((channel, drive, traffic)) = self.lane(number) else { return Ok(()) };
        let Some(pending) = &mut traffic.pending else { return Ok(()) };
        if pending.memory != 0 {
            return self.collect(number, transfer, done, now);
        }
        let start = pending.moved;
        // What was given to the drive before is at the start of the data again.
        let base = if pending.write { 0 } else { start };
        let wanted = (base + transfer.sectors()).min(pending.sectors);
        while pending.moved < wanted && !pending.good {
            if pending.offered == 0 {
                if !channel.poll(true, looks)? {
                    break;
                }
                pending.offered = pending.left().min(drive.block.into());
                looks = SPINS;
            }
            let count = pending.offered.min(wanted - pending.moved);
            pending.offered -= count;
            let at = (pending.moved - base) as usize * SECTOR;
            match transfer.part(at, count as usize * SECTOR) {
                Transfer::Read(part) => {
                    channel.take_part(part, pending.offered == 0);
                    *done += count;
                }
                Transfer::Write(part) => channel.give_block(part),
            }
            pending.moved += count;
            pending.since = now;
        }
        // A read ends with its data. For a write the drive needs its time: it is asked in the next call.
        let over = pending.left() == 0
            && (!pending.write
                || pending.good
                || pending.moved == start && channel.poll(false, 1)?);
        if !over {
            let late = pending.moved == start && pending.is_late(now);
            return if late { Err(Fault::TimeOut) } else { Ok(()) };
        }
        if pending.write {
            *done = pending.sectors;
        }
        let (good, limit) = (pending.good, Limit::ms(pending.limit));
        traffic.pending = None;
        drive.hung = false;
        if good { Ok(()) } else { channel.finish(limit) }
    }

    /// Whether a command of the drive's channel is at work, or its owner is expected to ask for it: whoever else
    /// comes, or with `owner` for a transfer also he, is to come again later.
    pub fn engaged(&mut self, number: u8, owner: Option<Owner>, now: u32) -> bool {
        let Some((channel, _, traffic)) = self.lane(number) else { return false };
        let Some(pending) = &mut traffic.pending else { return false };
        let own = owner == Some(pending.owner) && number == pending.drive;
        if !own {
            traffic.others = ALONE;
        }
        if !pending.good && pending.offered == 0 {
            let ready = pending.is_ready(channel);
            if ready == Ok(false) {
                let late = pending.is_late(now);
                if late {
                    pending.limit = 0;
                }
                if own {
                    pending.patience = PATIENCE;
                }
                return !late;
            }
            pending.good = pending.is_given() && ready.is_ok();
        }
        // A write that is done is in the way of transfers only.
        let waits = !own && pending.patience > 0 && (owner.is_some() || !pending.good);
        pending.patience -= u8::from(waits);
        waits
    }

    /// Whose command is pending on the drive's channel, and whether the drive is at work: neither is it done, nor is
    /// there a block to be moved.
    pub fn under_way(&mut self, number: u8) -> Option<(Owner, bool)> {
        let (channel, _, traffic) = self.lane(number)?;
        let pending = traffic.pending.as_ref()?;
        let ready = pending.good || pending.offered > 0 || pending.is_ready(channel) != Ok(false);
        Some((pending.owner, !ready))
    }

    /// Says that `owner` asks no more for what it has begun. Memory of its that a bus master has been lent is its
    /// own again.
    pub fn release(&mut self, owner: Owner) {
        for first in [0, 2] {
            let lent = |pending: Pending| pending.owner == owner && pending.memory != 0;
            if self.traffic(first).pending.is_some_and(lent) {
                self.settle(first);
            }
            let traffic = self.traffic(first);
            traffic.last.take_if(|last| *last == owner);
            if let Some(pending) = &mut traffic.pending
                && pending.owner == owner
            {
                (pending.owner, pending.patience) = (NOBODY, 0);
            }
        }
        self.pinned &= !Ata::<P>::bit_of(owner);
    }

    /// Brings what is pending on a drive's channel to its end: read data are dropped, and of a write that is
    /// good its owner can still hear. A write whose data never came is broken off by a reset.
    pub(super) fn settle(&mut self, number: u8) {
        let Some((channel, drive, traffic)) = self.lane(number) else { return };
        let Some(pending) = &mut traffic.pending else { return };
        if pending.good {
            return;
        }
        let (limit, left, drive_number) = (Limit::ms(pending.limit), pending.left(), pending.drive);
        let flush = pending.lba == FLUSH;
        let fault = match (pending.write, left) {
            _ if pending.memory != 0 => {
                let result = channel.finish_dma(limit);
                pending.good = result.is_ok();
                if let Err(fault) = result {
                    channel.stop_dma();
                    drive.dma &= !is_distrusted(fault);
                }
                result.err()
            }
            (false, _) => {
                channel.drop_blocks(pending.offered, left, drive.block.into(), limit).err()
            }
            (true, 0) => {
                let result = channel.finish(limit);
                pending.good = result.is_ok();
                result.err()
            }
            (true, _) => {
                // It waits for data that nobody has.
                traffic.pending = None;
                self.reset(number, RESET);
                return;
            }
        };
        if !pending.good {
            traffic.pending = None;
        }
        match fault {
            Some(fault) if flush => self.lose(drive_number, fault),
            // Its owner has it repeated.
            Some(fault) => drop(self.after(drive_number, fault)),
            None => {}
        }
    }

    /// The channel of a drive, the drive that a command is pending on, or this one, and the command.
    pub(super) fn lane(
        &mut self,
        number: u8,
    ) -> Option<(&mut Channel<P>, &mut Drive, &mut Traffic)> {
        let traffic = self.traffic.get_mut(usize::from(number / 2))?;
        let number = traffic.pending.map_or(number, |pending| pending.drive);
        let drive = self.drives.get_mut(usize::from(number))?.as_mut()?;
        Some((self.channels.get_mut(usize::from(number / 2))?, drive, traffic))
    }

    pub(super) fn traffic(&mut self, drive: u8) -> &mut Traffic {
        &mut self.traffic[usize::from(drive / 2) & 1]
    }
}

impl Pending {
    fn new(owner: Owner, drive: u8, write: bool, lba: u32, sectors: u32) -> Pending {
        Pending {
            drive,
            owner,
            write,
            good: false,
            memory: 0,
            patience: if write { PATIENCE } else { 0 },
            lba,
            sectors,
            moved: 0,
            offered: 0,
            since: 0,
            limit: 0,
        }
    }

    fn timed(self, now: u32, limit: Limit) -> Pending {
        Pending { since: now, limit: limit.0 / 1000, ..self }
    }

    /// Whether the CPU has nothing to move any more.
    fn is_given(&self) -> bool {
        self.memory != 0 || self.write && self.left() == 0
    }

    /// Whether the drive has a block for the CPU or wants one, or has ended what needs none.
    fn is_ready<P: Ports>(&self, channel: &mut Channel<P>) -> Result<bool, Fault> {
        if self.memory != 0 { channel.dma_ended() } else { channel.poll(!self.is_given(), 1) }
    }

    /// Sectors that are not moved yet.
    fn left(&self) -> u32 {
        self.sectors - self.moved
    }

    /// Whether the drive should have got on by now. The clock is set back at midnight.
    pub(super) fn is_late(&mut self, now: u32) -> bool {
        let age = now.wrapping_sub(self.since).cast_signed();
        if age < 0 {
            self.since = now;
        }
        age > self.limit.cast_signed()
    }
}
