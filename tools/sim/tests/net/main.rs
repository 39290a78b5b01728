//! The TCP/IP stack against hosts with a TCP/IP of their own, on a wire that can do everything to a frame
//! that wires do, in simulated time.

mod bulk;
mod control;
mod data;
mod death;
mod dhcp;
mod fuzz;
mod hostile;
mod memory;
mod rig;
mod slip;
