//! Models of the chips that drivers talk to, by their data sheets, on a port bus with a clock.

pub mod bus;
pub mod dp8390;
pub mod ide;

pub use bus::{Device, PortBus};
