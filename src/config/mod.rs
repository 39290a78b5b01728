//! What the administrator says: MTCP.CFG and the password file, in mTCP's own formats.
//!
//! May call the path types of `vfs`.

pub mod file_name;
mod lines;
mod mtcp_cfg;
pub mod report;
pub mod settings;
pub mod users;
mod value;
pub mod zone;

pub use report::{Invalid, Message, Severity};
pub use settings::{ConsoleDevice, Settings};
pub use users::{Password, Rights, User, Users};
