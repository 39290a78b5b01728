//! The outgoing half of the device: completes smoltcp's packets, cuts long ones into segments, and gives
//! them to the card.
//!
//! May call `nic`, `checksum`, `packet`. smoltcp hands over data of several segments in one packet: its work for a
//! packet costs more than the data. They are cut apart in place: the headers of the next segment are
//! written over the end of the last one's data, which the card has by then.

use core::ops::Range;

use super::checksum::{self, HEADER};
use super::nic::{Nic, SendError};
use super::packet::{ETHERNET_HEADER, HEADERS, maximum_segment_size};

/// Where the frame of a segment without options on Ethernet has the IPv4 header (RFC 791) and the TCP header
/// (RFC 9293) that smoltcp made; its data begins behind the [`HEADERS`].
const IP: usize = ETHERNET_HEADER;
const TCP: usize = IP + HEADER;
/// Offset of a TCP header's flags.
const FLAGS: usize = 13;
/// PSH and FIN: of a packet's last segment alone.
const LAST: u8 = 0x08 | 0x01;
const SYN: u8 = 0x02;
const PROTOCOL_TCP: u8 = 6;
/// Data of a full segment on Ethernet; longer packets are cut.
pub(super) const MSS: usize = 1460;

/// Sequence numbers of a packet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    /// Behind its data.
    pub(super) end: u32,
    /// The peer's: the edge of the window that it announced.
    pub(super) edge: u32,
}

/// The card, and the frames that wait for it.
pub(super) struct Sender<'a> {
    nic: &'a mut (dyn Nic + 'a),
    buffer: &'a mut [u8],
    /// The frame in `buffer` that goes next; empty: none.
    waiting: Range<usize>,
    /// Bytes of data behind that frame, of a packet of several segments, and flags of its last segment.
    rest: usize,
    last_flags: u8,
    sent: usize,
    /// Of the last packet.
    last: Sent,
    /// Bytes of the medium's header.
    header: usize,
    /// The port of the control connections, whose windows are left alone.
    control: u16,
    /// Largest window that a data connection announces.
    window: u16,
}

impl<'a> Sender<'a> {
    /// Frames have `header` bytes of the medium's before the IP packet, and will have room to wait by
    /// [`Sender::furnish`]; `control` is the port of the control connections.
    pub(super) fn new(nic: &'a mut (dyn Nic + 'a), header: usize, control: u16) -> Sender<'a> {
        Sender {
            nic,
            buffer: &mut [],
            waiting: 0..0,
            rest: 0,
            last_flags: 0,
            sent: 0,
            last: Sent::default(),
            header,
            control,
            window: u16::MAX,
        }
    }

    /// Frames wait in `buffer`.
    pub(super) fn furnish(&mut self, buffer: &'a mut [u8]) {
        self.buffer = buffer;
    }

    /// The card.
    pub(super) fn card(&self) -> &dyn Nic {
        self.nic
    }

    /// The card, to be used.
    pub(super) fn nic(&mut self) -> &mut (dyn Nic + 'a) {
        self.nic
    }

    /// Bytes of the medium's header.
    pub(super) fn header(&self) -> usize {
        self.header
    }

    /// Sets the largest window that data connections announce.
    pub(super) fn announce(&mut self, window: u16) {
        self.window = window;
    }

    /// Frames sent since the last call.
    pub(super) fn take_sent(&mut self) -> usize {
        core::mem::take(&mut self.sent)
    }

    /// Where the last TCP packet ended.
    pub(super) fn last_sent(&self) -> Sent {
        self.last
    }

    /// Where a frame of `length` bytes is to be put.
    pub(super) fn room(&mut self, length: usize) -> &mut [u8] {
        self.buffer.get_mut(..length).unwrap_or_default()
    }

    /// Whether nothing waits.
    pub(super) fn is_free(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Moves waiting frames on; whether the buffer is free then.
    #[inline]
    pub(super) fn flush(&mut self) -> bool {
        self.is_free() || self.send()
    }

    fn send(&mut self) -> bool {
        loop {
            let frame = self.buffer.get(self.waiting.clone()).unwrap_or_default();
            // A frame that the card refuses for good is TCP's to send again.
            if self.nic.send(frame) == Err(SendError::Busy) {
                return false;
            }
            self.sent += 1;
            if self.next_segment().is_none() {
                self.waiting = 0..0;
                return true;
            }
        }
    }

    /// Sends the packet in the first `length` bytes, in segments if it is too long for one.
    pub(super) fn dispatch(&mut self, length: usize) {
        self.waiting = 0..length;
        let headers = self.header + HEADER + HEADER;
        if let Some(tcp) = self.buffer.get(self.header + HEADER..headers)
            && let Some(sequence) = tcp.get(4..).and_then(|tcp| tcp.first_chunk())
        {
            // A FIN goes with the last data, or behind all of it.
            self.last.end =
                u32::from_be_bytes(*sequence).wrapping_add(length.saturating_sub(headers) as u32);
        }
        self.rest = length.saturating_sub(headers + MSS);
        if self.rest > 0 && self.cut().is_none() {
            // Not as smoltcp makes it.
            (self.waiting, self.rest) = (0..0, 0);
        }
        self.complete();
        if !self.is_free() {
            self.send();
        }
    }

    /// Makes the first segment of the packet. Only on Ethernet packets are too long.
    fn cut(&mut self) -> Option<()> {
        let headers = self.buffer.first_chunk_mut::<HEADERS>()?;
        if headers[TCP + 12] >> 4 != 5 {
            return None;
        }
        self.last_flags = headers[TCP + FLAGS] & LAST;
        headers[TCP + FLAGS] &= !LAST;
        set_length(headers, MSS);
        self.waiting = 0..HEADERS + MSS;
        Some(())
    }

    /// Makes the next segment behind the one that was sent, if there is one.
    fn next_segment(&mut self) -> Option<()> {
        let size = self.rest.min(MSS);
        if size == 0 {
            return None;
        }
        let Range { start, end } = self.waiting;
        let next = end.checked_sub(HEADERS)?;
        let (sent, behind) = self.buffer.split_at_mut_checked(next)?;
        // A length that the compiler does not know: it would copy byte by byte.
        let headers = self.header + HEADER + HEADER;
        behind.get_mut(..headers)?.copy_from_slice(sent.get(start..start + headers)?);
        let (headers, data) = behind.split_first_chunk_mut::<HEADERS>()?;
        set_length(headers, size);
        let (_, headers) = headers.split_first_chunk_mut::<IP>()?;
        let (ip, tcp) = headers.split_first_chunk_mut::<HEADER>()?;
        let tcp = tcp.first_chunk_mut::<HEADER>()?;
        let number = u16::from_be_bytes([ip[4], ip[5]]).wrapping_add(1);
        [ip[4], ip[5]] = number.to_be_bytes();
        let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
        // The segment that was sent was a full one.
        [tcp[4], tcp[5], tcp[6], tcp[7]] = sequence.wrapping_add(MSS as u32).to_be_bytes();
        self.rest -= size;
        if self.rest == 0 {
            tcp[FLAGS] |= self.last_flags;
        }
        seal(ip, tcp, data.get(..size)?);
        self.waiting = next..end + size;
        Some(())
    }

    /// Fills in the checksums of the packet that goes next, if it is IPv4, and lowers the window that a data
    /// connection announces.
    fn complete(&mut self) {
        let frame = self.buffer.get_mut(self.waiting.clone()).unwrap_or_default();
        if self.header != 0 && frame.get(12..14) != Some(&[0x08, 0x00]) {
            return;
        }
        let Some((ip, segment)) =
            frame.get_mut(self.header..).and_then(|ip| ip.split_first_chunk_mut::<HEADER>())
        else {
            return;
        };
        let Some((tcp, rest)) =
            segment.split_first_chunk_mut::<HEADER>().filter(|_| ip[9] == PROTOCOL_TCP)
        else {
            seal_ip(ip);
            return;
        };
        if [tcp[0], tcp[1]] != self.control.to_be_bytes() {
            let window = u16::from_be_bytes([tcp[14], tcp[15]]).min(self.window);
            [tcp[14], tcp[15]] = window.to_be_bytes();
            let acknowledges = u32::from_be_bytes([tcp[8], tcp[9], tcp[10], tcp[11]]);
            self.last.edge = acknowledges.wrapping_add(window.into());
        }
        // smoltcp would take as long packets as it may make.
        if tcp[FLAGS] & SYN != 0
            && let Some(mss) = maximum_segment_size(rest)
            && usize::from(u16::from_be_bytes(*mss)) > MSS
        {
            *mss = (MSS as u16).to_be_bytes();
        }
        seal(ip, tcp, rest);
    }
}

/// Fills in the checksum of an IPv4 header.
fn seal_ip(ip: &mut [u8; HEADER]) {
    [ip[10], ip[11]] = [0; 2];
    [ip[10], ip[11]] = (!checksum::fold(checksum::add_header(0, ip))).to_le_bytes();
}

/// Fills in both checksums of a segment.
fn seal(ip: &mut [u8; HEADER], tcp: &mut [u8; HEADER], rest: &[u8]) {
    seal_ip(ip);
    [tcp[16], tcp[17]] = [0; 2];
    [tcp[16], tcp[17]] = (!checksum::tcp(ip, tcp, rest)).to_le_bytes();
}

/// Makes the headers those of a segment with `data` bytes.
fn set_length(headers: &mut [u8; HEADERS], data: usize) {
    [headers[IP + 2], headers[IP + 3]] = ((HEADER + HEADER + data) as u16).to_be_bytes();
}
