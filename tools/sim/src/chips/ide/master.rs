//! A channel's bus master.
//!
//! Source: Programming Interface for Bus Master IDE Controller 1.0 (Intel 1994).

use crate::chips::lent::Lent;

const START: u8 = 0x01;
const TO_MEMORY: u8 = 0x08;
const ACTIVE: u8 = 0x01;
const FAILED: u8 = 0x02;
const INTERRUPT: u8 = 0x04;
/// What memory shows that is not all there yet.
const UNFINISHED: u8 = 0xDD;

/// The bus master.
pub struct Master {
    pub(super) base: u16,
    lent: Lent,
    command: u8,
    status: u8,
    table: [u8; 4],
    pub(super) violations: Vec<String>,
}

impl Master {
    /// With its registers at `base`.
    pub fn new(base: u16, lent: Lent) -> Master {
        Master { base, lent, command: 0, status: 0x60, table: [0; 4], violations: Vec::new() }
    }

    pub(super) fn decodes(&self, port: u16) -> bool {
        (self.base..self.base + 8).contains(&port)
    }

    pub(super) fn read(&self, port: u16) -> u8 {
        match port - self.base {
            0 => self.command,
            2 => self.status,
            register @ 4..8 => self.table[usize::from(register) - 4],
            _ => 0xFF,
        }
    }

    pub(super) fn write(&mut self, port: u16, size: u8, value: u32) {
        for (register, byte) in (port - self.base..).zip(value.to_le_bytes()).take(size.into()) {
            match register {
                0 => self.control(byte),
                2 => {
                    let cleared = byte & (FAILED | INTERRUPT);
                    self.status = self.status & !cleared & !0x60 | byte & 0x60;
                }
                4..8 => self.table[usize::from(register) - 4] = byte,
                _ => {}
            }
        }
    }

    fn control(&mut self, value: u8) {
        let started = !self.command & value & START != 0;
        if self.command & value & START != 0 && (self.command ^ value) & TO_MEMORY != 0 {
            self.violations.push("the bus master's direction changed while it worked".into());
        }
        self.command = value;
        self.status &= !ACTIVE;
        if !started {
            return;
        }
        if self.status & (FAILED | INTERRUPT) != 0 {
            self.violations.push("the bus master was started with an old interrupt".into());
        }
        self.status |= ACTIVE;
        if value & TO_MEMORY != 0 {
            for (address, length) in self.regions() {
                self.lent.write(address, &vec![UNFINISHED; length]);
            }
        }
    }

    /// The table's regions.
    fn regions(&mut self) -> Vec<(u32, usize)> {
        let table = u32::from_le_bytes(self.table);
        if !table.is_multiple_of(4) {
            self.violations.push(format!("a table at {table:X}h"));
        }
        let mut regions = Vec::new();
        for index in 0..8192 {
            let at = table + index * 8;
            if at & !0xFFFF != table & !0xFFFF {
                self.violations.push("a table across 64 KB".into());
            }
            let entry = self.lent.read(at, 8);
            let word = |at: usize| {
                u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]])
            };
            let (address, length) = (word(0), word(4) & 0xFFFF);
            let length = if length == 0 { 0x1_0000 } else { length };
            if !address.is_multiple_of(2) || !length.is_multiple_of(2) {
                self.violations.push(format!("a region of {length} bytes at {address:X}h"));
            }
            if (address & 0xFFFF) + length > 0x1_0000 {
                self.violations.push("a region across 64 KB".into());
            }
            regions.push((address, length as usize));
            if word(4) & 0x8000_0000 != 0 {
                break;
            }
        }
        regions
    }

    /// Whether it works in that direction.
    pub(super) fn is_active(&self, to_memory: bool) -> bool {
        self.status & ACTIVE != 0 && (self.command & TO_MEMORY != 0) == to_memory
    }

    /// Puts what the drive gives into memory.
    pub(super) fn store(&mut self, mut data: &[u8], whole: bool) {
        for (address, length) in self.regions() {
            let (part, rest) = data.split_at(length.min(data.len()));
            self.lent.write(address, part);
            data = rest;
            if whole && part.len() < length {
                self.violations.push("regions longer than the command".into());
            }
        }
        self.end(!data.is_empty());
    }

    /// Takes from memory what the drive wants.
    pub(super) fn load(&mut self, wanted: usize) -> Vec<u8> {
        let regions = self.regions();
        let data: Vec<u8> =
            regions.iter().flat_map(|&(address, length)| self.lent.read(address, length)).collect();
        if data.len() != wanted {
            self.violations.push(format!("{} bytes lent for {wanted}", data.len()));
        }
        self.end(data.len() < wanted);
        data
    }

    fn end(&mut self, failed: bool) {
        self.status &= !ACTIVE;
        if failed {
            self.status |= FAILED;
        }
    }

    /// The drive raises its interrupt.
    pub(super) fn interrupt(&mut self) {
        self.status |= INTERRUPT;
    }
}
