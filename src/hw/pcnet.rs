//! AMD PCnet-PCI cards: Am79C970, Am79C970A, Am79C973 and their kin.
//!
//! Source: AMD Am79C970A data sheet (19436). Polled, in 32-bit software style (style 2), word I/O. Frames
//! go through two rings of descriptors; a descriptor and its buffer are the chip's exactly while its OWN
//! bit is set. What always holds: the chip fills receive descriptors in order, `receive` being the next
//! one to come back; `filled` is the next transmit descriptor to be handed over, `ended` the oldest whose
//! outcome was not looked at, `busy` how many lie between them.

use super::dma::DmaRegion;
use super::ports::Ports;
use crate::net::nic::{Class, DriverInfo, Nic, ReceiveMode, SendError, Statistics};

const REGISTER_DATA: u16 = 0x10;
const REGISTER_ADDRESS: u16 = 0x12;
const RESET: u16 = 0x14;
const BUS_DATA: u16 = 0x16;
/// The reset port where somebody left the chip in double word I/O.
const RESET_DWORD: u16 = 0x18;

/// Bits of CSR0.
const INIT: u16 = 0x0001;
const START: u16 = 0x0002;
const STOP: u16 = 0x0004;
const DEMAND: u16 = 0x0008;
const INTERRUPTS_ON: u16 = 0x0040;
const INITIALIZED: u16 = 0x0100;
const EVENTS: u16 = 0x7F00;
const MISSED: u16 = 0x1000;
/// CSR3: all interrupts but the receiver's masked; transmission goes on after an underflow.
const MASKS: u16 = 0x5B40;
/// CSR4: short frames are padded; counters and jabber raise no interrupt.
const FEATURES: u16 = 0x0915;
/// BCR20: software style 2, 32-bit structures.
const STYLE: u16 = 0x0002;
/// BCR2: the chip chooses between twisted pair and AUI.
const AUTO_SELECT: u16 = 0x0002;

const OWN: u32 = 1 << 31;
const ERROR: u32 = 1 << 30;
/// First and last buffer of a frame.
const WHOLE: u32 = 3 << 24;
const ONES: u32 = 0xF000;

const RECEIVERS: usize = 8;
const TRANSMITTERS: usize = 4;
const FRAME: usize = 1536;
const INIT_BLOCK: usize = 0;
const RECEIVE_RING: usize = 32;
const TRANSMIT_RING: usize = RECEIVE_RING + RECEIVERS * 16;
const RECEIVE_BUFFERS: usize = TRANSMIT_RING + TRANSMITTERS * 16;
const TRANSMIT_BUFFERS: usize = RECEIVE_BUFFERS + RECEIVERS * FRAME;
/// Bytes of memory that the driver shares with the card.
pub const MEMORY: usize = TRANSMIT_BUFFERS + TRANSMITTERS * FRAME;
/// Logarithms of the ring sizes, where the initialization block has them.
const RING_SIZES: u32 = 2 << 28 | 3 << 20;
const LONGEST: usize = 1514;

/// A driver with its card.
pub struct Pcnet<P, R> {
    ports: P,
    io: u16,
    irq: Option<u8>,
    region: R,
    address: [u8; 6],
    statistics: Statistics,
    listening: bool,
    receive: usize,
    filled: usize,
    ended: usize,
    busy: usize,
}

impl<P: Ports, R: DmaRegion> Pcnet<P, R> {
    /// The card at `io`, with [`MEMORY`] bytes in `region`. `None` when it does not come out of reset, or
    /// does not reach the memory.
    pub fn new(mut ports: P, io: u16, irq: Option<u8>, region: R) -> Option<Pcnet<P, R>> {
        ports.inl(io + RESET_DWORD);
        ports.inw(io + RESET);
        ports.delay_us(1_000);
        let mut address = [0; 6];
        for (byte, register) in address.iter_mut().zip(io..) {
            *byte = ports.inb(register);
        }
        let mut card = Pcnet {
            ports,
            io,
            irq,
            region,
            address,
            statistics: Statistics::default(),
            listening: true,
            receive: 0,
            filled: 0,
            ended: 0,
            busy: 0,
        };
        (card.status() == STOP && card.start()).then_some(card)
    }

    fn select(&mut self, register: u16) {
        self.ports.outw(self.io + REGISTER_ADDRESS, register);
    }

    fn set(&mut self, register: u16, value: u16) {
        self.select(register);
        self.ports.outw(self.io + REGISTER_DATA, value);
    }

    fn set_bus(&mut self, register: u16, value: u16) {
        self.select(register);
        self.ports.outw(self.io + BUS_DATA, value);
    }

    fn status(&mut self) -> u16 {
        self.select(0);
        self.ports.inw(self.io + REGISTER_DATA)
    }

    /// Writes CSR0: acknowledges events and gives commands; bits of zero change nothing.
    fn command(&mut self, bits: u16) {
        let interrupts = if self.irq.is_some() { INTERRUPTS_ON } else { 0 };
        self.set(0, bits | interrupts);
    }

    /// Lays out rings and initialization block, and starts the chip on them; whether it did.
    fn start(&mut self) -> bool {
        let base = self.region.address();
        let at = |offset: usize| base.wrapping_add(offset as u32);
        self.set_bus(20, STYLE);
        self.select(2);
        let select = self.ports.inw(self.io + BUS_DATA);
        self.set_bus(2, select | AUTO_SELECT);
        self.set(3, MASKS);
        self.set(4, FEATURES);
        for index in 0..RECEIVERS {
            self.region.set(RECEIVE_RING + index * 16, at(RECEIVE_BUFFERS + index * FRAME));
            self.offer(index);
        }
        for index in 0..TRANSMITTERS {
            self.region.set(TRANSMIT_RING + index * 16, at(TRANSMIT_BUFFERS + index * FRAME));
            self.region.set(TRANSMIT_RING + index * 16 + 4, 0);
        }
        let [a, b, c, d, e, f] = self.address;
        let block = [
            RING_SIZES,
            u32::from_le_bytes([a, b, c, d]),
            u32::from_le_bytes([e, f, 0, 0]),
            0,
            0,
            at(RECEIVE_RING),
            at(TRANSMIT_RING),
        ];
        for (index, value) in block.into_iter().enumerate() {
            self.region.set(INIT_BLOCK + index * 4, value);
        }
        let [low0, low1, high0, high1] = at(INIT_BLOCK).to_le_bytes();
        self.set(1, u16::from_le_bytes([low0, low1]));
        self.set(2, u16::from_le_bytes([high0, high1]));
        self.set(0, INIT);
        let done = (0..100).any(|_| {
            self.ports.delay_us(100);
            self.status() & INITIALIZED != 0
        });
        self.command(EVENTS | START);
        done
    }

    /// Gives a receive descriptor to the chip.
    fn offer(&mut self, index: usize) {
        let descriptor = RECEIVE_RING + index * 16;
        self.region.set(descriptor + 8, 0);
        self.region.set(descriptor + 4, OWN | ONES | (FRAME as u32).wrapping_neg() & 0xFFF);
    }

    /// Counts how frames ended that the chip has sent.
    fn settle(&mut self) {
        while self.busy > 0 {
            let status = self.region.get(TRANSMIT_RING + self.ended * 16 + 4);
            if status & OWN != 0 {
                return;
            }
            if status & ERROR != 0 {
                self.statistics.errors_out = self.statistics.errors_out.wrapping_add(1);
            }
            self.ended = (self.ended + 1) % TRANSMITTERS;
            self.busy -= 1;
        }
    }

    /// Acknowledges what happened, and counts frames that found no descriptor.
    fn acknowledge(&mut self) {
        let events = self.status() & EVENTS;
        if events != 0 {
            if events & MISSED != 0 {
                self.statistics.count_lost(1);
            }
            self.command(events);
        }
    }

    /// Takes the frame of a descriptor that came back.
    fn take(&mut self, status: u32, buffer: &mut [u8]) -> Option<usize> {
        let descriptor = RECEIVE_RING + self.receive * 16;
        // The count is of the frame check sequence, too.
        let length = (self.region.get(descriptor + 8) as usize & 0xFFF).wrapping_sub(4);
        if status & ERROR != 0 || status & WHOLE != WHOLE || !(14..=LONGEST + 4).contains(&length) {
            self.statistics.errors_in = self.statistics.errors_in.wrapping_add(1);
            return None;
        }
        if !self.listening {
            return None;
        }
        let Some(buffer) = buffer.get_mut(..length) else {
            self.statistics.count_lost(1);
            return None;
        };
        self.region.read(RECEIVE_BUFFERS + self.receive * FRAME, buffer);
        self.statistics.count_in(length);
        Some(length)
    }
}

impl<P: Ports, R: DmaRegion> Nic for Pcnet<P, R> {
    fn info(&self) -> DriverInfo {
        DriverInfo {
            name: "AMD PCnet",
            class: Class::Ethernet,
            io: self.io,
            irq: self.irq,
            mtu: 1500,
            receive_frames: RECEIVERS as u8,
        }
    }

    fn address(&self) -> [u8; 6] {
        self.address
    }

    fn can_send(&mut self) -> bool {
        self.settle();
        self.busy < TRANSMITTERS
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        if !(14..=LONGEST).contains(&frame.len()) {
            return Err(SendError::BadLength);
        }
        if !self.can_send() {
            return Err(SendError::Busy);
        }
        self.region.write(TRANSMIT_BUFFERS + self.filled * FRAME, frame);
        let descriptor = TRANSMIT_RING + self.filled * 16;
        self.region.set(descriptor + 8, 0);
        let length = frame.len() as u32;
        self.region.set(descriptor + 4, OWN | WHOLE | ONES | length.wrapping_neg() & 0xFFF);
        self.command(DEMAND);
        self.filled = (self.filled + 1) % TRANSMITTERS;
        self.busy += 1;
        self.statistics.count_out(frame.len());
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        // Bounded: frames with errors go by, at most a ring of them in a call.
        for _ in 0..RECEIVERS {
            let mut status = self.region.get(RECEIVE_RING + self.receive * 16 + 4);
            if status & OWN != 0 {
                self.acknowledge();
                // What came before the acknowledgement raises no further interrupt.
                status = self.region.get(RECEIVE_RING + self.receive * 16 + 4);
                if status & OWN != 0 {
                    return None;
                }
            }
            let taken = self.take(status, buffer);
            self.offer(self.receive);
            self.receive = (self.receive + 1) % RECEIVERS;
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    fn set_receive_mode(&mut self, mode: ReceiveMode) {
        self.listening = mode != ReceiveMode::Off;
    }

    fn statistics(&self) -> Statistics {
        self.statistics
    }
}
