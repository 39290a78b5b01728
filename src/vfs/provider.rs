//! The trait through which FTP reaches files, and what its calls mean.
//!
//! The contract is that of an SSH server's file-system provider as far as it makes sense for FAT:
//! open flags, checked handles, attributes by path and by handle. FAT implements it on real disks;
//! an in-memory one (tools/sim) passes the same contract test, whose head (tools/sim/tests/fat_contract/main.rs)
//! has a table of every promise and what keeps it.
//!
//! Calls that no command of FTP needs are there for `Self: Sized` alone: they are kept out of the table
//! of `dyn Provider`, and cost the kernel nothing.
//!
//! # Slices
//! No call keeps the server for longer than about one disk command. A call that needs more returns
//! [`FsError::Again`]: it has done one command's work, kept what it learnt, and wants to be called
//! again with the same arguments in a later turn. Until then nothing of its effect is visible.
//! [`Provider::begin_turn`] begins a turn, and bounds what all calls of it do together.
//! [`Provider::work`] carries on what calls left behind (freeing chains, counting free clusters,
//! flushing), a slice a turn.

use core::fmt;

use super::path::{Drive, DriveSet, ResolvedPath, UserPath};
use crate::block::{DiskId, PutOff};
use crate::fat::Name83;
use crate::time::DateTime;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory; also a drive's root, and the root that holds the drives.
    Directory,
}

/// What is known of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// File or directory.
    pub kind: Kind,
    /// Bytes; 0 for directories.
    pub size: u32,
    /// Local time of the last change; [`DateTime::EPOCH`] where the disk has none.
    pub modified: DateTime,
    /// DOS attribute R: no writing, no deleting.
    pub read_only: bool,
    /// DOS attribute H.
    pub hidden: bool,
    /// DOS attribute S.
    pub system: bool,
}

/// Attributes to set; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetAttributes {
    /// New time of the last change, local time.
    pub modified: Option<DateTime>,
    /// New read-only attribute.
    pub read_only: Option<bool>,
}

/// One line of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirEntry {
    /// Its 8.3 name.
    pub name: Name83,
    /// The rest.
    pub attributes: Attributes,
}

/// How to open a file. Opening for writing locks the file against every other opening; opening for
/// reading locks it against opening for writing, deletion and renaming ([`FsError::Busy`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenFlags {
    /// The handle may read.
    pub read: bool,
    /// The handle may write.
    pub write: bool,
    /// Every write goes to the end of the file, whatever offset it names.
    pub append: bool,
    /// Makes the file when there is none.
    pub create: bool,
    /// Cuts an existing file to nothing.
    pub truncate: bool,
    /// Fails with [`FsError::Exists`] when there is a file, with [`FsError::Busy`] when it is being
    /// written; needs `create`.
    pub exclusive: bool,
    /// The memory that the caller gives to read into or write from stays in place, unchanged by him, from a call
    /// that said [`FsError::Again`] until it is asked for again, or the file is closed: the disk may read and write
    /// it meanwhile. What is asked for again may have more room before it and behind it.
    pub pinned: bool,
}

/// An open file. A handle that was closed, or never given out, is [`FsError::BadHandle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHandle(pub u16);

/// An open directory; as [`FileHandle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirHandle(pub u16);

/// Room on a drive, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes in free clusters.
    pub free: u64,
    /// Bytes in all clusters.
    pub total: u64,
}

/// Why a call failed. Only `ftp::reply` turns these into reply codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsError {
    /// Not an error: one slice of the work is done, call again in a later turn.
    Again,
    /// No such file, directory or drive.
    NotFound,
    /// A file where a directory is needed, also in the middle of a path.
    NotADirectory,
    /// A directory where a file is needed.
    IsADirectory,
    /// The name is taken.
    Exists,
    /// The directory to be removed has entries.
    NotEmpty,
    /// Another session has the file open in a way that forbids this.
    Busy,
    /// The file has the read-only attribute.
    ReadOnlyFile,
    /// The disk is write-protected, or its volume is mounted read-only because it is damaged.
    ReadOnlyDisk,
    /// No free cluster.
    DiskFull,
    /// The root directory of a FAT12 or FAT16 volume has no free entry.
    DirectoryFull,
    /// The file would grow over 4 GiB - 1, or the path longer than DOS can name.
    TooLarge,
    /// The call does not fit the object: the root of drives, a drive's root, a directory into itself.
    NotAllowed,
    /// Old and new name are on different drives.
    OtherDrive,
    /// The handle is not open, or not for this.
    BadHandle,
    /// All handles are in use.
    TooManyOpen,
    /// Flags contradict each other.
    BadFlags,
    /// Not to be had on FAT (links).
    Unsupported,
    /// What the disk says makes no sense there (a chain that loops, a cluster out of range).
    Damaged,
    /// The medium could not be read or written there, after retries.
    Io,
    /// No disk in the drive, or the drive does not answer.
    NotReady,
    /// The disk was changed while files of it were open; they are lost to this handle.
    DiskChanged,
}

impl fmt::Display for FsError {
    /// A sentence's end for users: "No such file or directory".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FsError::Again => "Still working",
            FsError::NotFound => "No such file or directory",
            FsError::NotADirectory => "Not a directory",
            FsError::IsADirectory => "Is a directory",
            FsError::Exists => "File exists",
            FsError::NotEmpty => "Directory not empty",
            FsError::Busy => "File is in use by another transfer",
            FsError::ReadOnlyFile => "File is read-only",
            FsError::ReadOnlyDisk => "Disk is write-protected",
            FsError::DiskFull => "Disk full",
            FsError::DirectoryFull => "Root directory full",
            FsError::TooLarge => "Too large for this disk",
            FsError::NotAllowed => "Not possible here",
            FsError::OtherDrive => "Not on the same drive",
            FsError::BadHandle => "File not open",
            FsError::TooManyOpen => "Too many open files",
            FsError::BadFlags => "Contradicting open flags",
            FsError::Unsupported => "Not supported on FAT disks",
            FsError::Damaged => "Disk structure damaged there",
            FsError::Io => "Disk error",
            FsError::NotReady => "Drive not ready",
            FsError::DiskChanged => "Disk was changed",
        })
    }
}

/// Access to the files of all drives.
///
/// Paths are checked, absolute and free of `.` and `..` ([`ResolvedPath`]); the root of drives is a
/// read-only directory that holds the drives. Times are local times.
///
/// Every call may fail with [`FsError::Again`] (see the module's head), [`FsError::Io`],
/// [`FsError::NotReady`], [`FsError::DiskChanged`] and [`FsError::Damaged`]; a call that takes a
/// path with [`FsError::NotFound`] and [`FsError::NotADirectory`]; a call that writes with
/// [`FsError::ReadOnlyDisk`] and [`FsError::DiskFull`]. Further errors are named at each call.
pub trait Provider {
    /// The drives that are served.
    fn drives(&self) -> DriveSet;

    /// Tells the provider the time, for the timestamps of what is written from now on.
    fn set_time(&mut self, now: DateTime);

    /// Attributes by path.
    fn attributes(&mut self, path: &ResolvedPath) -> Result<Attributes, FsError>;

    /// Sets attributes by path. Errors: [`FsError::NotAllowed`] for roots, [`FsError::Busy`].
    fn set_attributes(&mut self, path: &ResolvedPath, set: &SetAttributes) -> Result<(), FsError>;

    /// Opens a file. Errors: [`FsError::BadFlags`], [`FsError::Exists`], [`FsError::IsADirectory`],
    /// [`FsError::Busy`], [`FsError::ReadOnlyFile`], [`FsError::DirectoryFull`],
    /// [`FsError::TooManyOpen`].
    fn open(&mut self, path: &ResolvedPath, flags: OpenFlags) -> Result<FileHandle, FsError>;

    /// Reads from `offset` (bytes) into `buffer`; `Ok(0)` at the end of the file and only there (for
    /// a buffer that is not empty). May read less than the buffer holds. Fastest when offset, length and
    /// the buffer's length are multiples of 512. Errors: [`FsError::BadHandle`].
    fn read(&mut self, file: FileHandle, offset: u32, buffer: &mut [u8]) -> Result<usize, FsError>;

    /// Writes `data` at `offset`, which is at most the file's size, and returns how much of it was
    /// taken (at least 1 of data that is not empty). Written bytes are on the disk after
    /// [`Provider::close`]. Errors: [`FsError::BadHandle`], [`FsError::TooLarge`],
    /// [`FsError::BadFlags`] for an offset behind the end: files on FAT have no holes.
    fn write(&mut self, file: FileHandle, offset: u32, data: &[u8]) -> Result<usize, FsError>;

    /// Attributes by handle. Errors: [`FsError::BadHandle`].
    fn attributes_of(&mut self, file: FileHandle) -> Result<Attributes, FsError>;

    /// Sets attributes by handle, of a file that is open for writing: everything written to it before is on
    /// the disk then, and what is written later sets the time anew. Errors: [`FsError::BadHandle`], also for
    /// a handle that may not write.
    fn set_attributes_of(&mut self, file: FileHandle, set: &SetAttributes) -> Result<(), FsError>
    where
        Self: Sized;

    /// Closes. For a file that was written, `Ok` says that data, FAT and directory entry are on the
    /// disk. After any error but [`FsError::Again`] the handle is closed too. Errors:
    /// [`FsError::BadHandle`].
    fn close(&mut self, file: FileHandle) -> Result<(), FsError>;

    /// Opens a directory for [`Provider::list`]. Errors: [`FsError::TooManyOpen`].
    fn open_dir(&mut self, path: &ResolvedPath) -> Result<DirHandle, FsError>;

    /// Gives `show` the next entries, in the order of the disk, without `.`, `..`, volume labels and
    /// long-name entries, until it returns `false` or a slice's work is done: at least one, unless there
    /// is none. `Ok(false)` at the end. What `show` has got does not come again, whatever the result.
    /// Errors: [`FsError::BadHandle`].
    fn list(
        &mut self,
        dir: DirHandle,
        show: &mut dyn FnMut(&DirEntry) -> bool,
    ) -> Result<bool, FsError>;

    /// The next entry, as [`Provider::list`] gives it; `None` at the end.
    fn read_dir(&mut self, dir: DirHandle) -> Result<Option<DirEntry>, FsError>
    where
        Self: Sized,
    {
        let mut next = None;
        self.list(dir, &mut |entry| {
            next = Some(*entry);
            false
        })?;
        Ok(next)
    }

    /// Closes a directory. Errors: [`FsError::BadHandle`].
    fn close_dir(&mut self, dir: DirHandle) -> Result<(), FsError>;

    /// Makes a directory. Errors: [`FsError::Exists`], [`FsError::DirectoryFull`],
    /// [`FsError::TooLarge`].
    fn make_dir(&mut self, path: &ResolvedPath) -> Result<(), FsError>;

    /// Removes an empty directory. Errors: [`FsError::NotEmpty`], [`FsError::NotAllowed`],
    /// [`FsError::Busy`] while a session lists it, [`FsError::ReadOnlyFile`].
    fn remove_dir(&mut self, path: &ResolvedPath) -> Result<(), FsError>;

    /// Deletes a file. Errors: [`FsError::IsADirectory`], [`FsError::Busy`], [`FsError::ReadOnlyFile`].
    fn remove(&mut self, path: &ResolvedPath) -> Result<(), FsError>;

    /// Renames or moves a file or directory within its drive; an existing target is
    /// [`FsError::Exists`] (but a change of nothing but case succeeds). Errors: [`FsError::OtherDrive`],
    /// [`FsError::NotAllowed`] for roots and for a directory into itself, [`FsError::Busy`].
    fn rename(&mut self, from: &ResolvedPath, to: &ResolvedPath) -> Result<(), FsError>;

    /// The path that a symbolic link leads to, for a user without sandbox: whoever follows it must ask
    /// the user's own sandbox first. FAT has no links: its directory entries are a name, attributes, times,
    /// a first cluster and a size, with neither a mark nor a place for a path, and two entries that name one
    /// cluster are damage. Errors: [`FsError::Unsupported`], whether there is such a file or not.
    fn read_link(&mut self, _link: &ResolvedPath) -> Result<UserPath, FsError>
    where
        Self: Sized,
    {
        Err(FsError::Unsupported)
    }

    /// Makes a symbolic link. Errors: as [`Provider::read_link`].
    fn make_link(&mut self, _link: &ResolvedPath, _target: &ResolvedPath) -> Result<(), FsError>
    where
        Self: Sized,
    {
        Err(FsError::Unsupported)
    }

    /// Room on a drive. The first call on a drive may take many turns ([`FsError::Again`]).
    fn space(&mut self, drive: Drive) -> Result<Space, FsError>;

    /// Begins a turn of the server's loop, in which the disks get one command if they are slow, and none
    /// until the network is `quiet` (nothing came, nothing was left to send) after one that was.
    fn begin_turn(&mut self, _quiet: bool) {}

    /// What had to be told [`FsError::Again`] since the last call of this because a drive is at work.
    fn take_put_off(&mut self) -> Option<PutOff> {
        None
    }

    /// Whether what was put off for this disk would be put off again for now.
    fn is_at_work(&mut self, _disk: DiskId) -> bool {
        false
    }

    /// Whether this turn gets no more disk commands: calls that need one come to nothing in it.
    fn is_spent(&self) -> bool {
        false
    }

    /// Carries on background work, about one disk command's worth; `false` when there is none left.
    fn work(&mut self) -> bool;

    /// Brings everything written to the disks, whatever it takes: for the end of the server.
    fn flush(&mut self) -> Result<(), FsError>;
}
