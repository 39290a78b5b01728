//! Frames of one connection that follow each other: acknowledgements of which a later one makes the earlier
//! superfluous, and data that continues data. Of such a frame only that is looked at in which it can differ from
//! the one before.
//!
//! May call `checksum` and `packet`. Ethernet only, and segments without options. Pure: never panics,
//! whatever the bytes are.

use core::net::Ipv4Addr;

use super::checksum::{self, HEADER};
use super::packet::{ETHERNET_HEADER, HEADERS, Segment};

/// What a frame is to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An acknowledgement that says more than the one before.
    Acknowledgement,
    /// So many bytes of data that go on where the data before ends.
    Data(usize),
}

/// Bytes of a frame up to its ports' end, and on to a double word's.
const SAME: usize = 40;

/// A connection's frames so far.
pub struct Flow {
    /// What the headers of the first one begin with.
    headers: [u8; SAME],
    /// The last segment.
    last: Segment,
}

impl Default for Flow {
    /// No connection's.
    fn default() -> Flow {
        let last = Segment {
            source: Ipv4Addr::UNSPECIFIED,
            source_port: 0,
            port: 0,
            flags: 0,
            window: 0,
            acknowledges: 0,
            sequence: 0,
            payload: 0,
            plain: false,
        };
        Flow { headers: [0; SAME], last }
    }
}

/// The double word at `at`, as it lies in memory.
#[inline(always)]
fn word<const LENGTH: usize>(bytes: &[u8; LENGTH], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl Flow {
    /// Begins with `segment`, whose frame begins with `headers`.
    pub fn begin(&mut self, headers: &[u8; HEADERS], segment: &Segment) {
        self.headers.copy_from_slice(&headers[..SAME]);
        self.last = *segment;
    }

    /// The last segment.
    pub fn last(&self) -> &Segment {
        &self.last
    }

    /// Looks whether `frame` follows, undamaged; it is the last one then. What
    /// [`classify`](super::packet::classify) would find out about its sender and its receiver was found out
    /// about the first frame. `None` says nothing about the frame.
    pub fn follow(&mut self, frame: &[u8]) -> Option<Step> {
        let (own, rest) = frame.split_first_chunk::<HEADERS>()?;
        let first = &self.headers;
        let other = |at: usize| word(own, at) ^ word(first, at);
        // Stations, type, version and service; fragment, time to live and protocol; addresses and ports.
        let others = other(0) | other(4) | other(8) | other(12) | other(20);
        if others | other(26) | other(30) | other(34) != 0 {
            return None;
        }
        let total = usize::from(u16::from_be_bytes([own[16], own[17]]));
        let data = rest.get(..total.checked_sub(HEADER + HEADER)?)?;
        let (ip, tcp) = own.get(ETHERNET_HEADER..)?.split_first_chunk::<HEADER>()?;
        let tcp = tcp.first_chunk::<HEADER>()?;
        let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
        let acknowledges = u32::from_be_bytes([tcp[8], tcp[9], tcp[10], tcp[11]]);
        let (flags, last) = (tcp[13], &mut self.last);
        let (follows, step) = if data.is_empty() {
            // RFC 9293 section 3.4: ahead of the one before.
            let ahead = acknowledges.wrapping_sub(last.acknowledges) as i32 > 0;
            (ahead && last.payload == 0 && flags == Segment::ACK, Step::Acknowledgement)
        } else {
            let length = u32::from(last.payload);
            let behind = sequence == last.sequence.wrapping_add(length) && length > 0;
            // Data is kept at double words.
            let fits = length.is_multiple_of(4) && flags & !Segment::PSH == Segment::ACK;
            (behind && fits, Step::Data(data.len()))
        };
        if !follows
            // No options.
            || ip[0] != 0x45
            || tcp[12] != 0x50
            || checksum::fold(checksum::add_header(0, ip)) != 0xffff
            || checksum::tcp(ip, tcp, data) != 0xffff
        {
            return None;
        }
        (last.sequence, last.acknowledges, last.flags) = (sequence, acknowledges, flags);
        last.window = u16::from_be_bytes([tcp[14], tcp[15]]);
        last.payload = data.len() as u16;
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::nic::Class;
    use super::super::packet::{Identity, Packet, classify};
    use super::*;
    use std::vec::Vec;

    const OWN: Identity = Identity {
        class: Class::Ethernet,
        station: [2, 0, 0, 0, 0, 1],
        address: Some(Ipv4Addr::new(10, 0, 0, 2)),
        broadcast: Ipv4Addr::new(10, 0, 0, 255),
        dhcp: false,
    };

    /// A frame of 10.0.0.10:4000 to port 2048, as `change` makes its headers; its checksums are right.
    fn frame(flags: u8, numbers: (u32, u32), data: &[u8], change: impl Fn(&mut [u8])) -> Vec<u8> {
        let mut frame = std::vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0];
        let [high, low] = (40 + data.len() as u16).to_be_bytes();
        frame.extend([0x45, 0, high, low, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 10, 10, 0, 0, 2]);
        frame.extend([0x0f, 0xa0, 8, 0]);
        frame.extend(numbers.0.to_be_bytes());
        frame.extend(numbers.1.to_be_bytes());
        frame.extend([0x50, flags, 0x10, 0, 0, 0, 0, 0]);
        frame.extend(data);
        change(&mut frame);
        let sum = !checksum::fold(checksum::add(0, &frame[14..34]));
        frame[24..26].copy_from_slice(&sum.to_le_bytes());
        let (ip, segment) = frame[14..].split_first_chunk().expect("20 bytes");
        let (header, rest) = segment.split_first_chunk().expect("20 bytes");
        let sum = !checksum::tcp(ip, header, rest);
        frame[50..52].copy_from_slice(&sum.to_le_bytes());
        frame.resize(frame.len().max(60), 0xee);
        frame
    }

    fn acknowledgement(number: u32) -> Vec<u8> {
        frame(Segment::ACK, (7, number), &[], |_| ())
    }

    fn data(sequence: u32, data: &[u8]) -> Vec<u8> {
        frame(Segment::ACK, (sequence, 1), data, |_| ())
    }

    /// A flow that begins with `first`.
    fn flow(first: &[u8]) -> Flow {
        let Ok(Packet::Tcp(segment)) = classify(first, &OWN) else { panic!("no segment") };
        let mut flow = Flow::default();
        flow.begin(first.first_chunk().expect("headers"), &segment);
        flow
    }

    fn step(first: &[u8], then: &[u8]) -> Option<Step> {
        flow(first).follow(then)
    }

    #[test]
    fn later_acknowledgements_follow_around_the_end_of_the_numbers() {
        let (four, ahead) = (acknowledgement(4), Some(Step::Acknowledgement));
        assert_eq!(step(&four, &acknowledgement(5)), ahead);
        assert_eq!(step(&acknowledgement(u32::MAX - 3), &acknowledgement(3)), ahead);
        assert_eq!(step(&four, &four), None, "the same again says something");
        assert_eq!(step(&acknowledgement(5), &four), None);
        assert_eq!(step(&four, &frame(Segment::ACK | Segment::FIN, (7, 5), &[], |_| ())), None);
        assert_eq!(step(&four, &data(7, &[1])), None);
        assert_eq!(step(&data(7, &[1]), &acknowledgement(5)), None, "the data would be lost");
    }

    #[test]
    fn data_follows_where_data_ends() {
        let first = data(u32::MAX - 9, &[1; 60]);
        assert_eq!(step(&first, &data(50, &[2; 7])), Some(Step::Data(7)));
        assert_eq!(step(&first, &data(51, &[2; 7])), None);
        assert_eq!(step(&first, &data(49, &[2; 7])), None);
        assert_eq!(step(&first, &acknowledgement(5)), None, "no data");
        assert_eq!(step(&data(1, &[1; 59]), &data(60, &[2; 7])), None, "at no double word");
        assert_eq!(step(&acknowledgement(1), &data(7, &[2; 7])), None, "behind no data");
        let last = frame(Segment::ACK | Segment::PSH, (50, 1), &[2; 7], |_| ());
        assert_eq!(step(&first, &last), Some(Step::Data(7)));
        let end = frame(Segment::ACK | Segment::FIN, (50, 1), &[2; 7], |_| ());
        assert_eq!(step(&first, &end), None);
        let mut all = flow(&first);
        for piece in 0..5 {
            assert_eq!(all.follow(&data(50 + piece * 60, &[3; 60])), Some(Step::Data(60)));
        }
        let Ok(Packet::Tcp(last)) = classify(&data(290, &[3; 60]), &OWN) else { panic!("none") };
        assert_eq!(*all.last(), last);
    }

    #[test]
    fn what_follows_is_what_the_first_look_takes_for_the_same() {
        // Whatever bit is wrong: nothing follows that the first look refuses, and nothing of another
        // connection, sender, or receiver.
        for (first, good) in
            [(acknowledgement(4), acknowledgement(5)), (data(4, &[1; 24]), data(28, &[2; 8]))]
        {
            assert!(step(&first, &good).is_some());
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                if step(&first, &bad).is_some() {
                    assert_eq!(classify(&bad, &OWN), classify(&good, &OWN), "bit {bit}");
                }
            }
            for length in 0..good.len() {
                let cut = &good[..length];
                assert!(step(&first, cut).is_none() || classify(cut, &OWN).is_ok(), "{length}");
            }
        }
    }

    #[test]
    fn other_connections_and_options_do_not_follow() {
        let first = acknowledgement(4);
        for (at, byte) in [(29, 11), (33, 3), (34, 1), (37, 1), (6, 4), (14, 0x46), (46, 0x60)] {
            let other = frame(Segment::ACK, (7, 5), &[], |frame| frame[at] = byte);
            assert_eq!(step(&first, &other), None, "byte {at}");
        }
        for flags in [0, Segment::SYN, Segment::RST, Segment::ACK | 0x20] {
            assert_eq!(step(&first, &frame(flags, (7, 5), &[], |_| ())), None);
        }
    }
}
