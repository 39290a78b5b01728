//! Random sequences of what sessions do, compared with a model, with an independent implementation of
//! FAT and with fsck.fat. `FAT_SEQUENCES=20000` makes it longer, `FAT_SEED=n` begins elsewhere.

use bumpalo::Bump;
use ftpsrv::block::{CacheSize, DiskKind};
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::{fsck, mkfs};
use sim::fat_model::{Op, Tree, read_tree};
use sim::rig::{Arena, Random, fetch, finish, list, path};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Small volumes of all kinds, some of them soon full.
fn volumes() -> Vec<Medium> {
    vec![
        mkfs(320, &["-F", "12", "-s", "1", "-r", "16"]),
        mkfs(2880, &["-F", "12"]),
        mkfs(2000, &["-F", "12", "-s", "4", "-f", "1"]),
        mkfs(4600, &["-F", "16", "-s", "1"]),
        mkfs(20_000, &["-F", "16", "-s", "4"]),
        mkfs(68_000, &["-F", "32", "-s", "1"]),
    ]
}

#[test]
fn random_sequences_do_what_the_model_does() {
    let (count, first) = (number("FAT_SEQUENCES", 2000), number("FAT_SEED", 1));
    let volumes = volumes();
    for seed in first..first + count {
        // Every tenth sequence goes on for long, and fsck.fat looks at it.
        let long = seed % 10 == 0;
        let mut random = Random(seed);
        let volume = &volumes[random.below(volumes.len())];
        let kilobytes = [5, 12, 32][random.below(3)];
        let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(volume.clone()))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let size = DrivesSize { cache: CacheSize::of(kilobytes * 1024), index: 128 };
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), size).unwrap();
        let mut tree = Tree::new();
        let mut log = Vec::new();
        for _ in 0..if long { 200 } else { 20 } {
            let op = Op::random(&mut random, if long { 20_000 } else { 6000 });
            one_step(&mut drives, &mut tree, &op, seed, &log);
            log.push(op);
        }
        drives.flush().unwrap();
        let medium = disks.medium(0);
        let theirs = read_tree(&medium).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(theirs == tree, "seed {seed}: trees differ");
        if long {
            assert_eq!(fsck(&medium), [""; 0], "seed {seed}");
        }
        compare(&mut drives, &tree, seed);
    }
}

fn one_step(drives: &mut Drives<'_>, tree: &mut Tree, op: &Op, seed: u64, log: &[Op]) {
    let before = tree.clone();
    let ours = op.run(drives, "/drive_c");
    if matches!(ours, Err(FsError::DiskFull | FsError::DirectoryFull)) {
        // The model has room without end: what was stored counts.
        *tree = before;
        for name in op.paths() {
            let full = path(&format!("/drive_c/{name}"));
            if matches!(op, Op::Store(..) | Op::Append(..) | Op::Resume(..))
                && finish(|| drives.attributes(&full)).is_ok()
            {
                let stored = fetch(drives, &format!("/drive_c/{name}"), 4096).unwrap();
                match op {
                    Op::Store(_, data, _) => assert!(data.starts_with(&stored), "seed {seed}"),
                    Op::Resume(_, offset, data, _) => {
                        let (old, new) = stored.split_at(*offset as usize);
                        let before = tree.get(name).cloned().flatten().unwrap_or_default();
                        assert!(before.starts_with(old), "seed {seed}");
                        assert!(data.starts_with(new) || new.starts_with(data), "seed {seed}");
                    }
                    _ => {
                        let old = tree.get(name).cloned().flatten().unwrap_or_default();
                        assert!(stored.starts_with(&old), "seed {seed}");
                    }
                }
                tree.insert(name.to_owned(), Some(stored));
            }
        }
        return;
    }
    let model = op.apply(tree);
    assert_eq!(ours, model, "seed {seed}, step {}: {:?} {:?}", log.len(), op.paths(), op);
}

/// What our own reading says of the same volume.
fn compare(drives: &mut Drives<'_>, tree: &Tree, seed: u64) {
    let mut count = 0;
    let mut waiting = vec![String::new()];
    while let Some(directory) = waiting.pop() {
        for entry in list(drives, &format!("/drive_c/{directory}")).unwrap() {
            let name = format!("{directory}{}", entry.name);
            count += 1;
            match tree.get(&name) {
                Some(None) => waiting.push(format!("{name}/")),
                Some(Some(content)) => {
                    let ours = fetch(drives, &format!("/drive_c/{name}"), 8192).unwrap();
                    assert!(ours == *content, "seed {seed}: {name}");
                }
                None => panic!("seed {seed}: {name} should not be there"),
            }
        }
    }
    assert_eq!(count, tree.len(), "seed {seed}");
}
