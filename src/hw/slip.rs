//! IP over a serial line: SLIP on an 8250 to 16550A.
//!
//! Source: RFC 1055. Polled; the UART's interrupt only ends the CPU's HLT. What always holds: `input` has
//! the packet under way, unescaped; `output` the packet that is being sent, of which `sent` bytes left.
//! A line has no flow control here: what arrives while a BIOS call runs can be lost, and TCP sends it
//! again.

use super::ports::Ports;
use super::uart::Uart;
use crate::memory::{Memory, OutOfMemory};
use crate::net::nic::{Class, DriverInfo, Nic, ReceiveMode, SendError, Statistics};

const END: u8 = 0xC0;
const ESC: u8 = 0xDB;
const ESC_END: u8 = 0xDC;
const ESC_ESC: u8 = 0xDD;

/// What RFC 1055 asks everybody to take.
const MTU: u16 = 1006;
/// Longest packet that is received; the other end may not know our limit.
const LONGEST: usize = 1500;
/// Bytes of the receiver's looked at in a call: more than any FIFO holds.
const BUDGET: usize = 64;

/// How far the packet in `output` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Nothing,
    /// The END before it, which ends what noise there was.
    Begin,
    Data,
    /// The second byte of an escape.
    Escaped(u8),
}

/// A serial line.
pub struct Slip<'a, P> {
    uart: Uart<P>,
    io: u16,
    irq: u8,
    input: &'a mut [u8],
    received: usize,
    escape: bool,
    /// The packet under way is damaged or too long.
    bad: bool,
    output: &'a mut [u8],
    length: usize,
    sent: usize,
    sending: Sending,
    statistics: Statistics,
}

impl<'a, P: Ports> Slip<'a, P> {
    /// Speaks SLIP over `uart`, which is at `io` and raises `irq`.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new<M: Memory<'a>>(
        mut uart: Uart<P>,
        io: u16,
        irq: u8,
        memory: &mut M,
    ) -> Result<Slip<'a, P>, OutOfMemory> {
        uart.set_interrupts(true, false);
        Ok(Slip {
            uart,
            io,
            irq,
            input: memory.bytes("serial packets", LONGEST)?,
            received: 0,
            escape: false,
            bad: false,
            output: memory.bytes("serial packets", LONGEST)?,
            length: 0,
            sent: 0,
            sending: Sending::Nothing,
            statistics: Statistics::default(),
        })
    }

    /// The next byte for the line; `None` when the packet is out.
    fn next_byte(&mut self) -> Option<u8> {
        match self.sending {
            Sending::Nothing => None,
            Sending::Begin => {
                self.sending = Sending::Data;
                Some(END)
            }
            Sending::Escaped(byte) => {
                self.sending = Sending::Data;
                Some(byte)
            }
            Sending::Data => {
                let byte = self.output.get(self.sent).filter(|_| self.sent < self.length);
                self.sent += 1;
                Some(match byte {
                    Some(&END) => {
                        self.sending = Sending::Escaped(ESC_END);
                        ESC
                    }
                    Some(&ESC) => {
                        self.sending = Sending::Escaped(ESC_ESC);
                        ESC
                    }
                    Some(&byte) => byte,
                    None => {
                        self.sending = Sending::Nothing;
                        END
                    }
                })
            }
        }
    }

    /// Gives the transmitter what it takes.
    fn transmit(&mut self) {
        if self.sending == Sending::Nothing {
            return;
        }
        for _ in 0..self.uart.room() {
            let Some(byte) = self.next_byte() else { break };
            self.uart.put(byte);
        }
        if self.sending == Sending::Nothing {
            self.uart.set_interrupts(true, false);
        }
    }

    /// Adds a byte from the line; whether it ended a packet, which is then the first bytes of `input`.
    fn accept(&mut self, byte: u8, damaged: bool) -> Option<usize> {
        self.bad |= damaged;
        let data = match (byte, core::mem::take(&mut self.escape)) {
            (END, _) => {
                let length = core::mem::take(&mut self.received);
                let bad = core::mem::take(&mut self.bad);
                if bad {
                    self.statistics.count_error_in();
                }
                return Some(length).filter(|&length| length > 0 && !bad);
            }
            (ESC, _) => {
                self.escape = true;
                return None;
            }
            (ESC_END, true) => END,
            (ESC_ESC, true) => ESC,
            // RFC 1055: a protocol violation, the byte is taken as it is.
            (byte, _) => byte,
        };
        match self.input.get_mut(self.received) {
            Some(slot) => {
                *slot = data;
                self.received += 1;
            }
            None => self.bad = true,
        }
        None
    }
}

impl<P: Ports> Nic for Slip<'_, P> {
    fn info(&self) -> DriverInfo {
        DriverInfo {
            name: "SLIP",
            class: Class::Slip,
            io: self.io,
            irq: Some(self.irq),
            mtu: MTU,
            receive_frames: 3,
        }
    }

    fn address(&self) -> [u8; 6] {
        [0; 6]
    }

    fn can_send(&mut self) -> bool {
        self.transmit();
        self.sending == Sending::Nothing
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), SendError> {
        if !self.can_send() {
            return Err(SendError::Busy);
        }
        let Some(output) = self.output.get_mut(..packet.len()).filter(|_| !packet.is_empty())
        else {
            return Err(SendError::BadLength);
        };
        output.copy_from_slice(packet);
        (self.length, self.sent, self.sending) = (packet.len(), 0, Sending::Begin);
        self.uart.set_interrupts(true, true);
        self.transmit();
        self.statistics.count_out(packet.len());
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        self.transmit();
        for _ in 0..BUDGET {
            let (byte, damaged) = self.uart.get()?;
            let Some(length) = self.accept(byte, damaged) else { continue };
            let (Some(to), Some(from)) = (buffer.get_mut(..length), self.input.get(..length))
            else {
                self.statistics.count_lost(1);
                continue;
            };
            to.copy_from_slice(from);
            self.statistics.count_in(length);
            return Some(length);
        }
        None
    }

    fn set_receive_mode(&mut self, mode: ReceiveMode) {
        self.uart.set_interrupts(mode != ReceiveMode::Off, self.sending != Sending::Nothing);
    }

    fn statistics(&self) -> Statistics {
        self.statistics
    }
}
