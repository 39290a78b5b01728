//! Data connections: passive ports and their owners, active connections, and the next one at once.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::rig::{ALICE, CLIENTS, PASSIVE, Rig, SERVER};
use ftpsrv::net::{DataState, PortError};
use sim::network::Faults;
use smoltcp::socket::tcp::State;
use smoltcp::wire::{Ipv4Packet, TcpPacket};

#[test]
fn a_stranger_neither_gets_in_nor_keeps_the_owner_out() {
    let mut rig = Rig::new();
    rig.stack.data(0).unwrap().listen(PASSIVE.port(), ALICE).unwrap();
    let stranger = rig.mallory.connect(PASSIVE);
    rig.run(1500);
    assert!(!rig.mallory.was_open(stranger));
    assert_eq!(rig.stack.data(0).unwrap().state(), DataState::Listening);
    assert!(rig.stack.statistics().strangers >= 2);
    let owner = rig.alice.connect(PASSIVE);
    rig.until("the owner", 100, |rig| rig.stack.data(0).unwrap().state() == DataState::Open);
    assert!(rig.alice.was_open(owner));
}

#[test]
fn the_same_port_listens_again_at_once() {
    let mut rig = Rig::new();
    for round in 0u8..20 {
        let connection = rig.passive(0);
        rig.stack.data(0).unwrap().send(&mut |space| {
            space[..3].fill(round);
            3
        });
        rig.stack.data(0).unwrap().close();
        rig.until("the file", 100, |rig| rig.alice.is_over(connection));
        assert_eq!(rig.alice.received(connection), [round; 3]);
        rig.alice.close(connection);
        let start = rig.network.now();
        rig.until("a free port", 100, |rig| {
            let result = rig.stack.data(0).unwrap().listen(PASSIVE.port(), ALICE);
            assert_ne!(result, Err(PortError::Unusable));
            result.is_ok()
        });
        assert!(rig.network.now().since(start) < 10);
    }
}

#[test]
fn an_active_connection_comes_from_the_port_it_should() {
    let mut rig = Rig::new();
    for (round, from) in [(0u16, 20), (1, 20), (2, 0)] {
        let to = SocketAddrV4::new(ALICE, 3000 + round);
        let connection = rig.alice.listen(to.port());
        rig.stack.data(0).unwrap().connect(to, from).unwrap();
        assert_eq!(rig.stack.data(0).unwrap().state(), DataState::Connecting);
        rig.until("a connection", 2_000, |rig| {
            rig.stack.data(0).unwrap().state() == DataState::Open
        });
        let peer = rig.alice.peer(connection).unwrap();
        assert_eq!(*peer.ip(), SERVER);
        assert!(if from == 20 { peer.port() == 20 } else { peer.port() >= 49_152 });
        rig.alice.send(connection, b"file");
        rig.alice.close(connection);
        rig.until("a file", 100, |rig| {
            let port = rig.stack.data(0).unwrap();
            port.state() == DataState::PeerClosed && port.waiting() == 4
        });
        rig.stack.data(0).unwrap().receive(&mut |bytes| bytes.len());
        rig.stack.data(0).unwrap().close();
        rig.until("the end", 100, |rig| rig.stack.data(0).unwrap().state() == DataState::Idle);
    }
}

/// Some clients name the same port in every PORT, and their side of the last connection is in TIME-WAIT.
#[test]
fn the_same_four_numbers_connect_again() {
    let mut rig = Rig::new();
    let to = SocketAddrV4::new(ALICE, 3000);
    for closes_first in [true, false, true, true, false, false] {
        let connection = rig.alice.listen(to.port());
        rig.until("a free socket", 3_000, |rig| rig.stack.data(0).unwrap().connect(to, 20).is_ok());
        // Alice's TCP ignores a SYN in TIME-WAIT, for 10 seconds.
        rig.until("a connection", 20_000, |rig| {
            rig.stack.data(0).unwrap().state() == DataState::Open
        });
        if closes_first {
            rig.alice.close(connection);
            rig.run(10);
            rig.stack.data(0).unwrap().close();
        } else {
            rig.stack.data(0).unwrap().close();
            rig.run(10);
            rig.alice.close(connection);
        }
        rig.run(10);
    }
}

#[test]
fn two_sessions_cannot_have_the_same_four_numbers() {
    let mut rig = Rig::new();
    let to = SocketAddrV4::new(ALICE, 3000);
    rig.alice.listen(to.port());
    rig.stack.data(0).unwrap().connect(to, 20).unwrap();
    assert_eq!(rig.stack.data(1).unwrap().connect(to, 20), Err(PortError::Again));
    rig.stack.data(1).unwrap().connect(SocketAddrV4::new(ALICE, 3001), 20).unwrap();
}

#[test]
fn a_refused_connection_is_dead_and_the_next_one_is_possible() {
    let mut rig = Rig::new();
    rig.stack.data(0).unwrap().connect(SocketAddrV4::new(ALICE, 3000), 20).unwrap();
    rig.until("the refusal", 2_000, |rig| rig.stack.data(0).unwrap().state() == DataState::Dead);
    rig.passive(0);
}

#[test]
fn a_connection_to_nobody_ends() {
    let mut rig = Rig::new();
    let nobody = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 200), 3000);
    rig.stack.data(0).unwrap().connect(nobody, 20).unwrap();
    rig.until("death", 45_000, |rig| rig.stack.data(0).unwrap().state() == DataState::Dead);
    rig.passive(0);
}

#[test]
fn addresses_and_ports_that_cannot_be_are_refused() {
    let rig = Rig::new();
    let mut port = rig.stack.data(0).unwrap();
    for to in [
        SocketAddrV4::new(ALICE, 0),
        SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 1),
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1),
        SocketAddrV4::new(Ipv4Addr::BROADCAST, 1),
        SocketAddrV4::new(Ipv4Addr::new(239, 1, 1, 1), 1),
        SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 255), 1),
        SocketAddrV4::new(SERVER, 1),
    ] {
        assert_eq!(port.connect(to, 20), Err(PortError::Unusable), "{to}");
    }
    assert_eq!(port.connect(SocketAddrV4::new(ALICE, 1), 21), Err(PortError::Unusable));
    assert_eq!(port.listen(0, ALICE), Err(PortError::Unusable));
    assert_eq!(port.listen(21, ALICE), Err(PortError::Unusable));
    assert_eq!(port.state(), DataState::Idle);
    port.listen(2048, ALICE).unwrap();
    assert!(rig.stack.has_data_port(2048) && !rig.stack.has_data_port(2049));
    let mut other = rig.stack.data(1).unwrap();
    assert_eq!(other.listen(2048, ALICE), Err(PortError::Unusable));
    other.listen(2049, ALICE).unwrap();
    other.listen(2050, ALICE).unwrap();
    other.abort();
    assert_eq!(other.state(), DataState::Idle);
    assert!(rig.stack.data(CLIENTS).is_none() && rig.stack.control(0).is_none());
}

#[test]
fn an_abort_reaches_the_client_and_frees_the_port() {
    let mut rig = Rig::new();
    let connection = rig.passive(0);
    rig.stack.data(0).unwrap().abort();
    let listen = |rig: &mut Rig| rig.stack.data(0).unwrap().listen(PASSIVE.port(), ALICE);
    assert_eq!(listen(&mut rig), Err(PortError::Again));
    rig.until("a free port", 5, |rig| listen(rig).is_ok());
    rig.until("the reset", 10, |rig| rig.alice.state(connection) == State::Closed);
}

/// A reset that cannot be sent, because the client's station does not answer ARP, holds nothing up.
#[test]
fn an_abort_of_a_connection_to_nobody_frees_the_socket() {
    let mut rig = Rig::new();
    let nobody = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 200), 3000);
    rig.stack.data(0).unwrap().connect(nobody, 20).unwrap();
    rig.run(100);
    rig.stack.data(0).unwrap().abort();
    rig.until("a free socket", 2_000, |rig| rig.stack.data(0).unwrap().state() == DataState::Idle);
    rig.passive(0);
}

/// RFC 959's ABOR comes as Telnet Synch, whose data mark is TCP urgent data (RFC 854). It must arrive where
/// it was sent.
#[test]
fn urgent_data_arrives_in_its_place() {
    let mut rig = Rig::new();
    let (connection, slot) = rig.login();
    rig.alice.send(connection, b"STAT\r\n");
    rig.run(20);
    rig.network.record();
    rig.alice.send(connection, b"\xff\xf4\xff\xf2ABOR\r\n");
    rig.alice.poll();
    let frames = rig.network.take_recorded();
    let mut frame = frames.into_iter().find(|(from, _)| *from == rig.alice.plug()).unwrap().1;
    // Alice's segment, marked urgent up to the data mark, comes first; her own is a repetition then.
    frame[47] |= 0x20;
    frame[53] = 4;
    let mut ip = Ipv4Packet::new_unchecked(&mut frame[14..]);
    let (source, destination) = (ip.src_addr().into(), ip.dst_addr().into());
    TcpPacket::new_unchecked(ip.payload_mut()).fill_checksum(&source, &destination);
    let mut got = Vec::new();
    rig.network.set_faults(Faults { loss: 1000, ..Faults::default() });
    rig.step();
    rig.network.set_faults(Faults::default());
    rig.alice.inject(&frame);
    rig.until("the command", 100, |rig| {
        rig.stack.control(slot).unwrap().receive(&mut |bytes| {
            got.extend_from_slice(bytes);
            bytes.len()
        });
        got.len() >= 16
    });
    assert_eq!(got, b"STAT\r\n\xff\xf4\xff\xf2ABOR\r\n");
}
