//! Transfers that the ATA driver does not wait for, against models of drives: who comes between, who goes
//! away, and what goes wrong meanwhile.

use std::cell::RefCell;
use std::rc::Rc;

use ftpsrv::block::{DiskError, Lba, SECTOR, Transfer};
use ftpsrv::hw::ata::Ata;
use sim::chips::bus::PortBus;
use sim::chips::ide::{IdeChannel, IdeDrive, Kind, Model};
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

fn pattern(lba: u32, version: u32) -> [u8; SECTOR] {
    let mut state = lba.wrapping_mul(0x9E37_79B9) ^ version;
    std::array::from_fn(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
}

fn patterns(lba: u32, count: u32, version: u32) -> Vec<u8> {
    (lba..lba + count).flat_map(|lba| pattern(lba, version)).collect()
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
fn a_sector_that_reads_or_writes_at_the_third_try_costs_nothing_but_time() {
    for (offers_bad_block, late) in [(false, false), (true, false), (false, true)] {
        // An error behind the data of its block is no drive's by the standard; those of a whole command in one
        // block are trusted after its end all the same.
        for model in kinds().into_iter().take(if late { 1 } else { 4 }) {
            let mut pc = Pc::new(&[model]);
            pc.drive(|drive| {
                drive.faults.offers_bad_block = offers_bad_block;
                drive.faults.late = late;
                for (bad, times) in [(15, 2), (16, 3), (31, 1), (40, 2), (63, 3)] {
                    drive.faults.unreadable.insert(bad, times);
                    drive.faults.unwritable.insert(200 + bad, times);
                }
            });
            let mut bytes = Vec::new();
            while bytes.len() < 80 * SECTOR {
                let at = (bytes.len() / SECTOR) as u32;
                bytes.extend(pc.read_some(1, at, MOST.min(80 - at), 80 - at).unwrap());
                pc.bus.elapse(200);
            }
            assert!(bytes == patterns(0, 80, 7));
            let new = patterns(200, 80, 9);
            pc.store(1, 200, &new).unwrap();
            assert!(pc.read(200, 80).unwrap() == new);
            pc.clean();
        }
    }
}

#[test]
fn a_bad_sector_is_told_where_it_is() {
    for model in kinds() {
        let mut pc = Pc::new(&[model]);
        pc.drive(|drive| {
            drive.faults.unreadable.insert(21, FOREVER);
            drive.faults.unwritable.insert(321, FOREVER);
        });
        let mut bytes = Vec::new();
        let error = loop {
            match pc.read_some(1, (bytes.len() / SECTOR) as u32, 8, 30) {
                Ok(came) => bytes.extend(came),
                Err(error) => break error,
            }
            pc.bus.elapse(200);
        };
        assert_eq!(error, DiskError::Failed { code: 0x40 });
        assert!(
            bytes.len() >= 8 * SECTOR && bytes == patterns(0, (bytes.len() / SECTOR) as u32, 7)
        );
        assert!(pc.fetch(2, 22, 30).unwrap() == patterns(22, 30, 7));
        let lost = pc.store(1, 310, &patterns(310, 32, 3));
        assert_eq!(lost, Err(DiskError::Failed { code: 0x10 }));
        pc.store(1, 322, &patterns(322, 32, 3)).unwrap();
        pc.clean();
    }
}

/// Only a part of a command is handed out when the drive tells that one of its blocks was bad: nobody knows
/// which.
#[test]
fn an_error_behind_data_that_are_gone_is_told() {
    let mut pc = Pc::new(&[Model::modern(100_000)]);
    pc.drive(|drive| {
        drive.faults.late = true;
        drive.faults.unreadable.insert(37, 1);
    });
    pc.read_some(1, 16, 16, 16).unwrap();
    pc.bus.elapse(1000);
    assert!(pc.read_some(1, 16, 16, 16).unwrap() == patterns(16, 16, 7));
    pc.bus.elapse(1000);
    assert_eq!(pc.read_some(1, 32, 4, 12).unwrap().len(), 4 * SECTOR);
    assert_eq!(pc.read_some(1, 36, 12, 0), Err(DiskError::Failed { code: 0x40 }));
    assert!(pc.fetch(1, 32, 16).unwrap() == patterns(32, 16, 7));
    pc.clean();
}

#[test]
fn a_drive_that_hangs_is_reset_after_its_time_and_asked_again() {
    for model in kinds() {
        for write in [false, true] {
            let mut pc = Pc::new(std::slice::from_ref(&model));
            pc.drive(|drive| drive.faults.hanging = 1);
            let (start, new) = (pc.now(), patterns(50, 16, 5));
            let mut longest = 0;
            let done = loop {
                let before = pc.now();
                let done = match write {
                    true => pc.write_some(1, 50, &new).unwrap() > 0,
                    false => !pc.read_some(1, 50, 16, 0).unwrap().is_empty(),
                };
                if done {
                    break pc.now() - start;
                }
                longest = longest.max(pc.now() - before);
                pc.bus.elapse(10_000);
            };
            assert!((10_000..11_000).contains(&done) && longest <= 1, "{done} {longest} ms");
            assert_eq!(pc.channel.borrow().resets, 1);
            let expected = if write { new } else { patterns(50, 16, 7) };
            assert!(pc.read(50, 16).unwrap() == expected);
            pc.clean();
        }
    }
}

#[test]
fn others_need_not_wait_longer_for_a_drive_that_hangs() {
    let mut pc = Pc::new(&[Model::modern(100_000), Model::modern(100_000)]);
    pc.drive(|drive| drive.faults.hanging = 1);
    assert!(pc.read_some(1, 50, 16, 0).unwrap().is_empty());
    let start = pc.now();
    let engaged = |pc: &mut Pc| {
        let now = pc.now();
        pc.ata.engaged(1, None, now)
    };
    while engaged(&mut pc) {
        pc.bus.elapse(10_000);
    }
    let mut sector = [0; SECTOR];
    pc.ata.read(1, Lba(9), &mut sector).unwrap();
    assert!(sector == pattern(9, 8) && pc.now() - start < 11_000, "{} ms", pc.now() - start);
    assert!(pc.fetch(1, 50, 16).unwrap() == patterns(50, 16, 7));
    pc.clean();
}

#[test]
fn a_dead_drive_is_given_up() {
    let mut pc = Pc::new(&[Model::modern(100_000)]);
    assert!(pc.read_some(1, 50, 16, 0).unwrap().is_empty());
    pc.drive(|drive| drive.faults.dead = true);
    let start = pc.now();
    let error = loop {
        match pc.read_some(1, 50, 16, 0) {
            Ok(came) => assert!(came.is_empty()),
            Err(error) => break error,
        }
        pc.bus.elapse(10_000);
    };
    assert_eq!(error, DiskError::NotReady);
    assert!(pc.now() - start < 16_000);
    let start = pc.now();
    assert_eq!(pc.read_some(1, 50, 16, 0), Err(DiskError::NotReady));
    assert!(pc.now() - start < 400, "{} ms", pc.now() - start);
    pc.drive(|drive| drive.faults.dead = false);
    pc.bus.elapse(100_000);
    assert!(pc.fetch(1, 50, 16).unwrap() == patterns(50, 16, 7), "it came back");
}

/// The disks' clock is set back at midnight.
#[test]
fn midnight_is_no_time_out_and_does_not_end_them() {
    let mut pc = Pc::new(&[Model::modern(100_000)]);
    pc.drive(|drive| drive.faults.hanging = 1);
    let mut buffer = [0; SECTOR];
    let mut ask =
        |pc: &mut Pc, now| pc.ata.move_some(1, 0, Lba(5), Transfer::Read(&mut buffer), 0, now);
    assert_eq!(ask(&mut pc, 86_399_000), Ok(0));
    assert_eq!(ask(&mut pc, 86_399_990), Ok(0));
    for second in 0..10 {
        assert_eq!(ask(&mut pc, second * 1000), Ok(0), "{second}");
    }
    assert_eq!(ask(&mut pc, 10_500), Ok(SECTOR));
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

#[test]
fn a_flush_is_done_when_the_drive_has_said_so() {
    let mut pc = Pc::new(&[slow(Model::modern(100_000))]);
    let flush = |pc: &mut Pc, owner| {
        let now = pc.now();
        pc.ata.flush_some(owner, 0, now)
    };
    pc.ata.write(0, Lba(40), &patterns(40, 20, 9)).unwrap();
    assert_eq!(flush(&mut pc, 1), Ok(false));
    assert!(pc.engaged());
    assert_eq!(
        flush(&mut pc, 2),
        Ok(false),
        "that of another is for his data too, once it is done"
    );
    assert!(
        pc.drive(|drive| drive.medium.sector(40)) == pattern(40, 7),
        "the model's cache is real"
    );
    pc.bus.elapse(WORK_US);
    assert_eq!(flush(&mut pc, 2), Ok(false), "the first is to hear of it first");
    // What is written meanwhile is not what it was for.
    pc.ata.write(0, Lba(60), &patterns(60, 1, 9)).unwrap();
    assert_eq!(flush(&mut pc, 1), Ok(true));
    pc.drive(|drive| drive.cut_power());
    assert!(pc.read(40, 21).unwrap() == [patterns(40, 20, 9), patterns(60, 1, 7)].concat());
    assert_eq!(flush(&mut pc, 2), Ok(false));
    pc.bus.elapse(WORK_US);
    assert_eq!(flush(&mut pc, 2), Ok(true));
    assert_eq!(flush(&mut pc, 2), Ok(true), "nothing was written since");
    assert_eq!(pc.commands().iter().filter(|&&code| code == 0xE7).count(), 2);
    // One that nobody asks for any more is not another's.
    pc.ata.write(0, Lba(40), &patterns(40, 1, 10)).unwrap();
    assert_eq!(flush(&mut pc, 1), Ok(false));
    pc.ata.release(1);
    pc.bus.elapse(WORK_US);
    pc.ata.write(0, Lba(41), &patterns(41, 1, 10)).unwrap();
    assert_eq!(flush(&mut pc, 1), Ok(false));
    pc.bus.elapse(WORK_US);
    assert_eq!(flush(&mut pc, 1), Ok(true));
    assert!(pc.drive(|drive| drive.medium.sector(41)) == pattern(41, 10));
    pc.clean();
}

/// Whoever flushes next is told, also when whoever began is gone, and the rest is saved.
#[test]
fn what_is_lost_in_a_flush_is_told_once() {
    for (settled, gone) in [(false, false), (true, false), (true, true), (false, true)] {
        let mut pc = Pc::new(&[Model::modern(100_000)]);
        let flush = |pc: &mut Pc, owner| {
            let now = pc.now();
            pc.ata.flush_some(owner, 0, now)
        };
        pc.ata.write(0, Lba(40), &patterns(40, 20, 9)).unwrap();
        pc.drive(|drive| drive.faults.lost_in_flush = Some(45));
        assert_eq!(flush(&mut pc, 1), Ok(false));
        pc.bus.elapse(1000);
        if gone {
            pc.ata.release(1);
        }
        if settled {
            pc.read(0, 1).unwrap();
        }
        let owner = if gone { 2 } else { 1 };
        assert_eq!(
            flush(&mut pc, owner),
            Err(DiskError::Failed { code: 0x40 }),
            "{settled} {gone}"
        );
        assert_eq!(flush(&mut pc, owner), Ok(true));
        pc.drive(|drive| drive.cut_power());
        assert!(pc.read(46, 14).unwrap() == patterns(46, 14, 9));
        pc.clean();
    }
}

#[test]
fn a_drive_that_never_ends_a_flush_is_given_up_in_time() {
    let mut pc = Pc::new(&[Model::modern(100_000)]);
    pc.ata.write(0, Lba(40), &patterns(40, 20, 9)).unwrap();
    let start = pc.now();
    let error = loop {
        let now = pc.now();
        match pc.ata.flush_some(1, 0, now) {
            Ok(done) => assert!(!done),
            Err(error) => break error,
        }
        pc.drive(|drive| drive.faults.dead = true);
        pc.bus.elapse(10_000);
    };
    assert_eq!(error, DiskError::NotReady);
    assert!((30_000..36_000).contains(&(pc.now() - start)), "{} ms", pc.now() - start);
    pc.drive(|drive| drive.faults.dead = false);
    pc.bus.elapse(100_000);
    pc.ata.flush(0).unwrap();
    assert!(pc.drive(|drive| drive.medium.sector(59)) == pattern(59, 9));
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
