//! An FTP server for PCs of the DOS era, in the manner of mTCP FtpSrv, on the bare metal of a 386.
//!
//! The library is everything but the contact with the machine: no heap, no `unsafe`, and it runs on
//! the host against simulated hardware (tools/sim). The kernel (main.rs and metal/) puts it on a PC.
//!
//! # The layers, in reading order
//!
//! | module | what it is | may call |
//! |---|---|---|
//! | [`time`], [`memory`], [`text`] | milliseconds, calendar; memory carved at start; unforgeable text | nothing |
//! | [`block`] | disk trait, sector cache, partitions, CHS geometry | time, memory |
//! | [`fat`] | FAT12, FAT16, FAT32 volumes; 8.3 names | block |
//! | [`vfs`] | paths, sandboxes, permissions, drives as /drive_x, the provider trait | fat, block |
//! | [`config`] | MTCP.CFG and the password file | vfs (path types) |
//! | [`ftp`] | the protocol engine: sessions, commands, transfers | vfs, config |
//! | [`net`] | NIC trait, the TCP/IP stack, socket pool; names smoltcp, alone | time, memory |
//! | [`hw`] | drivers over port I/O: network cards, SLIP, ATA, RTC, PIT | memory, traits of block and net |
//! | [`console`] | text screen, scroll-back, keys | time |
//! | [`server`] | owns everything; `step()` is one turn of the poll loop | all of the above |
//!
//! The way of a byte: wire -> hw::ne2000 -> net -> ftp::session -> vfs (UserPath -> Sandbox ->
//! ResolvedPath) -> fat -> block::cache -> hw::ata or the BIOS.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod block;
pub mod config;
pub mod console;
pub mod fat;
pub mod ftp;
pub mod hw;
pub mod memory;
pub mod net;
pub mod server;
pub mod text;
pub mod time;
pub mod vfs;
