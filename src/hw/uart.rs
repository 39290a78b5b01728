//! 8250 to 16550A UART, polled.
//!
//! Source: National Semiconductor PC16550D data sheet. The 8250 of the first PCs has no FIFO and no
//! scratch register; its divisor latch reads back, which tells that a UART is there.

use super::ports::Ports;

/// First port of COM1 by IBM's assignment.
pub const COM1: u16 = 0x3F8;
/// First port and interrupt line of COM1 to COM4, as PCs have them.
pub const COM_PORTS: [(u16, u8); 4] = [(COM1, 4), (0x2F8, 3), (0x3E8, 4), (0x2E8, 3)];
/// Fastest rate of a PC's UART (1.8432 MHz / 16).
pub const MAX_BAUD: u32 = 115_200;

const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const INTERRUPT_ID: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;

const DIVISOR_LATCH: u8 = 0x80;
const EIGHT_N_ONE: u8 = 0x03;
const FIFO_ON_AND_CLEAR: u8 = 0x07;
const FIFO_WORKS: u8 = 0xC0;
const DTR_RTS: u8 = 0x03;
/// On a PC this output lets the chip's interrupt out to the bus.
const OUT2: u8 = 0x08;
const RECEIVER_INTERRUPT: u8 = 0x01;
const TRANSMITTER_INTERRUPT: u8 = 0x02;
const DATA_READY: u8 = 0x01;
const OVERRUN: u8 = 0x02;
/// Parity, framing, break.
const DAMAGED: u8 = 0x1C;
const TRANSMITTER_EMPTY: u8 = 0x20;

/// An initialised UART.
pub struct Uart<P> {
    ports: P,
    base: u16,
    /// Bytes that the transmitter takes when it says that it is empty, and that the receiver keeps.
    burst: usize,
    /// The byte that comes behind lost ones is so many bytes ahead; 0: none.
    gap: u8,
}

impl<P: Ports> Uart<P> {
    /// Sets the UART at `base` to `baud`, 8 data bits, no parity, 1 stop bit, DTR and RTS on, no
    /// interrupts. `None` when there is no UART or the rate is out of range.
    pub fn new(mut ports: P, base: u16, baud: u32) -> Option<Uart<P>> {
        let divisor = u16::try_from(MAX_BAUD.checked_div(baud)?).ok().filter(|&d| d > 0)?;
        let [low, high] = divisor.to_le_bytes();
        ports.outb(base + INTERRUPT_ENABLE, 0);
        ports.outb(base + LINE_CONTROL, DIVISOR_LATCH);
        ports.outb(base + DATA, !low);
        ports.outb(base + INTERRUPT_ENABLE, high);
        let there = ports.inb(base + DATA) == !low;
        ports.outb(base + DATA, low);
        let there =
            there && ports.inb(base + DATA) == low && ports.inb(base + INTERRUPT_ENABLE) == high;
        if !there {
            return None;
        }
        ports.outb(base + LINE_CONTROL, EIGHT_N_ONE);
        ports.outb(base + FIFO_CONTROL, FIFO_ON_AND_CLEAR);
        ports.outb(base + MODEM_CONTROL, DTR_RTS);
        // The 16550 without A has a broken FIFO and shows one bit only.
        let fifo = ports.inb(base + INTERRUPT_ID) & FIFO_WORKS == FIFO_WORKS;
        if !fifo {
            ports.outb(base + FIFO_CONTROL, 0);
        }
        Some(Uart { ports, base, burst: if fifo { 16 } else { 1 }, gap: 0 })
    }

    /// Hands the transmitter what it takes of `bytes` without waiting; how many that were.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        for &byte in bytes.iter().take(count) {
            self.ports.outb(self.base + DATA, byte);
        }
        count
    }

    /// Bytes that [`Uart::put`] takes now.
    pub fn room(&mut self) -> usize {
        if self.line_status() & TRANSMITTER_EMPTY != 0 { self.burst } else { 0 }
    }

    /// Reading it clears the overrun, which tells of bytes that were lost behind a full FIFO, or before the
    /// byte that took their place where there is none.
    fn line_status(&mut self) -> u8 {
        let status = self.ports.inb(self.base + LINE_STATUS);
        if status & OVERRUN != 0 && self.gap == 0 {
            self.gap = if self.burst > 1 { self.burst as u8 + 1 } else { 1 };
        }
        status
    }

    /// Gives the transmitter a byte of those that [`Uart::room`] promised.
    pub fn put(&mut self, byte: u8) {
        self.ports.outb(self.base + DATA, byte);
    }

    /// The next byte received, and whether it is damaged or the one before it was lost.
    pub fn get(&mut self) -> Option<(u8, bool)> {
        let status = self.line_status();
        if status & DATA_READY == 0 || status == 0xFF {
            return None;
        }
        let behind_gap = self.gap == 1;
        self.gap = self.gap.saturating_sub(1);
        Some((self.ports.inb(self.base + DATA), behind_gap || status & DAMAGED != 0))
    }

    /// Whether received bytes and an empty transmitter raise the interrupt.
    pub fn set_interrupts(&mut self, receiver: bool, transmitter: bool) {
        let receiver = if receiver { RECEIVER_INTERRUPT } else { 0 };
        let transmitter = if transmitter { TRANSMITTER_INTERRUPT } else { 0 };
        let enable = receiver | transmitter;
        let outputs = if enable == 0 { DTR_RTS } else { DTR_RTS | OUT2 };
        self.ports.outb(self.base + MODEM_CONTROL, outputs);
        self.ports.outb(self.base + INTERRUPT_ENABLE, enable);
    }
}
