//! The PC's own screen and keyboard: status line, scrolling log, keys.
//!
//! May call `time`. The kernel puts text memory and the BIOS's keyboard buffer behind the traits.

pub mod terminal;

pub use terminal::{Key, TextScreen};
