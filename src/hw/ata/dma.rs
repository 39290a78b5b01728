//! Transfers that the controller's bus master makes by itself, between the drive and memory that is lent to it.
//!
//! Source: Programming Interface for Bus Master IDE Controller 1.0 (Intel 1994), sections 1 (table of regions)
//! and 2 (registers); ATA/ATAPI-6 section 9.7 (DMA).
//!
//! The mode in which drive and controller do so is the BIOS's choice. It is relied on when a first sector
//! comes the same by DMA and by the CPU; and a drive that has lost data on the way, or did not end, is served
//! by the CPU from then on.

use super::channel::{Channel, Fault, Limit, SPINS};
use super::pending::{MOST_BY_DMA, Pending};
use super::taskfile::Taskfile;
use super::transfer::RESET;
use super::{Ata, PRESENT};
use crate::block::{Lba, Owner, SECTOR, Transfer};
use crate::hw::ports::Ports;

/// Offsets from the bus master's first port.
mod register {
    pub const COMMAND: u16 = 0;
    pub const STATUS: u16 = 2;
    pub const TABLE: u16 = 4;
}

const START: u8 = 0x01;
const TO_MEMORY: u8 = 0x08;
/// Of the status: both are cleared by writing them.
const FAILED: u8 = 0x02;
const INTERRUPT: u8 = 0x04;

/// Regions do not cross multiples of so many bytes.
const REGION: u32 = 0x1_0000;
/// Of a region: it is the last.
const LAST: u32 = 0x8000_0000;
/// Error register: the drive has found that data were damaged on the way (interface CRC; before Ultra DMA: an
/// error of the controller's).
const DAMAGED: u8 = 0x80;
/// Owner of the first command; no file is open yet.
const TRIAL: Owner = 0;

/// Address and length of two regions: a command's data cross one boundary at most. Aligned so that the table
/// itself crosses none.
#[derive(Default)]
#[repr(align(16))]
struct Table([u32; 4]);

const _: () = assert!(MOST_BY_DMA * SECTOR as u32 <= REGION);

/// Of a channel.
#[derive(Default)]
pub(super) struct BusMaster {
    /// First port; 0: there is none.
    base: u16,
    table: Table,
}

impl<P: Ports> Channel<P> {
    /// Has the bus master at `base` move data; 0: there is none.
    pub fn use_master(&mut self, base: u16) {
        self.master.base = base;
    }

    pub fn has_master(&self) -> bool {
        self.master.base != 0
    }

    /// Begins a command by DMA, whose memory is the drive's until it has ended. `false`: the memory is not for
    /// a bus master, and nothing was begun.
    pub fn begin_dma(
        &mut self,
        registers: &Taskfile,
        memory: *const u8,
        bytes: u32,
        to_memory: bool,
        limit: Limit,
    ) -> Result<bool, Fault> {
        let Some(address) = self.ports.lend(memory, bytes as usize) else { return Ok(false) };
        // Regions begin at even addresses.
        if address & 1 != 0 {
            return Ok(false);
        }
        let first = bytes.min(REGION - address % REGION);
        let rest = bytes - first;
        let last = if rest == 0 { LAST } else { 0 };
        self.master.table =
            Table([address, first | last, address.wrapping_add(first), rest | LAST]);
        let BusMaster { base, table } = &self.master;
        let Some(table) = self.ports.lend(table.0.as_ptr().cast(), size_of::<Table>()) else {
            return Ok(false);
        };
        let (base, direction) = (*base, if to_memory { TO_MEMORY } else { 0 });
        self.ports.outb(base + register::COMMAND, direction);
        self.ports.outl(base + register::TABLE, table);
        let status = self.ports.inb(base + register::STATUS);
        self.ports.outb(base + register::STATUS, status | FAILED | INTERRUPT);
        self.issue(registers, limit)?;
        self.ports.outb(base + register::COMMAND, direction | START);
        Ok(true)
    }

    /// Whether the command by DMA has ended; says so until the next one begins. Its memory is the caller's again
    /// then.
    pub fn dma_ended(&mut self) -> Result<bool, Fault> {
        // The interrupt comes when all data are in memory.
        let status = self.ports.inb(self.master.base + register::STATUS);
        if status & INTERRUPT == 0 {
            return Ok(false);
        }
        self.stop_dma();
        self.outcome()?;
        if status & FAILED == 0 { Ok(true) } else { Err(Fault::TimeOut) }
    }

    /// Waits for its end.
    pub fn finish_dma(&mut self, limit: Limit) -> Result<(), Fault> {
        for _ in 0..SPINS {
            if self.dma_ended()? {
                return Ok(());
            }
        }
        self.pause_until(limit, true, |channel| Ok(channel.dma_ended()?.then_some(())))
    }

    /// Has the bus master touch no memory any more.
    pub fn stop_dma(&mut self) {
        if self.has_master() {
            self.ports.outb(self.master.base + register::COMMAND, 0);
            self.ports.reclaim();
        }
    }
}

impl<P: Ports> Ata<P> {
    /// Serves a drive by DMA from now on, if its first sector comes the same that way.
    #[inline(never)]
    pub(super) fn try_dma(&mut self, number: u8) {
        let [mut by_cpu, mut by_dma] = [[0; SECTOR]; 2];
        let Some((channel, drive)) = self.at(number) else { return };
        if !channel.has_master() || !drive.identity.dma || drive.identity.removable {
            return;
        }
        if self.read(number, Lba(0), &mut by_cpu).is_err() {
            return;
        }
        // What does not come differs.
        for (now, then) in by_dma.iter_mut().zip(by_cpu) {
            *now = !then;
        }
        self.set_dma(number, true);
        self.pin(TRIAL);
        let begun = self.begin(TRIAL, number, 0, &mut Transfer::Read(&mut by_dma), 1, 0);
        let came = match self.at(number) {
            Some((channel, _)) if begun.is_ok() => channel.finish_dma(PRESENT).is_ok(),
            _ => false,
        };
        self.traffic(number).pending = None;
        self.release(TRIAL);
        if !came {
            self.reset(number, RESET);
        }
        self.set_dma(number, came && by_cpu == by_dma);
    }

    /// As [`Disks::pin`].
    ///
    /// [`Disks::pin`]: crate::block::Disks::pin
    pub fn pin(&mut self, owner: Owner) {
        self.pinned |= Ata::<P>::bit_of(owner);
    }

    pub(super) fn bit_of(owner: Owner) -> u32 {
        1u32.checked_shl(owner.into()).unwrap_or(0)
    }

    /// Whether a command of `owner`'s to the drive is by DMA.
    pub(super) fn is_by_dma(&mut self, owner: Owner, number: u8) -> bool {
        let pinned = self.pinned & Ata::<P>::bit_of(owner) != 0;
        pinned && self.at(number).is_some_and(|(_, drive)| drive.dma)
    }

    /// As [`Ata::exchange`], of a command by DMA. What was read lies somewhere in the owner's buffer, which may
    /// have got longer at its start: it is moved there.
    pub(super) fn collect(
        &mut self,
        number: u8,
        transfer: &mut Transfer<'_>,
        done: &mut u32,
        now: u32,
    ) -> Result<(), Fault> {
        let Some((channel, drive, traffic)) = self.lane(number) else { return Ok(()) };
        let Some(pending) = &mut traffic.pending else { return Ok(()) };
        let ended = if pending.good { Ok(true) } else { channel.dma_ended() };
        let result = match ended {
            Ok(false) if !pending.is_late(now) => return Ok(()),
            Ok(false) => Err(Fault::TimeOut),
            Ok(true) => Ok(()),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = result {
            channel.stop_dma();
            drive.dma &= !is_distrusted(fault);
            return result;
        }
        drive.hung = false;
        *done = pending.sectors;
        let (at, length) = (pending.place_in(transfer), pending.sectors as usize * SECTOR);
        traffic.pending = None;
        if let (Transfer::Read(buffer), Some(at @ 1..)) = (transfer, at) {
            buffer.copy_within(at..at + length, 0);
        }
        Ok(())
    }

    /// Whether a drive is served by DMA.
    pub fn does_dma(&self, number: u8) -> bool {
        self.drives
            .get(usize::from(number))
            .is_some_and(|drive| drive.is_some_and(|drive| drive.dma))
    }

    fn set_dma(&mut self, number: u8, on: bool) {
        if let Some((_, drive)) = self.at(number) {
            drive.dma = on;
        }
    }
}

impl Pending {
    /// Where in a buffer for a read by DMA what is read lies, in bytes; `None` when not all of it does.
    pub(super) fn place_in(&self, transfer: &Transfer<'_>) -> Option<usize> {
        let at = self.memory.checked_sub(transfer.start() as usize)?;
        (at + self.sectors as usize * SECTOR <= transfer.bytes()).then_some(at)
    }
}

/// Whether a drive that failed so is not to be trusted with DMA again.
pub(super) fn is_distrusted(fault: Fault) -> bool {
    match fault {
        Fault::TimeOut => true,
        Fault::Error { code } => code & DAMAGED != 0,
    }
}
