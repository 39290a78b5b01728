//! The PCnet driver on a model of its chip, on ISA and PCI: getting the bus, rings, misses, failures.

use ftpsrv::hw::dma::DmaMemory;
use ftpsrv::hw::pcnet::{self, MEMORY, Pcnet, Slot, is_likely};
use ftpsrv::net::nic::{Nic, ReceiveMode, SendError};
use sim::chips::PortBus;
use sim::chips::dp8390::{Card as Ne2000, Dp8390};
use sim::chips::fitted;
use sim::chips::pcnet::{Dma, Pcnet as Chip};
use sim::chips::ram::{CardMemory, Ram, Shared};

const ADDRESS: [u8; 6] = [0x00, 0x00, 0x1A, 0x12, 0x34, 0x56];
const IO: u16 = 0x300;

type Fitted = fitted::Fitted<Chip, Pcnet<PortBus, Shared>>;

fn fit_at(slot: Slot, channel: usize, start: u32, irq: Option<u8>) -> Option<Fitted> {
    let (bus, ram) = (PortBus::new(), Ram::new(start));
    let dma = bus.plug(Dma::default());
    let chip = bus.plug(match slot {
        Slot::Isa => Chip::isa(IO, channel, &dma, ADDRESS, &ram),
        Slot::Pci => Chip::pci(IO, ADDRESS, &ram),
    });
    let region = CardMemory::new(0, &ram).dma("a card", MEMORY).ok()?;
    let nic = Pcnet::new(bus.clone(), IO, irq, slot, region)?;
    Some(Fitted { bus, chip, nic })
}

fn fit(slot: Slot) -> Fitted {
    fit_at(slot, 5, 0x2_0000, None).expect("a card")
}

const BOTH: [Slot; 2] = [Slot::Isa, Slot::Pci];

/// A frame to the card, its content told apart by `number`.
fn frame(number: u32, length: usize) -> Vec<u8> {
    fitted::frame(ADDRESS, number, length)
}

#[test]
fn gets_the_bus_by_whatever_channel_the_jumpers_say() {
    for channel in [3, 5, 6, 7] {
        let mut card = fit_at(Slot::Isa, channel, 0x2_0000, None).expect("a card");
        assert_eq!(card.nic.address(), ADDRESS);
        assert_eq!((card.nic.info().io, card.nic.info().receive_frames), (IO, 6));
        assert!(card.arrive(&frame(1, 100)));
        assert_eq!(card.receive(), Some(frame(1, 100)), "DMA {channel}");
    }
    assert!(fit_at(Slot::Isa, 1, 0x2_0000, None).is_none());
}

#[test]
fn leaves_a_channel_alone_at_which_somebody_asks_for_the_bus() {
    let (bus, ram) = (PortBus::new(), Ram::new(0x2_0000));
    let dma = bus.plug(Dma::default());
    // The model halts the PC where such a channel is opened.
    dma.borrow_mut().requests[5] = true;
    bus.plug(Chip::isa(IO, 6, &dma, ADDRESS, &ram));
    let region = CardMemory::new(0, &ram).dma("a card", MEMORY).unwrap();
    assert!(Pcnet::new(bus, IO, None, Slot::Isa, region).is_some());
}

#[test]
fn memory_is_where_the_card_reaches() {
    // The last 128 KB below 16 MB; above; on PCI anywhere within 16 MB.
    assert!(fit_at(Slot::Isa, 5, 0xFE_0000, None).is_some());
    assert!(fit_at(Slot::Isa, 5, 0x100_0000, None).is_none());
    assert!(fit_at(Slot::Pci, 5, 0x0FE0_0000, None).is_some());
    assert!(fit_at(Slot::Pci, 5, 0x0FFF_F000, None).is_none());
}

#[test]
fn is_told_from_an_ne2000_at_the_same_port_by_reading() {
    let mut bus = PortBus::new();
    let ne2000 = bus.plug(Dp8390::new(Ne2000::ne2000(IO), ADDRESS));
    ne2000.borrow_mut().count_errors(0x57, 0x57);
    assert!(pcnet::ISA_PORTS.into_iter().all(|io| !is_likely(&mut bus, io)));
    assert_eq!(bus.stray_writes(), []);
    let (mut bus, ram) = (PortBus::new(), Ram::new(0x2_0000));
    bus.plug(Chip::pci(IO, ADDRESS, &ram));
    assert!(is_likely(&mut bus, IO));
}

#[test]
fn moves_frames_of_every_length_around_the_rings() {
    for slot in BOTH {
        let mut card = fit(slot);
        for length in 60..=1514 {
            let frame = frame(length as u32, length);
            assert!(card.arrive(&frame));
            assert_eq!(card.receive(), Some(frame.clone()), "{length}");
            assert_eq!(card.receive(), None);
            card.nic.send(&frame).unwrap();
            card.bus.elapse(2_000);
            assert_eq!(card.depart(), Some(frame), "{length}");
        }
        let statistics = card.nic.statistics();
        assert_eq!((statistics.packets_in, statistics.packets_out), (1455, 1455));
        assert_eq!(statistics.bytes_in, (60..=1514).sum::<u32>());
        assert_eq!((statistics.lost, statistics.errors_in, statistics.errors_out), (0, 0, 0));
    }
}

#[test]
fn chip_pads_short_frames_and_impossible_ones_are_refused() {
    let mut card = fit(Slot::Isa);
    card.nic.send(&frame(1, 42)).unwrap();
    card.bus.elapse(200);
    let sent = card.depart().unwrap();
    assert_eq!((sent.len(), &sent[..42]), (60, &frame(1, 42)[..]));
    assert_eq!(card.nic.send(&[0; 13]), Err(SendError::BadLength));
    assert_eq!(card.nic.send(&[0; 1515]), Err(SendError::BadLength));
}

#[test]
fn four_frames_wait_for_the_wire_and_go_in_order() {
    for slot in BOTH {
        let mut card = fit(slot);
        for round in 0..3 {
            for number in 0..4 {
                card.nic.send(&frame(round * 4 + number, 1514)).unwrap();
            }
            assert!(!card.nic.can_send());
            assert_eq!(card.nic.send(&frame(9, 60)), Err(SendError::Busy));
            card.bus.elapse(5_200);
            assert!(card.nic.can_send());
            let sent: Vec<_> = std::iter::from_fn(|| card.depart()).collect();
            assert_eq!(sent, (0..4).map(|n| frame(round * 4 + n, 1514)).collect::<Vec<_>>());
        }
    }
}

#[test]
fn full_ring_loses_what_it_has_no_room_for_and_nothing_else() {
    for slot in BOTH {
        let mut card = fit(slot);
        let mut number = 0;
        for round in 1..=50 {
            let mut stored = Vec::new();
            for _ in 0..20 {
                let frame = frame(number, 60 + number as usize * 197 % 1455);
                number += 1;
                if card.arrive(&frame) {
                    stored.push(frame);
                }
            }
            assert_eq!(stored.len(), 8);
            let taken: Vec<_> = std::iter::from_fn(|| card.receive()).collect();
            assert_eq!(taken, stored);
            assert_eq!(
                (card.nic.statistics().lost, card.chip.borrow().missed),
                (round, 12 * round as usize)
            );
        }
    }
}

#[test]
fn damaged_frames_go_by_and_are_counted() {
    let mut card = fit(Slot::Isa);
    for number in 0..7 {
        assert!(card.chip.borrow_mut().arrive_damaged(&frame(number, 500)));
    }
    assert!(card.arrive(&frame(7, 500)));
    assert_eq!(card.receive(), Some(frame(7, 500)));
    assert_eq!(card.nic.statistics().errors_in, 7);
}

#[test]
fn transmitter_comes_back_after_every_failure() {
    // Underflow, which turns an ISA chip's transmitter off; 16 collisions; loss of carrier.
    for (slot, failure) in
        [Slot::Isa, Slot::Pci].into_iter().flat_map(|s| [0x4000, 0x0400, 0x0800].map(|f| (s, f)))
    {
        let mut card = fit(slot);
        for round in 0..3 {
            card.chip.borrow_mut().failures.push_back(failure);
            card.nic.send(&frame(1, 1514)).unwrap();
            card.bus.elapse(2_000);
            assert_eq!(card.depart(), None);
            // Frames of the other direction are not lost over it.
            let _ = card.receive();
            assert!(card.nic.can_send());
            assert!(card.arrive(&frame(round, 300)));
            assert_eq!(card.receive(), Some(frame(round, 300)));
            card.nic.send(&frame(2, 1000)).unwrap();
            card.bus.elapse(2_000);
            assert_eq!(card.depart(), Some(frame(2, 1000)), "{slot:?} {failure:04X}h");
            assert_eq!(card.nic.statistics().errors_out, round + 1);
        }
    }
}

#[test]
fn full_transmit_ring_of_a_chip_that_is_off_is_given_up() {
    let mut card = fit(Slot::Isa);
    card.chip.borrow_mut().failures.push_back(0x4000);
    for number in 0..4 {
        card.nic.send(&frame(number, 1514)).unwrap();
    }
    card.bus.elapse(2_000);
    // One descriptor came back, with an error; three are stuck.
    assert!(card.nic.can_send());
    card.nic.send(&frame(4, 1514)).unwrap();
    assert!(card.nic.can_send());
    assert_eq!(card.nic.statistics().errors_out, 5);
    card.nic.send(&frame(5, 60)).unwrap();
    card.bus.elapse(2_000);
    assert_eq!(card.depart(), Some(frame(5, 60)));
}

#[test]
fn chip_that_the_bus_failed_is_put_back_to_work() {
    for slot in BOTH {
        let mut card = fit(slot);
        card.chip.borrow_mut().fail_bus();
        assert!(!card.arrive(&frame(1, 100)));
        assert_eq!(card.receive(), None);
        assert!(card.arrive(&frame(2, 100)));
        assert_eq!(card.receive(), Some(frame(2, 100)));
    }
}

#[test]
fn obeys_the_receive_mode_and_takes_no_multicasts() {
    let mut card = fit(Slot::Isa);
    let mut multicast = frame(1, 100);
    multicast[..6].copy_from_slice(&[1, 0, 0x5E, 0, 0, 1]);
    assert!(!card.arrive(&multicast));
    card.nic.set_receive_mode(ReceiveMode::Off);
    card.arrive(&frame(1, 100));
    assert_eq!(card.receive(), None);
    card.nic.set_receive_mode(ReceiveMode::Broadcast);
    card.arrive(&frame(2, 100));
    assert_eq!(card.receive(), Some(frame(2, 100)));
}

#[test]
fn interrupt_ends_when_everything_is_taken() {
    for slot in BOTH {
        let mut card = fit_at(slot, 5, 0x2_0000, Some(9)).expect("a card");
        for number in 0..20 {
            card.arrive(&frame(number, 200));
            assert!(card.chip.borrow().interrupts());
            while card.receive().is_some() {}
            assert!(!card.chip.borrow().interrupts());
        }
        let mut card = fit(slot);
        card.arrive(&frame(1, 200));
        assert!(!card.chip.borrow().interrupts());
        assert_eq!(card.receive(), Some(frame(1, 200)));
    }
}

#[test]
fn few_port_accesses_a_packet() {
    let mut card = fit(Slot::Isa);
    card.arrive(&frame(1, 1514));
    let before = card.bus.accesses();
    card.receive().unwrap();
    card.nic.send(&frame(1, 1514)).unwrap();
    assert_eq!(card.bus.accesses() - before, 1);
}

#[test]
fn stuck_transmitter_is_reset() {
    let mut card = fit(Slot::Pci);
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
