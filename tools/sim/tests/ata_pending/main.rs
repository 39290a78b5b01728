//! Transfers that the ATA driver does not wait for, against models of drives: who comes between, who goes
//! away, and what goes wrong meanwhile.

mod dma;
mod faults;
mod flush;
mod rest;

use std::cell::RefCell;
use std::rc::Rc;

use ftpsrv::block::{DiskError, Lba, SECTOR, Transfer};
use ftpsrv::hw::ata::Ata;
use sim::chips::bus::PortBus;
use sim::chips::ide::{Faults, IdeChannel, IdeDrive, Kind, Model, pattern, patterns};
use sim::network::Random;

const FOREVER: u32 = u32::MAX;
const READS: [u8; 2] = [0x20, 0xC4];
const WRITES: [u8; 2] = [0x30, 0xC5];
/// A command's time, or a block's.
const WORK_US: u32 = 100_000;
/// Sectors of a command.
const MOST: u32 = 16;

type Outcome<T> = Result<T, DiskError>;

struct Pc {
    ata: Ata<PortBus>,
    channel: Rc<RefCell<IdeChannel>>,
    bus: PortBus,
}

fn slow(model: Model) -> Model {
    Model { latency_us: WORK_US, accept_us: 20, ..model }
}

/// With blocks of 16 sectors, of 8, and of one.
fn kinds() -> Vec<Model> {
    vec![
        Model::modern(100_000),
        Model { most_multiple: 8, ..Model::new(Kind::OldChs, (980, 5, 17)) },
        Model { most_multiple: 0, write_cache: false, ..Model::modern(100_000) },
        Model::new(Kind::OldChs, (615, 4, 17)),
    ]
}

impl Pc {
    fn new(models: &[Model]) -> Pc {
        let bus = PortBus::new();
        let mut channel = IdeChannel::primary();
        for (number, model) in models.iter().enumerate() {
            let serial = ["A", "B"][number];
            channel = channel.connect(number, Model { serial, ..model.clone() });
        }
        let channel = bus.plug(channel);
        for number in 0..models.len() {
            for lba in 0..600 {
                let bytes = pattern(lba, 7 + number as u32);
                channel.borrow_mut().drive(number).medium.set_sector(lba, &bytes);
            }
        }
        let ata = Ata::find(bus.clone());
        let mut pc = Pc { ata, channel, bus };
        for drive in 0..models.len() as u8 {
            // Sets it up.
            pc.ata.read(drive, Lba(0), &mut [0; SECTOR]).unwrap();
        }
        pc.commands();
        pc
    }

    fn now(&self) -> u32 {
        (self.bus.now_us() / 1000) as u32
    }

    fn drive<T>(&self, act: impl FnOnce(&mut IdeDrive) -> T) -> T {
        act(self.channel.borrow_mut().drive(0))
    }

    /// The commands that the first drive got since the last time.
    fn commands(&self) -> Vec<u8> {
        self.drive(|drive| std::mem::take(&mut drive.commands))
    }

    fn read_some(&mut self, owner: u8, lba: u32, count: u32, ahead: u32) -> Outcome<Vec<u8>> {
        let mut buffer = vec![0; count as usize * SECTOR];
        let now = self.now();
        let transfer = Transfer::Read(&mut buffer);
        let came = self.ata.move_some(owner, 0, Lba(lba), transfer, ahead, now)?;
        buffer.truncate(came);
        Ok(buffer)
    }

    fn write_some(&mut self, owner: u8, lba: u32, data: &[u8]) -> Outcome<usize> {
        let now = self.now();
        self.ata.move_some(owner, 0, Lba(lba), Transfer::Write(data), 0, now)
    }

    fn engaged(&mut self) -> bool {
        let now = self.now();
        self.ata.engaged(0, None, now)
    }

    fn read(&mut self, lba: u32, count: u32) -> Outcome<Vec<u8>> {
        let mut buffer = vec![0; count as usize * SECTOR];
        self.ata.read(0, Lba(lba), &mut buffer).map(|()| buffer)
    }

    /// Asks every millisecond until `wanted` sectors came, or an error; no call takes longer than moving a command's data does.
    fn fetch(&mut self, owner: u8, lba: u32, wanted: u32) -> Outcome<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < wanted as usize * SECTOR {
            let done = (bytes.len() / SECTOR) as u32;
            let before = self.bus.now_us();
            let came = self.read_some(owner, lba + done, wanted - done, 0)?;
            assert!(self.bus.now_us() - before < 20_000, "{} us", self.bus.now_us() - before);
            bytes.extend(came);
            self.bus.elapse(1000);
        }
        Ok(bytes)
    }

    /// The same for a write.
    fn store(&mut self, owner: u8, lba: u32, data: &[u8]) -> Outcome<()> {
        let mut done = 0;
        while done < data.len() {
            done += self.write_some(owner, lba + (done / SECTOR) as u32, &data[done..])?;
            self.bus.elapse(1000);
        }
        Ok(())
    }

    fn clean(&self) {
        let channel = self.channel.borrow();
        assert_eq!(channel.violations, Vec::<String>::new());
        assert_eq!(channel.interrupts, 0);
    }
}

fn count(commands: &[u8], codes: [u8; 2]) -> usize {
    commands.iter().filter(|&code| codes.contains(code)).count()
}

#[test]
fn what_is_asked_for_comes_and_no_call_waits_for_the_drive() {
    for model in kinds() {
        let mut pc = Pc::new(&[slow(model)]);
        assert!(pc.read_some(1, 20, 33, 0).unwrap().is_empty());
        assert!(pc.fetch(1, 20, 33).unwrap() == patterns(20, 33, 7));
        assert_eq!(count(&pc.commands(), READS), 3, "16, 16 and 1 sectors");
        let new = patterns(20, 33, 100);
        assert_eq!(pc.write_some(1, 20, &new), Ok(0));
        pc.store(1, 20, &new).unwrap();
        assert_eq!(count(&pc.commands(), WRITES), 3);
        assert!(pc.read(19, 35).unwrap()[SECTOR..34 * SECTOR] == new);
        assert_eq!(pc.channel.borrow().resets, 0);
        pc.clean();
    }
}

#[test]
fn the_drive_reads_ahead_while_the_network_is_busy() {
    let mut pc = Pc::new(&[slow(Model::modern(100_000))]);
    assert!(pc.read_some(1, 0, 16, 32).unwrap().is_empty());
    for lba in [0, 16, 32] {
        pc.bus.elapse(WORK_US);
        // Half of it first, for a small buffer.
        assert!(pc.read_some(1, lba, 8, 40 - lba).unwrap() == patterns(lba, 8, 7));
        assert!(pc.read_some(1, lba + 8, 8, 32 - lba).unwrap() == patterns(lba + 8, 8, 7));
    }
    assert!(!pc.engaged(), "nobody is told to wait for what was not asked for");
    assert_eq!(count(&pc.commands(), READS), 3, "and nothing behind the file's end");
    pc.clean();
}

#[test]
fn the_drive_writes_while_more_arrives() {
    let mut pc = Pc::new(&[slow(Model::modern(100_000))]);
    let data = patterns(0, 40, 3);
    assert_eq!(pc.write_some(1, 0, &data), Ok(0));
    pc.bus.elapse(WORK_US);
    assert_eq!(pc.write_some(1, 0, &data), Ok(8192));
    assert_eq!(count(&pc.commands(), WRITES), 2, "the next command is begun at once");
    pc.bus.elapse(WORK_US);
    assert_eq!(pc.write_some(1, 16, &data[8192..]), Ok(8192));
    assert_eq!(count(&pc.commands(), WRITES), 0, "but not one for a few sectors");
    pc.clean();
}

/// With two of them nothing is read that nobody takes, and they take turns.
#[test]
fn two_who_read_take_turns_and_waste_nothing() {
    let mut pc = Pc::new(&[slow(Model::modern(100_000))]);
    let mut done = [0, 300];
    let mut last = 2;
    for turn in 0..4000 {
        for (owner, start) in [(0, 0), (1, 300)] {
            let at = done[owner];
            if at < start + 256 {
                let came = pc.read_some(owner as u8, at, 16, 256 + start - at).unwrap();
                assert!(came == patterns(at, (came.len() / SECTOR) as u32, 7));
                done[owner] += (came.len() / SECTOR) as u32;
                if !came.is_empty() && turn > 300 && done.iter().all(|at| at % 300 < 250) {
                    assert_ne!(owner, last, "{turn}: {done:?}");
                    last = owner;
                }
            }
        }
        pc.bus.elapse(1000);
    }
    assert_eq!(done, [256, 556]);
    // 32 and what was read ahead when the second came, and when the first had gone.
    assert!(count(&pc.commands(), READS) <= 34);
    pc.clean();
}

#[test]
fn whoever_cannot_wait_has_the_pending_command_finished() {
    for model in kinds() {
        let mut pc = Pc::new(&[slow(model)]);
        assert!(pc.read_some(1, 40, 16, 0).unwrap().is_empty());
        assert!(pc.engaged(), "the drive is at work");
        assert!(pc.read(100, 3).unwrap() == patterns(100, 3, 7));
        assert!(pc.fetch(1, 40, 16).unwrap() == patterns(40, 16, 7));
        pc.commands();
        let new = patterns(200, 16, 50);
        assert_eq!(pc.write_some(1, 200, &new), Ok(0));
        pc.bus.elapse(30 * WORK_US);
        while pc.write_some(1, 200, &new) == Ok(0) && pc.engaged() {
            pc.bus.elapse(1000);
        }
        pc.ata.flush(0).unwrap();
        assert!(pc.read(200, 16).unwrap() == new);
        pc.store(1, 200, &new).unwrap();
        pc.clean();
    }
}

#[test]
fn a_write_that_others_had_finished_is_not_repeated() {
    let mut pc = Pc::new(&[slow(Model::modern(100_000))]);
    let new = patterns(200, 16, 50);
    assert_eq!(pc.write_some(1, 200, &new), Ok(0));
    assert!(pc.read(200, 16).unwrap() == new);
    pc.ata.flush(0).unwrap();
    assert_eq!(pc.write_some(2, 300, &new), Ok(0), "its owner is waited for");
    assert_eq!(pc.write_some(1, 200, &new), Ok(8192));
    assert_eq!(count(&pc.commands(), WRITES), 1);
    pc.clean();
}

#[test]
fn a_write_is_not_taken_for_an_others_to_the_same_sectors() {
    for others in [false, true] {
        let mut pc = Pc::new(&[slow(Model::modern(100_000))]);
        assert_eq!(pc.write_some(1, 200, &patterns(200, 16, 50)), Ok(0));
        pc.ata.release(1);
        if others {
            pc.read(0, 1).unwrap();
        }
        // The same handle's number again, for another file.
        let new = patterns(200, 16, 51);
        assert_eq!(pc.write_some(1, 200, &new), Ok(0));
        pc.store(1, 200, &new).unwrap();
        assert!(pc.read(200, 16).unwrap() == new);
        assert_eq!(count(&pc.commands(), WRITES), 2);
        pc.clean();
    }
}

#[test]
fn an_owner_who_never_comes_again_is_not_waited_for_long() {
    for model in kinds() {
        for (write, released) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut pc = Pc::new(&[slow(model.clone())]);
            if write {
                assert_eq!(pc.write_some(1, 200, &patterns(200, 16, 50)), Ok(0));
            } else {
                assert!(pc.read_some(1, 200, 16, 0).unwrap().is_empty());
            }
            pc.bus.elapse(WORK_US);
            if released {
                pc.ata.release(1);
            }
            let mut refused = 0;
            while pc.engaged() {
                refused += 1;
            }
            assert!(refused < 60 && (!released || refused == 0), "{refused}");
            let new = patterns(200, 16, 51);
            pc.ata.write(0, Lba(200), &new).unwrap();
            pc.ata.flush(0).unwrap();
            assert!(pc.read(199, 18).unwrap()[SECTOR..17 * SECTOR] == new);
            // A write whose data nobody has any more is broken off.
            assert!(pc.channel.borrow().resets <= 1);
            pc.clean();
        }
    }
}

#[test]
fn both_drives_of_a_channel_share_it() {
    let mut pc =
        Pc::new(&[slow(Model::modern(100_000)), slow(Model::new(Kind::Chs, (615, 4, 17)))]);
    let new = patterns(60, 16, 4);
    for _ in 0..3 {
        assert_eq!(pc.write_some(1, 60, &new), Ok(0));
        let mut buffer = vec![0; 16 * SECTOR];
        let mut came = 0;
        let mut written = false;
        while came < buffer.len() || !written {
            let now = pc.now();
            let at = Lba(60 + (came / SECTOR) as u32);
            if came < buffer.len() {
                let rest = Transfer::Read(&mut buffer[came..]);
                came += pc.ata.move_some(2, 1, at, rest, 0, now).unwrap();
            }
            written = written || pc.write_some(1, 60, &new).unwrap() > 0;
            pc.bus.elapse(1000);
        }
        assert!(buffer == patterns(60, 16, 8));
        assert!(pc.read(60, 16).unwrap() == new);
    }
    pc.clean();
}

#[test]
fn before_the_bios_gets_the_drives_they_are_idle() {
    let mut pc = Pc::new(&[slow(Model::modern(100_000))]);
    assert_eq!(pc.write_some(1, 60, &patterns(60, 16, 4)), Ok(0));
    pc.ata.lost_control();
    assert!(pc.drive(|drive| drive.sector(75)) == pattern(75, 4));
    assert_eq!(pc.write_some(1, 60, &patterns(60, 16, 4)), Ok(8192));
    assert!(pc.read_some(1, 60, 16, 0).unwrap().is_empty());
    pc.ata.lost_control();
    assert!(pc.read(60, 16).unwrap() == patterns(60, 16, 4));
    pc.clean();
}

#[test]
fn what_is_not_on_the_drive_is_not_begun() {
    let mut pc = Pc::new(&[Model::modern(1000)]);
    assert_eq!(pc.read_some(1, 990, 16, 0), Err(DiskError::OutOfRange));
    assert_eq!(pc.write_some(1, 990, &[0; 16 * SECTOR]), Err(DiskError::OutOfRange));
    assert_eq!(pc.write_some(1, 0, &[]), Err(DiskError::OutOfRange));
    let absent = pc.ata.move_some(1, 3, Lba(0), Transfer::Write(&[0; SECTOR]), 0, 0);
    assert_eq!(absent, Err(DiskError::NotReady));
    assert_eq!(pc.commands(), []);
}

/// What an owner is about.
#[derive(Clone, Copy)]
struct Work {
    write: bool,
    lba: u32,
    left: u32,
    version: u32,
}

/// Three owners, each in a part of the disk of his own that he now and then exchanges with another, and one who
/// does not wait; sectors that fail now and then, drives that hang.
#[test]
fn whatever_comes_in_whatever_order_the_data_are_right() {
    const PART: u32 = 64;
    for seed in 0..24 {
        let mut random = Random::new(seed);
        let mut below = |most: u32| u32::from_le_bytes(random.bytes(4).try_into().unwrap()) % most;
        let model = kinds().swap_remove(seed as usize % 4);
        let mut pc = Pc::new(&[Model {
            latency_us: [10, 300, 5000][below(3) as usize],
            accept_us: [1, 100, 3000][below(3) as usize],
            ..model
        }]);
        // What each sector may hold: more than one version while a write is under way, or was broken off.
        let mut may: Vec<Vec<u32>> = vec![vec![7]; 3 * PART as usize];
        let (mut parts, mut works) = ([0, 1, 2], [None::<Work>; 3]);
        let (mut version, mut hangs) = (100, 0);
        for step in 0..1500 {
            let owner = below(3) as usize;
            let lba = parts[owner] * PART + below(PART);
            match below(24) {
                0 => {
                    let other = (owner + 1) % 3;
                    for gone in [owner, other] {
                        pc.ata.release(gone as u8);
                        works[gone] = None;
                    }
                    parts.swap(owner, other);
                }
                1 => pc.drive(|drive| drive.faults.unreadable.insert(lba, 2)).map_or((), drop),
                2 => pc.drive(|drive| drive.faults.unwritable.insert(lba, 2)).map_or((), drop),
                // A drive that hangs twice without having done anything between is given up.
                3 if step / 300 > hangs => {
                    hangs = step / 300;
                    pc.drive(|drive| drive.faults.hanging = 1);
                }
                4 | 5 => {
                    let bytes = pc.read(lba, 1).unwrap();
                    let may = &mut may[lba as usize];
                    let is = may.iter().copied().find(|&version| bytes == pattern(lba, version));
                    assert!(is.is_some(), "{seed}: sector {lba}");
                    // A write of it may still be on its way.
                    if works[owner].is_none_or(|work| !work.write) {
                        *may = vec![is.unwrap()];
                    }
                }
                6 => pc.ata.flush(0).unwrap(),
                7 => pc.ata.lost_control(),
                8 => drop(pc.engaged()),
                9..12 => pc.bus.elapse(1 + below(20_000)),
                _ => {
                    let work = *works[owner].get_or_insert_with(|| {
                        version += 1;
                        let left = 1 + below(parts[owner] * PART + PART - lba);
                        Work { write: below(2) == 0, lba, left, version }
                    });
                    let Work { write, lba, left, version } = work;
                    let done = if write {
                        for lba in lba..lba + left.min(64) {
                            let may = &mut may[lba as usize];
                            if !may.contains(&version) {
                                may.push(version);
                            }
                        }
                        let data = patterns(lba, left, version);
                        (pc.write_some(owner as u8, lba, &data).unwrap() / SECTOR) as u32
                    } else {
                        let ahead = left - left.min(1 + below(20));
                        let came = pc.read_some(owner as u8, lba, left - ahead, ahead).unwrap();
                        for (lba, bytes) in (lba..).zip(came.chunks(SECTOR)) {
                            let mut may = may[lba as usize].iter();
                            assert!(may.any(|&version| bytes == pattern(lba, version)), "{seed}");
                        }
                        (came.len() / SECTOR) as u32
                    };
                    if write {
                        for lba in lba..lba + done {
                            may[lba as usize] = vec![version];
                        }
                    }
                    let rest = Work { lba: lba + done, left: left - done, ..work };
                    works[owner] = (rest.left > 0).then_some(rest);
                }
            }
        }
        pc.clean();
    }
}
