//! FAT12, FAT16 and FAT32 volumes, as DOS keeps them: 8.3 names, local time, code-page bytes.
//!
//! May call `block`. Knows nothing of users, sandboxes or drive letters.

pub mod name83;

pub use name83::Name83;
