//! Commands whose data the controller's bus master moves: what it may touch and when, and what goes wrong.

use sim::chips::ide::Master;
use sim::chips::pci::Pci;

use super::*;

const READ: u8 = 0xC8;
const WRITE: u8 = 0xCA;
const PORTS: u16 = 0xC000;
/// Of a buffer before something is read into it.
const EMPTY: u8 = 0x55;

fn modern() -> Model {
    Model { dma: true, ..Model::modern(100_000) }
}

impl Pc {
    /// A PC whose first drive's data a bus master of `pci` moves, if driver and drive agree to it.
    fn with_master(model: Model, pci: Pci, faults: Faults) -> Pc {
        let bus = PortBus::new();
        let channel = IdeChannel::primary().with_master(Master::new(PORTS, bus.lent()));
        let channel = bus.plug(channel.connect(0, model));
        bus.plug(pci);
        {
            let mut channel = channel.borrow_mut();
            let drive = channel.drive(0);
            (0..600).for_each(|lba| drive.medium.set_sector(lba, &pattern(lba, 7)));
            drive.faults = faults;
        }
        let mut ata = Ata::find(bus.clone());
        let before = bus.now_us();
        ata.use_interrupt(0);
        assert!(bus.now_us() - before < 5_000_000, "the trial takes {} us", bus.now_us() - before);
        ata.pin(1);
        let pc = Pc { ata, channel, bus };
        pc.commands();
        pc
    }

    fn by_dma() -> Pc {
        Pc::with_master(slow(modern()), Pci::ide(PORTS), Faults::default())
    }

    fn move_into(&mut self, owner: u8, lba: u32, buffer: &mut [u8]) -> Outcome<usize> {
        let now = self.now();
        self.ata.move_some(owner, 0, Lba(lba), Transfer::Read(buffer), 0, now)
    }

    /// Asks for all of the buffer until it has come, as a client's session does.
    fn fill(&mut self, owner: u8, lba: u32, buffer: &mut [u8]) -> Outcome<()> {
        let mut done = 0;
        while done < buffer.len() {
            done += self.move_into(owner, lba + (done / SECTOR) as u32, &mut buffer[done..])?;
            self.bus.elapse(1000);
        }
        Ok(())
    }

    fn sound(&self) {
        assert_eq!(self.channel.borrow().violations, Vec::<String>::new());
    }
}

fn buffer(sectors: u32) -> Vec<u8> {
    vec![EMPTY; sectors as usize * SECTOR]
}

#[test]
fn data_move_without_the_cpu() {
    let mut pc = Pc::by_dma();
    let mut bytes = buffer(65);
    let before = pc.bus.accesses();
    pc.fill(1, 20, &mut bytes).unwrap();
    assert!(bytes == patterns(20, 65, 7));
    let new = patterns(20, 65, 100);
    pc.store(1, 20, &new).unwrap();
    let accesses = pc.bus.accesses() - before;
    assert_eq!(pc.commands(), [READ, READ, WRITE, WRITE], "64 sectors and 1");
    // A word each would be 33,280.
    assert!(accesses < 2_000, "{accesses} accesses");
    assert!(pc.read(19, 67).unwrap()[SECTOR..66 * SECTOR] == new);
    pc.sound();
}

#[test]
fn the_next_command_is_begun_where_there_is_memory_for_it() {
    let mut pc = Pc::by_dma();
    let mut bytes = buffer(136);
    assert_eq!(pc.move_into(1, 0, &mut bytes), Ok(0));
    pc.bus.elapse(2 * WORK_US);
    assert_eq!(pc.move_into(1, 0, &mut bytes), Ok(64 * SECTOR));
    assert_eq!(pc.commands(), [READ, READ]);
    pc.bus.elapse(2 * WORK_US);
    assert_eq!(pc.move_into(1, 64, &mut bytes[64 * SECTOR..]), Ok(64 * SECTOR));
    pc.bus.elapse(2 * WORK_US);
    assert_eq!(pc.move_into(1, 128, &mut bytes[128 * SECTOR..]), Ok(8 * SECTOR));
    assert!(bytes == patterns(0, 136, 7));
    assert_eq!(pc.commands(), [READ], "and nothing where no memory is");
    let data = patterns(0, 128, 3);
    assert_eq!(pc.write_some(1, 0, &data), Ok(0));
    pc.bus.elapse(2 * WORK_US);
    assert_eq!(pc.write_some(1, 0, &data), Ok(32_768));
    assert_eq!(pc.commands(), [WRITE, WRITE]);
    pc.sound();
}

/// A buffer of whoever does not keep it in place is never lent.
#[test]
fn memory_that_may_go_away_is_filled_by_the_cpu() {
    let mut pc = Pc::by_dma();
    for owner in [2, 255] {
        let mut bytes = buffer(20);
        pc.fill(owner, 50, &mut bytes).unwrap();
        assert!(bytes == patterns(50, 20, 7));
        pc.store(owner, 50, &bytes).unwrap();
    }
    pc.ata.release(1);
    assert!(pc.fetch(1, 50, 20).unwrap() == patterns(50, 20, 7));
    let commands = pc.commands();
    assert!(!commands.contains(&READ) && !commands.contains(&WRITE), "{commands:X?}");
    pc.sound();
}

#[test]
fn memory_of_an_odd_address_is_filled_by_the_cpu() {
    let mut pc = Pc::by_dma();
    let mut bytes = buffer(21);
    pc.fill(1, 50, &mut bytes[1..20 * SECTOR + 1]).unwrap();
    assert!(bytes[1..20 * SECTOR + 1] == patterns(50, 20, 7));
    assert_eq!(count(&pc.commands(), READS), 1);
    pc.sound();
}

#[test]
fn regions_keep_within_64_kb() {
    let mut pc = Pc::by_dma();
    let mut room = vec![EMPTY; 0x2_4000];
    let to_border = 0x1_0000 - (room.as_ptr() as usize & 0xFFFF);
    for before in [0, 2, 512, 4096, 8190, 8192] {
        let start =
            if to_border < 8192 { to_border + 0x1_0000 - before } else { to_border - before };
        let bytes = &mut room[start..start + 16 * SECTOR];
        pc.fill(1, 100, bytes).unwrap();
        assert!(bytes == patterns(100, 16, 7), "{before} bytes before the border");
        let new = patterns(300, 16, before as u32);
        bytes.copy_from_slice(&new);
        pc.store(1, 300, bytes).unwrap();
        assert!(pc.read(300, 16).unwrap() == new);
    }
    assert!(pc.commands().contains(&WRITE));
    pc.sound();
}

/// As the send buffer of a connection, once the client has acknowledged what lay before.
#[test]
fn a_buffer_that_got_longer_at_its_start_has_the_data_there() {
    let mut pc = Pc::by_dma();
    let mut bytes = buffer(32);
    assert_eq!(pc.move_into(1, 60, &mut bytes[8 * SECTOR..24 * SECTOR]), Ok(0));
    pc.bus.elapse(WORK_US / 2);
    assert_eq!(pc.move_into(1, 60, &mut bytes), Ok(0), "the drive is at work");
    pc.bus.elapse(2 * WORK_US);
    assert_eq!(pc.move_into(1, 60, &mut bytes), Ok(16 * SECTOR));
    assert!(bytes[..16 * SECTOR] == patterns(60, 16, 7));
    pc.sound();
}

#[test]
fn what_is_asked_for_elsewhere_is_read_anew() {
    let mut pc = Pc::by_dma();
    let mut bytes = buffer(48);
    let (first, second) = bytes.split_at_mut(24 * SECTOR);
    assert_eq!(pc.move_into(1, 60, first), Ok(0));
    pc.fill(1, 60, second).unwrap();
    assert!(second == patterns(60, 24, 7));
    assert_eq!(pc.commands(), [READ, READ]);
    // A file that was closed before its end, and another by the same number.
    assert_eq!(pc.move_into(1, 60, first), Ok(0));
    pc.fill(1, 200, second).unwrap();
    assert!(second == patterns(200, 24, 7));
    pc.sound();
}

/// When the owner is released his memory is somebody else's.
#[test]
fn released_memory_is_left_alone() {
    let mut pc = Pc::by_dma();
    let mut bytes = buffer(16);
    assert_eq!(pc.move_into(1, 60, &mut bytes), Ok(0));
    pc.ata.release(1);
    bytes.fill(EMPTY);
    pc.bus.elapse(10 * WORK_US);
    pc.read(0, 1).unwrap();
    assert!(bytes.iter().all(|&byte| byte == EMPTY));
    pc.ata.pin(1);
    let mut data = patterns(300, 16, 60);
    assert_eq!(pc.write_some(1, 300, &data), Ok(0));
    pc.ata.release(1);
    data.fill(EMPTY);
    assert!(pc.read(300, 16).unwrap() == patterns(300, 16, 60), "a write takes what it was given");
    pc.sound();
}

/// Of a drive that has stopped working, too.
#[test]
fn memory_lent_to_a_dead_drive_is_left_alone() {
    for hangs in [1, FOREVER] {
        let mut pc = Pc::by_dma();
        pc.drive(|drive| drive.faults.hanging = hangs);
        let mut bytes = buffer(16);
        assert_eq!(pc.move_into(1, 60, &mut bytes), Ok(0));
        pc.ata.release(1);
        bytes.fill(EMPTY);
        pc.drive(|drive| drive.faults.hanging = 0);
        assert!(pc.read(60, 16).unwrap() == patterns(60, 16, 7));
        assert!(bytes.iter().all(|&byte| byte == EMPTY));
        pc.sound();
    }
}

#[test]
fn whoever_cannot_wait_comes_first_and_nothing_is_moved_twice() {
    let mut pc = Pc::by_dma();
    let mut bytes = buffer(16);
    assert_eq!(pc.move_into(1, 60, &mut bytes), Ok(0));
    assert!(pc.engaged());
    assert!(pc.read(100, 3).unwrap() == patterns(100, 3, 7));
    assert_eq!(pc.move_into(1, 60, &mut bytes), Ok(16 * SECTOR));
    assert!(bytes == patterns(60, 16, 7));
    let new = patterns(200, 16, 50);
    assert_eq!(pc.write_some(1, 200, &new), Ok(0));
    pc.ata.flush(0).unwrap();
    assert_eq!(pc.write_some(1, 200, &new), Ok(8192));
    let by_dma = pc.commands().into_iter().filter(|code| [READ, WRITE].contains(code)).count();
    assert_eq!(by_dma, 2);
    pc.sound();
}

#[test]
fn a_bad_sector_costs_its_neighbours_nothing_and_dma_goes_on() {
    let mut pc = Pc::by_dma();
    pc.drive(|drive| drive.faults.unreadable.insert(70, FOREVER));
    let mut bytes = buffer(10);
    pc.fill(1, 60, &mut bytes).unwrap();
    assert!(bytes == patterns(60, 10, 7));
    assert_eq!(pc.fill(1, 70, &mut bytes), Err(DiskError::Failed { code: 0x40 }));
    pc.fill(1, 71, &mut bytes).unwrap();
    assert!(bytes == patterns(71, 10, 7));
    assert_eq!(pc.commands().last(), Some(&READ));
    // One that fails now and then.
    pc.drive(|drive| drive.faults.unwritable.insert(205, 2));
    let new = patterns(200, 16, 50);
    pc.store(1, 200, &new).unwrap();
    assert!(pc.read(200, 16).unwrap() == new);
    pc.sound();
}

#[test]
fn data_that_were_damaged_on_the_way_are_moved_again_by_the_cpu() {
    for writes in [false, true] {
        let mut pc = Pc::by_dma();
        pc.drive(|drive| drive.faults.damaged = 1);
        let mut bytes = patterns(60, 16, 50);
        if writes {
            pc.store(1, 60, &bytes).unwrap();
            assert!(pc.read(60, 16).unwrap() == bytes);
        } else {
            pc.fill(1, 60, &mut bytes).unwrap();
            assert!(bytes == patterns(60, 16, 7));
        }
        pc.commands();
        pc.fill(1, 100, &mut bytes).unwrap();
        assert!(bytes == patterns(100, 16, 7));
        assert_eq!(count(&pc.commands(), READS), 1, "the drive is not trusted with DMA again");
        pc.sound();
    }
}

#[test]
fn a_drive_that_does_not_end_is_reset_and_read_by_the_cpu() {
    let mut pc = Pc::by_dma();
    pc.drive(|drive| drive.faults.hanging = 1);
    let mut bytes = buffer(16);
    pc.fill(1, 60, &mut bytes).unwrap();
    assert!(bytes == patterns(60, 16, 7));
    assert_eq!(pc.channel.borrow().resets, 1);
    let commands = pc.commands();
    assert_eq!(commands.iter().filter(|&&code| code == READ).count(), 1, "{commands:X?}");
    pc.sound();
}

#[test]
fn without_proof_that_it_works_there_is_no_dma() {
    let faults = |faults: Faults| (slow(modern()), Pci::ide(PORTS), faults);
    let cases = [
        ("no mode is chosen", (slow(Model::modern(100_000)), Pci::ide(PORTS), Faults::default())),
        (
            "of a maker that is not known",
            (slow(modern()), Pci::ide(PORTS).of(0x1095), Faults::default()),
        ),
        ("a card in an adapter", faults(Faults { no_dma_lines: true, ..Faults::default() })),
        ("in different modes", faults(Faults { garbles: true, ..Faults::default() })),
        ("damages", faults(Faults { damaged: FOREVER, ..Faults::default() })),
        (
            "removable",
            (slow(Model { removable: true, ..modern() }), Pci::ide(PORTS), Faults::default()),
        ),
    ];
    for (case, (model, pci, faults)) in cases {
        let mut pc = Pc::with_master(model, pci, faults);
        let mut bytes = buffer(20);
        pc.fill(1, 60, &mut bytes).unwrap();
        assert!(bytes == patterns(60, 20, 7), "{case}");
        pc.store(1, 60, &bytes).unwrap();
        let commands = pc.commands();
        assert!(!commands.contains(&READ) && !commands.contains(&WRITE), "{case}: {commands:X?}");
        pc.sound();
    }
}

/// One reads and one writes, each at its own pace; now and then one is gone.
#[test]
fn many_together_get_and_store_what_is_theirs() {
    let mut pc = Pc::with_master(modern(), Pci::ide(PORTS), Faults::default());
    let mut random = Random::new(5);
    let mut buffers: Vec<Vec<u8>> = (0..4).map(|_| buffer(32)).collect();
    let mut at = [0, 150, 300, 450];
    let mut version = [7; 600];
    let mut moved = 0;
    (0..4).for_each(|owner| pc.ata.pin(owner));
    for _ in 0..20_000 {
        pc.bus.elapse(random.below(400) as u32);
        let owner = random.below(4);
        let (first, lba) = (owner as u32 * 150, at[owner]);
        let sectors = (first + 150 - lba).min(32);
        let bytes = &mut buffers[owner][..sectors as usize * SECTOR];
        if random.below(200) == 0 {
            pc.ata.release(owner as u8);
            bytes.fill(EMPTY);
            pc.ata.pin(owner as u8);
            continue;
        }
        let came = if owner.is_multiple_of(2) {
            let came = pc.move_into(owner as u8, lba, bytes).unwrap();
            let good = patterns(lba, (came / SECTOR) as u32, version[lba as usize]);
            assert!(bytes[..came] == good);
            came
        } else {
            let new = version[first as usize] + 1;
            bytes.copy_from_slice(&patterns(lba, sectors, new));
            let came = pc.write_some(owner as u8, lba, bytes).unwrap();
            assert!(
                pc.read(lba, (came / SECTOR) as u32).unwrap()
                    == patterns(lba, (came / SECTOR) as u32, new)
            );
            came
        };
        moved += came;
        at[owner] += (came / SECTOR) as u32;
        if at[owner] == first + 150 {
            at[owner] = first;
            if !owner.is_multiple_of(2) {
                version[first as usize..][..150].iter_mut().for_each(|version| *version += 1);
            }
        }
    }
    assert!(moved > 4_000_000, "{moved} bytes");
    pc.sound();
}
