//! The main road on all three kinds of FAT, checked by fsck.fat and mtools.

use bumpalo::Bump;
use ftpsrv::block::{CacheSize, DiskKind};
use ftpsrv::vfs::provider::Kind;
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{SimDisk, SimDisks};
use sim::fat_image::{fsck, mkfs, mtools};
use sim::rig::{
    APPEND, Arena, Random, STORE, fetch, list, make_dir, remove, remove_dir, rename, store,
};

const SIZE: DrivesSize = DrivesSize { cache: CacheSize::of(32 * 1024), index: 4096 };

fn kinds() -> [(&'static str, u32, Vec<&'static str>); 3] {
    [
        ("FAT12", 2880, vec!["-F", "12"]),
        ("FAT16", 40_000, vec!["-F", "16", "-s", "4"]),
        ("FAT32", 80_000, vec!["-F", "32", "-s", "1"]),
    ]
}

#[test]
fn everything_a_session_does() {
    for (kind, sectors, options) in kinds() {
        let medium = mkfs(sectors, &options);
        let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        let mut random = Random(1);
        let (small, large) = (random.bytes(1234), random.bytes(300_000));

        store(&mut drives, "/drive_c/small.txt", STORE, &small, 512).unwrap();
        store(&mut drives, "/drive_c/large.bin", STORE, &large, 16_384).unwrap();
        store(&mut drives, "/drive_c/small.txt", APPEND, &large[..9999], 1000).unwrap();
        make_dir(&mut drives, "/drive_c/sub").unwrap();
        make_dir(&mut drives, "/drive_c/sub/deep").unwrap();
        assert_eq!(make_dir(&mut drives, "/drive_c/sub"), Err(FsError::Exists));
        for number in 0..100 {
            let name = format!("/drive_c/sub/f{number}.dat");
            store(&mut drives, &name, STORE, &small[..number], 100).unwrap();
        }
        rename(&mut drives, "/drive_c/sub/f7.dat", "/drive_c/sub/seven").unwrap();
        rename(&mut drives, "/drive_c/sub/f8.dat", "/drive_c/sub/deep/eight").unwrap();
        rename(&mut drives, "/drive_c/sub/deep", "/drive_c/moved").unwrap();
        assert_eq!(rename(&mut drives, "/drive_c/moved", "/drive_c/sub"), Err(FsError::Exists));
        assert_eq!(remove_dir(&mut drives, "/drive_c/sub"), Err(FsError::NotEmpty));
        remove(&mut drives, "/drive_c/sub/f9.dat").unwrap();
        assert_eq!(fetch(&mut drives, "/drive_c/sub/f9.dat", 99), Err(FsError::NotFound));
        make_dir(&mut drives, "/drive_c/gone").unwrap();
        remove_dir(&mut drives, "/drive_c/gone").unwrap();
        store(&mut drives, "/drive_c/over", STORE, &large, 8192).unwrap();
        store(&mut drives, "/drive_c/over", STORE, &small, 8192).unwrap();

        let expected = [&small[..], &large[..9999]].concat();
        assert_eq!(fetch(&mut drives, "/drive_c/small.txt", 700).unwrap(), expected, "{kind}");
        assert_eq!(fetch(&mut drives, "/drive_c/large.bin", 16_384).unwrap(), large, "{kind}");
        assert_eq!(fetch(&mut drives, "/drive_c/over", 16_384).unwrap(), small, "{kind}");
        assert_eq!(fetch(&mut drives, "/drive_c/moved/eight", 4096).unwrap(), &small[..8]);
        assert_eq!(fetch(&mut drives, "/drive_c/sub/seven", 3).unwrap(), &small[..7]);
        let names = list(&mut drives, "/drive_c/sub").unwrap();
        assert_eq!(names.len(), 98, "{kind}");
        assert!(names.iter().all(|entry| entry.attributes.kind == Kind::File));
        assert_eq!(list(&mut drives, "/").unwrap().len(), 1);

        drives.flush().unwrap();
        let medium = disks.medium(0);
        assert_eq!(fsck(&medium), [""; 0], "{kind}");
        let (_, theirs) = mtools(&medium, "mtype", &["::/large.bin"]);
        assert!(theirs == large, "{kind}: mtools reads something else");
        let (_, theirs) = mtools(&medium, "mtype", &["::/moved/eight"]);
        assert!(theirs == small[..8]);
    }
}
