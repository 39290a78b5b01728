//! A change of directories as a short program of steps, each of about one disk command, that are taken
//! one after another over as many slices as it needs.
//!
//! May call `block`. The program is made when everything that it needs was read and checked; its order
//! is the safe one: after any step the volume is sound, at worst with clusters that nobody names.

use heapless::Vec;

use super::dir::{Piece, Place};
use super::dirent::{Dirent, ENTRY};
use super::error::FatError;
use super::table::Link;
use super::volume::{ReadOnly, Volume};
use crate::block::{Cache, DiskError};

/// One step.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Marks the volume "in use".
    MarkInUse,
    /// Fills a cluster with zeros, after the change's head.
    Zero(u32),
    /// Writes the table.
    FlushTable,
    /// Empties the drive's write cache.
    Barrier,
    /// Hangs one cluster behind another in the table.
    Link {
        /// The end of a chain.
        from: u32,
        /// The start of another.
        to: u32,
    },
    /// Writes an entry. Where the place was the end mark, the mark moves on.
    Put {
        /// Where.
        place: Place,
        /// What: [`Change::put`]'s number of it.
        entry: u8,
        /// Whether the end mark was here.
        end: bool,
    },
    /// Writes an end mark.
    PutEnd(Place),
    /// Marks entries in one sector as deleted.
    Erase(Piece),
    /// Hands a chain that nobody names any more to [`Change::freed`].
    Free {
        /// Its first cluster.
        cluster: u32,
        /// How many clusters it has at most.
        limit: u32,
    },
}

/// A chain that is to be freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// Its next cluster.
    pub cluster: u32,
    /// How many it has at most.
    pub limit: u32,
}

impl Chain {
    /// A chain that begins with `cluster` and has `limit` clusters; `u32::MAX`: as many as there are.
    pub const fn new(cluster: u32, limit: u32) -> Chain {
        Chain { cluster, limit }
    }
}

/// The program and how far it is.
#[derive(Debug)]
pub struct Change {
    steps: Vec<Step, 16>,
    /// What [`Step::Put`]s write.
    entries: Vec<Dirent, 2>,
    at: usize,
    /// Within a step.
    progress: u32,
    /// Start of a new directory's first cluster: `.` and `..`.
    head: [u8; 2 * ENTRY],
    /// What the steps hand out to be freed.
    pub freed: Option<Chain>,
    /// Clusters that were taken for it, to be freed if it fails.
    claimed: [u32; 2],
}

impl Default for Change {
    fn default() -> Change {
        Change::new()
    }
}

impl Change {
    /// A change without steps.
    pub const fn new() -> Change {
        Change {
            steps: Vec::new(),
            entries: Vec::new(),
            at: 0,
            progress: 0,
            head: [0; 64],
            freed: None,
            claimed: [0; 2],
        }
    }

    /// Becomes a change that begins with marking the volume: a change is large, and each copy takes stack.
    #[inline(never)]
    pub fn begin(&mut self) {
        self.steps.clear();
        self.entries.clear();
        self.then(Step::MarkInUse);
        (self.at, self.progress, self.freed) = (0, 0, None);
        (self.head, self.claimed) = ([0; 64], [0; 2]);
    }

    /// Adds a step. The longest change has 15.
    #[inline(never)]
    pub fn then(&mut self, step: Step) {
        let pushed = self.steps.push(step);
        debug_assert!(pushed.is_ok(), "change too long");
    }

    /// Adds the writing of an entry; `end`: the end mark is there. The most entries have a directory that moves: its
    /// own, and its `..`.
    #[inline(never)]
    pub fn put(&mut self, place: Place, entry: &Dirent, end: bool) {
        let number = self.entries.len() as u8;
        let pushed = self.entries.push(*entry);
        debug_assert!(pushed.is_ok(), "too many entries");
        self.then(Step::Put { place, entry: number, end });
    }

    /// Adds the erasing of a long name.
    pub fn then_erase(&mut self, pieces: &[Piece]) {
        for &piece in pieces {
            self.then(Step::Erase(piece));
        }
    }

    /// The first bytes of the cluster that [`Step::Zero`] of a new directory fills.
    pub fn set_head(&mut self, own: Dirent, parent: Dirent) {
        self.head[..ENTRY].copy_from_slice(&own.0);
        self.head[ENTRY..].copy_from_slice(&parent.0);
    }

    /// Notes a cluster that was taken for this change.
    pub fn claim(&mut self, cluster: u32) {
        if let Some(place) = self.claimed.iter_mut().find(|place| **place == 0) {
            *place = cluster;
        }
    }

    /// Whether a cluster was taken for this change.
    pub fn has_claimed(&self) -> bool {
        self.claimed[0] != 0
    }

    /// How far it is: changes with every step, and within long ones.
    pub fn position(&self) -> (usize, u32) {
        (self.at, self.progress)
    }

    /// Takes steps until the slice's commands are used up.
    ///
    /// # Errors
    /// [`FatError::Again`] until it is done; any other ends the change where it is.
    pub fn run(&mut self, volume: &mut Volume, cache: &mut Cache<'_>) -> Result<(), FatError> {
        while let Some(&step) = self.steps.get(self.at) {
            match self.take(step, volume, cache) {
                Ok(()) => self.at += 1,
                Err(FatError::Again) => return Err(FatError::Again),
                Err(error) => {
                    write_failed(volume, error);
                    self.undo(volume, cache);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Frees what was taken, as long as nothing on the disk can name it.
    fn undo(&mut self, volume: &mut Volume, cache: &mut Cache<'_>) {
        let named = self.steps.iter().take(self.at + 1);
        if named.into_iter().any(|step| matches!(step, Step::Put { .. } | Step::Link { .. })) {
            return;
        }
        for cluster in self.claimed.into_iter().filter(|&cluster| cluster != 0) {
            let _ = volume.set_link(cache, cluster, 0);
        }
    }

    fn take(
        &mut self,
        step: Step,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
    ) -> Result<(), FatError> {
        match step {
            Step::MarkInUse => volume.mark_in_use(cache),
            Step::Zero(cluster) => self.zero(cluster, volume, cache),
            Step::FlushTable => volume.flush_table(cache),
            Step::Barrier => Ok(cache.barrier(volume.disk)?),
            Step::Link { from, to } => volume.set_link(cache, from, to),
            Step::Put { place, entry, end } => {
                let entry = self.entries.get(usize::from(entry)).ok_or(FatError::Damaged)?;
                volume.edit_sector(cache, place.lba, |bytes| {
                    let at = usize::from(place.offset);
                    bytes[at..at + ENTRY].copy_from_slice(&entry.0);
                    if let Some(next) = bytes.get_mut(at + ENTRY).filter(|_| end) {
                        *next = 0;
                    }
                })
            }
            Step::PutEnd(place) => volume.edit_sector(cache, place.lba, |bytes| {
                bytes[usize::from(place.offset)] = 0;
            }),
            Step::Erase(piece) => volume.edit_sector(cache, piece.lba, |bytes| {
                for at in (piece.first..=piece.last).step_by(ENTRY) {
                    bytes[usize::from(at)] = 0xE5;
                }
            }),
            Step::Free { cluster, limit } => {
                self.freed = Some(Chain::new(cluster, limit));
                Ok(())
            }
        }
    }

    fn zero(
        &mut self,
        cluster: u32,
        volume: &mut Volume,
        cache: &mut Cache<'_>,
    ) -> Result<(), FatError> {
        let all = volume.geometry.cluster_sectors;
        while self.progress < all {
            let head = if self.progress == 0 { &self.head[..] } else { &[] };
            let lba = volume.geometry.cluster_lba(cluster) + self.progress;
            self.progress += cache.write_zeros(volume.disk, lba, all - self.progress, head)?;
        }
        self.progress = 0;
        // A second cluster of the same change (for the parent's growth) is all zeros.
        self.head = [0; 64];
        Ok(())
    }
}

/// A volume that cannot be written is not written any more.
pub fn write_failed(volume: &mut Volume, error: FatError) {
    let reason = match error {
        FatError::Disk(DiskError::WriteProtected) => ReadOnly::WriteProtected,
        FatError::Disk(DiskError::Failed { .. } | DiskError::OutOfRange) => ReadOnly::WriteFailed,
        _ => return,
    };
    volume.read_only.get_or_insert(reason);
}

impl Volume {
    /// Changes a directory sector, in the cache and on the disk at once.
    pub(super) fn edit_sector(
        &mut self,
        cache: &mut Cache<'_>,
        lba: u32,
        edit: impl FnOnce(&mut [u8]),
    ) -> Result<(), FatError> {
        let slot = cache.sector(&self.directory_region(lba), lba)?;
        cache.may_command(self.disk)?;
        edit(cache.bytes_mut(slot));
        Ok(cache.write_through(slot)?)
    }

    /// Takes a free cluster for a change; the last thing before it runs.
    ///
    /// # Errors
    /// [`FatError`].
    pub fn claim_free(&mut self, cache: &mut Cache<'_>) -> Result<u32, FatError> {
        let cluster = self.find_free(cache)?;
        self.claim(cache, cluster)?;
        Ok(cluster)
    }

    /// Gives a cluster back that was taken for a change which is not to be.
    ///
    /// # Errors
    /// [`FatError`].
    pub fn unclaim(&mut self, cache: &mut Cache<'_>, cluster: u32) -> Result<(), FatError> {
        self.set_link(cache, cluster, 0)
    }

    /// Frees a chain's clusters from its start on, and moves the start along. To be called when the survey is
    /// over: nobody else names them then.
    ///
    /// # Errors
    /// [`FatError::Again`] until it is all free; [`FatError::Damaged`] where it is no chain, after which
    /// there is nothing more to do for it.
    pub fn free_chain(&mut self, cache: &mut Cache<'_>, chain: &mut Chain) -> Result<(), FatError> {
        while chain.limit > 0 {
            let link = self.link(cache, chain.cluster)?;
            if matches!(link, Link::Free | Link::Invalid) {
                return Err(self.damaged());
            }
            self.set_link(cache, chain.cluster, 0)?;
            match link {
                Link::Next(next) => chain.cluster = next,
                _ => return Ok(()),
            }
            chain.limit -= 1;
        }
        Ok(())
    }
}
