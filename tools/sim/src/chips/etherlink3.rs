//! A 3Com EtherLink III on ISA (3C509 Technical Reference Guide, chapters 3 to 7).
//!
//! Strict where drivers go wrong: reading or writing past a FIFO's end is a failure that only a reset of
//! that half mends; a register that a command still works on must not be touched; a transmitter that
//! failed stays off until it is told otherwise.

use std::collections::VecDeque;

use super::transmitter::Transmitter;
use super::{Device, Station};

const MANUFACTURER: u16 = 0x6D50;
const IN_PROGRESS: u16 = 0x1000;
const FAILURE: u16 = 0x02;
const TRANSMITTED: u16 = 0x04;
const RECEIVED: u16 = 0x10;

/// Where the contest at the ID port stands for a card.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contest {
    /// So many bytes of the sequence were right.
    Waiting(usize),
    Taking,
}

struct Received {
    data: Vec<u8>,
    /// Error bits of the receive status.
    error: u16,
}

/// The model.
pub struct EtherLink3 {
    eeprom: [u16; 64],
    contest: Contest,
    tag: u8,
    shift: u16,
    shifts: u32,
    base: Option<u16>,
    window: u16,
    /// Registers of the windows that only keep what is written.
    registers: [[u8; 16]; 8],
    busy_us: u32,
    status_mask: u16,
    interrupt_mask: u16,
    latch: bool,
    failure: bool,
    receive_size: usize,
    receiving: bool,
    filter: u16,
    frames: VecDeque<Received>,
    read: usize,
    statistics_on: bool,
    overruns: u8,
    transmit_size: usize,
    transmitting: bool,
    incoming: Vec<u8>,
    queue: VecDeque<Vec<u8>>,
    /// What is on its way out.
    pub wire: Transmitter,
    stack: VecDeque<u8>,
    /// What becomes of the next transmissions; nothing here: they succeed.
    pub failures: VecDeque<u8>,
    /// Frames that went out.
    pub sent: VecDeque<Vec<u8>>,
    /// Frames that found no room.
    pub dropped: usize,
    /// The coaxial transceiver was started.
    pub coax_started: bool,
}

impl EtherLink3 {
    /// A 3C509B after power-on, whose EEPROM says port `io` and twisted pair. With FIFOs of 5 and 3 KB.
    pub fn new(io: u16, address: [u8; 6]) -> EtherLink3 {
        let mut eeprom = [0; 64];
        for (word, pair) in eeprom.iter_mut().zip(address.chunks(2)) {
            *word = u16::from_be_bytes([pair[0], pair[1]]);
        }
        eeprom[3] = 0x9050;
        eeprom[7] = MANUFACTURER;
        eeprom[8] = (io - 0x200) >> 4;
        eeprom[9] = 0xAF00;
        EtherLink3 {
            eeprom,
            contest: Contest::Waiting(0),
            tag: 0,
            shift: 0,
            shifts: 16,
            base: None,
            window: 0,
            registers: [[0; 16]; 8],
            busy_us: 0,
            status_mask: 0,
            interrupt_mask: 0,
            latch: false,
            failure: false,
            receive_size: 5116,
            receiving: false,
            filter: 0,
            frames: VecDeque::new(),
            read: 0,
            statistics_on: false,
            overruns: 0,
            transmit_size: 3068,
            transmitting: false,
            incoming: Vec::new(),
            queue: VecDeque::new(),
            wire: Transmitter::default(),
            stack: VecDeque::new(),
            failures: VecDeque::new(),
            sent: VecDeque::new(),
            dropped: 0,
            coax_started: false,
        }
    }

    /// As the first 3C509: 2 KB each way.
    pub fn small(self) -> EtherLink3 {
        EtherLink3 { receive_size: 2044, transmit_size: 2044, ..self }
    }

    /// With a transceiver as the address configuration numbers it (1: AUI, 3: coaxial cable).
    pub fn transceiver(mut self, number: u16) -> EtherLink3 {
        self.eeprom[8] = self.eeprom[8] & 0x3FFF | number << 14;
        self
    }

    /// Already active, as another program left it.
    pub fn active(mut self) -> EtherLink3 {
        self.activate(self.eeprom[8] & 0x1F);
        self.window = 1;
        self
    }

    /// Whether the card asks for an interrupt.
    pub fn interrupts(&self) -> bool {
        self.latch && self.interrupt_mask != 0
    }

    /// Whether it has ports.
    pub fn base(&self) -> Option<u16> {
        self.base
    }

    /// The media register of window 4 and the station address of window 2.
    pub fn settings(&self) -> (u16, [u8; 6]) {
        let address = self.registers[2][..6].try_into().unwrap();
        (u16::from_le_bytes([self.registers[4][10], self.registers[4][11]]), address)
    }

    /// Makes the adapter fail, as a read past the FIFO's end does.
    pub fn fail(&mut self) {
        self.failure = true;
        self.receiving = false;
    }

    fn activate(&mut self, slot: u16) {
        self.base = Some(0x200 + slot * 0x10);
        self.registers[0][6..8].copy_from_slice(&(self.eeprom[8] & !0x1F | slot).to_le_bytes());
    }

    fn padded(length: usize) -> usize {
        length.next_multiple_of(4)
    }

    fn receive_used(&self) -> usize {
        self.frames.iter().map(|frame| Self::padded(frame.data.len())).sum::<usize>() - self.read
    }

    fn transmit_used(&self) -> usize {
        let queued = self.queue.iter().map(|frame| 4 + Self::padded(frame.len())).sum::<usize>();
        queued + self.incoming.len()
    }

    fn receive_status(&self) -> u16 {
        match self.frames.front() {
            Some(frame) => {
                frame.error | (frame.data.len() - self.read.min(frame.data.len())) as u16
            }
            None => 0x8000,
        }
    }

    fn events(&self) -> u16 {
        let mut events = 0;
        if self.failure {
            events |= FAILURE;
        }
        if !self.stack.is_empty() {
            events |= TRANSMITTED;
        }
        if !self.frames.is_empty() {
            events |= RECEIVED;
        }
        events
    }

    fn settle(&mut self) {
        if self.events() & self.status_mask & self.interrupt_mask != 0 {
            self.latch = true;
        }
    }

    fn status(&self) -> u16 {
        let busy = if self.busy_us > 0 { IN_PROGRESS } else { 0 };
        self.window << 13 | busy | self.events() & self.status_mask | u16::from(self.latch)
    }

    // The ID port.

    fn write_id(&mut self, value: u8) {
        match self.contest {
            Contest::Waiting(right) => {
                let mut expected = 0xFFu8;
                for _ in 2..right.max(2) {
                    expected = expected << 1 ^ if expected & 0x80 != 0 { 0xCF } else { 0 };
                }
                let expected = if right < 2 { 0 } else { expected };
                self.contest = match (value == expected, right) {
                    (true, 256) => Contest::Taking,
                    (true, right) => Contest::Waiting(right + 1),
                    // A third zero is as good as the second.
                    (false, 2) if value == 0 => Contest::Waiting(2),
                    (false, _) => Contest::Waiting(usize::from(value == 0)),
                };
            }
            Contest::Taking => match value {
                0x00 => self.contest = Contest::Waiting(1),
                0x80..=0xBF => {
                    self.shift = self.eeprom[usize::from(value & 0x3F)];
                    self.shifts = 0;
                    self.busy_us = 162;
                }
                0xD0..=0xD7 => self.tag = value & 7,
                0xD8..=0xDF if value & 7 != self.tag => self.contest = Contest::Waiting(0),
                0xD8..=0xDF => {}
                0xE0..=0xFE => self.activate(u16::from(value & 0x1F)),
                0xFF => self.activate(self.eeprom[8] & 0x1F),
                other => panic!("ID command {other:02X}h"),
            },
        }
    }

    /// The bit that the card drives, if it does.
    fn read_id(&mut self) -> Option<bool> {
        if self.contest != Contest::Taking || self.shifts >= 16 {
            return None;
        }
        assert_eq!(self.busy_us, 0, "the EEPROM was not waited for");
        Some(self.shift & 0x8000 != 0)
    }

    /// What the bus carried while the card drove its bit.
    fn saw(&mut self, bit: bool) {
        if self.shift & 0x8000 != 0 && !bit {
            self.contest = Contest::Waiting(0);
        }
        self.shift <<= 1;
        self.shifts += 1;
    }

    // The FIFOs.

    fn read_fifo(&mut self, size: u8) -> u32 {
        assert_eq!(self.busy_us, 0, "the FIFO was read while the card discards");
        let mut value = 0;
        for index in 0..size {
            let Some(frame) = self.frames.front() else {
                self.fail();
                return u32::MAX;
            };
            if self.read >= Self::padded(frame.data.len()) {
                self.fail();
                return u32::MAX;
            }
            value |= u32::from(*frame.data.get(self.read).unwrap_or(&0xEE)) << (8 * index);
            self.read += 1;
        }
        value
    }

    fn write_fifo(&mut self, size: u8, value: u32) {
        if self.transmit_used() + usize::from(size) > self.transmit_size {
            self.fail();
            return;
        }
        self.incoming.extend(&value.to_le_bytes()[..size.into()]);
        if self.incoming.len() < 4 {
            return;
        }
        let length = usize::from(u16::from_le_bytes([self.incoming[0], self.incoming[1]]) & 0x7FF);
        assert!((60..=1514).contains(&length), "a frame of {length}");
        assert_eq!(self.incoming[2..4], [0, 0]);
        if self.incoming.len() == 4 + Self::padded(length) {
            self.queue.push_back(self.incoming[4..4 + length].to_vec());
            self.incoming.clear();
            self.begin();
        }
    }

    fn begin(&mut self) {
        if self.transmitting
            && !self.wire.is_busy()
            && let Some(frame) = self.queue.front()
        {
            self.wire.begin(frame.len(), 10);
        }
    }

    fn end(&mut self) {
        match self.failures.pop_front() {
            None => self.sent.extend(self.queue.pop_front()),
            Some(failure) => {
                self.stack.push_back(0x80 | failure);
                self.transmitting = false;
                if failure & 0x30 == 0 {
                    // Too many collisions: the frame is gone, those behind it stay.
                    self.queue.pop_front();
                }
            }
        }
        self.begin();
    }

    fn command(&mut self, value: u16) {
        assert_eq!(self.busy_us, 0, "command {value:04X}h while another is in progress");
        let argument = value & 0x7FF;
        match value >> 11 {
            1 => self.window = argument & 7,
            2 => self.coax_started = true,
            3 => self.receiving = false,
            4 => self.receiving = !self.failure,
            5 => {
                self.frames.clear();
                (self.read, self.receiving, self.failure, self.filter) = (0, false, false, 0);
                self.busy_us = 10;
            }
            8 => {
                self.frames.pop_front();
                self.read = 0;
                self.busy_us = 4;
            }
            9 => {
                self.transmitting = true;
                self.begin();
            }
            10 => self.transmitting = false,
            11 => {
                self.queue.clear();
                self.incoming.clear();
                self.stack.clear();
                self.wire.reset();
                self.transmitting = false;
                self.busy_us = 10;
            }
            13 => self.latch &= argument & 1 == 0,
            14 => self.interrupt_mask = argument & 0xFE,
            15 => self.status_mask = argument & 0xFE,
            16 => self.filter = argument & 0x0F,
            // Thresholds: no frame may begin before it is whole.
            17 => assert!(argument >= 1514, "receive early at {argument}"),
            19 => assert!(argument >= 1514, "transmit start at {argument}"),
            21 => self.statistics_on = true,
            22 => self.statistics_on = false,
            other => panic!("command {other}"),
        }
    }

    fn read_byte(&mut self, register: u16) -> u8 {
        let word = |value: u16, register: u16| value.to_le_bytes()[usize::from(register & 1)];
        let receive_free = (self.receive_size - self.receive_used()) as u16;
        let transmit_free = (self.transmit_size - self.transmit_used()) as u16;
        match (self.window, register) {
            (_, 0x0E..) => word(self.status(), register),
            (0, 0..2) => word(MANUFACTURER, register),
            (0, 2..4) => word(0x9050, register),
            (1, 8 | 9) => {
                assert_eq!(self.busy_us, 0, "receive status while the card discards");
                word(self.receive_status(), register)
            }
            (1, 0x0B) => *self.stack.front().unwrap_or(&0),
            (1 | 3, 0x0C | 0x0D) => word(transmit_free, register),
            (3, 0x0A | 0x0B) => word(receive_free, register),
            (6, 5) => {
                assert!(!self.statistics_on, "statistics are read while they are counted");
                std::mem::take(&mut self.overruns)
            }
            (window, register) => self.registers[usize::from(window)][usize::from(register)],
        }
    }
}

impl Device for EtherLink3 {
    fn decodes(&self, port: u16) -> bool {
        port & 0xFF0F == 0x0100 || self.base.is_some_and(|base| (base..base + 16).contains(&port))
    }

    fn read(&mut self, port: u16, size: u8) -> u32 {
        let Some(base) = self.base.filter(|&base| port >= base) else {
            let Some(bit) = self.read_id() else { return u32::MAX };
            self.saw(bit);
            return 0xFE | u32::from(bit);
        };
        let register = port - base;
        if self.window == 1 && register < 4 {
            return self.read_fifo(size);
        }
        (0..size).fold(0, |value, index| {
            value | u32::from(self.read_byte(register + u16::from(index))) << (8 * index)
        })
    }

    fn write(&mut self, port: u16, size: u8, value: u32) {
        let Some(base) = self.base.filter(|&base| port >= base) else {
            return self.write_id(value as u8);
        };
        match (self.window, port - base) {
            (_, 0x0E) => self.command(value as u16),
            (1, 0..4) => self.write_fifo(size, value),
            (1, 0x0B) => {
                self.stack.pop_front();
            }
            (window, register) => {
                let bytes = &value.to_le_bytes()[..size.into()];
                let start = usize::from(register);
                self.registers[usize::from(window)][start..start + bytes.len()]
                    .copy_from_slice(bytes);
            }
        }
        self.settle();
    }

    fn elapse(&mut self, us: u32) {
        self.busy_us = self.busy_us.saturating_sub(us);
        let mut left = us;
        while self.wire.elapse(&mut left) {
            self.end();
        }
        self.settle();
    }
}

impl Station for EtherLink3 {
    fn arrive(&mut self, frame: &[u8]) -> bool {
        let wanted = match frame[0] & 1 {
            0 => self.filter & 1 != 0 && frame[..6] == self.registers[2][..6],
            _ if frame[..6] == [0xFF; 6] => self.filter & 4 != 0,
            _ => self.filter & 2 != 0,
        };
        if !self.receiving || !wanted {
            return false;
        }
        let room = (self.receive_size - self.receive_used()) & !3;
        let stored = room >= frame.len() && self.frames.len() < 8;
        if stored {
            self.frames.push_back(Received { data: frame.to_vec(), error: 0 });
        } else {
            self.dropped += 1;
            if room >= 64 && self.frames.len() < 8 {
                // It began to come in before the room ended: overrun.
                self.frames.push_back(Received { data: frame[..room].to_vec(), error: 0x4000 });
            } else if self.statistics_on {
                self.overruns = self.overruns.saturating_add(1);
            }
        }
        self.settle();
        stored
    }

    fn depart(&mut self) -> Option<Vec<u8>> {
        self.sent.pop_front()
    }
}

/// Several cards on one bus: what they drive at the ID port at once is the lower of both.
pub struct Slots(pub Vec<EtherLink3>);

impl Device for Slots {
    fn decodes(&self, port: u16) -> bool {
        self.0.iter().any(|card| card.decodes(port))
    }

    fn read(&mut self, port: u16, size: u8) -> u32 {
        if port >= 0x200 {
            let mut cards = self.0.iter_mut().filter(|card| card.decodes(port));
            return cards.next().map_or(u32::MAX, |card| card.read(port, size));
        }
        let driven: Vec<Option<bool>> = self.0.iter_mut().map(EtherLink3::read_id).collect();
        let Some(bit) = driven.iter().flatten().copied().min() else { return u32::MAX };
        for (card, _) in self.0.iter_mut().zip(driven).filter(|(_, driven)| driven.is_some()) {
            card.saw(bit);
        }
        0xFE | u32::from(bit)
    }

    fn write(&mut self, port: u16, size: u8, value: u32) {
        for card in self.0.iter_mut().filter(|card| card.decodes(port)) {
            card.write(port, size, value);
        }
    }

    fn elapse(&mut self, us: u32) {
        for card in &mut self.0 {
            card.elapse(us);
        }
    }
}
