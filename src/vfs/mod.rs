//! Files as an FTP user sees them: /drive_x paths, sandboxes, upload directories, permissions.
//!
//! May call `fat` and `block`. [`provider::Provider`] is the only way to a file, and takes only a
//! [`path::ResolvedPath`], which only a [`sandbox::Sandbox`] makes.

pub mod alias;
pub mod codepage;
pub mod drives;
pub mod path;
pub mod pattern;
pub mod permission;
pub mod provider;
pub mod sandbox;

pub use crate::fat::Name83;
pub use drives::{Drives, DrivesSize};
pub use path::{Drive, PathError, ResolvedPath, UserPath};
pub use pattern::Pattern;
pub use permission::{Permission, Permissions};
pub use provider::{Attributes, FsError, Provider};
pub use sandbox::Sandbox;
