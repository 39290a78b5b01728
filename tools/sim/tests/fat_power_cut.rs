//! The power goes after every single sector write, on FAT12, FAT16 and FAT32, with and without a
//! write cache in the drive. What was finished is there, other files are untouched, and fsck.fat
//! finds lost clusters at worst (or what no order of single-sector writes can avoid: [`may_find`]).
//!
//! A sample of the cuts is tried here; all of them with
//! `cargo test -p sim --test fat_power_cut -- --ignored`.

use bumpalo::Bump;
use ftpsrv::block::{CacheSize, DiskKind};
use ftpsrv::fat::ReadOnly;
use ftpsrv::time::DateTime;
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::{Drives, DrivesSize, Provider};
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::{TempFile, fsck, mkfs, mtools};
use sim::fat_model::{Op, Tree, read_tree};
use sim::rig::{Arena, Random};

const SIZE: DrivesSize = DrivesSize { cache: CacheSize::of(16 * 1024), index: 256 };

fn volumes() -> Vec<(&'static str, Medium)> {
    vec![
        ("FAT12", mkfs(1440, &["-F", "12", "-s", "1"])),
        ("FAT16", mkfs(4600, &["-F", "16", "-s", "1"])),
        ("FAT32", mkfs(68_000, &["-F", "32", "-s", "1"])),
    ]
}

fn name(text: &str) -> String {
    text.to_owned()
}

/// Long names that another system gave, and the short ones beside them. One lies across two sectors.
const LONG: [(&str, &str); 2] = [
    ("A name of three pieces, long.txt", "ANAMEO~1.TXT"),
    (
        "The longest name that there is here goes on and on, from one sector of the directory into the next \
         one, whatever there is before it, because it takes more pieces than there is room for.txt",
        "THELON~1.TXT",
    ),
];

/// The volume with a file for each of [`LONG`], made by mtools.
fn with_long_names(medium: &Medium, content: &[u8]) -> Medium {
    let file = TempFile::new();
    std::fs::write(file.path(), content).unwrap();
    LONG.iter().fold(medium.clone(), |medium, (long, _)| {
        let source = file.path().to_str().unwrap();
        mtools(&medium, "mcopy", &[source, &format!("::/{long}")]).0
    })
}

/// What every scenario begins with: files that nobody touches any more, and some to be changed.
fn beginning(random: &mut Random) -> Vec<Op> {
    vec![
        Op::Store(name("KEEP.BIN"), random.bytes(20_000), 4096),
        Op::MakeDir(name("SUB")),
        Op::Store(name("SUB/KEEP2"), random.bytes(700), 4096),
        Op::Store(name("OLD"), random.bytes(9_000), 4096),
        Op::MakeDir(name("SUB/DEEP")),
        Op::Store(name("SUB/DEEP/KEEP3"), random.bytes(5_000), 4096),
        Op::MakeDir(name("EMPTY")),
    ]
}

fn scenarios(random: &mut Random) -> Vec<(&'static str, Vec<Op>)> {
    let fill = |random: &mut Random| {
        let files = 0..20;
        files.map(|n| Op::Store(format!("SUB/F{n}"), random.bytes(n * 100), 512)).collect()
    };
    let mixed = |random: &mut Random, count, longest| -> Vec<Op> {
        (0..count).map(|_| Op::random(random, longest)).collect()
    };
    let directories: Vec<Op> =
        ["A", "B", "A/C", "A/C/D"].map(|path| Op::MakeDir(name(path))).to_vec();
    vec![
        ("upload", vec![Op::Store(name("NEW.BIN"), random.bytes(30_000), 4096)]),
        ("append", vec![Op::Append(name("OLD"), random.bytes(7_000), 2048)]),
        ("append little", vec![Op::Append(name("OLD"), random.bytes(100), 100)]),
        ("long name goes", vec![Op::Remove(name(LONG[0].1)), Op::Remove(name(LONG[1].1))]),
        (
            "long name renamed",
            vec![
                Op::Rename(name(LONG[0].1), name("SHORT.ONE")),
                Op::Rename(name(LONG[1].1), name("SHORT.TWO")),
            ],
        ),
        (
            "long name moved",
            vec![
                Op::Rename(name(LONG[0].1), name("SUB/SHORT.ONE")),
                Op::Rename(name(LONG[1].1), name("SUB/SHORT.TWO")),
            ],
        ),
        ("resume", vec![Op::Resume(name("OLD"), 9_000, random.bytes(7_000), 2048)]),
        ("write in the middle", vec![Op::Resume(name("OLD"), 3_000, random.bytes(9_000), 2048)]),
        ("overwrite", vec![Op::Store(name("OLD"), random.bytes(12_000), 4096)]),
        ("delete", vec![Op::Remove(name("OLD")), Op::Remove(name("SUB/KEEP2"))]),
        ("rename", vec![Op::Rename(name("OLD"), name("NEWNAME.X"))]),
        ("move", vec![Op::Rename(name("OLD"), name("SUB/OLD"))]),
        ("move directory", vec![Op::Rename(name("SUB/DEEP"), name("DEEP"))]),
        ("mkdir", vec![Op::MakeDir(name("M")), Op::MakeDir(name("M/N"))]),
        ("rmdir", vec![Op::RemoveDir(name("EMPTY"))]),
        ("directory grows", fill(random)),
        ("mixed", mixed(random, 40, 5_000)),
        ("mixed with directories", [directories.clone(), mixed(random, 70, 9_000)].concat()),
        ("mixed, small files", [directories, mixed(random, 100, 900)].concat()),
    ]
}

/// A state of a run: what is on the volume when so many operations are done.
struct Run {
    medium: Medium,
    done: usize,
}

/// Runs the operations from `start` until the power goes after `cut` sectors.
fn run(
    start: &Medium,
    ops: &[Op],
    cut: Option<u64>,
    cached: bool,
    dice: &mut Random,
) -> (Run, u64) {
    let mut disk = SimDisk::new(DiskKind::Hard, Some(start.clone()));
    if cached {
        disk = disk.with_write_cache();
    }
    disk.cut_after = cut;
    let disks = SimDisks::new(vec![disk]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    let mut done = 0;
    for op in ops {
        let _ = op.run(&mut drives, "/drive_c");
        if disks.with(0, |disk| disk.is_dead()) {
            break;
        }
        // Background work between the operations, as the server's poll loop does it.
        for _ in 0..5 {
            drives.work();
        }
        if disks.with(0, |disk| disk.is_dead()) {
            done += 1;
            break;
        }
        done += 1;
    }
    if !disks.with(0, |disk| disk.is_dead()) {
        let _ = drives.flush();
    }
    let written = disks.counters(0).sectors_written;
    let medium = disks.with(0, |disk| disk.after_cut(|versions| dice.below(versions)));
    (Run { medium, done }, written)
}

/// What fsck.fat may say after a cut: that the volume was in use, lost clusters, a table copy that is
/// older, and no count of free clusters.
fn is_harmless(line: &str) -> bool {
    [
        "Dirty bit is set",
        " Automatically removing dirty bit",
        "FATs differ but appear to be intact",
        "  Using first FAT",
        "Reclaimed ",
        "Free cluster summary uninitialized",
        "  Auto-correcting",
        "  Automatically ",
        "Leaving filesystem unchanged",
        "exit status",
        "There are differences between boot sector and its backup",
        "This is mostly harmless",
        "  65:",
        "  Not automatically fixing this",
    ]
    .iter()
    .any(|start| line.starts_with(start))
}

/// A FAT12 entry that lies across two sectors may have been written by half; fsck.fat counts from 0.
fn is_torn_entry(line: &str) -> bool {
    let number = line.strip_prefix("Cluster ").and_then(|rest| rest.split_once(" out of range"));
    let cluster = number.and_then(|(number, _)| number.parse::<u32>().ok());
    cluster.is_some_and(|cluster| (cluster + 2) * 3 / 2 % 512 == 511)
}

/// What no order of sector writes can avoid, for the operation under way alone: between the two
/// sectors of an appended file's table and entry it owns more clusters than its size says; between the
/// two directories of a move both name it; between the two sectors of a long name one half of it is left.
fn may_find(line: &str, op: Option<&Op>) -> bool {
    let half_a_name = [
        "Orphaned long file name part",
        "  Auto-deleting.",
        "Long filename fragment",
        "  (Maybe the start bit is missing",
        "  Not auto-correcting this.",
    ];
    if matches!(op, Some(Op::Remove(name) | Op::Rename(name, _)) if *name == LONG[1].1)
        && half_a_name.iter().any(|start| line.starts_with(start))
    {
        return true;
    }
    match op {
        Some(Op::Append(..) | Op::Resume(..)) => {
            let line = line.trim_start();
            line.starts_with("File size is") && line.contains("cluster chain length is > ")
                || line.starts_with("Truncating file to")
                || op.is_some_and(|op| op.paths().iter().any(|path| line.ends_with(path)))
        }
        Some(op) if op.is_move() => {
            let line = line.trim_start();
            line.starts_with('/')
                || line == "and"
                || line.starts_with("share clusters.")
                || line.starts_with("Truncating")
                || line.starts_with("File size is")
                || line.starts_with("Invalid '..' entry")
        }
        _ => false,
    }
}

/// Entries of a FAT12 table that lie across two sectors: cluster, and the table's sector that it begins in.
fn entries_across_sectors(table_sectors: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..table_sectors - 1).filter_map(|sector| {
        let at = sector * 512 + 511;
        let cluster = at * 2 / 3;
        [cluster, cluster + 1].into_iter().find(|c| c * 3 / 2 == at).map(|c| (c, sector))
    })
}

/// Whether all that keeps a volume from being written is one entry of its FAT12 table that lies across two
/// sectors, of which one was written when the power went: half of what is there is still, or already, a free
/// entry's or an end's, and with an end in its place the volume is written.
fn is_half_an_entry(medium: &Medium, reason: ReadOnly) -> bool {
    let boot = medium.sector(0);
    let (reserved, length) = (u32::from(boot[14]), u32::from(boot[22]));
    boot[54..59] == *b"FAT12"
        && matches!(reason, ReadOnly::Damaged | ReadOnly::CrossLinked)
        && entries_across_sectors(length).any(|(cluster, sector)| {
            let (lba, own) = (reserved + sector, if cluster % 2 == 1 { 0xFFF0 } else { 0x0FFF });
            let (mut low, mut high) = (medium.sector(lba), medium.sector(lba + 1));
            let both = u16::from_le_bytes([low[511], high[0]]);
            let halves = [0x00FF, 0xFF00].map(|half| half & own);
            let is_half = halves.iter().any(|half| both & half == 0 || both & half == *half);
            [low[511], high[0]] = (both | own).to_le_bytes();
            let mut mended = medium.clone();
            mended.set_sector(lba, &low);
            mended.set_sector(lba + 1, &high);
            is_half && both & own != own && served_again(&mended).is_none()
        })
}

/// A file that is written over in place has each byte of one of both, and one of their lengths.
fn is_mixture(
    content: &Option<Vec<u8>>,
    old: Option<&Option<Vec<u8>>>,
    new: Option<&Option<Vec<u8>>>,
) -> bool {
    let (Some(content), Some(Some(old)), Some(Some(new))) = (content, old, new) else {
        return false;
    };
    let of_both = |(at, byte): (usize, &u8)| old.get(at) == Some(byte) || new.get(at) == Some(byte);
    (content.len() == old.len() || content.len() == new.len())
        && content.iter().enumerate().all(of_both)
}

fn check(label: &str, state: &Run, trees: &[Tree], ops: &[Op]) {
    let op = ops.get(state.done);
    for line in fsck(&state.medium) {
        assert!(
            is_harmless(&line) || is_torn_entry(&line) || may_find(&line, op),
            "{label}, {:?}: fsck.fat says {:?}",
            op.map(Op::paths),
            fsck(&state.medium)
        );
    }
    let tree = read_tree(&state.medium).unwrap_or_else(|error| panic!("{label}: {error}"));
    let (before, after) =
        (&trees[state.done], trees.get(state.done + 1).unwrap_or(&trees[state.done]));
    let touched: Vec<&str> = op.map(Op::paths).unwrap_or_default();
    let is_touched = |path: &str| {
        touched.iter().any(|name| path == *name || path.starts_with(&format!("{name}/")))
    };
    for (path, content) in before {
        if !is_touched(path) {
            assert!(
                tree.get(path) == Some(content),
                "{label}: {path} is not as it was, {touched:?}"
            );
        }
    }
    let resumed = |path: &str, content: &Option<Vec<u8>>| {
        matches!(op, Some(Op::Resume(..)))
            && is_touched(path)
            && is_mixture(content, before.get(path), after.get(path))
    };
    for (path, content) in &tree {
        let old = before.get(path) == Some(content);
        let new = after.get(path) == Some(content);
        // An upload may have got no further than its name.
        let begun = matches!(op, Some(Op::Store(..) | Op::Append(..)))
            && is_touched(path)
            && content.as_ref().is_some_and(Vec::is_empty);
        let sound = old || new || begun || resumed(path, content);
        assert!(sound, "{label}: {path} appeared or changed, {touched:?}");
    }
    // Where both directories of a move name the file, or half an entry of FAT12 names anything, no more is
    // written until CHKDSK has chosen.
    let moves = op.is_some_and(Op::is_move);
    if let Some(reason) = served_again(&state.medium) {
        let expected = moves && reason == ReadOnly::CrossLinked;
        assert!(
            expected || is_half_an_entry(&state.medium, reason),
            "{label}, {touched:?}: then not written: {reason:?}"
        );
    }
    if let Some(Op::Rename(from, to)) = op {
        let one_exists = tree.contains_key(from) || tree.contains_key(to);
        assert!(one_exists || !before.contains_key(from), "{label}: neither name exists");
    }
}

/// Why the volume is not written when the PC is switched on again.
fn served_again(medium: &Medium) -> Option<ReadOnly> {
    let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium.clone()))]);
    let (bump, mut handle) = (Bump::new(), disks.clone());
    let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
    while drives.work() {}
    drives.info(Drive::new(b'C').unwrap()).unwrap().volume.unwrap().read_only
}

/// Tries every cut, or every `step`-th from somewhere on.
fn cut_everywhere(step: Option<usize>) -> usize {
    let mut cuts = 0;
    for (kind, medium) in volumes() {
        let mut random = Random(7);
        let first = beginning(&mut random);
        let (start, _) = run(&medium, &first, None, false, &mut random);
        let mut tree = Tree::new();
        for op in &first {
            op.apply(&mut tree).unwrap();
        }
        let content = random.bytes(2_000);
        let start = with_long_names(&start.medium, &content);
        for (_, short) in LONG {
            tree.insert(name(short), Some(content.clone()));
        }
        for (scenario, ops) in scenarios(&mut random) {
            let mut trees = vec![tree.clone()];
            for op in &ops {
                let mut next = trees.last().unwrap().clone();
                let _ = op.apply(&mut next);
                trees.push(next);
            }
            let (_, all) = run(&start, &ops, None, false, &mut random);
            for cached in [false, true] {
                let offset = step.map_or(0, |step| random.below(step) as u64);
                for cut in (offset..=all).step_by(step.unwrap_or(1)) {
                    let (state, _) = run(&start, &ops, Some(cut), cached, &mut random);
                    let label =
                        format!("{kind}, {scenario}, cached {cached}, cut after {cut} of {all}");
                    check(&label, &state, &trees, &ops);
                    cuts += 1;
                }
            }
        }
    }
    cuts
}

#[test]
fn a_sample_of_power_cuts_leaves_sound_volumes() {
    println!("{} cuts", cut_everywhere(Some(17)));
}

#[test]
#[ignore = "every cut: takes minutes"]
fn every_power_cut_leaves_a_sound_volume() {
    println!("{} cuts", cut_everywhere(None));
}

#[test]
fn the_volume_is_marked_while_it_is_written_and_closed_when_quiet() {
    for (kind, medium) in volumes() {
        let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        Op::Store(name("F"), vec![1; 9000], 4096).run(&mut drives, "/drive_c").unwrap();
        let says = fsck(&disks.medium(0));
        assert!(says.iter().any(|line| line.starts_with("Dirty bit is set")), "{kind}: {says:?}");
        for second in 0..10 {
            drives.set_time(DateTime { second, ..DateTime::EPOCH });
            while drives.work() {}
        }
        assert_eq!(fsck(&disks.medium(0)), [""; 0], "{kind}");
    }
}
