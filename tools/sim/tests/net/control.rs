//! The control port: many clients, full house, half-closed and dead ones.

use crate::rig::{CONTROL, Rig, SERVER, plan};
use sim::network::STATION;

#[test]
fn pings_are_answered() {
    let mut rig = Rig::new();
    // A host that pings has asked for our station address, and so we know its.
    rig.login();
    for length in [0, 32, 1400, 1472] {
        rig.alice.ping(SERVER, STATION, length);
    }
    rig.until("pongs", 3_000, |rig| rig.alice.pongs() == 4);
    assert_eq!(rig.stack.statistics().pings, 4);
}

#[test]
fn a_client_talks_to_its_session() {
    let mut rig = Rig::new();
    let (connection, slot) = rig.login();
    let mut port = rig.stack.control(slot).unwrap();
    assert_eq!(*port.peer().ip(), rig.alice.ip());
    assert_eq!(port.local(), CONTROL);
    assert_eq!(port.send(b"220 ready\r\n"), 11);
    assert!(!port.is_drained());
    let mut line = None;
    rig.until("a greeting", 100, |rig| {
        line = line.take().or_else(|| rig.alice.take_line(connection));
        line.as_deref() == Some("220 ready") && rig.stack.control(slot).unwrap().is_drained()
    });
    rig.alice.send(connection, b"QUIT\r\n");
    let mut got = Vec::new();
    rig.until("a command", 100, |rig| {
        rig.stack.control(slot).unwrap().receive(&mut |bytes| {
            got.push(bytes[0]);
            1
        });
        got == b"QUIT\r\n"
    });
    rig.alice.close(connection);
    rig.until("FIN", 100, |rig| !rig.stack.control(slot).unwrap().may_receive());
    assert!(!rig.stack.control(slot).unwrap().is_dead());
    assert_eq!(rig.stack.control(slot).unwrap().send(b"221 bye\r\n"), 9);
    rig.stack.release(slot);
    rig.until("the end", 1000, |rig| rig.alice.is_over(connection));
    assert_eq!(rig.alice.received(connection), b"221 bye\r\n");
    assert!(rig.stack.control(slot).is_none());
}

#[test]
fn a_busy_transmitter_loses_no_answer() {
    let mut rig = Rig::with(&plan(), |nic| nic.transmit_rate = Some(1));
    rig.login();
    for _ in 0..20 {
        rig.alice.ping(SERVER, STATION, 100);
    }
    rig.run(40);
    assert_eq!(rig.alice.pongs(), 20);
}

#[test]
fn replies_longer_than_the_buffer_arrive_whole() {
    let mut rig = Rig::new();
    let (connection, slot) = rig.login();
    let reply: Vec<u8> = (0..20_000u32).map(|index| index as u8).collect();
    let mut sent = 0;
    rig.until("the reply", 1_000, |rig| {
        let mut port = rig.stack.control(slot).unwrap();
        let room = port.room();
        let queued = port.send(&reply[sent..]);
        assert_eq!(queued, room.min(reply.len() - sent));
        sent += queued;
        rig.alice.received(connection).len() == reply.len()
    });
    assert_eq!(rig.alice.received(connection), reply);
}
