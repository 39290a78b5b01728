//! What the administrator says: MTCP.CFG and the password file, in mTCP's own formats.
//!
//! May call the path types of `vfs`.

mod lines;
pub mod report;
pub mod settings;
pub mod users;

pub use report::{Invalid, Message, Severity};
pub use settings::Settings;
pub use users::{Password, User, Users};
