//! A drive of an IDE channel: registers, commands, medium, write cache, faults.
//!
//! Source: ATA/ATAPI-6 (T13 1410D) sections 8 and 9; ATA-1 (X3.221-1994) for drives without block
//! addresses.

use std::collections::BTreeMap;

use ftpsrv::block::SECTOR;

use super::master::Master;
use crate::disk::Medium;

const BUSY: u8 = 0x80;
const READY: u8 = 0x50;
const DATA: u8 = 0x08;
const ERROR: u8 = 0x01;

const ABORTED: u8 = 0x04;
const DAMAGED: u8 = 0x80;
const NOT_FOUND: u8 = 0x10;
const UNCORRECTABLE: u8 = 0x40;

/// Reads of the status after a command, a selection or a block before it means something.
const STALE_READS: u8 = 3;

/// What sort of drive it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Knows block addresses.
    Lba,
    /// Knows cylinders, heads and sectors only; reports the translation that is in force.
    Chs,
    /// As before, of the first standard: says nothing of the translation in force.
    OldChs,
    /// A packet device, such as a CD-ROM drive.
    Packet,
}

/// What goes wrong.
#[derive(Default)]
pub struct Faults {
    /// Sectors that cannot be read, and how many more times.
    pub unreadable: BTreeMap<u32, u32>,
    /// Sectors that cannot be written, and how many more times.
    pub unwritable: BTreeMap<u32, u32>,
    /// The sector that is lost when the cache goes to the medium.
    pub lost_in_flush: Option<u32>,
    /// So many data commands from now on never end, until a reset.
    pub hanging: u32,
    /// It is busy for ever.
    pub dead: bool,
    /// The block with an unreadable sector is offered all the same.
    pub offers_bad_block: bool,
    /// An error in a read is told after the data of its block.
    pub late: bool,
    /// So many commands by DMA from now on find their data damaged on the way (interface CRC).
    pub damaged: u32,
    /// Nothing has connected the lines by which it asks for DMA.
    pub no_dma_lines: bool,
    /// By DMA data come wrong, and nobody says so: drive and controller are in different modes.
    pub garbles: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Read,
    Write,
    Identify,
    Flush,
    DmaRead,
    DmaWrite,
}

/// What a drive is.
#[derive(Debug, Clone)]
pub struct Model {
    pub kind: Kind,
    pub sectors: u32,
    /// Cylinders, heads, sectors a track, as the drive is made.
    pub geometry: (u16, u8, u8),
    /// Heads, sectors a track of the translation that the BIOS put in force.
    pub translation: (u8, u8),
    /// Most sectors of a block; 0: no READ MULTIPLE.
    pub most_multiple: u8,
    pub has_flush: bool,
    /// Has a write cache, which is on after a reset.
    pub write_cache: bool,
    pub removable: bool,
    /// It does DMA, in a mode that the BIOS has chosen.
    pub dma: bool,
    pub serial: &'static str,
    /// From a command to its first block, and from block to block.
    pub latency_us: u32,
    /// From a write command until it wants its first block.
    pub accept_us: u32,
    pub reset_us: u32,
}

impl Model {
    /// A drive of that many cylinders, heads, and sectors a track.
    pub fn new(kind: Kind, (cylinders, heads, sectors): (u16, u8, u8)) -> Model {
        Model {
            kind,
            sectors: u32::from(cylinders) * u32::from(heads) * u32::from(sectors),
            geometry: (cylinders, heads, sectors),
            translation: (heads, sectors),
            most_multiple: 0,
            has_flush: false,
            write_cache: false,
            removable: false,
            dma: false,
            serial: "SN1",
            latency_us: 100,
            accept_us: 100,
            reset_us: 50_000,
        }
    }

    /// A drive with everything that later standards brought.
    pub fn modern(sectors: u32) -> Model {
        Model {
            sectors,
            most_multiple: 16,
            has_flush: true,
            write_cache: true,
            ..Model::new(Kind::Lba, (1, 16, 63))
        }
    }
}

/// A drive.
pub struct IdeDrive {
    pub medium: Medium,
    pub faults: Faults,
    /// Command codes, as they came.
    pub commands: Vec<u8>,
    pub(super) violations: Vec<String>,
    pub(super) interrupt: bool,
    model: Model,
    cache: BTreeMap<u32, [u8; SECTOR]>,
    cache_on: bool,
    /// Heads and sectors a track in force.
    translation: (u8, u8),
    multiple: u8,
    registers: [u8; 8],
    status: u8,
    error: u8,
    stale: u8,
    seen: u8,
    busy_us: u32,
    phase: Phase,
    buffer: Vec<u8>,
    at: usize,
    lba: u32,
    left: u32,
    block: u32,
}

impl IdeDrive {
    /// A drive with an empty medium, as the BIOS leaves it.
    pub fn new(model: Model) -> IdeDrive {
        IdeDrive {
            medium: Medium::new(model.sectors),
            faults: Faults::default(),
            commands: Vec::new(),
            violations: Vec::new(),
            interrupt: false,
            cache: BTreeMap::new(),
            cache_on: model.write_cache,
            translation: model.translation,
            multiple: 0,
            registers: [0; 8],
            status: if model.kind == Kind::Packet { 0 } else { READY },
            error: 0,
            stale: 0,
            seen: READY,
            busy_us: 0,
            phase: Phase::Idle,
            buffer: Vec::new(),
            at: 0,
            lba: 0,
            left: 0,
            block: 1,
            model,
        }
    }

    /// The power goes: what is in the write cache is lost.
    pub fn cut_power(&mut self) {
        self.cache.clear();
    }

    /// Makes it faster or slower.
    pub fn set_latency(&mut self, us: u32) {
        self.model.latency_us = us;
    }

    /// What a read gives: from the cache or the medium.
    pub fn sector(&self, lba: u32) -> [u8; SECTOR] {
        self.cache.get(&lba).copied().unwrap_or_else(|| self.medium.sector(lba))
    }

    /// Sectors in a block now, 0 without READ MULTIPLE.
    pub fn multiple(&self) -> u8 {
        self.multiple
    }

    pub(super) fn occupied(&self) -> bool {
        self.status & (BUSY | DATA) != 0
    }

    pub(super) fn status(&mut self, main: bool) -> u8 {
        if self.stale > 0 {
            self.stale -= 1;
            return self.seen;
        }
        if main {
            self.interrupt = false;
        }
        if self.faults.dead { BUSY } else { self.status }
    }

    fn change(&mut self, status: u8) {
        self.seen = self.status;
        self.status = status;
    }

    pub(super) fn reset(&mut self) {
        if self.model.kind == Kind::Packet {
            return;
        }
        self.translation = (self.model.geometry.1, self.model.geometry.2);
        self.multiple = 0;
        self.cache_on = self.model.write_cache;
        (self.phase, self.error, self.stale) = (Phase::Idle, 1, 0);
        self.change(BUSY);
        self.busy_us = self.model.reset_us;
    }

    pub(super) fn read_register(&self, register: u16) -> u8 {
        match register {
            1 => self.error,
            6 => self.registers[6] | 0xA0,
            _ => self.registers[usize::from(register)],
        }
    }

    pub(super) fn write_register(&mut self, register: u16, value: u8) {
        self.registers[usize::from(register)] = value;
        if register == 6 {
            (self.seen, self.stale) = (self.status, STALE_READS);
        }
    }

    pub(super) fn command(&mut self, code: u8) {
        self.commands.push(code);
        self.stale = STALE_READS;
        self.error = 0;
        self.change(BUSY);
        self.busy_us = self.model.latency_us;
        if self.faults.hanging > 0 && matches!(code, 0x20 | 0x30 | 0xC4 | 0xC5 | 0xC8 | 0xCA) {
            self.faults.hanging -= 1;
            self.busy_us = u32::MAX;
            return;
        }
        let done = match (self.model.kind, code) {
            (Kind::Packet, _) => {
                (self.registers[4], self.registers[5]) = (0x14, 0xEB);
                Err(ABORTED)
            }
            (_, 0xEC) => self.enter(Phase::Identify),
            (_, 0x20 | 0x30) => self.transfer(code == 0x20, 1),
            (_, 0xC4 | 0xC5) if self.multiple > 0 => self.transfer(code == 0xC4, self.multiple),
            (_, 0xC8 | 0xCA) if self.model.dma => {
                let done = self.transfer(code == 0xC8, 1);
                self.busy_us = self.model.latency_us;
                if done.is_ok() {
                    self.phase = if code == 0xC8 { Phase::DmaRead } else { Phase::DmaWrite };
                }
                done
            }
            (_, 0x91) => {
                self.translation = (self.registers[6] % 16 + 1, self.registers[2]);
                Ok(())
            }
            (_, 0xC6) if (1..=self.model.most_multiple).contains(&self.registers[2]) => {
                self.multiple = self.registers[2];
                Ok(())
            }
            (_, 0xE7) if self.model.has_flush => self.enter(Phase::Flush),
            (_, 0xEF) if self.registers[1] == 0x82 => {
                self.write_back();
                self.cache_on = false;
                Ok(())
            }
            _ => Err(ABORTED),
        };
        if let Err(code) = done {
            (self.error, self.phase) = (code, Phase::Idle);
        }
    }

    fn enter(&mut self, phase: Phase) -> Result<(), u8> {
        self.phase = phase;
        Ok(())
    }

    fn transfer(&mut self, read: bool, block: u8) -> Result<(), u8> {
        let [_, _, count, number, low, high, device, _] = self.registers.map(u32::from);
        let (heads, per_track) = (u32::from(self.translation.0), u32::from(self.translation.1));
        self.lba = match device & 0x40 != 0 {
            true if self.model.kind != Kind::Lba => return Err(ABORTED),
            true => (device & 15) << 24 | high << 16 | low << 8 | number,
            false if number == 0 || number > per_track || device & 15 >= heads => {
                return Err(NOT_FOUND);
            }
            false => ((high << 8 | low) * heads + (device & 15)) * per_track + number - 1,
        };
        self.left = if count == 0 { 256 } else { count };
        if self.lba + self.left > self.medium.sectors() {
            return Err(NOT_FOUND);
        }
        self.block = u32::from(block);
        self.phase = if read { Phase::Read } else { Phase::Write };
        if !read {
            self.busy_us = self.model.accept_us;
        }
        self.buffer.clear();
        Ok(())
    }

    pub(super) fn elapse(&mut self, us: u32) {
        if self.busy_us == 0 || self.busy_us == u32::MAX || self.faults.dead {
            return;
        }
        self.busy_us = self.busy_us.saturating_sub(us);
        if self.busy_us == 0 {
            self.proceed();
        }
    }

    /// The drive has done its part, and comes to the host.
    fn proceed(&mut self) {
        self.interrupt = true;
        match self.phase {
            _ if self.error & !1 != 0 => self.fail(self.error),
            Phase::Idle => self.change(READY),
            Phase::Identify => {
                self.buffer = self.identity();
                self.offer();
            }
            Phase::Read => self.offer_block(),
            Phase::Write => self.take_block(),
            // Data move when the bus master is there: [`IdeDrive::move_by_dma`].
            Phase::DmaRead | Phase::DmaWrite => {
                self.interrupt = false;
                self.change(READY | DATA);
            }
            Phase::Flush => match self.flush() {
                Ok(()) => self.end(),
                Err(code) => self.fail(code),
            },
        }
    }

    fn end(&mut self) {
        self.phase = Phase::Idle;
        self.change(READY);
    }

    fn fail(&mut self, code: u8) {
        (self.phase, self.error) = (Phase::Idle, code);
        self.change(READY | ERROR);
    }

    fn offer(&mut self) {
        self.at = 0;
        self.change(READY | DATA);
    }

    fn offer_block(&mut self) {
        if self.left == 0 {
            return self.end();
        }
        let count = self.block.min(self.left);
        self.buffer = (self.lba..self.lba + count).flat_map(|lba| self.sector(lba)).collect();
        let bad =
            (self.lba..self.lba + count).find(|lba| strike(&mut self.faults.unreadable, *lba));
        (self.lba, self.left) = (self.lba + count, self.left - count);
        let Some(bad) = bad else { return self.offer() };
        let good = (bad + count - self.lba) as usize * SECTOR;
        self.buffer[good..].fill(0xEE);
        if self.faults.late {
            (self.error, self.left) = (UNCORRECTABLE, 0);
            return self.offer();
        }
        self.fail(UNCORRECTABLE);
        if self.faults.offers_bad_block {
            self.phase = Phase::Read;
            self.left = 0;
            self.at = 0;
            self.status |= DATA;
        }
    }

    fn take_block(&mut self) {
        if !self.buffer.is_empty() {
            for sector in std::mem::take(&mut self.buffer).chunks(SECTOR) {
                let lba = self.lba;
                if self.medium.write_protected {
                    return self.fail(UNCORRECTABLE);
                }
                if strike(&mut self.faults.unwritable, lba) {
                    return self.fail(NOT_FOUND);
                }
                self.cache.insert(lba, sector.try_into().expect("a sector"));
                (self.lba, self.left) = (lba + 1, self.left - 1);
            }
            if !self.cache_on {
                self.write_back();
            }
        }
        if self.left == 0 {
            return self.end();
        }
        self.buffer = vec![0; self.block.min(self.left) as usize * SECTOR];
        self.offer();
    }

    /// Moves a whole command's data, if it is time for it and the bus master works.
    pub(super) fn move_by_dma(&mut self, master: &mut Master) {
        let reads = self.phase == Phase::DmaRead;
        let waits = self.status & DATA != 0 && (reads || self.phase == Phase::DmaWrite);
        if !waits || self.faults.no_dma_lines || !master.is_active(reads) {
            return;
        }
        self.interrupt = true;
        if self.faults.damaged > 0 {
            self.faults.damaged -= 1;
            return self.fail(DAMAGED | ABORTED);
        }
        let sectors = self.lba..self.lba + self.left;
        if reads {
            let bad = sectors.clone().find(|lba| strike(&mut self.faults.unreadable, *lba));
            let end = bad.unwrap_or(sectors.end);
            let mut data: Vec<u8> = (self.lba..end).flat_map(|lba| self.sector(lba)).collect();
            if self.faults.garbles {
                data.rotate_left(2);
            }
            master.store(&data, bad.is_none());
            return if bad.is_some() { self.fail(UNCORRECTABLE) } else { self.end() };
        }
        let data = master.load(self.left as usize * SECTOR);
        for (lba, sector) in sectors.zip(data.chunks(SECTOR)) {
            if strike(&mut self.faults.unwritable, lba) {
                return self.fail(NOT_FOUND);
            }
            self.cache.insert(lba, sector.try_into().expect("a sector"));
        }
        if !self.cache_on {
            self.write_back();
        }
        self.end();
    }

    fn write_back(&mut self) {
        for (lba, sector) in std::mem::take(&mut self.cache) {
            self.medium.set_sector(lba, &sector);
        }
    }

    fn flush(&mut self) -> Result<(), u8> {
        let lost = self.faults.lost_in_flush.take();
        let failed = lost.is_some_and(|lba| self.cache.remove(&lba).is_some());
        if failed {
            return Err(UNCORRECTABLE);
        }
        self.write_back();
        Ok(())
    }

    pub(super) fn read_data(&mut self) -> u16 {
        if self.status & DATA == 0 || !matches!(self.phase, Phase::Read | Phase::Identify) {
            self.violations.push("data read that were not offered".into());
            return 0xFFFF;
        }
        let word = u16::from_le_bytes([self.buffer[self.at], self.buffer[self.at + 1]]);
        self.at += 2;
        if self.at == self.buffer.len() {
            match self.phase {
                Phase::Read if self.status & ERROR != 0 => {
                    self.phase = Phase::Idle;
                    self.change(READY | ERROR);
                }
                Phase::Read if self.left > 0 || self.error != 0 => self.work(1),
                _ => self.end(),
            }
        }
        word
    }

    pub(super) fn write_data(&mut self, word: u16) {
        if self.status & DATA == 0 || self.phase != Phase::Write {
            self.violations.push("data written that were not asked for".into());
            return;
        }
        self.buffer[self.at..self.at + 2].copy_from_slice(&word.to_le_bytes());
        self.at += 2;
        if self.at == self.buffer.len() {
            self.work(STALE_READS);
        }
    }

    fn work(&mut self, stale: u8) {
        self.change(BUSY);
        self.stale = stale;
        self.busy_us = self.model.latency_us;
    }

    /// The answer to IDENTIFY DEVICE.
    fn identity(&self) -> Vec<u8> {
        let mut words = [0u16; 256];
        let (cylinders, heads, per_track) = self.model.geometry;
        words[0] = if self.model.removable { 0x00C0 } else { 0x0040 };
        (words[1], words[3], words[6]) = (cylinders, u16::from(heads), u16::from(per_track));
        for (at, pair) in format!("{:<20}", self.model.serial).into_bytes().chunks(2).enumerate() {
            words[10 + at] = u16::from_be_bytes([pair[0], pair[1]]);
        }
        words[27..47].fill(0x2020);
        words[47] = 0x8000 | u16::from(self.model.most_multiple);
        let total = self.medium.sectors();
        if self.model.kind == Kind::Lba {
            words[49] = 1 << 9 | u16::from(self.model.dma) << 8;
            words[63] = if self.model.dma { 0x0407 } else { 0 };
            (words[60], words[61]) = (total as u16, (total >> 16) as u16);
        }
        if self.model.kind != Kind::OldChs {
            let (heads, per_track) = self.translation;
            words[53] = 1;
            words[54] = (total / u32::from(heads) / u32::from(per_track)).min(65_535) as u16;
            (words[55], words[56]) = (u16::from(heads), u16::from(per_track));
        }
        if self.model.has_flush || self.model.write_cache {
            words[83] = 1 << 14 | u16::from(self.model.has_flush) << 12;
            (words[85], words[87]) = (u16::from(self.cache_on) << 5, 1 << 14);
        }
        words.into_iter().flat_map(u16::to_le_bytes).collect()
    }
}

/// Whether a fault strikes at this sector, which then has one time less to do so.
fn strike(faults: &mut BTreeMap<u32, u32>, lba: u32) -> bool {
    match faults.get_mut(&lba) {
        Some(times) if *times > 0 => {
            *times = times.saturating_sub(u32::from(*times != u32::MAX));
            true
        }
        _ => false,
    }
}
