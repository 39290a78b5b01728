//! The figures that the disk layer has to reach, counted by the simulated disk and printed
//! (`cargo test -p sim --test fat_figures -- --nocapture`).

use bumpalo::Bump;
use ftpsrv::block::{CacheSize, DiskKind};
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{Counters, SimDisk, SimDisks};
use sim::fat_image::{fsck, mkfs};
use sim::fat_tables::Tables;
use sim::rig::{Arena, Random, STORE, fetch, finish, list, make_dir, path, store};

const SIZE: DrivesSize = DrivesSize { cache: CacheSize::of(32 * 1024), index: 4096 };
const MIB: usize = 1 << 20;

fn since(disks: &SimDisks, before: Counters) -> Counters {
    let now = disks.counters(0);
    Counters {
        reads: now.reads - before.reads,
        writes: now.writes - before.writes,
        flushes: now.flushes - before.flushes,
        sectors_read: now.sectors_read - before.sectors_read,
        sectors_written: now.sectors_written - before.sectors_written,
    }
}

#[test]
fn transfers_cost_little_more_than_their_data() {
    // 64 MB, 2 KiB clusters.
    let medium = mkfs(131_072, &["-F", "16", "-s", "4"]);
    let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let data = Random(2).bytes(4 * MIB);
    // Before a volume is changed its tables and directories are looked through, once.
    let before = disks.counters(0);
    while drives.work() {}
    let survey = since(&disks, before);
    println!("survey of 64 MB, FAT16, 2 KiB clusters: {survey:?}");
    assert!(survey.commands() <= 49 && survey.writes == 0, "{survey:?}");

    let before = disks.counters(0);
    store(&mut drives, "/drive_c/data.bin", STORE, &data, 16_384).unwrap();
    let upload = since(&disks, before);
    drives.flush().unwrap();

    let before = disks.counters(0);
    assert!(fetch(&mut drives, "/drive_c/data.bin", 16_384).unwrap() == data);
    let download = since(&disks, before);

    let ideal = (4 * MIB / 512) as f64;
    for (what, count, most) in [("upload", upload, 1.03), ("download", download, 1.01)] {
        let ratio = count.sectors() as f64 / ideal;
        println!("4 MiB {what}, FAT16, 2 KiB clusters: {ratio:.4}x sectors, {count:?}");
        assert!(ratio <= most && count.commands() <= 300, "{what}: {ratio} {count:?}");
    }
    assert_eq!(fsck(&disks.medium(0)), [""; 0]);
}

/// The chain of a long file has more sectors of the table than the cache can hold: none is read twice, whether
/// the file lies in one piece or in as many as there can be.
#[test]
fn no_chain_is_walked_twice() {
    let medium = mkfs(131_072, &["-F", "32", "-s", "1"]);
    let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let data = Random(6).bytes(16 * MIB);
    let count = data.len() / 512;
    store(&mut drives, "/drive_c/w", STORE, &data, 16_384).unwrap();
    drives.flush().unwrap();
    let mut tables = Tables::of(disks.medium(0), 32);
    // The second half of its clusters in turn with the first: no two neighbours follow each other.
    let first = tables.first(b'W');
    let half = count as u32 / 2;
    let order: Vec<u32> = (0..half).flat_map(|n| [first + n, first + half + n]).collect();
    for (at, &cluster) in order.iter().enumerate() {
        let next = order.get(at + 1).copied().unwrap_or(0x0FFF_FFFF);
        tables.set(&[0, 1], cluster, next);
    }
    let scattered = tables.medium.clone();
    for (what, medium) in [("one piece", disks.medium(0)), ("scattered", scattered)] {
        let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        list(&mut drives, "/drive_c").unwrap();
        let before = disks.counters(0);
        let read = fetch(&mut drives, "/drive_c/w", 16_384).unwrap();
        let download = since(&disks, before);
        assert_eq!(read.len(), data.len());
        let table = count.div_ceil(128) + 2;
        println!("16 MiB in clusters of one sector, {what}: {download:?}");
        assert!(download.sectors_read as usize <= count + table + 8, "{what}: {download:?}");
    }
}

/// Files that are written at the same time do not take alternate clusters, and one alone leaves no gaps.
#[test]
fn files_written_at_once_lie_in_long_pieces() {
    let disks = SimDisks::new(vec![SimDisk::new(
        DiskKind::Hard,
        Some(mkfs(131_072, &["-F", "16", "-s", "4"])),
    )]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let (names, data) = (["A", "B", "C"], Random(4).bytes(4 * MIB));
    let open = |drives: &mut Drives<'_>, name| {
        let path = path(&format!("/drive_c/{name}"));
        finish(|| drives.open(&path, STORE)).unwrap()
    };
    let files = names.map(|name| open(&mut drives, name));
    let mut done = [0; 3];
    while done.iter().any(|&done| done < data.len()) {
        for (file, done) in files.iter().zip(&mut done) {
            let piece = &data[*done..data.len().min(*done + 8192)];
            *done += finish(|| drives.write(*file, *done as u32, piece)).unwrap();
        }
    }
    for file in files {
        finish(|| drives.close(file)).unwrap();
    }
    store(&mut drives, "/drive_c/D", STORE, &data, 8192).unwrap();
    drives.flush().unwrap();
    let tables = Tables::of(disks.medium(0), 16);
    let pieces = |name| {
        let (mut cluster, mut pieces) = (tables.first(name), 1);
        while tables.link(cluster) < 0xFFF8 {
            let next = tables.link(cluster);
            pieces += usize::from(next != cluster + 1);
            cluster = next;
        }
        pieces
    };
    let counts = [b'A', b'B', b'C', b'D'].map(pieces);
    println!("pieces of three files of 4 MiB written at once, and of one alone: {counts:?}");
    assert!(counts[..3].iter().all(|&count| count <= 18) && counts[3] == 1, "{counts:?}");
    assert_eq!(fsck(&disks.medium(0)), [""; 0]);
    for name in names {
        assert!(fetch(&mut drives, &format!("/drive_c/{name}"), 8192).unwrap() == data);
    }
}

#[test]
fn mounting_two_gigabytes_reads_a_few_sectors() {
    let medium = mkfs(4_190_000, &["-F", "16", "-s", "64"]);
    let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let mount = disks.counters(0);
    println!("mounting 2 GB of FAT16: {mount:?}");
    assert!(mount.sectors_read < 10, "{mount:?}");

    // The survey goes on between other calls, a command at a time.
    let c = Drive::new(b'c').unwrap();
    assert_eq!(drives.space(c), Err(FsError::Again));
    let mut turns = 1;
    while drives.work() {
        turns += 1;
        assert!(turns < 1000);
    }
    println!("its survey: {turns} turns, {:?}", since(&disks, mount));
    assert!(turns <= 98);
    assert!(drives.space(c).unwrap().free > 2_100_000_000);
}

#[test]
fn many_files_in_one_directory() {
    let medium = mkfs(131_072, &["-F", "16", "-s", "4"]);
    let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    make_dir(&mut drives, "/drive_c/many").unwrap();
    let before = disks.counters(0);
    for number in 0..2000 {
        store(&mut drives, &format!("/drive_c/many/f{number}.dat"), STORE, b"", 1).unwrap();
    }
    let made = since(&disks, before);
    println!("2,000 empty files in one directory: {made:?}");
    assert!(made.commands() < 2000 * 4, "{made:?}");

    let before = disks.counters(0);
    assert_eq!(list(&mut drives, "/drive_c/many").unwrap().len(), 2000);
    let listed = since(&disks, before);
    println!("listing them: {listed:?}");
    assert!(listed.commands() <= 60, "{listed:?}");

    let before = disks.counters(0);
    for number in (0..2000).rev() {
        let name = path(&format!("/drive_c/many/f{number}.dat"));
        finish(|| drives.attributes(&name)).unwrap();
    }
    let looked = since(&disks, before);
    println!("looking each of them up: {looked:?}");
    assert!(looked.commands() <= 400, "{looked:?}");
    drives.flush().unwrap();
    assert_eq!(fsck(&disks.medium(0)), [""; 0]);
}

/// Ten clients at once: a call costs one command at most; on a slow disk, all calls of a turn do, and
/// everybody gets a share.
#[test]
fn no_call_keeps_the_others_waiting() {
    for (kilobytes, slow) in [(32, false), (12, false), (32, true), (12, true)] {
        let size = DrivesSize::of(kilobytes * 1024);
        let medium = mkfs(131_072, &["-F", "32", "-s", "1"]);
        let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), size).unwrap();
        let (worst, least, most) = clients(10, &mut drives, &disks, slow);
        let (what, wanted) = if slow { ("turn of a slow disk", 12) } else { ("call", 100) };
        println!(
            "10 clients, {kilobytes} KB of cache: at most {worst} commands a {what}; \
             each stored {least} to {most} files"
        );
        assert_eq!(worst, 1, "commands in one {what}");
        assert!(least >= wanted && most <= least * 5 / 4, "a client starved: {least}, {most}");
    }
}

/// With as little memory as one or two clients have, and with more clients than that is meant for: the volume
/// is sound, and without clusters that nobody names.
#[test]
fn with_little_memory_nothing_is_lost() {
    for (kilobytes, count, most_commands) in [(5, 1, 1), (5, 2, 1), (5, 10, 2), (7, 10, 2)] {
        let medium = mkfs(131_072, &["-F", "32", "-s", "1"]);
        let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let size = DrivesSize::of(kilobytes * 1024);
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), size).unwrap();
        let (worst, least, most) = clients(count, &mut drives, &disks, false);
        println!(
            "{count} clients, {kilobytes} KB of cache: at most {worst} commands a call; \
             each stored {least} to {most} files"
        );
        assert!(worst <= most_commands, "{worst} commands in one call");
        assert!(least >= 100 && most <= least * 5 / 4, "a client starved: {least}, {most}");
    }
}

/// The most commands of one call, or of one turn of a slow disk, and the fewest and most files that a
/// client stored.
fn clients(
    count: usize,
    drives: &mut Drives<'_>,
    disks: &SimDisks,
    slow: bool,
) -> (u64, usize, usize) {
    for client in 0..count {
        let mut name = format!("/drive_c/d{client}");
        for _ in 0..4 {
            make_dir(drives, &name).unwrap();
            name += "/sub";
        }
    }
    let data = Random(3).bytes(60_000);
    let mut worst = 0;
    let mut clients: Vec<Client> = (0..count).map(Client::new).collect();
    disks.with(0, |disk| disk.latency_ms = if slow { 20 } else { 0 });
    let (mut first, mut last) = (0, disks.counters(0).commands());
    for turn in 0..10_000 {
        if slow {
            drives.begin_turn(true);
        }
        for step in 0..=count {
            let number = (first + step) % (count + 1);
            let spent = drives.is_spent();
            match clients.get_mut(number) {
                Some(client) => client.step(drives, &data),
                None => drop(drives.work()),
            }
            // As the server's loop: whoever used the disk comes last in the next turn.
            if slow && !spent && drives.is_spent() {
                first = number + 1;
            }
            if !slow || step == count {
                let now = disks.counters(0).commands();
                worst = worst.max(now - last);
                last = now;
            }
        }
        assert!(turn < 100 || last > 50);
    }
    drives.flush().unwrap();
    assert_eq!(fsck(&disks.medium(0)), [""; 0]);
    let files = || clients.iter().map(|client| client.files);
    (worst, files().min().unwrap(), files().max().unwrap())
}

/// Stores one file after another, a slice at a time.
struct Client {
    number: usize,
    files: usize,
    open: Option<(ftpsrv::vfs::provider::FileHandle, usize)>,
}

impl Client {
    fn new(number: usize) -> Client {
        Client { number, files: 0, open: None }
    }

    fn step(&mut self, drives: &mut dyn Provider, data: &[u8]) {
        let name = format!("/drive_c/d{}/sub/sub/sub/f{}", self.number, self.files % 70);
        match self.open {
            None => match drives.open(&path(&name), STORE) {
                Ok(file) => self.open = Some((file, 0)),
                Err(error) => assert_eq!(error, FsError::Again),
            },
            Some((file, done)) if done < data.len() => {
                let end = data.len().min(done + 8192);
                match drives.write(file, done as u32, &data[done..end]) {
                    Ok(count) => self.open = Some((file, done + count)),
                    Err(error) => assert_eq!(error, FsError::Again),
                }
            }
            Some((file, _)) => match drives.close(file) {
                Ok(()) => {
                    self.open = None;
                    self.files += 1;
                }
                Err(error) => assert_eq!(error, FsError::Again),
            },
        }
    }
}
