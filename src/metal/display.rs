//! Finds the display adapter by the BIOS, and gives its text memory to the console.

use core::{ptr, slice};

use ftpsrv::hw::vga::{self, Palette, Retrace, Snow, TextMemory};
use ftpsrv::memory::Memory;

use super::bios::Registers;
use super::low;
use super::memory::Arena;
use super::ports::IoPorts;

const MONO_MODE: u8 = 7;
const COLOUR_80: u16 = 3;
const COLUMNS: usize = 80;
/// Rows of CGA and MDA, and the most that text memory of one page surely holds (VGA, 8x8 font).
const ROWS: usize = 25;
const MAX_ROWS: usize = 50;

/// The display, and what to call it.
pub struct Display {
    /// The visible page.
    pub screen: TextMemory<'static, IoPorts>,
    /// "VGA", "EGA", "CGA", "MDA".
    pub name: &'static str,
}

/// The display adapter; `None` when there is none, or no memory for a CGA's copy of what it shows.
pub fn find(arena: &mut Arena) -> Option<Display> {
    let mut mode = current_mode();
    if mode.0 != MONO_MODE && (mode.0 > 3 || usize::from(mode.1) != COLUMNS) {
        Registers::ax(COLOUR_80).call(0x10);
        mode = current_mode();
    }
    let mono = mode.0 == MONO_MODE;
    let name = adapter(mono);
    let rows = match name {
        "VGA" | "EGA" => (usize::from(low::read::<u8>(low::ROWS)) + 1).clamp(ROWS, MAX_ROWS),
        _ => ROWS,
    };
    let page = usize::from(low::read::<u16>(low::VIDEO_PAGE_START) & 0x3FFE);
    let memory = if mono { 0xB_0000 } else { 0xB_8000 } + page;
    // QEMU without an adapter has plain memory there; what no BIOS of its own answers for must have its
    // controller.
    let is_plain = matches!(name, "CGA" | "MDA");
    let crtc = if mono { vga::MONO_CRTC } else { vga::COLOUR_CRTC };
    if !is_memory(memory) || is_plain && !vga::has_controller(&mut IoPorts, crtc) {
        return None;
    }
    // Cursor off, as far as the adapter knows how to.
    let mut cursor = Registers { ecx: 0x2000, ..Registers::ax(0x0100) };
    cursor.call(0x10);
    let first = ptr::with_exposed_provenance_mut(memory);
    // SAFETY: text memory of the adapter that was just found there, made a slice once.
    let cells = unsafe { slice::from_raw_parts_mut(first, COLUMNS * rows) };
    let palette = if mono { Palette::Mono } else { Palette::Colour };
    let mut snow = None;
    if name == "CGA" {
        let shadow = arena.slots("the screen", cells.len(), |_| 0).ok()?;
        snow = Some(Snow { shadow, retrace: Some(Retrace::new(IoPorts)) });
    }
    Some(Display { screen: TextMemory::new(cells, COLUMNS, palette, snow), name })
}

/// Mode and columns.
fn current_mode() -> (u8, u8) {
    let mut registers = Registers::ax(0x0F00);
    registers.call(0x10);
    (registers.eax as u8 & 0x7F, registers.ah())
}

fn adapter(mono: bool) -> &'static str {
    let mut registers = Registers::ax(0x1A00);
    registers.call(0x10);
    if registers.eax as u8 == 0x1A {
        return "VGA";
    }
    let mut registers = Registers { ebx: 0x10, ..Registers::ax(0x1200) };
    registers.call(0x10);
    match (registers.ebx as u8, mono) {
        (0x10, true) => "MDA",
        (0x10, false) => "CGA",
        _ => "EGA",
    }
}

/// Whether the word at `address` keeps what is written to it.
fn is_memory(address: usize) -> bool {
    let cell = ptr::with_exposed_provenance_mut::<u16>(address);
    // SAFETY: a place for text memory: the adapter's, or nothing at all. Its content is put back.
    unsafe {
        let before = cell.read_volatile();
        cell.write_volatile(0x0755);
        let kept = cell.read_volatile() == 0x0755;
        cell.write_volatile(before);
        kept
    }
}
