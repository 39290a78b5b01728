//! Roots, and what paths mean to the provider.

use ftpsrv::vfs::path::{Drive, UserPath};
use ftpsrv::vfs::provider::{Kind, OpenFlags, SetAttributes};
use ftpsrv::vfs::{FsError, Provider, Sandbox};
use sim::rig::{
    APPEND, READ, STORE, fetch, finish, list, make_dir, path, remove, remove_dir, rename, store,
};

use crate::open;

pub fn roots_are_directories_that_stay<P: Provider>(files: &mut P) {
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
    make_dir(files, "/drive_c/dir").unwrap();
    assert_eq!(rename(files, "/drive_c/dir", "/drive_c"), Err(FsError::NotAllowed));
    remove_dir(files, "/drive_c/dir").unwrap();
    let names: Vec<_> = list(files, "/").unwrap().iter().map(|entry| entry.name).collect();
    assert_eq!(names, [c.directory()]);
}

/// What every call says that takes a path: `read` of those that need it to be there, `made` of those that
/// make it.
fn every_call_says<P: Provider>(files: &mut P, text: &str, read: FsError, made: FsError) {
    let place = path(text);
    assert_eq!(finish(|| files.attributes(&place)).map(drop), Err(read), "{text}");
    assert_eq!(list(files, text).map(drop), Err(read), "{text}");
    assert_eq!(open(files, text, READ), Err(read), "{text}");
    let flags = OpenFlags { write: true, truncate: true, ..OpenFlags::default() };
    assert_eq!(open(files, text, flags), Err(read), "{text}");
    assert_eq!(open(files, text, STORE), Err(made), "{text}");
    assert_eq!(open(files, text, APPEND), Err(made), "{text}");
    let set = SetAttributes { read_only: Some(true), ..SetAttributes::default() };
    assert_eq!(finish(|| files.set_attributes(&place, &set)), Err(read), "{text}");
    assert_eq!(remove(files, text), Err(read), "{text}");
    assert_eq!(remove_dir(files, text), Err(read), "{text}");
    assert_eq!(make_dir(files, text), Err(made), "{text}");
    let beside = format!("{}/other", text.rsplit_once('/').unwrap().0);
    assert_eq!(rename(files, text, &beside), Err(read), "{text}");
}

pub fn where_there_is_no_directory_nothing_is_found_or_made<P: Provider>(files: &mut P) {
    every_call_says(files, "/drive_c/no/x", FsError::NotFound, FsError::NotFound);
    every_call_says(files, "/drive_q/x", FsError::NotFound, FsError::NotFound);
    store(files, "/drive_c/file", STORE, b"x", 1).unwrap();
    for below in ["/drive_c/file/x", "/drive_c/file/x/y"] {
        every_call_says(files, below, FsError::NotADirectory, FsError::NotADirectory);
    }
    for nowhere in ["/drive_c/no/x", "/drive_c/file/x"] {
        assert!(rename(files, "/drive_c/file", nowhere).is_err());
    }
    assert_eq!(fetch(files, "/drive_c/file", 9).unwrap(), b"x");
    assert_eq!(list(files, "/drive_c").unwrap().len(), 1);
    remove(files, "/drive_c/file").unwrap();
}

/// The place that `text` means to a user who is in `here`, as an absolute path and as the provider finds it.
fn real<P: Provider>(files: &mut P, here: &str, text: &str) -> (String, Result<Kind, FsError>) {
    let here = UserPath::root().join(here.as_bytes()).unwrap();
    let there = here.join(text.as_bytes()).unwrap();
    let place = Sandbox::none().resolve(&there).unwrap();
    (there.to_string(), finish(|| files.attributes(&place)).map(|found| found.kind))
}

pub fn the_real_path_is_absolute_and_what_is_not_there_is_not_found<P: Provider>(files: &mut P) {
    make_dir(files, "/drive_c/a").unwrap();
    make_dir(files, "/drive_c/a/b").unwrap();
    store(files, "/drive_c/a/file", STORE, b"x", 1).unwrap();
    for (text, absolute, found) in [
        ("", "/DRIVE_C/A", Ok(Kind::Directory)),
        (".", "/DRIVE_C/A", Ok(Kind::Directory)),
        ("..", "/DRIVE_C", Ok(Kind::Directory)),
        ("../..", "/", Ok(Kind::Directory)),
        ("../../../..", "/", Ok(Kind::Directory)),
        ("b/../file", "/DRIVE_C/A/FILE", Ok(Kind::File)),
        ("./b/.", "/DRIVE_C/A/B", Ok(Kind::Directory)),
        ("/drive_c/a/b/../../a/", "/DRIVE_C/A", Ok(Kind::Directory)),
        ("/", "/", Ok(Kind::Directory)),
        ("gone", "/DRIVE_C/A/GONE", Err(FsError::NotFound)),
        ("../gone/file", "/DRIVE_C/GONE/FILE", Err(FsError::NotFound)),
    ] {
        assert_eq!(real(files, "/drive_c/a", text), (absolute.to_owned(), found), "{text:?}");
    }
    remove(files, "/drive_c/a/file").unwrap();
    remove_dir(files, "/drive_c/a/b").unwrap();
    remove_dir(files, "/drive_c/a").unwrap();
}

pub fn the_default_path_is_the_users_root<P: Provider>(files: &mut P) {
    let home = Sandbox::of(Some(b"/drive_c/home"));
    let place = home.resolve(&UserPath::default()).unwrap();
    assert_eq!(finish(|| files.attributes(&place)).map(drop), Err(FsError::NotFound));
    make_dir(files, "/drive_c/home").unwrap();
    assert_eq!(finish(|| files.attributes(&place)).unwrap().kind, Kind::Directory);
    // Without sandbox it is the root that holds the drives.
    let place = Sandbox::none().resolve(&UserPath::default()).unwrap();
    assert_eq!(finish(|| files.attributes(&place)).unwrap().kind, Kind::Directory);
    remove_dir(files, "/drive_c/home").unwrap();
}

pub fn space_is_that_of_the_drive<P: Provider>(files: &mut P) {
    let c = Drive::new(b'C').unwrap();
    let before = finish(|| files.space(c)).unwrap();
    assert!(before.free > 0 && before.free <= before.total);
    store(files, "/drive_c/file", STORE, &[1; 50_000], 4096).unwrap();
    let after = finish(|| files.space(c)).unwrap();
    assert!(after.free <= before.free - 50_000 && after.total == before.total);
    remove(files, "/drive_c/file").unwrap();
    while files.work() {}
    assert_eq!(finish(|| files.space(c)).unwrap(), before);
    assert_eq!(finish(|| files.space(Drive::new(b'Q').unwrap())), Err(FsError::NotFound));
}

pub fn links_are_unsupported<P: Provider>(files: &mut P) {
    store(files, "/drive_c/file", STORE, b"x", 1).unwrap();
    for link in ["/drive_c/file", "/drive_c/none", "/drive_c", "/"] {
        let link = path(link);
        assert_eq!(finish(|| files.read_link(&link)), Err(FsError::Unsupported));
        let target = path("/drive_c/file");
        assert_eq!(finish(|| files.make_link(&link, &target)), Err(FsError::Unsupported));
    }
    assert_eq!(list(files, "/drive_c").unwrap().len(), 1);
    remove(files, "/drive_c/file").unwrap();
}
