//! What the administrator says: MTCP.CFG and the password file, in mTCP's own formats.
//!
//! May call the path types of `vfs`.

pub mod settings;

pub use settings::Settings;
