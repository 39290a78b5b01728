//! The whole server on simulated hardware: booted from a floppy, driven by clients over simulated time.

mod commands;
mod connections;
mod console;
mod disks;
mod ftp;
mod log;
mod rig;
mod sessions;
mod starting;
mod transfers;
