//! Hashes of all names of the one large directory that is in use, so that looking for a name in it,
//! and for room for a new one, needs not read it again each time.
//!
//! Calls nothing. It is a memory of what was read: [`super::dir`] keeps it true.

use super::name83::Name83;
use crate::memory::{Memory, OutOfMemory};

const FREE: u16 = 0;
const OTHER: u16 = 1;

/// The index; entries beyond its length are not in it.
pub struct Index<'a> {
    volume: u8,
    /// First cluster; 0: the fixed root.
    directory: u32,
    owned: bool,
    hashes: &'a mut [u16],
    /// Entries that are in it, from the directory's first on.
    known: u32,
    /// No free entry is below.
    free_from: u32,
    /// Claims that were refused since it was last used.
    idle: u8,
}

/// Refused claims after which its directory has to let go.
const STALE: u8 = 32;

fn hash(name: &Name83) -> u16 {
    let wide = name
        .as_raw()
        .iter()
        .fold(0x811C_9DC5u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    ((wide ^ wide >> 16) as u16).max(2)
}

impl<'a> Index<'a> {
    /// No index: without memory nothing is found in it.
    pub fn none() -> Index<'a> {
        let hashes = &mut [];
        Index { volume: 0, directory: 0, owned: false, hashes, known: 0, free_from: 0, idle: 0 }
    }

    /// Takes memory for `entries`.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn take_memory(
        &mut self,
        memory: &mut impl Memory<'a>,
        entries: usize,
    ) -> Result<(), OutOfMemory> {
        self.hashes = memory.slots("the directory index", entries, |_| FREE)?;
        Ok(())
    }

    /// Whether it is of this directory.
    pub fn is_of(&self, volume: u8, directory: u32) -> bool {
        self.owned && self.volume == volume && self.directory == directory
    }

    /// Whether another directory may have it: not while it serves one.
    pub fn may_claim(&mut self, volume: u8, directory: u32) -> bool {
        if self.is_of(volume, directory) {
            return false;
        }
        self.idle = self.idle.saturating_add(1);
        !self.owned || self.idle > STALE
    }

    /// Begins anew with this directory.
    pub fn claim(&mut self, volume: u8, directory: u32) {
        (self.volume, self.directory, self.owned) = (volume, directory, true);
        (self.known, self.free_from, self.idle) = (0, 0, 0);
    }

    /// Forgets everything of `volume`.
    pub fn forget(&mut self, volume: u8) {
        self.owned &= self.volume != volume;
    }

    /// Entries that are in it.
    pub fn known(&self) -> u32 {
        self.known
    }

    /// Notes entry number `entry`; `None`: free. Those behind the end of what is known are left out.
    pub fn note(&mut self, entry: u32, name: Option<Option<&Name83>>) {
        if entry > self.known {
            return;
        }
        let Some(place) = self.hashes.get_mut(entry as usize) else { return };
        *place = match name {
            None => FREE,
            Some(None) => OTHER,
            Some(Some(name)) => hash(name),
        };
        self.known = self.known.max(entry + 1);
        if name.is_none() {
            self.free_from = self.free_from.min(entry);
        }
    }

    /// The first entry from `from` on that may have this name.
    pub fn find(&mut self, from: u32, name: &Name83) -> Option<u32> {
        self.idle = 0;
        let wanted = hash(name);
        let known = self.hashes.get(from as usize..self.known as usize)?;
        known.iter().position(|&hash| hash == wanted).map(|at| from + at as u32)
    }

    /// The first free entry that is known.
    pub fn find_free(&mut self) -> Option<u32> {
        let known = self.hashes.get(self.free_from as usize..self.known as usize)?;
        match known.iter().position(|&hash| hash == FREE) {
            Some(at) => {
                self.free_from += at as u32;
                Some(self.free_from)
            }
            None => {
                self.free_from = self.known;
                None
            }
        }
    }
}
