//! The contract of [`Provider`], kept by the tree in memory and by FAT alike.

use bumpalo::Bump;
use ftpsrv::block::DiskKind;
use ftpsrv::time::DateTime;
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::provider::{FileHandle, Kind, OpenFlags, SetAttributes};
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{SimDisk, SimDisks};
use sim::fat_image::{fsck, mkfs};
use sim::memory_provider::MemoryProvider;
use sim::rig::{
    APPEND, Arena, READ, STORE, fetch, finish, list, make_dir, path, remove, remove_dir, rename,
    store,
};

const NOW: DateTime = DateTime { year: 1994, month: 5, day: 6, hour: 7, minute: 8, second: 10 };

#[test]
fn memory_keeps_the_contract() {
    contract(&mut MemoryProvider::new());
}

#[test]
fn slow_memory_keeps_the_contract() {
    let mut memory = MemoryProvider::new();
    memory.patience = 3;
    contract(&mut memory);
}

#[test]
fn fat_keeps_the_contract() {
    for (sectors, options) in [
        (2880, ["-F", "12", "-s", "1"]),
        (9000, ["-F", "16", "-s", "2"]),
        (70_000, ["-F", "32", "-s", "1"]),
    ] {
        for kilobytes in [12, 32] {
            let medium = mkfs(sectors, &options);
            let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
            let (bump, mut handle) = (Bump::new(), disks.clone());
            let size = DrivesSize::of(kilobytes * 1024);
            let mut drives = Drives::new(&mut handle, &mut Arena(&bump), size).unwrap();
            contract(&mut drives);
            drives.flush().unwrap();
            assert_eq!(fsck(&disks.medium(0)), [""; 0]);
        }
    }
}

fn contract(files: &mut dyn Provider) {
    files.set_time(NOW);
    roots(files);
    open_flags(files);
    handles(files);
    locks(files);
    offsets(files);
    attributes(files);
    directories(files);
    renaming(files);
    assert!(list(files, "/drive_c").unwrap().is_empty(), "the parts clean up");
}

fn open(files: &mut dyn Provider, name: &str, flags: OpenFlags) -> Result<FileHandle, FsError> {
    let place = path(name);
    finish(|| files.open(&place, flags))
}

fn close(files: &mut dyn Provider, file: FileHandle) -> Result<(), FsError> {
    finish(|| files.close(file))
}

fn roots(files: &mut dyn Provider) {
    let c = Drive::new(b'C').unwrap();
    assert!(files.drives().contains(c));
    for root in ["/", "/drive_c"] {
        assert_eq!(finish(|| files.attributes(&path(root))).unwrap().kind, Kind::Directory);
        assert_eq!(open(files, root, READ), Err(FsError::IsADirectory));
        assert_eq!(open(files, root, STORE), Err(FsError::IsADirectory));
        assert_eq!(make_dir(files, root), Err(FsError::Exists));
        assert_eq!(remove_dir(files, root), Err(FsError::NotAllowed));
        assert_eq!(remove(files, root), Err(FsError::IsADirectory));
        assert_eq!(rename(files, root, root), Err(FsError::NotAllowed));
        let set = SetAttributes { read_only: Some(true), ..SetAttributes::default() };
        let result = finish(|| files.set_attributes(&path(root), &set));
        assert_eq!(result, Err(FsError::NotAllowed));
    }
    let names: Vec<_> = list(files, "/").unwrap().iter().map(|entry| entry.name).collect();
    assert_eq!(names, [c.directory()]);
    assert_eq!(fetch(files, "/drive_q/x", 10), Err(FsError::NotFound));
    assert_eq!(list(files, "/drive_q").map(drop), Err(FsError::NotFound));
    let space = finish(|| files.space(c)).unwrap();
    assert!(space.free > 0 && space.free <= space.total);
}

fn open_flags(files: &mut dyn Provider) {
    let none = OpenFlags::default();
    let name = "/drive_c/flags.txt";
    for flags in [
        none,
        OpenFlags { read: true, create: true, ..none },
        OpenFlags { read: true, truncate: true, ..none },
        OpenFlags { read: true, append: true, ..none },
        OpenFlags { write: true, exclusive: true, ..none },
    ] {
        assert_eq!(open(files, name, flags), Err(FsError::BadFlags), "{flags:?}");
    }
    assert_eq!(open(files, name, READ), Err(FsError::NotFound));
    assert_eq!(open(files, name, OpenFlags { write: true, ..none }), Err(FsError::NotFound));
    let exclusive = OpenFlags { exclusive: true, ..STORE };
    let file = open(files, name, exclusive).unwrap();
    assert_eq!(finish(|| files.write(file, 0, b"abc")), Ok(3));
    close(files, file).unwrap();
    assert_eq!(open(files, name, exclusive), Err(FsError::Exists));
    assert_eq!(fetch(files, name, 10).unwrap(), b"abc");

    // Append goes to the end whatever the offset says.
    let file = open(files, name, APPEND).unwrap();
    assert_eq!(finish(|| files.write(file, 0, b"de")), Ok(2));
    close(files, file).unwrap();
    assert_eq!(fetch(files, name, 10).unwrap(), b"abcde");

    // Without truncate the rest stays; both ways with one handle.
    let both = OpenFlags { read: true, write: true, ..none };
    let file = open(files, name, both).unwrap();
    assert_eq!(finish(|| files.write(file, 1, b"XY")), Ok(2));
    let mut buffer = [0; 10];
    assert_eq!(finish(|| files.read(file, 0, &mut buffer)), Ok(5));
    assert_eq!(&buffer[..5], b"aXYde");
    close(files, file).unwrap();
    assert_eq!(fetch(files, name, 2).unwrap(), b"aXYde");

    store(files, name, STORE, b"", 1).unwrap();
    assert_eq!(fetch(files, name, 10).unwrap(), b"");
    remove(files, name).unwrap();
    assert_eq!(remove(files, name), Err(FsError::NotFound));
}

fn handles(files: &mut dyn Provider) {
    let mut buffer = [0; 8];
    let name = "/drive_c/h";
    let file = open(files, name, STORE).unwrap();
    assert_eq!(finish(|| files.read(file, 0, &mut buffer)), Err(FsError::BadHandle));
    close(files, file).unwrap();
    assert_eq!(close(files, file), Err(FsError::BadHandle));
    assert_eq!(finish(|| files.write(file, 0, b"x")), Err(FsError::BadHandle));
    assert_eq!(files.attributes_of(file).map(drop), Err(FsError::BadHandle));
    let again = open(files, name, READ).unwrap();
    assert_ne!(again, file, "a closed handle must not come back at once");
    assert_eq!(finish(|| files.write(again, 0, b"x")), Err(FsError::BadHandle));
    assert_eq!(finish(|| files.read(again, 0, &mut buffer)), Ok(0));
    assert_eq!(finish(|| files.read(FileHandle(0xFFFF), 0, &mut buffer)), Err(FsError::BadHandle));
    close(files, again).unwrap();

    let directory = finish(|| files.open_dir(&path("/drive_c"))).unwrap();
    files.close_dir(directory).unwrap();
    assert_eq!(files.close_dir(directory), Err(FsError::BadHandle));
    assert_eq!(finish(|| files.read_dir(directory)).map(drop), Err(FsError::BadHandle));
    remove(files, name).unwrap();
}

fn locks(files: &mut dyn Provider) {
    let name = "/drive_c/lock.me";
    let other = "/drive_c/LOCK.ME";
    store(files, name, STORE, b"content", 7).unwrap();
    let reader = open(files, name, READ).unwrap();
    let second = open(files, other, READ).unwrap();
    assert_eq!(open(files, other, STORE), Err(FsError::Busy));
    assert_eq!(open(files, other, APPEND), Err(FsError::Busy));
    assert_eq!(remove(files, other), Err(FsError::Busy));
    assert_eq!(rename(files, other, "/drive_c/free"), Err(FsError::Busy));
    close(files, reader).unwrap();
    assert_eq!(remove(files, other), Err(FsError::Busy));
    close(files, second).unwrap();
    let writer = open(files, name, APPEND).unwrap();
    assert_eq!(open(files, other, READ), Err(FsError::Busy));
    assert_eq!(open(files, other, APPEND), Err(FsError::Busy));
    assert_eq!(remove(files, other), Err(FsError::Busy));
    close(files, writer).unwrap();
    remove(files, name).unwrap();
}

fn offsets(files: &mut dyn Provider) {
    let name = "/drive_c/offsets";
    let data: Vec<u8> = (0..20_000u32).map(|n| (n * 7 / 3) as u8).collect();
    for piece in [1, 7, 511, 512, 513, 4096, 16_384] {
        let end = if piece == 1 { 1500 } else { data.len() };
        store(files, name, STORE, &data[..end], piece).unwrap();
        for reading in [97, 512, 5000] {
            assert!(fetch(files, name, reading).unwrap() == data[..end], "{piece}, {reading}");
        }
    }
    let file = open(files, name, OpenFlags { read: true, write: true, ..OpenFlags::default() });
    let file = file.unwrap();
    assert_eq!(files.attributes_of(file).unwrap().size, 20_000);
    let mut buffer = [0; 600];
    for offset in [0, 1, 511, 512, 19_999, 13_000, 20_000, 20_001, u32::MAX] {
        let left = data.get(offset as usize..).unwrap_or(&[]);
        let mut got = 0;
        while got < left.len().min(buffer.len()) {
            let at = offset + got as u32;
            let count = finish(|| files.read(file, at, &mut buffer[got..])).unwrap();
            assert_ne!(count, 0);
            got += count;
        }
        assert_eq!(buffer[..got], left[..got], "at {offset}");
        if left.is_empty() {
            assert_eq!(finish(|| files.read(file, offset, &mut buffer)), Ok(0));
        }
    }
    assert_eq!(finish(|| files.read(file, 0, &mut [])), Ok(0));
    assert_eq!(finish(|| files.write(file, 0, b"")), Ok(0));
    close(files, file).unwrap();
    remove(files, name).unwrap();
}

fn attributes(files: &mut dyn Provider) {
    let name = "/drive_c/attr.txt";
    store(files, name, STORE, b"12345", 5).unwrap();
    let place = path(name);
    let known = finish(|| files.attributes(&place)).unwrap();
    assert_eq!((known.kind, known.size, known.modified), (Kind::File, 5, NOW));
    assert!(!known.read_only && !known.hidden && !known.system);
    let file = open(files, name, READ).unwrap();
    assert_eq!(files.attributes_of(file).unwrap(), known);
    close(files, file).unwrap();

    let time = DateTime { year: 2001, month: 2, day: 3, hour: 4, minute: 5, second: 6 };
    let set = SetAttributes { modified: Some(time), read_only: Some(true) };
    finish(|| files.set_attributes(&place, &set)).unwrap();
    let known = finish(|| files.attributes(&place)).unwrap();
    assert_eq!((known.modified, known.read_only), (time, true));
    assert_eq!(open(files, name, APPEND), Err(FsError::ReadOnlyFile));
    assert_eq!(remove(files, name), Err(FsError::ReadOnlyFile));
    assert_eq!(fetch(files, name, 9).unwrap(), b"12345");
    let set = SetAttributes { read_only: Some(false), ..SetAttributes::default() };
    finish(|| files.set_attributes(&place, &set)).unwrap();
    assert_eq!(finish(|| files.attributes(&place)).unwrap().modified, time);
    remove(files, name).unwrap();
    let result = finish(|| files.set_attributes(&place, &set));
    assert_eq!(result, Err(FsError::NotFound));
}

fn directories(files: &mut dyn Provider) {
    assert_eq!(make_dir(files, "/drive_c/no/dir"), Err(FsError::NotFound));
    make_dir(files, "/drive_c/dir").unwrap();
    assert_eq!(make_dir(files, "/drive_c/Dir"), Err(FsError::Exists));
    store(files, "/drive_c/dir/file", STORE, b"x", 1).unwrap();
    assert_eq!(make_dir(files, "/drive_c/dir/file"), Err(FsError::Exists));
    assert_eq!(make_dir(files, "/drive_c/dir/file/sub"), Err(FsError::NotADirectory));
    assert_eq!(fetch(files, "/drive_c/dir/file/x", 9), Err(FsError::NotADirectory));
    assert_eq!(list(files, "/drive_c/dir/file").map(drop), Err(FsError::NotADirectory));
    assert_eq!(list(files, "/drive_c/none").map(drop), Err(FsError::NotFound));
    assert_eq!(remove_dir(files, "/drive_c/dir"), Err(FsError::NotEmpty));
    assert_eq!(remove_dir(files, "/drive_c/dir/file"), Err(FsError::NotADirectory));
    assert_eq!(remove(files, "/drive_c/dir"), Err(FsError::IsADirectory));
    assert_eq!(open(files, "/drive_c/dir", READ), Err(FsError::IsADirectory));
    assert_eq!(open(files, "/drive_c/dir", STORE), Err(FsError::IsADirectory));
    let entries = list(files, "/drive_c/dir").unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(&entries[0].name.to_text(), b"FILE");
    assert_eq!(entries[0].attributes.size, 1);
    remove(files, "/drive_c/dir/file").unwrap();
    let listing = finish(|| files.open_dir(&path("/drive_c/dir"))).unwrap();
    assert_eq!(remove_dir(files, "/drive_c/dir"), Err(FsError::Busy));
    assert_eq!(finish(|| files.read_dir(listing)), Ok(None));
    files.close_dir(listing).unwrap();
    remove_dir(files, "/drive_c/dir").unwrap();
    assert_eq!(remove_dir(files, "/drive_c/dir"), Err(FsError::NotFound));
}

fn renaming(files: &mut dyn Provider) {
    make_dir(files, "/drive_c/a").unwrap();
    make_dir(files, "/drive_c/a/b").unwrap();
    make_dir(files, "/drive_c/t").unwrap();
    store(files, "/drive_c/one", STORE, b"one", 3).unwrap();
    store(files, "/drive_c/two", STORE, b"two", 3).unwrap();
    assert_eq!(rename(files, "/drive_c/one", "/drive_c/two"), Err(FsError::Exists));
    assert_eq!(rename(files, "/drive_c/one", "/drive_c/a"), Err(FsError::Exists));
    assert_eq!(rename(files, "/drive_c/none", "/drive_c/x"), Err(FsError::NotFound));
    assert_eq!(rename(files, "/drive_c/one", "/drive_c/none/x"), Err(FsError::NotFound));
    assert_eq!(rename(files, "/drive_c/one", "/drive_c/two/x"), Err(FsError::NotADirectory));
    assert_eq!(rename(files, "/drive_c/one", "/drive_d/one"), Err(FsError::OtherDrive));
    assert_eq!(rename(files, "/drive_c/a", "/drive_c/a/b/c"), Err(FsError::NotAllowed));
    assert_eq!(rename(files, "/drive_c/one", "/drive_c/ONE"), Ok(()));
    rename(files, "/drive_c/one", "/drive_c/a/b/uno.txt").unwrap();
    rename(files, "/drive_c/a/b", "/drive_c/t/moved").unwrap();
    assert_eq!(fetch(files, "/drive_c/t/moved/uno.txt", 9).unwrap(), b"one");
    assert_eq!(fetch(files, "/drive_c/one", 9), Err(FsError::NotFound));
    assert!(list(files, "/drive_c/a").unwrap().is_empty());
    for file in ["/drive_c/two", "/drive_c/t/moved/uno.txt"] {
        remove(files, file).unwrap();
    }
    for directory in ["/drive_c/t/moved", "/drive_c/t", "/drive_c/a"] {
        remove_dir(files, directory).unwrap();
    }
}
