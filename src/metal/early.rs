//! Text before there is a console, and after everything else failed: straight into text memory and
//! COM1, without interrupts, BIOS or state.

/// Writes `text` to COM1.
pub fn print(text: &str) {
    for byte in text.bytes() {
        // SAFETY: the UART's transmit register; writing it has no effect on memory.
        unsafe {
            core::arch::asm!("out dx, al", in("dx") 0x3F8u16, in("al") byte, options(nomem, nostack, preserves_flags));
        }
    }
}
