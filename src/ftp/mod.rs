//! The FTP protocol engine: it never sees a socket or a disk.
//!
//! A [`link::ControlLink`] and a [`link::DataLink`] stand for a client's connections, a
//! [`crate::vfs::Provider`] for the files. May call `vfs` and `config`.
//!
//! In reading order: [`session`] reads lines ([`line`]) and runs commands ([`command`], [`handlers`]) on
//! what it knows of its client ([`client`]); [`transfer`] moves files ([`retrieve`], [`store`], [`ascii`])
//! and listings ([`lister`], [`listing`]); [`scan`] reads a file through for its checksum; [`reply`] writes what is said; [`shared`] is what all sessions
//! have in common, [`wire`] how names travel, [`long_names`] what becomes of long ones.

pub mod ascii;
pub mod client;
pub mod command;
mod digest;
pub mod handlers;
pub mod line;
pub mod link;
mod lister;
pub mod listing;
pub mod long_names;
pub mod reply;
mod retrieve;
pub mod scan;
pub mod session;
pub mod shared;
mod store;
pub mod transfer;
pub mod wire;

pub use client::Context;
pub use session::{Session, Step};
pub use shared::Shared;
