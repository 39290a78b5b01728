//! The FTP protocol engine: it never sees a socket or a disk.
//!
//! A [`link::ControlLink`] and a [`link::DataLink`] stand for a client's connections, a
//! [`crate::vfs::Provider`] for the files. May call `vfs` and `config`.

pub mod link;
