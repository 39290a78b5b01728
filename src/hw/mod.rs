//! Drivers for the hardware of a PC, without `unsafe`: they reach it through [`ports::Ports`].
//!
//! Implements the traits that `block` and `net` declare. Each file says which chip it drives and
//! which data sheet it follows.

pub mod ata;
pub mod ne2000;
pub mod pit;
pub mod ports;
pub mod rtc;
pub mod speaker;
pub mod uart;
pub mod vga;
