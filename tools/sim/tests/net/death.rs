//! Clients that vanish, stall, or reset; each seen in time, and none mistaken for another.

use crate::rig::{ALICE, CONTROL, PASSIVE, Rig};
use ftpsrv::net::DataState;

fn data(rig: &mut Rig) -> DataState {
    rig.stack.data(0).unwrap().state()
}

fn fill(rig: &mut Rig) {
    rig.stack.data(0).unwrap().send(&mut |space| {
        space.fill(7);
        space.len()
    });
}

#[test]
fn a_reset_in_a_transfer_is_seen_at_once() {
    let mut rig = Rig::new();
    let connection = rig.passive(0);
    rig.alice.send(connection, &[1; 3000]);
    rig.run(20);
    assert_eq!(rig.stack.data(0).unwrap().waiting(), 3000);
    rig.alice.abort(connection);
    rig.until("the reset", 20, |rig| data(rig) == DataState::Dead);
    assert_eq!(rig.stack.data(0).unwrap().waiting(), 0);
    rig.stack.data(0).unwrap().receive(&mut |_| panic!("what a reset took back"));
    rig.stack.data(0).unwrap().abort();
    assert_eq!(data(&mut rig), DataState::Idle);
    rig.passive(0);
}

#[test]
fn a_reset_after_our_fin_is_death_only_while_data_is_missing() {
    for unread in [false, true] {
        let mut rig = Rig::new();
        let connection = rig.passive(0);
        rig.alice.pause(connection, unread);
        for _ in 0..200 {
            fill(&mut rig);
            rig.step();
        }
        rig.stack.data(0).unwrap().close();
        rig.run(50);
        assert_eq!(rig.stack.data(0).unwrap().unacknowledged() > 0, unread);
        rig.alice.abort(connection);
        rig.run(20);
        assert_eq!(data(&mut rig), if unread { DataState::Dead } else { DataState::Idle });
    }
}

#[test]
fn a_client_that_dies_silently_in_a_download_is_found() {
    let mut rig = Rig::new();
    rig.passive(0);
    fill(&mut rig);
    rig.alice.set_connected(false);
    fill(&mut rig);
    rig.until("death", 21_000, |rig| data(rig) == DataState::Dead);
}

#[test]
fn a_client_that_dies_silently_in_an_upload_is_found() {
    let mut rig = Rig::new();
    let connection = rig.passive(0);
    rig.alice.send(connection, &[1; 100]);
    rig.run(50);
    rig.alice.set_connected(false);
    rig.until("death", 21_000, |rig| data(rig) == DataState::Dead);
}

#[test]
fn a_line_that_is_silent_for_ten_seconds_costs_no_connection() {
    let mut rig = Rig::new();
    let (control, slot) = rig.login();
    let connection = rig.passive(0);
    let bytes = sim::network::Random::new(5).bytes(200_000);
    rig.alice.send(connection, &bytes);
    let (mut received, mut sent) = (Vec::new(), 0);
    for ms in 0..60_000 {
        match ms {
            5 => rig.alice.set_connected(false),
            10_005 => rig.alice.set_connected(true),
            _ => {}
        }
        rig.stack.data(0).unwrap().receive(&mut |piece| {
            received.extend_from_slice(piece);
            piece.len()
        });
        rig.stack.data(0).unwrap().send(&mut |space| {
            let length = space.len().min(200_000 - sent);
            sent += length;
            length
        });
        rig.step();
    }
    assert!(received == bytes, "{} bytes arrived", received.len());
    assert_eq!(rig.alice.received(connection).len(), 200_000);
    assert!(rig.alice.is_open(control) && !rig.stack.control(slot).unwrap().is_dead());
}

#[test]
fn a_peer_that_closed_its_window_for_a_moment_is_found_as_soon_as_any_other() {
    let mut rig = Rig::new();
    let connection = rig.passive(0);
    rig.alice.pause(connection, true);
    for _ in 0..3_000 {
        fill(&mut rig);
        rig.step();
    }
    rig.alice.pause(connection, false);
    for _ in 0..3_000 {
        fill(&mut rig);
        rig.step();
    }
    rig.alice.set_connected(false);
    fill(&mut rig);
    rig.until("death", 21_000, |rig| data(rig) == DataState::Dead);
}

#[test]
fn a_server_that_was_busy_for_a_minute_takes_nobody_for_dead() {
    let mut rig = Rig::new();
    let (control, slot) = rig.login();
    let connection = rig.passive(0);
    rig.run(1_000);
    for _ in 0..3 {
        // A disk that does not answer.
        rig.network.advance(60_000);
        rig.run(300);
    }
    assert!(rig.alice.is_open(control) && rig.alice.is_open(connection));
    assert_eq!(data(&mut rig), DataState::Open);
    assert!(!rig.stack.control(slot).unwrap().is_dead());
}

#[test]
fn a_fin_that_was_lost_is_sent_again_in_spite_of_duplicate_acks() {
    let mut rig = Rig::new();
    let connection = rig.passive(0);
    fill(&mut rig);
    rig.network.record();
    rig.run(500);
    assert_eq!(rig.stack.data(0).unwrap().unacknowledged(), 0);
    let frames = rig.network.take_recorded();
    let own = rig.alice.plug();
    let (_, last_ack) = frames.iter().rfind(|(plug, _)| *plug == own).unwrap();
    // The FIN goes out, and gets nowhere.
    rig.network.set_faults(sim::network::Faults { loss: 1000, ..Default::default() });
    rig.stack.data(0).unwrap().close();
    rig.run(10);
    rig.network.set_faults(Default::default());
    for _ in 0..3 {
        rig.alice.inject(last_ack);
    }
    rig.until("the FIN", 2_500, |rig| {
        rig.alice.state(connection) == smoltcp::socket::tcp::State::CloseWait
    });
    rig.alice.close(connection);
    rig.until("a free socket", 500, |rig| data(rig) == DataState::Idle);
}

#[test]
fn a_client_that_pauses_is_not_dead() {
    let mut rig = Rig::new();
    let connection = rig.passive(0);
    rig.alice.pause(connection, true);
    for _ in 0..600_000 {
        fill(&mut rig);
        rig.step();
    }
    assert_eq!(data(&mut rig), DataState::Open);
    rig.alice.pause(connection, false);
    let before = rig.alice.received(connection).len();
    rig.until("more bytes", 61_000, |rig| {
        fill(rig);
        rig.alice.received(connection).len() > before + 100_000
    });
}

#[test]
fn a_server_that_pauses_loses_nothing() {
    let mut rig = Rig::new();
    let connection = rig.passive(0);
    let bytes = sim::network::Random::new(3).bytes(40_000);
    rig.alice.send(connection, &bytes);
    rig.run(300_000);
    let port = rig.stack.data(0).unwrap();
    assert_eq!(port.waiting(), port.receive_capacity());
    assert!(port.waiting() < bytes.len());
    let mut received = Vec::new();
    rig.until("the rest", 65_000, |rig| {
        rig.stack.data(0).unwrap().receive(&mut |piece| {
            received.extend_from_slice(piece);
            piece.len()
        });
        received.len() == bytes.len()
    });
    assert!(received == bytes);
}

#[test]
fn an_idle_data_connection_of_a_live_client_lasts() {
    let mut rig = Rig::new();
    rig.passive(0);
    rig.run(300_000);
    assert_eq!(data(&mut rig), DataState::Open);
}

#[test]
fn a_control_connection_lasts_while_its_client_lives_and_ends_when_he_does_not() {
    let mut rig = Rig::new();
    let (connection, slot) = rig.login();
    rig.run(400_000);
    assert!(rig.alice.is_open(connection));
    assert!(!rig.stack.control(slot).unwrap().is_dead());
    rig.alice.set_connected(false);
    rig.until("death", 45_000, |rig| rig.stack.control(slot).unwrap().is_dead());
    assert!(!rig.stack.control(slot).unwrap().may_receive());
    rig.stack.release(slot);
    rig.alice.set_connected(true);
    rig.login();
}

#[test]
fn a_client_in_doubt_has_ten_seconds_to_acknowledge() {
    let mut rig = Rig::new();
    let (connection, slot) = rig.login();
    let ask = |rig: &mut Rig| {
        let mut port = rig.stack.control(slot).unwrap();
        port.send(b"426 \r\n");
        port.doubt();
    };
    // One who is there gets as long as ever for the next.
    ask(&mut rig);
    rig.run(100);
    rig.alice.set_connected(false);
    rig.stack.control(slot).unwrap().send(b"200 \r\n");
    rig.run(25_000);
    assert!(!rig.stack.control(slot).unwrap().is_dead());
    rig.alice.set_connected(true);
    rig.until("both replies", 60_000, |rig| rig.alice.received(connection).len() == 12);
    rig.alice.set_connected(false);
    ask(&mut rig);
    rig.until("death", 11_000, |rig| rig.stack.control(slot).unwrap().is_dead());
}

#[test]
fn a_reset_control_connection_frees_its_slot_at_once() {
    let mut rig = Rig::new();
    for _ in 0..30 {
        let (connection, slot) = rig.login();
        rig.alice.abort(connection);
        rig.until("the reset", 20, |rig| rig.stack.control(slot).unwrap().is_dead());
        rig.stack.release(slot);
    }
}

#[test]
fn a_client_that_never_closes_holds_no_socket() {
    let mut rig = Rig::new();
    // The control connection: bytes and FIN acknowledged, no FIN ever comes back.
    let mut kept = Vec::new();
    for _ in 0..12 {
        let (connection, slot) = rig.login();
        rig.stack.control(slot).unwrap().send(b"221\r\n");
        rig.stack.release(slot);
        rig.run(20);
        kept.push(connection);
    }
    for connection in kept {
        assert_eq!(rig.alice.received(connection), b"221\r\n");
    }
    // The data connection.
    let connection = rig.passive(0);
    fill(&mut rig);
    rig.stack.data(0).unwrap().close();
    rig.run(100);
    assert_eq!(data(&mut rig), DataState::Closing);
    rig.network.record();
    rig.until("a free socket", 2_000, |rig| data(rig) == DataState::Idle);
    // Nothing was reset: he can still read all.
    assert_eq!(rig.alice.received(connection).len(), 8192);
    assert!(rig.network.take_recorded().iter().all(|(_, frame)| frame[47] & 4 == 0));
    rig.stack.data(0).unwrap().listen(PASSIVE.port(), ALICE).unwrap();
}

#[test]
fn a_client_that_was_gone_before_the_server_looked_is_not_shown() {
    let mut rig = Rig::new();
    let connection = rig.alice.connect(CONTROL);
    rig.until("a connection", 100, |rig| rig.alice.is_open(connection));
    rig.alice.abort(connection);
    rig.run(20);
    assert_eq!(rig.stack.accept(), None);
    rig.login();
}
