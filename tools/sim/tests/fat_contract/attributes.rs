//! Attributes, by path and by handle.

use ftpsrv::time::DateTime;
use ftpsrv::vfs::provider::{Kind, OpenFlags, SetAttributes};
use ftpsrv::vfs::{FsError, Provider};
use sim::rig::{
    APPEND, READ, STORE, fetch, finish, list, make_dir, path, remove, remove_dir, rename, store,
};

use crate::{NOW, close, open, write};

const NAME: &str = "/drive_c/attr.txt";
const TIME: DateTime = DateTime { year: 2001, month: 2, day: 3, hour: 4, minute: 5, second: 6 };
const LOCKED: SetAttributes = SetAttributes { modified: None, read_only: Some(true) };
const FREE: SetAttributes = SetAttributes { modified: None, read_only: Some(false) };

fn set<P: Provider>(files: &mut P, name: &str, set: &SetAttributes) -> Result<(), FsError> {
    finish(|| files.set_attributes(&path(name), set))
}

pub fn attributes_by_path_and_by_handle_are_the_same<P: Provider>(files: &mut P) {
    store(files, NAME, STORE, b"12345", 5).unwrap();
    let known = finish(|| files.attributes(&path(NAME))).unwrap();
    assert_eq!((known.kind, known.size, known.modified), (Kind::File, 5, NOW));
    assert!(!known.read_only && !known.hidden && !known.system);
    let file = open(files, NAME, READ).unwrap();
    assert_eq!(files.attributes_of(file).unwrap(), known);
    close(files, file).unwrap();
    // A file that grows tells by its handle how far it is.
    let file = open(files, NAME, APPEND).unwrap();
    assert_eq!(finish(|| files.write(file, 0, b"678")), Ok(3));
    assert_eq!(files.attributes_of(file).unwrap().size, 8);
    close(files, file).unwrap();
    assert_eq!(finish(|| files.attributes(&path(NAME))).unwrap().size, 8);
    remove(files, NAME).unwrap();
}

pub fn whether_a_file_exists_is_told_in_any_case<P: Provider>(files: &mut P) {
    let missing = finish(|| files.attributes(&path(NAME)));
    assert_eq!(missing.map(drop), Err(FsError::NotFound));
    store(files, NAME, STORE, b"", 1).unwrap();
    for name in [NAME, "/DRIVE_C/ATTR.TXT", "/drive_c/Attr.Txt"] {
        assert_eq!(finish(|| files.attributes(&path(name))).unwrap().kind, Kind::File);
    }
    remove(files, NAME).unwrap();
    make_dir(files, NAME).unwrap();
    assert_eq!(finish(|| files.attributes(&path(NAME))).unwrap().kind, Kind::Directory);
    remove_dir(files, NAME).unwrap();
}

pub fn time_and_read_only_are_set_by_path<P: Provider>(files: &mut P) {
    store(files, NAME, STORE, b"12345", 5).unwrap();
    set(files, NAME, &SetAttributes { modified: Some(TIME), read_only: Some(true) }).unwrap();
    let known = finish(|| files.attributes(&path(NAME))).unwrap();
    assert_eq!((known.modified, known.read_only, known.size), (TIME, true, 5));
    assert_eq!(open(files, NAME, APPEND), Err(FsError::ReadOnlyFile));
    assert_eq!(remove(files, NAME), Err(FsError::ReadOnlyFile));
    assert_eq!(fetch(files, NAME, 9).unwrap(), b"12345");
    // What is not named stays as it is.
    set(files, NAME, &SetAttributes::default()).unwrap();
    set(files, NAME, &FREE).unwrap();
    let known = finish(|| files.attributes(&path(NAME))).unwrap();
    assert_eq!((known.modified, known.read_only), (TIME, false));
    remove(files, NAME).unwrap();
    assert_eq!(set(files, NAME, &FREE), Err(FsError::NotFound));
}

pub fn directories_have_attributes_too<P: Provider>(files: &mut P) {
    let (name, inside) = ("/drive_c/dir", "/drive_c/dir/file");
    make_dir(files, name).unwrap();
    set(files, name, &SetAttributes { modified: Some(TIME), read_only: Some(true) }).unwrap();
    let known = finish(|| files.attributes(&path(name))).unwrap();
    assert_eq!((known.kind, known.modified, known.read_only), (Kind::Directory, TIME, true));
    assert_eq!(remove_dir(files, name), Err(FsError::ReadOnlyFile));
    // As under DOS, it says nothing of what is in it.
    store(files, inside, STORE, b"x", 1).unwrap();
    assert_eq!(fetch(files, inside, 9).unwrap(), b"x");
    remove(files, inside).unwrap();
    set(files, name, &FREE).unwrap();
    remove_dir(files, name).unwrap();
}

pub fn time_and_read_only_are_set_by_handle<P: Provider>(files: &mut P) {
    let file = open(files, NAME, STORE).unwrap();
    write(files, file, 0, &[7; 3000]);
    let change = SetAttributes { modified: Some(TIME), read_only: Some(true) };
    finish(|| files.set_attributes_of(file, &change)).unwrap();
    let known = files.attributes_of(file).unwrap();
    assert_eq!((known.size, known.modified, known.read_only), (3000, TIME, true));
    close(files, file).unwrap();
    // Closing keeps the time that was set.
    assert_eq!(finish(|| files.attributes(&path(NAME))).unwrap(), known);
    assert_eq!(open(files, NAME, APPEND), Err(FsError::ReadOnlyFile));
    set(files, NAME, &FREE).unwrap();

    // The handle goes on, and what it writes later makes the time anew.
    let file = open(files, NAME, APPEND).unwrap();
    finish(|| files.set_attributes_of(file, &LOCKED)).unwrap();
    assert_eq!(files.attributes_of(file).unwrap().modified, TIME);
    write(files, file, 0, &[8; 3000]);
    close(files, file).unwrap();
    let known = finish(|| files.attributes(&path(NAME))).unwrap();
    assert_eq!((known.size, known.modified, known.read_only), (6000, NOW, true));
    let content = fetch(files, NAME, 4096).unwrap();
    assert!(content[..3000] == [7; 3000] && content[3000..] == [8; 3000]);

    // Others may be reading: only who writes has the file alone.
    let file = open(files, NAME, READ).unwrap();
    assert_eq!(finish(|| files.set_attributes_of(file, &FREE)), Err(FsError::BadHandle));
    close(files, file).unwrap();
    set(files, NAME, &FREE).unwrap();
    remove(files, NAME).unwrap();
}

pub fn each_writing_sets_the_time<P: Provider>(files: &mut P) {
    let write = OpenFlags { create: false, truncate: false, ..STORE };
    store(files, NAME, STORE, b"abc", 3).unwrap();
    let old = SetAttributes { modified: Some(TIME), read_only: None };
    set(files, NAME, &old).unwrap();
    // Reading and opening alone do not.
    fetch(files, NAME, 9).unwrap();
    let file = open(files, NAME, write).unwrap();
    close(files, file).unwrap();
    assert_eq!(finish(|| files.attributes(&path(NAME))).unwrap().modified, TIME);
    rename(files, NAME, "/drive_c/renamed").unwrap();
    assert_eq!(finish(|| files.attributes(&path("/drive_c/renamed"))).unwrap().modified, TIME);
    rename(files, "/drive_c/renamed", NAME).unwrap();
    let file = open(files, NAME, write).unwrap();
    assert_eq!(finish(|| files.write(file, 0, b"x")), Ok(1));
    close(files, file).unwrap();
    assert_eq!(finish(|| files.attributes(&path(NAME))).unwrap().modified, NOW);
    // Cutting a file is writing, also one that is empty.
    for _ in 0..2 {
        set(files, NAME, &old).unwrap();
        let file = open(files, NAME, STORE).unwrap();
        close(files, file).unwrap();
        assert_eq!(finish(|| files.attributes(&path(NAME))).unwrap().modified, NOW);
    }
    remove(files, NAME).unwrap();
}

pub fn listings_give_the_same_attributes<P: Provider>(files: &mut P) {
    make_dir(files, "/drive_c/sub").unwrap();
    store(files, NAME, STORE, b"12345", 5).unwrap();
    set(files, NAME, &SetAttributes { modified: Some(TIME), read_only: Some(true) }).unwrap();
    let entries = list(files, "/drive_c").unwrap();
    assert_eq!(entries.len(), 2);
    for entry in entries {
        let place = path(&format!("/drive_c/{}", entry.name));
        assert_eq!(finish(|| files.attributes(&place)).unwrap(), entry.attributes);
    }
    set(files, NAME, &FREE).unwrap();
    remove(files, NAME).unwrap();
    remove_dir(files, "/drive_c/sub").unwrap();
}
