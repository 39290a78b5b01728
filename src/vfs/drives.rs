//! The drives: volumes with the letters that DOS would give them, behind [`Provider`].
//!
//! May call `fat` and `block`. Here is what FAT itself does not know: letters, paths, open files and
//! their locks, whose turn it is, and what is left to do in the background.

mod background;
mod files;
mod letters;
mod slices;
mod tree;
mod walk;

use core::fmt;

use heapless::Deque;
use heapless::deque::DequeView;

use crate::block::partition::TableProblem;
use crate::block::{Cache, CacheSize, DiskError, DiskId, Disks, PutOff};
use crate::fat::{Chain, Change, Cursor, FatError, FatType, File, Index, MountError, Name83};
use crate::fat::{ReadOnly, Survey, Volume};
use crate::memory::{Memory, OutOfMemory};
use crate::time::DateTime;
use crate::vfs::path::{Drive, DriveSet, ResolvedPath};
use crate::vfs::provider::{
    Attributes, DirEntry, DirHandle, FileHandle, FsError, OpenFlags, Provider, SetAttributes, Space,
};

/// Clients that are served without being counted.
const MOST_CLIENTS: usize = 10;

/// Files that can be open at once: two of each client's, and others.
const fn files(clients: usize) -> usize {
    clients * 2 + 4
}

/// Directories that can be open at once.
const fn directories(clients: usize) -> usize {
    clients + 6
}

/// Free memory from which on more directories that paths led through are remembered than the deepest path has.
const PLENTY: usize = 64 * 1024;

/// Chains that can wait to be freed.
const CHAINS: usize = 16;

/// A drive's place among the drives.
type Number = u8;

/// What is known of the medium in a floppy drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    /// It was used just now.
    Known,
    /// It was not used for a while.
    Rested,
    /// It may be another one; what the drive says of it is new.
    Changed,
}

/// One drive letter and the volume behind it.
#[derive(Debug)]
struct Slot {
    letter: Drive,
    disk: DiskId,
    /// Type byte of the partition table; 0 where there is none.
    partition: u8,
    start: u32,
    sectors: u32,
    floppy: bool,
    volume: Option<Volume>,
    medium: Medium,
    problem: Option<MountError>,
    /// Seconds of [`Drives::seconds`] at the last change and the last use.
    changed_at: u32,
    used_at: u32,
}

/// What is known of a drive, for the console and SITE STATS.
#[derive(Debug, Clone, Copy)]
pub struct DriveInfo {
    /// Its letter.
    pub letter: Drive,
    /// The disk that it is on.
    pub disk: DiskId,
    /// The BIOS's number for it.
    pub bios_number: u8,
    /// Type byte of the partition table; 0 for floppies and disks without table.
    pub partition: u8,
    /// What is on it; `None` while it is not mounted (a floppy that was not used yet, or damage).
    pub volume: Option<VolumeInfo>,
    /// Why it could not be mounted when that was last tried.
    pub problem: Option<MountError>,
}

/// What is known of a mounted volume.
#[derive(Debug, Clone, Copy)]
pub struct VolumeInfo {
    /// FAT12, FAT16 or FAT32.
    pub fat_type: FatType,
    /// Its label, padded with spaces.
    pub label: Option<[u8; 11]>,
    /// Serial number; 0 for none.
    pub serial: u32,
    /// Bytes in all clusters.
    pub size: u64,
    /// Bytes a cluster.
    pub cluster: u32,
    /// Bytes free, once they are counted.
    pub free: Option<u64>,
    /// Why it is not written, if it is not.
    pub read_only: Option<ReadOnly>,
}

/// Something about a drive that the administrator should read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// The drive, where there is one.
    pub drive: Option<Drive>,
    /// The disk.
    pub disk: DiskId,
    /// What it is.
    pub what: Notice,
}

/// What there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The partition table.
    Table(TableProblem),
    /// The disk's first sector could not be read.
    Unreadable(DiskError),
    /// The volume could not be mounted.
    NotMounted(MountError),
    /// The volume is read, but not written.
    ReadOnly(ReadOnly),
    /// The volume was in use when the PC was last switched off.
    NotClosed,
    /// This file or directory names clusters wrongly: those of another, or none.
    Culprit(Name83),
    /// It was not closed, and its table's second copy was older than the first: it was renewed.
    CopiesDiffered,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.drive {
            Some(drive) => write!(f, "Drive {drive}: ")?,
            None => write!(f, "Disk {}: ", self.disk.0)?,
        }
        match self.what {
            Notice::Table(TableProblem::NoFat) => f.write_str("no FAT partition"),
            Notice::Table(TableProblem::Inconsistent) => {
                f.write_str("partition table damaged, some partitions are left out")
            }
            Notice::Unreadable(error) | Notice::NotMounted(MountError::Disk(error)) => {
                write!(f, "{error}")
            }
            Notice::NotMounted(MountError::Boot(_)) => {
                f.write_str("no FAT volume, or a damaged one: not served")
            }
            Notice::ReadOnly(reason) => write!(f, "not written: {reason}"),
            Notice::Culprit(name) => write!(f, "{name} has clusters of another file, or none"),
            Notice::CopiesDiffered => {
                f.write_str("second allocation table was out of date, renewed from the first")
            }
            Notice::NotClosed => f.write_str("was not closed properly; run SCANDISK or CHKDSK"),
        }
    }
}

/// An open file.
#[derive(Debug, Clone, Copy)]
struct OpenFile {
    number: Number,
    flags: OpenFlags,
    file: File,
    /// The medium is gone.
    lost: bool,
}

/// An open directory.
#[derive(Debug, Clone, Copy)]
struct OpenDirectory {
    /// `None`: the root that holds the drives.
    number: Option<Number>,
    /// First cluster, 0 for a fixed root; or, in the root of drives, the next letter's number.
    directory: u32,
    cursor: Cursor,
    lost: bool,
}

/// A place for a handle; the serial number tells its users apart.
#[derive(Debug, Clone, Copy)]
struct Place<T> {
    serial: u8,
    item: Option<T>,
}

impl<T> Place<T> {
    fn free(_: usize) -> Place<T> {
        Place { serial: 0, item: None }
    }
}

/// A change of directories that is under way.
#[derive(Debug)]
struct Underway {
    /// The call that it belongs to.
    owner: u32,
    number: Number,
    /// The file to open when it is done.
    opens: Option<(File, OpenFlags)>,
    /// Calls of others since its owner's last, and when that was, in seconds of [`Drives::seconds`].
    idle: u16,
    asked_at: u32,
}

/// A directory that a path led through lately.
#[derive(Debug, Clone, Copy)]
struct Known {
    number: Number,
    parent: u32,
    name: Name83,
    directory: u32,
}

/// All drives of the PC.
pub struct Drives<'a> {
    cache: Cache<'a>,
    /// What [`Drives::furnish`] takes.
    size: DrivesSize,
    index: Index<'a>,
    survey: Survey<'a>,
    slots: &'a mut [Slot],
    excluded: DriveSet,
    files: &'a mut [Place<OpenFile>],
    directories: &'a mut [Place<OpenDirectory>],
    /// The change that is under way, or being planned: that only begins when none is.
    change: Change,
    underway: Option<Underway>,
    chains: Deque<(Number, Chain), CHAINS>,
    known: &'a mut DequeView<Known>,
    turns: slices::Turns<'a>,
    /// The call that is being served got somewhere for good.
    progress: bool,
    messages: Deque<Message, 16>,
    now: DateTime,
    /// Times that `now` changed.
    seconds: u32,
}

/// Memory that the drives take.
#[derive(Debug, Clone, Copy)]
pub struct DrivesSize {
    /// The sector cache.
    pub cache: CacheSize,
    /// Entries of a directory that can be found without reading it again: 2 bytes each.
    pub index: usize,
}

impl DrivesSize {
    /// Divides about `bytes`: 5.5 KB to 64 KB.
    pub const fn of(bytes: usize) -> DrivesSize {
        DrivesSize { cache: CacheSize::of(bytes - bytes / 8), index: bytes / 16 }
    }
}

impl<'a> Drives<'a> {
    /// Finds all volumes of `disks` and gives them letters. Hard disks are mounted, floppies when they are
    /// first used. Reads what it needs without slices: for the start.
    ///
    /// # Errors
    /// [`OutOfMemory`]; what is wrong with disks is among [`Drives::message`]s.
    pub fn new(
        disks: &'a mut dyn Disks,
        memory: &mut impl Memory<'a>,
        size: DrivesSize,
    ) -> Result<Drives<'a>, OutOfMemory> {
        let mut drives = Drives::unmounted(disks, memory, size)?;
        drives.mount_hard_disks(memory)?;
        drives.furnish(memory, MOST_CLIENTS)?;
        Ok(drives)
    }

    /// As [`Drives::new`], built where they stay, which takes less of a short stack; to be read from. All else
    /// is for after [`Drives::furnish`].
    ///
    /// # Errors
    /// As [`Drives::new`].
    pub fn placed(
        disks: &'a mut dyn Disks,
        memory: &mut impl Memory<'a>,
        size: DrivesSize,
    ) -> Result<&'a mut Drives<'a>, OutOfMemory> {
        let drives = Drives::place_unmounted(disks, memory, size)?;
        drives.mount_hard_disks(memory)?;
        Ok(drives)
    }

    /// Takes the memory to serve `clients` with, when the start's is free. Nothing is open, and nothing was
    /// written.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn furnish(
        &mut self,
        memory: &mut impl Memory<'a>,
        clients: usize,
    ) -> Result<(), OutOfMemory> {
        // The largest first.
        self.cache.resize(memory, self.size.cache)?;
        self.survey.take_memory(memory)?;
        self.index.take_memory(memory, self.size.index)?;
        self.files = memory.slots("open files", files(clients), Place::free)?;
        self.directories = memory.slots("open files", directories(clients), Place::free)?;
        self.turns.take_memory(memory, clients)
    }

    /// Bytes that [`Drives::furnish`] takes of memory.
    pub fn wanted(&self, clients: usize) -> usize {
        fn bytes<T>(_: &[T], count: usize) -> usize {
            count * size_of::<T>()
        }
        bytes(self.files, files(clients))
            + bytes(self.directories, directories(clients))
            + slices::WAITING
            + self.size.cache.bytes()
            + self.size.index * 2
            + self.survey.wanted()
    }

    // A frame of its own: mounting comes after it.
    #[inline(never)]
    fn place_unmounted(
        disks: &'a mut dyn Disks,
        memory: &mut impl Memory<'a>,
        size: DrivesSize,
    ) -> Result<&'a mut Drives<'a>, OutOfMemory> {
        let drives = Drives::unmounted(disks, memory, size)?;
        memory.place("the drives", drives)
    }

    fn unmounted(
        disks: &'a mut dyn Disks,
        memory: &mut impl Memory<'a>,
        size: DrivesSize,
    ) -> Result<Drives<'a>, OutOfMemory> {
        let cache = Cache::new(disks, memory)?;
        // Where they stay from the beginning: the rest passes over the stack.
        let known: &mut DequeView<Known> = if memory.free() < PLENTY {
            memory.place("the drives", Deque::<_, 32>::new())?
        } else {
            memory.place("the drives", Deque::<_, 64>::new())?
        };
        let turns = slices::Turns::new(memory)?;
        Ok(Drives {
            cache,
            size,
            index: Index::none(),
            survey: Survey::of(0, 0),
            slots: &mut [],
            excluded: DriveSet::EMPTY,
            // The start reads one file after the other.
            files: memory.slots("open files", 1, Place::free)?,
            directories: &mut [],
            change: Change::new(),
            underway: None,
            chains: Deque::new(),
            known,
            turns,
            progress: false,
            messages: Deque::new(),
            now: DateTime::EPOCH,
            seconds: 0,
        })
    }

    fn mount_hard_disks(&mut self, memory: &mut impl Memory<'a>) -> Result<(), OutOfMemory> {
        self.slots = letters::slots(&mut self.cache, &mut self.messages, memory)?;
        for number in 0..self.slots.len() {
            while !self.slots[number].floppy {
                self.cache.begin_urgent(u16::MAX);
                if self.mount(number as Number) != Err(FsError::Again) {
                    break;
                }
            }
        }
        let volumes = self.slots.iter().filter_map(|slot| slot.volume.as_ref());
        let largest = volumes.map(|volume| volume.geometry.clusters).max().unwrap_or(0);
        self.survey = Survey::of(largest, memory.free());
        Ok(())
    }

    /// Leaves drives out from now on (FTPSRV_EXCLUDE_DRIVES); the configuration itself may have been read
    /// from one of them.
    pub fn exclude(&mut self, drives: DriveSet) {
        self.excluded = drives;
    }

    /// What is known of a drive, also of one that is left out; `None` for a letter that no drive has.
    pub fn info(&self, drive: Drive) -> Option<DriveInfo> {
        let slot = self.slots.iter().find(|slot| slot.letter == drive)?;
        Some(DriveInfo {
            letter: slot.letter,
            disk: slot.disk,
            bios_number: self.cache.disks_ref().info(slot.disk)?.bios_number,
            partition: slot.partition,
            volume: slot.volume.as_ref().map(VolumeInfo::of),
            problem: slot.problem,
        })
    }

    /// The oldest message that was not taken yet.
    pub fn message(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }

    fn tell(&mut self, number: Number, what: Notice) {
        if let Some(slot) = self.slots.get(usize::from(number)) {
            letters::push(
                &mut self.messages,
                Message { drive: Some(slot.letter), disk: slot.disk, what },
            );
        }
    }
}

impl Slot {
    const fn new(letter: Drive, disk: DiskId) -> Slot {
        Slot {
            letter,
            disk,
            partition: 0,
            start: 0,
            sectors: 0,
            floppy: false,
            volume: None,
            medium: Medium::Known,
            problem: None,
            changed_at: 0,
            used_at: 0,
        }
    }
}

impl VolumeInfo {
    fn of(volume: &Volume) -> VolumeInfo {
        let cluster = volume.geometry.cluster_bytes();
        let bytes = |clusters: u32| u64::from(clusters) * u64::from(cluster);
        VolumeInfo {
            fat_type: volume.geometry.fat_type,
            label: volume.label,
            serial: volume.geometry.serial,
            size: bytes(volume.geometry.clusters),
            cluster,
            free: volume.free_clusters().map(bytes),
            read_only: volume.read_only,
        }
    }
}

impl Provider for Drives<'_> {
    fn drives(&self) -> DriveSet {
        let mut set = DriveSet::EMPTY;
        for slot in self.slots.iter().filter(|slot| !self.excluded.contains(slot.letter)) {
            if slot.floppy || slot.volume.is_some() {
                set.insert(slot.letter);
            }
        }
        set
    }

    fn set_time(&mut self, now: DateTime) {
        if now != self.now {
            self.now = now;
            self.seconds = self.seconds.wrapping_add(1);
        }
    }

    fn attributes(&mut self, path: &ResolvedPath) -> Result<Attributes, FsError> {
        self.slice(slices::of_path(1, path, None), |drives, _| drives.attributes_at(path))
    }

    fn set_attributes(&mut self, path: &ResolvedPath, set: &SetAttributes) -> Result<(), FsError> {
        self.slice(slices::of_path(2, path, None), |drives, key| {
            drives.change_attributes(key, path, set)
        })
    }

    fn open(&mut self, path: &ResolvedPath, flags: OpenFlags) -> Result<FileHandle, FsError> {
        self.slice(slices::of_path(3, path, None), |drives, key| drives.open_at(key, path, flags))
    }

    fn read(&mut self, file: FileHandle, offset: u32, buffer: &mut [u8]) -> Result<usize, FsError> {
        self.slice(slices::of_handle(4, file.0), |drives, _| drives.read_file(file, offset, buffer))
    }

    fn write(&mut self, file: FileHandle, offset: u32, data: &[u8]) -> Result<usize, FsError> {
        self.slice(slices::of_handle(5, file.0), |drives, _| drives.write_file(file, offset, data))
    }

    fn attributes_of(&mut self, file: FileHandle) -> Result<Attributes, FsError> {
        let open = self.opened(file)?;
        Ok(Attributes { size: open.file.size, ..tree::attributes(open.file.entry.view()) })
    }

    fn set_attributes_of(&mut self, file: FileHandle, set: &SetAttributes) -> Result<(), FsError> {
        self.slice(slices::of_handle(14, file.0), |drives, key| {
            drives.change_attributes_of(key, file, set)
        })
    }

    fn close(&mut self, file: FileHandle) -> Result<(), FsError> {
        self.slice(slices::of_handle(6, file.0), |drives, _| drives.close_file(file))
    }

    fn open_dir(&mut self, path: &ResolvedPath) -> Result<DirHandle, FsError> {
        self.slice(slices::of_path(7, path, None), |drives, _| drives.open_directory(path))
    }

    fn list(
        &mut self,
        dir: DirHandle,
        show: &mut dyn FnMut(&DirEntry) -> bool,
    ) -> Result<bool, FsError> {
        self.slice(slices::of_handle(8, dir.0), |drives, _| drives.list_directory(dir, show))
    }

    fn close_dir(&mut self, dir: DirHandle) -> Result<(), FsError> {
        let (place, serial) = split(dir.0);
        match self.directories.get_mut(place) {
            Some(found) if found.serial == serial && found.item.is_some() => {
                found.item = None;
                Ok(())
            }
            _ => Err(FsError::BadHandle),
        }
    }

    fn make_dir(&mut self, path: &ResolvedPath) -> Result<(), FsError> {
        self.slice(slices::of_path(9, path, None), |drives, key| drives.make_directory(key, path))
    }

    fn remove_dir(&mut self, path: &ResolvedPath) -> Result<(), FsError> {
        self.slice(slices::of_path(10, path, None), |drives, key| {
            drives.remove_directory(key, path)
        })
    }

    fn remove(&mut self, path: &ResolvedPath) -> Result<(), FsError> {
        self.slice(slices::of_path(11, path, None), |drives, key| drives.remove_file(key, path))
    }

    fn rename(&mut self, from: &ResolvedPath, to: &ResolvedPath) -> Result<(), FsError> {
        self.slice(slices::of_path(12, from, Some(to)), |drives, key| {
            drives.rename_at(key, from, to)
        })
    }

    fn space(&mut self, drive: Drive) -> Result<Space, FsError> {
        self.slice(slices::of_handle(13, u16::from(drive.index())), |drives, _| {
            drives.space_of(drive)
        })
    }

    fn begin_turn(&mut self, quiet: bool) {
        self.cache.begin_turn(quiet);
    }

    fn take_put_off(&mut self) -> Option<PutOff> {
        self.cache.take_put_off()
    }

    fn is_at_work(&mut self, disk: DiskId) -> bool {
        self.cache.is_at_work(disk)
    }

    fn is_spent(&self) -> bool {
        self.cache.is_spent()
    }

    fn work(&mut self) -> bool {
        self.background()
    }

    fn flush(&mut self) -> Result<(), FsError> {
        self.flush_all()
    }
}

/// A handle's place and serial number.
const fn split(handle: u16) -> (usize, u8) {
    ((handle & 0xFF) as usize, (handle >> 8) as u8)
}

/// Puts an item in a free place; its handle.
fn put<T>(places: &mut [Place<T>], item: T) -> Option<u16> {
    let at = places.iter().position(|place| place.item.is_none())?;
    let place = &mut places[at];
    place.serial = place.serial.wrapping_add(1);
    place.item = Some(item);
    Some(u16::from(place.serial) << 8 | at as u16)
}

impl Drives<'_> {
    /// Turns a volume's error into the provider's, and does what it means for the drive.
    fn check<T>(&mut self, number: Number, result: Result<T, FatError>) -> Result<T, FsError> {
        result.map_err(|error| self.failed(number, error))
    }

    fn failed(&mut self, number: Number, error: FatError) -> FsError {
        match error {
            FatError::Again => FsError::Again,
            FatError::Damaged => FsError::Damaged,
            FatError::Full => FsError::DiskFull,
            FatError::DirectoryFull => FsError::DirectoryFull,
            FatError::TooLarge => FsError::TooLarge,
            FatError::Disk(DiskError::NotReady) => FsError::NotReady,
            FatError::Disk(DiskError::WriteProtected) => FsError::ReadOnlyDisk,
            FatError::Disk(DiskError::Changed) => {
                self.medium_gone(number);
                FsError::DiskChanged
            }
            FatError::Disk(DiskError::OutOfRange | DiskError::Failed { .. }) => FsError::Io,
        }
    }
}
