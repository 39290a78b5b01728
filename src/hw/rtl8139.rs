//! Realtek RTL8139 Fast Ethernet cards on PCI.
//!
//! Source: Realtek RTL8139C(L) data sheet and "RTL8139(A/B) Programming Guide". Polled. The chip writes
//! frames one after another into a ring, each behind a double word of status and length, and sends from
//! four buffers in turn. What always holds: `read` is where the next frame's header is or will be; `next`
//! is the descriptor that is filled next.

use super::dma::{DmaRegion, station_address};
use super::ports::Ports;
use crate::net::nic::{Class, DriverInfo, Nic, ReceiveMode, SendError, Statistics};

/// Transmit status of four descriptors.
const TRANSMIT_STATUS: u16 = 0x10;
const TRANSMIT_ADDRESS: u16 = 0x20;
const RING_START: u16 = 0x30;
const COMMAND: u16 = 0x37;
/// Where the driver reads, less 16.
const READ_POINTER: u16 = 0x38;
const INTERRUPT_MASK: u16 = 0x3C;
const INTERRUPTS: u16 = 0x3E;
const TRANSMIT_CONFIG: u16 = 0x40;
const RECEIVE_CONFIG: u16 = 0x44;
const MISSED: u16 = 0x4C;
const CONFIG1: u16 = 0x52;

const RESET: u8 = 0x10;
const RUN: u8 = 0x0C;
const EMPTY: u8 = 0x01;
/// Receive OK and error, ring and FIFO overflow.
const EVENTS: u16 = 0x0053;
const OVERFLOW: u16 = 0x0050;

const OWN: u32 = 1 << 13;
const SENT: u32 = 1 << 15;
const ABORTED: u32 = 1 << 30;
/// Begin to send with 256 bytes in the FIFO.
const THRESHOLD: u32 = 8 << 16;
/// Bursts of 1024 bytes, the standard gap between frames.
const TRANSMIT_MODE: u32 = 0x0300_0600;
const CLEAR_ABORT: u32 = 1;
/// No FIFO threshold, unlimited bursts, a 16 KB ring past whose end a frame may run on.
const RECEIVE_MODE: u32 = 0xEF80;
/// Frames to this card and broadcasts.
const ACCEPT: u32 = 0x0A;

const RING: usize = 16 * 1024;
/// A frame that begins before the ring's end goes on behind it.
const RING_MEMORY: usize = RING + 16 + 1536 + 512;
const FRAME: usize = 1536;
/// Bytes of memory that the driver shares with the card.
pub const MEMORY: usize = RING_MEMORY + 4 * FRAME;
/// The frame at the ring's end is not complete yet.
const UNFINISHED: usize = 0xFFF0;
/// Polls until the transmitter counts as stuck, which it is while the link is down: most of a second at least.
const FULL_POLLS: u32 = 200_000;
const SHORTEST: usize = 60;
const LONGEST: usize = 1514;

/// A driver with its card.
pub struct Rtl8139<P, R> {
    ports: P,
    io: u16,
    irq: Option<u8>,
    region: R,
    address: [u8; 6],
    statistics: Statistics,
    accept: u32,
    read: usize,
    next: u16,
    /// Descriptors whose outcome was not looked at yet, by bits.
    pending: u8,
    /// Calls in a row that found no room.
    full: u32,
}

impl<P: Ports, R: DmaRegion> Rtl8139<P, R> {
    /// The card at `io`, with [`MEMORY`] bytes in `region`. `None` when it does not come out of reset.
    pub fn new(mut ports: P, io: u16, irq: Option<u8>, region: R) -> Option<Rtl8139<P, R>> {
        // Out of power down.
        ports.outb(io + CONFIG1, 0);
        let address = station_address(&mut ports, io);
        let mut card = Rtl8139 {
            ports,
            io,
            irq,
            region,
            address,
            statistics: Statistics::default(),
            accept: ACCEPT,
            read: 0,
            next: 0,
            pending: 0,
            full: 0,
        };
        card.start().then_some(card)
    }

    /// Resets the chip and puts it to work with an empty ring; whether it answered.
    fn start(&mut self) -> bool {
        let io = self.io;
        self.ports.outb(io + COMMAND, RESET);
        let ready = (0..100).any(|_| {
            self.ports.delay_us(100);
            self.ports.inb(io + COMMAND) & RESET == 0
        });
        let base = self.region.address();
        self.ports.outl(io + RING_START, base);
        for descriptor in 0..4 {
            let buffer = base.wrapping_add(buffer(descriptor) as u32);
            self.ports.outl(io + TRANSMIT_ADDRESS + descriptor * 4, buffer);
        }
        // The configuration registers take effect only while both halves run.
        self.ports.outb(io + COMMAND, RUN);
        self.ports.outl(io + RECEIVE_CONFIG, RECEIVE_MODE | self.accept);
        self.ports.outl(io + TRANSMIT_CONFIG, TRANSMIT_MODE);
        self.ports.outl(io + MISSED, 0);
        self.ports.outw(io + INTERRUPTS, 0xFFFF);
        self.ports.outw(io + INTERRUPT_MASK, if self.irq.is_some() { EVENTS } else { 0 });
        (self.read, self.next, self.pending) = (0, 0, 0);
        ready
    }

    /// Counts how the descriptors' frames ended; the one that is filled next is then free, or not.
    fn settle(&mut self) {
        for descriptor in 0..4 {
            let bit = 1 << descriptor;
            if self.pending & bit == 0 {
                continue;
            }
            let status = self.ports.inl(self.io + TRANSMIT_STATUS + descriptor * 4);
            if status & (SENT | ABORTED) == 0 {
                continue;
            }
            self.pending &= !bit;
            if status & ABORTED != 0 {
                self.statistics.count_error_out();
                self.ports.outl(self.io + TRANSMIT_CONFIG, TRANSMIT_MODE | CLEAR_ABORT);
            }
        }
    }

    fn empty(&mut self) -> bool {
        self.ports.inb(self.io + COMMAND) & EMPTY != 0
    }

    /// Acknowledges what happened; whether anything had. After an overflow the chip goes on when the ring
    /// is empty and the event is acknowledged.
    fn acknowledge(&mut self) -> bool {
        let events = self.ports.inw(self.io + INTERRUPTS);
        if events == 0 {
            return false;
        }
        self.ports.outw(self.io + INTERRUPTS, events);
        if events & OVERFLOW != 0 {
            let missed = self.ports.inl(self.io + MISSED) & 0xFF_FFFF;
            self.ports.outl(self.io + MISSED, 0);
            self.statistics.count_lost(missed.max(1));
        }
        true
    }
}

/// Offset of a transmit buffer in the shared memory.
fn buffer(descriptor: u16) -> usize {
    RING_MEMORY + usize::from(descriptor & 3) * FRAME
}

impl<P: Ports, R: DmaRegion> Nic for Rtl8139<P, R> {
    fn info(&self) -> DriverInfo {
        DriverInfo {
            name: "RTL8139",
            class: Class::Ethernet,
            io: self.io,
            irq: self.irq,
            mtu: 1500,
            receive_frames: (RING / FRAME) as u8,
        }
    }

    fn address(&self) -> [u8; 6] {
        self.address
    }

    fn can_send(&mut self) -> bool {
        self.settle();
        if self.pending & 1 << self.next == 0 {
            self.full = 0;
            return true;
        }
        self.full += 1;
        if self.full >= FULL_POLLS {
            self.full = 0;
            self.statistics.count_error_out();
            self.start();
        }
        false
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        if frame.len() > LONGEST {
            return Err(SendError::BadLength);
        }
        if !self.can_send() {
            return Err(SendError::Busy);
        }
        let buffer = buffer(self.next);
        self.region.write(buffer, frame);
        if let Some(padding) = [0; SHORTEST].get(frame.len()..) {
            self.region.write(buffer + frame.len(), padding);
        }
        let length = frame.len().max(SHORTEST) as u32;
        // Clearing OWN starts the transmission.
        let status = (THRESHOLD | length) & !OWN;
        self.ports.outl(self.io + TRANSMIT_STATUS + self.next * 4, status);
        self.pending |= 1 << self.next;
        self.next = (self.next + 1) & 3;
        self.statistics.count_out(length as usize);
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        // What came before the acknowledgement raises no further interrupt.
        if self.empty() && (!self.acknowledge() || self.empty()) {
            return None;
        }
        let header = self.region.get(self.read);
        let (status, length) = (header & 0xFFFF, (header >> 16) as usize);
        if length == UNFINISHED {
            return None;
        }
        // The length counts the frame check sequence.
        let frame = length.wrapping_sub(4);
        if status & 1 == 0 || !(14..=LONGEST + 4).contains(&frame) {
            // After an error the ring's order cannot be relied on (programming guide, "Receive").
            self.statistics.count_error_in();
            self.start();
            return None;
        }
        let taken = buffer.get_mut(..frame).map(|buffer| {
            self.region.read(self.read + 4, buffer);
            frame
        });
        self.read = (self.read + length + 4).next_multiple_of(4) % RING;
        self.ports.outw(self.io + READ_POINTER, (self.read as u16).wrapping_sub(16));
        match taken {
            Some(frame) => self.statistics.count_in(frame),
            None => self.statistics.count_lost(1),
        }
        taken
    }

    fn set_receive_mode(&mut self, mode: ReceiveMode) {
        self.accept = if mode == ReceiveMode::Off { 0 } else { ACCEPT };
        self.ports.outl(self.io + RECEIVE_CONFIG, RECEIVE_MODE | self.accept);
    }

    fn statistics(&self) -> Statistics {
        self.statistics
    }
}
