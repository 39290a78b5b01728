//! FAT12, FAT16 and FAT32, by two formatters, partitioned or not: everything that is done to a file.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::super::clients::{curl, lftp, python, url};
use super::super::guest::{Boot, CONFIG, Guest, Setup};
use super::super::{Scenario, Stage, files};
use super::{DISK, directories};
use crate::disk::{self, Fat, Layout, Maker, Volume};
use crate::emulator::Machine;

const MEGABYTE: usize = 1024 * 1024;

pub fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (fat, megabytes) in [(Fat::Fat12, 15), (Fat::Fat16, 60), (Fat::Fat32, 80)] {
        for (maker, partitioned) in [
            (Maker::Mkfs, true),
            (Maker::Mtools, true),
            (Maker::Mkfs, false),
            (Maker::Mtools, false),
        ] {
            let layout = Layout { fat, megabytes, partitioned, maker };
            let parts = if partitioned { "partitioned" } else { "whole" };
            let name = format!("disk {fat:?} {maker:?} {parts}");
            all.push(Scenario::new(name, move |stage: &Stage, name: &str| {
                every_way(stage, name, layout)
            }));
        }
    }
    all.push(Scenario::new("lftp mirrors 200 files, both ways", mirror));
    all.push(Scenario::new("two disks and a floppy", drives));
    for kilobytes in [160, 180, 320, 360] {
        let name = format!("a floppy of DOS 1 with {kilobytes} KB");
        all.push(Scenario::new(name, move |stage: &Stage, name: &str| {
            of_dos_1(stage, name, kilobytes)
        }));
    }
    for (scsi, way) in [(false, "ATA"), (true, "INT 13h")] {
        let name = format!("two partitions, one beyond 8 GB, by {way}");
        all.push(Scenario::new(name, move |stage: &Stage, name: &str| far(stage, name, scsi, way)));
    }
    for (machine, dma) in [(Machine::Pc, true), (Machine::Isapc, false)] {
        let name = format!("an IDE disk {} DMA", if dma { "with" } else { "without" });
        all.push(Scenario::new(name, move |stage: &Stage, name: &str| {
            with_dma(stage, name, machine, dma)
        }));
    }
    all
}

/// What FTPSRV_VERBOSE says of it, and a file whose size is odd, resumed both ways where a sector does not begin.
fn with_dma(stage: &Stage, name: &str, machine: Machine, dma: bool) -> Result<()> {
    let config = format!("{CONFIG}FTPSRV_VERBOSE true\r\n");
    let setup = Setup { machine, config, ..Setup::with_disks(&[DISK])? };
    let mut guest = Guest::boot(stage, name, &setup, |_, _| Ok(()))?;
    let said = guest.said();
    let probe =
        said.lines().find(|line| line.contains("IDE 1F0h drive 0: ")).context("no probe")?;
    ensure!(probe.contains(", DMA:") == dma, "{probe}");
    let whole = files::bytes(3 * MEGABYTE + 12_345, 5);
    let (start, back) = (guest.dir().join("start.bin"), guest.dir().join("back.bin"));
    fs::write(guest.dir().join("whole.bin"), &whole)?;
    fs::write(&start, &whole[..1_000_001])?;
    let at = url(&guest, "/drive_c/a.bin");
    curl(&guest, &["-T", "start.bin", &at])?;
    curl(&guest, &["-C", "1000001", "-T", "whole.bin", &at])?;
    fs::write(&back, &whole[..700_003])?;
    curl(&guest, &["-C", "-", "-o", "back.bin", &at])?;
    ensure!(fs::read(&back)? == whole, "A.BIN came back different");
    guest.switch_off()?;
    guest.same_on_disk("/A.BIN", &whole)?;
    guest.finish()
}

/// 8 MB through curl, then Python's ftplib on everything else, then what is on the disk.
fn every_way(stage: &Stage, name: &str, layout: Layout) -> Result<()> {
    let seed = files::bytes(70_000, 7);
    let mut guest = Guest::boot(stage, name, &Setup::with_disks(&[layout])?, |disks, dir| {
        directories(disks, dir)?;
        disks.first().context("no disk")?.write("/PUB/SEED.BIN", &seed)
    })?;
    let big = files::make(guest.dir(), "big.bin", 8 * MEGABYTE, 8)?;
    let at = url(&guest, "/drive_c/big.bin");
    curl(&guest, &["-T", "big.bin", &at])?;
    curl(&guest, &["-o", "back.bin", &at])?;
    files::same(&big, &guest.dir().join("back.bin"))?;
    curl(&guest, &["-o", "seed.bin", &url(&guest, "/drive_c/pub/seed.bin")])?;
    ensure!(fs::read(guest.dir().join("seed.bin"))? == seed, "SEED.BIN came back different");
    python(&guest, "session.py", &["/drive_c"])?;
    guest.switch_off()?;
    guest.same_on_disk("/BIG.BIN", &fs::read(&big)?)?;
    guest.same_on_disk("/PUB/SEED.BIN", &seed)?;
    guest.finish()
}

fn mirror(stage: &Stage, name: &str) -> Result<()> {
    let mut guest = Guest::boot(stage, name, &Setup::with_disks(&[DISK])?, |disks, dir| {
        directories(disks, dir)?;
        files::make_many(&dir.join("MANY"), 200)?;
        disks.first().context("no disk")?.put(&[dir.join("MANY")], "/")
    })?;
    let many = guest.dir().join("MANY");
    lftp(&guest, "mirror /DRIVE_C/MANY down")?;
    files::same_directory(&many, &guest.dir().join("down"))?;
    lftp(&guest, "mirror --parallel=3 -R MANY /DRIVE_C/UP")?;
    lftp(&guest, "mirror --parallel=3 /DRIVE_C/UP again")?;
    files::same_directory(&many, &guest.dir().join("again"))?;
    let change = "cd /DRIVE_C; mkdir DIR; mv UP/F0001.DAT DIR/MOVED.DAT; rm UP/F0002.DAT; \
                  mkdir DIR/EMPTY; rmdir DIR/EMPTY; cls -1 DIR";
    let listed = lftp(&guest, change)?;
    ensure!(listed.contains("MOVED.DAT"), "after the rename the directory lists {listed:?}");
    guest.switch_off()?;
    let disk = guest.disks.first().context("no disk")?;
    ensure!(disk.list("/UP")?.len() == 198, "UP has {} files", disk.list("/UP")?.len());
    guest.same_on_disk("/DIR/MOVED.DAT", &fs::read(many.join("F0001.DAT"))?)?;
    guest.finish()
}

/// A partition that cylinder, head and sector of the BIOS do not reach, beside one that they do.
fn far(stage: &Stage, name: &str, scsi: bool, way: &str) -> Result<()> {
    const START: u64 = 17_000_000;
    let setup = Setup { scsi, ..Setup::with_disks(&[DISK])? };
    let mut guest = Guest::boot(stage, name, &setup, |disks, dir| {
        directories(disks, dir)?;
        let image = &disks.first().context("no disk")?.image;
        disk::add_partition(image, Fat::Fat32, START, 1_200_000).map(drop)
    })?;
    let access = format!("Disk 80h: hard disk, 8886 MB, by {way}");
    ensure!(guest.said().contains(&access), "not {access}; COM1 said:\n{}", guest.said());
    let image = guest.disks.first().context("no disk")?.image.clone();
    guest.disks.push(Volume { image, start: START });
    let near = files::make(guest.dir(), "near.bin", MEGABYTE, 4)?;
    let beyond = files::make(guest.dir(), "far.bin", 3 * MEGABYTE, 5)?;
    curl(&guest, &["-T", "near.bin", &url(&guest, "/drive_c/near.bin")])?;
    curl(&guest, &["-T", "far.bin", &url(&guest, "/drive_d/far.bin")])?;
    curl(&guest, &["-o", "back.bin", &url(&guest, "/drive_d/far.bin")])?;
    files::same(&beyond, &guest.dir().join("back.bin"))?;
    guest.switch_off()?;
    guest.same_on_disk("/NEAR.BIN", &fs::read(&near)?)?;
    let volume = guest.disks.get(1).context("no partition")?;
    ensure!(volume.read("/FAR.BIN")? == fs::read(&beyond)?, "FAR.BIN is not what was sent");
    guest.finish()
}

/// A floppy whose boot sector says nothing of its format: the BIOS must be told of its heads and sectors all
/// the same.
fn of_dos_1(stage: &Stage, name: &str, kilobytes: u64) -> Result<()> {
    const SECTOR: usize = 512;
    let made = disk::small_floppy(&stage.dir.join(format!("dos1-{kilobytes}.img")), kilobytes)?;
    let data = files::bytes(90_000, 9);
    made.write("/DATA.BIN", &data)?;
    let sound = fs::read(&made.image)?;
    let floppy = [&[0; SECTOR][..], sound.get(SECTOR..).context("no sectors")?].concat();
    let setup = Setup { boot: Boot::HardDisk, floppy: Some(floppy), ..Setup::with_disks(&[])? };
    let mut guest = Guest::boot(stage, name, &setup, |_, _| Ok(()))?;
    curl(&guest, &["-o", "back.bin", &url(&guest, "/drive_a/data.bin")])?;
    ensure!(fs::read(guest.dir().join("back.bin"))? == data, "DATA.BIN came back different");
    let up = files::make(guest.dir(), "up.bin", 20_001, 3)?;
    curl(&guest, &["-T", "up.bin", &url(&guest, "/drive_a/up.bin")])?;
    guest.switch_off()?;
    let floppy = guest.floppy();
    let mut written = fs::read(&floppy.image)?;
    ensure!(written.starts_with(&[0; SECTOR]), "the boot sector was written to");
    written.splice(..SECTOR, sound.into_iter().take(SECTOR));
    fs::write(&floppy.image, written)?;
    floppy.check()?;
    ensure!(floppy.read("/DATA.BIN")? == data, "DATA.BIN is another");
    ensure!(floppy.read("/UP.BIN")? == fs::read(up)?, "UP.BIN is not what was sent");
    fs::remove_file(&made.image)?;
    guest.finish()
}

/// Each disk is the drive that DOS would make it.
fn drives(stage: &Stage, name: &str) -> Result<()> {
    let second = Layout { fat: Fat::Fat12, megabytes: 8, partitioned: true, maker: Maker::Mtools };
    let guest = Guest::boot(stage, name, &Setup::with_disks(&[DISK, second])?, directories)?;
    files::make(guest.dir(), "d.bin", 100_000, 3)?;
    curl(&guest, &["-T", "d.bin", &url(&guest, "/drive_d/d.bin")])?;
    let root = curl(&guest, &["-l", &url(&guest, "/")])?.to_uppercase();
    for drive in ["DRIVE_A", "DRIVE_C", "DRIVE_D"] {
        ensure!(root.contains(drive), "no {drive} in {root:?}");
    }
    curl(&guest, &["-o", "cfg", &url(&guest, "/drive_a/mtcp.cfg")])?;
    let config = fs::read_to_string(guest.dir().join("cfg"))?;
    ensure!(config.contains("FTPSRV_CLIENTS"), "the floppy's MTCP.CFG reads {config:?}");
    let listed = curl(&guest, &["-l", &url(&guest, "/drive_d/")])?;
    ensure!(listed.contains("D.BIN"), "/drive_d/ lists {listed:?}");
    guest.finish()
}
