//! Open files: opening with all its flags, locks, reading, writing, closing.

use super::slices::Done;
use super::walk::Spot;
use super::{Drives, Number, OpenFile, put, split};
use crate::fat::dirent::attribute;
use crate::fat::{Chain, Dirent, EntryKind, FatError, File, Found, Place, Step};
use crate::vfs::path::ResolvedPath;
use crate::vfs::provider::{FileHandle, FsError, OpenFlags};

impl Drives<'_> {
    pub(super) fn open_at(
        &mut self,
        key: u32,
        path: &ResolvedPath,
        flags: OpenFlags,
    ) -> Result<FileHandle, FsError> {
        check_flags(flags)?;
        if let Some(done) = self.settle(key)? {
            return self.opened_by(done);
        }
        let spot = self.spot(path)?.ok_or(FsError::IsADirectory)?;
        let found = self.find(&spot)?;
        if self.files.iter().all(|place| place.item.is_some()) {
            return Err(FsError::TooManyOpen);
        }
        match found {
            Some(found) => self.open_existing(key, &spot, &found, flags),
            None if flags.create => {
                self.writable(spot.number)?;
                self.create(key, &spot, flags)
            }
            None => Err(FsError::NotFound),
        }
    }

    fn open_existing(
        &mut self,
        key: u32,
        spot: &Spot,
        found: &Found,
        flags: OpenFlags,
    ) -> Result<FileHandle, FsError> {
        if found.entry.kind() == EntryKind::Directory {
            return Err(FsError::IsADirectory);
        }
        // Whether a file that is just being written stays is not known yet; one that is read does.
        if self.is_locked(spot.number, found.place, flags.write && !flags.exclusive) {
            return Err(FsError::Busy);
        }
        if flags.exclusive {
            return Err(FsError::Exists);
        }
        if flags.write {
            let wide = self.volume(spot.number)?.is_wide();
            if found.entry.cluster(wide) == 0 {
                self.writable(spot.number)?;
            } else {
                self.changeable(spot.number)?;
            }
            if found.entry.attributes() & attribute::READ_ONLY != 0 {
                return Err(FsError::ReadOnlyFile);
            }
        }
        let volume = self.volume(spot.number)?;
        let (geometry, wide) = (volume.geometry, volume.is_wide());
        if !flags.truncate {
            let file = File::open(&geometry, wide, found.place, found.entry);
            let file = self.check(spot.number, file)?;
            return self.opened_by(Done { number: spot.number, opens: Some((file, flags)) });
        }
        self.room_for_chain()?;
        let mut entry = found.entry;
        entry.set_size(0);
        entry.set_cluster(0, wide);
        entry.set_modified(self.now);
        entry.set_attributes(entry.attributes() | attribute::ARCHIVE);
        self.change.begin();
        self.change.put(found.place, &entry, false);
        self.change.then(Step::Barrier);
        if let Some(chain) = chain_of(&found.entry, wide, geometry.cluster_bytes()) {
            self.change.then(Step::Free { cluster: chain.cluster, limit: chain.limit });
        }
        let file = File::open(&geometry, wide, found.place, entry);
        let file = self.check(spot.number, file)?;
        let done = self.start(key, spot.number, Some((file, flags)))?;
        self.opened_by(done)
    }

    fn create(&mut self, key: u32, spot: &Spot, flags: OpenFlags) -> Result<FileHandle, FsError> {
        let entry = Dirent::new(&spot.name, attribute::ARCHIVE, self.now);
        self.change.begin();
        let entrance = self.room(spot)?;
        let place = self.add_entry(spot, &entrance, entry)?;
        let volume = self.volume(spot.number)?;
        let (geometry, wide) = (volume.geometry, volume.is_wide());
        let file = File::open(&geometry, wide, place, entry);
        let mut file = self.check(spot.number, file)?;
        file.set_created();
        let done = self.start(key, spot.number, Some((file, flags)))?;
        self.opened_by(done)
    }

    fn opened_by(&mut self, done: Done) -> Result<FileHandle, FsError> {
        let Some((file, flags)) = done.opens else { return Err(FsError::BadFlags) };
        let open = OpenFile { number: done.number, flags, file, lost: false };
        let handle = put(self.files, open).ok_or(FsError::TooManyOpen)?;
        let (place, _) = split(handle);
        if let Some(open) = &mut self.files[place].item {
            open.file.set_owner(place as u8);
        }
        self.cache.release(place as u8);
        if flags.pinned {
            self.cache.pin(place as u8);
        }
        self.count_writers(done.number);
        Ok(FileHandle(handle))
    }

    /// Tells a volume how many files are written there.
    fn count_writers(&mut self, number: Number) {
        let open = self.files.iter().filter_map(|place| place.item.as_ref());
        let writers = open.filter(|open| open.number == number && open.flags.write).count();
        if let Some(volume) = &mut self.slots[usize::from(number)].volume {
            volume.set_writers(writers);
        }
    }

    /// Whether a file that is open forbids opening this one, or, with `alone`, doing anything to it.
    pub(super) fn is_locked(&self, number: Number, place: Place, alone: bool) -> bool {
        self.files.iter().filter_map(|slot| slot.item.as_ref()).any(|open| {
            open.number == number
                && open.file.place == place
                && !open.lost
                && (alone || open.flags.write)
        })
    }

    pub(super) fn opened(&mut self, file: FileHandle) -> Result<&mut OpenFile, FsError> {
        let (place, serial) = split(file.0);
        let found = self.files.get_mut(place).filter(|found| found.serial == serial);
        found.and_then(|found| found.item.as_mut()).ok_or(FsError::BadHandle)
    }

    pub(super) fn read_file(
        &mut self,
        file: FileHandle,
        offset: u32,
        buffer: &mut [u8],
    ) -> Result<usize, FsError> {
        let open = self.live(file)?;
        let number = open.number;
        if !open.flags.read {
            return Err(FsError::BadHandle);
        }
        let (place, _) = split(file.0);
        let Some(open) = &mut self.files[place].item else { return Err(FsError::BadHandle) };
        let slot = &mut self.slots[usize::from(number)];
        slot.used_at = self.seconds;
        let volume = slot.volume.as_ref().ok_or(FsError::DiskChanged)?;
        let before = open.file.position();
        let result = open.file.read(volume, &mut self.cache, offset, buffer);
        self.progress |= open.file.position() != before;
        self.check(number, result)
    }

    pub(super) fn write_file(
        &mut self,
        file: FileHandle,
        offset: u32,
        data: &[u8],
    ) -> Result<usize, FsError> {
        let open = self.live(file)?;
        let number = open.number;
        if !open.flags.write {
            return Err(FsError::BadHandle);
        }
        let offset = if open.flags.append { open.file.size } else { offset };
        if offset > open.file.size {
            return Err(FsError::BadFlags);
        }
        self.writable(number)?;
        let (place, _) = split(file.0);
        let Some(open) = &mut self.files[place].item else { return Err(FsError::BadHandle) };
        let slot = &mut self.slots[usize::from(number)];
        let volume = slot.volume.as_mut().ok_or(FsError::DiskChanged)?;
        let before = (open.file.position(), volume.search_position());
        let result = open.file.write(volume, &mut self.cache, offset, data);
        self.progress |= (open.file.position(), volume.search_position()) != before;
        self.touch(number);
        if result == Err(FatError::Full) && self.free_some(number) {
            return Err(FsError::Again);
        }
        self.check(number, result)
    }

    /// An open file whose medium is still there.
    pub(super) fn live(&mut self, file: FileHandle) -> Result<&mut OpenFile, FsError> {
        let open = self.opened(file)?;
        if open.lost { Err(FsError::DiskChanged) } else { Ok(open) }
    }

    pub(super) fn close_file(&mut self, file: FileHandle) -> Result<(), FsError> {
        let open = self.opened(file)?;
        let (number, lost, changed) = (open.number, open.lost, open.file.is_changed());
        let result = match (lost, changed) {
            (true, _) => Err(FsError::DiskChanged),
            (false, true) => self.finish_file(file, number),
            (false, false) => Ok(()),
        };
        if result == Err(FsError::Again) {
            return result;
        }
        let (place, _) = split(file.0);
        if let Some(mut open) = self.files[place].item.take() {
            let left = open.file.abandon(&mut self.cache);
            if let Some(chain) = left.filter(|_| !open.lost) {
                self.discard(number, chain);
            }
            self.count_writers(number);
        }
        result
    }

    pub(super) fn finish_file(&mut self, file: FileHandle, number: Number) -> Result<(), FsError> {
        self.room_for_chain()?;
        let (place, _) = split(file.0);
        let Some(open) = &mut self.files[place].item else { return Err(FsError::BadHandle) };
        let slot = &mut self.slots[usize::from(number)];
        let volume = slot.volume.as_mut().ok_or(FsError::DiskChanged)?;
        if volume.read_only.is_some() {
            return Err(FsError::ReadOnlyDisk);
        }
        let mut unused = None;
        let result = open.file.finish(volume, &mut self.cache, self.now, &mut unused);
        if let Some(chain) = unused {
            self.discard(number, chain);
        }
        self.touch(number);
        let result = self.check(number, result);
        if !matches!(result, Ok(()) | Err(FsError::Again)) {
            self.report_read_only(number);
        }
        result
    }
}

/// The chain of an entry, as long as its size says.
pub(super) fn chain_of(entry: &Dirent, wide: bool, cluster_bytes: u32) -> Option<Chain> {
    let cluster = entry.cluster(wide);
    let limit = entry.size().div_ceil(cluster_bytes).max(1);
    (cluster != 0).then_some(Chain::new(cluster, limit))
}

fn check_flags(flags: OpenFlags) -> Result<(), FsError> {
    let writes = flags.append || flags.create || flags.truncate;
    let does_something = flags.write || (flags.read && !writes);
    let sound = does_something && (flags.create || !flags.exclusive);
    if sound { Ok(()) } else { Err(FsError::BadFlags) }
}
