//! Text when nothing else can be relied on: straight into text memory and COM1, without interrupts
//! or BIOS. The screen of panics and exceptions.

use core::fmt::{self, Write};
use core::ptr;

use ftpsrv::hw::ports::Ports;
use ftpsrv::hw::uart;

use super::low;
use super::ports::IoPorts;

const COLUMNS: usize = 80;
const ROWS: usize = 25;
/// White on red; inverse on MDA, whose attribute of that value shows nothing.
const COLOUR: u16 = 0x4F00;
const MONO: u16 = 0x7000;
const LINE_STATUS: u16 = 5;
const TRANSMITTER_EMPTY: u8 = 0x20;

/// Writes from the top of the screen down, and to COM1.
pub struct EarlyText {
    cell: usize,
}

impl EarlyText {
    /// From the screen's upper left corner on.
    pub fn new() -> EarlyText {
        EarlyText { cell: 0 }
    }

    fn show(&mut self, byte: u8) {
        let mono = low::read::<u8>(low::VIDEO_MODE) == 7;
        let (memory, attribute) = if mono { (0xB_0000, MONO) } else { (0xB_8000, COLOUR) };
        let page = usize::from(low::read::<u16>(low::VIDEO_PAGE_START));
        let base = memory + (page & 0x7FFE);
        let end = if byte == b'\n' { (self.cell / COLUMNS + 1) * COLUMNS } else { self.cell + 1 };
        let character = if byte == b'\n' { b' ' } else { byte };
        while self.cell < end.min(COLUMNS * ROWS) {
            let cell = ptr::with_exposed_provenance_mut(base + self.cell * 2);
            // SAFETY: text memory of the display adapter; nothing of Rust's lies there.
            unsafe { ptr::write_volatile(cell, attribute | u16::from(character)) };
            self.cell += 1;
        }
    }
}

impl Write for EarlyText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.show(byte);
            if byte == b'\n' {
                send(b'\r');
            }
            send(byte);
        }
        Ok(())
    }
}

/// Sends a byte over COM1, waiting for the transmitter at most as long as a slow line takes.
fn send(byte: u8) {
    for _ in 0..20_000 {
        if IoPorts.inb(uart::COM1 + LINE_STATUS) & TRANSMITTER_EMPTY != 0 {
            break;
        }
    }
    IoPorts.outb(uart::COM1, byte);
}
