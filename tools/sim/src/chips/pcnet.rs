//! An AMD PCnet on ISA or PCI, in the 16-bit software style (Am79C960 and Am79C970A data sheets).
//!
//! Strict where drivers go wrong: descriptors and buffers are touched only while the chip owns them, and
//! must lie where the chip reaches; registers other than CSR0 change only while it is stopped; on ISA it
//! has the bus only by its own DMA channel, in cascade mode and unmasked. The wire takes its time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::ram::Ram;
use super::transmitter::Transmitter;
use super::{Device, Station};

const INIT: u16 = 0x0001;
const START: u16 = 0x0002;
const STOP: u16 = 0x0004;
const DEMAND: u16 = 0x0008;
const TRANSMITTER_ON: u16 = 0x0010;
const RECEIVER_ON: u16 = 0x0020;
const INTERRUPTS_ON: u16 = 0x0040;
const INITIALIZED: u16 = 0x0100;
const TRANSMITTED: u16 = 0x0200;
const RECEIVED: u16 = 0x0400;
const BUS_ERROR: u16 = 0x0800;
const MISSED: u16 = 0x1000;
const EVENTS: u16 = 0x7F00;

const OWN: u32 = 1 << 31;
const ERROR: u32 = 1 << 30;
const CRC: u32 = 1 << 27;
const WHOLE: u32 = 3 << 24;

/// The PC's two 8237A DMA controllers, as far as bus masters need them.
#[derive(Default)]
pub struct Dma {
    cascade: [bool; 8],
    open: [bool; 8],
    /// Channels at which another card asks for the bus.
    pub requests: [bool; 8],
    /// Where the chip itself asks in vain.
    asked: [bool; 8],
}

impl Device for Dma {
    fn decodes(&self, port: u16) -> bool {
        port < 0x10 || (0xC0..0xE0).contains(&port)
    }

    fn read(&mut self, port: u16, _: u8) -> u32 {
        let first = match port {
            0x08 => 0,
            0xD0 => 4,
            _ => return 0,
        };
        (first..first + 4)
            .filter(|&channel| self.requests[channel] || self.asked[channel])
            .fold(0, |bits, channel| bits | 0x10 << (channel - first))
    }

    fn write(&mut self, port: u16, _: u8, value: u32) {
        let line = (value & 3) as usize;
        let channel = if port < 0x10 { line } else { line + 4 };
        match port {
            0x0A | 0xD4 => self.open[channel] = value & 4 == 0,
            0x0B | 0xD6 => self.cascade[channel] = value >> 6 == 3,
            other => panic!("DMA port {other:X}h"),
        }
        let hangs = (0..8).any(|at| self.open[at] && self.cascade[at] && self.requests[at]);
        assert!(!hangs, "the PC has given its bus away");
    }
}

struct Ring {
    start: u32,
    length: u32,
    next: u32,
}

impl Ring {
    fn new(word: u32, above: u32) -> Ring {
        let (start, length) = (word & 0x00FF_FFFF | above, 1 << (word >> 29));
        assert!(start.is_multiple_of(8), "a ring at {start:X}h");
        Ring { start, length, next: 0 }
    }

    fn descriptor(&self) -> u32 {
        self.start + self.next * 8
    }

    fn advance(&mut self) {
        self.next = (self.next + 1) % self.length;
    }
}

/// The model.
pub struct Pcnet {
    base: u16,
    address: [u8; 6],
    ram: Ram,
    /// On ISA: the controllers and the channel that the jumpers say.
    dma: Option<(Rc<RefCell<Dma>>, usize)>,
    selected: u16,
    csr: [u16; 128],
    bcr: [u16; 32],
    station: [u8; 6],
    receive: Option<Ring>,
    transmit: Option<Ring>,
    init_us: u32,
    /// What is on its way out.
    pub wire: Transmitter,
    /// Error bits of the next frames to be sent (underflow 4000h, retries 0400h, ...); nothing: they succeed.
    pub failures: VecDeque<u16>,
    /// Frames that went out.
    pub sent: VecDeque<Vec<u8>>,
    /// Frames that found no descriptor.
    pub missed: usize,
}

impl Pcnet {
    fn new(base: u16, address: [u8; 6], ram: &Ram) -> Pcnet {
        let mut chip = Pcnet {
            base,
            address,
            ram: ram.clone(),
            dma: None,
            selected: 0,
            csr: [0; 128],
            bcr: [0; 32],
            station: [0; 6],
            receive: None,
            transmit: None,
            init_us: 0,
            wire: Transmitter::default(),
            failures: VecDeque::new(),
            sent: VecDeque::new(),
            missed: 0,
        };
        chip.reset();
        chip
    }

    /// An Am79C960 whose jumpers say port and DMA channel.
    pub fn isa(
        base: u16,
        channel: usize,
        dma: &Rc<RefCell<Dma>>,
        address: [u8; 6],
        ram: &Ram,
    ) -> Pcnet {
        Pcnet { dma: Some((dma.clone(), channel)), ..Pcnet::new(base, address, ram) }
    }

    /// An Am79C970A at a port, as a boot ROM left it: in another software style.
    pub fn pci(base: u16, address: [u8; 6], ram: &Ram) -> Pcnet {
        let mut chip = Pcnet::new(base, address, ram);
        chip.bcr[20] = 2;
        chip
    }

    /// What goes wrong on the bus while the chip is at work: it turns itself off.
    pub fn fail_bus(&mut self) {
        self.csr[0] |= BUS_ERROR;
        self.csr[0] &= !(TRANSMITTER_ON | RECEIVER_ON);
    }

    /// A frame comes in with a wrong check sequence.
    pub fn arrive_damaged(&mut self, frame: &[u8]) -> bool {
        self.store(frame, ERROR | CRC)
    }

    /// Whether the card asks for an interrupt.
    pub fn interrupts(&self) -> bool {
        let unmasked = EVENTS & !self.csr[3] & 0x5F00;
        self.csr[0] & INTERRUPTS_ON != 0 && self.csr[0] & unmasked != 0
    }

    fn is_pci(&self) -> bool {
        self.dma.is_none()
    }

    fn reset(&mut self) {
        self.csr = [0; 128];
        self.csr[0] = STOP;
        (self.csr[88], self.csr[89]) =
            if self.is_pci() { (0x1003, 0x0262) } else { (0x3003, 0x0000) };
        self.init_us = 0;
        self.wire.reset();
    }

    fn has_the_bus(&self) -> bool {
        match &self.dma {
            Some((dma, channel)) => dma.borrow().cascade[*channel] && dma.borrow().open[*channel],
            None => true,
        }
    }

    fn ask(&self, asks: bool) {
        if let Some((dma, channel)) = &self.dma {
            dma.borrow_mut().asked[*channel] = asks;
        }
    }

    /// The address bits that descriptors do not have.
    fn above(&self) -> u32 {
        if self.is_pci() { u32::from(self.csr[2] & 0xFF00) << 16 } else { 0 }
    }

    fn initialize(&mut self) {
        if !self.has_the_bus() {
            self.csr[0] |= BUS_ERROR;
            self.ask(true);
            return;
        }
        assert_eq!(self.bcr[20] & 0xFF, 0, "another software style");
        let block = u32::from(self.csr[1]) | u32::from(self.csr[2]) << 16;
        assert!(self.is_pci() || block < 1 << 24, "ISA has 24 address lines");
        assert_eq!(self.ram.word(block), 0, "mode");
        self.station = self.ram.read(block + 2, 6).try_into().unwrap();
        assert_eq!(self.ram.read(block + 8, 8), [0; 8], "multicasts");
        self.receive = Some(Ring::new(self.ram.dword(block + 16), self.above()));
        self.transmit = Some(Ring::new(self.ram.dword(block + 20), self.above()));
        self.csr[0] |= INITIALIZED;
    }

    fn write_csr0(&mut self, value: u16) {
        self.csr[0] &= !(value & EVENTS);
        self.csr[0] = self.csr[0] & !INTERRUPTS_ON | value & INTERRUPTS_ON;
        if value & STOP != 0 {
            self.ask(false);
            self.csr[0] = STOP;
            self.init_us = 0;
            self.wire.reset();
            return;
        }
        if value & INIT != 0 {
            self.csr[0] = self.csr[0] & !STOP | INIT;
            self.init_us = 30;
        }
        if value & START != 0 {
            assert_eq!(self.init_us, 0, "started before it was initialized");
            self.csr[0] = self.csr[0] & !STOP | START | TRANSMITTER_ON | RECEIVER_ON;
        }
        if value & DEMAND != 0 {
            self.begin();
        }
    }

    /// The transmit descriptor that is the chip's: its address, flags and buffer.
    fn outgoing(&self) -> Option<(u32, u32)> {
        let descriptor = self.transmit.as_ref()?.descriptor();
        Some((descriptor, self.ram.dword(descriptor))).filter(|(_, flags)| flags & OWN != 0)
    }

    fn frame_at(&self, descriptor: u32, flags: u32) -> Vec<u8> {
        let size = self.ram.word(descriptor + 4);
        assert_eq!(size >> 12, 0xF, "the ones of a buffer's size");
        let length = 0x1000 - usize::from(size & 0xFFF);
        self.ram.read(flags & 0x00FF_FFFF | self.above(), length)
    }

    fn begin(&mut self) {
        if self.csr[0] & TRANSMITTER_ON == 0 || self.wire.is_busy() {
            return;
        }
        if let Some((descriptor, flags)) = self.outgoing() {
            assert_eq!(flags & (WHOLE | ERROR), WHOLE);
            let length = self.frame_at(descriptor, flags).len().max(60);
            self.wire.begin(length, 10);
        }
    }

    fn end(&mut self) {
        let (descriptor, flags) = self.outgoing().expect("the descriptor was taken from the chip");
        let failure = self.failures.pop_front();
        match failure {
            None => {
                let mut frame = self.frame_at(descriptor, flags);
                let padded = self.csr[4] & 0x0800 != 0;
                frame.resize(frame.len().max(if padded { 60 } else { 0 }), 0);
                self.sent.push_back(frame);
            }
            Some(bits) => {
                self.ram.write(descriptor + 6, &bits.to_le_bytes());
                // An underflow turns the transmitter off, unless it is told to go on (which ISA chips are not).
                if bits & 0x4000 != 0 && !(self.is_pci() && self.csr[3] & 0x0040 != 0) {
                    self.csr[0] &= !TRANSMITTER_ON;
                }
            }
        }
        let flags = flags & !OWN | if failure.is_some() { ERROR } else { 0 };
        self.ram.write(descriptor, &flags.to_le_bytes());
        self.csr[0] |= TRANSMITTED;
        if let Some(ring) = &mut self.transmit {
            ring.advance();
        }
        self.begin();
    }

    fn store(&mut self, frame: &[u8], status: u32) -> bool {
        let wanted = frame[..6] == self.station || frame[..6] == [0xFF; 6];
        let above = self.above();
        let Some(ring) = self.receive.as_mut().filter(|_| self.csr[0] & RECEIVER_ON != 0) else {
            return false;
        };
        if !wanted {
            return false;
        }
        let descriptor = ring.descriptor();
        let flags = self.ram.dword(descriptor);
        if flags & OWN == 0 {
            self.csr[0] |= MISSED;
            self.missed += 1;
            return false;
        }
        let size = self.ram.word(descriptor + 4);
        assert_eq!(size >> 12, 0xF, "the ones of a buffer's size");
        let mut stored = frame.to_vec();
        stored.extend([0xFC; 4]);
        assert!(stored.len() <= 0x1000 - usize::from(size & 0xFFF), "buffers are not chained");
        self.ram.write(flags & 0x00FF_FFFF | above, &stored);
        self.ram.write(descriptor + 6, &(stored.len() as u16).to_le_bytes());
        self.ram.write(descriptor, &(flags & !OWN | WHOLE | status).to_le_bytes());
        ring.advance();
        self.csr[0] |= RECEIVED;
        true
    }
}

impl Device for Pcnet {
    fn decodes(&self, port: u16) -> bool {
        let ports = if self.is_pci() { 0x20 } else { 0x18 };
        (self.base..self.base + ports).contains(&port)
    }

    fn read(&mut self, port: u16, size: u8) -> u32 {
        match (port - self.base, size) {
            (register @ 0..6, 1) => u32::from(self.address[usize::from(register)]),
            (14 | 15, 1) => u32::from(b'W'),
            (6..16, 1) => 0,
            (0x10, 2) => {
                let value = self.csr[usize::from(self.selected & 0x7F)];
                let events = u16::from(self.selected == 0 && value & EVENTS != 0) << 7;
                u32::from(value | events)
            }
            (0x12, 2) => self.selected.into(),
            (0x14, 2) => {
                self.reset();
                0
            }
            (0x16, 2) => self.bcr[usize::from(self.selected & 0x1F)].into(),
            // Double word I/O is not what the chip is in.
            (0x18, 4) => u32::MAX,
            other => panic!("a read at {other:?}"),
        }
    }

    fn write(&mut self, port: u16, size: u8, value: u32) {
        let value = value as u16;
        match (port - self.base, size) {
            (0x10, 2) if self.selected == 0 => self.write_csr0(value),
            (0x10, 2) => {
                assert!(self.csr[0] & STOP != 0, "CSR{} of a running chip", self.selected);
                self.csr[usize::from(self.selected & 0x7F)] = value;
            }
            (0x12, 2) => self.selected = value,
            (0x16, 2) => self.bcr[usize::from(self.selected & 0x1F)] = value,
            // The address PROM.
            (0..16, _) => {}
            other => panic!("a write at {other:?}"),
        }
    }

    fn elapse(&mut self, us: u32) {
        if self.init_us > 0 {
            self.init_us = self.init_us.saturating_sub(us);
            if self.init_us == 0 {
                self.initialize();
            }
        }
        let mut left = us;
        while self.wire.elapse(&mut left) {
            self.end();
        }
    }
}

impl Station for Pcnet {
    fn arrive(&mut self, frame: &[u8]) -> bool {
        self.store(frame, 0)
    }

    fn depart(&mut self) -> Option<Vec<u8>> {
        self.sent.pop_front()
    }
}
