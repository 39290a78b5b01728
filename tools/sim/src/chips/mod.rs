//! Models of the chips that drivers talk to, by their data sheets, on a port bus with a clock.

pub mod bus;
pub mod cable;
pub mod dp8390;
pub mod etherlink3;
pub mod fitted;
pub mod ide;
pub mod lent;
pub mod pci;
pub mod pcnet;
pub mod pic;
pub mod ram;
pub mod rtl8139;
pub mod transmitter;
pub mod uart;

pub use bus::{Device, PortBus};
pub use cable::{Cable, Station};
