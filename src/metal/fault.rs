//! Exceptions and panics: what happened, where, the registers; then the machine stops. Nothing
//! reboots by itself, so that the message can be read.
//!
//! A panic is a UD2 at its place (`panic=immediate-abort`, .cargo/config.toml): its text would cost the
//! floppy 25 KB. `addr2line -e` with the kernel's ELF file turns the addresses shown into lines.

use core::arch::asm;
use core::fmt::{Display, Write};
use core::panic::PanicInfo;
use core::ptr;

use super::early::EarlyText;

const INVALID_OPCODE: u32 = 6;
/// The instruction that a panic is, as a word.
const UD2: u16 = 0x0B0F;

/// What entry.s pushed at an exception: PUSHA's registers, and what the CPU pushes.
#[repr(C)]
struct Frame {
    edi: u32,
    esi: u32,
    ebp: u32,
    esp: u32,
    ebx: u32,
    edx: u32,
    ecx: u32,
    eax: u32,
    vector: u32,
    code: u32,
    eip: u32,
    cs: u32,
    eflags: u32,
}

/// Intel 386 Programmer's Reference Manual, table 9-1.
fn name(vector: u32) -> &'static str {
    match vector {
        0 => "division by zero",
        1 => "stack overflow",
        2 => "NMI (memory parity?)",
        3 => "breakpoint",
        5 => "BOUND",
        6 => "invalid opcode",
        7 => "no coprocessor",
        8 => "double fault",
        12 => "stack fault",
        13 => "general protection",
        14 => "page fault",
        _ => "exception",
    }
}

/// Called by entry.s.
#[unsafe(no_mangle)]
extern "C" fn kernel_exception(frame: &Frame) -> ! {
    let mut text = EarlyText::new();
    let f = frame;
    // SAFETY: the CPU has just tried to run what lies there.
    let opcode = unsafe { ptr::with_exposed_provenance::<u16>(f.eip as usize).read_unaligned() };
    let is_panic = f.vector == INVALID_OPCODE && opcode == UD2;
    // EarlyText cannot fail.
    let _ = write!(
        text,
        "FTPSRV stopped: {} ({:02X}h) at {:08X}, code {:X}\n\
         EAX {:08X} EBX {:08X} ECX {:08X} EDX {:08X}\n\
         ESI {:08X} EDI {:08X} EBP {:08X} ESP {:08X}\n\
         CS {:04X} EFLAGS {:08X}\nStack",
        if is_panic { "internal error" } else { name(f.vector) },
        f.vector,
        f.eip,
        f.code,
        f.eax,
        f.ebx,
        f.ecx,
        f.edx,
        f.esi,
        f.edi,
        f.ebp,
        f.esp + 20,
        f.cs & 0xFFFF,
        f.eflags
    );
    // The words under the frame: return addresses are among them.
    let above = (&raw const *frame).wrapping_add(1).cast::<u32>();
    for index in 0..24 {
        // SAFETY: the stack and what lies above it is memory below 1 MB, aligned.
        let word = unsafe { above.wrapping_add(index).read_volatile() };
        let _ = write!(text, " {word:08X}");
    }
    let _ = writeln!(text, "\nPlease note this down and restart the PC.");
    halt()
}

/// Says why there can be no server, and stops the PC. For what happens before there is a console.
pub fn stop(reason: &dyn Display) -> ! {
    // EarlyText cannot fail.
    let _ = writeln!(EarlyText::new(), "FTPSRV stopped: {reason}");
    halt()
}

/// The compiler asks for it; no panic gets here.
#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    halt()
}

/// Stops the CPU for good.
fn halt() -> ! {
    loop {
        // SAFETY: nothing runs after this.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
