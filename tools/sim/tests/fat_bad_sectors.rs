//! Each sector that a session's work writes cannot be written, one after another, on FAT12, FAT16 and FAT32:
//! whoever is told that something is done finds it done when the PC is switched on again, or the
//! administrator has been told why not.

use std::collections::BTreeSet;

use bumpalo::Bump;
use ftpsrv::block::{CacheSize, DiskKind};
use ftpsrv::time::DateTime;
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::mkfs;
use sim::fat_model::{Op, Tree};
use sim::rig::{Arena, Random, fetch, finish, list, path};

const SIZE: DrivesSize = DrivesSize { cache: CacheSize::of(16 * 1024), index: 256 };

fn ops() -> Vec<Op> {
    let mut random = Random(3);
    let name = str::to_owned;
    vec![
        Op::Store(name("OLD"), random.bytes(9_000), 4096),
        Op::MakeDir(name("SUB")),
        Op::Store(name("SUB/SHORT"), random.bytes(100), 4096),
        Op::Store(name("SUB/LONG"), random.bytes(30_000), 4096),
        Op::Append(name("OLD"), random.bytes(3_000), 1000),
        Op::Resume(name("SUB/LONG"), 10_100, random.bytes(1_000), 1000),
        Op::Rename(name("OLD"), name("SUB/NEW")),
        Op::Store(name("GONE"), random.bytes(5_000), 4096),
        Op::Store(name("SUB/SHORT"), random.bytes(700), 512),
        Op::Remove(name("GONE")),
        Op::MakeDir(name("SUB/EMPTY")),
        Op::RemoveDir(name("SUB/EMPTY")),
    ]
}

/// What came of each operation, and whether anything was said.
struct Outcome {
    medium: Medium,
    written: BTreeSet<u32>,
    results: Vec<Result<(), FsError>>,
    said: bool,
    flushed: bool,
    read_only: bool,
}

fn run(start: &Medium, ops: &[Op], bad: Option<u32>) -> Outcome {
    let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(start.clone()))]);
    disks.with(0, |disk| disk.bad_writes.extend(bad));
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let mut results = Vec::new();
    for (op, second) in ops.iter().zip(0..) {
        results.push(op.run(&mut drives, "/drive_c"));
        drives.set_time(DateTime { second, ..DateTime::EPOCH });
        for _ in 0..20 {
            drives.work();
        }
    }
    let flushed = drives.flush().is_ok();
    let said = std::iter::from_fn(|| drives.message()).count() > 0;
    let volume = drives.info(Drive::new(b'C').unwrap()).unwrap().volume.unwrap();
    let written = disks.with(0, |disk| std::mem::take(&mut disk.written));
    Outcome {
        medium: disks.medium(0),
        written,
        results,
        said,
        flushed,
        read_only: volume.read_only.is_some(),
    }
}

/// All that is on the volume, as our own server reads it.
fn read(medium: &Medium) -> Tree {
    let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium.clone()))]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let (mut tree, mut waiting) = (Tree::new(), vec![String::new()]);
    while let Some(directory) = waiting.pop() {
        for entry in list(&mut drives, &format!("/drive_c/{directory}")).unwrap() {
            let name = format!("{directory}{}", entry.name);
            let place = path(&format!("/drive_c/{name}"));
            match finish(|| drives.attributes(&place)).unwrap().kind {
                ftpsrv::vfs::provider::Kind::Directory => {
                    waiting.push(format!("{name}/"));
                    tree.insert(name, None);
                }
                ftpsrv::vfs::provider::Kind::File => {
                    let content = fetch(&mut drives, &format!("/drive_c/{name}"), 4096);
                    tree.insert(name, Some(content.unwrap()));
                }
            }
        }
    }
    tree
}

#[test]
fn no_sector_that_fails_is_lost_silently() {
    for (kind, medium) in [
        ("FAT12", mkfs(1440, &["-F", "12", "-s", "1"])),
        ("FAT16", mkfs(4600, &["-F", "16", "-s", "1"])),
        ("FAT32", mkfs(68_000, &["-F", "32", "-s", "1"])),
    ] {
        let ops = ops();
        let sound = run(&medium, &ops, None);
        assert!(sound.results.iter().all(Result::is_ok) && sound.flushed && !sound.said);
        let written = sound.written;
        assert!(written.len() > 100, "{kind}: {}", written.len());
        let mut heard = [0; 2];
        for &bad in &written {
            let label = format!("{kind}, sector {bad}");
            let outcome = run(&medium, &ops, Some(bad));
            let failed = outcome.results.iter().filter(|result| result.is_err()).count();
            assert!(failed > 0 || outcome.said || !outcome.flushed, "{label}: nobody hears of it");
            let mut tree = Tree::new();
            // What an operation touched that failed may be old, new or a part, until it is stored anew.
            let mut unsure: Vec<&str> = Vec::new();
            for (op, result) in ops.iter().zip(&outcome.results) {
                let is_stored = matches!(op, Op::Store(..)) && result.is_ok();
                let model = op.apply(&mut tree);
                unsure.retain(|path| !(is_stored && op.paths().contains(path)));
                let follows = op.paths().iter().any(|path| unsure.contains(path));
                if result.is_err() || (follows && !is_stored) {
                    unsure.extend(op.paths());
                } else {
                    assert!(model.is_ok(), "{label}: {:?} should fail, {model:?}", op.paths());
                }
            }
            let found = read(&outcome.medium);
            for (name, content) in &tree {
                let is_unsure = unsure.iter().any(|path| name.starts_with(path));
                assert!(is_unsure || found.get(name) == Some(content), "{label}: {name}");
            }
            for name in found.keys() {
                let is_unsure = unsure.iter().any(|path| name.starts_with(path));
                assert!(is_unsure || tree.contains_key(name), "{label}: {name} is there");
            }
            assert!(!outcome.read_only || outcome.said, "{label}: it is not said");
            heard[usize::from(failed == 0)] += 1;
        }
        println!(
            "{kind}: {} sectors failed; told to clients, to the console alone: {heard:?}",
            written.len()
        );
    }
}
