//! Full disks, write protection, bad sectors, changed floppies, long names of other systems, letters.

use bumpalo::Bump;
use ftpsrv::block::{DiskId, DiskKind};
use ftpsrv::fat::ReadOnly;
use ftpsrv::time::DateTime;
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::{TempFile, fsck, mkfs, mtools};
use sim::fat_model::read_tree;
use sim::rig::{
    APPEND, Arena, READ, Random, STORE, fetch, finish, list, make_dir, path, remove, remove_dir,
    rename, store,
};

const SIZE: DrivesSize = DrivesSize::of(24 * 1024);

fn hard(medium: Medium) -> SimDisks {
    SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))])
}

fn floppy(medium: Option<Medium>) -> SimDisks {
    SimDisks::new(vec![SimDisk::new(DiskKind::Floppy, medium)])
}

/// The drive is asked for a change only after some seconds of rest.
fn seconds_pass(drives: &mut Drives<'_>, from: u8) {
    for second in from..from + 5 {
        drives.set_time(DateTime { second, ..DateTime::EPOCH });
    }
}

#[test]
fn a_full_disk_keeps_what_was_stored() {
    for (sectors, options) in [
        (1440, ["-F", "12", "-s", "2"]),
        (4600, ["-F", "16", "-s", "1"]),
        (68_000, ["-F", "32", "-s", "1"]),
    ] {
        let disks = hard(mkfs(sectors, &options));
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        let data = Random(5).bytes(sectors as usize * 512);
        let result = store(&mut drives, "/drive_c/big", STORE, &data, 16_384);
        assert_eq!(result, Err(FsError::DiskFull));
        let stored = fetch(&mut drives, "/drive_c/big", 16_384).unwrap();
        assert!(stored.len() > sectors as usize * 490 && data.starts_with(&stored));
        assert_eq!(make_dir(&mut drives, "/drive_c/dir"), Err(FsError::DiskFull));
        assert_eq!(finish(|| drives.space(Drive::new(b'C').unwrap())).unwrap().free, 0);
        // Deleting makes room at once.
        remove(&mut drives, "/drive_c/big").unwrap();
        store(&mut drives, "/drive_c/next", STORE, &data[..stored.len()], 8192).unwrap();
        assert!(fetch(&mut drives, "/drive_c/next", 16_384).unwrap() == data[..stored.len()]);
        drives.flush().unwrap();
        assert_eq!(fsck(&disks.medium(0)), [""; 0]);
    }
}

#[test]
fn a_full_root_directory_says_so() {
    let disks = hard(mkfs(720, &["-F", "12", "-r", "32"]));
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    for number in 0..32 {
        store(&mut drives, &format!("/drive_c/f{number}"), STORE, b"x", 1).unwrap();
    }
    assert_eq!(store(&mut drives, "/drive_c/more", STORE, b"x", 1), Err(FsError::DirectoryFull));
    assert_eq!(make_dir(&mut drives, "/drive_c/more"), Err(FsError::DirectoryFull));
    drives.flush().unwrap();
    assert_eq!(fsck(&disks.medium(0)), [""; 0]);
}

#[test]
fn a_write_protected_floppy_is_read_only() {
    let mut medium = mkfs(1440, &["-F", "12"]);
    medium.write_protected = true;
    let disks = floppy(Some(medium.clone()));
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    assert_eq!(store(&mut drives, "/drive_a/x", STORE, b"x", 1), Err(FsError::ReadOnlyDisk));
    assert_eq!(make_dir(&mut drives, "/drive_a/d"), Err(FsError::ReadOnlyDisk));
    assert!(list(&mut drives, "/drive_a").unwrap().is_empty());
    let info = drives.info(Drive::new(b'A').unwrap()).unwrap();
    assert_eq!(info.volume.unwrap().read_only, Some(ReadOnly::WriteProtected));
    assert!(drives.message().unwrap().to_string().contains("write-protected"));
    assert_eq!(disks.medium(0).to_bytes(), medium.to_bytes());
    // The tab is moved and the floppy put back.
    medium.write_protected = false;
    disks.with(0, |disk| disk.change_medium(Some(medium)));
    seconds_pass(&mut drives, 10);
    store(&mut drives, "/drive_a/x", STORE, b"x", 1).unwrap();
}

#[test]
fn nothing_of_one_floppy_comes_to_another() {
    for when in 0..3 {
        let first = mkfs(1440, &["-F", "12", "-i", "11111111"]);
        let second = mkfs(2880, &["-F", "12", "-i", "22222222"]);
        let disks = floppy(Some(first));
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        store(&mut drives, "/drive_a/old", STORE, b"old", 3).unwrap();
        let place = path("/drive_a/new");
        let file = finish(|| drives.open(&place, STORE)).unwrap();
        let data = vec![7; 5000];
        if when > 0 {
            assert_eq!(finish(|| drives.write(file, 0, &data)), Ok(5000));
        }
        disks.with(0, |disk| disk.change_medium(Some(second.clone())));
        if when < 2 {
            // A few bytes may fit in the cache; the first that touches the drive finds out.
            let result = loop {
                let offset = drives.attributes_of(file).unwrap().size;
                match finish(|| drives.write(file, offset, &data)) {
                    Ok(_) => {}
                    Err(error) => break error,
                }
            };
            assert_eq!(result, FsError::DiskChanged);
        }
        assert_eq!(finish(|| drives.close(file)), Err(FsError::DiskChanged));
        assert_eq!(finish(|| drives.close(file)), Err(FsError::BadHandle));
        assert!(list(&mut drives, "/drive_a").unwrap().is_empty());
        let _ = drives.flush();
        while drives.work() {}
        assert_eq!(disks.medium(0).to_bytes(), second.to_bytes(), "{when}");
        store(&mut drives, "/drive_a/fresh", STORE, b"fresh", 5).unwrap();
        drives.flush().unwrap();
        assert_eq!(fsck(&disks.medium(0)), [""; 0]);
    }
}

#[test]
fn an_empty_floppy_drive_is_not_ready() {
    let disks = floppy(None);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    assert_eq!(list(&mut drives, "/drive_a").map(drop), Err(FsError::NotReady));
    assert_eq!(list(&mut drives, "/drive_b").map(drop), Err(FsError::NotFound));
    disks.with(0, |disk| disk.change_medium(Some(mkfs(720, &["-F", "12"]))));
    assert!(list(&mut drives, "/drive_a").unwrap().is_empty());
    disks.with(0, |disk| disk.change_medium(None));
    seconds_pass(&mut drives, 20);
    assert!(list(&mut drives, "/drive_a").is_err());
    assert_eq!(list(&mut drives, "/drive_a").map(drop), Err(FsError::NotReady));
}

#[test]
fn a_bad_sector_fails_one_file_and_no_other() {
    let disks = hard(mkfs(20_000, &["-F", "16", "-s", "4"]));
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let data = Random(8).bytes(50_000);
    let before = disks.medium(0);
    store(&mut drives, "/drive_c/bad", STORE, &data, 8192).unwrap();
    store(&mut drives, "/drive_c/good", STORE, &data, 8192).unwrap();
    let sector: [u8; 512] = data[5120..5632].try_into().unwrap();
    let after = disks.medium(0);
    let lba = (0..20_000).find(|&lba| before.sector(lba) != sector && after.sector(lba) == sector);
    disks.with(0, |disk| disk.bad_reads.insert(lba.unwrap()));
    assert_eq!(fetch(&mut drives, "/drive_c/bad", 8192), Err(FsError::Io));
    assert!(fetch(&mut drives, "/drive_c/good", 8192).unwrap() == data);

    // A sector that cannot be written: the client hears of it, the file is what came before.
    let c = Drive::new(b'C').unwrap();
    disks.with(0, |disk| disk.bad_writes.extend(500..1000));
    let result = store(&mut drives, "/drive_c/hit", STORE, &vec![9; 1_000_000], 8192);
    assert_eq!(result, Err(FsError::Io));
    assert_eq!(drives.info(c).unwrap().volume.unwrap().read_only, None);
    let stored = fetch(&mut drives, "/drive_c/hit", 8192).unwrap();
    assert!(stored.iter().all(|&byte| byte == 9));
    // The ragged end of a file, which is written late, is no exception.
    let short = store(&mut drives, "/drive_c/short", STORE, b"short", 5);
    assert_eq!(short, Err(FsError::Io));
    disks.with(0, |disk| disk.bad_writes.clear());
    store(&mut drives, "/drive_c/again", STORE, &data, 8192).unwrap();
    assert!(fetch(&mut drives, "/drive_c/again", 8192).unwrap() == data);
    drives.flush().unwrap();
    let found = fsck(&disks.medium(0));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_table_that_cannot_be_written_stops_all_writing() {
    let disks = hard(mkfs(20_000, &["-F", "16", "-s", "4"]));
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    store(&mut drives, "/drive_c/old", STORE, b"old", 3).unwrap();
    drives.flush().unwrap();
    disks.with(0, |disk| disk.bad_writes.extend(1..30));
    assert_eq!(store(&mut drives, "/drive_c/new", STORE, &[1; 3000], 512), Err(FsError::Io));
    assert_eq!(store(&mut drives, "/drive_c/x", STORE, b"x", 1), Err(FsError::ReadOnlyDisk));
    assert_eq!(fetch(&mut drives, "/drive_c/old", 9).unwrap(), b"old");
}

#[test]
fn the_second_copy_of_the_table_serves_where_the_first_is_bad() {
    let disks = hard(mkfs(20_000, &["-F", "16", "-s", "4"]));
    let data = Random(4).bytes(100_000);
    {
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        store(&mut drives, "/drive_c/file", STORE, &data, 8192).unwrap();
        drives.flush().unwrap();
    }
    // mkfs.fat puts the first copy behind 4 reserved sectors here.
    let reserved = u32::from(disks.medium(0).sector(0)[14]);
    disks.with(0, |disk| disk.bad_reads.extend(reserved..reserved + 5));
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    assert!(fetch(&mut drives, "/drive_c/file", 8192).unwrap() == data);
}

#[test]
fn long_names_stay_with_their_files_and_go_with_them() {
    for (sectors, kind) in [(2880, "12"), (20_000, "16"), (70_000, "32")] {
        let text = std::env::temp_dir().join(format!("ftpsrv-long-{}", std::process::id()));
        std::fs::write(&text, b"content").unwrap();
        let source = text.to_str().unwrap();
        let mut medium = mkfs(sectors, &["-F", kind]);
        let names =
            ["A rather long name for a file.txt", "Another long name.data", "third long one"];
        for name in names {
            (medium, _) = mtools(&medium, "mcopy", &[source, &format!("::/{name}")]);
        }
        for number in 0..40 {
            let name = format!("::/many long names, and here is number {number}");
            (medium, _) = mtools(&medium, "mcopy", &[source, &name]);
        }
        std::fs::remove_file(&text).unwrap();
        let disks = hard(medium);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        let all = list(&mut drives, "/drive_c").unwrap();
        assert_eq!(all.len(), 43);
        // In place: the name stays.
        store(&mut drives, "/drive_c/arathe~1.txt", APPEND, b" and more", 9).unwrap();
        rename(&mut drives, "/drive_c/anothe~1.dat", "/drive_c/short.dat").unwrap();
        remove(&mut drives, "/drive_c/thirdl~1").unwrap();
        for entry in all.iter().filter(|entry| entry.name.base().starts_with(b"MA")) {
            remove(&mut drives, &format!("/drive_c/{}", entry.name)).unwrap();
        }
        drives.flush().unwrap();
        let medium = disks.medium(0);
        assert_eq!(fsck(&medium), [""; 0], "FAT{kind}");
        let (_, listing) = mtools(&medium, "mdir", &["-b", "::/"]);
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let mut lines: Vec<&str> = listing.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["::/A rather long name for a file.txt", "::/SHORT.DAT"]);
        assert_eq!(read_tree(&medium).unwrap().len(), 2);
    }
}

#[test]
fn long_names_go_when_files_and_directories_move() {
    for (sectors, kind) in [(2880, "12"), (20_000, "16"), (70_000, "32")] {
        let text = TempFile::new();
        std::fs::write(text.path(), b"content").unwrap();
        let source = text.path().to_str().unwrap();
        let mut medium = mkfs(sectors, &["-F", kind]);
        for directory in ["A directory with a long name", "A directory to be removed", "DIR"] {
            (medium, _) = mtools(&medium, "mmd", &[&format!("::/{directory}")]);
        }
        let long = "A file with a name that is so long that it takes two sectors of a directory, \
                    behind what is there already, whatever that may be, be it much or be it little.txt";
        for name in ["DIR/A file that goes up.txt", "A file that goes down.txt", long] {
            (medium, _) = mtools(&medium, "mcopy", &[source, &format!("::/{name}")]);
        }
        let inside = "::/A directory with a long name/A file in it.txt";
        (medium, _) = mtools(&medium, "mcopy", &[source, inside]);
        let disks = hard(medium);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        for (from, to) in [
            ("dir/afilet~1.txt", "up.txt"),
            ("afilet~1.txt", "dir/down.txt"),
            ("afilew~1.txt", "dir/two.txt"),
            ("adirec~1", "dir/moved"),
        ] {
            rename(&mut drives, &format!("/drive_c/{from}"), &format!("/drive_c/{to}")).unwrap();
        }
        remove_dir(&mut drives, "/drive_c/adirec~2").unwrap();
        drives.flush().unwrap();
        let medium = disks.medium(0);
        assert_eq!(fsck(&medium), [""; 0], "FAT{kind}");
        let (_, listing) = mtools(&medium, "mdir", &["-/", "-b", "::/"]);
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let mut lines: Vec<&str> = listing.lines().collect();
        lines.sort_unstable();
        let expected = [
            "::/DIR/",
            "::/DIR/DOWN.TXT",
            "::/DIR/MOVED/",
            "::/DIR/MOVED/A file in it.txt",
            "::/DIR/TWO.TXT",
            "::/UP.TXT",
        ];
        assert_eq!(lines, expected, "FAT{kind}");
    }
}

/// A partition table entry.
fn entry(table: &mut [u8; 512], number: usize, active: bool, kind: u8, start: u32, sectors: u32) {
    let at = 446 + 16 * number;
    table[at] = if active { 0x80 } else { 0 };
    table[at + 4] = kind;
    table[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
    table[at + 12..at + 16].copy_from_slice(&sectors.to_le_bytes());
    table[510..].copy_from_slice(&[0x55, 0xAA]);
}

fn place(disk: &mut Medium, start: u32, label: &str) {
    let volume = mkfs(1440, &["-F", "12", "-n", label]);
    for lba in 0..1440 {
        disk.set_sector(start + lba, &volume.sector(lba));
    }
}

/// Two primaries, the second one active, and an extended partition with two logical drives.
fn partitioned(prefix: &str) -> Medium {
    let mut disk = Medium::new(20_000);
    let mut table = [0; 512];
    entry(&mut table, 0, false, 0x01, 63, 1440);
    entry(&mut table, 1, true, 0x06, 2000, 1440);
    entry(&mut table, 2, false, 0x05, 4000, 10_000);
    entry(&mut table, 3, false, 0x83, 15_000, 1000);
    disk.set_sector(0, &table);
    let mut first = [0; 512];
    entry(&mut first, 0, false, 0x04, 63, 1440);
    entry(&mut first, 1, false, 0x05, 3000, 2000);
    disk.set_sector(4000, &first);
    let mut second = [0; 512];
    entry(&mut second, 0, false, 0x0E, 63, 1440);
    disk.set_sector(7000, &second);
    for (start, name) in [(63, "P1"), (2000, "P2"), (4063, "L1"), (7063, "L2")] {
        place(&mut disk, start, &format!("{prefix}{name}"));
    }
    disk
}

#[test]
fn letters_come_in_the_order_of_dos() {
    let disks = SimDisks::new(vec![
        SimDisk::new(DiskKind::Floppy, Some(mkfs(2880, &["-F", "12", "-n", "FLOPPY"]))),
        SimDisk::new(DiskKind::Hard, Some(partitioned("X"))),
        SimDisk::new(DiskKind::Hard, Some(partitioned("Y"))),
        SimDisk::new(DiskKind::Hard, Some(mkfs(2880, &["-F", "12", "-n", "WHOLE"]))),
    ]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    assert!(list(&mut drives, "/drive_a").unwrap().is_empty());
    let labels: Vec<(char, String)> = drives
        .drives()
        .iter()
        .map(|drive| {
            let volume = drives.info(drive).unwrap().volume.unwrap();
            let label = String::from_utf8(volume.label.unwrap().to_vec()).unwrap();
            (char::from(drive.letter()), label.trim_end().to_owned())
        })
        .collect();
    let expected = [
        ('A', "FLOPPY"),
        ('C', "XP2"),
        ('D', "YP2"),
        ('E', "WHOLE"),
        ('F', "XL1"),
        ('G', "XL2"),
        ('H', "YL1"),
        ('I', "YL2"),
        ('J', "XP1"),
        ('K', "YP1"),
    ];
    assert_eq!(labels, expected.map(|(letter, label)| (letter, label.to_owned())));
    assert_eq!(drives.info(Drive::new(b'F').unwrap()).unwrap().disk, DiskId(1));
    assert_eq!(drives.info(Drive::new(b'C').unwrap()).unwrap().partition, 0x06);

    store(&mut drives, "/drive_g/only.one", STORE, b"x", 1).unwrap();
    drives.flush().unwrap();
    assert!(fetch(&mut drives, "/drive_f/only.one", 9).is_err());
    assert_eq!(rename(&mut drives, "/drive_g/only.one", "/drive_f/x"), Err(FsError::OtherDrive));

    let mut excluded = ftpsrv::vfs::path::DriveSet::EMPTY;
    excluded.insert(Drive::new(b'C').unwrap());
    drives.exclude(excluded);
    assert!(!drives.drives().contains(Drive::new(b'C').unwrap()));
    assert_eq!(list(&mut drives, "/drive_c").map(drop), Err(FsError::NotFound));
    assert_eq!(finish(|| drives.open(&path("/drive_c/x"), READ)), Err(FsError::NotFound));
}

#[test]
fn a_chain_of_partitions_that_loops_ends() {
    let mut disk = partitioned("Z");
    let mut second = [0; 512];
    entry(&mut second, 0, false, 0x0E, 63, 1440);
    entry(&mut second, 1, false, 0x05, 3000, 2000);
    disk.set_sector(7000, &second);
    let disks = hard(disk);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    assert_eq!(drives.drives().iter().count(), 4);
    assert!(drives.message().unwrap().to_string().contains("partition table"));
}

/// A change that takes several slices belongs to the call that began it: however often others come meanwhile, it is
/// not made without its owner, who would make it a second time. An owner who is gone holds nobody up for long.
#[test]
fn a_change_waits_for_its_owner_and_not_for_ever() {
    let disks = hard(mkfs(131_072, &["-F", "16", "-s", "4"]));
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let (new, root) = (path("/drive_c/new"), path("/drive_c"));
    // Whether a change is under way that others have to wait for.
    let others = |drives: &mut Drives<'_>| {
        let mut waits = false;
        for _ in 0..500 {
            drives.work();
            match drives.open_dir(&root) {
                Ok(dir) => drives.close_dir(dir).unwrap(),
                Err(error) => {
                    assert_eq!(error, FsError::Again);
                    waits = true;
                }
            }
        }
        waits
    };
    let mut waited = 0;
    for calls in 1.. {
        if (0..calls).any(|_| drives.make_dir(&new).is_ok()) {
            break;
        }
        waited += u32::from(others(&mut drives));
        assert_eq!(finish(|| drives.make_dir(&new)), Ok(()), "after {calls} calls");
        assert_eq!(finish(|| drives.make_dir(&new)), Err(FsError::Exists));
        finish(|| drives.remove_dir(&new)).unwrap();
    }
    assert!(waited > 0, "no change took two slices");

    finish(|| drives.remove_dir(&new)).unwrap();
    while !others(&mut drives) {
        assert_eq!(drives.make_dir(&new), Err(FsError::Again));
    }
    for second in (0..60).step_by(5) {
        seconds_pass(&mut drives, second);
        others(&mut drives);
    }
    assert!(!others(&mut drives), "the owner is gone");
    assert_eq!(finish(|| drives.make_dir(&new)), Err(FsError::Exists), "it was made in the end");
    drives.flush().unwrap();
    assert_eq!(fsck(&disks.medium(0)), [""; 0]);
}
