//! Files' worth of bytes, both ways, on a good wire and on bad ones: bit-identical or not at all.

use crate::rig::{CLIENTS, PASSIVE, Rig, plan};
use ftpsrv::net::DataState;
use sim::network::{Faults, Random};

/// Sends `bytes` from data socket `slot` to Alice and closes; the milliseconds it took.
fn download(rig: &mut Rig, slot: usize, bytes: &[u8], limit: u64) -> u64 {
    let connection = rig.passive(slot);
    let (start, mut sent) = (rig.network.now(), 0);
    rig.until("a download", limit, |rig| {
        let mut port = rig.stack.data(slot).unwrap();
        assert_ne!(port.state(), DataState::Dead);
        port.send(&mut |space| {
            let size = space.len().min(bytes.len() - sent);
            space[..size].copy_from_slice(&bytes[sent..sent + size]);
            sent += size;
            size
        });
        if sent == bytes.len() && port.state() == DataState::Open {
            port.close();
        }
        rig.alice.is_over(connection)
    });
    assert!(rig.alice.received(connection) == bytes);
    rig.alice.close(connection);
    rig.until("the end of a download", 60_000, |rig| {
        rig.stack.data(slot).unwrap().state() == DataState::Idle
    });
    rig.network.now().since(start)
}

/// Sends `bytes` from Alice to data socket `slot`; she closes.
fn upload(rig: &mut Rig, slot: usize, bytes: &[u8], limit: u64) -> u64 {
    let connection = rig.passive(slot);
    rig.alice.send(connection, bytes);
    rig.alice.close(connection);
    let start = rig.network.now();
    let mut received = Vec::new();
    rig.until("an upload", limit, |rig| {
        let mut port = rig.stack.data(slot).unwrap();
        assert_ne!(port.state(), DataState::Dead);
        port.receive(&mut |piece| {
            received.extend_from_slice(piece);
            piece.len()
        });
        port.state() == DataState::PeerClosed && port.waiting() == 0
    });
    assert!(received == bytes);
    rig.stack.data(slot).unwrap().close();
    rig.until("the end of an upload", 60_000, |rig| {
        rig.stack.data(slot).unwrap().state() == DataState::Idle
    });
    rig.network.now().since(start)
}

#[test]
fn a_good_wire_is_filled() {
    let bytes = Random::new(1).bytes(300_000);
    let mut rig = Rig::new();
    // A window of 8 KB and a round trip of 2 to 4 ms.
    assert!(download(&mut rig, 0, &bytes, 3_000) < 300);
    assert!(upload(&mut rig, 1, &bytes, 3_000) < 300);
}

#[test]
fn a_bad_wire_damages_nothing() {
    let bytes = Random::new(2).bytes(150_000);
    for (seed, faults) in [
        (1, Faults { loss: 50, ..Faults::default() }),
        (2, Faults { reorder: 50, ..Faults::default() }),
        (3, Faults { duplicate: 50, ..Faults::default() }),
        (4, Faults { corrupt: 50, ..Faults::default() }),
        (5, Faults { loss: 50, reorder: 50, duplicate: 50, corrupt: 50 }),
    ] {
        let mut rig = Rig::new();
        rig.network.set_faults(faults);
        download(&mut rig, 0, &bytes[..140_000 + seed], 400_000);
        upload(&mut rig, 0, &bytes[seed..], 400_000);
        if faults.corrupt > 0 {
            assert!(rig.stack.statistics().bad_checksum > 0);
        }
    }
}

#[test]
fn clients_share_a_slow_card_evenly() {
    let mut rig = Rig::with(&plan(), |nic| nic.transmit_rate = Some(1));
    let mut connections = Vec::new();
    for slot in 0..CLIENTS {
        let port = PASSIVE.port() + slot as u16;
        rig.stack.data(slot).unwrap().listen(port, rig.alice.ip()).unwrap();
        let to = std::net::SocketAddrV4::new(*PASSIVE.ip(), port);
        connections.push(rig.alice.connect(to));
    }
    rig.run(50);
    for _ in 0..1500 {
        for slot in 0..CLIENTS {
            rig.stack.data(slot).unwrap().send(&mut |space| {
                space.fill(slot as u8);
                space.len()
            });
        }
        rig.step();
    }
    let got: Vec<usize> =
        connections.iter().map(|connection| rig.alice.received(*connection).len()).collect();
    let (least, most) = (got.iter().min().unwrap(), got.iter().max().unwrap());
    assert!(least * 10 >= most * 9, "{got:?}");
    assert!(got.iter().sum::<usize>() > 1400 * 1400, "{got:?}");
}
