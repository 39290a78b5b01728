//! Files' worth of bytes, both ways, on a good wire and on bad ones: bit-identical or not at all.

use crate::rig::{ALICE, CLIENTS, PASSIVE, Rig, plan};
use ftpsrv::net::DataState;
use ftpsrv::net::Plan;
use sim::client::Host;
use sim::network::{Faults, Random, STATION};

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

/// The frames that the server has sent since `record`, from one of its ports.
fn sent_from(rig: &Rig, port: u16) -> Vec<Vec<u8>> {
    let recorded = rig.network.take_recorded();
    let of_port = |frame: &Vec<u8>| {
        frame[..6] != STATION && frame[12..14] == [8, 0] && frame[34..36] == port.to_be_bytes()
    };
    recorded.into_iter().map(|(_, frame)| frame).filter(of_port).collect()
}

fn length(frame: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([frame[16], frame[17]]))
}

#[test]
fn what_is_handed_over_at_once_travels_in_full_segments() {
    let bytes = Random::new(3).bytes(60_000);
    let mut rig = Rig::with(&Plan { data_buffers: (16_384, 16_384), ..plan() }, |_| {});
    rig.network.record();
    download(&mut rig, 0, &bytes, 3_000);
    let frames = sent_from(&rig, PASSIVE.port());
    let full = frames.iter().filter(|frame| length(frame) == 1500).count();
    assert!(full > 35, "{full} of {}", frames.len());
    assert!(frames.iter().all(|frame| frame.len() <= 1514));
    // Data comes in order, without gaps; FIN is with the last of it or behind.
    let mut next = None;
    for frame in frames.iter().filter(|frame| length(frame) > 40 && frame[47] & 2 == 0) {
        let sequence = u32::from_be_bytes([frame[38], frame[39], frame[40], frame[41]]);
        assert_eq!(sequence, next.unwrap_or(sequence));
        next = Some(sequence.wrapping_add(length(frame) as u32 - 40));
    }
    let fins = frames.iter().filter(|frame| frame[47] & 1 != 0).count();
    assert_eq!(fins, 1);
}

#[test]
fn a_peer_with_small_segments_gets_small_ones() {
    let bytes = Random::new(4).bytes(40_000);
    let mut rig = Rig::new();
    rig.alice = Host::with_mtu(&rig.network, ALICE, 576);
    rig.network.record();
    download(&mut rig, 0, &bytes, 5_000);
    let frames = sent_from(&rig, PASSIVE.port());
    assert!(frames.iter().all(|frame| length(frame) <= 576));
    // Our own segments' size is what the medium takes.
    let syn = frames.iter().find(|frame| frame[47] & 2 != 0).unwrap();
    assert!(syn[54..].windows(4).any(|option| option == [2, 4, 0x05, 0xB4]), "{syn:x?}");
}

#[test]
fn uploads_share_the_ring_of_the_card() {
    let mut rig = Rig::with(&Plan { data_buffers: (32_768, 8192), ..plan() }, |_| {});
    let mut connections = Vec::new();
    for slot in 0..CLIENTS {
        let port = PASSIVE.port() + slot as u16;
        rig.stack.data(slot).unwrap().listen(port, rig.alice.ip()).unwrap();
        let to = std::net::SocketAddrV4::new(*PASSIVE.ip(), port);
        connections.push(rig.alice.connect(to));
    }
    rig.run(50);
    for connection in &connections {
        rig.alice.send(*connection, &vec![1; 200_000]);
    }
    let mut taken = [0; CLIENTS];
    let mut take_all = |rig: &mut Rig| {
        for (slot, taken) in taken.iter_mut().enumerate() {
            rig.stack.data(slot).unwrap().receive(&mut |piece| {
                *taken += piece.len();
                piece.len()
            });
        }
        rig.step();
    };
    (0..20).for_each(|_| take_all(&mut rig));
    rig.network.record();
    (0..100).for_each(|_| take_all(&mut rig));
    let recorded = rig.network.take_recorded();
    // By port: up to where the client may send, and what of that has come.
    let mut credits = std::collections::BTreeMap::new();
    let (mut most, mut widest) = (0, 0);
    for (_, frame) in recorded.iter().filter(|(_, frame)| frame[12..14] == [8, 0]) {
        let word = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        let port = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        if frame[..6] == STATION {
            let (_, came) = credits.entry(port(36)).or_insert((None, None));
            *came = Some(word(38).wrapping_add(length(frame) as u32 - 40));
        } else {
            let (edge, _) = credits.entry(port(34)).or_insert((None, None));
            *edge = Some(word(42).wrapping_add(port(48).into()));
            widest = widest.max(port(48));
        }
        let left =
            credits.values().filter_map(|(edge, came)| Some((*edge)?.wrapping_sub((*came)?)));
        most = most.max(left.sum::<u32>());
    }
    assert_eq!(credits.len(), CLIENTS);
    // The ring holds eight full frames; a run of six is worth an acknowledgement.
    assert!(most <= 8 * 1460, "{most} bytes on their way");
    assert_eq!(widest, 6 * 1460);
    // None is forgotten for another.
    let (least, best) = (taken.iter().min().unwrap(), taken.iter().max().unwrap());
    assert!(least * 10 >= best * 9 && *least > 50_000, "{taken:?}");
}
