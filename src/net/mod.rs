//! TCP/IP: the NIC trait, the smoltcp device over it, the stack with its bounded poll, the sockets.
//!
//! smoltcp is named here and nowhere else. May call `time` and `memory`.
//!
//! The way of a received frame: [`nic::Nic`] -> [`device`] (one buffer) -> [`packet`] (sanity,
//! checksum) -> [`control`] or [`data`] (whose socket, and whether its sender may have it) -> smoltcp.
//! Nothing reaches smoltcp that `packet` did not find well formed and addressed to us, or [`flow`] to follow
//! what `packet` did.

pub mod address;
pub mod checksum;
pub mod control;
pub mod data;
mod device;
pub mod flow;
pub mod nic;
pub mod packet;
mod sender;
pub mod stack;

pub use address::{Address, AddressPlan, Event};
pub use control::ControlPort;
pub use data::{DataPort, DataState, PortError};
pub use stack::{Activity, Plan, Stack, Statistics};
