//! 3Com EtherLink III cards on ISA: 3C509 and 3C509B.
//!
//! Source: 3Com "3C509 and 3C509-TP Adapters Technical Reference Guide" (8369-00) and "EtherLink III
//! Parallel Tasking ISA, EISA, Micro Channel and PCMCIA Adapters Technical Reference" (09-0398). Polled,
//! through two FIFOs at one port. What always holds between calls: register window 1 is selected; no frame
//! is half read or half written. Transmission begins when the whole frame is in the FIFO, so that a slow PC
//! causes no underrun.

use super::ports::Ports;
use crate::net::nic::{Class, DriverInfo, Nic, ReceiveMode, SendError, Statistics};

/// Where cards that have no ports yet listen: the first of these at which nothing else answers.
const ID_PORTS: [u16; 4] = [0x110, 0x120, 0x140, 0x150];
const ID_READ_EEPROM: u8 = 0x80;
const ID_SET_TAG: u8 = 0xD0;
const ID_TEST_TAG: u8 = 0xD8;
const ID_ACTIVATE: u8 = 0xE0;
/// Cards that are told apart at the ID port.
const CARDS: u8 = 4;
/// The EEPROM takes 162 us by the book; some cards take longer.
const EEPROM_US: u32 = 4_000;
const EEPROM_MANUFACTURER: u8 = 7;
const EEPROM_ADDRESS: u8 = 8;
const MANUFACTURER: u16 = 0x6D50;

/// In all windows; reads as status.
const COMMAND: u16 = 0x0E;
// Window 0.
const CONFIG_CONTROL: u16 = 0x04;
const ADDRESS_CONFIG: u16 = 0x06;
const RESOURCE_CONFIG: u16 = 0x08;
// Window 1.
const FIFO: u16 = 0x00;
const RECEIVE_STATUS: u16 = 0x08;
const TRANSMIT_STATUS: u16 = 0x0B;
const TRANSMIT_FREE: u16 = 0x0C;
// Windows 3, 4 and 6.
const RECEIVE_FREE: u16 = 0x0A;
const MEDIA: u16 = 0x0A;
const OVERRUNS: u16 = 0x05;

const SELECT_WINDOW: u16 = 1 << 11;
const START_COAX: u16 = 2 << 11;
const RECEIVE_ENABLE: u16 = 4 << 11;
const RECEIVE_RESET: u16 = 5 << 11;
const DISCARD: u16 = 8 << 11;
const TRANSMIT_ENABLE: u16 = 9 << 11;
const TRANSMIT_RESET: u16 = 11 << 11;
const ACKNOWLEDGE: u16 = 13 << 11;
const SET_INTERRUPTS: u16 = 14 << 11;
const SET_STATUS: u16 = 15 << 11;
const SET_FILTER: u16 = 16 << 11;
const SET_RECEIVE_EARLY: u16 = 17 << 11;
const SET_TRANSMIT_START: u16 = 19 << 11;
const STATISTICS_ON: u16 = 21 << 11;
const STATISTICS_OFF: u16 = 22 << 11;

/// Frames to this card and broadcasts; not multicasts.
const FILTER: u16 = 0x05;
/// A threshold that no frame reaches.
const NEVER: u16 = 2044;
/// Receive complete, transmit complete, adapter failure.
const EVENTS: u16 = 0x16;
const FAILURE: u16 = 0x02;
const IN_PROGRESS: u16 = 0x1000;
/// Receive status: nothing complete in the FIFO; the frame has an error; its length.
const INCOMPLETE: u16 = 0x8000;
const ERROR: u16 = 0x4000;
const LENGTH: u16 = 0x07FF;
/// Transmit status: jabber or underrun, after which the transmitter needs a reset.
const NEEDS_RESET: u8 = 0x30;
/// Too many collisions besides; the frame is lost.
const FAILED: u8 = 0x38;
/// Link beat and jabber guard of twisted pair.
const TWISTED_PAIR: u16 = 0x00C0;

/// A transceiver, as the address configuration numbers it.
const COAX: u16 = 3;
const PAIR: u16 = 0;
const COAX_US: u32 = 10_000;

const SHORTEST: usize = 60;
const LENGTHS: core::ops::RangeInclusive<usize> = 14..=1514;
/// What the longest frame takes in the transmit FIFO: a double word before it, and double words.
const ROOM: u16 = 4 + 1516;
/// Polls until a command counts as stuck; each takes a microsecond or more.
const COMMAND_POLLS: u32 = 5_000;
/// Polls until the transmitter counts as stuck: longer than most retries after collisions last, and some
/// seconds on a slow PC.
const FULL_POLLS: u32 = 100_000;

/// A driver with its card.
pub struct EtherLink3<P> {
    ports: P,
    io: u16,
    irq: Option<u8>,
    address: [u8; 6],
    statistics: Statistics,
    filter: u16,
    receive_frames: u8,
    /// Calls that found nothing, by 256.
    idle: u8,
    /// Calls in a row that found no room.
    full: u32,
}

/// Gives the first card, or the one whose EEPROM says port `wanted`, its ports. Says where they are, and
/// the station address. Touches nothing but a port at which nothing answers.
pub fn activate<P: Ports>(ports: &mut P, wanted: Option<u16>) -> Option<(u16, [u8; 6])> {
    let id = ID_PORTS.into_iter().find(|&port| ports.inb(port) == 0xFF)?;
    for tag in 1..=CARDS {
        wake(ports, id);
        if tag == 1 {
            ports.outb(id, ID_SET_TAG);
        }
        // Cards that were seen before drop out, and of the others all but one while they are read.
        ports.outb(id, ID_TEST_TAG);
        if read_eeprom(ports, id, EEPROM_MANUFACTURER) != MANUFACTURER {
            return None;
        }
        let [a, b] = read_eeprom(ports, id, 0).to_be_bytes();
        let [c, d] = read_eeprom(ports, id, 1).to_be_bytes();
        let [e, f] = read_eeprom(ports, id, 2).to_be_bytes();
        let slot = read_eeprom(ports, id, EEPROM_ADDRESS) & 0x1F;
        let io = 0x200 + slot * 0x10;
        ports.outb(id, ID_SET_TAG + tag);
        // 1Fh is a card in an EISA slot.
        if slot != 0x1F && wanted.is_none_or(|wanted| wanted == io) {
            ports.outb(id, ID_ACTIVATE + slot as u8);
            return Some((io, [a, b, c, d, e, f]));
        }
    }
    None
}

/// The sequence to which cards listen at the ID port: two zeros, then 255 bytes of a shift register.
fn wake<P: Ports>(ports: &mut P, id: u16) {
    ports.outb(id, 0);
    ports.outb(id, 0);
    let mut byte = 0xFF;
    for _ in 0..255 {
        ports.outb(id, byte);
        byte = byte << 1 ^ if byte & 0x80 != 0 { 0xCF } else { 0 };
    }
}

/// A word of the EEPROM, bit by bit through the ID port. Where cards differ, those with a 1 drop out.
fn read_eeprom<P: Ports>(ports: &mut P, id: u16, index: u8) -> u16 {
    ports.outb(id, ID_READ_EEPROM + index);
    ports.delay_us(EEPROM_US);
    (0..16).fold(0, |word, _| word << 1 | u16::from(ports.inb(id) & 1))
}

impl<P: Ports> EtherLink3<P> {
    /// The active card at `io`. `None` when it does not answer there.
    pub fn new(ports: P, io: u16, irq: Option<u8>, address: [u8; 6]) -> Option<EtherLink3<P>> {
        let mut card = EtherLink3 {
            ports,
            io,
            irq,
            address,
            statistics: Statistics::default(),
            filter: FILTER,
            receive_frames: 0,
            idle: 0,
            full: 0,
        };
        card.window(0);
        (card.get(0) == MANUFACTURER && card.start()).then_some(card)
    }

    fn get(&mut self, register: u16) -> u16 {
        self.ports.inw(self.io + register)
    }

    fn set(&mut self, register: u16, value: u16) {
        self.ports.outw(self.io + register, value);
    }

    fn window(&mut self, number: u16) {
        self.set(COMMAND, SELECT_WINDOW | number);
    }

    /// Gives a command that takes its time; whether it ended.
    fn command(&mut self, command: u16) -> bool {
        self.set(COMMAND, command);
        (0..COMMAND_POLLS).any(|_| self.get(COMMAND) & IN_PROGRESS == 0)
    }

    /// Resets both halves and puts them to work with empty FIFOs; whether the card answered.
    fn start(&mut self) -> bool {
        let ready = self.command(TRANSMIT_RESET) && self.command(RECEIVE_RESET);
        self.window(0);
        self.set(CONFIG_CONTROL, 1);
        self.set(RESOURCE_CONFIG, u16::from(self.irq.unwrap_or(0)) << 12 | 0x0F00);
        let transceiver = self.get(ADDRESS_CONFIG) >> 14;
        self.window(2);
        for (register, byte) in (self.io..).zip(self.address) {
            self.ports.outb(register, byte);
        }
        if transceiver == COAX {
            self.set(COMMAND, START_COAX);
            self.ports.delay_us(COAX_US);
        }
        self.window(4);
        if transceiver == PAIR {
            let media = self.get(MEDIA) | TWISTED_PAIR;
            self.set(MEDIA, media);
        }
        self.window(3);
        // 2 KB on the 3C509, 5 KB on the 3C509B.
        self.receive_frames = (self.get(RECEIVE_FREE) / 1514).clamp(1, 4) as u8;
        self.read_overruns();
        let interrupts = if self.irq.is_some() { EVENTS } else { 0 };
        for command in [
            SET_FILTER | self.filter,
            SET_RECEIVE_EARLY | NEVER,
            SET_TRANSMIT_START | NEVER,
            RECEIVE_ENABLE,
            TRANSMIT_ENABLE,
            SET_STATUS | 0xFF,
            ACKNOWLEDGE | 0xFF,
            SET_INTERRUPTS | interrupts,
        ] {
            self.set(COMMAND, command);
        }
        ready
    }

    /// Counts the frames that found no room, which clears the card's counter. Others stay as they are:
    /// they raise no interrupt.
    fn read_overruns(&mut self) {
        self.set(COMMAND, STATISTICS_OFF);
        self.window(6);
        let overruns = self.ports.inb(self.io + OVERRUNS);
        self.window(1);
        self.set(COMMAND, STATISTICS_ON);
        self.statistics.count_lost(overruns.into());
    }

    /// What is looked after while nothing arrives: the interrupt, failures, counters.
    fn look_after(&mut self) {
        self.idle = self.idle.wrapping_add(1);
        if self.irq.is_none() && self.idle != 0 {
            return;
        }
        let status = self.get(COMMAND);
        if status & FAILURE != 0 {
            // Somebody read or wrote past a FIFO's end.
            self.statistics.count_lost(1);
            self.start();
        } else if status & 0xFF != 0 {
            self.set(COMMAND, ACKNOWLEDGE | status & 0xFF);
        }
        if self.idle == 0 {
            self.read_overruns();
        }
    }

    /// Counts frames that did not go out, and puts the transmitter that stopped over them back to work.
    fn settle(&mut self) {
        // The stack holds 31 entries; only failures make one.
        for _ in 0..32 {
            let status = self.ports.inb(self.io + TRANSMIT_STATUS);
            if status == 0 {
                return;
            }
            if status & FAILED != 0 {
                self.statistics.count_error_out();
            }
            if status & NEEDS_RESET != 0 {
                self.command(TRANSMIT_RESET);
            }
            self.set(COMMAND, TRANSMIT_ENABLE);
            self.ports.outb(self.io + TRANSMIT_STATUS, 0);
        }
    }

    /// Reads the frame that is first in the FIFO.
    fn take(&mut self, status: u16, buffer: &mut [u8]) -> Option<usize> {
        let length = usize::from(status & LENGTH);
        if status & ERROR != 0 || !LENGTHS.contains(&length) {
            self.statistics.count_error_in();
            // Where one frame overran, others may have, and the card's counter is a byte.
            self.read_overruns();
            return None;
        }
        let Some(frame) = buffer.get_mut(..length) else {
            self.statistics.count_lost(1);
            return None;
        };
        let (whole, rest) = frame.split_at_mut(length & !3);
        self.ports.read_dwords(self.io + FIFO, whole);
        self.ports.read_words(self.io + FIFO, rest);
        self.statistics.count_in(length);
        Some(length)
    }
}

impl<P: Ports> Nic for EtherLink3<P> {
    fn info(&self) -> DriverInfo {
        DriverInfo {
            name: "3Com EtherLink III (3C509)",
            class: Class::Ethernet,
            io: self.io,
            irq: self.irq,
            mtu: 1500,
            receive_frames: self.receive_frames,
        }
    }

    fn address(&self) -> [u8; 6] {
        self.address
    }

    fn can_send(&mut self) -> bool {
        self.settle();
        if self.get(TRANSMIT_FREE) >= ROOM {
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
        if !LENGTHS.contains(&frame.len()) {
            return Err(SendError::BadLength);
        }
        if !self.can_send() {
            return Err(SendError::Busy);
        }
        let length = frame.len().max(SHORTEST);
        let fifo = self.io + FIFO;
        self.ports.outl(fifo, length as u32);
        let (whole, rest) = frame.split_at(frame.len() & !3);
        self.ports.write_dwords(fifo, whole);
        // The FIFO takes double words.
        let mut last = [0; 4];
        if let Some(last) = last.get_mut(..rest.len()) {
            last.copy_from_slice(rest);
        }
        for offset in (whole.len()..length).step_by(4) {
            let data = if offset == whole.len() { u32::from_le_bytes(last) } else { 0 };
            self.ports.outl(fifo, data);
        }
        self.statistics.count_out(length);
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        // Bounded: a FIFO holds eight frames.
        for _ in 0..8 {
            let mut status = self.get(RECEIVE_STATUS);
            if status & INCOMPLETE != 0 {
                self.look_after();
                // What came before the acknowledgement raises no further interrupt.
                status = self.get(RECEIVE_STATUS);
                if status & INCOMPLETE != 0 {
                    return None;
                }
            }
            let taken = self.take(status, buffer);
            if !self.command(DISCARD) {
                self.start();
            }
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    fn set_receive_mode(&mut self, mode: ReceiveMode) {
        self.filter = if mode == ReceiveMode::Off { 0 } else { FILTER };
        self.set(COMMAND, SET_FILTER | self.filter);
    }

    fn statistics(&self) -> Statistics {
        self.statistics
    }
}
