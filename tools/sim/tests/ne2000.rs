//! The NE2000 driver on a model of its chip: probing, the ring and its ends, overflow, disorder.

use std::cell::RefCell;
use std::rc::Rc;

use ftpsrv::hw::ne2000::{ISA_PORTS, Ne2000, NotFound};
use ftpsrv::hw::ports::Ports;
use ftpsrv::net::nic::{Nic, ReceiveMode, SendError};
use sim::chips::dp8390::{Card, Dp8390};
use sim::chips::fitted::{self, receive};
use sim::chips::pic::{Interrupting, Pic};
use sim::chips::{Device, PortBus, Station};

const ADDRESS: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

fn fit(card: Card) -> (PortBus, Rc<RefCell<Dp8390>>, Ne2000<PortBus>) {
    let base = card.base;
    let bus = PortBus::new();
    let chip = bus.plug(Dp8390::new(card, ADDRESS));
    let nic = Ne2000::new(bus.clone(), base, None, None).unwrap_or_else(|(e, _)| panic!("{e:?}"));
    (bus, chip, nic)
}

/// A frame to the card, its content told apart by `number`.
fn frame(number: u32, length: usize) -> Vec<u8> {
    fitted::frame(ADDRESS, number, length)
}

#[test]
fn finds_what_card_it_is() {
    let (_, _, nic) = fit(Card::ne2000(0x300));
    assert_eq!(nic.address(), ADDRESS);
    assert_eq!((nic.info().name, nic.info().io, nic.info().receive_frames), ("NE2000", 0x300, 8));

    let (_, _, nic) = fit(Card::ne1000(0x280));
    assert_eq!(nic.address(), ADDRESS);
    assert_eq!((nic.info().name, nic.info().io, nic.info().receive_frames), ("NE1000", 0x280, 3));

    let (_, _, nic) = fit(Card { memory: 0x4000..0xC000, ..Card::ne2000(0x340) });
    assert_eq!(nic.info().receive_frames, 18);

    let (_, _, nic) = fit(Card { memory: 0x4000..0x6000, ..Card::ne2000(0x340) });
    assert_eq!(nic.info().receive_frames, 3);

    // A 16-bit clone in an 8-bit slot.
    let clone = Card { narrow_slot: true, has_signature: false, ..Card::ne2000(0x320) };
    let (_, _, nic) = fit(Card { memory: 0x4000..0x6000, ..clone });
    assert_eq!(nic.address(), ADDRESS);
    assert_eq!((nic.info().name, nic.info().receive_frames), ("NE1000", 3));
}

#[test]
fn moves_frames_of_every_length_on_every_bus() {
    let cards = [
        Card::ne2000(0x300),
        Card::ne1000(0x300),
        Card { decodes_double_words: false, ..Card::ne2000(0x300) },
        Card { memory: 0x4000..0xC000, ..Card::ne2000(0x300) },
        Card { needs_read_before_write: true, ..Card::ne2000(0x300) },
        Card { has_signature: false, ..Card::ne2000(0x300) },
        Card { has_signature: false, ..Card::ne1000(0x300) },
        Card { narrow_slot: true, ..Card::ne2000(0x300) },
    ];
    for card in cards {
        let (bus, chip, mut nic) = fit(card);
        for length in 60..=1514 {
            let frame = frame(length as u32, length);
            assert!(chip.borrow_mut().arrive(&frame));
            assert_eq!(receive(&mut nic), Some(frame.clone()), "{length}");
            assert_eq!(receive(&mut nic), None);
            nic.send(&frame).unwrap();
            bus.elapse(2_000);
            assert_eq!(chip.borrow_mut().sent.pop_front(), Some(frame), "{length}");
        }
        assert!(nic.can_send());
        let statistics = nic.statistics();
        assert_eq!((statistics.packets_in, statistics.packets_out), (1455, 1455));
        assert_eq!((statistics.lost, statistics.errors_in, statistics.errors_out), (0, 0, 0));
        assert_eq!(statistics.bytes_in, (60..=1514).sum::<u32>());
    }
}

#[test]
fn pads_short_frames_with_zeros() {
    let (bus, chip, mut nic) = fit(Card::ne2000(0x300));
    nic.send(&frame(1, 1514)).unwrap();
    bus.elapse(2_000);
    for _ in 0..2 {
        nic.send(&frame(1, 43)).unwrap();
        bus.elapse(2_000);
    }
    let sent = chip.borrow_mut().sent.pop_back().unwrap();
    assert_eq!(sent[..43], frame(1, 43));
    assert_eq!(sent[43..], [0; 17]);
    assert_eq!(nic.send(&[0; 13]), Err(SendError::BadLength));
    assert_eq!(nic.send(&[0; 1515]), Err(SendError::BadLength));
}

#[test]
fn second_buffer_fills_while_the_first_is_on_the_wire() {
    let (bus, chip, mut nic) = fit(Card::ne2000(0x300));
    nic.send(&frame(1, 1514)).unwrap();
    nic.send(&frame(2, 1000)).unwrap();
    assert!(!nic.can_send());
    assert_eq!(nic.send(&frame(3, 60)), Err(SendError::Busy));
    bus.elapse(2_000);
    assert!(nic.can_send());
    nic.send(&frame(3, 60)).unwrap();
    bus.elapse(2_000);
    // Receiving alone moves the waiting frame on.
    assert_eq!(receive(&mut nic), None);
    bus.elapse(2_000);
    let sent: Vec<_> = chip.borrow_mut().sent.drain(..).collect();
    assert_eq!(sent, [frame(1, 1514), frame(2, 1000), frame(3, 60)]);
}

#[test]
fn one_buffer_where_memory_is_short() {
    let (bus, chip, mut nic) = fit(Card::ne1000(0x300));
    nic.send(&frame(1, 1514)).unwrap();
    assert!(!nic.can_send());
    assert_eq!(nic.send(&frame(2, 60)), Err(SendError::Busy));
    bus.elapse(2_000);
    nic.send(&frame(2, 60)).unwrap();
    bus.elapse(2_000);
    assert_eq!(chip.borrow().sent.len(), 2);
}

#[test]
fn overflow_loses_no_frame_that_was_stored_and_nothing_afterwards() {
    for card in [Card::ne2000(0x300), Card::ne1000(0x300)] {
        let (_, chip, mut nic) = fit(card);
        let mut number = 0;
        for round in 0..50 {
            let mut stored = Vec::new();
            for _ in 0..20 {
                let frame = frame(number, 60 + (number as usize * 197 + round * 41) % 1455);
                number += 1;
                if chip.borrow_mut().arrive(&frame) {
                    stored.push(frame);
                }
            }
            assert_eq!(chip.borrow().overflows, round + 1);
            let taken: Vec<_> = std::iter::from_fn(|| receive(&mut nic)).collect();
            assert_eq!(taken, stored);
            assert!(nic.can_send());
        }
        assert_eq!(nic.statistics().lost, 50);
        let last = frame(number, 1514);
        assert!(chip.borrow_mut().arrive(&last));
        assert_eq!(receive(&mut nic), Some(last));
    }
}

#[test]
fn frame_that_the_overflow_recovery_cuts_off_is_sent_again() {
    let (bus, chip, mut nic) = fit(Card::ne2000(0x300));
    // The frames fill the ring just as a transmission begins; the model cuts it off at the stop.
    nic.send(&frame(1, 1514)).unwrap();
    nic.send(&frame(2, 1514)).unwrap();
    for number in 0..10 {
        chip.borrow_mut().arrive(&frame(number, 1514));
    }
    assert!(receive(&mut nic).is_some());
    assert_eq!(chip.borrow().cut_off, 1);
    assert_eq!(nic.send(&frame(3, 60)), Err(SendError::Busy));
    while receive(&mut nic).is_some() {}
    bus.elapse(2_000);
    assert!(nic.can_send());
    bus.elapse(2_000);
    assert!(nic.can_send());
    let sent: Vec<_> = chip.borrow_mut().sent.drain(..).collect();
    assert_eq!(sent, [frame(1, 1514), frame(2, 1514)]);
    assert_eq!(nic.statistics().packets_out, 2);
}

#[test]
fn flood_with_a_slow_reader_never_stops_the_card() {
    let (bus, chip, mut nic) = fit(Card::ne2000(0x300));
    let mut stored = std::collections::VecDeque::new();
    for number in 0..3_000 {
        let sent = frame(number, 60 + (number as usize * 911) % 1455);
        if chip.borrow_mut().arrive(&sent) {
            stored.push_back(sent);
        }
        bus.elapse(300);
        if number % 3 == 0
            && let Some(taken) = receive(&mut nic)
        {
            assert_eq!(Some(taken), stored.pop_front());
        }
        if number % 7 == 0 && nic.can_send() {
            nic.send(&frame(number, 600)).unwrap();
        }
    }
    while let Some(taken) = receive(&mut nic) {
        assert_eq!(Some(taken), stored.pop_front());
    }
    assert!(stored.is_empty());
    assert!(chip.borrow().overflows > 10);
    assert!(nic.statistics().packets_out > 100);
}

#[test]
fn corrupt_headers_empty_the_ring_and_leave_the_card_working() {
    // A false count within the right number of pages shows only in the frame's own checksums.
    let header_lies: [(u16, u8); 5] = [(0, 0x00), (1, 0x10), (1, 0x80), (3, 0x10), (3, 0)];
    for (offset, value) in header_lies {
        let (_, chip, mut nic) = fit(Card::ne2000(0x300));
        for number in 0..3 {
            chip.borrow_mut().arrive(&frame(number, 700));
        }
        // The ring begins at page 4Ch, its first frame a page later; the second follows in three.
        chip.borrow_mut().poke(0x5000 + offset, value);
        assert_eq!(receive(&mut nic), Some(frame(0, 700)));
        assert_eq!(receive(&mut nic), None, "byte {offset} = {value:02X}h");
        assert_eq!(nic.statistics().lost, 1);
        for number in 5..50 {
            assert!(chip.borrow_mut().arrive(&frame(number, 1400)));
            assert_eq!(receive(&mut nic), Some(frame(number, 1400)));
        }
    }
    let (_, chip, mut nic) = fit(Card::ne2000(0x300));
    chip.borrow_mut().arrive(&frame(0, 700));
    chip.borrow_mut().set_current(0x13);
    assert_eq!(receive(&mut nic), None);
    assert!(chip.borrow_mut().arrive(&frame(1, 700)));
    assert_eq!(receive(&mut nic), Some(frame(1, 700)));
}

#[test]
fn transmission_that_never_ends_is_given_up() {
    let (_, chip, mut nic) = fit(Card::ne2000(0x300));
    chip.borrow_mut().stuck = true;
    nic.send(&frame(1, 100)).unwrap();
    nic.send(&frame(2, 100)).unwrap();
    let polls = (0..1_100_000).take_while(|_| !nic.can_send()).count();
    assert!((900_000..1_000_001).contains(&polls), "{polls}");
    assert_eq!(nic.statistics().errors_out, 1);
    chip.borrow_mut().stuck = false;
}

#[test]
fn counts_errors_and_obeys_the_receive_mode() {
    let (_, chip, mut nic) = fit(Card::ne2000(0x300));
    chip.borrow_mut().count_errors(2, 3);
    assert_eq!(receive(&mut nic), None);
    assert_eq!(nic.statistics().errors_in, 5);
    let mut broadcast = frame(1, 60);
    broadcast[..6].fill(0xFF);
    nic.set_receive_mode(ReceiveMode::Off);
    chip.borrow_mut().arrive(&broadcast);
    assert_eq!(receive(&mut nic), None);
    nic.set_receive_mode(ReceiveMode::Broadcast);
    chip.borrow_mut().arrive(&broadcast);
    assert_eq!(receive(&mut nic), Some(broadcast));
    let mut foreign = frame(1, 60);
    foreign[5] ^= 1;
    chip.borrow_mut().arrive(&foreign);
    assert_eq!(receive(&mut nic), None);
}

#[test]
fn frame_longer_than_the_buffer_is_dropped_alone() {
    let (_, chip, mut nic) = fit(Card::ne2000(0x300));
    chip.borrow_mut().arrive(&frame(1, 1000));
    chip.borrow_mut().arrive(&frame(2, 100));
    let mut buffer = [0; 999];
    assert_eq!(nic.receive(&mut buffer), Some(100));
    assert_eq!(nic.statistics().lost, 1);
}

#[test]
fn few_port_accesses_a_packet() {
    let (bus, chip, mut nic) = fit(Card::ne2000(0x300));
    chip.borrow_mut().arrive(&frame(1, 1514));
    let mut buffer = [0; 1536];
    let before = bus.accesses();
    nic.receive(&mut buffer).unwrap();
    let received = bus.accesses() - before;
    let before = bus.accesses();
    nic.send(&buffer[..1514]).unwrap();
    let sent = bus.accesses() - before;
    let before = bus.accesses();
    nic.receive(&mut buffer);
    nic.receive(&mut buffer);
    let idle = bus.accesses() - before;
    // 1514 bytes are 379 transfers by double words.
    assert!(received <= 379 + 18, "{received}");
    assert!(sent <= 379 + 11, "{sent}");
    assert_eq!(idle, 2);
}

/// A device that nothing may be written to.
struct Untouchable {
    base: u16,
    registers: [u8; 32],
    writes: usize,
}

impl Device for Untouchable {
    fn decodes(&self, port: u16) -> bool {
        (self.base..self.base + 32).contains(&port)
    }

    fn read(&mut self, port: u16, _: u8) -> u32 {
        u32::from(self.registers[usize::from(port - self.base)])
    }

    fn write(&mut self, _: u16, _: u8, _: u32) {
        self.writes += 1;
    }
}

#[test]
fn probing_writes_to_no_other_card() {
    let bus = PortBus::new();
    // A 3C509 in window 0, a Sound Blaster at rest, an XT-IDE adapter with its data latch empty.
    let mut others = Vec::new();
    for (base, first, tally) in [(0x300, 0x50, 0x00), (0x220, 0x00, 0xFF), (0x360, 0x00, 0x50)] {
        let mut registers = [0xFF; 32];
        registers[0] = first;
        registers[13] = tally;
        others.push(bus.plug(Untouchable { base, registers, writes: 0 }));
    }
    for port in ISA_PORTS {
        let (error, _) = Ne2000::new(bus.clone(), port, None, None).err().unwrap();
        assert_eq!(error, NotFound::NoChip, "{port:03X}h");
    }
    assert!(others.iter().all(|other| other.borrow().writes == 0));
    assert_eq!(bus.stray_writes(), []);
}

#[test]
fn chip_without_memory_or_address_is_named_so() {
    let bus = PortBus::new();
    bus.plug(Dp8390::new(Card { memory: 0x6000..0x6000, ..Card::ne2000(0x300) }, ADDRESS));
    bus.plug(Dp8390::new(Card::ne2000(0x340), [0; 6]));
    let error = |port| Ne2000::new(bus.clone(), port, None, None).err().unwrap().0;
    assert_eq!(error(0x300), NotFound::NoMemory);
    assert_eq!(error(0x340), NotFound::NoAddress);
}

#[test]
fn card_left_running_by_another_driver_is_found() {
    // Left in page 1; behind a remote read; behind a remote write.
    for command in [0x62, 0x0A, 0x12] {
        let (mut bus, chip, nic) = fit(Card::ne2000(0x300));
        drop(nic);
        // With frames in its ring.
        chip.borrow_mut().arrive(&frame(1, 700));
        bus.outb(0x300, command);
        let mut nic = Ne2000::new(bus.clone(), 0x300, Some(3), None).map_err(|(e, _)| e).unwrap();
        assert_eq!(nic.info().irq, Some(3));
        assert_eq!(receive(&mut nic), None);
        assert!(chip.borrow_mut().arrive(&frame(2, 700)));
        assert_eq!(receive(&mut nic), Some(frame(2, 700)));
    }
}

#[test]
fn interrupt_line_is_found_by_raising_it() {
    let free = 1 << 5 | 1 << 10 | 1 << 12;
    // Jumpers, lines that somebody else holds up, what is found.
    for (irq, held, found) in [
        (10, 0, Some(10)),
        (5, 1, Some(5)),
        (5, 1 << 10, Some(5)),
        (10, 1 << 10, None),
        (4, 0, None),
    ] {
        let (bus, chip, mut nic) = fit(Card::ne2000(0x300));
        let pic = bus.plug(Pic::default());
        pic.borrow_mut().connect(irq, &chip);
        pic.borrow_mut().held = held;
        // What arrives before, or meanwhile, raises nothing.
        assert!(chip.borrow_mut().arrive(&frame(1, 700)));
        nic.find_line(free);
        assert_eq!(nic.info().irq, found, "IRQ {irq}, {held:X}h held");
        assert_eq!(chip.borrow().asks(), found.is_some());
        assert_eq!(receive(&mut nic), Some(frame(1, 700)));
        assert_eq!(receive(&mut nic), None);
        assert!(!chip.borrow().asks());
        assert!(chip.borrow_mut().arrive(&frame(2, 60)));
        assert_eq!(chip.borrow().asks(), found.is_some());
    }
    // Without controllers there is none to be found.
    let (_, _, mut nic) = fit(Card::ne2000(0x300));
    nic.find_line(free);
    assert_eq!(nic.info().irq, None);
}
