//! The outgoing half of the device: completes smoltcp's packets, cuts long ones into segments, and gives
//! them to the card.
//!
//! May call `nic`, `checksum`, `packet`. smoltcp hands over data of several segments in one packet: its work for a
//! packet costs more than the data. They are cut apart in place: the headers of the next segment are
//! written over the end of the last one's data, which the card has by then.

use core::ops::Range;

use super::checksum;
use super::nic::{Nic, SendError};
use super::packet::maximum_segment_size;

/// Offsets in an IPv4 header (RFC 791) of 20 bytes, as smoltcp makes it.
const IP: usize = 20;
const TOTAL_LENGTH: usize = 2;
const IDENTIFICATION: usize = 4;
/// Bytes of a TCP header (RFC 9293) without options, and offsets in it.
const TCP: usize = 20;
const SEQUENCE: usize = 4;
const DATA_OFFSET: usize = 12;
const FLAGS: usize = 13;
/// PSH and FIN: of a packet's last segment alone.
const LAST: u8 = 0x08 | 0x01;
const SYN: u8 = 0x02;
/// Data of a full segment on Ethernet; longer packets are cut.
pub(super) const MSS: usize = 1460;

/// What is left of a packet of several segments.
#[derive(Clone, Copy, Default)]
struct Rest {
    /// Bytes of data behind the frame that goes next.
    data: usize,
    /// Flags of the last one.
    flags: u8,
}

/// The card, and the frames that wait for it.
pub(super) struct Sender<'a> {
    nic: &'a mut (dyn Nic + 'a),
    buffer: &'a mut [u8],
    /// The frame in `buffer` that goes next; empty: none.
    waiting: Range<usize>,
    rest: Rest,
    sent: usize,
    /// Bytes of the medium's header.
    header: usize,
    /// The port of the control connections, whose windows are left alone.
    control: u16,
    /// Largest window that a data connection announces.
    window: u16,
}

impl<'a> Sender<'a> {
    /// Frames wait in `buffer` and have `header` bytes of the medium's before the IP packet; `control` is the
    /// port of the control connections.
    pub(super) fn new(
        nic: &'a mut (dyn Nic + 'a),
        buffer: &'a mut [u8],
        header: usize,
        control: u16,
    ) -> Sender<'a> {
        Sender {
            nic,
            buffer,
            waiting: 0..0,
            rest: Rest::default(),
            sent: 0,
            header,
            control,
            window: u16::MAX,
        }
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

    /// Where a frame of `length` bytes is to be put.
    pub(super) fn room(&mut self, length: usize) -> &mut [u8] {
        self.buffer.get_mut(..length).unwrap_or_default()
    }

    /// Moves waiting frames on; whether the buffer is free then.
    pub(super) fn flush(&mut self) -> bool {
        while !self.waiting.is_empty() {
            let frame = self.buffer.get(self.waiting.clone()).unwrap_or_default();
            // A frame that the card refuses for good is TCP's to send again.
            if self.nic.send(frame) == Err(SendError::Busy) {
                return false;
            }
            self.sent += 1;
            self.waiting = self.next_segment().unwrap_or(0..0);
        }
        true
    }

    /// Sends the packet in the first `length` bytes, in segments if it is too long for one.
    pub(super) fn dispatch(&mut self, length: usize) {
        self.waiting = 0..length;
        self.rest = Rest::default();
        if length > self.header + IP + TCP + MSS && self.cut(length).is_none() {
            // Not as smoltcp makes it.
            self.waiting = 0..0;
        }
        self.complete();
        self.flush();
    }

    /// Makes the first segment of the packet in the first `length` bytes.
    fn cut(&mut self, length: usize) -> Option<()> {
        let headers = self.headers(0)?;
        let data = length.checked_sub(headers + MSS)?;
        let flags = self.buffer.get_mut(self.header + IP + FLAGS)?;
        self.rest = Rest { data, flags: *flags & LAST };
        *flags &= !LAST;
        self.set_length(0, headers + MSS)?;
        self.waiting = 0..headers + MSS;
        Some(())
    }

    /// Makes the next segment behind the one that was sent.
    fn next_segment(&mut self) -> Option<Range<usize>> {
        let Rest { data, flags } = self.rest;
        if data == 0 {
            return None;
        }
        let last = self.waiting.clone();
        let headers = self.headers(last.start)?;
        let start = last.end.checked_sub(headers)?;
        self.buffer.copy_within(last.start..last.start + headers, start);
        let size = data.min(MSS);
        self.rest.data = data - size;
        self.set_length(start, headers + size)?;
        let ip = self.buffer.get_mut(start + self.header..)?;
        let number = ip.get_mut(IDENTIFICATION..)?.first_chunk_mut()?;
        *number = u16::from_be_bytes(*number).wrapping_add(1).to_be_bytes();
        let tcp = ip.get_mut(IP..)?;
        let sequence = tcp.get_mut(SEQUENCE..)?.first_chunk_mut()?;
        // The segment that was sent was a full one.
        *sequence = u32::from_be_bytes(*sequence).wrapping_add(MSS as u32).to_be_bytes();
        if self.rest.data == 0 {
            *tcp.get_mut(FLAGS)? |= flags;
        }
        self.waiting = start..start + headers + size;
        self.complete();
        Some(self.waiting.clone())
    }

    /// Bytes of all headers of the frame at `start`.
    fn headers(&self, start: usize) -> Option<usize> {
        let offset = self.buffer.get(start + self.header + IP + DATA_OFFSET)?;
        Some(self.header + IP + usize::from(offset >> 4) * 4)
    }

    fn set_length(&mut self, start: usize, frame: usize) -> Option<()> {
        let total = u16::try_from(frame.checked_sub(self.header)?).ok()?;
        let field = self.buffer.get_mut(start + self.header + TOTAL_LENGTH..)?;
        *field.first_chunk_mut()? = total.to_be_bytes();
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
            frame.get_mut(self.header..).and_then(|ip| ip.split_first_chunk_mut::<IP>())
        else {
            return;
        };
        [ip[10], ip[11]] = [0; 2];
        [ip[10], ip[11]] = (!checksum::fold(checksum::add(0, ip))).to_le_bytes();
        let [.., protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *ip;
        if protocol != 6 {
            return;
        }
        let Some(tcp) = segment.first_chunk_mut::<TCP>() else { return };
        let opens = tcp[FLAGS] & SYN != 0;
        let window = u16::from_be_bytes([tcp[14], tcp[15]]);
        if [tcp[0], tcp[1]] != self.control.to_be_bytes() && window > self.window {
            [tcp[14], tcp[15]] = self.window.to_be_bytes();
        }
        [tcp[16], tcp[17]] = [0; 2];
        // smoltcp would take as long packets as it may make.
        if opens
            && let Some(mss) = segment.get_mut(TCP..).and_then(maximum_segment_size)
            && usize::from(u16::from_be_bytes(*mss)) > MSS
        {
            *mss = (MSS as u16).to_be_bytes();
        }
        let sum = !checksum::tcp([s0, s1, s2, s3], [d0, d1, d2, d3], segment);
        if let Some(field) = segment.get_mut(16..18) {
            field.copy_from_slice(&sum.to_le_bytes());
        }
    }
}
