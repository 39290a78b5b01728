//! The kernel's contact with the machine: boot, interrupts, BIOS, memory. `unsafe` lives here alone.
//!
//! The assembly, in order: boot.s (boot sector), stage2.s (second stage), unpack.s, entry.s (protected
//! mode, BIOS thunk, interrupts, memcpy). The map of low memory is in targets/kernel.ld.
//!
//! What always holds: one thread of control; interrupt handlers are entry.s's and touch no object
//! of Rust's; BIOS calls run in real mode with interrupts on and see the PICs as the BIOS left them.

pub mod bios;
pub mod bios_disk;
pub mod clock;
pub mod cpu;
pub mod disks;
pub mod display;
pub mod dma;
mod early;
pub mod fault;
pub mod interrupt;
pub mod keyboard;
#[cfg(feature = "limits")]
pub mod limits;
pub mod low;
pub mod memory;
pub mod pc;
pub mod ports;
pub mod report;
#[cfg(feature = "selftest")]
pub mod selftest;

use core::arch::global_asm;

// One assembly unit: the files share their constants.
global_asm!(
    include_str!("boot.s"),
    include_str!("stage2.s"),
    include_str!("entry.s"),
    include_str!("unpack.s"),
    options(att_syntax, raw)
);

/// Makes the linker script an input that cargo knows of.
const _: &str = include_str!("../../targets/kernel.ld");
