//! One IDE channel: registers, waiting, and the PIO protocols.
//!
//! Source: ATA/ATAPI-6 (T13 1410D) sections 9.5 (PIO data-in), 9.6 (PIO data-out), 9.2 (software
//! reset). Interrupts are off (nIEN) or end a HLT: everything is polled, and every wait ends.
//!
//! What always holds: no register is written while the drive is busy, except to reset it; when a
//! command has failed otherwise than by a drive's error bits, the channel is to be reset first.

use super::dma::BusMaster;
use super::taskfile::{Taskfile, select};
use crate::block::SECTOR;
use crate::hw::ports::Ports;

/// Offsets from the channel's first port.
mod register {
    pub const DATA: u16 = 0;
    pub const ERROR: u16 = 1;
    pub const FEATURES: u16 = 1;
    pub const COUNT: u16 = 2;
    pub const NUMBER: u16 = 3;
    pub const CYLINDER_LOW: u16 = 4;
    pub const CYLINDER_HIGH: u16 = 5;
    pub const DEVICE: u16 = 6;
    pub const STATUS: u16 = 7;
    pub const COMMAND: u16 = 7;
}

/// Bits of the status register.
mod status {
    pub const BUSY: u8 = 0x80;
    pub const READY: u8 = 0x40;
    pub const FAULT: u8 = 0x20;
    pub const DATA: u8 = 0x08;
    pub const ERROR: u8 = 0x01;
}

/// Device control: bit 3 is 1 for old drives.
const INTERRUPTS_ON: u8 = 0x08;
const INTERRUPTS_OFF: u8 = 0x0A;
const SOFT_RESET: u8 = 0x04;

/// Nothing drives the data lines, or only the pull-down of D7 does.
const FLOATING: [u8; 2] = [0xFF, 0x7F];
/// What nobody else writes to count, number, and both halves of the cylinder.
const MARK: [u8; 4] = [0x5A, 0xA5, 0x3C, 0xC3];
/// Status reads before a wait begins to measure time: a drive that has the data at hand is ready
/// by then.
pub const SPINS: u32 = 64;
const PAUSE_US: u32 = 20;
/// Waits that ended without the interrupt, one after the other, after which it is not waited for.
const DOUBTS: u8 = 3;
/// Parts of a sector that are dropped at once, for a small stack.
const DROPS: u32 = 8;

/// Why a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The drive ended it with an error; `code` is its error register.
    Error { code: u8 },
    /// The drive did not do what it had to in time, or something else.
    TimeOut,
}

/// How long a drive may take, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit(pub u32);

impl Limit {
    pub const fn ms(ms: u32) -> Limit {
        Limit(ms * 1000)
    }
}

/// A channel: up to two drives at eight ports, and one more.
pub struct Channel<P> {
    pub(super) ports: P,
    base: u16,
    control: u16,
    /// The data register is accessed by double words.
    double_words: bool,
    /// Device control while the channel is ours.
    ours: u8,
    /// The interrupt line that the drives raise; 0: unknown.
    irq: u8,
    /// Waits, up to the last one, that ended without it.
    doubts: u8,
    pub(super) master: BusMaster,
}

impl<P: Ports> Channel<P> {
    /// The channel whose registers begin at `base`, with device control at `control`.
    pub fn new(ports: P, base: u16, control: u16) -> Channel<P> {
        let master = BusMaster::default();
        let (double_words, ours, irq, doubts) = (false, INTERRUPTS_OFF, 0, 0);
        Channel { ports, base, control, double_words, ours, irq, doubts, master }
    }

    /// Sets whether data moves by double words.
    pub fn use_double_words(&mut self, on: bool) {
        self.double_words = on;
    }

    /// Switches the drives' interrupt off for a while.
    pub fn interrupts(&mut self, on: bool) {
        self.ports.outb(self.control, if on { INTERRUPTS_ON } else { INTERRUPTS_OFF });
    }

    /// Has the drives raise their interrupt from [`Channel::claim`] on.
    pub fn use_interrupt(&mut self) {
        self.ours = INTERRUPTS_ON;
    }

    /// Lets the CPU rest until interrupt `irq` comes, while it waits for a drive.
    pub fn rest_until(&mut self, irq: u8) {
        self.irq = irq;
    }

    /// Takes the channel over.
    pub fn claim(&mut self) {
        self.ports.outb(self.control, self.ours);
    }

    /// Selects a drive and says whether something is there that can take a command within `limit`.
    pub fn present(&mut self, device: u8, limit: Limit) -> bool {
        self.put(register::DEVICE, select(device));
        self.settle();
        if FLOATING.contains(&self.get(register::STATUS)) {
            return false;
        }
        // Of an absent drive 1, drive 0 says 0.
        self.idle(limit).is_ok_and(|status| status & status::READY != 0)
            && self.echoes(0x55, 0xAA)
            && self.echoes(0xAA, 0x55)
    }

    fn echoes(&mut self, count: u8, number: u8) -> bool {
        self.put(register::COUNT, count);
        self.put(register::NUMBER, number);
        self.get(register::COUNT) == count && self.get(register::NUMBER) == number
    }

    /// Leaves a mark in the registers of the drives, which the next command overwrites. Whether the
    /// mark can be read.
    pub fn mark(&mut self, device: u8) -> bool {
        self.put(register::DEVICE, select(device));
        self.settle();
        for (at, value) in (register::COUNT..).zip(MARK) {
            self.put(at, value);
        }
        self.marked()
    }

    /// Whether the mark is still there.
    pub fn marked(&mut self) -> bool {
        (register::COUNT..).zip(MARK).all(|(at, value)| self.get(at) == value)
    }

    /// The drive that was selected last: 0 or 1.
    pub fn selected(&mut self) -> u8 {
        self.get(register::DEVICE) >> 4 & 1
    }

    /// A command without data.
    pub fn command(&mut self, registers: &Taskfile, limit: Limit) -> Result<(), Fault> {
        self.issue(registers, limit)?;
        self.finish(limit)
    }

    /// A command whose first sign of life must come within `sign`, which fills `buffer` in one block:
    /// IDENTIFY DEVICE.
    pub fn inquire(
        &mut self,
        registers: &Taskfile,
        sign: Limit,
        limit: Limit,
        buffer: &mut [u8],
    ) -> Result<(), Fault> {
        self.issue(registers, limit)?;
        let mut waited = 0;
        while self.alternate() & (status::BUSY | status::DATA | status::ERROR) == 0 {
            if waited >= sign.0 {
                return Err(Fault::TimeOut);
            }
            self.ports.delay_us(PAUSE_US);
            waited += PAUSE_US;
        }
        self.data(limit, true)?;
        self.take(buffer);
        self.finish(limit)
    }

    /// The data of a read that was begun, `block` bytes at a time, and its end. `done` counts the bytes that
    /// came without error.
    pub fn read(
        &mut self,
        block: usize,
        buffer: &mut [u8],
        done: &mut usize,
        limit: Limit,
    ) -> Result<(), Fault> {
        for part in buffer.chunks_mut(block.max(1)) {
            if let Err(fault) = self.data(limit, true) {
                // A drive may offer the block with the bad sector all the same, and wait.
                if self.get(register::STATUS) & (status::BUSY | status::DATA) == status::DATA {
                    self.take(part);
                    self.settle();
                }
                return Err(fault);
            }
            self.take_part(part, true);
            *done += part.len();
        }
        self.finish(limit)
    }

    /// Whether the drive has a block for us or wants one, or, without `data`, has ended the command: looks
    /// `looks` times.
    pub fn poll(&mut self, data: bool, looks: u32) -> Result<bool, Fault> {
        for _ in 0..looks {
            let now = self.get(register::STATUS);
            let wanted = status::DATA | status::ERROR | status::FAULT;
            if now & status::BUSY == 0 && (!data || now & wanted != 0) {
                return self.verdict(now).map(|()| true);
            }
        }
        Ok(false)
    }

    /// Takes a part of a block that the drive has for us; `last`: with it the block ends.
    pub fn take_part(&mut self, buffer: &mut [u8], last: bool) {
        self.take(buffer);
        if last {
            self.alternate();
        }
    }

    /// Gives a block that the drive wants.
    pub fn give_block(&mut self, block: &[u8]) {
        if self.double_words {
            self.ports.write_dwords(self.base + register::DATA, block);
        } else {
            self.ports.write_words(self.base + register::DATA, block);
        }
        self.settle();
    }

    /// Takes and drops the rest of a read: `left` sectors, of which `offered` are on offer.
    pub fn drop_blocks(
        &mut self,
        mut offered: u32,
        mut left: u32,
        block: u32,
        limit: Limit,
    ) -> Result<(), Fault> {
        while left > 0 {
            if offered == 0 {
                self.data(limit, true)?;
                offered = block.min(left);
            }
            for _ in 0..offered * DROPS {
                self.take(&mut [0; SECTOR / DROPS as usize]);
            }
            self.alternate();
            left -= offered;
            offered = 0;
        }
        self.finish(limit)
    }

    /// The data of a write that was begun, `block` bytes at a time, and its end.
    pub fn write(&mut self, block: usize, data: &[u8], limit: Limit) -> Result<(), Fault> {
        let mut raises = false;
        for part in data.chunks(block.max(1)) {
            // No interrupt comes for the first block.
            self.data(limit, core::mem::replace(&mut raises, true))?;
            self.give_block(part);
        }
        self.finish(limit)
    }

    /// Resets both drives; whether `device` can take commands after it, within `limit`.
    pub fn reset(&mut self, device: u8, limit: Limit) -> Result<(), Fault> {
        self.stop_dma();
        self.ports.outb(self.control, INTERRUPTS_OFF | SOFT_RESET);
        // At least 5 us.
        self.ports.delay_us(10);
        self.claim();
        // The drives may take 2 ms to say that they are busy.
        self.ports.delay_us(2_500);
        self.idle(limit)?;
        self.put(register::DEVICE, select(device));
        self.settle();
        let mut left = limit.0 / 1000;
        while self.idle(limit)? & status::READY == 0 {
            left = left.checked_sub(1).ok_or(Fault::TimeOut)?;
            self.ports.delay_us(1000);
        }
        Ok(())
    }

    /// Begins a command, whose end is not waited for.
    pub fn issue(&mut self, registers: &Taskfile, limit: Limit) -> Result<(), Fault> {
        self.idle(limit)?;
        self.put(register::DEVICE, registers.device);
        self.settle();
        self.idle(limit)?;
        self.put(register::FEATURES, registers.features);
        self.put(register::COUNT, registers.count);
        self.put(register::NUMBER, registers.number);
        let [low, high] = registers.cylinder.to_le_bytes();
        self.put(register::CYLINDER_LOW, low);
        self.put(register::CYLINDER_HIGH, high);
        self.put(register::COMMAND, registers.command);
        self.settle();
        Ok(())
    }

    /// Waits until the drive wants nothing; its status.
    fn idle(&mut self, limit: Limit) -> Result<u8, Fault> {
        self.wait(limit, false, |now| now & (status::BUSY | status::DATA) == 0)
    }

    /// Whether the drive that was selected last wants nothing, or will not within `limit`.
    pub fn is_idle(&mut self, limit: Limit) -> bool {
        self.idle(limit).is_ok()
    }

    /// The same of this drive.
    pub fn is_idle_as(&mut self, device: u8, limit: Limit) -> bool {
        if !self.is_idle(limit) {
            return false;
        }
        self.put(register::DEVICE, select(device));
        self.settle();
        self.is_idle(limit)
    }

    /// Waits until the drive has data or wants some; `raises`: it raises its interrupt then.
    pub fn data(&mut self, limit: Limit, raises: bool) -> Result<(), Fault> {
        let now = self.wait(limit, raises, |now| {
            now & status::BUSY == 0 && now & (status::DATA | status::ERROR | status::FAULT) != 0
        })?;
        self.verdict(now)
    }

    /// Waits for the end of a command.
    pub fn finish(&mut self, limit: Limit) -> Result<(), Fault> {
        let now = self.wait(limit, true, |now| now & status::BUSY == 0)?;
        self.verdict(now)?;
        if now & status::DATA == 0 { Ok(()) } else { Err(Fault::TimeOut) }
    }

    /// The command that has ended: its errors.
    pub(super) fn outcome(&mut self) -> Result<(), Fault> {
        let now = self.get(register::STATUS);
        self.verdict(now)?;
        if now & (status::BUSY | status::DATA) == 0 { Ok(()) } else { Err(Fault::TimeOut) }
    }

    fn verdict(&mut self, now: u8) -> Result<(), Fault> {
        if now & (status::ERROR | status::FAULT) == 0 {
            return Ok(());
        }
        Err(Fault::Error { code: self.get(register::ERROR) })
    }

    /// The status that `done` waits for; `raises`: the drive raises its interrupt then.
    fn wait(&mut self, limit: Limit, raises: bool, done: fn(u8) -> bool) -> Result<u8, Fault> {
        for _ in 0..SPINS {
            let now = self.get(register::STATUS);
            if done(now) {
                return Ok(now);
            }
        }
        self.pause_until(limit, raises, |channel| {
            let now = channel.get(register::STATUS);
            Ok(done(now).then_some(now))
        })
    }

    /// Looks again and again, until `look` finds something or the time is over. Where the drive `raises` its interrupt
    /// then, the CPU rests in between, as long as that comes: a busy one would keep an emulator from its drives.
    pub(super) fn pause_until<T>(
        &mut self,
        limit: Limit,
        raises: bool,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>, Fault>,
    ) -> Result<T, Fault> {
        let rests = raises && self.irq != 0 && self.doubts < DOUBTS;
        let mut waited = 0;
        while waited < limit.0 {
            let (came, us) = if rests {
                self.ports.rest(self.irq)
            } else {
                self.ports.delay_us(PAUSE_US);
                (false, PAUSE_US)
            };
            waited += us;
            if let Some(found) = look(self)? {
                if rests {
                    self.doubts = if came { 0 } else { self.doubts + 1 };
                }
                return Ok(found);
            }
        }
        Err(Fault::TimeOut)
    }

    /// The 400 ns after which the status means something: four reads take them on every bus.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.alternate();
        }
    }

    fn alternate(&mut self) -> u8 {
        self.ports.inb(self.control)
    }

    /// Reads data; the length is a multiple of 4.
    fn take(&mut self, buffer: &mut [u8]) {
        if self.double_words {
            self.ports.read_dwords(self.base + register::DATA, buffer);
        } else {
            self.ports.read_words(self.base + register::DATA, buffer);
        }
    }

    fn get(&mut self, register: u16) -> u8 {
        self.ports.inb(self.base + register)
    }

    fn put(&mut self, register: u16, value: u8) {
        self.ports.outb(self.base + register, value);
    }
}
