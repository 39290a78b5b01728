//! Bad sectors, drives that hang, and midnight.

use super::*;

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
