//! What the survey before a volume's first write finds, and what comes of it: copies of the table that
//! differ, cross-links, numbers that are no clusters, tables that cannot be read.

use bumpalo::Bump;
use ftpsrv::block::DiskKind;
use ftpsrv::fat::ReadOnly;
use ftpsrv::memory::{Memory, OutOfMemory};
use ftpsrv::time::DateTime;
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::fsck;
use sim::fat_tables::Tables;
use sim::rig::{APPEND, Arena, Random, STORE, fetch, make_dir, remove, rename, store};

const SIZE: DrivesSize = DrivesSize::of(24 * 1024);

fn hard(medium: Medium) -> SimDisks {
    SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))])
}

fn with_drives<T>(disks: &SimDisks, act: impl FnOnce(&mut Drives<'_>) -> T) -> T {
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    act(&mut drives)
}

/// So little memory that only 8,192 clusters are looked at in one pass.
struct Little<'a>(Arena<'a>);

impl<'a> Memory<'a> for Little<'a> {
    fn slots<T: 'a>(
        &mut self,
        purpose: &'static str,
        count: usize,
        make: impl FnMut(usize) -> T,
    ) -> Result<&'a mut [T], OutOfMemory> {
        self.0.slots(purpose, count, make)
    }

    fn free(&self) -> usize {
        0
    }
}

fn reason(drives: &Drives<'_>) -> Option<ReadOnly> {
    drives.info(Drive::new(b'C').unwrap()).unwrap().volume.unwrap().read_only
}

fn messages(drives: &mut Drives<'_>) -> String {
    std::iter::from_fn(|| drives.message()).map(|message| format!("{message}\n")).collect()
}

/// No call that would write gets anywhere, reading does, and not a sector is written; also when the first
/// call comes before any background work.
fn is_not_written(tables: &Tables, expected: ReadOnly, text: &str) {
    for at_once in [true, false] {
        let disks = hard(tables.medium.clone());
        with_drives(&disks, |drives| {
            if !at_once {
                while drives.work() {}
                assert_eq!(reason(drives), Some(expected), "FAT{}", tables.bits);
            }
            let refused = Err(FsError::ReadOnlyDisk);
            assert_eq!(remove(drives, "/drive_c/a"), refused, "FAT{}", tables.bits);
            assert_eq!(store(drives, "/drive_c/x", STORE, b"x", 1), refused);
            assert_eq!(store(drives, "/drive_c/b", STORE, b"x", 1), refused);
            assert_eq!(store(drives, "/drive_c/c", APPEND, b"x", 1), refused);
            assert_eq!(make_dir(drives, "/drive_c/g"), refused);
            assert_eq!(rename(drives, "/drive_c/a", "/drive_c/e"), refused);
            assert_eq!(reason(drives), Some(expected), "FAT{}", tables.bits);
            let said = messages(drives);
            assert_eq!(said.matches(text).count(), 1, "{said}");
            assert_eq!(fetch(drives, "/drive_c/c", 512).unwrap(), Random(100).bytes(100));
            drives.flush().unwrap();
        });
        assert_eq!(disks.counters(0).writes, 0, "FAT{}", tables.bits);
    }
}

#[test]
fn copies_that_differ_on_a_closed_volume_forbid_writing() {
    for mut tables in Tables::all() {
        let last = if tables.bits == 32 { 60_000 } else { 600 };
        tables.set(&[1], last, 5);
        is_not_written(&tables, ReadOnly::CopiesDiffer, "allocation tables differ");
    }
}

#[test]
fn a_table_that_does_not_begin_as_one_forbids_writing() {
    for mut tables in Tables::all() {
        for copy in [0, 1] {
            let lba = tables.reserved + copy * tables.length;
            let mut sector = tables.medium.sector(lba);
            // The media byte.
            sector[0] = 0;
            tables.medium.set_sector(lba, &sector);
        }
        is_not_written(&tables, ReadOnly::Damaged, "damaged");
    }
}

#[test]
fn an_old_second_copy_of_a_volume_in_use_is_renewed() {
    for mut tables in Tables::all() {
        let c = tables.first(b'C');
        tables.set_in_use();
        tables.set(&[1], c, 0);
        assert!(fsck(&tables.medium).iter().any(|line| line.starts_with("FATs differ")));
        let disks = hard(tables.medium.clone());
        with_drives(&disks, |drives| {
            store(drives, "/drive_c/x", STORE, b"x", 1).unwrap();
            while drives.work() {}
            let said = messages(drives);
            assert_eq!(said.matches("renewed from the first").count(), 1, "{said}");
            assert_eq!(reason(drives), None);
            drives.flush().unwrap();
        });
        let found = fsck(&disks.medium(0));
        assert!(!found.iter().any(|line| line.starts_with("FATs differ")), "{found:?}");
    }
}

#[test]
fn a_second_copy_that_cannot_be_renewed_forbids_writing() {
    for mut tables in Tables::all() {
        let c = tables.first(b'C');
        tables.set_in_use();
        tables.set(&[1], c, 0);
        let second = tables.reserved + tables.length;
        let disks = hard(tables.medium.clone());
        disks.with(0, |disk| disk.bad_writes.extend(second..second + tables.length));
        with_drives(&disks, |drives| {
            assert_eq!(remove(drives, "/drive_c/a"), Err(FsError::ReadOnlyDisk));
            assert_eq!(reason(drives), Some(ReadOnly::WriteFailed));
            assert_eq!(fetch(drives, "/drive_c/a", 4096).unwrap().len(), 10_000);
        });
        assert!(disks.medium(0).to_bytes() == tables.medium.to_bytes());
    }
}

#[test]
fn cross_linked_files_are_not_freed() {
    for mut tables in Tables::all() {
        let (a, b) = (tables.first(b'A'), tables.first(b'B'));
        // The files lie in one piece each: A's fourth cluster now leads to B's sixth.
        tables.set(&[0, 1], a + 3, b + 5);
        is_not_written(&tables, ReadOnly::CrossLinked, "cross-linked");
    }
}

#[test]
fn a_number_past_the_last_cluster_forbids_writing() {
    for mut tables in Tables::all() {
        let (a, beyond) = (tables.first(b'A'), [0xF00, 0xFF00, 0x00FF_FF00]);
        tables.set(
            &[0, 1],
            a + 3,
            beyond[[12, 16, 32].iter().position(|&b| b == tables.bits).unwrap()],
        );
        is_not_written(&tables, ReadOnly::Damaged, "damaged");
    }
}

#[test]
fn a_bad_cluster_is_no_damage_and_is_left_alone() {
    for mut tables in Tables::all() {
        tables.set(&[0, 1], 100, 0x0FFF_FFF7);
        let disks = hard(tables.medium.clone());
        with_drives(&disks, |drives| {
            let all = Random(1).bytes(40_000);
            store(drives, "/drive_c/x", STORE, &all, 4096).unwrap();
            assert!(fetch(drives, "/drive_c/x", 4096).unwrap() == all);
            drives.flush().unwrap();
            assert_eq!(reason(drives), None);
        });
        assert_eq!(fsck(&disks.medium(0)), [""; 0]);
    }
}

#[test]
fn a_table_that_cannot_be_read_forbids_writing() {
    for tables in Tables::all() {
        for copy in [0, 1] {
            let lba = tables.reserved + copy * tables.length + 1;
            let disks = hard(tables.medium.clone());
            disks.with(0, |disk| disk.bad_reads.insert(lba));
            with_drives(&disks, |drives| {
                assert_eq!(remove(drives, "/drive_c/a"), Err(FsError::ReadOnlyDisk));
                assert_eq!(reason(drives), Some(ReadOnly::TableUnreadable));
                assert_eq!(fetch(drives, "/drive_c/c", 512).unwrap().len(), 100);
                while drives.work() {}
            });
            assert_eq!(disks.counters(0).writes, 0);
        }
    }
}

/// FAT16 and FAT32 volumes whose clusters do not fit in the bitmap, with A and B in the fifth and the ninth of the
/// parts that do: A's fourth cluster leads to B's cluster `into`.
fn cross_linked_beyond_the_bitmap(into: u32) -> [Tables; 2] {
    [(36_000, 16, 34_000), (68_000, 32, 66_000)].map(|(sectors, bits, a)| {
        let mut tables = Tables::new(sectors, bits);
        let b = a + 100;
        for (name, first) in [(b'A', a), (b'B', b)] {
            for cluster in first..first + 19 {
                tables.set(&[0, 1], cluster, cluster + 1);
            }
            tables.set(&[0, 1], first + 19, 0x0FFF_FFFF);
            let old = tables.first(name);
            for cluster in old..old + 20 {
                tables.set(&[0, 1], cluster, 0);
            }
            tables.set_first(name, first);
        }
        tables.set(&[0, 1], a + 3, b + into);
        tables
    })
}

#[test]
fn further_passes_find_cross_links_when_the_volume_is_closed() {
    for (tables, written) in cross_linked_beyond_the_bitmap(5)
        .iter()
        .flat_map(|tables| [(tables, false), (tables, true)])
    {
        let disks = hard(tables.medium.clone());
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Little(Arena(&bump)), SIZE).unwrap();
        if written {
            store(&mut drives, "/drive_c/x", STORE, b"x", 1).unwrap();
        }
        for second in 0..9 {
            drives.set_time(DateTime { second, ..DateTime::EPOCH });
            while drives.work() {}
        }
        assert_eq!(reason(&drives), Some(ReadOnly::CrossLinked), "FAT{}", tables.bits);
        assert!(messages(&mut drives).contains("cross-linked"));
        assert_eq!(remove(&mut drives, "/drive_c/a"), Err(FsError::ReadOnlyDisk));
    }
}

#[test]
fn a_chain_that_runs_into_another_is_not_freed_where_several_passes_find_it() {
    // Longer than A's size says; shorter.
    for (call, into) in [(0, 2), (1, 2), (0, 5), (1, 5)] {
        for tables in cross_linked_beyond_the_bitmap(into) {
            let disks = hard(tables.medium.clone());
            let (bump, mut handle) = (Bump::new(), disks.clone());
            let mut drives = Drives::new(&mut handle, &mut Little(Arena(&bump)), SIZE).unwrap();
            let result = match call {
                0 => remove(&mut drives, "/drive_c/a"),
                _ => store(&mut drives, "/drive_c/a", STORE, b"new", 3),
            };
            assert_eq!(result, Err(FsError::ReadOnlyDisk), "FAT{}", tables.bits);
            drives.flush().unwrap();
            assert_eq!(reason(&drives), Some(ReadOnly::CrossLinked));
            assert!(disks.medium(0).to_bytes() == tables.medium.to_bytes());
        }
    }
}

#[test]
fn two_entries_that_name_one_chain_are_found_where_several_passes_look() {
    for mut tables in cross_linked_beyond_the_bitmap(5) {
        // A's first four clusters are lost, and the others, too: the table is sound.
        let (a, b) = (tables.first(b'A'), tables.first(b'B'));
        tables.set(&[0, 1], a + 3, 0x0FFF_FFFF);
        tables.set_first(b'A', b);
        let disks = hard(tables.medium.clone());
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Little(Arena(&bump)), SIZE).unwrap();
        assert_eq!(remove(&mut drives, "/drive_c/a"), Err(FsError::ReadOnlyDisk));
        let said = messages(&mut drives);
        assert!(said.contains("of another file") && said.contains("cross-linked"), "{said}");
        assert!(disks.medium(0).to_bytes() == tables.medium.to_bytes());
    }
}

#[test]
fn a_sound_volume_is_changed_where_several_passes_look() {
    for tables in [Tables::new(36_000, 16), Tables::new(68_000, 32)] {
        let disks = hard(tables.medium.clone());
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Little(Arena(&bump)), SIZE).unwrap();
        remove(&mut drives, "/drive_c/a").unwrap();
        assert_eq!(messages(&mut drives), "");
        drives.flush().unwrap();
        assert_eq!(fsck(&disks.medium(0)), [""; 0]);
    }
}
