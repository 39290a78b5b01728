//! The 3C509 driver on a model of its chip: the contest at the ID port, FIFOs and their ends, failures.

use std::cell::RefCell;
use std::rc::Rc;

use ftpsrv::hw::etherlink3::{EtherLink3, activate};
use ftpsrv::net::nic::{Nic, ReceiveMode, SendError};
use sim::chips::etherlink3::{EtherLink3 as Chip, Slots};
use sim::chips::fitted::{self, receive};
use sim::chips::{Device, PortBus, Station};

const ADDRESS: [u8; 6] = [0x00, 0x20, 0xAF, 0x12, 0x34, 0x56];
const OTHER: [u8; 6] = [0x00, 0x60, 0x8C, 0x01, 0x02, 0x03];

type Card = (PortBus, Rc<RefCell<Chip>>, EtherLink3<PortBus>);

fn fit_with(chip: Chip, irq: Option<u8>) -> Card {
    let mut bus = PortBus::new();
    let chip = bus.plug(chip);
    let (io, address) = activate(&mut bus, None).expect("a card");
    let nic = EtherLink3::new(bus.clone(), io, irq, address).expect("an active card");
    (bus, chip, nic)
}

fn fit() -> Card {
    fit_with(Chip::new(0x300, ADDRESS), None)
}

/// A frame to the card, its content told apart by `number`.
fn frame(number: u32, length: usize) -> Vec<u8> {
    fitted::frame(ADDRESS, number, length)
}

#[test]
fn card_is_found_activated_and_set_up() {
    let (bus, chip, nic) = fit();
    assert_eq!(nic.address(), ADDRESS);
    assert_eq!((nic.info().io, nic.info().irq, nic.info().receive_frames), (0x300, None, 3));
    // Link beat and jabber guard on; the station address is what is listened to.
    assert_eq!(chip.borrow().settings(), (0x00C0, ADDRESS));
    assert!(!chip.borrow().coax_started);
    assert_eq!(bus.stray_writes(), []);

    let (_, _, nic) = fit_with(Chip::new(0x210, ADDRESS).small(), Some(10));
    assert_eq!((nic.info().io, nic.info().irq, nic.info().receive_frames), (0x210, Some(10), 1));

    let (_, chip, _) = fit_with(Chip::new(0x300, ADDRESS).transceiver(3), None);
    assert!(chip.borrow().coax_started);
    assert_eq!(chip.borrow().settings().0, 0);
    let (_, chip, _) = fit_with(Chip::new(0x300, ADDRESS).transceiver(1), None);
    assert!(!chip.borrow().coax_started);
    assert_eq!(chip.borrow().settings().0, 0);
}

#[test]
fn active_card_of_another_program_is_taken_over() {
    let mut chip = Chip::new(0x300, ADDRESS).active();
    chip.fail();
    let (_, chip, mut nic) = fit_with(chip, None);
    assert!(chip.borrow_mut().arrive(&frame(1, 100)));
    assert_eq!(receive(&mut nic), Some(frame(1, 100)));
}

#[test]
fn each_of_several_cards_can_be_chosen() {
    for (wanted, expected) in [
        (None, Some((0x300, ADDRESS))),
        (Some(0x300), Some((0x300, ADDRESS))),
        (Some(0x280), Some((0x280, OTHER))),
        (Some(0x340), None),
    ] {
        let mut bus = PortBus::new();
        let cards = vec![Chip::new(0x280, OTHER), Chip::new(0x300, ADDRESS)];
        let cards = bus.plug(Slots(cards));
        assert_eq!(activate(&mut bus, wanted), expected);
        let active: Vec<_> = cards.borrow().0.iter().filter_map(Chip::base).collect();
        assert_eq!(active, Vec::from_iter(expected.map(|(io, _)| io)));
        // A second look finds what the first one found.
        assert_eq!(activate(&mut bus, wanted), expected);
    }
}

/// Something that is no 3C509, at the usual ID port.
struct Foreign {
    writes: usize,
}

impl Device for Foreign {
    fn decodes(&self, port: u16) -> bool {
        port == 0x110
    }

    fn read(&mut self, _: u16, _: u8) -> u32 {
        0x55
    }

    fn write(&mut self, _: u16, _: u8, _: u32) {
        self.writes += 1;
    }
}

#[test]
fn looking_for_cards_writes_to_no_other_hardware() {
    let mut bus = PortBus::new();
    let foreign = bus.plug(Foreign { writes: 0 });
    assert_eq!(activate(&mut bus, None), None);
    assert_eq!(foreign.borrow().writes, 0);
    bus.plug(Chip::new(0x300, ADDRESS));
    assert_eq!(activate(&mut bus, None), Some((0x300, ADDRESS)));
    assert_eq!(foreign.borrow().writes, 0);
}

#[test]
fn moves_frames_of_every_length() {
    for chip in [Chip::new(0x300, ADDRESS), Chip::new(0x300, ADDRESS).small()] {
        let (bus, chip, mut nic) = fit_with(chip, None);
        for length in 60..=1514 {
            let frame = frame(length as u32, length);
            assert!(chip.borrow_mut().arrive(&frame));
            assert_eq!(receive(&mut nic), Some(frame.clone()), "{length}");
            assert_eq!(receive(&mut nic), None);
            nic.send(&frame).unwrap();
            bus.elapse(2_000);
            assert_eq!(chip.borrow_mut().depart(), Some(frame), "{length}");
        }
        let statistics = nic.statistics();
        assert_eq!((statistics.packets_in, statistics.packets_out), (1455, 1455));
        assert_eq!(statistics.bytes_in, (60..=1514).sum::<u32>());
        assert_eq!(statistics.bytes_out, (60..=1514).sum::<u32>());
        assert_eq!((statistics.lost, statistics.errors_in, statistics.errors_out), (0, 0, 0));
    }
}

#[test]
fn pads_short_frames_with_zeros_and_refuses_impossible_ones() {
    let (bus, chip, mut nic) = fit();
    for length in 14..60 {
        nic.send(&frame(1, length)).unwrap();
        bus.elapse(200);
        let sent = chip.borrow_mut().depart().unwrap();
        assert_eq!((sent.len(), &sent[..length]), (60, &frame(1, length)[..]));
        assert!(sent[length..].iter().all(|&byte| byte == 0), "{length}");
    }
    assert_eq!(nic.send(&[0; 13]), Err(SendError::BadLength));
    assert_eq!(nic.send(&[0; 1515]), Err(SendError::BadLength));
}

#[test]
fn second_frame_fills_the_fifo_while_the_first_is_on_the_wire() {
    let (bus, chip, mut nic) = fit();
    nic.send(&frame(1, 1514)).unwrap();
    assert!(nic.can_send());
    nic.send(&frame(2, 1514)).unwrap();
    assert!(!nic.can_send());
    assert_eq!(nic.send(&frame(3, 60)), Err(SendError::Busy));
    bus.elapse(1_300);
    nic.send(&frame(3, 60)).unwrap();
    bus.elapse(2_000);
    let sent: Vec<_> = chip.borrow_mut().sent.drain(..).collect();
    assert_eq!(sent, [frame(1, 1514), frame(2, 1514), frame(3, 60)]);
}

#[test]
fn takes_broadcasts_but_neither_multicasts_nor_frames_to_others() {
    let (_, chip, mut nic) = fit();
    let to = |address: [u8; 6]| {
        let mut frame = frame(1, 100);
        frame[..6].copy_from_slice(&address);
        frame
    };
    assert!(!chip.borrow_mut().arrive(&to([0x01, 0x00, 0x5E, 0, 0, 1])));
    assert!(!chip.borrow_mut().arrive(&to(OTHER)));
    assert!(chip.borrow_mut().arrive(&to([0xFF; 6])));
    assert_eq!(receive(&mut nic), Some(to([0xFF; 6])));
    nic.set_receive_mode(ReceiveMode::Off);
    assert!(!chip.borrow_mut().arrive(&frame(2, 100)));
    nic.set_receive_mode(ReceiveMode::Broadcast);
    assert!(chip.borrow_mut().arrive(&frame(3, 100)));
    assert_eq!(receive(&mut nic), Some(frame(3, 100)));
    assert_eq!(receive(&mut nic), None);
}

#[test]
fn overflow_loses_no_frame_that_was_stored_and_nothing_afterwards() {
    for chip in [Chip::new(0x300, ADDRESS), Chip::new(0x300, ADDRESS).small()] {
        let (_, chip, mut nic) = fit_with(chip, None);
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
            assert!(stored.len() < 20);
            let taken: Vec<_> = std::iter::from_fn(|| receive(&mut nic)).collect();
            assert_eq!(taken, stored);
            assert!(nic.can_send());
            // The card's counter is read at the latest after so many calls; every loss is told of.
            for _ in 0..256 {
                assert_eq!(receive(&mut nic), None);
            }
        }
        let statistics = nic.statistics();
        assert_eq!((statistics.lost + statistics.errors_in) as usize, chip.borrow().dropped);
        assert!(statistics.errors_in > 0 && statistics.lost > 0);
        assert!(chip.borrow_mut().arrive(&frame(number, 1514)));
        assert_eq!(receive(&mut nic), Some(frame(number, 1514)));
    }
}

#[test]
fn transmitter_comes_back_after_every_failure() {
    // Too many collisions; underrun; jabber; underrun with overflow of the status stack.
    for failure in [0x08, 0x10, 0x20, 0x14] {
        let (bus, chip, mut nic) = fit();
        chip.borrow_mut().failures.push_back(failure);
        nic.send(&frame(1, 1514)).unwrap();
        bus.elapse(2_000);
        assert!(chip.borrow().sent.is_empty());
        assert!(nic.can_send());
        nic.send(&frame(2, 1000)).unwrap();
        bus.elapse(2_000);
        assert_eq!(chip.borrow_mut().depart(), Some(frame(2, 1000)), "{failure:02X}h");
        assert_eq!(nic.statistics().errors_out, 1);
        // Reception went on meanwhile.
        assert!(chip.borrow_mut().arrive(&frame(3, 60)));
        assert_eq!(receive(&mut nic), Some(frame(3, 60)));
    }
}

#[test]
fn frame_behind_one_with_too_many_collisions_still_goes_out() {
    let (bus, chip, mut nic) = fit();
    chip.borrow_mut().failures.push_back(0x08);
    nic.send(&frame(1, 1000)).unwrap();
    nic.send(&frame(2, 1000)).unwrap();
    bus.elapse(2_000);
    assert!(nic.can_send());
    bus.elapse(2_000);
    assert_eq!(chip.borrow_mut().depart(), Some(frame(2, 1000)));
}

#[test]
fn stuck_transmitter_is_reset() {
    let (bus, chip, mut nic) = fit();
    chip.borrow_mut().wire.stuck = true;
    nic.send(&frame(1, 1514)).unwrap();
    nic.send(&frame(2, 1514)).unwrap();
    let polls = (0..1_000_000).take_while(|_| !nic.can_send()).count();
    assert!((50_000..900_000).contains(&polls), "{polls}");
    chip.borrow_mut().wire.stuck = false;
    nic.send(&frame(3, 300)).unwrap();
    bus.elapse(2_000);
    assert_eq!(chip.borrow_mut().depart(), Some(frame(3, 300)));
    assert_eq!(nic.statistics().errors_out, 1);
}

#[test]
fn adapter_failure_is_mended() {
    for irq in [None, Some(10)] {
        let (_, chip, mut nic) = fit_with(Chip::new(0x300, ADDRESS), irq);
        chip.borrow_mut().fail();
        for _ in 0..300 {
            assert_eq!(receive(&mut nic), None);
        }
        assert_eq!(nic.statistics().lost, 1);
        assert!(chip.borrow_mut().arrive(&frame(1, 500)));
        assert_eq!(receive(&mut nic), Some(frame(1, 500)));
    }
}

#[test]
fn frame_longer_than_the_buffer_is_dropped_alone() {
    let (_, chip, mut nic) = fit();
    chip.borrow_mut().arrive(&frame(1, 1000));
    chip.borrow_mut().arrive(&frame(2, 100));
    let mut buffer = [0; 999];
    assert_eq!(nic.receive(&mut buffer), Some(100));
    assert_eq!(nic.statistics().lost, 1);
}

#[test]
fn interrupt_ends_when_everything_is_taken() {
    let (bus, chip, mut nic) = fit_with(Chip::new(0x300, ADDRESS), Some(10));
    for number in 0..3 {
        chip.borrow_mut().arrive(&frame(number, 200));
        chip.borrow_mut().arrive(&frame(number, 200));
        bus.elapse(1);
        assert!(chip.borrow().interrupts());
        while receive(&mut nic).is_some() {}
        bus.elapse(1);
        assert!(!chip.borrow().interrupts());
    }
    let (bus, chip, _) = fit();
    chip.borrow_mut().arrive(&frame(1, 200));
    bus.elapse(1);
    assert!(!chip.borrow().interrupts());
}

#[test]
fn few_port_accesses_a_packet() {
    let (bus, chip, mut nic) = fit();
    chip.borrow_mut().arrive(&frame(1, 1514));
    let mut buffer = [0; 1536];
    let count = |before: u64| bus.accesses() - before;
    let before = bus.accesses();
    nic.receive(&mut buffer).unwrap();
    let received = count(before);
    let before = bus.accesses();
    nic.send(&buffer[..1514]).unwrap();
    let sent = count(before);
    let before = bus.accesses();
    for _ in 0..200 {
        nic.receive(&mut buffer);
    }
    let idle = count(before);
    // 1514 bytes are 379 transfers by double words.
    assert!(received <= 379 + 8, "{received}");
    assert!(sent <= 379 + 4, "{sent}");
    assert!(idle <= 400, "{idle}");
}
