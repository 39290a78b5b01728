//! Volumes that lie: mutated boot sectors, tables and directories, and pure garbage. Nothing loops, panics
//! or writes outside its volume; what is damaged is refused or not written.
//! `FAT_SEQUENCES=20000` makes it longer.

use bumpalo::Bump;
use ftpsrv::block::{DiskKind, SECTOR};
use ftpsrv::fat::ReadOnly;
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::mkfs;
use sim::fat_model::Op;
use sim::rig::{APPEND, Arena, Random, fetch, finish, list, path, remove, remove_dir, store};

const SIZE: DrivesSize = DrivesSize::of(16 * 1024);

fn count() -> u64 {
    let wanted = std::env::var("FAT_SEQUENCES").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(1500)
}

/// Small volumes with a few files and directories.
fn volumes() -> Vec<Medium> {
    [
        (720, ["-F", "12", "-s", "1"]),
        (4600, ["-F", "16", "-s", "1"]),
        (68_000, ["-F", "32", "-s", "1"]),
    ]
    .into_iter()
    .map(|(sectors, options)| {
        let disks = hard(mkfs(sectors, &options));
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        let mut random = Random(1);
        for directory in ["A", "B", "A/C"] {
            Op::MakeDir(directory.to_owned()).run(&mut drives, "/drive_c").unwrap();
        }
        for file in ["ONE", "TWO.TXT", "A/THREE.B", "A/C/FOUR"] {
            let op = Op::Store(file.to_owned(), random.bytes(9000), 4096);
            op.run(&mut drives, "/drive_c").unwrap();
        }
        drives.flush().unwrap();
        disks.medium(0)
    })
    .collect()
}

fn hard(medium: Medium) -> SimDisks {
    SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))])
}

/// Changes a few bytes where they matter: boot sector, tables, directories.
fn mutate(medium: &mut Medium, random: &mut Random) {
    let used: Vec<u32> = (0..medium.sectors().min(3000))
        .filter(|&lba| medium.sector(lba).iter().any(|&byte| byte != 0))
        .collect();
    for _ in 0..=random.below(6) {
        let lba = match random.below(3) {
            0 => 0,
            _ => used[random.below(used.len())],
        };
        let mut sector = medium.sector(lba);
        let at = if lba == 0 { random.below(90) } else { random.below(SECTOR) };
        for byte in &mut sector[at..(at + 1 + random.below(4)).min(SECTOR)] {
            *byte = match random.below(4) {
                0 => 0,
                1 => 0xFF,
                2 => *byte ^ (1 << random.below(8)),
                _ => random.below(256) as u8,
            };
        }
        medium.set_sector(lba, &sector);
    }
}

fn everything_once(drives: &mut Drives<'_>, random: &mut Random) {
    for directory in ["/", "/drive_c", "/drive_c/a", "/drive_c/a/c", "/drive_c/b"] {
        let _ = list(drives, directory);
    }
    for file in ["one", "two.txt", "a/three.b", "a/c/four"] {
        let _ = fetch(drives, &format!("/drive_c/{file}"), 4096);
    }
    for _ in 0..15 {
        let _ = Op::random(random, 4000).run(drives, "/drive_c");
    }
    let _ = finish(|| drives.space(Drive::new(b'C').unwrap()));
    for _ in 0..2000 {
        if !drives.work() {
            break;
        }
    }
    let _ = drives.flush();
}

#[test]
fn mutated_volumes_are_survived() {
    let volumes = volumes();
    for seed in 0..count() {
        let mut random = Random(seed);
        let mut medium = volumes[random.below(volumes.len())].clone();
        mutate(&mut medium, &mut random);
        let disks = hard(medium);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        everything_once(&mut drives, &mut random);
    }
}

/// The same in a partition: nothing beside it is written, whatever the volume says of its size.
#[test]
fn a_mutated_volume_leaves_its_neighbours_alone() {
    const START: u32 = 63;
    let volumes = volumes();
    for seed in 0..count() / 3 {
        let mut random = Random(seed + 50_000);
        let mut volume = volumes[random.below(2)].clone();
        mutate(&mut volume, &mut random);
        let end = START + volume.sectors();
        let mut disk = Medium::new(end + 10_000);
        let mut table = [0; SECTOR];
        table[450] = 0x06;
        table[454..458].copy_from_slice(&START.to_le_bytes());
        table[458..462].copy_from_slice(&volume.sectors().to_le_bytes());
        table[510..].copy_from_slice(&[0x55, 0xAA]);
        disk.set_sector(0, &table);
        for lba in 0..volume.sectors() {
            disk.set_sector(START + lba, &volume.sector(lba));
        }
        let disks = hard(disk);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        everything_once(&mut drives, &mut random);
        let outside = disks
            .with(0, |disk| disk.written.iter().find(|lba| !(START..end).contains(lba)).copied());
        assert_eq!(outside, None, "seed {seed}");
    }
}

/// What cannot be served is said, once for each drive.
#[test]
fn what_is_not_served_is_said() {
    let sound = mkfs(2880, &["-F", "12"]);
    let with = |at: usize, bytes: &[u8]| {
        let mut medium = sound.clone();
        let mut boot = medium.sector(0);
        boot[at..at + bytes.len()].copy_from_slice(bytes);
        medium.set_sector(0, &boot);
        medium
    };
    for (medium, expected) in [
        (with(11, &[0, 4]), "Disk 0: no FAT partition"),
        (with(22, &[0, 0]), "Drive C: no FAT volume, or a damaged one: not served"),
        (with(19, &[0xFF, 0xFF]), "Drive C: no FAT volume, or a damaged one: not served"),
        (with(17, &[0, 0]), "Drive C: no FAT volume, or a damaged one: not served"),
        (Medium::new(2880), "Disk 0: no FAT partition"),
    ] {
        let disks = hard(medium);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        assert_eq!(list(&mut drives, "/drive_c").map(drop), Err(FsError::NotFound));
        assert!(!drives.drives().contains(Drive::new(b'C').unwrap()));
        while drives.work() {}
        let said: Vec<String> =
            std::iter::from_fn(|| drives.message()).map(|message| message.to_string()).collect();
        assert_eq!(said, [expected]);
        assert_eq!(disks.counters(0).writes, 0);
    }
}

#[test]
fn garbage_is_not_mounted_and_not_written() {
    for seed in 0..count() / 5 {
        let mut random = Random(seed);
        let mut medium = Medium::new(500);
        for lba in 0..40 {
            medium.set_sector(lba, &random.bytes(SECTOR));
        }
        if seed % 2 == 0 {
            let mut table = medium.sector(0);
            table[510..].copy_from_slice(&[0x55, 0xAA]);
            medium.set_sector(0, &table);
        }
        let disks = hard(medium.clone());
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        everything_once(&mut drives, &mut random);
        assert_eq!(disks.medium(0).to_bytes(), medium.to_bytes(), "seed {seed}");
    }
}

/// A FAT12 volume with one table copy, to write entries by hand.
struct Damaged {
    medium: Medium,
    table: u32,
}

impl Damaged {
    fn new() -> Damaged {
        let [medium, ..] = <[Medium; 3]>::try_from(volumes()).ok().unwrap();
        Damaged { medium, table: 1 }
    }

    fn link(&self, cluster: u32) -> u32 {
        let at = cluster * 3 / 2;
        let byte =
            |at: u32| u32::from(self.medium.sector(self.table + at / 512)[at as usize % 512]);
        let both = byte(at) | byte(at + 1) << 8;
        if cluster % 2 == 1 { both >> 4 } else { both & 0xFFF }
    }

    /// Sets an entry in both copies.
    fn set_link(&mut self, cluster: u32, value: u32) {
        let sectors = u32::from(self.medium.sector(0)[22]);
        for copy in 0..2 {
            for part in 0..2 {
                let at = cluster * 3 / 2 + part;
                let lba = self.table + copy * sectors + at / 512;
                let mut sector = self.medium.sector(lba);
                let byte = &mut sector[at as usize % 512];
                let shift = cluster % 2 * 4;
                let keep = !((0xFFFu32 << shift) >> (8 * part)) as u8;
                *byte = *byte & keep | ((value << shift) >> (8 * part)) as u8;
                self.medium.set_sector(lba, &sector);
            }
        }
    }

    /// First cluster of the file or directory with these 11 bytes as its name.
    fn cluster_of(&self, name: &[u8; 11]) -> u32 {
        let sectors = (0..720).map(|lba| self.medium.sector(lba));
        let mut found = None;
        for sector in sectors {
            for entry in sector.chunks_exact(32).filter(|entry| entry[..11] == name[..]) {
                found = Some(u32::from(u16::from_le_bytes([entry[26], entry[27]])));
            }
        }
        found.unwrap()
    }
}

#[test]
fn a_file_whose_chain_is_too_short_or_broken_is_damaged() {
    for value in [0xFFF, 0, 1, 0xFF7, 0xFF0] {
        let mut damaged = Damaged::new();
        let first = damaged.cluster_of(b"ONE        ");
        let third = damaged.link(damaged.link(first));
        damaged.set_link(third, value);
        let disks = hard(damaged.medium);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        assert_eq!(fetch(&mut drives, "/drive_c/one", 4096), Err(FsError::Damaged), "{value:x}");
        // Numbers that are no clusters and clusters that are free are found before anything is changed; the
        // rest when it comes there.
        let is_seen = matches!(value, 0 | 1 | 0xFF0);
        let expected = if is_seen { FsError::ReadOnlyDisk } else { FsError::Damaged };
        let result = store(&mut drives, "/drive_c/one", APPEND, b"x", 1);
        assert_eq!(result, Err(expected), "{value:x}");
        assert_eq!(fetch(&mut drives, "/drive_c/two.txt", 4096).unwrap().len(), 9000);
    }
}

#[test]
fn a_chain_that_loops_is_not_freed() {
    let mut damaged = Damaged::new();
    let first = damaged.cluster_of(b"ONE        ");
    let second = damaged.link(first);
    damaged.set_link(second, first);
    let disks = hard(damaged.medium);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    // Its size says how far to read: so it ends.
    let _ = fetch(&mut drives, "/drive_c/one", 4096);
    assert_eq!(remove(&mut drives, "/drive_c/one"), Err(FsError::ReadOnlyDisk));
    while drives.work() {}
    let info = drives.info(Drive::new(b'C').unwrap()).unwrap();
    assert_eq!(info.volume.unwrap().read_only, Some(ReadOnly::CrossLinked));
    assert_eq!(store(&mut drives, "/drive_c/x", APPEND, b"x", 1), Err(FsError::ReadOnlyDisk));
    assert_eq!(fetch(&mut drives, "/drive_c/two.txt", 4096).unwrap().len(), 9000);
}

#[test]
fn a_directory_that_loops_ends() {
    let mut damaged = Damaged::new();
    let a = damaged.cluster_of(b"A          ");
    damaged.set_link(a, a);
    // It is full, so that no end mark stops the search.
    let lba = (0..720)
        .find(|&lba| {
            let sector = damaged.medium.sector(lba);
            sector[..11] == *b".          " && u32::from(sector[26]) == a
        })
        .unwrap();
    let mut sector = damaged.medium.sector(lba);
    let third: [u8; 32] = sector[64..96].try_into().unwrap();
    for (number, entry) in sector.chunks_exact_mut(32).enumerate().skip(3) {
        entry.copy_from_slice(&third);
        entry[0] = b'0' + number as u8;
    }
    damaged.medium.set_sector(lba, &sector);
    let disks = hard(damaged.medium);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    assert_eq!(
        finish(|| drives.attributes(&path("/drive_c/a/none"))).map(drop),
        Err(FsError::Damaged)
    );
    assert!(list(&mut drives, "/drive_c/a").is_err());
    assert!(remove_dir(&mut drives, "/drive_c/a").is_err());
    assert_eq!(fetch(&mut drives, "/drive_c/one", 4096).unwrap().len(), 9000);
}
