//! Tests of the log file on a disk that fails on demand. (That it reaches a real FAT volume is shown by
//! the end-to-end tests.)
extern crate std;

use std::collections::VecDeque;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::time::DateTime;
use crate::vfs::path::{Drive, DriveSet};
use crate::vfs::provider::{Attributes, DirEntry, DirHandle, SetAttributes, Space};
use crate::vfs::{Sandbox, UserPath};

/// One file, and the answers of the calls to come.
#[derive(Default)]
struct Disk {
    content: Vec<u8>,
    is_open: bool,
    /// What the next calls fail with; `None` lets one pass.
    script: VecDeque<Option<FsError>>,
    /// Most bytes that one write takes.
    write_limit: Option<usize>,
    calls: usize,
    /// The data of a write that was answered with Again.
    pending: Option<Vec<u8>>,
}

impl Disk {
    fn answer(&mut self) -> Result<(), FsError> {
        self.calls += 1;
        self.script.pop_front().flatten().map_or(Ok(()), Err)
    }

    fn text(&self) -> String {
        String::from_utf8(self.content.clone()).unwrap()
    }
}

impl Provider for Disk {
    fn open(&mut self, path: &ResolvedPath, flags: OpenFlags) -> Result<FileHandle, FsError> {
        assert_eq!(path, &log_path());
        assert!(flags.write && flags.append && flags.create && !flags.truncate && !self.is_open);
        self.answer()?;
        self.is_open = true;
        Ok(FileHandle(7))
    }

    fn write(&mut self, file: FileHandle, _: u32, data: &[u8]) -> Result<usize, FsError> {
        assert!(self.is_open && file == FileHandle(7) && !data.is_empty());
        if let Some(pending) = self.pending.take() {
            assert_eq!(pending, data, "a call is repeated with the same arguments");
        }
        if let Err(error) = self.answer() {
            self.pending = (error == FsError::Again).then(|| data.to_vec());
            return Err(error);
        }
        let count = data.len().min(self.write_limit.unwrap_or(usize::MAX));
        self.content.extend_from_slice(&data[..count]);
        Ok(count)
    }

    fn close(&mut self, file: FileHandle) -> Result<(), FsError> {
        assert!(self.is_open && file == FileHandle(7));
        let result = self.answer();
        self.is_open = result == Err(FsError::Again);
        result
    }

    fn drives(&self) -> DriveSet {
        DriveSet::EMPTY
    }
    fn set_time(&mut self, _: DateTime) {}
    fn attributes(&mut self, _: &ResolvedPath) -> Result<Attributes, FsError> {
        Err(FsError::Unsupported)
    }
    fn set_attributes(&mut self, _: &ResolvedPath, _: &SetAttributes) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }
    fn read(&mut self, _: FileHandle, _: u32, _: &mut [u8]) -> Result<usize, FsError> {
        Err(FsError::Unsupported)
    }
    fn attributes_of(&mut self, _: FileHandle) -> Result<Attributes, FsError> {
        Err(FsError::Unsupported)
    }
    fn set_attributes_of(&mut self, _: FileHandle, _: &SetAttributes) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }
    fn open_dir(&mut self, _: &ResolvedPath) -> Result<DirHandle, FsError> {
        Err(FsError::Unsupported)
    }
    fn list(
        &mut self,
        _: DirHandle,
        _: &mut dyn FnMut(&DirEntry) -> bool,
    ) -> Result<bool, FsError> {
        Err(FsError::Unsupported)
    }
    fn close_dir(&mut self, _: DirHandle) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }
    fn make_dir(&mut self, _: &ResolvedPath) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }
    fn remove_dir(&mut self, _: &ResolvedPath) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }
    fn remove(&mut self, _: &ResolvedPath) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }
    fn rename(&mut self, _: &ResolvedPath, _: &ResolvedPath) -> Result<(), FsError> {
        Err(FsError::Unsupported)
    }
    fn space(&mut self, _: Drive) -> Result<Space, FsError> {
        Err(FsError::Unsupported)
    }
    fn work(&mut self) -> bool {
        false
    }
    fn flush(&mut self) -> Result<(), FsError> {
        Ok(())
    }
}

fn log_path() -> ResolvedPath {
    Sandbox::none().resolve(&UserPath::root().join(b"/drive_c/ftp.log").unwrap()).unwrap()
}

fn log(size: usize) -> LogFile<'static> {
    LogFile::new(std::boxed::Box::leak(log_path().into()), vec![0; size].leak())
}

/// Polls every 10 ms, and returns what the log ended with.
fn run(log: &mut LogFile<'_>, disk: &mut Disk, from: u64, to: u64) -> Vec<FsError> {
    (from / 10..to / 10).filter_map(|turn| log.poll(Millis(turn * 10), disk)).collect()
}

#[test]
fn lines_are_on_the_disk_within_seconds_and_not_one_by_one() {
    let (mut log, mut disk) = (log(1000), Disk::default());
    log.add(Millis(0), format_args!("a {}", 1));
    log.add(Millis(500), format_args!("b"));
    run(&mut log, &mut disk, 0, 1900);
    assert_eq!((disk.calls, log.is_idle()), (0, false));
    run(&mut log, &mut disk, 1900, 2100);
    assert_eq!((disk.text().as_str(), disk.calls, disk.is_open), ("a 1\r\nb\r\n", 3, false));
    assert!(log.is_idle());
    run(&mut log, &mut disk, 2100, 60_000);
    assert_eq!(disk.calls, 3, "a quiet server leaves the disk alone");
}

#[test]
fn what_is_in_the_file_stays_there() {
    let (mut log, mut disk) = (log(1000), Disk::default());
    disk.content = b"old\r\n".to_vec();
    log.add(Millis(0), format_args!("new"));
    run(&mut log, &mut disk, 0, 3000);
    assert_eq!(disk.text(), "old\r\nnew\r\n");
}

/// Any mix of Again and short writes, while lines come: every line once, in order.
#[test]
fn slow_disks_lose_and_repeat_nothing() {
    let mut seed = 99_u32;
    for write_limit in [1, 3, 7, 100] {
        let mut disk = Disk { write_limit: Some(write_limit), ..Disk::default() };
        let mut log = log(4000);
        let mut expected = String::new();
        for turn in 0..3000_u64 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            disk.script.push_back((seed >> 30 == 0).then_some(FsError::Again));
            if turn % 100 == 0 && turn < 2000 {
                log.add(Millis(turn * 30), format_args!("line {turn}"));
                expected += &format!("line {turn}\r\n");
            }
            let before = disk.calls;
            assert_eq!(log.poll(Millis(turn * 30), &mut disk), None);
            assert!(disk.calls <= before + 1);
        }
        assert_eq!(disk.text(), expected, "{write_limit}");
        assert!(log.is_idle());
    }
}

#[test]
fn a_full_or_read_only_disk_ends_the_log_with_one_message() {
    for (passing, error) in [
        (0, FsError::ReadOnlyDisk),
        (0, FsError::NotFound),
        (0, FsError::ReadOnlyFile),
        (1, FsError::DiskFull),
        (1, FsError::Io),
        (2, FsError::DiskFull),
    ] {
        let (mut log, mut disk) = (log(1000), Disk::default());
        disk.script = (0..passing).map(|_| None).chain([Some(error)]).collect();
        log.add(Millis(0), format_args!("x"));
        assert_eq!(run(&mut log, &mut disk, 0, 10_000), [error]);
        assert!(!disk.is_open && log.is_idle(), "{error:?}");
        let calls = disk.calls;
        for second in 10..100 {
            log.add(Millis(second * 1000), format_args!("y"));
        }
        assert_eq!(run(&mut log, &mut disk, 10_000, 200_000), []);
        assert_eq!(disk.calls, calls, "the disk is left alone from then on");
    }
}

#[test]
fn a_file_that_is_being_fetched_is_waited_for() {
    let (mut log, mut disk) = (log(1000), Disk::default());
    disk.script = (0..5).map(|_| Some(FsError::Busy)).collect();
    log.add(Millis(0), format_args!("x"));
    assert_eq!(run(&mut log, &mut disk, 0, 6900), []);
    assert_eq!(disk.content, b"");
    run(&mut log, &mut disk, 6900, 8000);
    assert_eq!(disk.text(), "x\r\n");
}

#[test]
fn lines_without_room_are_counted() {
    let (mut log, mut disk) = (log(64), Disk::default());
    for number in 0..30 {
        log.add(Millis(0), format_args!("line {number:02}"));
    }
    run(&mut log, &mut disk, 0, 3000);
    assert_eq!(disk.content.len(), 63);
    log.add(Millis(3000), format_args!("after"));
    run(&mut log, &mut disk, 3000, 6000);
    assert!(
        disk.text().ends_with("line 06\r\n(23 lines lost here)\r\nafter\r\n"),
        "{}",
        disk.text()
    );
    // A line that can never fit is lost and breaks nothing.
    log.add(Millis(6000), format_args!("{}", "x".repeat(100)));
    log.add(Millis(6000), format_args!("z"));
    run(&mut log, &mut disk, 6000, 9000);
    assert!(disk.text().ends_with("after\r\n(1 lines lost here)\r\nz\r\n"), "{}", disk.text());
}

#[test]
fn a_busy_server_writes_before_the_buffer_is_full() {
    let (mut log, mut disk) = (log(200), Disk::default());
    for number in 0..1000 {
        log.add(Millis(number * 20), format_args!("line {number}"));
        run(&mut log, &mut disk, number * 20, number * 20 + 20);
    }
    run(&mut log, &mut disk, 20_000, 30_000);
    let expected: String = (0..1000).map(|number| format!("line {number}\r\n")).collect();
    assert_eq!(disk.text(), expected);
}

#[test]
fn the_servers_end_hurries() {
    let (mut log, mut disk) = (log(1000), Disk::default());
    log.add(Millis(100_000), format_args!("ended"));
    log.hurry();
    for _ in 0..3 {
        assert!(!log.is_idle());
        assert_eq!(log.poll(Millis(100_000), &mut disk), None);
    }
    assert!(log.is_idle());
    assert_eq!(disk.text(), "ended\r\n");
}
