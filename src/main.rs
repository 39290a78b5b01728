//! The kernel's entry.
#![no_std]
#![no_main]

mod metal;

/// Runs the server on the PC, from the moment that protected mode, stack and interrupts stand.
#[unsafe(no_mangle)]
extern "C" fn kernel_main() -> ! {
    metal::early::print("FTPSRV\r\n");
    loop {
        core::hint::spin_loop();
    }
}
