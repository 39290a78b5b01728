//! UARTs of PCs: 8250, 16450, 16550 and 16550A (National Semiconductor PC16550D data sheet), with a line
//! that takes its time; and the other end of a SLIP line.
//!
//! Strict where drivers go wrong: a byte that is written while the transmitter has no room, or before line
//! and speed are set, is a failure of the test.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::{Device, Station};

const OVERRUN: u8 = 0x02;
/// A byte with a framing error, for [`Uart::feed_bad`].
const FRAMING: u8 = 0x08;

/// Which UART.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No FIFO, no scratch register.
    Ins8250,
    /// No FIFO.
    Ns16450,
    /// A FIFO that does not work.
    Ns16550,
    /// Sixteen bytes each way.
    Ns16550A,
}

/// The model.
pub struct Uart {
    base: u16,
    kind: Kind,
    interrupt_enable: u8,
    fifo_control: u8,
    line_control: u8,
    modem_control: u8,
    scratch: u8,
    divisor: [u8; 2],
    /// On the line to the chip, with error bits.
    incoming: VecDeque<(u8, u8)>,
    received: VecDeque<(u8, u8)>,
    overrun: bool,
    outgoing: VecDeque<u8>,
    shifting: Option<u8>,
    receive_ns: u64,
    transmit_ns: u64,
    /// What went out on the line.
    pub sent: Vec<u8>,
    /// Bytes that found no room.
    pub lost: usize,
}

impl Uart {
    /// A UART after power-on.
    pub fn new(base: u16, kind: Kind) -> Uart {
        Uart {
            base,
            kind,
            interrupt_enable: 0,
            fifo_control: 0,
            line_control: 0,
            modem_control: 0,
            scratch: 0,
            divisor: [0; 2],
            incoming: VecDeque::new(),
            received: VecDeque::new(),
            overrun: false,
            outgoing: VecDeque::new(),
            shifting: None,
            receive_ns: 0,
            transmit_ns: 0,
            sent: Vec::new(),
            lost: 0,
        }
    }

    /// Bytes come in one after the other at the line's speed.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.incoming.extend(bytes.iter().map(|&byte| (byte, 0)));
    }

    /// A byte comes in with a framing error.
    pub fn feed_bad(&mut self, byte: u8) {
        self.incoming.push_back((byte, FRAMING));
    }

    /// Bytes that are still on the line to the chip.
    pub fn pending(&self) -> usize {
        self.incoming.len()
    }

    /// Bits a second.
    pub fn baud(&self) -> u32 {
        115_200 / u32::from(u16::from_le_bytes(self.divisor)).max(1)
    }

    /// Whether the chip asks for an interrupt, and the PC lets it through.
    pub fn interrupts(&self) -> bool {
        let receiver = self.interrupt_enable & 1 != 0 && !self.received.is_empty();
        let transmitter = self.interrupt_enable & 2 != 0 && self.outgoing.is_empty();
        self.modem_control & 8 != 0 && (receiver || transmitter)
    }

    fn byte_ns(&self) -> u64 {
        10_000_000_000 / u64::from(self.baud())
    }

    fn has_fifo(&self) -> bool {
        self.kind == Kind::Ns16550A && self.fifo_control & 1 != 0
    }

    fn depth(&self) -> usize {
        if self.has_fifo() { 16 } else { 1 }
    }

    fn latch(&self) -> bool {
        self.line_control & 0x80 != 0
    }

    fn line_status(&mut self) -> u8 {
        let mut status = 0;
        if let Some((_, errors)) = self.received.front() {
            status |= 0x01 | errors;
        }
        if std::mem::take(&mut self.overrun) {
            status |= OVERRUN;
        }
        if self.outgoing.is_empty() {
            status |= 0x20;
            if self.shifting.is_none() {
                status |= 0x40;
            }
        }
        status
    }

    fn store(&mut self, byte: (u8, u8)) {
        if self.received.len() < self.depth() {
            self.received.push_back(byte);
            return;
        }
        self.overrun = true;
        self.lost += 1;
        if !self.has_fifo() {
            self.received = VecDeque::from([byte]);
        }
    }
}

impl Device for Uart {
    fn decodes(&self, port: u16) -> bool {
        (self.base..self.base + 8).contains(&port)
    }

    fn read(&mut self, port: u16, _: u8) -> u32 {
        let value = match (port - self.base, self.latch()) {
            (register @ 0..2, true) => self.divisor[usize::from(register)],
            (0, _) => self.received.pop_front().map_or(0, |(byte, _)| byte),
            (1, _) => self.interrupt_enable,
            (2, _) => match (self.kind, self.fifo_control & 1) {
                (Kind::Ns16550A, 1) => 0xC1,
                (Kind::Ns16550, 1) => 0x81,
                _ => 0x01,
            },
            (3, _) => self.line_control,
            (4, _) => self.modem_control,
            (5, _) => self.line_status(),
            (6, _) => 0xB0,
            _ if self.kind == Kind::Ins8250 => 0xFF,
            _ => self.scratch,
        };
        value.into()
    }

    fn write(&mut self, port: u16, _: u8, value: u32) {
        let value = value as u8;
        match (port - self.base, self.latch()) {
            (register @ 0..2, true) => self.divisor[usize::from(register)] = value,
            (0, _) => {
                assert_eq!(self.line_control, 0x03, "8 data bits, no parity");
                assert_eq!(self.modem_control & 3, 3, "DTR and RTS");
                assert!(self.outgoing.len() < self.depth(), "the transmitter has no room");
                self.outgoing.push_back(value);
            }
            (1, _) => self.interrupt_enable = value & 0x0F,
            (2, _) => {
                self.fifo_control = value;
                if value & 2 != 0 {
                    self.received.clear();
                }
            }
            (3, _) => self.line_control = value,
            (4, _) => self.modem_control = value,
            _ => self.scratch = value,
        }
    }

    fn elapse(&mut self, us: u32) {
        let (elapsed, byte_ns) = (u64::from(us) * 1000, self.byte_ns());
        if self.shifting.is_none() {
            self.shifting = self.outgoing.pop_front();
        }
        self.transmit_ns += elapsed;
        while let Some(byte) = self.shifting.filter(|_| self.transmit_ns >= byte_ns) {
            self.transmit_ns -= byte_ns;
            self.sent.push(byte);
            self.shifting = self.outgoing.pop_front();
        }
        if self.shifting.is_none() {
            self.transmit_ns = 0;
        }
        self.receive_ns += elapsed;
        while self.receive_ns >= byte_ns {
            let Some(byte) = self.incoming.pop_front() else {
                self.receive_ns = 0;
                return;
            };
            self.receive_ns -= byte_ns;
            self.store(byte);
        }
    }
}

/// Bytes of SLIP for a packet (RFC 1055).
pub fn encode(packet: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xC0];
    for &byte in packet {
        match byte {
            0xC0 => bytes.extend([0xDB, 0xDC]),
            0xDB => bytes.extend([0xDB, 0xDD]),
            _ => bytes.push(byte),
        }
    }
    bytes.push(0xC0);
    bytes
}

/// The host at the other end of the line.
pub struct SlipPeer {
    uart: Rc<RefCell<Uart>>,
    packet: Vec<u8>,
    escape: bool,
}

impl SlipPeer {
    /// The other end of `uart`'s line.
    pub fn new(uart: &Rc<RefCell<Uart>>) -> SlipPeer {
        SlipPeer { uart: uart.clone(), packet: Vec::new(), escape: false }
    }
}

impl Station for SlipPeer {
    fn arrive(&mut self, packet: &[u8]) -> bool {
        self.uart.borrow_mut().feed(&encode(packet));
        true
    }

    fn depart(&mut self) -> Option<Vec<u8>> {
        let mut uart = self.uart.borrow_mut();
        let mut used = 0;
        let mut whole = None;
        for &byte in &uart.sent {
            used += 1;
            match (byte, std::mem::take(&mut self.escape)) {
                (0xC0, _) if self.packet.is_empty() => {}
                (0xC0, _) => {
                    whole = Some(std::mem::take(&mut self.packet));
                    break;
                }
                (0xDB, false) => self.escape = true,
                (0xDC, true) => self.packet.push(0xC0),
                (0xDD, true) => self.packet.push(0xDB),
                (other, true) => panic!("an escape before {other:02X}h"),
                (byte, false) => self.packet.push(byte),
            }
        }
        uart.sent.drain(..used);
        whole
    }
}
