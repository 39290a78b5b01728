//! Valid frames, mutated by a seeded generator: nothing panics, and service goes on.

use crate::rig::{ALICE, PASSIVE, Rig, SERVER, plan};
use ftpsrv::net::Plan;
use sim::network::{Random, STATION};

/// Frames that the server received in an ordinary session: ARP, SYN, commands, data, FIN, ping.
fn corpus() -> Vec<Vec<u8>> {
    let mut rig = Rig::new();
    rig.network.record();
    let (connection, slot) = rig.login();
    rig.alice.send(connection, b"USER alice\r\nPASV\r\n");
    rig.alice.ping(SERVER, STATION, 40);
    let data = rig.passive(0);
    rig.alice.send(data, &[9; 4000]);
    rig.run(20);
    rig.stack.data(0).unwrap().receive(&mut |bytes| bytes.len());
    rig.stack.data(0).unwrap().close();
    rig.alice.close(data);
    rig.alice.close(connection);
    rig.stack.release(slot);
    rig.run(50);
    let frames: Vec<_> =
        rig.network.take_recorded().into_iter().filter(|(from, _)| *from != 0).collect();
    assert!(frames.len() > 10, "{}", frames.len());
    frames.into_iter().map(|(_, frame)| frame).collect()
}

/// Makes IP and TCP checksums right again where there is something to make right, so that the damage
/// gets past them.
fn repair(frame: &mut [u8]) {
    use smoltcp::wire::{Ipv4Packet, TcpPacket};
    let Some(packet) = frame.get_mut(14..) else { return };
    let Ok(mut ip) = Ipv4Packet::new_checked(packet) else { return };
    if ip.version() != 4 || ip.header_len() < 20 {
        return;
    }
    ip.fill_checksum();
    let (source, destination) = (ip.src_addr().into(), ip.dst_addr().into());
    if let Ok(mut tcp) = TcpPacket::new_checked(ip.payload_mut()) {
        tcp.fill_checksum(&source, &destination);
    }
}

fn mutate(random: &mut Random, frame: &mut Vec<u8>) {
    for _ in 0..1 + random.below(4) {
        match random.below(6) {
            // Headers are where it hurts.
            0..3 => {
                let index = random.below(frame.len().clamp(1, 74));
                if let Some(byte) = frame.get_mut(index) {
                    *byte = random.number() as u8;
                }
            }
            3 => frame.truncate(random.below(frame.len() + 1)),
            4 => {
                let length = random.below(64);
                frame.extend(random.bytes(length));
            }
            _ => {
                let index = random.below(frame.len().max(1));
                if let Some(byte) = frame.get_mut(index) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    frame.truncate(1514);
}

#[test]
fn mutated_frames_change_nothing_for_others() {
    let corpus = corpus();
    for seed in 0..40 {
        let mut random = Random::new(seed);
        // Mallory sees no traffic: our sequence numbers are not those of the corpus.
        let mut rig = Rig::with(&Plan { seed: seed + 1000, ..plan() }, |_| {});
        let (mut connection, mut slot) = rig.login();
        rig.stack.data(0).unwrap().listen(PASSIVE.port(), ALICE).unwrap();
        for _ in 0..500 {
            let mut frame = corpus[random.below(corpus.len())].clone();
            mutate(&mut random, &mut frame);
            if random.chance(700) {
                repair(&mut frame);
            }
            if !frame.is_empty() {
                rig.mallory.inject(&frame);
            }
            rig.step();
            let mut port = rig.stack.data(0).unwrap();
            port.receive(&mut |bytes| bytes.len());
            port.send(&mut |space| space.len().min(100));
            while let Some(other) = rig.stack.accept() {
                rig.stack.release(other);
            }
        }
        // Forged from Alice's own address a frame may have hit her connection's numbers; then she comes
        // again. Everything else must be as it was.
        if !rig.alice.is_open(connection) || rig.stack.control(slot).unwrap().is_dead() {
            rig.stack.release(slot);
            (connection, slot) = rig.login();
        }
        rig.run(6_000);
        rig.stack.control(slot).unwrap().send(b"220 alive\r\n");
        rig.run(3_000);
        assert_eq!(rig.alice.take_line(connection).as_deref(), Some("220 alive"), "seed {seed}");
        rig.stack.data(0).unwrap().abort();
        rig.run(20);
        let bytes = rig.passive(0);
        rig.alice.send(bytes, b"whole");
        rig.until("bytes", 2_000, |rig| rig.stack.data(0).unwrap().waiting() == 5);
    }
}

#[test]
fn noise_is_dropped() {
    let mut random = Random::new(99);
    let mut rig = Rig::new();
    rig.login();
    let before = rig.stack.statistics();
    for _ in 0..5_000 {
        let length = 1 + random.below(200);
        let mut frame = random.bytes(length);
        if random.chance(800) {
            for (to, from) in frame.iter_mut().zip(STATION.iter().chain(&[2, 0, 0, 0, 0, 66, 8, 0]))
            {
                *to = *from;
            }
        }
        rig.mallory.inject(&frame);
        rig.step();
    }
    rig.run(5);
    let after = rig.stack.statistics();
    let dropped = after.malformed + after.not_for_us + after.spoofed + after.bad_checksum
        - before.malformed
        - before.not_for_us
        - before.spoofed
        - before.bad_checksum;
    assert_eq!(dropped, 5_000);
    rig.login();
}
