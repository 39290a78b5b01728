//! Finding a card, and finding out what it is: address PROM, memory, bus width.
//!
//! A probe must not upset what else may be at the ports (XT disk controllers at 320h, sound cards at
//! 220h): reads come first, a write only where a DP8390 is likely, and what was written is restored
//! when it is none.

use super::chip::{self, Chip, Width};
use super::{Ne2000, RCR_BROADCAST, RCR_MONITOR, TCR_LOOPBACK, TRANSMIT_PAGES};
use crate::hw::ports::Ports;
use crate::net::nic::Statistics;

/// Base ports at which ISA cards are looked for, in this order.
pub const ISA_PORTS: [u16; 9] = [0x300, 0x280, 0x320, 0x340, 0x360, 0x2A0, 0x2C0, 0x240, 0x220];

/// Memory is found in blocks of this many pages (8 KB), from page 40h (NE2000) or 20h (NE1000).
const BLOCK: u8 = 0x20;
const NE2000_MEMORY: u8 = 0x40;
const NE1000_MEMORY: u8 = 0x20;
/// Nobody put more than 32 KB on an NE2000.
const MEMORY_END: u8 = 0xC0;

/// Why there is no card at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFound {
    /// Nothing there behaves like a DP8390.
    NoChip,
    /// A DP8390, but its PROM holds no station address.
    NoAddress,
    /// A DP8390, but its memory does not work at 2000h or 4000h (a WD80x3 or 3C503, which keep it
    /// elsewhere, or a defect).
    NoMemory,
}

impl<P: Ports> Ne2000<P> {
    /// The card at base port `io` (32 ports). With `irq`, the card raises its interrupt at every
    /// event until the driver is polled. `name` is what users see; without one it is NE1000 or
    /// NE2000, by the width of the bus.
    ///
    /// # Errors
    /// [`NotFound`], with the ports for the next try.
    pub fn new(
        ports: P,
        io: u16,
        irq: Option<u8>,
        name: Option<&'static str>,
    ) -> Result<Ne2000<P>, (NotFound, P)> {
        let mut chip = Chip::new(ports, io);
        match examine(&mut chip) {
            Ok((address, memory)) => Ok(Self::with_card(chip, irq, name, address, memory)),
            Err(error) => Err((error, chip.into_ports())),
        }
    }

    fn with_card(
        chip: Chip<P>,
        irq: Option<u8>,
        name: Option<&'static str>,
        address: [u8; 6],
        memory: core::ops::Range<u8>,
    ) -> Ne2000<P> {
        let narrow = chip.width == Width::Byte;
        // In 8 KB a second transmit buffer would leave room for three frames only.
        let buffers = if memory.end - memory.start > BLOCK { 2 } else { 1 };
        let start = memory.start + buffers * TRANSMIT_PAGES;
        let mut card = Ne2000 {
            chip,
            name: name.unwrap_or(if narrow { "NE1000" } else { "NE2000" }),
            irq,
            address,
            statistics: Statistics::default(),
            receive_config: RCR_BROADCAST,
            memory: memory.start,
            start,
            stop: memory.end,
            next: start + 1,
            current: start + 1,
            recovery: None,
            sending: None,
            waiting: None,
            buffer: 0,
            polls: 0,
        };
        card.initialize();
        card
    }
}

/// Station address and pages of memory of the card, which is left stopped, its width set.
fn examine<P: Ports>(chip: &mut Chip<P>) -> Result<([u8; 6], core::ops::Range<u8>), NotFound> {
    if !is_present(chip) {
        return Err(NotFound::NoChip);
    }
    // Some clones never acknowledge the reset; what follows shows whether they work.
    chip.reset();
    let (address, wide) = read_prom(chip).ok_or(NotFound::NoAddress)?;
    let widths: &[Width] =
        if wide { &[Width::Dword, Width::Word, Width::Byte] } else { &[Width::Byte] };
    for &width in widths {
        chip.width = width;
        if let Some(memory) = find_memory(chip)
            && (width != Width::Dword || moves_double_words(chip, memory.start))
        {
            return Ok((address, memory));
        }
    }
    Err(NotFound::NoMemory)
}

/// Whether a DP8390 answers. Its remote DMA bits are zero or "abort" in a chip at rest; those of one that
/// a warm start took from its program may say "read" or "write" still, and it is started then. It is never
/// both started and stopped. Tally counter 0 is cleared by reading. Only after these reads is the chip told
/// apart from memory-like registers, by the page bits: what is written to page 1 must not be seen in page 0.
fn is_present<P: Ports>(chip: &mut Chip<P>) -> bool {
    let command = chip.get(chip::COMMAND);
    let rests = command & 0x18 == 0 && command & 0x03 != 0x03;
    let left = matches!(command & 0x1F, chip::CR_READ | chip::CR_WRITE);
    if !rests && !left {
        return false;
    }
    if command & 0xC0 == 0 {
        chip.get(chip::TALLY);
        if chip.get(chip::TALLY) != 0 {
            return false;
        }
    }
    chip.set(chip::COMMAND, chip::CR_STOP | chip::CR_PAGE1);
    let saved = chip.get(chip::TALLY);
    chip.set(chip::TALLY, 0xFF);
    chip.set(chip::COMMAND, chip::CR_STOP);
    chip.get(chip::TALLY);
    let counter = chip.get(chip::TALLY);
    if counter == 0 && chip.get(chip::COMMAND) & 0x3F == chip::CR_STOP {
        return true;
    }
    chip.set(chip::COMMAND, command);
    chip.set(chip::TALLY, saved);
    false
}

/// Makes the chip answer to remote DMA with nothing going on around it.
fn prepare<P: Ports>(chip: &mut Chip<P>) {
    chip.set(chip::COMMAND, chip::CR_STOP);
    let data_config = chip.data_config();
    chip.set(chip::DATA_CONFIG, data_config);
    chip.clear_remote();
    chip.set(chip::INTERRUPT_MASK, 0);
    chip.set(chip::INTERRUPTS, 0xFF);
    chip.set(chip::RECEIVE_CONFIG, RCR_MONITOR);
    chip.set(chip::TRANSMIT_CONFIG, TCR_LOOPBACK);
    chip.set(chip::PAGE_START, NE1000_MEMORY);
    chip.set(chip::PAGE_STOP, MEMORY_END);
}

/// The station address, and whether the PROM sits on a 16-bit bus: then each of its bytes comes
/// twice in 8-bit transfers.
fn read_prom<P: Ports>(chip: &mut Chip<P>) -> Option<([u8; 6], bool)> {
    chip.width = Width::Byte;
    prepare(chip);
    let mut prom = [0; 32];
    chip.read_memory(0, &mut prom);
    let wide = prom.chunks_exact(2).all(|pair| pair[0] == pair[1]);
    let mut address = [0; 6];
    for (byte, &read) in address.iter_mut().zip(prom.iter().step_by(1 + usize::from(wide))) {
        *byte = read;
    }
    let valid = address[0] & 1 == 0 && address != [0; 6];
    valid.then_some((address, wide))
}

/// A mark for a page that no other page and no bus in disorder gives.
fn mark(page: u8) -> [u8; 8] {
    [0xA5, page, !page, 0x3C, page ^ 0x96, 0x00, 0xFF, 0x5A]
}

fn write_mark<P: Ports>(chip: &mut Chip<P>, page: u8) {
    // Whether it arrived shows when it is read.
    let _ = chip.write_memory(u16::from(page) << 8, &mark(page));
}

fn has_mark<P: Ports>(chip: &mut Chip<P>, page: u8) -> bool {
    let mut read = [0; 8];
    chip.read_memory(u16::from(page) << 8, &mut read);
    read == mark(page)
}

/// The pages of the card's memory in the present width. Blocks are marked from the top down, so
/// that a mirror of a lower block has lost its mark when it is looked at.
fn find_memory<P: Ports>(chip: &mut Chip<P>) -> Option<core::ops::Range<u8>> {
    prepare(chip);
    for page in (NE2000_MEMORY..MEMORY_END).step_by(usize::from(BLOCK)).rev() {
        write_mark(chip, page);
    }
    let mut end = NE2000_MEMORY;
    while end < MEMORY_END && has_mark(chip, end) {
        end += BLOCK;
    }
    if end > NE2000_MEMORY {
        return Some(NE2000_MEMORY..end);
    }
    write_mark(chip, NE1000_MEMORY);
    has_mark(chip, NE1000_MEMORY).then_some(NE1000_MEMORY..NE1000_MEMORY + BLOCK)
}

/// Whether double words reach the card whole: a 16-bit bus cycles twice, to the data port and two
/// ports on, and cards need not decode the second.
fn moves_double_words<P: Ports>(chip: &mut Chip<P>, page: u8) -> bool {
    let address = u16::from(page) << 8;
    let mut sent = [0u8; 64];
    for (index, byte) in sent.iter_mut().enumerate() {
        *byte = (index as u8).wrapping_mul(37) ^ 0x5A;
    }
    let mut read = [0; 64];
    let written = chip.write_memory(address, &sent).is_ok();
    chip.width = Width::Word;
    chip.read_memory(address, &mut read);
    chip.width = Width::Dword;
    let out = written && read == sent;
    read = [0; 64];
    chip.read_memory(address, &mut read);
    out && read == sent
}
