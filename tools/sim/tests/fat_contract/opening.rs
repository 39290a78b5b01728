//! Opening files: each flag, handles, and locks.

use ftpsrv::vfs::provider::{FileHandle, Kind, OpenFlags, SetAttributes};
use ftpsrv::vfs::{FsError, Provider};
use sim::rig::{
    APPEND, READ, STORE, fetch, finish, list, make_dir, path, remove, remove_dir, rename, store,
};

use crate::{close, open};

const NONE: OpenFlags = OpenFlags { read: false, ..READ };
const WRITE: OpenFlags = OpenFlags { write: true, ..NONE };
const BOTH: OpenFlags = OpenFlags { read: true, write: true, ..NONE };
const CREATE: OpenFlags = OpenFlags { write: true, create: true, ..NONE };
const EXCLUSIVE: OpenFlags = OpenFlags { exclusive: true, ..CREATE };
const NAME: &str = "/drive_c/flags.txt";

pub fn flags_that_make_no_sense_are_refused<P: Provider>(files: &mut P) {
    for flags in [
        NONE,
        OpenFlags { create: true, ..NONE },
        OpenFlags { create: true, ..READ },
        OpenFlags { truncate: true, ..READ },
        OpenFlags { append: true, ..READ },
        OpenFlags { exclusive: true, ..READ },
        OpenFlags { exclusive: true, ..WRITE },
        OpenFlags { exclusive: true, truncate: true, ..BOTH },
    ] {
        assert_eq!(open(files, NAME, flags), Err(FsError::BadFlags), "{flags:?}");
    }
    assert!(list(files, "/drive_c").unwrap().is_empty());
}

pub fn read_opens_for_reading_alone<P: Provider>(files: &mut P) {
    let mut buffer = [0; 8];
    assert_eq!(open(files, NAME, READ), Err(FsError::NotFound));
    store(files, NAME, STORE, b"abc", 3).unwrap();
    let file = open(files, NAME, READ).unwrap();
    assert_eq!(finish(|| files.read(file, 0, &mut buffer)), Ok(3));
    assert_eq!(finish(|| files.write(file, 0, b"x")), Err(FsError::BadHandle));
    close(files, file).unwrap();
    assert_eq!(fetch(files, NAME, 9).unwrap(), b"abc");
    remove(files, NAME).unwrap();
}

pub fn write_opens_for_writing_and_the_rest_stays<P: Provider>(files: &mut P) {
    let mut buffer = [0; 8];
    assert_eq!(open(files, NAME, WRITE), Err(FsError::NotFound));
    store(files, NAME, STORE, b"abcde", 5).unwrap();
    let file = open(files, NAME, WRITE).unwrap();
    assert_eq!(finish(|| files.read(file, 0, &mut buffer)), Err(FsError::BadHandle));
    assert_eq!(finish(|| files.write(file, 1, b"XY")), Ok(2));
    close(files, file).unwrap();
    assert_eq!(fetch(files, NAME, 2).unwrap(), b"aXYde");
    // Both ways with one handle.
    let file = open(files, NAME, BOTH).unwrap();
    assert_eq!(finish(|| files.write(file, 4, b"Z!")), Ok(2));
    assert_eq!(finish(|| files.read(file, 0, &mut buffer)), Ok(6));
    assert_eq!(&buffer[..6], b"aXYdZ!");
    close(files, file).unwrap();
    remove(files, NAME).unwrap();
}

pub fn append_goes_to_the_end_whatever_the_offset<P: Provider>(files: &mut P) {
    let file = open(files, NAME, APPEND).unwrap();
    for (offset, data) in [(0, b"abc"), (0, b"def"), (1000, b"ghi"), (u32::MAX, b"jkl")] {
        assert_eq!(finish(|| files.write(file, offset, data)), Ok(3));
    }
    close(files, file).unwrap();
    let file = open(files, NAME, OpenFlags { read: true, append: true, ..WRITE }).unwrap();
    assert_eq!(finish(|| files.write(file, 0, b"mno")), Ok(3));
    let mut buffer = [0; 3];
    assert_eq!(finish(|| files.read(file, 12, &mut buffer)), Ok(3));
    assert_eq!(&buffer, b"mno");
    close(files, file).unwrap();
    assert_eq!(fetch(files, NAME, 20).unwrap(), b"abcdefghijklmno");
    remove(files, NAME).unwrap();
}

pub fn create_makes_a_file_that_is_not_there<P: Provider>(files: &mut P) {
    let file = open(files, NAME, CREATE).unwrap();
    let known = files.attributes_of(file).unwrap();
    assert_eq!((known.kind, known.size), (Kind::File, 0));
    close(files, file).unwrap();
    assert_eq!(fetch(files, NAME, 9).unwrap(), b"");
    store(files, NAME, STORE, b"abc", 3).unwrap();
    let file = open(files, NAME, CREATE).unwrap();
    close(files, file).unwrap();
    assert_eq!(fetch(files, NAME, 9).unwrap(), b"abc", "create alone leaves what is there");
    assert_eq!(list(files, "/drive_c").unwrap().len(), 1);
    remove(files, NAME).unwrap();
}

pub fn truncate_cuts_a_file_that_is_there<P: Provider>(files: &mut P) {
    store(files, NAME, STORE, &[1; 20_000], 4096).unwrap();
    let file = open(files, NAME, OpenFlags { truncate: true, ..CREATE }).unwrap();
    assert_eq!(files.attributes_of(file).unwrap().size, 0);
    assert_eq!(finish(|| files.write(file, 0, b"new")), Ok(3));
    close(files, file).unwrap();
    assert_eq!(fetch(files, NAME, 9).unwrap(), b"new");
    // Without anything written, too; and without create.
    let file = open(files, NAME, OpenFlags { truncate: true, ..WRITE }).unwrap();
    close(files, file).unwrap();
    assert_eq!(finish(|| files.attributes(&path(NAME))).unwrap().size, 0);
    remove(files, NAME).unwrap();
    let result = open(files, NAME, OpenFlags { truncate: true, ..WRITE });
    assert_eq!(result, Err(FsError::NotFound));
}

pub fn exclusive_fails_where_there_is_something<P: Provider>(files: &mut P) {
    let file = open(files, NAME, EXCLUSIVE).unwrap();
    assert_eq!(finish(|| files.write(file, 0, b"abc")), Ok(3));
    // Whether it stays is not known yet.
    assert_eq!(open(files, NAME, EXCLUSIVE), Err(FsError::Busy));
    close(files, file).unwrap();
    assert_eq!(open(files, NAME, EXCLUSIVE), Err(FsError::Exists));
    let truncate = OpenFlags { truncate: true, ..EXCLUSIVE };
    assert_eq!(open(files, NAME, truncate), Err(FsError::Exists));
    let reader = open(files, NAME, READ).unwrap();
    assert_eq!(open(files, NAME, EXCLUSIVE), Err(FsError::Exists));
    close(files, reader).unwrap();
    assert_eq!(fetch(files, NAME, 10).unwrap(), b"abc");
    remove(files, NAME).unwrap();
    make_dir(files, NAME).unwrap();
    assert_eq!(open(files, NAME, EXCLUSIVE), Err(FsError::IsADirectory));
    remove_dir(files, NAME).unwrap();
}

pub fn a_read_only_file_is_not_opened_for_writing<P: Provider>(files: &mut P) {
    store(files, NAME, STORE, b"abc", 3).unwrap();
    let set = |read_only| SetAttributes { read_only: Some(read_only), ..SetAttributes::default() };
    finish(|| files.set_attributes(&path(NAME), &set(true))).unwrap();
    for flags in [WRITE, APPEND, STORE, CREATE, BOTH] {
        assert_eq!(open(files, NAME, flags), Err(FsError::ReadOnlyFile), "{flags:?}");
    }
    assert_eq!(fetch(files, NAME, 9).unwrap(), b"abc");
    finish(|| files.set_attributes(&path(NAME), &set(false))).unwrap();
    remove(files, NAME).unwrap();
}

pub fn handles_are_checked<P: Provider>(files: &mut P) {
    let mut buffer = [0; 8];
    let set = SetAttributes { read_only: Some(true), ..SetAttributes::default() };
    let closed = open(files, NAME, BOTH_NEW).unwrap();
    close(files, closed).unwrap();
    let again = open(files, NAME, READ).unwrap();
    assert_ne!(again, closed, "a closed handle must not come back at once");
    for bad in [closed, FileHandle(0), FileHandle(0xFFFF), FileHandle(again.0 ^ 0x8000)] {
        assert_eq!(finish(|| files.read(bad, 0, &mut buffer)), Err(FsError::BadHandle));
        assert_eq!(finish(|| files.write(bad, 0, b"x")), Err(FsError::BadHandle));
        assert_eq!(files.attributes_of(bad).map(drop), Err(FsError::BadHandle));
        assert_eq!(finish(|| files.set_attributes_of(bad, &set)), Err(FsError::BadHandle));
        assert_eq!(close(files, bad), Err(FsError::BadHandle));
    }
    assert_eq!(finish(|| files.read(again, 0, &mut buffer)), Ok(0));
    close(files, again).unwrap();
    remove(files, NAME).unwrap();
}

const BOTH_NEW: OpenFlags = OpenFlags { create: true, ..BOTH };

pub fn without_a_free_handle_nothing_is_opened_or_made<P: Provider>(files: &mut P) {
    store(files, NAME, STORE, b"abc", 3).unwrap();
    let mut open_files = Vec::new();
    let error = loop {
        match open(files, NAME, READ) {
            Ok(file) if open_files.len() < 1000 => open_files.push(file),
            other => break other,
        }
    };
    assert_eq!(error, Err(FsError::TooManyOpen));
    assert!(open_files.len() >= 20, "two for each of ten clients");
    assert_eq!(open(files, "/drive_c/new", STORE), Err(FsError::TooManyOpen));
    assert_eq!(list(files, "/drive_c").unwrap().len(), 1);
    close(files, open_files.pop().unwrap()).unwrap();
    open_files.push(open(files, NAME, READ).unwrap());
    for file in open_files {
        close(files, file).unwrap();
    }
    remove(files, NAME).unwrap();
}

pub fn a_file_that_is_written_belongs_to_its_writer<P: Provider>(files: &mut P) {
    let (name, other) = ("/drive_c/lock.me", "/drive_c/LOCK.ME");
    let set = SetAttributes { read_only: Some(true), ..SetAttributes::default() };
    store(files, name, STORE, b"content", 7).unwrap();
    let reader = open(files, name, READ).unwrap();
    let second = open(files, other, READ).unwrap();
    let nobody_changes = |files: &mut P| {
        for flags in [STORE, APPEND, WRITE, CREATE] {
            assert_eq!(open(files, other, flags), Err(FsError::Busy), "{flags:?}");
        }
        assert_eq!(remove(files, other), Err(FsError::Busy));
        assert_eq!(rename(files, other, "/drive_c/free"), Err(FsError::Busy));
        assert_eq!(finish(|| files.set_attributes(&path(other), &set)), Err(FsError::Busy));
    };
    nobody_changes(files);
    close(files, reader).unwrap();
    nobody_changes(files);
    close(files, second).unwrap();
    let writer = open(files, name, APPEND).unwrap();
    nobody_changes(files);
    assert_eq!(open(files, other, READ), Err(FsError::Busy));
    close(files, writer).unwrap();
    assert_eq!(fetch(files, name, 9).unwrap(), b"content");
    remove(files, name).unwrap();
}
