//! The tree: attributes, listing, and every change of directories.
//!
//! Each change is planned by reading alone, and then written as a [`crate::fat::Change`] in the order that leaves
//! the volume sound at every moment.

use super::files::chain_of;
use super::walk::Spot;
use super::{Drives, Number, OpenDirectory, put, split};
use crate::block::Cache;
use crate::fat::dir::{Piece, Pieces};
use crate::fat::dirent::{View, attribute};
use crate::fat::{Chain, Cursor, Dirent, EntryKind, FatError, File, Found, Name83, Place, Room};
use crate::fat::{Step, Volume};
use crate::time::DateTime;
use crate::vfs::path::{Drive, ResolvedPath};
use crate::vfs::provider::{
    Attributes, DirEntry, DirHandle, FileHandle, FsError, Kind, Provider, SetAttributes, Space,
};

/// A root's attributes.
const ROOT: Attributes = Attributes {
    kind: Kind::Directory,
    size: 0,
    modified: DateTime::EPOCH,
    read_only: false,
    hidden: false,
    system: false,
};

/// Where a new entry goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entrance {
    room: Room,
    /// Where an end mark must be written first.
    end: Option<Place>,
}

/// The attributes of a file's or directory's entry.
pub(super) fn attributes(entry: View<'_>) -> Attributes {
    let has = |bit| entry.attributes() & bit != 0;
    let directory = has(attribute::DIRECTORY);
    Attributes {
        kind: if directory { Kind::Directory } else { Kind::File },
        size: if directory { 0 } else { entry.size() },
        modified: entry.modified(),
        read_only: has(attribute::READ_ONLY),
        hidden: has(attribute::HIDDEN),
        system: has(attribute::SYSTEM),
    }
}

/// An entry with other attributes.
fn with_attributes(mut entry: Dirent, set: &SetAttributes) -> Dirent {
    if let Some(time) = set.modified {
        entry.set_modified(time);
    }
    if let Some(read_only) = set.read_only {
        let rest = entry.attributes() & !attribute::READ_ONLY;
        entry.set_attributes(rest | if read_only { attribute::READ_ONLY } else { 0 });
    }
    entry
}

// ---- Looking ----

impl Drives<'_> {
    pub(super) fn attributes_at(&mut self, path: &ResolvedPath) -> Result<Attributes, FsError> {
        Ok(self.entry(path)?.map_or(ROOT, |(_, found)| attributes(found.entry.view())))
    }

    pub(super) fn open_directory(&mut self, path: &ResolvedPath) -> Result<DirHandle, FsError> {
        if self.underway.is_some() {
            // It may be about to remove this very directory.
            self.pass_by();
            return Err(FsError::Again);
        }
        let (number, directory) = match path.drive() {
            None => (None, 0),
            Some(drive) => {
                let number = self.drive(drive)?;
                (Some(number), self.directory(number, path.names())?)
            }
        };
        let open =
            OpenDirectory { number, directory, cursor: Cursor::start(directory), lost: false };
        put(self.directories, open).map(DirHandle).ok_or(FsError::TooManyOpen)
    }

    pub(super) fn list_directory(
        &mut self,
        dir: DirHandle,
        show: &mut dyn FnMut(&DirEntry) -> bool,
    ) -> Result<bool, FsError> {
        let (place, serial) = split(dir.0);
        let found = self.directories.get_mut(place).filter(|found| found.serial == serial);
        let open = found.and_then(|found| found.item.as_mut()).ok_or(FsError::BadHandle)?;
        if open.lost {
            return Err(FsError::DiskChanged);
        }
        let Some(number) = open.number else {
            let next = open.directory;
            return Ok(self.list_drives(place, next, show));
        };
        let slot = &self.slots[usize::from(number)];
        let volume = slot.volume.as_ref().ok_or(FsError::DiskChanged)?;
        let mut shown = false;
        let result = volume.visit(&mut self.cache, &mut open.cursor, &mut |_, _, entry| {
            shown = true;
            show(&DirEntry { name: entry.name(), attributes: attributes(entry) })
        });
        match result {
            Err(FatError::Again) if shown => Ok(true),
            result => self.check(number, result),
        }
    }

    fn list_drives(
        &mut self,
        place: usize,
        from: u32,
        show: &mut dyn FnMut(&DirEntry) -> bool,
    ) -> bool {
        for drive in Provider::drives(self).iter() {
            if u32::from(drive.index()) < from {
                continue;
            }
            if let Some(open) = &mut self.directories[place].item {
                open.directory = u32::from(drive.index()) + 1;
            }
            if !show(&DirEntry { name: drive.directory(), attributes: ROOT }) {
                return true;
            }
        }
        false
    }

    fn is_listed(&self, number: Number, directory: u32) -> bool {
        self.directories
            .iter()
            .filter_map(|slot| slot.item.as_ref())
            .any(|open| open.number == Some(number) && open.directory == directory && !open.lost)
    }
}

// ---- Changing ----

impl Drives<'_> {
    pub(super) fn change_attributes(
        &mut self,
        key: u32,
        path: &ResolvedPath,
        set: &SetAttributes,
    ) -> Result<(), FsError> {
        if self.settle(key)?.is_some() {
            return Ok(());
        }
        let (spot, found) = self.entry(path)?.ok_or(FsError::NotAllowed)?;
        self.writable(spot.number)?;
        if self.is_locked(spot.number, found.place, true) {
            return Err(FsError::Busy);
        }
        self.put_attributes(key, spot.number, found.place, found.entry, set)
    }

    /// The same for a file that is open, after what was written to it.
    pub(super) fn change_attributes_of(
        &mut self,
        key: u32,
        file: FileHandle,
        set: &SetAttributes,
    ) -> Result<(), FsError> {
        if self.settle(key)?.is_some() {
            return Ok(());
        }
        let open = self.live(file)?;
        if !open.flags.write {
            return Err(FsError::BadHandle);
        }
        let (number, changed) = (open.number, open.file.is_changed());
        self.writable(number)?;
        if changed {
            self.finish_file(file, number)?;
        }
        let File { place, entry, .. } = self.live(file)?.file;
        // The next write begins with the entry as it is on the disk now.
        self.live(file)?.file.entry = with_attributes(entry, set);
        self.put_attributes(key, number, place, entry, set)
    }

    fn put_attributes(
        &mut self,
        key: u32,
        number: Number,
        place: Place,
        old: Dirent,
        set: &SetAttributes,
    ) -> Result<(), FsError> {
        let entry = with_attributes(old, set);
        if entry == old {
            return Ok(());
        }
        self.change.begin();
        self.change.put(place, &entry, false);
        self.change.then(Step::Barrier);
        self.start(key, number, None).map(drop)
    }

    pub(super) fn make_directory(&mut self, key: u32, path: &ResolvedPath) -> Result<(), FsError> {
        if self.settle(key)?.is_some() {
            return Ok(());
        }
        let Some(spot) = self.spot(path)? else { return Err(FsError::Exists) };
        if self.find(&spot)?.is_some() {
            return Err(FsError::Exists);
        }
        self.writable(spot.number)?;
        let now = self.now;
        let volume = self.volume(spot.number)?;
        let wide = volume.is_wide();
        // The root has no cluster number here, not even on FAT32.
        let parent = if spot.directory == volume.root_directory() { 0 } else { spot.directory };
        let entrance = self.room(&spot)?;
        let cluster = self.claim_cluster(spot.number)?;
        let dots = |name: &[u8; 11], cluster: u32| {
            let mut entry = Dirent::new(&Name83::from_raw(*name), attribute::DIRECTORY, now);
            entry.set_cluster(cluster, wide);
            entry
        };
        self.change.begin();
        self.change.claim(cluster);
        self.change.set_head(dots(b".          ", cluster), dots(b"..         ", parent));
        self.change.then(Step::Zero(cluster));
        let mut entry = Dirent::new(&spot.name, attribute::DIRECTORY, now);
        entry.set_cluster(cluster, wide);
        if let Err(error) = self.add_entry(&spot, &entrance, entry) {
            self.unclaim(spot.number, cluster);
            return Err(error);
        }
        self.change.then(Step::Barrier);
        self.start(key, spot.number, None).map(drop)
    }

    pub(super) fn remove_file(&mut self, key: u32, path: &ResolvedPath) -> Result<(), FsError> {
        if self.settle(key)?.is_some() {
            return Ok(());
        }
        let (spot, found) = self.entry(path)?.ok_or(FsError::IsADirectory)?;
        if found.entry.kind() == EntryKind::Directory {
            return Err(FsError::IsADirectory);
        }
        self.removable(&spot, &found)?;
        if self.is_locked(spot.number, found.place, true) {
            return Err(FsError::Busy);
        }
        let volume = self.volume(spot.number)?;
        let chain = chain_of(&found.entry, volume.is_wide(), volume.geometry.cluster_bytes());
        self.erase(key, &spot, &found, chain.map(|chain| (chain.cluster, chain.limit)))
    }

    pub(super) fn remove_directory(
        &mut self,
        key: u32,
        path: &ResolvedPath,
    ) -> Result<(), FsError> {
        if self.settle(key)?.is_some() {
            return Ok(());
        }
        let (spot, found) = self.entry(path)?.ok_or(FsError::NotAllowed)?;
        if found.entry.kind() != EntryKind::Directory {
            return Err(FsError::NotADirectory);
        }
        self.removable(&spot, &found)?;
        let directory = self.volume(spot.number)?.directory_of(&found.entry);
        let directory = self.check(spot.number, directory)?;
        if self.is_listed(spot.number, directory) {
            return Err(FsError::Busy);
        }
        let first = self.look(spot.number, |volume, cache| {
            volume.next_entry(cache, &mut Cursor::start(directory))
        })?;
        if first.is_some() {
            return Err(FsError::NotEmpty);
        }
        self.known.clear();
        self.index.forget(spot.number);
        self.erase(key, &spot, &found, Some((directory, u32::MAX)))
    }

    fn removable(&mut self, spot: &Spot, found: &Found) -> Result<(), FsError> {
        self.changeable(spot.number)?;
        if found.entry.attributes() & attribute::READ_ONLY != 0 {
            return Err(FsError::ReadOnlyFile);
        }
        self.room_for_chain()
    }

    /// The entry goes first, then what it named.
    fn erase(
        &mut self,
        key: u32,
        spot: &Spot,
        found: &Found,
        chain: Option<(u32, u32)>,
    ) -> Result<(), FsError> {
        self.change.begin();
        let pieces = self.long_name(spot, found)?;
        self.erase_entry(found, pieces);
        self.entry_changed(spot.number, spot.directory, found.number, None);
        self.change.then(Step::Barrier);
        if let Some((cluster, limit)) = chain {
            self.change.then(Step::Free { cluster, limit });
        }
        self.start(key, spot.number, None).map(drop)
    }

    /// Where an entry's long name is.
    fn long_name(&mut self, spot: &Spot, found: &Found) -> Result<Pieces, FsError> {
        self.look(spot.number, |volume, cache| volume.long_name(cache, spot.directory, found))
    }

    /// Plans to erase an entry and its long name, which is in `pieces`.
    fn erase_entry(&mut self, found: &Found, mut pieces: Pieces) {
        let Place { lba, offset } = found.place;
        match pieces.first_mut() {
            // One sector, one write.
            Some(piece) if piece.lba == lba => piece.last = offset,
            _ => self.change.then(Step::Erase(Piece { lba, first: offset, last: offset })),
        }
        self.change.then_erase(&pieces);
    }

    /// Looks for room for a new entry in the spot's directory.
    pub(super) fn room(&mut self, spot: &Spot) -> Result<Entrance, FsError> {
        let number = spot.number;
        let room = self.find_room(spot)?;
        let end = match room {
            Room::Free(free) if free.entry.kind() == EntryKind::End => self
                .look(number, |volume, cache| {
                    volume.end_behind(cache, spot.directory, free.number)
                })?,
            _ => None,
        };
        Ok(Entrance { room, end })
    }

    /// Plans to write a new entry, and everything that it needs before: a longer directory, an end mark. Nothing
    /// can fail behind it in a plan, because it takes clusters.
    pub(super) fn add_entry(
        &mut self,
        spot: &Spot,
        entrance: &Entrance,
        entry: Dirent,
    ) -> Result<Place, FsError> {
        let number = spot.number;
        let (place, entry_number, end) = match entrance.room {
            Room::Free(free) => {
                if self.change.has_claimed() {
                    self.change.then(Step::FlushTable);
                    self.change.then(Step::Barrier);
                }
                (free.place, free.number, free.entry.kind() == EntryKind::End)
            }
            Room::Behind { cluster, number: entry_number } => {
                let fresh = self.claim_cluster(number)?;
                self.change.claim(fresh);
                self.change.then(Step::Zero(fresh));
                self.change.then(Step::FlushTable);
                self.change.then(Step::Barrier);
                self.change.then(Step::Link { from: cluster, to: fresh });
                self.change.then(Step::FlushTable);
                self.change.then(Step::Barrier);
                let lba = self.volume(number)?.geometry.cluster_lba(fresh);
                (Place { lba, offset: 0 }, entry_number, false)
            }
        };
        if let Some(behind) = entrance.end {
            self.change.then(Step::PutEnd(behind));
        }
        self.change.put(place, &entry, end);
        self.entry_changed(number, spot.directory, entry_number, Some(&entry.name()));
        Ok(place)
    }

    fn claim_cluster(&mut self, number: Number) -> Result<u32, FsError> {
        let slot = &mut self.slots[usize::from(number)];
        let volume = slot.volume.as_mut().ok_or(FsError::DiskChanged)?;
        let before = volume.search_position();
        let claimed = volume.claim_free(&mut self.cache);
        self.progress |= volume.search_position() != before;
        match self.check(number, claimed) {
            Err(FsError::DiskFull) if self.free_some(number) => Err(FsError::Again),
            other => other,
        }
    }

    /// Gives back a cluster that was claimed for a change that is not to be.
    fn unclaim(&mut self, number: Number, cluster: u32) {
        let slot = &mut self.slots[usize::from(number)];
        let Some(volume) = slot.volume.as_mut() else { return };
        if volume.unclaim(&mut self.cache, cluster).is_err() {
            self.discard(number, Chain::new(cluster, 1));
        }
    }

    pub(super) fn rename_at(
        &mut self,
        key: u32,
        from: &ResolvedPath,
        to: &ResolvedPath,
    ) -> Result<(), FsError> {
        if self.settle(key)?.is_some() {
            return Ok(());
        }
        if from.drive() != to.drive() {
            return Err(FsError::OtherDrive);
        }
        if from.names().is_empty() || to.names().is_empty() {
            return Err(FsError::NotAllowed);
        }
        let (spot, found) = self.entry(from)?.ok_or(FsError::NotAllowed)?;
        let is_directory = found.entry.kind() == EntryKind::Directory;
        if from == to {
            return Ok(());
        }
        if is_directory && to.names().starts_with(from.names()) {
            return Err(FsError::NotAllowed);
        }
        let target = self.spot(to)?.ok_or(FsError::NotAllowed)?;
        if self.find(&target)?.is_some() {
            return Err(FsError::Exists);
        }
        if spot.directory == target.directory {
            self.writable(spot.number)?;
        } else {
            self.changeable(spot.number)?;
        }
        if self.is_locked(spot.number, found.place, true) {
            return Err(FsError::Busy);
        }
        let mut entry = found.entry;
        entry.set_name(&target.name);
        self.change.begin();
        if spot.directory == target.directory {
            self.rename_in_place(&spot, &found, entry)?;
        } else {
            self.move_entry(&spot, &found, &target, entry)?;
        }
        self.change.then(Step::Barrier);
        self.known.clear();
        self.start(key, spot.number, None).map(drop)
    }

    /// The new name over the old one, in one write; before it the old one's long name, which would be another
    /// file's beside the new entry.
    fn rename_in_place(
        &mut self,
        spot: &Spot,
        found: &Found,
        entry: Dirent,
    ) -> Result<(), FsError> {
        let pieces = self.long_name(spot, found)?;
        if !pieces.is_empty() {
            self.change.then_erase(&pieces);
            self.change.then(Step::Barrier);
        }
        self.change.put(found.place, &entry, false);
        self.entry_changed(spot.number, spot.directory, found.number, Some(&entry.name()));
        Ok(())
    }

    /// The new entry first; then a directory's `..`; then the old entry.
    fn move_entry(
        &mut self,
        spot: &Spot,
        found: &Found,
        target: &Spot,
        entry: Dirent,
    ) -> Result<(), FsError> {
        let mut dots = None;
        if entry.kind() == EntryKind::Directory {
            let wide = self.volume(spot.number)?.is_wide();
            let root = self.volume(spot.number)?.root_directory();
            let own = self.volume(spot.number)?.directory_of(&entry);
            let own = self.check(spot.number, own)?;
            let mut second = Cursor::start(own);
            second.advance();
            let parent =
                self.look(spot.number, |volume, cache| volume.entry(cache, &mut second))?;
            if let Some(mut parent) = parent.filter(|found| found.entry.0[..2] == *b"..") {
                let above = if target.directory == root { 0 } else { target.directory };
                parent.entry.set_cluster(above, wide);
                dots = Some(parent);
            }
        }
        let pieces = self.long_name(spot, found)?;
        let entrance = self.room(target)?;
        self.add_entry(target, &entrance, entry)?;
        self.entry_changed(spot.number, spot.directory, found.number, None);
        if let Some(Found { place, entry, .. }) = dots {
            self.change.put(place, &entry, false);
        }
        self.change.then(Step::Barrier);
        self.erase_entry(found, pieces);
        Ok(())
    }

    /// Reads from a volume.
    fn look<T>(
        &mut self,
        number: Number,
        look: impl FnOnce(&Volume, &mut Cache<'_>) -> Result<T, FatError>,
    ) -> Result<T, FsError> {
        let slot = &self.slots[usize::from(number)];
        let volume = slot.volume.as_ref().ok_or(FsError::DiskChanged)?;
        let result = look(volume, &mut self.cache);
        self.check(number, result)
    }

    pub(super) fn space_of(&mut self, drive: Drive) -> Result<Space, FsError> {
        let number = self.drive(drive)?;
        if self.volume(number)?.free_clusters().is_none() {
            self.survey_some(number);
        }
        let volume = self.volume(number)?;
        let bytes = u64::from(volume.geometry.cluster_bytes());
        let total = u64::from(volume.geometry.clusters) * bytes;
        let free = u64::from(volume.free_clusters().ok_or(FsError::Again)?) * bytes;
        Ok(Space { free, total })
    }
}
