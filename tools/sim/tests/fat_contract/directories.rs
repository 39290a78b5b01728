//! Directories: listing, making, removing, and renaming what is in them.

use ftpsrv::vfs::provider::DirHandle;
use ftpsrv::vfs::{FsError, Provider};
use sim::rig::{
    APPEND, READ, STORE, fetch, finish, list, make_dir, path, remove, remove_dir, rename, store,
};

use crate::{close, open};

fn open_dir<P: Provider>(files: &mut P, name: &str) -> Result<DirHandle, FsError> {
    let place = path(name);
    finish(|| files.open_dir(&place))
}

pub fn a_directory_is_read_to_its_end<P: Provider>(files: &mut P) {
    make_dir(files, "/drive_c/dir").unwrap();
    let directory = open_dir(files, "/drive_c/dir").unwrap();
    for _ in 0..2 {
        assert_eq!(finish(|| files.read_dir(directory)), Ok(None), "empty from the first call on");
    }
    files.close_dir(directory).unwrap();
    let mut expected: Vec<String> = (0..40).map(|n| format!("FILE{n}.TXT")).collect();
    for name in &expected {
        store(files, &format!("/drive_c/dir/{name}"), STORE, b"x", 1).unwrap();
    }
    make_dir(files, "/drive_c/dir/sub").unwrap();
    expected.push("SUB".to_owned());
    let mut names: Vec<String> =
        list(files, "/drive_c/dir").unwrap().iter().map(|entry| entry.name.to_string()).collect();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "names alone, each once, without . and ..");
    // Two who read the same directory do not disturb each other.
    let (one, two) = (open_dir(files, "/drive_c/dir"), open_dir(files, "/drive_c/dir"));
    let (one, two) = (one.unwrap(), two.unwrap());
    for _ in 0..names.len() {
        let first = finish(|| files.read_dir(one)).unwrap().unwrap();
        assert_eq!(finish(|| files.read_dir(two)).unwrap().unwrap(), first);
    }
    assert_eq!(finish(|| files.read_dir(one)), Ok(None));
    files.close_dir(one).unwrap();
    assert_eq!(finish(|| files.read_dir(two)), Ok(None));
    files.close_dir(two).unwrap();
    // Who has enough for now goes on behind what he got.
    let directory = open_dir(files, "/drive_c/dir").unwrap();
    let mut seen = Vec::new();
    while finish(|| {
        files.list(directory, &mut |entry| {
            seen.push(entry.name.to_string());
            !seen.len().is_multiple_of(7)
        })
    })
    .unwrap()
    {}
    files.close_dir(directory).unwrap();
    seen.sort_unstable();
    assert_eq!(seen, expected);
    for name in expected.iter().filter(|name| *name != "SUB") {
        remove(files, &format!("/drive_c/dir/{name}")).unwrap();
    }
    remove_dir(files, "/drive_c/dir/sub").unwrap();
    remove_dir(files, "/drive_c/dir").unwrap();
}

pub fn what_is_no_directory_is_not_listed<P: Provider>(files: &mut P) {
    assert_eq!(open_dir(files, "/drive_c/none"), Err(FsError::NotFound));
    store(files, "/drive_c/file", STORE, b"x", 1).unwrap();
    assert_eq!(open_dir(files, "/drive_c/file"), Err(FsError::NotADirectory));
    remove(files, "/drive_c/file").unwrap();
}

pub fn handles_of_directories_are_checked<P: Provider>(files: &mut P) {
    let closed = open_dir(files, "/drive_c").unwrap();
    files.close_dir(closed).unwrap();
    let again = open_dir(files, "/").unwrap();
    assert_ne!(again, closed, "a closed handle must not come back at once");
    for bad in [closed, DirHandle(0), DirHandle(0xFFFF), DirHandle(again.0 ^ 0x8000)] {
        assert_eq!(files.close_dir(bad), Err(FsError::BadHandle));
        assert_eq!(finish(|| files.read_dir(bad)).map(drop), Err(FsError::BadHandle));
    }
    files.close_dir(again).unwrap();
    let mut directories = Vec::new();
    let error = loop {
        match open_dir(files, "/drive_c") {
            Ok(directory) if directories.len() < 1000 => directories.push(directory),
            other => break other,
        }
    };
    assert_eq!(error, Err(FsError::TooManyOpen));
    assert!(directories.len() >= 10, "one for each client");
    for directory in directories {
        files.close_dir(directory).unwrap();
    }
}

pub fn make_dir_says_that_it_exists<P: Provider>(files: &mut P) {
    assert_eq!(make_dir(files, "/drive_c/no/dir"), Err(FsError::NotFound));
    make_dir(files, "/drive_c/dir").unwrap();
    assert_eq!(make_dir(files, "/drive_c/Dir"), Err(FsError::Exists));
    store(files, "/drive_c/dir/file", STORE, b"x", 1).unwrap();
    assert_eq!(make_dir(files, "/drive_c/dir/file"), Err(FsError::Exists));
    assert_eq!(make_dir(files, "/drive_c/dir/file/sub"), Err(FsError::NotADirectory));
    assert_eq!(fetch(files, "/drive_c/dir/file", 9).unwrap(), b"x");
    remove(files, "/drive_c/dir/file").unwrap();
    assert!(list(files, "/drive_c/dir").unwrap().is_empty());
    remove_dir(files, "/drive_c/dir").unwrap();
}

pub fn remove_dir_takes_empty_directories_alone<P: Provider>(files: &mut P) {
    assert_eq!(remove_dir(files, "/drive_c/dir"), Err(FsError::NotFound));
    make_dir(files, "/drive_c/dir").unwrap();
    store(files, "/drive_c/dir/file", STORE, b"x", 1).unwrap();
    assert_eq!(remove_dir(files, "/drive_c/dir"), Err(FsError::NotEmpty));
    assert_eq!(remove_dir(files, "/drive_c/dir/file"), Err(FsError::NotADirectory));
    assert_eq!(remove(files, "/drive_c/dir"), Err(FsError::IsADirectory));
    assert_eq!(open(files, "/drive_c/dir", READ), Err(FsError::IsADirectory));
    assert_eq!(open(files, "/drive_c/dir", STORE), Err(FsError::IsADirectory));
    remove(files, "/drive_c/dir/file").unwrap();
    make_dir(files, "/drive_c/dir/sub").unwrap();
    assert_eq!(remove_dir(files, "/drive_c/dir"), Err(FsError::NotEmpty));
    remove_dir(files, "/drive_c/dir/sub").unwrap();
    let listing = open_dir(files, "/drive_c/dir").unwrap();
    assert_eq!(remove_dir(files, "/drive_c/dir"), Err(FsError::Busy));
    assert_eq!(finish(|| files.read_dir(listing)), Ok(None));
    files.close_dir(listing).unwrap();
    remove_dir(files, "/drive_c/dir").unwrap();
    assert_eq!(remove_dir(files, "/drive_c/dir"), Err(FsError::NotFound));
}

pub fn rename_refuses_a_target_that_exists<P: Provider>(files: &mut P) {
    make_dir(files, "/drive_c/a").unwrap();
    make_dir(files, "/drive_c/b").unwrap();
    store(files, "/drive_c/one", STORE, b"one", 3).unwrap();
    store(files, "/drive_c/two", STORE, b"two", 3).unwrap();
    store(files, "/drive_c/a/one", STORE, b"other", 5).unwrap();
    for (from, to) in [("one", "two"), ("one", "a"), ("a", "one"), ("a", "b"), ("one", "a/one")] {
        let result = rename(files, &format!("/drive_c/{from}"), &format!("/drive_c/{to}"));
        assert_eq!(result, Err(FsError::Exists), "{from} to {to}");
    }
    // A change of nothing but case is none.
    assert_eq!(rename(files, "/drive_c/one", "/drive_c/ONE"), Ok(()));
    assert_eq!(rename(files, "/drive_c/a", "/drive_c/A"), Ok(()));
    for (file, content) in [("one", &b"one"[..]), ("two", b"two"), ("a/one", b"other")] {
        let file = format!("/drive_c/{file}");
        assert_eq!(fetch(files, &file, 9).unwrap(), content);
        remove(files, &file).unwrap();
    }
    remove_dir(files, "/drive_c/a").unwrap();
    remove_dir(files, "/drive_c/b").unwrap();
}

pub fn rename_renames_and_moves<P: Provider>(files: &mut P) {
    for directory in ["a", "a/b", "t"] {
        make_dir(files, &format!("/drive_c/{directory}")).unwrap();
    }
    store(files, "/drive_c/one", STORE, b"one", 3).unwrap();
    assert_eq!(rename(files, "/drive_c/none", "/drive_c/x"), Err(FsError::NotFound));
    assert_eq!(rename(files, "/drive_c/none", "/drive_c/none"), Err(FsError::NotFound));
    assert_eq!(rename(files, "/drive_c/one", "/drive_c/none/x"), Err(FsError::NotFound));
    assert_eq!(rename(files, "/drive_c/one", "/drive_c/one/x"), Err(FsError::NotADirectory));
    assert_eq!(rename(files, "/drive_c/one", "/drive_d/one"), Err(FsError::OtherDrive));
    for below in ["/drive_c/a/b", "/drive_c/a/c", "/drive_c/a/b/c"] {
        assert_eq!(rename(files, "/drive_c/a", below), Err(FsError::NotAllowed));
    }
    rename(files, "/drive_c/one", "/drive_c/uno").unwrap();
    rename(files, "/drive_c/uno", "/drive_c/a/b/uno.txt").unwrap();
    let before = finish(|| files.attributes(&path("/drive_c/a/b/uno.txt"))).unwrap();
    // A file that is open in a directory goes with it.
    let file = open(files, "/drive_c/a/b/uno.txt", APPEND).unwrap();
    rename(files, "/drive_c/a/b", "/drive_c/t/moved").unwrap();
    assert_eq!(finish(|| files.write(file, 0, b"+")), Ok(1));
    close(files, file).unwrap();
    let after = finish(|| files.attributes(&path("/drive_c/t/moved/uno.txt"))).unwrap();
    assert_eq!((after.size, after.kind), (before.size + 1, before.kind));
    assert_eq!(fetch(files, "/drive_c/t/moved/uno.txt", 9).unwrap(), b"one+");
    for gone in ["/drive_c/one", "/drive_c/uno", "/drive_c/a/b/uno.txt"] {
        assert_eq!(fetch(files, gone, 9), Err(FsError::NotFound));
    }
    assert!(list(files, "/drive_c/a").unwrap().is_empty());
    remove(files, "/drive_c/t/moved/uno.txt").unwrap();
    for directory in ["/drive_c/t/moved", "/drive_c/t", "/drive_c/a"] {
        remove_dir(files, directory).unwrap();
    }
}
