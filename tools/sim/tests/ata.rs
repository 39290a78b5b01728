//! The ATA driver against models of drives, old and new, sound and broken.

use ftpsrv::block::{Access, DiskError, DiskId, DiskInfo, DiskKind, Disks, Lba, SECTOR};
use ftpsrv::hw::ata::{Ata, Owner, Trace, owners};
use ftpsrv::hw::ports::Ports;
use sim::chips::bus::{Device, PortBus};
use sim::chips::ide::{Absent, IdeChannel, Kind, Model, pattern, patterns};
use std::cell::RefCell;
use std::rc::Rc;

const SET_MULTIPLE: u8 = 0xC6;
const FLUSH_CACHE: u8 = 0xE7;
const IDENTIFY: u8 = 0xEC;
const SET_FEATURES: u8 = 0xEF;
const FOREVER: u32 = u32::MAX;

type Shared = Rc<RefCell<IdeChannel>>;

/// A PC with one drive, which is then asked for; 600 KB of a known pattern are on it.
fn with_drive(drive: Model) -> (Ata<PortBus>, Shared, PortBus) {
    let bus = PortBus::new();
    let channel = bus.plug(IdeChannel::primary().connect(0, drive));
    for lba in 0..1200 {
        channel.borrow_mut().drive(0).medium.set_sector(lba, &pattern(lba, 7));
    }
    (Ata::find(bus.clone()), channel, bus)
}

fn read(ata: &mut Ata<PortBus>, lba: u32, count: u32) -> Result<Vec<u8>, DiskError> {
    let mut buffer = vec![0; count as usize * SECTOR];
    ata.read(0, Lba(lba), &mut buffer).map(|()| buffer)
}

/// No protocol was broken, and no interrupt came that nobody waits for.
fn clean(channel: &Shared) {
    let channel = channel.borrow();
    assert_eq!(channel.violations, Vec::<String>::new());
    assert_eq!(channel.interrupts, 0);
}

fn commands(channel: &Shared) -> Vec<u8> {
    std::mem::take(&mut channel.borrow_mut().drive(0).commands)
}

fn kinds() -> Vec<Model> {
    vec![
        Model::modern(100_000),
        Model { most_multiple: 0, ..Model::modern(100_000) },
        Model { most_multiple: 10, ..Model::modern(100_000) },
        Model::new(Kind::Chs, (615, 4, 17)),
        Model { translation: (8, 26), ..Model::new(Kind::Chs, (615, 4, 17)) },
        Model::new(Kind::OldChs, (615, 4, 17)),
        Model { most_multiple: 8, ..Model::new(Kind::OldChs, (980, 5, 17)) },
    ]
}

#[test]
fn every_sort_of_drive_keeps_what_is_written() {
    for drive in kinds() {
        let (mut ata, channel, _bus) = with_drive(drive);
        assert_eq!(read(&mut ata, 0, 1200).unwrap(), patterns(0, 1200, 7));
        for (version, (lba, count)) in
            (100..).zip([(0, 1), (16, 2), (17, 1), (83, 90), (299, 256), (600, 257), (1, 600)])
        {
            ata.write(0, Lba(lba), &patterns(lba, count, version)).unwrap();
            assert_eq!(read(&mut ata, lba, count).unwrap(), patterns(lba, count, version));
            for at in [lba, lba + count / 2, lba + count - 1] {
                assert_eq!(channel.borrow_mut().drive(0).sector(at), pattern(at, version));
            }
        }
        assert_eq!(read(&mut ata, 1100, 100).unwrap(), patterns(1100, 100, 7));
        clean(&channel);
    }
}

#[test]
fn the_last_sector_is_reached_and_none_behind_it() {
    // 128 GB, too: all that 28 bits of block address reach.
    for drive in kinds().into_iter().chain([Model::modern(1 << 28)]) {
        let (mut ata, channel, _bus) = with_drive(drive);
        let end = ata.identity(0).unwrap().sectors;
        assert!(end <= channel.borrow_mut().drive(0).medium.sectors());
        ata.write(0, Lba(end - 2), &patterns(end - 2, 2, 3)).unwrap();
        assert_eq!(read(&mut ata, end - 1, 1).unwrap(), pattern(end - 1, 3));
        assert_eq!(read(&mut ata, end - 1, 2), Err(DiskError::OutOfRange));
        assert_eq!(ata.write(0, Lba(end), &[0; SECTOR]), Err(DiskError::OutOfRange));
        assert_eq!(ata.read(0, Lba(u32::MAX), &mut [0; SECTOR]), Err(DiskError::OutOfRange));
        assert_eq!(ata.read(1, Lba(0), &mut [0; SECTOR]), Err(DiskError::NotReady));
        clean(&channel);
    }
}

#[test]
fn a_command_carries_256_sectors_by_blocks() {
    let (mut ata, channel, _bus) = with_drive(Model::modern(100_000));
    commands(&channel);
    read(&mut ata, 5, 600).unwrap();
    assert_eq!(commands(&channel), [SET_MULTIPLE, 0xC4, 0xC4, 0xC4]);
    ata.write(0, Lba(5), &patterns(5, 512, 1)).unwrap();
    assert_eq!(commands(&channel), [0xC5, 0xC5]);
    let (mut ata, channel, _bus) = with_drive(Model::new(Kind::OldChs, (615, 4, 17)));
    commands(&channel);
    read(&mut ata, 5, 257).unwrap();
    assert_eq!(commands(&channel), [0x91, 0x20, 0x20]);
}

#[test]
fn flush_brings_the_write_cache_to_the_medium() {
    let (mut ata, channel, _bus) = with_drive(Model::modern(100_000));
    ata.write(0, Lba(40), &patterns(40, 20, 9)).unwrap();
    channel.borrow_mut().drive(0).cut_power();
    assert_eq!(read(&mut ata, 40, 1).unwrap(), pattern(40, 7), "the model's cache is real");
    ata.write(0, Lba(40), &patterns(40, 20, 9)).unwrap();
    ata.flush(0).unwrap();
    channel.borrow_mut().drive(0).cut_power();
    assert_eq!(read(&mut ata, 40, 20).unwrap(), patterns(40, 20, 9));
    commands(&channel);
    ata.flush(0).unwrap();
    assert_eq!(commands(&channel), [], "nothing was written since");
    clean(&channel);
}

#[test]
fn a_write_cache_that_cannot_be_flushed_is_switched_off_also_after_a_reset() {
    let drive = Model { has_flush: false, ..Model::modern(100_000) };
    let (mut ata, channel, _bus) = with_drive(drive);
    ata.write(0, Lba(40), &patterns(40, 20, 9)).unwrap();
    channel.borrow_mut().drive(0).faults.hanging = 1;
    ata.write(0, Lba(60), &patterns(60, 20, 9)).unwrap();
    ata.flush(0).unwrap();
    channel.borrow_mut().drive(0).cut_power();
    assert_eq!(read(&mut ata, 40, 40).unwrap(), patterns(40, 40, 9));
    assert_eq!(commands(&channel).iter().filter(|&&code| code == SET_FEATURES).count(), 2);
    clean(&channel);
}

#[test]
fn what_is_lost_in_a_flush_is_told_once_and_the_rest_is_saved() {
    let (mut ata, channel, _bus) = with_drive(Model::modern(100_000));
    ata.write(0, Lba(40), &patterns(40, 20, 9)).unwrap();
    channel.borrow_mut().drive(0).faults.lost_in_flush = Some(45);
    assert_eq!(ata.flush(0), Err(DiskError::Failed { code: 0x40 }));
    assert_eq!(ata.flush(0), Ok(()));
    channel.borrow_mut().drive(0).cut_power();
    assert_eq!(read(&mut ata, 40, 5).unwrap(), patterns(40, 5, 9));
    assert_eq!(read(&mut ata, 46, 14).unwrap(), patterns(46, 14, 9));
    clean(&channel);
}

#[test]
fn a_sector_that_reads_at_the_third_try_costs_nothing_but_time() {
    for (offers_bad_block, late) in [(false, false), (true, false), (false, true)] {
        for drive in kinds() {
            let (mut ata, channel, _bus) = with_drive(drive);
            for (bad, times) in [(0, 1), (15, 2), (16, 3), (255, 2), (300, 3), (1023, 2)] {
                channel.borrow_mut().drive(0).faults.unreadable.insert(bad, times);
            }
            channel.borrow_mut().drive(0).faults.offers_bad_block = offers_bad_block;
            channel.borrow_mut().drive(0).faults.late = late;
            assert_eq!(read(&mut ata, 0, 1024).unwrap(), patterns(0, 1024, 7));
            clean(&channel);
        }
    }
}

#[test]
fn a_bad_sector_fails_alone() {
    for drive in kinds() {
        let (mut ata, channel, bus) = with_drive(drive);
        channel.borrow_mut().drive(0).faults.unreadable.insert(77, FOREVER);
        let before = bus.now_us();
        assert_eq!(read(&mut ata, 0, 256), Err(DiskError::Failed { code: 0x40 }));
        assert!(bus.now_us() - before < 2_000_000);
        assert_eq!(read(&mut ata, 0, 77).unwrap(), patterns(0, 77, 7));
        assert_eq!(read(&mut ata, 78, 200).unwrap(), patterns(78, 200, 7));
        clean(&channel);
    }
}

#[test]
fn a_write_that_fails_is_repeated_whole() {
    for drive in kinds() {
        let (mut ata, channel, _bus) = with_drive(drive);
        for (bad, times) in [(3, 1), (130, 2), (255, 3)] {
            channel.borrow_mut().drive(0).faults.unwritable.insert(bad, times);
        }
        ata.write(0, Lba(0), &patterns(0, 300, 5)).unwrap();
        assert_eq!(read(&mut ata, 0, 300).unwrap(), patterns(0, 300, 5));
        channel.borrow_mut().drive(0).faults.unwritable.insert(200, FOREVER);
        let lost = ata.write(0, Lba(0), &patterns(0, 300, 6));
        assert_eq!(lost, Err(DiskError::Failed { code: 0x10 }));
        clean(&channel);
    }
}

#[test]
fn a_drive_that_hangs_once_is_reset_and_set_up_again() {
    for drive in kinds() {
        let (mut ata, channel, bus) = with_drive(drive);
        ata.write(0, Lba(10), &patterns(10, 50, 2)).unwrap();
        channel.borrow_mut().drive(0).faults.hanging = 1;
        let before = bus.now_us();
        assert_eq!(read(&mut ata, 0, 1000).unwrap()[10 * SECTOR..60 * SECTOR], patterns(10, 50, 2));
        assert!(bus.now_us() - before < 25_000_000);
        channel.borrow_mut().drive(0).faults.hanging = 1;
        ata.write(0, Lba(10), &patterns(10, 300, 4)).unwrap();
        assert_eq!(read(&mut ata, 10, 300).unwrap(), patterns(10, 300, 4));
        assert_eq!(channel.borrow().resets, 2);
        clean(&channel);
    }
}

#[test]
fn a_dead_drive_is_given_up_and_stops_nobody_from_then_on() {
    let (mut ata, channel, bus) = with_drive(Model::modern(100_000));
    channel.borrow_mut().drive(0).faults.dead = true;
    let timed = |ata: &mut Ata<PortBus>| {
        let before = bus.now_us();
        assert_eq!(read(ata, 0, 8), Err(DiskError::NotReady));
        (bus.now_us() - before) / 1000
    };
    assert!(timed(&mut ata) < 15_000);
    for _ in 0..5 {
        assert!(timed(&mut ata) < 150);
    }
    channel.borrow_mut().drive(0).faults.dead = false;
    assert_eq!(read(&mut ata, 0, 8).unwrap(), patterns(0, 8, 7), "it came back");
    assert_eq!(read(&mut ata, 0, 600).unwrap(), patterns(0, 600, 7));
}

#[test]
fn a_drive_that_answers_to_nothing_but_resets_is_slow_only_once() {
    let (mut ata, channel, bus) = with_drive(Model::modern(100_000));
    channel.borrow_mut().drive(0).faults.hanging = FOREVER;
    assert_eq!(read(&mut ata, 0, 8), Err(DiskError::NotReady));
    let before = bus.now_us();
    assert_eq!(ata.write(0, Lba(0), &[0; 4096]), Err(DiskError::NotReady));
    assert!(bus.now_us() - before < 5_000_000);
}

#[test]
fn a_dead_drive_does_not_hold_up_its_neighbour() {
    let bus = PortBus::new();
    let disk = |serial| Model { serial, ..Model::modern(1000) };
    let channel = bus.plug(IdeChannel::primary().connect(0, disk("A")).connect(1, disk("B")));
    let mut ata = Ata::find(bus.clone());
    channel.borrow_mut().drive(1).faults.dead = true;
    assert_eq!(ata.read(1, Lba(0), &mut [0; SECTOR]), Err(DiskError::NotReady));
    let before = bus.now_us();
    for _ in 0..3 {
        ata.write(0, Lba(5), &pattern(5, 1)).unwrap();
        ata.flush(0).unwrap();
        assert_eq!(read(&mut ata, 5, 1).unwrap(), pattern(5, 1));
        assert_eq!(ata.read(1, Lba(0), &mut [0; SECTOR]), Err(DiskError::NotReady));
    }
    let ms = (bus.now_us() - before) / 1000;
    assert!(ms < 1_500, "{ms} ms");
}

#[test]
fn a_write_protected_card_says_so() {
    let (mut ata, channel, _bus) = with_drive(Model { removable: true, ..Model::modern(100_000) });
    channel.borrow_mut().drive(0).medium.write_protected = true;
    assert_eq!(ata.write(0, Lba(9), &pattern(9, 1)), Err(DiskError::WriteProtected));
    assert_eq!(read(&mut ata, 9, 1).unwrap(), pattern(9, 7));
}

#[test]
fn a_reset_for_one_drive_sets_up_the_other_again() {
    let bus = PortBus::new();
    let second =
        Model { serial: "SN2", translation: (8, 26), ..Model::new(Kind::Chs, (615, 4, 17)) };
    let channel =
        bus.plug(IdeChannel::primary().connect(0, Model::modern(100_000)).connect(1, second));
    let mut ata = Ata::find(bus.clone());
    ata.write(1, Lba(500), &patterns(500, 40, 1)).unwrap();
    channel.borrow_mut().drive(0).faults.hanging = 1;
    ata.read(0, Lba(0), &mut [0; SECTOR]).unwrap();
    let mut buffer = vec![0; 40 * SECTOR];
    ata.read(1, Lba(500), &mut buffer).unwrap();
    assert_eq!(buffer, patterns(500, 40, 1), "by the translation it was written with");
    clean(&channel);
}

/// The drives that are found, and the milliseconds that it took.
fn find(bus: &PortBus) -> (Vec<u8>, u64) {
    let found = Ata::find(bus.clone()).drives().collect();
    (found, bus.now_us() / 1000)
}

#[test]
fn without_controller_nothing_is_found_in_no_time() {
    let bus = PortBus::new();
    assert_eq!(find(&bus), (vec![], 0));
}

#[test]
fn what_is_no_drive_is_not_found_and_does_not_keep_us() {
    for absent in [Absent::Silent, Absent::Echo, Absent::Ghost] {
        let bus = PortBus::new();
        let mut first = IdeChannel::primary().connect(0, Model::modern(1000));
        first.absent = absent;
        bus.plug(first);
        let cdrom = Model::new(Kind::Packet, (1, 1, 1));
        bus.plug(IdeChannel::secondary().connect(0, cdrom));
        let (found, ms) = find(&bus);
        assert_eq!(found, [0], "{absent:?}");
        assert!(ms < 60, "{absent:?}: {ms} ms");
    }
}

#[test]
fn four_drives_and_drives_beside_a_cdrom() {
    let disk = |serial| Model { serial, ..Model::modern(1000) };
    let bus = PortBus::new();
    bus.plug(IdeChannel::primary().connect(0, disk("A")).connect(1, disk("B")));
    bus.plug(IdeChannel::secondary().connect(0, disk("C")).connect(1, disk("D")));
    assert_eq!(find(&bus).0, [0, 1, 2, 3]);
    let bus = PortBus::new();
    let cdrom = || Model::new(Kind::Packet, (1, 1, 1));
    bus.plug(IdeChannel::primary().connect(0, disk("A")).connect(1, cdrom()));
    bus.plug(IdeChannel::secondary().connect(0, cdrom()).connect(1, disk("D")));
    assert_eq!(find(&bus).0, [0, 3]);
}

#[test]
fn a_drive_that_is_busy_for_ever_is_left_alone_within_a_second() {
    let bus = PortBus::new();
    let channel = bus.plug(IdeChannel::primary().connect(0, Model::modern(1000)));
    channel.borrow_mut().drive(0).faults.dead = true;
    let (found, ms) = find(&bus);
    assert!(found.is_empty() && ms < 1_000, "{ms} ms");
    assert_eq!(channel.borrow().resets, 0);
}

/// Reads a sector as a BIOS does that knows block addresses.
fn bios_read(bus: &mut PortBus, base: u16, drive: u8, lba: u32, buffer: &mut [u8]) {
    let [number, low, high, _] = lba.to_le_bytes();
    bus.outb(base + 6, 0xE0 | drive << 4);
    for _ in 0..4 {
        bus.inb(base + 7);
    }
    for (register, value) in [(1, 0), (2, 1), (3, number), (4, low), (5, high), (7, 0x20)] {
        bus.outb(base + register, value);
    }
    bus.elapse(1000);
    bus.inb(base + 7);
    bus.read_words(base, buffer);
}

#[test]
fn a_read_by_the_bios_is_traced_to_its_drive() {
    let disk = |serial| Model { serial, ..Model::modern(1000) };
    let mut bus = PortBus::new();
    bus.plug(IdeChannel::primary().connect(0, disk("A")).connect(1, disk("B")));
    bus.plug(IdeChannel::secondary().connect(1, disk("D")));
    let mut ata = Ata::find(bus.clone());
    for (base, number, drive) in [(0x1F0, 0, 0), (0x1F0, 1, 1), (0x170, 1, 3), (0x1F0, 0, 0)] {
        ata.mark();
        bios_read(&mut bus, base, number, 0, &mut [0; SECTOR]);
        assert_eq!(ata.trace(), Trace::Drive(drive));
    }
    ata.mark();
    assert_eq!(ata.trace(), Trace::None, "a SCSI disk's, say");
    bios_read(&mut bus, 0x1F0, 0, 0, &mut [0; SECTOR]);
    bios_read(&mut bus, 0x170, 1, 0, &mut [0; SECTOR]);
    assert_eq!(ata.trace(), Trace::Unclear);
}

#[test]
fn a_disk_that_only_the_bios_can_use_makes_the_trace_unclear() {
    let mut bus = PortBus::new();
    // A drive that does not know IDENTIFY DEVICE is as mute to us as a packet device.
    let old = Model::new(Kind::Packet, (615, 4, 17));
    bus.plug(IdeChannel::primary().connect(0, Model::modern(1000)).connect(1, old));
    let mut ata = Ata::find(bus.clone());
    ata.mark();
    bios_read(&mut bus, 0x1F0, 1, 0, &mut [0; SECTOR]);
    assert_eq!(ata.trace(), Trace::Unclear);
}

#[test]
fn comparing_leaves_a_drive_as_the_bios_set_it_up() {
    let drive =
        Model { most_multiple: 16, translation: (8, 26), ..Model::new(Kind::Chs, (615, 4, 17)) };
    let (mut ata, channel, _bus) = with_drive(drive);
    let mut sector = [0; SECTOR];
    assert!(ata.probe(0, Lba(700), &mut sector));
    assert_eq!(sector, pattern(700, 7));
    assert_eq!(commands(&channel), [IDENTIFY, 0x20]);
    assert!(channel.borrow().interrupts_on());
    assert_eq!(channel.borrow().resets, 0);
    clean(&channel);
    let (mut ata, _, _) =
        with_drive(Model { translation: (8, 26), ..Model::new(Kind::OldChs, (615, 4, 17)) });
    assert!(!ata.probe(0, Lba(700), &mut sector), "its translation is not known");
}

#[test]
fn a_drive_is_set_up_again_after_the_bios_had_control() {
    let (mut ata, channel, _bus) = with_drive(Model::modern(100_000));
    read(&mut ata, 0, 32).unwrap();
    commands(&channel);
    read(&mut ata, 0, 32).unwrap();
    ata.lost_control();
    read(&mut ata, 0, 32).unwrap();
    ata.write(0, Lba(0), &pattern(0, 1)).unwrap();
    ata.flush(0).unwrap();
    assert_eq!(commands(&channel), [0xC4, SET_MULTIPLE, 0xC4, 0x30, FLUSH_CACHE]);
    assert!(!channel.borrow().interrupts_on());
}

/// Where a disk of the simulated BIOS is.
#[derive(Clone, Copy)]
enum Place {
    /// On an IDE channel: first port, drive, and the sector that the BIOS shows as the first.
    Ide(u16, u8, u32),
    /// On a controller of its own.
    Scsi,
    /// On what the drives have, too, or a copy of it, but not by their registers.
    Behind,
}

struct Bios {
    bus: PortBus,
    disks: Vec<Place>,
    sectors: u32,
}

impl Disks for Bios {
    fn count(&self) -> u8 {
        self.disks.len() as u8
    }

    fn info(&self, disk: DiskId) -> Option<DiskInfo> {
        self.disks.get(usize::from(disk.0)).map(|_| DiskInfo {
            kind: DiskKind::Hard,
            sectors: self.sectors,
            capacity: self.sectors,
            access: Access::BiosChs,
            bios_number: 0x80 + disk.0,
        })
    }

    fn read(&mut self, disk: DiskId, lba: Lba, buffer: &mut [u8]) -> Result<(), DiskError> {
        match self.disks[usize::from(disk.0)] {
            Place::Ide(base, drive, first) => {
                bios_read(&mut self.bus, base, drive, first + lba.0, buffer);
            }
            Place::Scsi => buffer.copy_from_slice(&pattern(lba.0, 55)),
            Place::Behind => buffer.copy_from_slice(&pattern(lba.0, 7)),
        }
        Ok(())
    }

    fn write(&mut self, _: DiskId, _: Lba, _: &[u8]) -> Result<(), DiskError> {
        unreachable!("finding out whose a drive is writes nothing")
    }

    fn flush(&mut self, _: DiskId) -> Result<(), DiskError> {
        Ok(())
    }

    fn clock(&self) -> u32 {
        0
    }

    fn changed(&mut self, _: DiskId) -> bool {
        false
    }
}

/// Whose the drives A and B of the first channel and D, the second of the second, are.
fn owned(disks: &[Place], sectors: u32, fill: impl Fn(u32) -> [u8; SECTOR]) -> [Owner; 4] {
    let disk = |serial| Model { serial, ..Model::modern(1000) };
    let bus = PortBus::new();
    let first = bus.plug(IdeChannel::primary().connect(0, disk("A")).connect(1, disk("B")));
    let second = bus.plug(IdeChannel::secondary().connect(1, disk("D")));
    for (channel, drive) in [(&first, 0), (&first, 1), (&second, 1)] {
        for lba in 0..1000 {
            channel.borrow_mut().drive(drive).medium.set_sector(lba, &fill(lba));
        }
    }
    let mut ata = Ata::find(bus.clone());
    let mut bios = Bios { bus: bus.clone(), disks: disks.to_vec(), sectors };
    let owners = owners(&mut bios, &mut ata);
    assert!(first.borrow().violations.is_empty() && second.borrow().violations.is_empty());
    assert!(first.borrow().interrupts_on());
    owners
}

const A: Place = Place::Ide(0x1F0, 0, 0);
const B: Place = Place::Ide(0x1F0, 1, 0);
const D: Place = Place::Ide(0x170, 1, 0);

fn proven(disk: u8) -> Owner {
    Owner::Proven(DiskId(disk))
}

#[test]
fn disks_that_are_copies_of_each_other_are_told_apart() {
    let fill = |lba| pattern(lba, 7);
    assert_eq!(
        owned(&[D, B, A], 1000, fill),
        [proven(2), proven(1), Owner::Nobody, proven(0)],
        "in the BIOS's own order"
    );
    // A BIOS that reaches only the first part of a disk, and does not know the others.
    assert_eq!(
        owned(&[Place::Scsi, A], 504, fill),
        [proven(1), Owner::Nobody, Owner::Nobody, Owner::Nobody]
    );
    assert_eq!(owned(&[], 1000, fill), [Owner::Nobody; 4]);
}

#[test]
fn a_disk_behind_a_disk_manager_stays_with_the_bios_and_so_does_its_channel() {
    let unproven = Owner::Unproven;
    let shifted = Place::Ide(0x1F0, 0, 63);
    let owners = owned(&[shifted, B, D], 900, |lba| pattern(lba, 7));
    assert_eq!(owners, [unproven, unproven, Owner::Nobody, proven(2)]);
    // The first sector alone is shown as it is, or the first and the last.
    let first_alone = |lba| pattern(if lba == 63 { 0 } else { lba }, 7);
    let owners = owned(&[shifted], 900, first_alone);
    assert_eq!(owners[0], unproven);
    // The BIOS shows more than the drive has.
    assert_eq!(owned(&[A], 1001, |lba| pattern(lba, 7))[0], unproven);
}

#[test]
fn a_drive_that_the_bios_has_in_a_way_of_its_own_stays_with_it() {
    let unproven = Owner::Unproven;
    let fill = |lba| pattern(lba, 7);
    assert_eq!(owned(&[Place::Behind], 1000, fill), [unproven, unproven, unproven, unproven]);
    assert_eq!(owned(&[Place::Behind, A], 504, fill), [unproven, unproven, unproven, unproven]);
    // What only begins like it is another one.
    let other = |lba| pattern(lba, if lba < 900 { 7 } else { 8 });
    assert_eq!(owned(&[Place::Behind], 1000, other)[0], Owner::Nobody);
}

#[test]
fn one_drive_that_the_bios_shows_twice_stays_with_it() {
    assert_eq!(owned(&[A, A], 1000, |lba| pattern(lba, 7))[0], Owner::Unproven);
}

/// PCI configuration space with one function, an IDE controller.
struct PciIde {
    class: u32,
    address: u32,
}

impl Device for PciIde {
    fn decodes(&self, port: u16) -> bool {
        (0xCF8..0xD00).contains(&port)
    }

    fn read(&mut self, port: u16, _: u8) -> u32 {
        match (port, self.address) {
            (0xCF8, address) => address,
            (_, 0x8000_0000) => 0x7010_8086,
            // I/O space on.
            (_, 0x8000_0004) => 1,
            (_, 0x8000_0008) => self.class << 8,
            (_, 0x8000_000C) => 0,
            _ => u32::MAX,
        }
    }

    fn write(&mut self, port: u16, _: u8, value: u32) {
        if port == 0xCF8 {
            self.address = value;
        }
    }
}

#[test]
fn double_words_move_only_where_controller_and_drives_show_that_they_can() {
    // Both channels at the AT's ports; the first at ports of its own.
    const COMPATIBLE: u32 = 0x01_01_80;
    const ELSEWHERE: u32 = 0x01_01_81;
    for (class, takes, expected) in [
        (Some(COMPATIBLE), true, true),
        (Some(ELSEWHERE), true, false),
        // Says that it is one, and splits double words all the same.
        (Some(COMPATIBLE), false, false),
        (Some(0x02_00_00), true, false),
        (None, true, false),
    ] {
        let bus = PortBus::new();
        if let Some(class) = class {
            bus.plug(PciIde { class, address: 0 });
        }
        let channel = IdeChannel::primary().connect(0, Model::modern(100_000));
        let channel = bus.plug(if takes { channel.on_pci() } else { channel });
        let mut ata = Ata::find(bus.clone());
        let data = patterns(5, 64, 9);
        ata.write(0, Lba(5), &data).unwrap();
        let before = bus.accesses();
        assert_eq!(read(&mut ata, 5, 64).unwrap(), data);
        let double_words = bus.accesses() - before < 64 * 256;
        assert_eq!(double_words, expected, "{class:X?} {takes}");
        for lba in 5..69 {
            assert_eq!(channel.borrow_mut().drive(0).sector(lba), pattern(lba, 9));
        }
        assert!(channel.borrow().interrupts == 0);
    }
}
