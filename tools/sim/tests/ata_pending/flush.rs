//! FLUSH CACHE, which nobody waits for either.

use super::*;

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
