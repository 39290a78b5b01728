//! Two hard disks with primary and logical partitions of every kind, all written to at once: each is
//! checked by itself with fsck.fat and mtools, and nothing between them is touched.

use bumpalo::Bump;
use ftpsrv::block::DiskKind;
use ftpsrv::fat::FatType;
use ftpsrv::time::DateTime;
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::{Drives, DrivesSize, Provider};
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::{fsck, mkfs, mtools};
use sim::rig::{Arena, Random, STORE, finish, make_dir, path, remove, rename};

const SIZE: DrivesSize = DrivesSize::of(24 * 1024);

/// A partition: its drive letter, disk, type byte, first sector, length and mkfs.fat's options for it.
type Partition = (u8, usize, u8, u32, u32, &'static [&'static str]);

const PARTITIONS: [Partition; 7] = [
    (b'C', 0, 0x06, 63, 40_000, &["-F", "16", "-s", "4"]),
    (b'E', 0, 0x01, 50_063, 8000, &["-F", "12", "-s", "4"]),
    (b'F', 0, 0x04, 60_063, 20_000, &["-F", "16", "-s", "2"]),
    (b'G', 0, 0x0B, 90_063, 68_000, &["-F", "32", "-s", "1"]),
    (b'D', 1, 0x0C, 2048, 70_000, &["-F", "32", "-s", "1"]),
    (b'H', 1, 0x01, 80_000, 4000, &["-F", "12", "-s", "1"]),
    (b'I', 1, 0x0E, 90_000, 30_000, &["-F", "16", "-s", "4"]),
];

fn entry(table: &mut [u8; 512], number: usize, kind: u8, start: u32, sectors: u32) {
    let at = 446 + 16 * number;
    table[at + 4] = kind;
    table[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
    table[at + 12..at + 16].copy_from_slice(&sectors.to_le_bytes());
    table[510..].copy_from_slice(&[0x55, 0xAA]);
}

/// Both disks, with a mark in every sector that belongs to no volume.
fn disks() -> [Medium; 2] {
    let mut disks = [Medium::new(170_000), Medium::new(130_000)];
    for (number, disk) in disks.iter_mut().enumerate() {
        for lba in 0..disk.sectors() {
            if !PARTITIONS.iter().any(|p| p.1 == number && (p.3..p.3 + p.4).contains(&lba)) {
                disk.set_sector(lba, &[0xA5; 512]);
            }
        }
    }
    let mut table = [0; 512];
    entry(&mut table, 0, 0x06, 63, 40_000);
    entry(&mut table, 2, 0x0F, 50_000, 120_000);
    disks[0].set_sector(0, &table);
    // Each record of the extended partition names a drive, and the next record.
    for (record, kind, sectors, next) in
        [(0, 0x01, 8000, 10_000), (10_000, 0x04, 20_000, 40_000), (40_000, 0x0B, 68_000, 0)]
    {
        let mut table = [0; 512];
        entry(&mut table, 0, kind, 63, sectors);
        if next != 0 {
            entry(&mut table, 1, 0x05, next, 30_000);
        }
        disks[0].set_sector(50_000 + record, &table);
    }
    let mut table = [0; 512];
    for (number, (_, _, kind, start, sectors, _)) in
        PARTITIONS.iter().filter(|p| p.1 == 1).enumerate()
    {
        entry(&mut table, number, *kind, *start, *sectors);
    }
    disks[1].set_sector(0, &table);
    for &(letter, disk, _, start, sectors, options) in &PARTITIONS {
        let label = format!("DRIVE {}", char::from(letter));
        let volume = mkfs(sectors, &[options, &["-n", &label, "-h", &start.to_string()]].concat());
        for lba in 0..sectors {
            disks[disk].set_sector(start + lba, &volume.sector(lba));
        }
    }
    disks
}

fn data(letter: u8) -> Vec<u8> {
    Random(letter.into()).bytes(150_000 + usize::from(letter) * 100)
}

#[test]
fn every_partition_of_two_disks_is_sound_after_all_were_written_at_once() {
    let before = disks();
    let disks = SimDisks::new(
        before.iter().map(|disk| SimDisk::new(DiskKind::Hard, Some(disk.clone()))).collect(),
    );
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    assert!(drives.message().is_none());
    let name = |letter: u8, file: &str| format!("/drive_{}/{file}", char::from(letter));
    for &(letter, disk, kind, _, _, options) in &PARTITIONS {
        let info = drives.info(Drive::new(letter).unwrap()).unwrap();
        let volume = info.volume.unwrap();
        assert_eq!(
            volume.label.as_ref(),
            Some(&[b"DRIVE ", &[letter][..], b"    "].concat()[..].try_into().unwrap())
        );
        assert_eq!((info.partition, usize::from(info.disk.0)), (kind, disk));
        let bits = match volume.fat_type {
            FatType::Fat12 => "12",
            FatType::Fat16 => "16",
            FatType::Fat32 => "32",
        };
        assert_eq!(bits, options[1]);
        make_dir(&mut drives, &name(letter, "dir")).unwrap();
    }
    // All uploads go on at once, a piece of each in turn.
    let mut files = PARTITIONS.map(|(letter, ..)| {
        let path = path(&name(letter, "dir/file.bin"));
        (finish(|| drives.open(&path, STORE)).unwrap(), data(letter), 0)
    });
    while files.iter().any(|(_, data, done)| *done < data.len()) {
        for (file, data, done) in &mut files {
            let piece = &data[*done..data.len().min(*done + 3000)];
            if !piece.is_empty() {
                *done += finish(|| drives.write(*file, *done as u32, piece)).unwrap();
            }
        }
        drives.work();
    }
    for (file, ..) in files {
        finish(|| drives.close(file)).unwrap();
    }
    for &(letter, ..) in &PARTITIONS {
        let file = path(&name(letter, "gone"));
        let gone = finish(|| drives.open(&file, STORE)).unwrap();
        finish(|| drives.write(gone, 0, &[1; 5000])).unwrap();
        finish(|| drives.close(gone)).unwrap();
        remove(&mut drives, &name(letter, "gone")).unwrap();
        rename(&mut drives, &name(letter, "dir/file.bin"), &name(letter, "moved.bin")).unwrap();
    }
    for second in 0..9 {
        drives.set_time(DateTime { second, ..DateTime::EPOCH });
        while drives.work() {}
    }
    for &(letter, disk, _, start, sectors, _) in &PARTITIONS {
        let (whole, mut volume) = (disks.medium(disk), Medium::new(sectors));
        for lba in 0..sectors {
            volume.set_sector(lba, &whole.sector(start + lba));
        }
        let drive = char::from(letter);
        assert_eq!(fsck(&volume), [""; 0], "drive {drive}");
        assert!(mtools(&volume, "mtype", &["::/moved.bin"]).1 == data(letter), "drive {drive}");
        let listing =
            String::from_utf8_lossy(&mtools(&volume, "mdir", &["-b", "::/"]).1).into_owned();
        let mut lines: Vec<&str> = listing.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["::/DIR/", "::/MOVED.BIN"], "drive {drive}");
    }
    for (number, disk) in before.iter().enumerate() {
        let after = disks.medium(number);
        for lba in 0..disk.sectors() {
            let inside =
                PARTITIONS.iter().any(|p| p.1 == number && (p.3..p.3 + p.4).contains(&lba));
            assert!(inside || after.sector(lba) == disk.sector(lba), "disk {number}, sector {lba}");
        }
    }
}

/// A disk with one volume, as a primary partition of this type, or as a logical drive in an extended one.
fn one_partition(volume: &Medium, kind: u8, extended: Option<u8>) -> Medium {
    let mut disk = Medium::new(2000);
    let (mut table, mut start) = ([0; 512], 63);
    if let Some(extended) = extended {
        entry(&mut table, 0, extended, 63, 1800);
        disk.set_sector(0, &table);
        (table, start) = ([0; 512], 126);
    }
    entry(&mut table, 0, kind, 63, volume.sectors());
    disk.set_sector(start - 63, &table);
    for lba in 0..volume.sectors() {
        disk.set_sector(start + lba, &volume.sector(lba));
    }
    disk
}

#[test]
fn the_type_byte_says_what_is_served() {
    let volume = mkfs(720, &["-F", "12", "-n", "VOLUME"]);
    let served = |kind, extended| {
        let disk = one_partition(&volume, kind, extended);
        let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(disk))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        let is_served = drives.drives().contains(Drive::new(b'C').unwrap());
        let volume = drives.info(Drive::new(b'C').unwrap()).and_then(|info| info.volume);
        assert_eq!(volume.map(|volume| volume.label), is_served.then_some(Some(*b"VOLUME     ")));
        is_served
    };
    // FAT12, FAT16 up to 32 MB and beyond, FAT32, and the last two by LBA; not those that a boot manager
    // hides (11h to 1Eh), nor other systems'.
    let fat = [0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E];
    for kind in 0..=255 {
        assert_eq!(served(kind, None), fat.contains(&kind), "type {kind:02X}h");
        assert_eq!(served(kind, Some(0x05)), fat.contains(&kind), "type {kind:02X}h, logical");
        // DOS's extended partition, that of LBA, and the one that Linux hides from DOS.
        let extended = [0x05, 0x0F, 0x85].contains(&kind);
        assert_eq!(served(0x06, Some(kind)), extended, "extended type {kind:02X}h");
    }
}
