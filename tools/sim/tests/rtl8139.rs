//! The RTL8139 driver on a model of its chip: the ring's end, overflow, failures.

use ftpsrv::hw::dma::DmaMemory;
use ftpsrv::hw::rtl8139::{MEMORY, Rtl8139};
use ftpsrv::net::nic::{Nic, ReceiveMode, SendError};
use sim::chips::PortBus;
use sim::chips::fitted;
use sim::chips::ram::{CardMemory, Ram, Shared};
use sim::chips::rtl8139::Rtl8139 as Chip;

const ADDRESS: [u8; 6] = [0x00, 0x50, 0xFC, 0x12, 0x34, 0x56];
const IO: u16 = 0x6000;

type Fitted = fitted::Fitted<Chip, Rtl8139<PortBus, Shared>>;

fn fit_with(irq: Option<u8>) -> Fitted {
    let (bus, ram) = (PortBus::new(), Ram::new(0x2_0000));
    let chip = bus.plug(Chip::new(IO, ADDRESS, &ram));
    let region = CardMemory::new(0, &ram).dma("a card", MEMORY).unwrap();
    let nic = Rtl8139::new(bus.clone(), IO, irq, region).expect("a card");
    Fitted { bus, chip, nic }
}

fn fit() -> Fitted {
    fit_with(None)
}

/// A frame to the card, its content told apart by `number`.
fn frame(number: u32, length: usize) -> Vec<u8> {
    fitted::frame(ADDRESS, number, length)
}

#[test]
fn moves_frames_of_every_length_around_the_ring() {
    let mut card = fit();
    assert_eq!((card.nic.address(), card.nic.info().io), (ADDRESS, IO));
    for length in 60..=1514 {
        let frame = frame(length as u32, length);
        assert!(card.arrive(&frame));
        assert_eq!(card.receive(), Some(frame.clone()), "{length}");
        assert_eq!(card.receive(), None);
        card.nic.send(&frame).unwrap();
        card.bus.elapse(200);
        assert_eq!(card.depart(), Some(frame), "{length}");
    }
    let statistics = card.nic.statistics();
    assert_eq!((statistics.packets_in, statistics.packets_out), (1455, 1455));
    assert_eq!(statistics.bytes_in, (60..=1514).sum::<u32>());
    assert_eq!((statistics.lost, statistics.errors_in, statistics.errors_out), (0, 0, 0));
}

#[test]
fn frames_end_at_every_offset_of_the_rings_end() {
    // Steps of 4 bytes, so that frame after frame meets the end elsewhere.
    for first in (60..1514).step_by(4) {
        let mut card = fit();
        for number in 0..14 {
            let length = if number == 0 { first } else { 1514 };
            assert!(card.arrive(&frame(number, length)));
            assert_eq!(card.receive(), Some(frame(number, length)), "{first}");
        }
    }
}

#[test]
fn pads_short_frames_with_zeros_and_refuses_long_ones() {
    let mut card = fit();
    for _ in 0..5 {
        card.nic.send(&frame(9, 1514)).unwrap();
        card.bus.elapse(200);
    }
    while card.depart().is_some() {}
    card.nic.send(&frame(1, 43)).unwrap();
    card.bus.elapse(200);
    let sent = card.depart().unwrap();
    assert_eq!((&sent[..43], &sent[43..]), (&frame(1, 43)[..], &[0; 17][..]));
    assert_eq!(card.nic.send(&[0; 1515]), Err(SendError::BadLength));
}

#[test]
fn four_frames_wait_for_the_wire_and_go_in_order() {
    let mut card = fit();
    for round in 0..3 {
        for number in 0..4 {
            card.nic.send(&frame(round * 4 + number, 1514)).unwrap();
        }
        assert!(!card.nic.can_send());
        assert_eq!(card.nic.send(&frame(9, 60)), Err(SendError::Busy));
        card.bus.elapse(1_000);
        assert!(card.nic.can_send());
        let sent: Vec<_> = std::iter::from_fn(|| card.depart()).collect();
        assert_eq!(sent, (0..4).map(|n| frame(round * 4 + n, 1514)).collect::<Vec<_>>());
    }
}

#[test]
fn overflow_loses_no_frame_that_was_stored_and_nothing_afterwards() {
    let mut card = fit();
    let mut number = 0;
    for round in 0..50 {
        let mut stored = Vec::new();
        for _ in 0..30 {
            let frame = frame(number, 60 + (number as usize * 197 + round * 41) % 1455);
            number += 1;
            if card.arrive(&frame) {
                stored.push(frame);
            }
        }
        assert!(stored.len() < 30);
        let taken: Vec<_> = std::iter::from_fn(|| card.receive()).collect();
        assert_eq!(taken, stored);
        assert_eq!(card.nic.statistics().lost as usize, card.chip.borrow().dropped);
    }
    assert!(card.arrive(&frame(number, 1514)));
    assert_eq!(card.receive(), Some(frame(number, 1514)));
}

#[test]
fn damaged_frame_empties_the_ring_and_leaves_the_card_working() {
    for status in [0x0002, 0x0004, 0x0008, 0x0010] {
        let mut card = fit();
        card.arrive(&frame(1, 700));
        card.chip.borrow_mut().store(&frame(2, 700), status);
        card.arrive(&frame(3, 700));
        assert_eq!(card.receive(), Some(frame(1, 700)));
        assert_eq!(card.receive(), None);
        assert_eq!(card.nic.statistics().errors_in, 1);
        assert!(card.arrive(&frame(4, 1000)));
        assert_eq!(card.receive(), Some(frame(4, 1000)));
        card.nic.send(&frame(5, 1000)).unwrap();
        card.bus.elapse(200);
        assert_eq!(card.depart(), Some(frame(5, 1000)));
    }
}

#[test]
fn frames_behind_one_with_too_many_collisions_still_go_out() {
    let mut card = fit();
    card.chip.borrow_mut().aborts = 1;
    for number in 0..4 {
        card.nic.send(&frame(number, 1000)).unwrap();
    }
    card.bus.elapse(1_000);
    assert!(card.nic.can_send());
    card.bus.elapse(1_000);
    let sent: Vec<_> = std::iter::from_fn(|| card.depart()).collect();
    assert_eq!(sent, (1..4).map(|number| frame(number, 1000)).collect::<Vec<_>>());
    assert_eq!(card.nic.statistics().errors_out, 1);
}

#[test]
fn obeys_the_receive_mode_and_takes_no_multicasts() {
    let mut card = fit();
    let to = |address: [u8; 6]| {
        let mut frame = frame(1, 100);
        frame[..6].copy_from_slice(&address);
        frame
    };
    assert!(!card.arrive(&to([1, 0, 0x5E, 0, 0, 1])));
    assert!(!card.arrive(&to([2; 6])));
    assert!(card.arrive(&to([0xFF; 6])));
    assert_eq!(card.receive(), Some(to([0xFF; 6])));
    card.nic.set_receive_mode(ReceiveMode::Off);
    assert!(!card.arrive(&frame(1, 100)));
    card.nic.set_receive_mode(ReceiveMode::Broadcast);
    assert!(card.arrive(&frame(2, 100)));
    assert_eq!(card.receive(), Some(frame(2, 100)));
}

#[test]
fn frame_longer_than_the_buffer_is_dropped_alone() {
    let mut card = fit();
    card.arrive(&frame(1, 1000));
    card.arrive(&frame(2, 100));
    let mut buffer = [0; 999];
    assert_eq!(card.nic.receive(&mut buffer), None);
    assert_eq!(card.nic.receive(&mut buffer), Some(100));
    assert_eq!(card.nic.statistics().lost, 1);
}

#[test]
fn interrupt_ends_when_everything_is_taken() {
    let mut card = fit_with(Some(11));
    for number in 0..20 {
        card.arrive(&frame(number, 200));
        assert!(card.chip.borrow().interrupts());
        while card.receive().is_some() {}
        assert!(!card.chip.borrow().interrupts());
    }
    let card = fit();
    card.arrive(&frame(1, 200));
    assert!(!card.chip.borrow().interrupts());
}

#[test]
fn few_port_accesses_a_packet() {
    let mut card = fit();
    card.arrive(&frame(1, 1514));
    let before = card.bus.accesses();
    card.receive().unwrap();
    let received = card.bus.accesses() - before;
    let before = card.bus.accesses();
    card.nic.send(&frame(1, 1514)).unwrap();
    let sent = card.bus.accesses() - before;
    assert!(received <= 2 && sent <= 1, "{received}, {sent}");
    card.bus.elapse(1_000);
    assert_eq!(card.receive(), None);
    let before = card.bus.accesses();
    assert_eq!(card.receive(), None);
    assert_eq!(card.bus.accesses() - before, 2);
}

#[test]
fn stuck_transmitter_is_reset() {
    let mut card = fit();
    card.chip.borrow_mut().wire.stuck = true;
    for number in 0..4 {
        card.nic.send(&frame(number, 1514)).unwrap();
    }
    let polls = (0..1_000_000).take_while(|_| !card.nic.can_send()).count();
    assert!((100_000..900_000).contains(&polls), "{polls}");
    assert!(card.nic.statistics().errors_out > 0);
    card.chip.borrow_mut().wire.stuck = false;
    card.nic.send(&frame(9, 300)).unwrap();
    card.bus.elapse(2_000);
    assert_eq!(card.depart(), Some(frame(9, 300)));
    assert!(card.arrive(&frame(1, 100)));
    assert_eq!(card.receive(), Some(frame(1, 100)));
}
