//! Reading, writing and closing files.

use ftpsrv::vfs::provider::OpenFlags;
use ftpsrv::vfs::{FsError, Provider};
use sim::rig::{APPEND, READ, STORE, fetch, finish, path, remove, store};

use crate::{close, open, write};

const NAME: &str = "/drive_c/offsets";
const BOTH: OpenFlags = OpenFlags { read: true, write: true, create: true, ..CLOSED };
const CLOSED: OpenFlags = OpenFlags { read: false, ..READ };

fn data() -> Vec<u8> {
    (0..20_000u32).map(|n| (n * 7 / 3) as u8).collect()
}

pub fn pieces_of_any_size_come_back<P: Provider>(files: &mut P) {
    let data = data();
    for piece in [1, 7, 511, 512, 513, 4096, 16_384] {
        let end = if piece == 1 { 1500 } else { data.len() };
        store(files, NAME, STORE, &data[..end], piece).unwrap();
        for reading in [97, 512, 5000] {
            assert!(fetch(files, NAME, reading).unwrap() == data[..end], "{piece}, {reading}");
        }
    }
    remove(files, NAME).unwrap();
}

pub fn reading_starts_at_the_offset_and_ends_with_the_file<P: Provider>(files: &mut P) {
    let data = data();
    store(files, NAME, STORE, &data, 4096).unwrap();
    let file = open(files, NAME, READ).unwrap();
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
    // Never more than there is room for.
    buffer.fill(0xEE);
    let count = finish(|| files.read(file, 0, &mut buffer[100..200])).unwrap();
    assert!((1..=100).contains(&count));
    assert!(buffer[100 + count..].iter().chain(&buffer[..100]).all(|&byte| byte == 0xEE));
    assert_eq!(finish(|| files.read(file, 0, &mut [])), Ok(0));
    close(files, file).unwrap();
    remove(files, NAME).unwrap();
}

pub fn writing_starts_at_the_offset_and_leaves_the_rest<P: Provider>(files: &mut P) {
    let mut expected = data();
    store(files, NAME, STORE, &expected, 4096).unwrap();
    let file = open(files, NAME, BOTH).unwrap();
    for (offset, length) in [(0, 1), (511, 2), (512, 512), (1000, 3000), (19_990, 500), (20_490, 1)]
    {
        let piece = vec![offset as u8 ^ 0x5A; length];
        write(files, file, offset, &piece);
        expected.resize(expected.len().max(offset + length), 0);
        expected[offset..offset + length].copy_from_slice(&piece);
    }
    assert_eq!(finish(|| files.write(file, 0, b"")), Ok(0));
    assert_eq!(files.attributes_of(file).unwrap().size, 20_491);
    close(files, file).unwrap();
    assert!(fetch(files, NAME, 5000).unwrap() == expected);
    remove(files, NAME).unwrap();
}

pub fn files_have_no_holes<P: Provider>(files: &mut P) {
    let file = open(files, NAME, BOTH).unwrap();
    assert_eq!(finish(|| files.write(file, 1, b"x")), Err(FsError::BadFlags));
    assert_eq!(finish(|| files.write(file, 0, b"abc")), Ok(3));
    for offset in [4, 5000, u32::MAX] {
        assert_eq!(finish(|| files.write(file, offset, b"x")), Err(FsError::BadFlags));
    }
    close(files, file).unwrap();
    assert_eq!(fetch(files, NAME, 9).unwrap(), b"abc");
    remove(files, NAME).unwrap();
}

pub fn what_is_written_is_there_after_close<P: Provider>(files: &mut P) {
    let data = data();
    let file = open(files, NAME, APPEND).unwrap();
    write(files, file, 0, &data);
    close(files, file).unwrap();
    assert_eq!(close(files, file), Err(FsError::BadHandle), "closed is closed");
    assert_eq!(finish(|| files.attributes(&path(NAME))).unwrap().size, 20_000);
    assert!(fetch(files, NAME, 4096).unwrap() == data);
    remove(files, NAME).unwrap();
}

pub fn at_the_end_everything_is_brought_to_the_disk<P: Provider>(files: &mut P) {
    let file = open(files, NAME, STORE).unwrap();
    assert_eq!(finish(|| files.write(file, 0, b"abc")), Ok(3));
    files.flush().unwrap();
    files.flush().unwrap();
    // Whoever is still there may go on.
    assert_eq!(finish(|| files.write(file, 3, b"def")), Ok(3));
    close(files, file).unwrap();
    files.flush().unwrap();
    assert_eq!(fetch(files, NAME, 9).unwrap(), b"abcdef");
    remove(files, NAME).unwrap();
}

pub fn removing_takes_files_alone<P: Provider>(files: &mut P) {
    assert_eq!(remove(files, NAME), Err(FsError::NotFound));
    store(files, NAME, STORE, b"abc", 3).unwrap();
    remove(files, "/drive_c/Offsets").unwrap();
    assert_eq!(remove(files, NAME), Err(FsError::NotFound));
    assert_eq!(finish(|| files.attributes(&path(NAME))).map(drop), Err(FsError::NotFound));
    assert_eq!(open(files, NAME, READ), Err(FsError::NotFound));
}
