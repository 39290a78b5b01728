//! The log file on real FAT volumes: it is there after a power cut, and its end is not the server's.

use bumpalo::Bump;
use ftpsrv::block::{CacheSize, DiskKind};
use ftpsrv::server::journal::LogFile;
use ftpsrv::time::Millis;
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{SimDisk, SimDisks};
use sim::fat_image::{fsck, mkfs, mtools};
use sim::rig::{Arena, STORE, fetch, finish, path, store};

const SIZE: DrivesSize = DrivesSize { cache: CacheSize::of(32 * 1024), index: 4096 };

/// Turns of 10 ms from `from` to `to`, each with the disks' own work; what the log ended with.
fn run(log: &mut LogFile<'_>, drives: &mut Drives<'_>, from: u64, to: u64) -> Vec<FsError> {
    let mut ends = Vec::new();
    for turn in from / 10..to / 10 {
        ends.extend(log.poll(Millis(turn * 10), drives));
        drives.work();
    }
    ends
}

#[test]
fn a_power_cut_costs_the_last_seconds_alone() {
    for options in [["-F", "12"], ["-F", "16"]] {
        let medium = mkfs(20_000, &options);
        let disks =
            SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium)).with_write_cache()]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        store(&mut drives, "/drive_c/ftp.log", STORE, b"before\r\n", 512).unwrap();
        let place = path("/drive_c/ftp.log");
        let mut log = LogFile::new(&place, bump.alloc_slice_fill_copy(1024, 0));
        for second in 0..60_u64 {
            log.add(Millis(second * 1000), format_args!("second {second:02}"));
            let ends = run(&mut log, &mut drives, second * 1000, second * 1000 + 1000);
            assert_eq!(ends, []);
            // The power goes now, and nothing of the drive's cache is saved.
            let cut = disks.with(0, |disk| disk.after_cut(|_| 0));
            let (_, text) = mtools(&cut, "mtype", &["::FTP.LOG"]);
            let text = String::from_utf8(text).unwrap();
            let sure = second.saturating_sub(3);
            let expected: String =
                (0..sure).map(|second| format!("second {second:02}\r\n")).collect();
            assert!(text.starts_with(&format!("before\r\n{expected}")), "{second}: {text}");
        }
        log.hurry();
        assert_eq!(run(&mut log, &mut drives, 60_000, 61_000), []);
        assert!(log.is_idle());
        finish(|| drives.flush()).unwrap();
        assert_eq!(fsck(&disks.medium(0)), Vec::<String>::new());
        let all = fetch(&mut drives, "/drive_c/ftp.log", 512).unwrap();
        assert_eq!(all.len(), "before\r\n".len() + 60 * "second 00\r\n".len());
    }
}

#[test]
fn a_full_disk_ends_the_log_once_and_the_disk_goes_on() {
    let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(mkfs(2880, &["-F", "12"])))]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    store(&mut drives, "/drive_c/small", STORE, b"x", 512).unwrap();
    let error = store(&mut drives, "/drive_c/big", STORE, &vec![0; 2_000_000], 8192);
    assert_eq!(error, Err(FsError::DiskFull));
    let place = path("/drive_c/ftp.log");
    let mut log = LogFile::new(&place, bump.alloc_slice_fill_copy(1024, 0));
    log.add(Millis(0), format_args!("a line"));
    assert_eq!(run(&mut log, &mut drives, 0, 10_000), [FsError::DiskFull]);
    log.add(Millis(10_000), format_args!("another"));
    assert_eq!(run(&mut log, &mut drives, 10_000, 20_000), []);
    assert_eq!(fetch(&mut drives, "/drive_c/small", 512).unwrap(), b"x");
    finish(|| drives.flush()).unwrap();
    assert_eq!(fsck(&disks.medium(0)), Vec::<String>::new());
}

#[test]
fn a_write_protected_disk_ends_the_log_once() {
    let mut medium = mkfs(2880, &["-F", "12"]);
    medium.write_protected = true;
    let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let place = path("/drive_c/ftp.log");
    let mut log = LogFile::new(&place, bump.alloc_slice_fill_copy(1024, 0));
    log.add(Millis(0), format_args!("a line"));
    assert_eq!(run(&mut log, &mut drives, 0, 10_000), [FsError::ReadOnlyDisk]);
    log.add(Millis(10_000), format_args!("another"));
    assert_eq!(run(&mut log, &mut drives, 10_000, 20_000), []);
}

#[test]
fn users_can_fetch_the_log_between_its_batches() {
    let disks =
        SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(mkfs(20_000, &["-F", "16"])))]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let place = path("/drive_c/ftp.log");
    let mut log = LogFile::new(&place, bump.alloc_slice_fill_copy(1024, 0));
    log.add(Millis(0), format_args!("one"));
    assert_eq!(run(&mut log, &mut drives, 0, 3000), []);
    let file = finish(|| drives.open(&place, sim::rig::READ)).unwrap();
    // A slow client has the file open: lines wait, and nothing ends.
    log.add(Millis(3000), format_args!("two"));
    assert_eq!(run(&mut log, &mut drives, 3000, 20_000), []);
    let mut text = [0; 32];
    assert_eq!(finish(|| drives.read(file, 0, &mut text)), Ok(5));
    assert_eq!(&text[..5], b"one\r\n");
    finish(|| drives.close(file)).unwrap();
    assert_eq!(run(&mut log, &mut drives, 20_000, 23_000), []);
    assert_eq!(fetch(&mut drives, "/drive_c/ftp.log", 512).unwrap(), b"one\r\ntwo\r\n");
}
