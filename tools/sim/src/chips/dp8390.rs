//! A DP8390 on an NE2000 or NE1000 (National Semiconductor DP8390D data sheet, sections 7 to 11).
//!
//! Strict where drivers go wrong: after a ring overflow it stays deaf until the whole recovery
//! procedure has been followed; remote DMA with the wrong count never completes; transmission takes
//! its time on the wire, and a stop loses the frame.

use std::collections::VecDeque;
use std::ops::Range;

use super::pic::Interrupting;
use super::{Device, Station};

const TXP: u8 = 0x04;
const PRX: u8 = 0x01;
const PTX: u8 = 0x02;
const OVW: u8 = 0x10;
const RDC: u8 = 0x40;
const RST: u8 = 0x80;

/// What card the chip sits on.
#[derive(Clone)]
pub struct Card {
    /// Base port.
    pub base: u16,
    /// Its PROM is on a 16-bit bus.
    pub wide: bool,
    /// The card's memory.
    pub memory: Range<u16>,
    /// The data port is decoded at +10h to +17h, so that a double word works.
    pub decodes_double_words: bool,
    /// The chip loses remote writes that do not follow a remote read.
    pub needs_read_before_write: bool,
    /// The PROM ends in Novell's signature; clones leave it out.
    pub has_signature: bool,
    /// The slot has 8 bits: wider accesses become bytes at one port after the other, which all are the
    /// data port.
    pub narrow_slot: bool,
}

impl Card {
    /// A 16-bit card with 16 KB.
    pub fn ne2000(base: u16) -> Card {
        Card {
            base,
            wide: true,
            memory: 0x4000..0x8000,
            decodes_double_words: true,
            needs_read_before_write: false,
            has_signature: true,
            narrow_slot: false,
        }
    }

    /// An 8-bit card with 8 KB.
    pub fn ne1000(base: u16) -> Card {
        Card {
            wide: false,
            memory: 0x2000..0x4000,
            decodes_double_words: false,
            ..Card::ne2000(base)
        }
    }
}

/// The model. `sent` is what went out on the wire.
pub struct Dp8390 {
    card: Card,
    address: [u8; 6],
    ram: Vec<u8>,
    cr: u8,
    pages: [[u8; 16]; 2],
    isr: u8,
    tally: [u8; 3],
    remote_address: u16,
    remote_count: u16,
    remote_lost: bool,
    just_read: bool,
    transmission_us: u32,
    stopped_us: u32,
    /// After an overflow: the receiver does nothing until recovery is complete.
    deaf: bool,
    /// Recovery: steps 2 to 4 done, then 6 and 7 done.
    stopped_well: bool,
    started_in_loopback: bool,
    /// Frames that went out.
    pub sent: VecDeque<Vec<u8>>,
    /// Frames that arrived while the chip could not take them.
    pub dropped: usize,
    /// Overflows that happened.
    pub overflows: usize,
    /// Transmissions that a stop cut off.
    pub cut_off: usize,
    /// Transmissions never end.
    pub stuck: bool,
}

impl Dp8390 {
    /// A chip after power-on.
    pub fn new(card: Card, address: [u8; 6]) -> Dp8390 {
        Dp8390 {
            ram: vec![0; usize::from(card.memory.end - card.memory.start)],
            card,
            address,
            cr: 0x21,
            pages: [[0; 16]; 2],
            isr: RST,
            tally: [0; 3],
            remote_address: 0,
            remote_count: 0,
            remote_lost: false,
            just_read: false,
            transmission_us: 0,
            stopped_us: 0,
            deaf: false,
            stopped_well: false,
            started_in_loopback: false,
            sent: VecDeque::new(),
            dropped: 0,
            overflows: 0,
            cut_off: 0,
            stuck: false,
        }
    }

    fn running(&self) -> bool {
        self.cr & 0x03 == 0x02
    }

    fn loopback(&self) -> bool {
        self.pages[0][0x0D] & 0x06 != 0
    }

    fn ring(&self) -> Range<u8> {
        self.pages[0][1]..self.pages[0][2]
    }

    fn next_page(&self, page: u8) -> u8 {
        if page + 1 == self.ring().end { self.ring().start } else { page + 1 }
    }

    fn cell(&mut self, address: u16) -> Option<&mut u8> {
        // Only the memory's own address lines are decoded: it shows again further up.
        let decoded = u32::from(address) % u32::from(self.card.memory.end).next_power_of_two();
        let within = decoded.checked_sub(u32::from(self.card.memory.start))?;
        self.ram.get_mut(within as usize)
    }

    fn peek(&mut self, address: u16) -> u8 {
        if address < 32 {
            return self.prom(address);
        }
        self.cell(address).map_or(0xFF, |byte| *byte)
    }

    fn prom(&self, address: u16) -> u8 {
        let index = if self.card.wide { address / 2 } else { address };
        match index % 16 {
            index @ 0..6 => self.address[usize::from(index)],
            14 | 15 if self.card.has_signature => {
                if self.card.wide {
                    b'W'
                } else {
                    b'B'
                }
            }
            _ => 0,
        }
    }

    /// Overwrites a byte of the card's memory, as a failing chip would.
    pub fn poke(&mut self, address: u16, value: u8) {
        if let Some(cell) = self.cell(address) {
            *cell = value;
        }
    }

    /// CURR, the page that the next frame goes to.
    pub fn current(&self) -> u8 {
        self.pages[1][7]
    }

    /// Puts CURR somewhere, as a failing chip would.
    pub fn set_current(&mut self, page: u8) {
        self.pages[1][7] = page;
    }

    /// Counts errors on the wire: frame alignment, CRC.
    pub fn count_errors(&mut self, alignment: u8, crc: u8) {
        self.tally[0] += alignment;
        self.tally[1] += crc;
        self.isr |= 0x04;
    }

    /// Whether the ring takes a frame of that length (without FCS) and does not overflow.
    pub fn has_room(&self, length: usize) -> bool {
        self.page_after(length).is_some()
    }

    /// The page after a frame of that length that begins at CURR; `None` when the ring overflows.
    fn page_after(&self, length: usize) -> Option<u8> {
        let mut following = self.current();
        for _ in 0..(length + 8).div_ceil(256) {
            following = self.next_page(following);
            if following == self.pages[0][3] {
                return None;
            }
        }
        Some(following)
    }

    fn command(&mut self, value: u8) {
        let was_running = self.running();
        self.cr = (value & !TXP) | (self.cr & TXP);
        if value & 0x01 != 0 {
            self.isr |= RST;
            if self.transmission_us > 0 && self.isr & (PTX | 0x08) == 0 {
                self.transmission_us = 0;
                self.cut_off += 1;
            }
            self.cr &= !TXP;
            if was_running {
                self.stopped_us = 0;
            }
            return;
        }
        self.isr &= !RST;
        if !was_running {
            self.stopped_well = self.stopped_us >= 1_600 && self.remote_count == 0;
            self.started_in_loopback = self.stopped_well && self.loopback();
        }
        match value & 0x38 {
            0x08 | 0x10 => {
                let writes = value & 0x38 == 0x10;
                self.remote_lost = writes && self.card.needs_read_before_write && !self.just_read;
                self.just_read = !writes;
            }
            _ => {}
        }
        if value & TXP != 0 && self.cr & TXP == 0 {
            self.cr |= TXP;
            let count = u16::from_le_bytes([self.pages[0][5], self.pages[0][6]]);
            assert!((60..=1514).contains(&count), "transmit count {count}");
            assert!(!self.loopback(), "transmission in loopback would not reach the wire");
            // Preamble, frame, FCS, gap at 10 Mbit/s.
            self.transmission_us = (u32::from(count) + 8 + 4 + 12) * 8 / 10;
        }
    }

    fn finish_transmission(&mut self) {
        let count = usize::from(u16::from_le_bytes([self.pages[0][5], self.pages[0][6]]));
        let start = u16::from(self.pages[0][4]) << 8;
        let frame = (0..count).map(|offset| self.peek(start + offset as u16)).collect();
        self.sent.push_back(frame);
        self.cr &= !TXP;
        self.isr |= PTX;
    }

    /// One byte or word of the remote DMA.
    fn remote(&mut self, size: u8, write: Option<u32>) -> u32 {
        let words = self.pages[0][0x0E] & 0x01 != 0;
        let mut value = 0;
        for index in 0..size {
            // A byte access in word mode moves a word all the same.
            let steps = if words && size == 1 { 2 } else { 1 };
            if self.remote_count == 0 || self.remote_lost {
                value |= 0xFF << (8 * index);
                continue;
            }
            match write {
                Some(data) => self.poke(self.remote_address, (data >> (8 * index)) as u8),
                None => value |= u32::from(self.peek(self.remote_address)) << (8 * index),
            }
            self.remote_address = self.remote_address.wrapping_add(steps);
            if self.remote_address == u16::from(self.ring().end) << 8 {
                self.remote_address = u16::from(self.ring().start) << 8;
            }
            self.remote_count = self.remote_count.saturating_sub(steps);
            if self.remote_count == 0 {
                self.isr |= RDC;
            }
        }
        value
    }

    fn read_register(&mut self, register: u16) -> u8 {
        match (self.cr >> 6, register) {
            (_, 0) => self.cr,
            (0, 3) => self.pages[0][3],
            (0, 4) => 0x01,
            (0, 7) => self.isr,
            (0, 0x0D..=0x0F) => std::mem::take(&mut self.tally[usize::from(register - 0x0D)]),
            (1, _) => self.pages[1][usize::from(register)],
            _ => 0,
        }
    }

    fn write_register(&mut self, register: u16, value: u8) {
        if register == 0 {
            return self.command(value);
        }
        let page = usize::from(self.cr >> 6);
        match (page, register) {
            (0, 7) => self.isr &= !value | RST,
            (0, 8) => self.remote_address = self.remote_address & 0xFF00 | u16::from(value),
            (0, 9) => self.remote_address = self.remote_address & 0x00FF | u16::from(value) << 8,
            (0, 10) => self.remote_count = self.remote_count & 0xFF00 | u16::from(value),
            (0, 11) => self.remote_count = self.remote_count & 0x00FF | u16::from(value) << 8,
            (0 | 1, _) => self.pages[page][usize::from(register)] = value,
            _ => {}
        }
        if page == 0 && register == 0x0D && !self.loopback() && self.isr & OVW == 0 {
            // Steps 9 and 10 done.
            self.deaf &= !self.started_in_loopback;
        }
    }
}

impl Device for Dp8390 {
    fn decodes(&self, port: u16) -> bool {
        (self.card.base..self.card.base + 0x20).contains(&port)
    }

    fn read(&mut self, port: u16, size: u8) -> u32 {
        match port - self.card.base {
            0x10 if size > 1 && self.card.narrow_slot => {
                (0..size).fold(0, |value, index| value | self.remote(1, None) << (8 * index))
            }
            0x10 if size == 4 && !self.card.decodes_double_words => {
                self.remote(2, None) | 0xFFFF_0000
            }
            0x10 => self.remote(size, None),
            register @ 0..0x10 => u32::from(self.read_register(register)),
            0x18..0x20 => {
                *self = Dp8390 { ram: std::mem::take(&mut self.ram), ..self.after_reset() };
                0
            }
            _ => 0xFF,
        }
    }

    fn write(&mut self, port: u16, size: u8, value: u32) {
        match port - self.card.base {
            0x10 if size > 1 && self.card.narrow_slot => {
                for byte in &value.to_le_bytes()[..size.into()] {
                    self.remote(1, Some((*byte).into()));
                }
            }
            0x10 if size == 4 && !self.card.decodes_double_words => {
                self.remote(2, Some(value));
            }
            0x10 => {
                self.remote(size, Some(value));
            }
            register @ 0..0x10 => self.write_register(register, value as u8),
            _ => {}
        }
    }

    fn elapse(&mut self, us: u32) {
        if !self.running() {
            self.stopped_us = self.stopped_us.saturating_add(us);
        }
        if self.transmission_us > 0 && !self.stuck {
            self.transmission_us = self.transmission_us.saturating_sub(us);
            if self.transmission_us == 0 {
                self.finish_transmission();
            }
        }
    }
}

impl Dp8390 {
    fn after_reset(&mut self) -> Dp8390 {
        Dp8390 {
            sent: std::mem::take(&mut self.sent),
            dropped: self.dropped,
            overflows: self.overflows,
            cut_off: self.cut_off,
            stuck: self.stuck,
            ..Dp8390::new(self.card.clone(), self.address)
        }
    }
}

impl Interrupting for Dp8390 {
    fn asks(&self) -> bool {
        self.isr & self.pages[0][0x0F] & 0x7F != 0
    }
}

impl Station for Dp8390 {
    fn arrive(&mut self, frame: &[u8]) -> bool {
        let to_us = frame[..6] == self.pages[1][1..7]
            || frame[..6] == [0xFF; 6] && self.pages[0][0x0C] & 0x04 != 0;
        if !to_us || self.pages[0][0x0C] & 0x20 != 0 {
            return false;
        }
        if !self.running() || self.loopback() || self.deaf {
            self.dropped += 1;
            return false;
        }
        let count = frame.len() + 4;
        let first = self.current();
        let Some(following) = self.page_after(frame.len()) else {
            self.isr |= OVW;
            self.overflows += 1;
            self.dropped += 1;
            self.deaf = true;
            self.stopped_well = false;
            self.started_in_loopback = false;
            return false;
        };
        let stored = [0x01, following, count as u8, (count >> 8) as u8].into_iter();
        let mut address = u16::from(first) << 8;
        for byte in stored.chain(frame.iter().copied()).chain([0xFC; 4]) {
            self.poke(address, byte);
            address += 1;
            if address == u16::from(self.ring().end) << 8 {
                address = u16::from(self.ring().start) << 8;
            }
        }
        self.pages[1][7] = following;
        self.isr |= PRX;
        true
    }

    fn depart(&mut self) -> Option<Vec<u8>> {
        self.sent.pop_front()
    }
}
