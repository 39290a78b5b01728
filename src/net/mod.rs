//! TCP/IP: the NIC trait, the smoltcp device over it, the stack with its bounded poll, the sockets.
//!
//! smoltcp is named here and nowhere else. May call `time` and `memory`.

pub mod nic;
