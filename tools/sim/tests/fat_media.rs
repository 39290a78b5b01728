//! Media of all sizes: floppies made by mformat, with and without parameter block, 64 KB clusters, FAT32
//! beyond 2 GB, and a volume at the end of a disk of 128 GB.

use bumpalo::Bump;
use ftpsrv::block::DiskKind;
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::{fsck, mkfs, mtools};
use sim::rig::{APPEND, Arena, Random, STORE, fetch, finish, list, make_dir, path, remove, store};

const SIZE: DrivesSize = DrivesSize::of(24 * 1024);

/// Writes files and directories, deletes one, and gives the medium back, closed.
fn write_to(kind: DiskKind, medium: Medium, drive: &str) -> Medium {
    let disks = SimDisks::new(vec![SimDisk::new(kind, Some(medium))]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    make_dir(&mut drives, &format!("{drive}/dir")).unwrap();
    store(&mut drives, &format!("{drive}/gone"), STORE, &[1; 30_000], 4096).unwrap();
    store(&mut drives, &format!("{drive}/dir/kept.bin"), STORE, &data(), 4096).unwrap();
    remove(&mut drives, &format!("{drive}/gone")).unwrap();
    assert!(fetch(&mut drives, &format!("{drive}/dir/kept.bin"), 8192).unwrap() == data());
    drives.flush().unwrap();
    disks.medium(0)
}

fn data() -> Vec<u8> {
    Random(11).bytes(70_000)
}

/// The volume holds what was written, and nothing is wrong with it.
fn check(label: &str, volume: &Medium) {
    assert_eq!(fsck(volume), [""; 0], "{label}");
    let (_, theirs) = mtools(volume, "mtype", &["::/dir/kept.bin"]);
    assert!(theirs == data(), "{label}: mtools reads something else");
}

#[test]
fn floppies_of_mformat() {
    for kilobytes in [160, 180, 320, 360, 720, 1200, 1440, 2880] {
        let size = kilobytes.to_string();
        let blank = Medium::new(kilobytes * 2);
        let (medium, _) = mtools(&blank, "mformat", &["-f", &size, "::"]);
        check(&size, &write_to(DiskKind::Floppy, medium, "/drive_a"));
    }
}

#[test]
fn floppies_of_dos_1_without_parameter_block() {
    for kilobytes in [160, 180, 320, 360] {
        let size = kilobytes.to_string();
        let blank = Medium::new(kilobytes * 2);
        let (mut medium, _) = mtools(&blank, "mformat", &["-f", &size, "::"]);
        let boot = medium.sector(0);
        medium.set_sector(0, &[0; 512]);
        let mut written = write_to(DiskKind::Floppy, medium, "/drive_a");
        assert_eq!(written.sector(0), [0; 512]);
        written.set_sector(0, &boot);
        check(&size, &written);
    }
}

#[test]
fn clusters_of_64_kilobytes() {
    let medium = mkfs(600_000, &["-F", "16", "-s", "128"]);
    check("64 KB", &write_to(DiskKind::Hard, medium, "/drive_c"));
}

#[test]
fn fat32_beyond_two_gigabytes() {
    let mut medium = mkfs(5_000_000, &["-F", "32", "-s", "16"]);
    // The information sector's hint sends the search behind 2 GB.
    let mut info = medium.sector(1);
    info[492..496].copy_from_slice(&300_000u32.to_le_bytes());
    medium.set_sector(1, &info);
    let written = write_to(DiskKind::Hard, medium, "/drive_c");
    let data = data();
    let beyond = (4_194_304..5_000_000).any(|lba| written.sector(lba)[..] == data[512..1024]);
    assert!(beyond, "nothing lies behind 2 GB");
    check("2.4 GB", &written);
}

/// A file that has all but the last few bytes that 32 bits of size can tell, its chain and size set by hand.
#[test]
fn a_file_ends_at_four_gigabytes() {
    let (size, clusters) = (u32::MAX - 255, 131_072);
    let disks = {
        let medium = mkfs(9_000_000, &["-F", "32", "-s", "64"]);
        SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))])
    };
    let serve = |act: &dyn Fn(&mut Drives<'_>)| {
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        act(&mut drives);
        drives.flush().unwrap();
    };
    serve(&|drives| store(drives, "/drive_c/large", STORE, b"x", 1).unwrap());
    let mut medium = disks.medium(0);
    let boot = medium.sector(0);
    let tables = u32::from(u16::from_le_bytes([boot[14], boot[15]]));
    let length = u32::from_le_bytes([boot[36], boot[37], boot[38], boot[39]]);
    // Clusters 2 and 3 are the root's and the file's first; the chain goes on behind them.
    for copy in [tables, tables + length] {
        for cluster in 3..3 + clusters {
            let lba = copy + cluster / 128;
            let at = cluster as usize % 128 * 4;
            let next = if cluster == 2 + clusters { 0x0FFF_FFFF } else { cluster + 1 };
            let mut sector = medium.sector(lba);
            sector[at..at + 4].copy_from_slice(&next.to_le_bytes());
            medium.set_sector(lba, &sector);
        }
    }
    let root = tables + 2 * length;
    let mut sector = medium.sector(root);
    let entry = sector.chunks_exact_mut(32).find(|entry| entry.starts_with(b"LARGE")).unwrap();
    assert_eq!(u16::from_le_bytes([entry[26], entry[27]]), 3);
    entry[28..].copy_from_slice(&size.to_le_bytes());
    medium.set_sector(root, &sector);
    disks.with(0, |disk| disk.medium = Some(medium));
    serve(&|drives| {
        let place = path("/drive_c/large");
        let file = finish(|| drives.open(&place, APPEND)).unwrap();
        let mut taken = 0;
        let error = loop {
            match finish(|| drives.write(file, 0, &[9; 1000])) {
                Ok(count) => taken += count,
                Err(error) => break error,
            }
        };
        assert_eq!((error, taken), (FsError::TooLarge, 255));
        finish(|| drives.close(file)).unwrap();
        assert_eq!(finish(|| drives.attributes(&place)).unwrap().size, u32::MAX);
        let file = finish(|| drives.open(&place, sim::rig::READ)).unwrap();
        let mut end = [0; 512];
        let count = finish(|| drives.read(file, size, &mut end)).unwrap();
        assert_eq!(end[..count], [9; 255]);
        finish(|| drives.close(file)).unwrap();
    });
    // fsck.fat counts the bytes of a chain in 32 bits: those of this one are 0 then.
    let found = fsck(&disks.medium(0)).join("\n");
    let known = "/LARGE\n  File size is 4294967295 bytes, cluster chain length is 0 bytes.";
    let rest = found.strip_prefix(known).unwrap_or_else(|| panic!("{found}"));
    assert_eq!(rest.lines().filter(|line| line.starts_with("  ")).count(), 1, "{found}");
}

/// The root directory's label counts, where LABEL puts it; the boot sector's may be an older one.
#[test]
fn the_label_is_the_root_directorys() {
    for (sectors, bits, at) in [(2880, "12", 43), (20_000, "16", 43), (70_000, "32", 71)] {
        let named = mkfs(sectors, &["-F", bits, "-n", "NEW"]);
        let label = |medium: &Medium| {
            let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium.clone()))]);
            let (bump, mut handle) = (Bump::new(), disks.clone());
            let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
            assert!(list(&mut drives, "/drive_c").unwrap().is_empty(), "a label is no file");
            let volume = drives.info(Drive::new(b'C').unwrap()).unwrap().volume.unwrap();
            volume.label.map(|label| String::from_utf8_lossy(&label).trim_end().to_owned())
        };
        let with_boot_label = |medium: &Medium, label: &[u8; 11]| {
            let mut medium = medium.clone();
            let mut boot = medium.sector(0);
            boot[at..at + 11].copy_from_slice(label);
            medium.set_sector(0, &boot);
            medium
        };
        let old = *b"OLD        ";
        assert_eq!(label(&with_boot_label(&named, &old)).as_deref(), Some("NEW"), "FAT{bits}");
        let plain = mkfs(sectors, &["-F", bits]);
        assert_eq!(label(&with_boot_label(&plain, &old)).as_deref(), Some("OLD"), "FAT{bits}");
        assert_eq!(label(&plain), None, "FAT{bits}: NO NAME is none");
    }
}

/// What the information sector says of free clusters is not believed, and right when the volume is closed.
#[test]
fn an_information_sector_that_lies_is_put_right() {
    let sound = mkfs(70_000, &["-F", "32", "-s", "1"]);
    let long = |sector: &[u8; 512], at: usize| {
        u32::from_le_bytes([sector[at], sector[at + 1], sector[at + 2], sector[at + 3]])
    };
    let really = long(&sound.sector(1), 488);
    for (free, next) in [(0, 2), (u32::MAX, u32::MAX), (5, 0), (1 << 27, 1 << 27), (really, 69_500)]
    {
        let mut medium = sound.clone();
        let mut info = medium.sector(1);
        info[488..492].copy_from_slice(&free.to_le_bytes());
        info[492..496].copy_from_slice(&next.to_le_bytes());
        medium.set_sector(1, &info);
        let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        let space = finish(|| drives.space(Drive::new(b'C').unwrap())).unwrap();
        assert_eq!(space.free, u64::from(really) * 512);
        store(&mut drives, "/drive_c/file", STORE, &data(), 8192).unwrap();
        assert!(fetch(&mut drives, "/drive_c/file", 8192).unwrap() == data());
        // While the volume is in use it says that nothing is known.
        assert_eq!(long(&disks.medium(0).sector(1), 488), u32::MAX);
        drives.flush().unwrap();
        let info = disks.medium(0).sector(1);
        assert_eq!(long(&info, 488), really - data().len().div_ceil(512) as u32);
        assert!((2..really + 3).contains(&long(&info, 492)), "{}", long(&info, 492));
        assert_eq!(fsck(&disks.medium(0)), [""; 0]);
    }
}

/// FAT32 can have one table in use and leave the other one alone (extended flags, bit 7).
#[test]
fn without_mirroring_the_active_table_alone_is_written() {
    let mut medium = mkfs(70_000, &["-F", "32", "-s", "1"]);
    let boot = medium.sector(0);
    let reserved = u32::from(u16::from_le_bytes([boot[14], boot[15]]));
    let length = u32::from_le_bytes([boot[36], boot[37], boot[38], boot[39]]);
    let flagged = [&boot[..40], &[0x81][..], &boot[41..]].concat();
    medium.set_sector(0, &flagged);
    for lba in reserved..reserved + length {
        medium.set_sector(lba, &[0xEE; 512]);
    }
    let mut written = write_to(DiskKind::Hard, medium, "/drive_c");
    for lba in reserved..reserved + length {
        assert_eq!(written.sector(lba), [0xEE; 512], "the table that is not in use was written");
        written.set_sector(lba, &written.sector(lba + length));
    }
    assert_eq!(written.sector(0)[..], flagged);
    // The same volume with mirroring.
    written.set_sector(0, &boot);
    check("active table", &written);
}

#[test]
fn more_tables_than_two_are_read_and_not_written() {
    let one = write_to(DiskKind::Hard, mkfs(20_000, &["-F", "16", "-f", "1"]), "/drive_c");
    check("one table", &one);
    let volume = mkfs(20_000, &["-F", "16", "-s", "4", "-f", "3"]);
    let mut disk = Medium::new(20_063);
    let mut table = [0; 512];
    table[450] = 0x06;
    table[454..462].copy_from_slice(&[63, 0, 0, 0, 0x20, 0x4E, 0, 0]);
    table[510..].copy_from_slice(&[0x55, 0xAA]);
    disk.set_sector(0, &table);
    for lba in 0..20_000 {
        disk.set_sector(63 + lba, &volume.sector(lba));
    }
    let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(disk))]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    assert!(list(&mut drives, "/drive_c").unwrap().is_empty());
    let result = store(&mut drives, "/drive_c/x", STORE, b"x", 1);
    assert_eq!(result, Err(FsError::ReadOnlyDisk));
    let said = drives.message().unwrap().to_string();
    assert_eq!(said, "Drive C: not written: it has more than two allocation tables");
    assert_eq!(disks.counters(0).writes, 0);
}

#[test]
fn a_volume_at_the_end_of_128_gigabytes() {
    let (sectors, length) = (1 << 28, 70_000);
    for start in [20_000_000, sectors - length] {
        let volume = mkfs(length, &["-F", "32", "-s", "1"]);
        let mut disk = Medium::new(sectors);
        let mut table = [0; 512];
        table[450] = 0x0C;
        table[454..458].copy_from_slice(&start.to_le_bytes());
        table[458..462].copy_from_slice(&length.to_le_bytes());
        table[510..].copy_from_slice(&[0x55, 0xAA]);
        disk.set_sector(0, &table);
        for lba in 0..length {
            let sector = volume.sector(lba);
            if sector != [0; 512] {
                disk.set_sector(start + lba, &sector);
            }
        }
        let disk = write_to(DiskKind::Hard, disk, "/drive_c");
        assert_eq!(disk.sector(0), table);
        let mut volume = Medium::new(length);
        for lba in 0..length {
            volume.set_sector(lba, &disk.sector(start + lba));
        }
        check("128 GB", &volume);
    }
}
