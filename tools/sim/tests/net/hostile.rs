//! Storms, floods, forged and malformed frames: what is asked of the stack on a hostile network.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::rig::{ALICE, CONTROL, MALLORY, PASSIVE, Rig, SERVER, SOCKETS, plan};
use ftpsrv::net::{DataState, Event, Plan};
use sim::client::{packet, segment};
use sim::network::{Random, STATION};
use smoltcp::wire::{IpProtocol, TcpControl};

/// A SYN to the control port from wherever, sent by Mallory.
fn forged_syn(rig: &Rig, from: SocketAddrV4, to: SocketAddrV4) {
    let bytes = segment(from, to, TcpControl::Syn, 1, None);
    rig.mallory.inject(&packet(
        rig.mallory.station(),
        STATION,
        *from.ip(),
        *to.ip(),
        IpProtocol::Tcp,
        &bytes,
    ));
}

#[test]
fn ten_clients_at_once_all_get_in() {
    let plan = Plan { control_sockets: 13, data_sockets: 10, per_address: 13, ..plan() };
    let mut rig = Rig::with(&plan, |_| {});
    let connections: Vec<_> = (0..10).map(|_| rig.alice.connect(CONTROL)).collect();
    let mut slots = Vec::new();
    rig.until("ten logins", 100, |rig| {
        slots.extend(rig.stack.accept());
        slots.len() == 10
    });
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots.len(), 10);
    assert!(connections.iter().all(|connection| rig.alice.is_open(*connection)));
}

#[test]
fn more_clients_than_sockets_wait_and_are_never_refused() {
    let mut rig = Rig::new();
    let connections: Vec<_> = (0..SOCKETS + 4).map(|_| rig.alice.connect(CONTROL)).collect();
    rig.run(500);
    let open = connections.iter().filter(|c| rig.alice.was_open(**c)).count();
    assert_eq!(open, SOCKETS);
    assert!(rig.stack.statistics().refused >= 4);
    // The server serves each for a second and sends it away.
    let mut served = 0;
    for _ in 0..40 {
        while let Some(slot) = rig.stack.accept() {
            rig.stack.control(slot).unwrap().send(b"421 full\r\n");
            rig.stack.release(slot);
            served += 1;
        }
        for connection in &connections {
            if rig.alice.is_over(*connection) {
                rig.alice.close(*connection);
            }
        }
        rig.run(500);
    }
    assert_eq!(served, SOCKETS + 4);
    for connection in connections {
        assert_eq!(rig.alice.received(connection), b"421 full\r\n");
    }
}

#[test]
fn one_address_cannot_take_all_sockets() {
    let mut rig = Rig::with(&Plan { per_address: 2, ..plan() }, |_| {});
    for _ in 0..20 {
        rig.mallory.connect(CONTROL);
    }
    rig.run(2_000);
    assert_eq!(rig.stack.statistics().accepted, 0);
    let mut accepted = Vec::new();
    while let Some(slot) = rig.stack.accept() {
        accepted.push(slot);
    }
    assert_eq!(accepted.len(), 2);
    rig.login();
}

#[test]
fn a_flood_of_forged_syns_does_not_keep_clients_out() {
    for permille in [100, 300, 1000] {
        flooded(permille);
    }
}

/// A flood with so many SYNs a second, at random moments.
fn flooded(permille: u16) {
    let mut random = Random::new(5);
    let mut rig = Rig::new();
    // She has talked to us before, as every client has by asking for our station address.
    let (first, slot) = rig.login();
    let mut number = 0u32;
    let mut flood = |rig: &mut Rig, ms: u64| {
        for _ in 0..ms {
            for _ in 0..2 {
                if random.chance(permille / 2) {
                    number += 1;
                    let from = Ipv4Addr::from(0x0a00_0050 + number % 120);
                    forged_syn(rig, SocketAddrV4::new(from, 1024 + number as u16), CONTROL);
                }
            }
            rig.step();
        }
    };
    flood(&mut rig, 3_000);
    let connection = rig.alice.connect(CONTROL);
    let mut accepted = None;
    for _ in 0..200 {
        flood(&mut rig, 100);
        accepted = accepted.or_else(|| rig.stack.accept());
        if accepted.is_some() {
            break;
        }
    }
    assert!(accepted.is_some() && rig.alice.is_open(connection));
    // Those inside notice nothing, and when the flood is over all sockets are free again.
    assert!(rig.alice.is_open(first) && !rig.stack.control(slot).unwrap().is_dead());
    rig.run(6_000);
    for _ in 0..SOCKETS - 2 {
        rig.login();
    }
}

#[test]
fn half_open_connections_are_given_up_in_seconds() {
    let mut rig = Rig::new();
    rig.mallory.connect(CONTROL);
    rig.run(20);
    for index in 0..SOCKETS as u16 + 3 {
        // A neighbour that exists but does not answer resets.
        forged_syn(&rig, SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 99), 5000 + index), CONTROL);
    }
    rig.run(5_000);
    let connections: Vec<_> = (0..SOCKETS - 1).map(|_| rig.alice.connect(CONTROL)).collect();
    rig.run(50);
    assert!(connections.iter().all(|connection| rig.alice.is_open(*connection)));
}

#[test]
fn senders_that_cannot_exist_are_not_answered() {
    let mut rig = Rig::new();
    rig.login();
    rig.stack.data(0).unwrap().listen(PASSIVE.port(), ALICE).unwrap();
    rig.network.record();
    let before = rig.stack.statistics();
    for from in [
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::BROADCAST,
        Ipv4Addr::new(10, 0, 0, 255),
        Ipv4Addr::new(224, 0, 0, 1),
        SERVER,
    ] {
        forged_syn(&rig, SocketAddrV4::new(from, 999), CONTROL);
        forged_syn(&rig, SocketAddrV4::new(from, 999), PASSIVE);
        forged_syn(&rig, SocketAddrV4::new(from, 999), SocketAddrV4::new(SERVER, 80));
    }
    for to in [Ipv4Addr::BROADCAST, Ipv4Addr::new(10, 0, 0, 255), Ipv4Addr::new(224, 0, 0, 1)] {
        forged_syn(&rig, SocketAddrV4::new(MALLORY, 999), SocketAddrV4::new(to, 21));
        rig.mallory.ping(to, [0xff; 6], 32);
    }
    // Group address as sender of the frame; and our own.
    for station in [[0xff; 6], [1, 0, 0x5e, 0, 0, 1], STATION] {
        let bytes = segment(SocketAddrV4::new(MALLORY, 9), CONTROL, TcpControl::Syn, 1, None);
        let frame = packet(station, STATION, MALLORY, SERVER, IpProtocol::Tcp, &bytes);
        rig.mallory.inject(&frame);
    }
    rig.run(200);
    assert_eq!(rig.stack.statistics().spoofed - before.spoofed, 18 + 3);
    let ours = rig.network.take_recorded().iter().filter(|(from, _)| *from == 0).count();
    assert_eq!(ours, 0);
}

#[test]
fn fragments_and_other_protocols_are_not_answered() {
    let mut rig = Rig::new();
    rig.login();
    rig.network.record();
    let before = rig.stack.statistics();
    let syn = segment(SocketAddrV4::new(MALLORY, 9), CONTROL, TcpControl::Syn, 1, None);
    for field in [[0x20, 0], [0x20, 1], [0, 1], [0x1f, 0xff]] {
        let mut frame =
            packet(rig.mallory.station(), STATION, MALLORY, SERVER, IpProtocol::Tcp, &syn);
        frame[20..22].copy_from_slice(&field);
        rig.mallory.inject(&frame);
    }
    for protocol in [IpProtocol::Udp, IpProtocol::Igmp, IpProtocol::Unknown(200)] {
        let frame = rig.mallory.packet(SERVER, STATION, protocol, &[0; 40]);
        rig.mallory.inject(&frame);
    }
    rig.run(100);
    assert_eq!(rig.stack.statistics().malformed - before.malformed, 4);
    assert_eq!(rig.stack.statistics().not_for_us - before.not_for_us, 3);
    assert!(rig.network.take_recorded().iter().all(|(from, _)| *from != 0));
}

#[test]
fn the_owner_s_address_forged_does_not_take_his_port() {
    let mut rig = Rig::new();
    rig.stack.data(0).unwrap().listen(PASSIVE.port(), ALICE).unwrap();
    rig.alice.connect(CONTROL);
    rig.run(20);
    forged_syn(&rig, SocketAddrV4::new(ALICE, 7777), PASSIVE);
    // Alice's TCP resets what it did not ask for.
    rig.run(20);
    assert_eq!(rig.stack.data(0).unwrap().state(), DataState::Listening);
    let connection = rig.alice.connect(PASSIVE);
    rig.until("the owner", 2_000, |rig| rig.alice.is_open(connection));
}

#[test]
fn another_station_with_our_address_is_reported_once_a_minute() {
    let mut rig = Rig::new();
    rig.login();
    let mut arp = vec![0xff; 6];
    arp.extend(rig.mallory.station());
    arp.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
    arp.extend(rig.mallory.station());
    arp.extend(SERVER.octets());
    arp.extend([0xff; 6]);
    arp.extend(SERVER.octets());
    for _ in 0..100 {
        rig.mallory.inject(&arp);
        rig.run(2);
    }
    assert_eq!(rig.stack.event(), Some(Event::Conflict(rig.mallory.station())));
    rig.mallory.inject(&arp);
    rig.run(5);
    assert_eq!(rig.stack.event(), None);
}

#[test]
fn a_flood_does_not_keep_the_stack_from_its_turn() {
    let mut rig = Rig::new();
    rig.login();
    for _ in 0..200 {
        rig.mallory.ping(SERVER, STATION, 10);
    }
    rig.network.advance(5);
    for (rounds, most) in [(1, 24), (2, 48)] {
        let activity = rig.stack.poll(rig.network.now(), rounds);
        assert!((1..=most).contains(&activity.received), "{activity:?}");
    }
    while !rig.stack.poll(rig.network.now(), 1).is_idle() {}
    assert_eq!(rig.stack.statistics().pings, 200);
}

/// He connects, is sent away, and acknowledges nothing from then on; over and over.
#[test]
fn clients_that_do_not_let_go_do_not_hold_the_spare_sockets() {
    let mut rig = Rig::with(&Plan { per_address: 3, ..plan() }, |_| {});
    rig.login();
    let mut waited = Vec::new();
    for _ in 0..20 {
        for _ in 0..3 {
            rig.mallory.connect(CONTROL);
        }
        rig.run(20);
        rig.mallory.set_connected(false);
        while let Some(slot) = rig.stack.accept() {
            rig.stack.control(slot).unwrap().send(b"421\r\n");
            rig.stack.release(slot);
        }
        rig.run(200);
        rig.mallory.set_connected(true);
        let start = rig.network.now();
        let (connection, slot) = rig.login();
        waited.push(rig.network.now().since(start));
        rig.alice.close(connection);
        rig.stack.release(slot);
    }
    assert!(waited.iter().all(|ms| *ms < 20), "{waited:?}");
}

#[test]
fn a_client_may_come_again_from_the_port_that_it_has_just_closed() {
    let mut rig = Rig::new();
    for _ in 0..10 {
        let connection = rig.alice.connect_from(5555, CONTROL);
        let mut slot = None;
        rig.until("a connection", 20, |rig| {
            slot = slot.or_else(|| rig.stack.accept());
            slot.is_some() && rig.alice.is_open(connection)
        });
        rig.stack.release(slot.unwrap());
        rig.run(10);
        // The host forgets its half without a word.
        rig.alice.abort(connection);
        rig.alice.set_connected(false);
        rig.alice.poll();
        rig.alice.set_connected(true);
    }
}

/// The same when the owner's firewall swallows our SYN-ACK, so that no RST tells us.
#[test]
fn an_owner_behind_a_firewall_gets_his_port_too() {
    for wait in [0, 500, 4_600] {
        let mut rig = Rig::new();
        rig.login();
        rig.stack.data(0).unwrap().listen(PASSIVE.port(), ALICE).unwrap();
        rig.alice.set_connected(false);
        forged_syn(&rig, SocketAddrV4::new(ALICE, 7777), PASSIVE);
        rig.run(10 + wait);
        rig.alice.set_connected(true);
        assert_eq!(rig.stack.data(0).unwrap().state(), DataState::Listening);
        let connection = rig.alice.connect(PASSIVE);
        rig.until("the owner", 20, |rig| {
            rig.alice.is_open(connection) && rig.stack.data(0).unwrap().state() == DataState::Open
        });
        // His connection is not taken for a half-open one later.
        rig.run(20_000);
        assert_eq!(rig.stack.data(0).unwrap().state(), DataState::Open);
    }
}
