//! Drivers for the hardware of a PC, in safe Rust: they reach it through [`ports::Ports`].
//!
//! Implements the traits that `block` and `net` declare. Each file says which chip it drives and
//! which data sheet it follows.

pub mod ata;
pub mod dma;
pub mod etherlink3;
pub mod ne2000;
pub mod nic;
pub mod pci;
pub mod pcnet;
pub mod pic;
pub mod pit;
pub mod ports;
pub mod rtc;
pub mod rtl8139;
pub mod slip;
pub mod speaker;
pub mod uart;
pub mod vga;
