//! The first look at a received frame: is it well formed, addressed to us, from a possible sender, and
//! undamaged; and what is it. Everything else is dropped before smoltcp spends time on it.
//!
//! Calls `checksum`. Pure: the answer depends on the frame and on [`Identity`] alone. Never panics,
//! whatever the bytes are.

use core::net::Ipv4Addr;

use super::checksum::{self, HEADER};
use super::nic::Class;

/// Bytes of an Ethernet header.
pub const ETHERNET_HEADER: usize = 14;

/// Who we are on the medium.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// What travels on the medium.
    pub class: Class,
    /// Our station address; not used for SLIP.
    pub station: [u8; 6],
    /// Our address, if we have one yet.
    pub address: Option<Ipv4Addr>,
    /// The broadcast address of our network.
    pub broadcast: Ipv4Addr,
    /// Whether answers of DHCP servers are for us.
    pub dhcp: bool,
}

/// What a good frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// ARP that asks for our address or answers us.
    Arp,
    /// ARP in which another station claims our address.
    Conflict([u8; 6]),
    /// An answer of a DHCP server.
    Dhcp,
    /// An ICMP echo request.
    Ping,
    /// A TCP segment with a right checksum.
    Tcp(Segment),
}

/// The fields of a TCP segment that decide which socket it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The sender's address.
    pub source: Ipv4Addr,
    /// The sender's port.
    pub source_port: u16,
    /// Our port.
    pub port: u16,
    /// The eight flags, as in RFC 9293 section 3.1.
    pub flags: u8,
    /// The window field, not scaled.
    pub window: u16,
    /// The acknowledgement number.
    pub acknowledges: u32,
    /// The sequence number of the first byte.
    pub sequence: u32,
    /// Bytes of payload.
    pub payload: u16,
    /// Neither IP nor TCP options: the payload begins 40 bytes behind the IP header's start.
    pub plain: bool,
}

impl Segment {
    pub(super) const FIN: u8 = 1;
    pub(super) const SYN: u8 = 2;
    pub(super) const RST: u8 = 4;
    pub(super) const PSH: u8 = 8;
    pub(super) const ACK: u8 = 16;

    /// Whether it asks for a new connection.
    pub fn opens(&self) -> bool {
        self.flags & (Self::SYN | Self::ACK) == Self::SYN
    }

    /// Whether it begins a connection, or answers who did.
    pub fn is_syn(&self) -> bool {
        self.flags & Self::SYN != 0
    }

    /// Whether it is nothing but an acknowledgement, which a later one makes superfluous.
    pub fn only_acknowledges(&self) -> bool {
        self.flags == Self::ACK && self.payload == 0
    }

    /// Whether it carries data and says nothing else that a segment before it could not say as well.
    pub fn is_plain_data(&self) -> bool {
        self.plain && self.payload > 0 && self.flags & !Self::PSH == Self::ACK
    }

    /// Whether it resets the connection.
    pub fn resets(&self) -> bool {
        self.flags & Self::RST != 0
    }
}

/// Why a frame is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reject {
    /// Of a protocol that we do not speak, or not addressed to us.
    NotForUs,
    /// Lengths or fields that contradict each other, or a fragment (RFC 791; we offer an MSS that needs
    /// none).
    Malformed,
    /// A sender that cannot exist: ourselves, a broadcast, multicast or loopback address.
    Spoofed,
    /// Damaged on the way.
    Checksum,
}

/// `N` bytes at `offset`.
fn at<const N: usize>(data: &[u8], offset: usize) -> Result<[u8; N], Reject> {
    data.get(offset..).and_then(|rest| rest.first_chunk()).copied().ok_or(Reject::Malformed)
}

/// Looks at `frame`.
///
/// # Errors
/// The reason to drop it.
pub fn classify(frame: &[u8], own: &Identity) -> Result<Packet, Reject> {
    if own.class == Class::Slip {
        return ipv4(frame, own, true);
    }
    let (header, payload) =
        frame.split_first_chunk::<ETHERNET_HEADER>().ok_or(Reject::Malformed)?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, kind @ ..] = *header;
    let (destination, source) = ([d0, d1, d2, d3, d4, d5], [s0, s1, s2, s3, s4, s5]);
    let unicast = destination == own.station;
    if !unicast && destination != [0xff; 6] {
        return Err(Reject::NotForUs);
    }
    if source[0] & 1 != 0 || source == own.station {
        return Err(Reject::Spoofed);
    }
    match kind {
        [0x08, 0x00] => ipv4(payload, own, unicast),
        [0x08, 0x06] => arp(payload, own, source),
        _ => Err(Reject::NotForUs),
    }
}

/// Bytes of the headers of a TCP segment without options in its Ethernet frame.
pub const HEADERS: usize = ETHERNET_HEADER + HEADER + HEADER;

/// ARP for Ethernet and IPv4 (RFC 826).
fn arp(packet: &[u8], own: &Identity, source: [u8; 6]) -> Result<Packet, Reject> {
    let address = own.address.ok_or(Reject::NotForUs)?.octets();
    let header: [u8; 6] = at(packet, 0)?;
    let (station, sender): ([u8; 6], [u8; 4]) = (at(packet, 8)?, at(packet, 14)?);
    let target: [u8; 4] = at(packet, 24)?;
    if header != [0, 1, 8, 0, 6, 4] {
        return Err(Reject::NotForUs);
    }
    if sender == address {
        return Ok(Packet::Conflict(station));
    }
    if target != address {
        return Err(Reject::NotForUs);
    }
    // A station that speaks for another one is not a neighbour of ours.
    if station != source || !possible_sender(Ipv4Addr::from(sender), own) {
        return Err(Reject::Spoofed);
    }
    Ok(Packet::Arp)
}

/// Whether a packet from elsewhere can carry `source`.
fn possible_sender(source: Ipv4Addr, own: &Identity) -> bool {
    let first = source.octets()[0];
    first != 0
        && first != 127
        && first < 224
        && Some(source) != own.address
        && (source != own.broadcast || own.address.is_none())
}

/// An IPv4 packet (RFC 791); `unicast` says whether its frame was sent to our station alone.
fn ipv4(packet: &[u8], own: &Identity, unicast: bool) -> Result<Packet, Reject> {
    let (fixed, rest) = packet.split_first_chunk::<HEADER>().ok_or(Reject::Malformed)?;
    let [first, _, t0, t1, _, _, f0, f1, _, protocol, _, _, source @ .., d0, d1, d2, d3] = *fixed;
    let total = usize::from(u16::from_be_bytes([t0, t1]));
    let options = (usize::from(first & 15) * 4).wrapping_sub(HEADER);
    // A header of less than 20 bytes has too many options to fit.
    let payload = total
        .checked_sub(HEADER)
        .and_then(|behind| rest.get(..behind)?.split_at_checked(options))
        .filter(|_| first >> 4 == 4 && u16::from_be_bytes([f0, f1]) & 0x3fff == 0);
    let (options, payload) = payload.ok_or(Reject::Malformed)?;
    let (source, destination) = (Ipv4Addr::from(source), Ipv4Addr::from([d0, d1, d2, d3]));
    if !possible_sender(source, own) {
        return Err(Reject::Spoofed);
    }
    let mut sum = checksum::add_header(0, fixed);
    if !options.is_empty() {
        sum = checksum::add(sum, options);
    }
    if checksum::fold(sum) != 0xffff {
        return Err(Reject::Checksum);
    }
    let ours = unicast && Some(destination) == own.address;
    match protocol {
        6 if ours => tcp(payload, source, fixed).map(|mut segment| {
            segment.plain &= options.is_empty();
            Packet::Tcp(segment)
        }),
        1 if ours && payload.len() >= 8 && payload.first() == Some(&8) => Ok(Packet::Ping),
        17 if own.dhcp && at(payload, 0)? == [0, 67, 0, 68] => Ok(Packet::Dhcp),
        _ => Err(Reject::NotForUs),
    }
}

/// A TCP segment (RFC 9293 section 3.1) behind `ip`.
fn tcp(segment: &[u8], source: Ipv4Addr, ip: &[u8; HEADER]) -> Result<Segment, Reject> {
    let (header, rest) = segment.split_first_chunk::<HEADER>().ok_or(Reject::Malformed)?;
    let payload = rest.len().wrapping_sub((usize::from(header[12] >> 4) * 4).wrapping_sub(HEADER));
    let parsed = Segment {
        source,
        source_port: u16::from_be_bytes([header[0], header[1]]),
        port: u16::from_be_bytes([header[2], header[3]]),
        flags: header[13],
        window: u16::from_be_bytes([header[14], header[15]]),
        acknowledges: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        plain: payload == rest.len(),
        // An IP packet has at most 65535 bytes.
        payload: payload as u16,
    };
    // More than there is: a header that is longer than the segment, or shorter than 20 bytes.
    if payload > rest.len() || parsed.source_port == 0 || parsed.port == 0 {
        return Err(Reject::Malformed);
    }
    // One of SYN, FIN and RST at most, and at least one of SYN, ACK and RST, in every legal segment.
    let kind = parsed.flags & (Segment::SYN | Segment::FIN | Segment::RST);
    if kind & kind.wrapping_sub(1) != 0
        || parsed.flags & (Segment::SYN | Segment::ACK | Segment::RST) == 0
    {
        return Err(Reject::Malformed);
    }
    if checksum::tcp(ip, header, rest) != 0xffff {
        return Err(Reject::Checksum);
    }
    Ok(parsed)
}

/// The TCP options of an IPv4 packet.
pub(super) fn tcp_options(packet: &mut [u8]) -> Option<&mut [u8]> {
    let header = usize::from(packet.first()? & 15) * 4;
    let segment = packet.get_mut(header..)?;
    let length = usize::from(segment.get(12)? >> 4) * 4;
    segment.get_mut(20..length)
}

/// The value of the MSS option (RFC 9293 section 3.2) among a segment's TCP options.
pub(super) fn maximum_segment_size(mut options: &mut [u8]) -> Option<&mut [u8; 2]> {
    const END: u8 = 0;
    const NOTHING: u8 = 1;
    const MSS: [u8; 2] = [2, 4];
    loop {
        match *options.first()? {
            END => return None,
            NOTHING => options = options.get_mut(1..)?,
            _ if options.starts_with(&MSS) => return options.get_mut(2..)?.first_chunk_mut(),
            _ => {
                let length = usize::from(*options.get(1)?);
                options = options.get_mut(length.max(2)..)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const OWN: Identity = Identity {
        class: Class::Ethernet,
        station: [2, 0, 0, 0, 0, 1],
        address: Some(Ipv4Addr::new(10, 0, 0, 2)),
        broadcast: Ipv4Addr::new(10, 0, 0, 255),
        dhcp: false,
    };

    /// Puts the right checksum into a frame of a TCP segment from 10.0.0.10.
    fn sum_tcp(frame: &mut [u8]) {
        frame[50..52].fill(0);
        let (ip, segment) = frame[14..].split_first_chunk().expect("20 bytes");
        let (header, rest) = segment.split_first_chunk().expect("20 bytes");
        let sum = !checksum::tcp(ip, header, rest);
        frame[50..52].copy_from_slice(&sum.to_le_bytes());
    }

    /// A SYN of 10.0.0.10:4000 to port 21, with four bytes of options.
    fn syn() -> Vec<u8> {
        let mut frame = std::vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0];
        frame.extend([0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 10, 10, 0, 0, 2]);
        frame.extend([0x0f, 0xa0, 0, 21, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 0x10, 0, 0, 0, 0, 0]);
        frame.extend([2, 4, 5, 0xb4]);
        let sum = !checksum::fold(checksum::add(0, &frame[14..34]));
        frame[24..26].copy_from_slice(&sum.to_le_bytes());
        sum_tcp(&mut frame);
        frame
    }

    #[test]
    fn a_good_segment_is_recognised_with_and_without_padding() {
        let expected = Ok(Packet::Tcp(Segment {
            source: Ipv4Addr::new(10, 0, 0, 10),
            source_port: 4000,
            port: 21,
            flags: 2,
            window: 4096,
            acknowledges: 0,
            sequence: 1,
            payload: 0,
            plain: false,
        }));
        let mut frame = syn();
        assert_eq!(classify(&frame, &OWN), expected);
        frame.extend([0xee; 7]);
        assert_eq!(classify(&frame, &OWN), expected);
        let line = Identity { class: Class::Slip, ..OWN };
        assert_eq!(classify(&frame[14..], &line), expected);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let frame = syn();
        for length in 0..frame.len() {
            assert!(classify(&frame[..length], &OWN).is_err(), "cut at {length}");
        }
        for bit in 14 * 8..frame.len() * 8 {
            let mut frame = frame.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            assert!(classify(&frame, &OWN).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn flags_that_no_tcp_sends_are_refused() {
        for flags in 0..=63u8 {
            let mut frame = syn();
            frame[47] = flags;
            sum_tcp(&mut frame);
            let legal = (flags & 7).count_ones() <= 1 && flags & 0x16 != 0;
            assert_eq!(classify(&frame, &OWN).is_ok(), legal, "{flags:#x}");
        }
    }

    #[test]
    fn without_an_address_nothing_is_for_us_but_dhcp() {
        let nobody = Identity { address: None, dhcp: true, ..OWN };
        assert_eq!(classify(&syn(), &nobody), Err(Reject::NotForUs));
        let mut frame = std::vec![0xff; 6];
        frame.extend([2, 0, 0, 0, 0, 9, 8, 0]);
        frame.extend([0x45, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 255, 255, 255, 255]);
        frame.extend([0, 67, 0, 68, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        let sum = !checksum::fold(checksum::add(0, &frame[14..34]));
        frame[24..26].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(classify(&frame, &nobody), Ok(Packet::Dhcp));
        assert_eq!(classify(&frame, &OWN), Err(Reject::NotForUs));
    }
}
