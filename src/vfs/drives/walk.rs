//! From a path to an entry on a volume; mounting on the way.

use super::{Drives, Known, Medium, Notice, Number, Slot};
use crate::block::{Cache, CacheError, DiskError};
use crate::fat::{EntryKind, FatError, Found, MountError, Name83, Room, Volume};
use crate::vfs::path::{Drive, ResolvedPath};
use crate::vfs::provider::FsError;

/// Seconds of rest after which a floppy is asked whether it is still the same.
const FLOPPY_REST: u32 = 2;

/// A volume, a directory of it and a name in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) number: Number,
    pub(super) directory: u32,
    pub(super) name: Name83,
}

impl Drives<'_> {
    /// The number of a drive that is served, mounted.
    pub(super) fn drive(&mut self, drive: Drive) -> Result<Number, FsError> {
        if self.excluded.contains(drive) {
            return Err(FsError::NotFound);
        }
        let at = self.slots.iter().position(|slot| slot.letter == drive);
        let number = at.ok_or(FsError::NotFound)? as Number;
        let slot = &mut self.slots[usize::from(number)];
        let rested = self.seconds.wrapping_sub(slot.used_at) >= FLOPPY_REST;
        slot.used_at = self.seconds;
        if slot.floppy && rested && slot.medium == Medium::Known {
            slot.medium = Medium::Rested;
        }
        self.ask_floppy(number)?;
        self.mount(number)?;
        let slot = &self.slots[usize::from(number)];
        match (&slot.volume, slot.problem) {
            (Some(_), _) => Ok(number),
            (None, Some(MountError::Disk(DiskError::NotReady))) => Err(FsError::NotReady),
            (None, Some(MountError::Disk(_))) => Err(FsError::Io),
            (None, Some(MountError::Boot(_))) if slot.floppy => Err(FsError::Damaged),
            (None, _) => Err(FsError::NotFound),
        }
    }

    /// Whether the floppy is still the one that was mounted; forgets it if it is not.
    pub(super) fn ask_floppy(&mut self, number: Number) -> Result<(), FsError> {
        let slot = &mut self.slots[usize::from(number)];
        let mounted = slot.volume.as_ref().is_some_and(Volume::is_mounted);
        if slot.medium == Medium::Rested && mounted {
            let Ok(changed) = self.cache.ask_changed(slot.disk) else { return Err(FsError::Again) };
            slot.medium = if changed { Medium::Changed } else { Medium::Known };
            self.progress = true;
        }
        if slot.medium != Medium::Changed || !mounted {
            return Ok(());
        }
        // The drive may just not know. While files are open, another medium is known by its boot
        // sector; else looking anew costs little, and finds a write protection that was moved.
        if self.is_busy(number)
            && let Some(volume) = &self.slots[usize::from(number)].volume
        {
            match volume.is_same_medium(&mut self.cache) {
                Ok(true) => {
                    self.cache.trust(volume.disk);
                    self.slots[usize::from(number)].medium = Medium::Known;
                    return Ok(());
                }
                Ok(false) => {}
                Err(CacheError::Again) => return Err(FsError::Again),
                Err(error) => {
                    self.medium_gone(number);
                    return Err(self.failed(number, FatError::from(error)));
                }
            }
        }
        self.medium_gone(number);
        Ok(())
    }

    /// Whether something of a drive is open, or not yet written.
    fn is_busy(&self, number: Number) -> bool {
        self.files.iter().flat_map(|place| &place.item).any(|open| open.number == number)
            || self.underway.as_ref().is_some_and(|underway| underway.number == number)
            || self.chains.iter().any(|chain| chain.0 == number)
            || self.slots[usize::from(number)].volume.as_ref().is_some_and(Volume::is_in_use)
    }

    /// Mounts a drive that is not, if that can be done: by a slice.
    ///
    /// # Errors
    /// [`FsError::Again`] until it is done, or known that it cannot be.
    pub(super) fn mount(&mut self, number: Number) -> Result<(), FsError> {
        let slot = &mut self.slots[usize::from(number)];
        if slot.volume.as_ref().is_some_and(Volume::is_mounted) {
            return Ok(());
        }
        if slot.volume.is_none() {
            if slot.floppy && slot.medium != Medium::Changed {
                // The size that is known may be of a medium that was there before, or of none.
                self.cache.ask_changed(slot.disk).map_err(|_| FsError::Again)?;
                slot.medium = Medium::Changed;
                self.progress = true;
            }
            match self.read_boot_sector(number) {
                Ok(volume) => self.slots[usize::from(number)].volume = Some(volume),
                Err(None) => return Err(FsError::Again),
                Err(Some(error)) => {
                    self.not_mounted(number, error);
                    return Ok(());
                }
            }
            self.progress = true;
        }
        let slot = &mut self.slots[usize::from(number)];
        let Some(volume) = &mut slot.volume else { return Ok(()) };
        match volume.look_around(&mut self.cache) {
            Ok(true) => {}
            Ok(false) => {
                self.progress = true;
                return Err(FsError::Again);
            }
            Err(error) => {
                self.not_mounted(number, error);
                return Ok(());
            }
        }
        let was_dirty = volume.was_dirty;
        self.cache.trust(slot.disk);
        (slot.medium, slot.problem) = (Medium::Known, None);
        if was_dirty {
            self.tell(number, Notice::NotClosed);
        }
        self.report_read_only(number);
        Ok(())
    }

    fn read_boot_sector(&mut self, number: Number) -> Result<Volume, Option<MountError>> {
        let Slot { disk, start, sectors, floppy, .. } = self.slots[usize::from(number)];
        let attempt = |cache: &mut Cache<'_>| {
            let of_medium = cache.disks_ref().info(disk).map_or(0, |info| info.sectors);
            Volume::mount(cache, disk, start, if floppy { of_medium } else { sectors })
        };
        match attempt(&mut self.cache) {
            Err(Some(MountError::Disk(DiskError::Changed))) => {
                // The first command after a change of floppies says so, once, and does nothing else.
                self.cache.acknowledge_change(disk);
                self.cache.begin_urgent(1);
                attempt(&mut self.cache)
            }
            result => result,
        }
    }

    fn not_mounted(&mut self, number: Number, error: MountError) {
        let slot = &mut self.slots[usize::from(number)];
        self.cache.trust(slot.disk);
        (slot.volume, slot.medium) = (None, Medium::Known);
        if slot.problem.replace(error) != Some(error) {
            self.tell(number, Notice::NotMounted(error));
        }
    }

    /// The volume of a drive that [`Drives::drive`] gave.
    pub(super) fn volume(&mut self, number: Number) -> Result<&mut Volume, FsError> {
        let slot = self.slots.get_mut(usize::from(number)).ok_or(FsError::NotFound)?;
        slot.volume.as_mut().ok_or(FsError::DiskChanged)
    }

    /// As [`Drives::writable`], to change, move or free what is there: the first to do so waits for the whole
    /// survey.
    pub(super) fn changeable(&mut self, number: Number) -> Result<(), FsError> {
        self.writable(number)?;
        if self.volume(number)?.is_surveyed() {
            return Ok(());
        }
        self.survey_some(number);
        Err(FsError::Again)
    }

    /// As [`Drives::volume`], to write: the first to do so waits for the survey's first part.
    pub(super) fn writable(&mut self, number: Number) -> Result<(), FsError> {
        let volume = self.volume(number)?;
        match volume.read_only {
            None if volume.is_vouched() => Ok(()),
            None => {
                self.survey_some(number);
                Err(FsError::Again)
            }
            Some(_) => Err(FsError::ReadOnlyDisk),
        }
    }

    /// Where the last part of `path` is to be found; `None` for roots.
    pub(super) fn spot(&mut self, path: &ResolvedPath) -> Result<Option<Spot>, FsError> {
        let Some(drive) = path.drive() else { return Ok(None) };
        let number = self.drive(drive)?;
        let Some((name, above)) = path.split_last() else { return Ok(None) };
        let directory = self.directory(number, above)?;
        Ok(Some(Spot { number, directory, name: *name }))
    }

    /// The directory that these names lead to.
    pub(super) fn directory(&mut self, number: Number, names: &[Name83]) -> Result<u32, FsError> {
        let mut directory = self.volume(number)?.root_directory();
        for name in names {
            let is_it = |known: &&Known| {
                known.number == number && known.parent == directory && known.name == *name
            };
            if let Some(known) = self.known.iter().find(is_it) {
                directory = known.directory;
                continue;
            }
            let spot = Spot { number, directory, name: *name };
            let found = self.find(&spot)?.ok_or(FsError::NotFound)?;
            if found.entry.kind() != EntryKind::Directory {
                return Err(FsError::NotADirectory);
            }
            let below = self.volume(number)?.directory_of(&found.entry);
            let below = self.check(number, below)?;
            if self.known.is_full() {
                self.known.pop_front();
            }
            let known = Known { number, parent: directory, name: *name, directory: below };
            let _ = self.known.push_back(known);
            directory = below;
        }
        Ok(directory)
    }

    /// Looks a name up, from where this call's search was.
    pub(super) fn find(&mut self, spot: &Spot) -> Result<Option<Found>, FsError> {
        let mut scan = self.turns.scan(spot);
        let before = scan.position();
        let slot = &self.slots[usize::from(spot.number)];
        let volume = slot.volume.as_ref().ok_or(FsError::DiskChanged)?;
        let place = (spot.number, spot.directory);
        let found = volume.lookup(&mut self.cache, &mut self.index, place, &spot.name, &mut scan);
        self.progress |= scan.position() != before;
        self.turns.keep(spot, scan);
        self.check(spot.number, found)
    }

    /// Looks for room for the name that was looked up in vain.
    pub(super) fn find_room(&mut self, spot: &Spot) -> Result<Room, FsError> {
        let mut scan = self.turns.scan(spot);
        let slot = &self.slots[usize::from(spot.number)];
        let volume = slot.volume.as_ref().ok_or(FsError::DiskChanged)?;
        let place = (spot.number, spot.directory);
        let room = volume.find_room(&mut self.cache, &mut self.index, place, &mut scan);
        self.turns.keep(spot, scan);
        self.check(spot.number, room)
    }

    /// Notes what a change makes of an entry: `None`: free.
    pub(super) fn entry_changed(
        &mut self,
        number: Number,
        directory: u32,
        entry: u32,
        name: Option<&Name83>,
    ) {
        self.turns.forget(number, directory);
        if self.index.is_of(number, directory) {
            self.index.note(entry, name.map(Some));
        }
    }

    /// The entry of `path`; `None` for roots.
    pub(super) fn entry(&mut self, path: &ResolvedPath) -> Result<Option<(Spot, Found)>, FsError> {
        let Some(spot) = self.spot(path)? else { return Ok(None) };
        let found = self.find(&spot)?.ok_or(FsError::NotFound)?;
        Ok(Some((spot, found)))
    }

    /// Forgets all drives of the disk that this one is on: another medium is in it.
    pub(super) fn medium_gone(&mut self, number: Number) {
        let disk = self.slots[usize::from(number)].disk;
        self.cache.acknowledge_change(disk);
        for other in 0..self.slots.len() as Number {
            if self.slots[usize::from(other)].disk == disk {
                self.forget(other);
            }
        }
    }

    fn forget(&mut self, number: Number) {
        self.slots[usize::from(number)].volume = None;
        self.survey.forget(number);
        self.index.forget(number);
        self.known.clear();
        self.turns.forget_all();
        for (at, place) in self.files.iter_mut().enumerate() {
            if let Some(open) = place.item.as_mut().filter(|open| open.number == number) {
                open.lost = true;
                self.cache.release(at as u8);
            }
        }
        for place in self.directories.iter_mut() {
            if let Some(open) = place.item.as_mut().filter(|open| open.number == Some(number)) {
                open.lost = true;
            }
        }
        if self.underway.as_ref().is_some_and(|underway| underway.number == number) {
            self.underway = None;
        }
        for _ in 0..self.chains.len() {
            if let Some(chain) = self.chains.pop_front().filter(|chain| chain.0 != number) {
                let _ = self.chains.push_back(chain);
            }
        }
    }

    /// Says that a volume is not written, when that is so.
    pub(super) fn report_read_only(&mut self, number: Number) {
        let Some(volume) = &self.slots[usize::from(number)].volume else { return };
        if let Some(reason) = volume.read_only {
            self.tell(number, Notice::ReadOnly(reason));
        }
    }
}
