//! Going through all directories of a volume, an entry at a time, for the survey.
//!
//! May call `block`.

use heapless::Vec;

use super::dir::{Cursor, Found};
use super::error::FatError;
use super::volume::Volume;
use crate::block::{Cache, DiskError};

/// Directories in each other that are entered: DOS can name 31.
const LEVELS: usize = 40;

/// How far it is.
#[derive(Debug)]
pub(super) struct Tree {
    /// The directories above, and which entry of each is next.
    above: Vec<(u32, u16), LEVELS>,
    directory: u32,
    cursor: Cursor,
    /// Directories that there can still be.
    left: u32,
}

impl Tree {
    /// Nothing to go through.
    pub(super) const fn new() -> Tree {
        Tree { above: Vec::new(), directory: 0, cursor: Cursor::start(0), left: 0 }
    }

    /// From the root on.
    pub(super) fn begin(&mut self, volume: &Volume) {
        let root = volume.root_directory();
        self.above.clear();
        (self.directory, self.cursor) = (root, Cursor::start(root));
        self.left = volume.geometry.clusters;
    }

    /// The next file or directory; `None` when there are no more. A directory that the disk cannot read is left
    /// out from there on: nothing can be done to what is in it.
    ///
    /// # Errors
    /// [`FatError`]; after [`FatError::Again`] it goes on where it was.
    pub(super) fn next(
        &mut self,
        volume: &Volume,
        cache: &mut Cache<'_>,
    ) -> Result<Option<Found>, FatError> {
        loop {
            match volume.next_entry(cache, &mut self.cursor) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) | Err(FatError::Disk(DiskError::Failed { .. })) => {
                    let Some((directory, number)) = self.above.pop() else { return Ok(None) };
                    self.directory = directory;
                    self.cursor = Cursor::at(directory, u32::from(number));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes through this directory, which was just found, before what is left of the one that it is in.
    /// `false` when there are more directories than clusters: they name each other in a circle.
    pub(super) fn enter(&mut self, directory: u32) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        // A directory has at most 65,536 entries, and the last one is behind us.
        let next = self.cursor.number() as u16;
        if next != 0 && self.above.push((self.directory, next)).is_ok() {
            (self.directory, self.cursor) = (directory, Cursor::start(directory));
        }
        true
    }
}
