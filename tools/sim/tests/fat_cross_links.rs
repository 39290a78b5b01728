//! Files that share clusters because directory entries say so, and entries that name what is no file's:
//! found by the walk through all directories, before anything that is there is changed.

use bumpalo::Bump;
use ftpsrv::block::DiskKind;
use ftpsrv::fat::ReadOnly;
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::{fsck, mkfs};
use sim::fat_model::{Op, read_tree};
use sim::fat_tables::Tables;
use sim::rig::{
    APPEND, Arena, Random, STORE, finish, make_dir, path, remove, remove_dir, rename, store,
};

const SIZE: DrivesSize = DrivesSize::of(24 * 1024);

fn hard(medium: Medium) -> SimDisks {
    SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))])
}

fn reason(drives: &Drives<'_>) -> Option<ReadOnly> {
    drives.info(Drive::new(b'C').unwrap()).unwrap().volume.unwrap().read_only
}

/// Nothing that is on the volume is changed, whether the background work was done or not; the message
/// names one of these files. `readable`: the other implementation can read it, too.
fn is_kept(tables: &Tables, expected: ReadOnly, names: &str, readable: bool) {
    let before = readable.then(|| read_tree(&tables.medium).unwrap());
    for call in 0..7 {
        for at_once in [true, false] {
            let disks = hard(tables.medium.clone());
            let (bump, mut handle) = (Bump::new(), disks.clone());
            let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
            while !at_once && drives.work() {}
            // A new file may come before all is known. It takes nothing from the others.
            let new = store(&mut drives, "/drive_c/new", STORE, &[9; 5000], 4096);
            assert!(new == Err(FsError::ReadOnlyDisk) || (at_once && new.is_ok()), "{new:?}");
            let (drives, refused) = (&mut drives, Err(FsError::ReadOnlyDisk));
            let result = match call {
                0 => remove(drives, "/drive_c/a"),
                1 => store(drives, "/drive_c/b", STORE, b"x", 1),
                2 => store(drives, "/drive_c/a", APPEND, &[7; 2000], 512),
                3 => rename(drives, "/drive_c/a", "/drive_c/d/a"),
                4 => remove(drives, "/drive_c/b"),
                5 => remove_dir(drives, "/drive_c/d/e").map_err(|error| match error {
                    FsError::NotEmpty => FsError::ReadOnlyDisk,
                    other => other,
                }),
                _ => store(drives, "/drive_c/d/e/f", STORE, b"x", 1),
            };
            // Where directories go in a circle this makes a new file in one of them.
            let makes = call == 6 && at_once && names == "DE" && result.is_ok();
            assert!(result == refused || makes, "FAT{}, call {call}: {result:?}", tables.bits);
            while drives.work() {}
            assert_eq!(reason(drives), Some(expected), "FAT{}", tables.bits);
            let said: Vec<String> = std::iter::from_fn(|| drives.message())
                .map(|message| message.to_string())
                .collect();
            let culprit = said.iter().find(|text| text.contains("of another file")).unwrap();
            assert!(
                names.chars().any(|name| culprit.contains(&format!(": {name} has"))),
                "{said:?}"
            );
            drives.flush().unwrap();
            let after = Tables::of(disks.medium(0), tables.bits);
            for cluster in 2..500 {
                let (old, new) = (tables.link(cluster), after.link(cluster));
                assert!(old == 0 || old == new, "FAT{}: cluster {cluster}", tables.bits);
            }
            if let Some(before) = &before {
                let mut now = read_tree(&disks.medium(0)).unwrap();
                now.remove("NEW");
                assert!(now == *before, "FAT{}, call {call}", tables.bits);
            }
        }
    }
}

#[test]
fn two_entries_that_name_one_chain() {
    for mut tables in Tables::all() {
        let b = tables.first(b'B');
        tables.set_first(b'A', b);
        is_kept(&tables, ReadOnly::CrossLinked, "AB", true);
    }
}

#[test]
fn an_entry_that_names_the_middle_of_anothers_chain() {
    for mut tables in Tables::all() {
        let b = tables.first(b'B');
        tables.set_first(b'A', b + 7);
        is_kept(&tables, ReadOnly::CrossLinked, "AB", false);
    }
}

#[test]
fn a_file_far_down_that_names_anothers_chain() {
    for mut tables in Tables::all() {
        let a = tables.first(b'A');
        tables.set_first(b'F', a);
        is_kept(&tables, ReadOnly::CrossLinked, "AF", true);
    }
}

#[test]
fn a_directory_that_is_its_own_grandchild() {
    for mut tables in Tables::all() {
        let d = tables.first(b'D');
        tables.set_first(b'E', d);
        is_kept(&tables, ReadOnly::CrossLinked, "DE", false);
    }
}

#[test]
fn an_entry_that_names_a_cluster_past_the_end() {
    for mut tables in Tables::all() {
        tables.set_first(b'A', [0xF00, 0xF000, 0x00F0_0000][tables.bits as usize / 13]);
        is_kept(&tables, ReadOnly::Damaged, "A", false);
    }
}

#[test]
fn entries_and_chains_that_name_free_clusters() {
    for by_entry in [true, false] {
        for mut tables in Tables::all() {
            let free = (2..).find(|&cluster| tables.link(cluster) == 0).unwrap() + 100;
            assert_eq!(tables.link(free), 0);
            match by_entry {
                true => tables.set_first(b'A', free),
                false => {
                    let a = tables.first(b'A');
                    tables.set(&[0, 1], a + 5, free);
                }
            }
            let disks = hard(tables.medium.clone());
            let (bump, mut handle) = (Bump::new(), disks.clone());
            let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
            assert_eq!(remove(&mut drives, "/drive_c/a"), Err(FsError::ReadOnlyDisk));
            assert_eq!(reason(&drives), Some(ReadOnly::Damaged));
            assert_eq!(disks.counters(0).writes, 0);
        }
    }
}

#[test]
fn a_directory_that_cannot_be_read_forbids_nothing() {
    for tables in Tables::all() {
        let d = tables.first(b'D');
        let disks = hard(tables.medium.clone());
        let lba = (0..2000).find(|&lba| {
            let sector = tables.medium.sector(lba);
            sector[..11] == *b".          " && u32::from(sector[26]) == d
        });
        disks.with(0, |disk| disk.bad_reads.insert(lba.unwrap()));
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        remove(&mut drives, "/drive_c/a").unwrap();
        assert_eq!(reason(&drives), None);
    }
}

/// A volume with many directories: a new file need not wait until all of them are looked through, but
/// deleting does; and a volume without fault stays without.
#[test]
fn a_new_file_waits_for_the_table_alone() {
    let disks = hard(mkfs(68_000, &["-F", "32", "-s", "1"]));
    {
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        for number in 0..400 {
            make_dir(&mut drives, &format!("/drive_c/d{number}")).unwrap();
            store(&mut drives, &format!("/drive_c/d{number}/f"), STORE, &[1; 600], 600).unwrap();
        }
        drives.flush().unwrap();
    }
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let commands = || disks.counters(0).commands();
    let before = commands();
    let file = finish(|| drives.open(&path("/drive_c/new"), STORE)).unwrap();
    // In pieces of 6 sectors.
    let (opened, table) = (commands() - before, u64::from(68_000u32.div_ceil(128)).div_ceil(6));
    finish(|| drives.close(file)).unwrap();
    remove(&mut drives, "/drive_c/d7/f").unwrap();
    let removed = commands() - before;
    println!("first new file after {opened} commands, first delete after {removed}");
    assert!(opened <= 2 * table + 60 && removed > 3 * table + 400, "{opened}, {removed}, {table}");
    drives.flush().unwrap();
    assert_eq!(reason(&drives), None);
    assert_eq!(fsck(&disks.medium(0)), [""; 0]);
}

/// Whatever is done while the survey is under way, at whatever moment, it finds no fault where there is
/// none, and nothing is lost.
#[test]
fn nothing_is_found_on_a_sound_volume_that_is_written_meanwhile() {
    let tables = Tables::all();
    for seed in 0..150 {
        let mut random = Random(seed);
        let tables = &tables[seed as usize % tables.len()];
        let disks = hard(tables.medium.clone());
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        let mut tree = read_tree(&tables.medium).unwrap();
        for _ in 0..12 {
            for _ in 0..random.below(15) {
                drives.work();
            }
            let op = Op::random(&mut random, 8000);
            if random.below(3) == 0 {
                // An upload that is broken off.
                let name = format!("/drive_c/x{}", random.below(1000));
                if let Ok(file) = finish(|| drives.open(&path(&name), STORE)) {
                    let _ = finish(|| drives.write(file, 0, &[5; 3000]));
                    finish(|| drives.close(file)).unwrap();
                    let data = finish(|| drives.attributes(&path(&name))).unwrap().size as usize;
                    tree.insert(name[9..].to_uppercase(), Some(vec![5; data]));
                }
                continue;
            }
            assert_eq!(op.run(&mut drives, "/drive_c"), op.apply(&mut tree), "seed {seed}");
        }
        while drives.work() {}
        assert_eq!(reason(&drives), None, "seed {seed}");
        drives.flush().unwrap();
        assert_eq!(fsck(&disks.medium(0)), [""; 0], "seed {seed}");
        assert!(read_tree(&disks.medium(0)).unwrap() == tree, "seed {seed}");
    }
}
