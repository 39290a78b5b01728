//! Reads the small files that the server needs at its start, through the same provider that later
//! serves the users.
//!
//! May call `vfs` and `memory`. Waits for the disk: nobody is served yet.

use crate::memory::{Memory, OutOfMemory};
use crate::vfs::provider::{FileHandle, FsError, Kind, OpenFlags, Provider};
use crate::vfs::{ResolvedPath, Sandbox, UserPath};

/// Why a file could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadError {
    /// The disk's or the path's fault.
    File(FsError),
    /// Longer than the limit given, in bytes.
    TooLong(u32),
    /// No memory for it.
    Memory(OutOfMemory),
}

impl From<FsError> for ReadError {
    fn from(error: FsError) -> ReadError {
        ReadError::File(error)
    }
}

/// Calls `call` until it is done: [`FsError::Again`] means that one disk command of many is done.
///
/// # Errors
/// Those of `call`, but never [`FsError::Again`].
pub fn wait<T>(
    files: &mut dyn Provider,
    mut call: impl FnMut(&mut dyn Provider) -> Result<T, FsError>,
) -> Result<T, FsError> {
    loop {
        match call(files) {
            Err(FsError::Again) => {
                files.work();
            }
            result => return result,
        }
    }
}

/// The place of a path that the administrator wrote, who sees all drives.
///
/// # Errors
/// [`FsError::NotFound`]: it does not begin with a drive.
pub fn place(path: &UserPath) -> Result<ResolvedPath, FsError> {
    Sandbox::none().resolve(path).map_err(|_| FsError::NotFound)
}

/// Reads a whole file of at most `limit` bytes into memory of its size.
///
/// # Errors
/// [`ReadError`].
pub fn read_whole<'a>(
    files: &mut dyn Provider,
    path: &UserPath,
    limit: u32,
    purpose: &'static str,
    memory: &mut impl Memory<'a>,
) -> Result<&'a mut [u8], ReadError> {
    let path = place(path)?;
    let size = wait(files, |files| files.attributes(&path))?.size;
    if size > limit {
        return Err(ReadError::TooLong(limit));
    }
    let text = memory.bytes(purpose, size as usize).map_err(ReadError::Memory)?;
    let flags = OpenFlags { read: true, ..OpenFlags::default() };
    let file = wait(files, |files| files.open(&path, flags))?;
    let filled = fill(files, file, text);
    wait(files, |files| files.close(file))?;
    Ok(&mut text[..filled?])
}

fn fill(files: &mut dyn Provider, file: FileHandle, text: &mut [u8]) -> Result<usize, FsError> {
    let mut filled = 0;
    while filled < text.len() {
        // Files of this kind have a limit far below 4 GiB.
        let offset = filled as u32;
        match wait(files, |files| files.read(file, offset, &mut text[filled..]))? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// Whether `path` is a directory.
///
/// # Errors
/// Those of [`Provider::attributes`], but [`FsError::NotADirectory`] when it is a file.
pub fn check_directory(files: &mut dyn Provider, path: &ResolvedPath) -> Result<(), FsError> {
    match wait(files, |files| files.attributes(path))?.kind {
        Kind::Directory => Ok(()),
        Kind::File => Err(FsError::NotADirectory),
    }
}
