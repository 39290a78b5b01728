//! Directories: going through entries, finding names, finding room.
//!
//! May call `block`. Only reads; what changes a directory is a [`super::change::Change`].

use heapless::Vec;

use super::dirent::{self, Dirent, ENTRY, EntryKind, View, checksum};
use super::error::FatError;
use super::index::Index;
use super::name83::Name83;
use super::table::Link;
use super::volume::Volume;
use crate::block::cache::{Class, Region};
use crate::block::{Cache, SECTOR};

/// Entries that a directory has at most, as in DOS: 2 MB.
pub const MAX_ENTRIES: u32 = 65_536;

/// Entries from which on a directory is worth the index.
const LARGE: u32 = 64;

const PER_SECTOR: u32 = (SECTOR / ENTRY) as u32;

/// Where an entry lies on its disk. It is the file's identity, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its sector.
    pub lba: u32,
    /// Byte in the sector.
    pub offset: u16,
}

/// An entry and where it is.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// Its number in its directory.
    pub number: u32,
    /// Its bytes.
    pub entry: Dirent,
}

/// A position in a directory.
#[derive(Debug, Clone, Copy)]
pub struct Cursor {
    /// Cluster of the entry; 0: in the fixed root.
    cluster: u32,
    /// Number of the cluster's first entry.
    base: u32,
    /// Number of the entry.
    number: u32,
}

/// How far a search for a name is, so that it can go on where it was.
#[derive(Debug, Clone, Copy)]
pub struct Scan {
    cursor: Cursor,
    /// The first free entry that was seen.
    free: Option<Cursor>,
}

/// Where a new entry can go.
#[derive(Debug, Clone, Copy)]
pub enum Room {
    /// Here.
    Free(Found),
    /// Behind the last entry of this cluster, when the directory gets another one.
    Behind {
        /// The directory's last cluster.
        cluster: u32,
        /// The number that the new entry will have.
        number: u32,
    },
}

/// Entries in a row in one sector.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    /// The sector.
    pub lba: u32,
    /// Offset of the first one.
    pub first: u16,
    /// Offset of the last one.
    pub last: u16,
}

/// The long-name entries of one file: 20 of them lie in 3 sectors at most.
pub type Pieces = Vec<Piece, 3>;

impl Cursor {
    /// The first entry of a directory (its first cluster, or 0 for the fixed root).
    pub const fn start(directory: u32) -> Cursor {
        Cursor { cluster: directory, base: 0, number: 0 }
    }

    /// Entry `number` of a directory.
    pub const fn at(directory: u32, number: u32) -> Cursor {
        Cursor { cluster: directory, base: 0, number }
    }

    /// The entry's number in its directory.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The next entry.
    pub fn advance(&mut self) {
        self.number += 1;
    }
}

impl Scan {
    /// How far it is: changes as long as it gets on.
    pub fn position(&self) -> (u32, u32) {
        (self.cursor.number, self.cursor.cluster)
    }

    /// A search from the directory's first entry on.
    pub const fn start(directory: u32) -> Scan {
        Scan { cursor: Cursor::start(directory), free: None }
    }
}

impl Volume {
    /// The root directory, as [`Cursor::start`] takes it.
    pub fn root_directory(&self) -> u32 {
        self.geometry.root_cluster
    }

    /// The directory that `entry` is, as [`Cursor::start`] takes it.
    ///
    /// # Errors
    /// [`FatError::Damaged`] when its first cluster is none.
    pub fn directory_of(&self, entry: &Dirent) -> Result<u32, FatError> {
        let cluster = entry.cluster(self.is_wide());
        if self.geometry.is_cluster(cluster) { Ok(cluster) } else { Err(FatError::Damaged) }
    }

    /// The region that a directory sector is cached in.
    pub(super) fn directory_region(&self, lba: u32) -> Region {
        if lba < self.geometry.data {
            self.root_region()
        } else {
            self.data_region(Class::Directory)
        }
    }

    /// The entry under the cursor; `None` behind the last one that there is room for.
    ///
    /// # Errors
    /// [`FatError`]. The cursor may have moved on to its cluster; calling again goes on from there.
    pub fn entry(
        &self,
        cache: &mut Cache<'_>,
        cursor: &mut Cursor,
    ) -> Result<Option<Found>, FatError> {
        let Some(place) = self.place(cache, cursor)? else { return Ok(None) };
        let slot = cache.sector(&self.directory_region(place.lba), place.lba)?;
        let bytes = cache.bytes(slot).get(usize::from(place.offset)..).unwrap_or(&[]);
        Ok(Some(Found { place, number: cursor.number, entry: Dirent::read(bytes) }))
    }

    fn place(&self, cache: &mut Cache<'_>, cursor: &mut Cursor) -> Result<Option<Place>, FatError> {
        let offset = (cursor.number % PER_SECTOR) as u16 * ENTRY as u16;
        if cursor.cluster == 0 {
            let lba = self.geometry.root + cursor.number / PER_SECTOR;
            let inside = cursor.number < self.geometry.root_entries;
            return Ok(inside.then_some(Place { lba, offset }));
        }
        let per_cluster = self.geometry.cluster_sectors * PER_SECTOR;
        while cursor.number - cursor.base >= per_cluster {
            match self.link(cache, cursor.cluster)? {
                Link::Next(_) if cursor.number >= MAX_ENTRIES => return Err(FatError::Damaged),
                Link::Next(next) => {
                    cursor.cluster = next;
                    cursor.base += per_cluster;
                }
                Link::End => return Ok(None),
                Link::Free | Link::Invalid => return Err(FatError::Damaged),
            }
        }
        if !self.geometry.is_cluster(cursor.cluster) {
            return Err(FatError::Damaged);
        }
        let lba =
            self.geometry.cluster_lba(cursor.cluster) + (cursor.number - cursor.base) / PER_SECTOR;
        Ok(Some(Place { lba, offset }))
    }

    /// The next file or directory from the cursor on, which is left behind it.
    ///
    /// # Errors
    /// [`FatError`]; calling again goes on from where it was.
    pub fn next_entry(
        &self,
        cache: &mut Cache<'_>,
        cursor: &mut Cursor,
    ) -> Result<Option<Found>, FatError> {
        let mut next = None;
        self.visit(cache, cursor, &mut |place, number, entry| {
            next = Some(Found { place, number, entry: Dirent(*entry.0) });
            false
        })?;
        Ok(next)
    }

    /// Gives `visit` files and directories, with their places and numbers, from the cursor on, which is left
    /// behind them, until it returns `false`; `Ok(false)` at the directory's end.
    ///
    /// # Errors
    /// As [`Volume::next_entry`].
    pub fn visit(
        &self,
        cache: &mut Cache<'_>,
        cursor: &mut Cursor,
        visit: &mut dyn FnMut(Place, u32, View<'_>) -> bool,
    ) -> Result<bool, FatError> {
        while let Some(mut place) = self.place(cache, cursor)? {
            let slot = cache.sector(&self.directory_region(place.lba), place.lba)?;
            // As far as the sector goes.
            let entries = cache.bytes(slot).get(usize::from(place.offset)..).unwrap_or(&[]);
            for bytes in entries.as_chunks::<ENTRY>().0 {
                let kind = dirent::kind_of(bytes[0], bytes[11], bytes[13]);
                if kind == EntryKind::End {
                    return Ok(false);
                }
                let number = cursor.number;
                cursor.advance();
                if matches!(kind, EntryKind::File | EntryKind::Directory)
                    && !visit(place, number, View(bytes))
                {
                    return Ok(true);
                }
                place.offset += ENTRY as u16;
            }
        }
        Ok(false)
    }

    /// Looks for a file or directory of this name, and goes on where `scan` stopped.
    ///
    /// # Errors
    /// [`FatError`].
    pub fn lookup(
        &self,
        cache: &mut Cache<'_>,
        index: &mut Index<'_>,
        (volume, directory): (u8, u32),
        name: &Name83,
        scan: &mut Scan,
    ) -> Result<Option<Found>, FatError> {
        if index.is_of(volume, directory) {
            if let Some(found) = self.lookup_indexed(cache, index, name, scan)? {
                return Ok(Some(found));
            }
            scan.cursor.number = scan.cursor.number.max(index.known());
        }
        loop {
            if scan.cursor.number == LARGE && index.may_claim(volume, directory) {
                index.claim(volume, directory);
                *scan = Scan::start(directory);
            }
            let Some(found) = self.entry(cache, &mut scan.cursor)? else { return Ok(None) };
            let kind = found.entry.kind();
            if kind == EntryKind::End {
                return Ok(None);
            }
            if index.is_of(volume, directory) {
                index.note(found.number, described(&found.entry).as_ref().map(Option::as_ref));
            }
            if is_named(&found.entry, name) {
                return Ok(Some(found));
            }
            if kind == EntryKind::Free && scan.free.is_none() {
                scan.free = Some(scan.cursor);
            }
            scan.cursor.advance();
        }
    }

    fn lookup_indexed(
        &self,
        cache: &mut Cache<'_>,
        index: &mut Index<'_>,
        name: &Name83,
        scan: &mut Scan,
    ) -> Result<Option<Found>, FatError> {
        while let Some(number) = index.find(scan.cursor.number, name) {
            scan.cursor.number = number;
            match self.entry(cache, &mut scan.cursor)? {
                Some(found) if is_named(&found.entry, name) => return Ok(Some(found)),
                _ => scan.cursor.advance(),
            }
        }
        Ok(None)
    }

    /// Looks for room for one more entry, after a lookup has found nothing.
    ///
    /// # Errors
    /// [`FatError::DirectoryFull`], and others of [`FatError`].
    pub fn find_room(
        &self,
        cache: &mut Cache<'_>,
        index: &mut Index<'_>,
        (volume, directory): (u8, u32),
        scan: &mut Scan,
    ) -> Result<Room, FatError> {
        let indexed = index.is_of(volume, directory);
        if let Some(number) = index.find_free().filter(|_| indexed) {
            let near = scan.free.filter(|cursor| cursor.base <= number);
            let near = near.unwrap_or(Cursor::start(directory));
            scan.free = Some(Cursor { number, ..near });
        }
        let mut cursor = scan.free.unwrap_or(scan.cursor);
        loop {
            let entry = self.entry(cache, &mut cursor);
            scan.free = Some(cursor);
            match entry? {
                Some(found) if matches!(found.entry.kind(), EntryKind::Free | EntryKind::End) => {
                    return Ok(Room::Free(found));
                }
                Some(_) => cursor.advance(),
                None if cursor.cluster == 0 || cursor.number >= MAX_ENTRIES => {
                    return Err(FatError::DirectoryFull);
                }
                None => {
                    return Ok(Room::Behind { cluster: cursor.cluster, number: cursor.number });
                }
            }
        }
    }

    /// Where the end mark must be written when entry `number`, the end mark until now, is used: behind
    /// it, in the next sector, where something else than an end mark lies.
    ///
    /// # Errors
    /// [`FatError`].
    pub fn end_behind(
        &self,
        cache: &mut Cache<'_>,
        directory: u32,
        number: u32,
    ) -> Result<Option<Place>, FatError> {
        if number % PER_SECTOR != PER_SECTOR - 1 {
            return Ok(None);
        }
        let mut cursor = Cursor { number: number + 1, ..Cursor::start(directory) };
        let behind = self.entry(cache, &mut cursor)?;
        Ok(behind.filter(|found| found.entry.kind() != EntryKind::End).map(|found| found.place))
    }

    /// The long-name entries that belong to `found`, the last sector first.
    ///
    /// # Errors
    /// [`FatError`].
    pub fn long_name(
        &self,
        cache: &mut Cache<'_>,
        directory: u32,
        found: &Found,
    ) -> Result<Pieces, FatError> {
        let sum = checksum(&found.entry.0[..11]);
        let mut pieces = Pieces::new();
        for number in (found.number.saturating_sub(20)..found.number).rev() {
            let mut cursor = Cursor { number, ..Cursor::start(directory) };
            let Some(before) = self.entry(cache, &mut cursor)? else { break };
            if before.entry.kind() != EntryKind::LongName(sum) {
                break;
            }
            let Place { lba, offset } = before.place;
            match pieces.last_mut() {
                Some(piece) if piece.lba == lba => piece.first = offset,
                _ => {
                    let _ = pieces.push(Piece { lba, first: offset, last: offset });
                }
            }
            // The first piece of a long name, which stands last, carries this bit.
            if before.entry.0[0] & 0x40 != 0 {
                break;
            }
        }
        Ok(pieces)
    }
}

fn is_named(entry: &Dirent, name: &Name83) -> bool {
    matches!(entry.kind(), EntryKind::File | EntryKind::Directory) && entry.name() == *name
}

/// An entry as the index wants it.
fn described(entry: &Dirent) -> Option<Option<Name83>> {
    match entry.kind() {
        EntryKind::Free | EntryKind::End => None,
        EntryKind::File | EntryKind::Directory => Some(Some(entry.name())),
        _ => Some(None),
    }
}
