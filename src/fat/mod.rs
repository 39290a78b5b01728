//! FAT12, FAT16 and FAT32 volumes, as DOS keeps them: 8.3 names, local time, code-page bytes.
//!
//! May call `block`. Knows nothing of users, sandboxes or drive letters.
//!
//! Every call works on what the sector cache can reach with the commands of one slice, and answers
//! [`FatError::Again`] when that was not enough. Reading calls start anew then, with more in the cache;
//! changes go on where they were.

pub mod boot_sector;
pub mod change;
pub mod dir;
pub mod dirent;
pub mod error;
pub mod file;
pub mod index;
pub mod name83;
pub mod survey;
pub mod table;
mod tree;
pub mod volume;

pub use boot_sector::{BootError, FatType, Geometry};
pub use change::{Chain, Change, Step};
pub use dir::{Cursor, Found, Place, Room, Scan};
pub use dirent::{Dirent, EntryKind};
pub use error::FatError;
pub use file::File;
pub use index::Index;
pub use name83::Name83;
pub use survey::Survey;
pub use volume::{MountError, ReadOnly, Volume};
