//! What can go wrong on a volume.

use crate::block::{CacheError, DiskError};

/// Why a call on a volume failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FatError {
    /// The slice's disk commands are used up: call again.
    Again,
    /// The disk failed.
    Disk(DiskError),
    /// What the volume says makes no sense there.
    Damaged,
    /// No free cluster.
    Full,
    /// A directory can have no more entries.
    DirectoryFull,
    /// A file would grow over 4 GiB - 1.
    TooLarge,
}

impl From<CacheError> for FatError {
    fn from(error: CacheError) -> FatError {
        match error {
            CacheError::Again => FatError::Again,
            CacheError::Disk(error) => FatError::Disk(error),
        }
    }
}
