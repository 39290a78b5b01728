//! Keys, by way of the BIOS: its INT 09h serves the keyboard, XT or AT, and leaves words in its
//! buffer. In protected mode IRQ 1 stays masked and waits in the PIC until a BIOS call lets it in.

use ftpsrv::console::Key;
use ftpsrv::hw::ports::Ports;

use super::bios::Registers;
use super::low;
use super::ports::IoPorts;

const PIC1: u16 = 0x20;
/// OCW3: the next read is of the interrupt request register.
const READ_REQUESTS: u8 = 0x0A;
const IRQ1: u8 = 1 << 1;
/// Segment 40h.
const BIOS_DATA: usize = 0x400;
/// Buffer of a BIOS that does not tell where it is: offsets in segment 40h.
const FIRST_BUFFER: (u16, u16) = (0x1E, 0x3E);

/// The next key.
pub fn key() -> Option<Key> {
    IoPorts.outb(PIC1, READ_REQUESTS);
    if IoPorts.inb(PIC1) & IRQ1 != 0 {
        // "Is there a key?": interrupts are on while the BIOS looks.
        Registers::ax(0x0100).call(0x16);
    }
    let control_break: u8 = low::read(low::BREAK);
    if control_break & 0x80 != 0 {
        low::write(low::BREAK, control_break & 0x7F);
        return Some(Key::Exit);
    }
    next_word().map(Key::from_bios)
}

/// Takes a word from the BIOS's ring. Only it moves the tail, only we move the head.
fn next_word() -> Option<u16> {
    let (head, tail): (u16, u16) = (low::read(low::KEYS_HEAD), low::read(low::KEYS_TAIL));
    let told: (u16, u16) = (low::read(low::KEYS_START), low::read(low::KEYS_END));
    let (start, end) = if told.0 >= 0x1E && told.0 < told.1 { told } else { FIRST_BUFFER };
    if head == tail || head < start || head >= end {
        return None;
    }
    let word = low::read(BIOS_DATA + usize::from(head));
    let next = if head + 2 >= end { start } else { head + 2 };
    low::write(low::KEYS_HEAD, next);
    Some(word)
}
