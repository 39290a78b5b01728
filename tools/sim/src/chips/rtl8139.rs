//! A Realtek RTL8139 (RTL8139C data sheet; programming guide for the RTL8139A/B).
//!
//! Strict where drivers go wrong: a frame past the ring's end goes on behind it only while WRAP is set; the
//! configuration registers change only while both halves run; a descriptor is not written before its
//! frame has left; an overflow holds until the ring has room and the event is acknowledged.

use std::collections::VecDeque;

use super::ram::Ram;
use super::transmitter::Transmitter;
use super::{Device, Station};

const RESET: u8 = 0x10;
const RUNNING: u8 = 0x0C;
const EMPTY: u8 = 0x01;
const RECEIVED: u16 = 0x0001;
const DAMAGED: u16 = 0x0002;
const TRANSMITTED: u16 = 0x0004;
const OVERFLOW: u16 = 0x0010;
const OWN: u32 = 1 << 13;
const SENT: u32 = 1 << 15;
const ABORTED: u32 = 1 << 30;
const RING: usize = 16 * 1024;

/// The model.
pub struct Rtl8139 {
    base: u16,
    address: [u8; 6],
    ram: Ram,
    command: u8,
    reset_us: u32,
    ring: u32,
    /// Where the next frame is written, and where the driver reads, offsets in the ring.
    write: usize,
    read: usize,
    status: [u32; 4],
    buffers: [u32; 4],
    /// Descriptors in the order in which they were given over.
    queue: VecDeque<usize>,
    /// What is on its way out.
    pub wire: Transmitter,
    events: u16,
    mask: u16,
    receive_config: u32,
    missed: u32,
    /// How many of the next frames are aborted after 16 collisions.
    pub aborts: usize,
    aborted: bool,
    /// Frames that went out.
    pub sent: VecDeque<Vec<u8>>,
    /// Frames that found no room.
    pub dropped: usize,
}

impl Rtl8139 {
    /// A chip after power-on, which rests in power down.
    pub fn new(base: u16, address: [u8; 6], ram: &Ram) -> Rtl8139 {
        Rtl8139 {
            base,
            address,
            ram: ram.clone(),
            command: 0,
            reset_us: 0,
            ring: 0,
            write: 0,
            read: 0,
            status: [OWN; 4],
            buffers: [0; 4],
            queue: VecDeque::new(),
            wire: Transmitter::default(),
            events: 0,
            mask: 0,
            receive_config: 0,
            missed: 0,
            aborts: 0,
            aborted: false,
            sent: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Whether the card asks for an interrupt.
    pub fn interrupts(&self) -> bool {
        self.events & self.mask != 0
    }

    fn running(&self) -> bool {
        self.command & RUNNING == RUNNING
    }

    fn used(&self) -> usize {
        (self.write + RING - self.read) % RING
    }

    /// A frame comes in with a status word; an intact one has bit 0.
    pub fn store(&mut self, frame: &[u8], status: u16) -> bool {
        let accepted = match () {
            () if frame[..6] == [0xFF; 6] => self.receive_config & 8 != 0,
            () if frame[0] & 1 != 0 => self.receive_config & 4 != 0,
            () => self.receive_config & 2 != 0 && frame[..6] == self.address,
        };
        if !self.running() || !accepted {
            return false;
        }
        let length = frame.len() + 4;
        let room = (length + 4).next_multiple_of(4);
        // A full ring would look empty.
        if self.events & OVERFLOW != 0 || self.used() + room >= RING {
            self.events |= OVERFLOW;
            self.missed += 1;
            self.dropped += 1;
            return false;
        }
        assert_eq!(
            self.receive_config & 0x1880,
            0x0880,
            "a ring of 16 KB that does not wrap frames"
        );
        let mut bytes = status.to_le_bytes().to_vec();
        bytes.extend((length as u16).to_le_bytes());
        bytes.extend(frame);
        bytes.extend([0xFC; 4]);
        self.ram.write(self.ring + self.write as u32, &bytes);
        self.write = (self.write + room) % RING;
        self.events |= if status & 1 != 0 { RECEIVED } else { DAMAGED };
        true
    }

    fn begin(&mut self) {
        if !self.wire.is_busy()
            && !self.aborted
            && let Some(&descriptor) = self.queue.front()
        {
            self.wire.begin((self.status[descriptor] & 0x1FFF) as usize, 100);
        }
    }

    fn end(&mut self) {
        let Some(&descriptor) = self.queue.front() else { return };
        self.status[descriptor] |= OWN;
        if self.aborts > 0 {
            self.aborts -= 1;
            self.aborted = true;
            self.status[descriptor] |= ABORTED;
            self.events |= 0x0008;
        } else {
            let length = (self.status[descriptor] & 0x1FFF) as usize;
            self.sent.push_back(self.ram.read(self.buffers[descriptor], length));
            self.status[descriptor] |= SENT;
            self.events |= TRANSMITTED;
        }
        self.queue.pop_front();
        self.begin();
    }

    fn reset(&mut self) {
        (self.write, self.read, self.events, self.mask) = (0, 0, 0, 0);
        self.wire.reset();
        (self.command, self.receive_config, self.aborted) = (RESET, 0, false);
        self.status = [OWN; 4];
        self.queue.clear();
        self.reset_us = 10;
    }
}

impl Device for Rtl8139 {
    fn decodes(&self, port: u16) -> bool {
        (self.base..self.base + 0x100).contains(&port)
    }

    fn read(&mut self, port: u16, size: u8) -> u32 {
        match (port - self.base, size) {
            (register @ 0..6, 1) => self.address[usize::from(register)].into(),
            (register @ 0x10..0x20, 4) => self.status[usize::from(register - 0x10) / 4],
            (0x37, 1) => {
                let empty = if self.used() == 0 { EMPTY } else { 0 };
                u32::from(self.command | empty)
            }
            (0x3E, 2) => self.events.into(),
            (0x4C, 4) => self.missed,
            other => panic!("a read at {other:X?}"),
        }
    }

    fn write(&mut self, port: u16, size: u8, value: u32) {
        match (port - self.base, size) {
            (0x52, 1) => {}
            (0x37, 1) if value as u8 & RESET != 0 => self.reset(),
            (0x37, 1) => {
                assert_eq!(self.reset_us, 0, "written while it resets");
                self.command = value as u8;
            }
            (0x30, 4) => {
                assert!(value.is_multiple_of(4));
                self.ring = value;
            }
            (register @ 0x20..0x30, 4) => {
                assert!(value.is_multiple_of(4), "a transmit buffer at {value:X}h");
                self.buffers[usize::from(register - 0x20) / 4] = value;
            }
            (register @ 0x10..0x20, 4) => {
                let descriptor = usize::from(register - 0x10) / 4;
                assert!(self.status[descriptor] & OWN != 0, "a descriptor that is the chip's");
                assert!((60..=1514).contains(&(value & 0x1FFF)) && value & OWN == 0);
                self.status[descriptor] = value;
                self.queue.push_back(descriptor);
                self.begin();
            }
            (0x38, 2) => self.read = usize::from((value as u16).wrapping_add(16)) % RING,
            (0x3C, 2) => self.mask = value as u16,
            (0x3E, 2) => {
                let room = self.used() == 0;
                self.events &= !(value as u16) | if room { 0 } else { OVERFLOW };
            }
            (0x40, 4) => {
                assert!(self.running(), "the configuration of a chip at rest");
                if value & 1 != 0 && self.aborted {
                    self.aborted = false;
                    self.begin();
                }
            }
            (0x44, 4) => {
                assert!(self.running(), "the configuration of a chip at rest");
                self.receive_config = value;
            }
            (0x4C, 4) => self.missed = 0,
            other => panic!("a write at {other:X?}"),
        }
    }

    fn elapse(&mut self, us: u32) {
        if self.reset_us > 0 {
            self.reset_us = self.reset_us.saturating_sub(us);
            if self.reset_us == 0 {
                self.command &= !RESET;
            }
        }
        let mut left = us;
        while self.wire.elapse(&mut left) {
            self.end();
        }
    }
}

impl Station for Rtl8139 {
    fn arrive(&mut self, frame: &[u8]) -> bool {
        self.store(frame, 1)
    }

    fn depart(&mut self) -> Option<Vec<u8>> {
        self.sent.pop_front()
    }
}
