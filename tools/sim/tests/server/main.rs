//! The whole server on simulated hardware: booted from a floppy, driven by clients over simulated time.

mod cards;
mod commands;
mod connections;
mod console;
mod disks;
mod faults;
mod ftp;
mod log;
mod rig;
mod sessions;
mod soak;
mod starting;
mod transfers;
