//! Disks as rows of 512-byte sectors: the device trait, the sector cache, the partition table, and where a
//! BIOS has each sector.
//!
//! May call `time` and `memory`. Nothing here knows what a file is.

pub mod cache;
pub mod device;
pub mod geometry;
pub mod partition;

pub use cache::{Cache, CacheError, CacheSize, PutOff};
pub use device::{
    Access, DiskError, DiskId, DiskInfo, DiskKind, Disks, Lba, Owner, SECTOR, Transfer,
};
