//! Slices: every call gets the disks for one command, and comes back for more.
//!
//! A call that only reads starts anew each time, with more in the cache. Where others push out what it
//! read (a small cache, many clients), that might never end: so a call that has come back often gets
//! more commands a slice, until it can do everything at once.

use heapless::Vec;

use super::{Drives, Number, Underway};
use crate::fat::{Change, File, Name83};
use crate::vfs::path::ResolvedPath;
use crate::vfs::provider::{FsError, OpenFlags};

/// Slices of one command before a call gets more.
const PATIENCE: u16 = 48;

/// Calls of others after which a change is carried on without its owner, who must be gone.
const ABANDONED: u16 = 100;

/// Calls that were told to come again, and how often.
#[derive(Debug, Default)]
pub(super) struct Turns(Vec<(u32, u16), 16>);

impl Turns {
    fn commands(&self, key: u32) -> u16 {
        let waited = self.0.iter().find(|turn| turn.0 == key).map_or(0, |turn| turn.1);
        1 + waited / PATIENCE
    }

    fn note(&mut self, key: u32, again: bool) {
        let at = self.0.iter().position(|turn| turn.0 == key);
        match (again, at) {
            (true, Some(at)) => self.0[at].1 = self.0[at].1.saturating_add(1),
            (true, None) => {
                if self.0.is_full() {
                    self.0.remove(0);
                }
                let _ = self.0.push((key, 1));
            }
            (false, Some(at)) => {
                self.0.swap_remove(at);
            }
            (false, None) => {}
        }
    }
}

/// What tells a call with these arguments from others.
pub(super) fn of_path(call: u8, path: &ResolvedPath, other: Option<&ResolvedPath>) -> u32 {
    let mut key = mix(0x811C_9DC5, &[call]);
    for path in [Some(path), other].into_iter().flatten() {
        key = mix(key, &[path.drive().map_or(0, |drive| drive.letter())]);
        key = path.names().iter().map(Name83::as_raw).fold(key, |key, name| mix(key, name));
    }
    key
}

/// The same for a handle.
pub(super) fn of_handle(call: u8, handle: u16) -> u32 {
    mix(mix(0x811C_9DC5, &[call]), &handle.to_le_bytes())
}

fn mix(key: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(key, |key, &byte| (key ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Drives<'_> {
    /// Lets `call` have one slice.
    pub(super) fn slice<T>(
        &mut self,
        key: u32,
        call: impl FnOnce(&mut Self, u32) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        self.cache.begin(self.turns.commands(key));
        let result = call(self, key);
        self.turns.note(key, matches!(result, Err(FsError::Again)));
        result
    }

    /// Carries on this call's change. `Ok(None)` when it has none; `Ok(Some(_))` when it is done.
    ///
    /// # Errors
    /// [`FsError::Again`] while it is under way, or another call's is; others as the change failed.
    pub(super) fn settle(&mut self, key: u32) -> Result<Option<Done>, FsError> {
        match &mut self.underway {
            None => Ok(None),
            Some(underway) if underway.owner == key => {
                underway.idle = 0;
                self.carry_on().map(Some)
            }
            Some(_) => {
                self.pass_by();
                Err(FsError::Again)
            }
        }
    }

    /// Notes that somebody else than the owner came by; carries the change on if the owner is gone.
    pub(super) fn pass_by(&mut self) {
        if let Some(underway) = &mut self.underway {
            underway.idle = underway.idle.saturating_add(1);
            if underway.idle > ABANDONED {
                // Whoever wanted to know how it ended is gone.
                let _ = self.carry_on();
            }
        }
    }

    fn carry_on(&mut self) -> Result<Done, FsError> {
        let Some(mut underway) = self.underway.take() else { return Err(FsError::Again) };
        let number = underway.number;
        let Some(volume) = self.slots[usize::from(number)].volume.as_mut() else {
            return Err(FsError::DiskChanged);
        };
        let result = underway.change.run(volume, &mut self.cache);
        if let Some(chain) = underway.change.freed.take() {
            self.discard(number, chain);
        }
        self.touch(number);
        match self.check(number, result) {
            Ok(()) => Ok(Done { number, opens: underway.opens }),
            Err(FsError::Again) => {
                self.underway = Some(underway);
                Err(FsError::Again)
            }
            Err(error) => {
                self.index.forget(number);
                self.known.clear();
                self.report_read_only(number);
                Err(error)
            }
        }
    }

    /// Starts a change, of which the first steps may be taken in this slice.
    pub(super) fn start(
        &mut self,
        key: u32,
        number: Number,
        change: Change,
        opens: Option<(File, OpenFlags)>,
    ) -> Result<Done, FsError> {
        self.underway = Some(Underway { owner: key, number, change, opens, idle: 0 });
        self.carry_on()
    }
}

/// A change that is done.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) number: Number,
    pub(super) opens: Option<(File, OpenFlags)>,
}
