//! What is waited for: the CPU rests until the drive's interrupt, as long as that comes.

use super::*;

/// A drive that takes 20 ms for a command.
const COMMAND_US: u32 = 20_000;

fn pc() -> Pc {
    let model = Model { latency_us: COMMAND_US, write_cache: false, ..Model::modern(100_000) };
    let bus = PortBus::new();
    let channel = bus.plug(IdeChannel::primary().connect(0, model));
    let mut ata = Ata::find(bus.clone());
    ata.use_interrupt(0);
    let mut pc = Pc { ata, channel, bus };
    // Sets it up.
    write(&mut pc, 20);
    pc
}

/// Microseconds and port accesses that one sector takes to write.
fn write(pc: &mut Pc, lba: u32) -> (u64, u64) {
    let before = (pc.bus.now_us(), pc.bus.accesses());
    pc.ata.write(0, Lba(lba), &pattern(lba, 9)).unwrap();
    assert!(pc.drive(|drive| drive.medium.sector(lba)) == pattern(lba, 9));
    (pc.bus.now_us() - before.0, pc.bus.accesses() - before.1)
}

#[test]
fn the_drive_s_interrupt_ends_a_wait() {
    let mut pc = pc();
    for lba in 30..40 {
        let (us, accesses) = write(&mut pc, lba);
        assert!((20_000..21_500).contains(&us), "{us} us");
        // 256 for the data, 64 quick looks each time, and the rest.
        assert!(accesses < 500, "{accesses} port accesses");
    }
    assert_eq!(pc.channel.borrow().violations, Vec::<String>::new());
}

#[test]
fn a_drive_whose_interrupt_does_not_come_is_asked_again_and_again() {
    let mut pc = pc();
    pc.bus.cut_lines();
    let waits: Vec<u64> = (30..40).map(|lba| write(&mut pc, lba).0).collect();
    // The timer's interrupts end the first ones.
    assert!(waits[..3].iter().all(|us| *us < 120_000), "{waits:?}");
    assert!(waits[3..].iter().all(|us| *us < 21_500), "{waits:?}");
    assert_eq!(pc.channel.borrow().violations, Vec::<String>::new());
}

#[test]
fn a_wait_without_interrupts_ends_in_time() {
    let mut pc = pc();
    pc.bus.cut_lines();
    pc.drive(|drive| drive.faults.hanging = 9);
    let start = pc.bus.now_us();
    let result = pc.ata.write(0, Lba(30), &pattern(30, 9));
    assert!(result.is_err());
    let took = pc.bus.now_us() - start;
    assert!((10_000_000..25_000_000).contains(&took), "{took} us");
}
