//! Mounting a volume: a sound one with bytes changed, or a disk of the input alone. Nothing panics or
//! goes on for ever, and garbage is not written.
//! The first byte chooses the disk; then follow changes of five bytes each (sector, offset, value, little
//! endian), or the disk's first sectors.
#![no_main]

use std::sync::LazyLock;

use bumpalo::Bump;
use ftpsrv::block::{DiskKind, SECTOR};
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::{Drives, DrivesSize, Provider};
use libfuzzer_sys::fuzz_target;
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::mkfs;
use sim::rig::{APPEND, Arena, STORE, fetch, finish, list, make_dir, remove, store};

const SIZE: DrivesSize = DrivesSize::of(16 * 1024);

/// Each with a directory and two files, by sector.
static VOLUMES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    [
        (720, ["-F", "12", "-s", "1"]),
        (4600, ["-F", "16", "-s", "1"]),
        (68_000, ["-F", "32", "-s", "1"]),
    ]
    .into_iter()
    .map(|(sectors, options)| {
        let disks = hard(mkfs(sectors, &options));
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).expect("memory");
        make_dir(&mut drives, "/drive_c/a").expect("a directory");
        for file in ["/drive_c/one", "/drive_c/a/two.txt"] {
            store(&mut drives, file, STORE, &[b'x'; 3000], 1024).expect("a file");
        }
        drives.flush().expect("a sound disk");
        let used = disks.medium(0).to_bytes();
        let end = used.iter().rposition(|&byte| byte != 0).map_or(0, |at| at / SECTOR + 1);
        used[..end * SECTOR].to_vec()
    })
    .collect()
});

fn hard(medium: Medium) -> SimDisks {
    SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))])
}

fn fill(sectors: u32, bytes: &[u8]) -> Medium {
    let mut medium = Medium::new(sectors);
    for (lba, piece) in bytes.chunks(SECTOR).enumerate().take(sectors as usize) {
        if piece.iter().any(|&byte| byte != 0) {
            let mut sector = [0; SECTOR];
            sector[..piece.len()].copy_from_slice(piece);
            medium.set_sector(lba as u32, &sector);
        }
    }
    medium
}

fuzz_target!(|input: &[u8]| {
    let [choice, rest @ ..] = input else { return };
    let kind = usize::from(choice % 4);
    let medium = match VOLUMES.get(kind) {
        None => fill(2000, rest),
        Some(volume) => {
            let mut bytes = volume.clone();
            for change in rest.chunks_exact(5) {
                let lba = usize::from(u16::from_le_bytes([change[0], change[1]]));
                let offset = usize::from(u16::from_le_bytes([change[2], change[3]])) % SECTOR;
                let sectors = bytes.len() / SECTOR;
                bytes[lba % sectors * SECTOR + offset] = change[4];
            }
            fill([720, 4600, 68_000][kind], &bytes)
        }
    };
    let disks = hard(medium);
    let before = (kind == 3).then(|| disks.medium(0).to_bytes());
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).expect("memory");
    for directory in ["/", "/drive_c", "/drive_c/a"] {
        let _ = list(&mut drives, directory);
    }
    let _ = fetch(&mut drives, "/drive_c/one", 4096);
    let _ = store(&mut drives, "/drive_c/a/two.txt", APPEND, &[1; 700], 512);
    let _ = store(&mut drives, "/drive_c/three", STORE, &[2; 2000], 512);
    let _ = remove(&mut drives, "/drive_c/one");
    let _ = finish(|| drives.space(Drive::new(b'C').expect("a letter")));
    for _ in 0..2000 {
        if !drives.work() {
            break;
        }
    }
    let mounted = Drive::new(b'C').is_some_and(|drive| drives.drives().contains(drive));
    let _ = drives.flush();
    drop(drives);
    if let Some(before) = before.filter(|_| !mounted) {
        assert!(disks.medium(0).to_bytes() == before, "garbage was written");
    }
});
