//! Registers and remote DMA of the DP8390, as an NE2000 puts them on the bus.
//!
//! Sixteen registers from the base port, the data port of the remote DMA at +10h, reset at +1Fh.
//! Between calls the chip is always in register page 0 (DP8390D data sheet, section 10).

use crate::hw::pic::{self, Lines};
use crate::hw::ports::Ports;

pub(super) const COMMAND: u16 = 0x00;
pub(super) const PAGE_START: u16 = 0x01;
pub(super) const PAGE_STOP: u16 = 0x02;
pub(super) const BOUNDARY: u16 = 0x03;
/// Read: transmit status. Write: [`TRANSMIT_PAGE`].
pub(super) const TRANSMIT_STATUS: u16 = 0x04;
pub(super) const TRANSMIT_PAGE: u16 = 0x04;
pub(super) const TRANSMIT_COUNT: u16 = 0x05;
pub(super) const INTERRUPTS: u16 = 0x07;
const REMOTE_ADDRESS: u16 = 0x08;
const REMOTE_COUNT: u16 = 0x0A;
pub(super) const RECEIVE_CONFIG: u16 = 0x0C;
/// Read: tally counters (frame alignment, CRC, missed) at 0Dh to 0Fh, cleared by reading.
pub(super) const TALLY: u16 = 0x0D;
pub(super) const TRANSMIT_CONFIG: u16 = 0x0D;
pub(super) const DATA_CONFIG: u16 = 0x0E;
pub(super) const INTERRUPT_MASK: u16 = 0x0F;
/// Page 1: station address at 01h to 06h.
pub(super) const STATION: u16 = 0x01;
/// Page 1: the page into which the chip receives next.
pub(super) const CURRENT: u16 = 0x07;
/// Page 1: multicast filter at 08h to 0Fh.
pub(super) const MULTICAST: u16 = 0x08;
const DATA: u16 = 0x10;
const RESET: u16 = 0x1F;

pub(super) const CR_STOP: u8 = 0x21;
pub(super) const CR_START: u8 = 0x22;
pub(super) const CR_TRANSMIT: u8 = 0x26;
pub(super) const CR_TXP: u8 = 0x04;
pub(super) const CR_PAGE1: u8 = 0x40;
pub(super) const CR_READ: u8 = 0x0A;
pub(super) const CR_WRITE: u8 = 0x12;

pub(super) const ISR_RECEIVED: u8 = 0x01;
pub(super) const ISR_TRANSMITTED: u8 = 0x02;
pub(super) const ISR_RECEIVE_ERROR: u8 = 0x04;
pub(super) const ISR_TRANSMIT_ERROR: u8 = 0x08;
pub(super) const ISR_OVERWRITE: u8 = 0x10;
pub(super) const ISR_COUNTERS: u8 = 0x20;
const ISR_REMOTE_DONE: u8 = 0x40;
const ISR_RESET: u8 = 0x80;

/// Normal operation, FIFO threshold 8 bytes; [`DCR_WORDS`] added for 16-bit transfers.
pub(super) const DCR_BYTES: u8 = 0x48;
pub(super) const DCR_WORDS: u8 = 0x49;

/// Polls of ISR until a remote write counts as failed; each takes a microsecond or more on ISA, and
/// the chip needs a few.
const REMOTE_POLLS: u32 = 5_000;

/// How the data port is accessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// NE1000, or an NE2000 in an 8-bit slot.
    Byte,
    Word,
    /// The chip works by words, and the card or the bus makes two of a double word.
    Dword,
}

/// A remote write did not complete.
pub(super) struct RemoteTimeout;

/// The chip and its ports.
pub(super) struct Chip<P> {
    ports: P,
    base: u16,
    pub width: Width,
    /// Some DP8390s lose the start of a remote write unless a remote read came just before.
    read_before_write: bool,
}

impl<P: Ports> Chip<P> {
    pub fn new(ports: P, base: u16) -> Chip<P> {
        Chip { ports, base, width: Width::Byte, read_before_write: false }
    }

    pub fn base(&self) -> u16 {
        self.base
    }

    pub fn into_ports(self) -> P {
        self.ports
    }

    pub fn get(&mut self, register: u16) -> u8 {
        self.ports.inb(self.base.wrapping_add(register))
    }

    pub fn set(&mut self, register: u16, value: u8) {
        self.ports.outb(self.base.wrapping_add(register), value);
    }

    pub fn delay_us(&mut self, us: u32) {
        self.ports.delay_us(us);
    }

    /// Pulses the card's reset line; says whether the chip answered within 10 ms.
    pub fn reset(&mut self) -> bool {
        let value = self.get(RESET);
        self.set(RESET, value);
        (0..100).any(|_| {
            self.delay_us(100);
            self.get(INTERRUPTS) & ISR_RESET != 0
        })
    }

    /// Data configuration register for the present width.
    pub fn data_config(&self) -> u8 {
        if self.width == Width::Byte { DCR_BYTES } else { DCR_WORDS }
    }

    /// The page into which the chip receives next.
    pub fn current(&mut self) -> u8 {
        self.set(COMMAND, CR_START | CR_PAGE1);
        let page = self.get(CURRENT);
        self.set(COMMAND, CR_START);
        page
    }

    /// Ends a remote DMA that may be under way.
    pub fn clear_remote(&mut self) {
        self.set(REMOTE_COUNT, 0);
        self.set(REMOTE_COUNT + 1, 0);
    }

    /// Which of `lines` the card's interrupt is, by one that a remote read raises. Leaves all masked.
    pub fn find_line(&mut self, lines: Lines) -> Option<u8> {
        self.set(INTERRUPTS, ISR_REMOTE_DONE);
        self.set(INTERRUPT_MASK, ISR_REMOTE_DONE);
        let before = pic::requests(&mut self.ports);
        self.read_memory(0, &mut [0; 4]);
        let raised = pic::requests(&mut self.ports) & !before & lines;
        self.set(INTERRUPT_MASK, 0);
        self.set(INTERRUPTS, ISR_REMOTE_DONE);
        raised.is_power_of_two().then(|| raised.trailing_zeros() as u8)
    }

    fn start_remote(&mut self, address: u16, count: usize, command: u8) {
        let count = (count as u16).next_multiple_of(2).to_le_bytes();
        let address = address.to_le_bytes();
        self.set(REMOTE_ADDRESS, address[0]);
        self.set(REMOTE_ADDRESS + 1, address[1]);
        self.set(REMOTE_COUNT, count[0]);
        self.set(REMOTE_COUNT + 1, count[1]);
        self.set(COMMAND, command);
    }

    /// Reads the card's memory from `address` on; at the end of the ring the chip itself goes on at
    /// its start. `buffer` holds up to 1536 bytes.
    pub fn read_memory(&mut self, address: u16, buffer: &mut [u8]) {
        self.start_remote(address, buffer.len(), CR_READ);
        self.read(buffer);
    }

    /// Reads the first four bytes of a page, and those behind them into `buffer`, whose length is a multiple
    /// of 4.
    pub fn read_page(&mut self, page: u8, buffer: &mut [u8]) -> [u8; 4] {
        let mut first = [0; 4];
        self.start_remote(u16::from(page) << 8, first.len() + buffer.len(), CR_READ);
        if self.width == Width::Dword {
            let port = self.base.wrapping_add(DATA);
            first = self.ports.inl(port).to_le_bytes();
            self.ports.read_dwords(port, buffer);
        } else {
            self.read(&mut first);
            self.read(buffer);
        }
        first
    }

    /// Takes the next bytes of a remote read.
    fn read(&mut self, buffer: &mut [u8]) {
        let port = self.base.wrapping_add(DATA);
        match self.width {
            Width::Byte => {
                self.ports.read_bytes(port, buffer);
                if !buffer.len().is_multiple_of(2) {
                    self.ports.inb(port);
                }
            }
            Width::Word => self.ports.read_words(port, buffer),
            Width::Dword => {
                let (whole, rest) = buffer.split_at_mut(buffer.len() & !3);
                self.ports.read_dwords(port, whole);
                match rest {
                    [] => {}
                    [low, high] => [*low, *high] = self.ports.inw(port).to_le_bytes(),
                    _ => self.ports.read_words(port, rest),
                }
            }
        }
    }

    /// Writes the card's memory from `address` on. A write that did not complete is repeated once,
    /// behind a read.
    pub fn write_memory(&mut self, address: u16, data: &[u8]) -> Result<(), RemoteTimeout> {
        for _ in 0..2 {
            if self.read_before_write {
                let mut word = [0; 2];
                self.read_memory(address, &mut word);
            }
            if self.try_write(address, data) {
                return Ok(());
            }
            self.read_before_write = true;
        }
        Err(RemoteTimeout)
    }

    fn try_write(&mut self, address: u16, data: &[u8]) -> bool {
        self.set(INTERRUPTS, ISR_REMOTE_DONE);
        self.start_remote(address, data.len(), CR_WRITE);
        let port = self.base.wrapping_add(DATA);
        match self.width {
            Width::Byte => {
                self.ports.write_bytes(port, data);
                if !data.len().is_multiple_of(2) {
                    self.ports.outb(port, 0);
                }
            }
            Width::Word => self.ports.write_words(port, data),
            Width::Dword => {
                let (whole, rest) = data.split_at(data.len() & !3);
                self.ports.write_dwords(port, whole);
                match *rest {
                    [] => {}
                    [low, high] => self.ports.outw(port, u16::from_le_bytes([low, high])),
                    _ => self.ports.write_words(port, rest),
                }
            }
        }
        let done = (0..REMOTE_POLLS).any(|_| self.get(INTERRUPTS) & ISR_REMOTE_DONE != 0);
        if !done {
            self.set(COMMAND, CR_START);
            self.clear_remote();
        }
        done
    }
}
