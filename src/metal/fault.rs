//! Exceptions and panics: what happened, where, the registers; then the machine stops.

use core::panic::PanicInfo;

/// Called by entry.s with the stack's content at an exception.
#[unsafe(no_mangle)]
extern "C" fn kernel_exception(_frame: *const u32) -> ! {
    super::early::print("EXCEPTION\r\n");
    loop {}
}

#[panic_handler]
fn panic(_info: &PanicInfo) -> ! {
    super::early::print("PANIC\r\n");
    loop {}
}
