//! smoltcp's `Device` over a [`Nic`]: one buffer each way.
//!
//! May call `nic`, `packet`, `sender`. A frame is fetched first and judged by the stack; only then does
//! smoltcp see it through `receive`. A frame that the card cannot take at once waits in the buffer, and
//! on Ethernet nothing is received until it is gone, a millisecond later: no answer is lost to a busy
//! transmitter. A serial line is busy for seconds, and has to be read all the time: there a later answer
//! replaces the one that waits, and TCP sends again what was lost.

use smoltcp::phy::{
    Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken,
};
use smoltcp::time::Instant;

use super::nic::{Class, Nic};
use super::packet::{self, ETHERNET_HEADER};
use super::sender::{MSS, Sender};
use crate::memory::{Memory, OutOfMemory};

/// What [`Nic::receive`] wants of its buffer.
const FRAME: usize = 1536;
/// Longest frame that can be held back: Ethernet's shortest, in which a bare acknowledgement fits.
const HELD: usize = 64;
/// Headers of a TCP segment's packet.
const HEADERS: usize = 40;
/// Segments that smoltcp hands over in one packet, at most: half of a large send buffer in two goes.
const MOST_SEGMENTS: usize = 3;

/// A card with its buffers.
pub(super) struct NicDevice<'a> {
    sender: Sender<'a>,
    buffer: &'a mut [u8],
    /// Length of the frame in `buffer`; 0: none.
    fetched: usize,
    /// A short frame that was held back, and its length.
    held: ([u8; HELD], usize),
    /// smoltcp is to see the frame that was held back.
    shows_held: bool,
    medium: Medium,
    /// Largest IP packet that smoltcp may make; the sender cuts those that the medium does not take.
    mtu: usize,
    /// Segments in it.
    segments: usize,
    burst: usize,
}

impl<'a> NicDevice<'a> {
    /// `mtu` is the largest IP packet; the card's own limit and 576 to 1500 (RFC 791) bound it. Data
    /// connections send pieces of `piece` bytes.
    pub(super) fn new<M: Memory<'a>>(
        nic: &'a mut (dyn Nic + 'a),
        mtu: u16,
        control: u16,
        piece: usize,
        memory: &mut M,
    ) -> Result<NicDevice<'a>, OutOfMemory> {
        let info = nic.info();
        let (medium, header) = match info.class {
            Class::Ethernet => (Medium::Ethernet, ETHERNET_HEADER),
            Class::Slip => (Medium::Ip, 0),
        };
        let mtu = usize::from(mtu.min(info.mtu).clamp(576, 1500));
        let full = info.class == Class::Ethernet && mtu == HEADERS + MSS;
        let segments = if full { piece.div_ceil(MSS).clamp(1, MOST_SEGMENTS) } else { 1 };
        let mtu = mtu + (segments - 1) * MSS;
        let mut buffer = |size: usize| -> Result<&'a mut [u8], OutOfMemory> {
            let bytes = memory.bytes("network frames", size + 4)?;
            // IP headers, and with them TCP's data, begin at a multiple of 4: a 386 reads and sums
            // unaligned words at half speed.
            let skip = (bytes.as_ptr() as usize).wrapping_add(header).wrapping_neg() % 4;
            Ok(bytes.get_mut(skip..).unwrap_or_default())
        };
        Ok(NicDevice {
            buffer: buffer(FRAME)?,
            sender: Sender::new(nic, buffer(FRAME.max(header + mtu))?, header, control),
            mtu,
            segments,
            fetched: 0,
            held: ([0; HELD], 0),
            shows_held: false,
            medium,
            burst: usize::from(info.receive_frames.max(1)),
        })
    }

    /// The card.
    pub(super) fn nic(&self) -> &dyn Nic {
        self.sender.card()
    }

    /// Whether a frame could be sent now.
    pub(super) fn is_ready(&mut self) -> bool {
        self.sender.flush() && self.sender.nic().can_send()
    }

    /// Takes the next frame from the card; `None` when there is none, or when the answer to an earlier one
    /// still waits (Ethernet).
    pub(super) fn fetch(&mut self) -> Option<&[u8]> {
        self.fetched = 0;
        if !self.sender.flush() && self.medium == Medium::Ethernet {
            return None;
        }
        self.fetched = self.sender.nic().receive(self.buffer)?;
        self.buffer.get(..self.fetched)
    }

    /// Whether the fetched frame is short enough for [`NicDevice::hold`].
    pub(super) fn can_hold(&self) -> bool {
        self.fetched <= HELD
    }

    /// Holds the fetched frame back, in place of one that was held before.
    pub(super) fn hold(&mut self) {
        let (frame, length) = (&mut self.held.0, self.fetched.min(HELD));
        if let (Some(to), Some(from)) = (frame.get_mut(..length), self.buffer.get(..length)) {
            to.copy_from_slice(from);
        }
        (self.held.1, self.fetched) = (length, 0);
    }

    /// Shows smoltcp the frame that was held back, instead of the fetched one. To be followed by
    /// [`NicDevice::back_to`] with the result.
    pub(super) fn take_held(&mut self) -> usize {
        self.shows_held = true;
        core::mem::replace(&mut self.fetched, self.held.1)
    }

    /// Shows smoltcp the fetched frame again.
    pub(super) fn back_to(&mut self, fetched: usize) {
        (self.shows_held, self.fetched) = (false, fetched);
    }

    /// Has smoltcp hand over several segments at once to the peer whose SYN was fetched, if he takes full
    /// ones: the SYN that it sees says so.
    pub(super) fn raise_mss(&mut self) {
        let header = self.sender.header();
        if let Some(packet) = self.buffer.get_mut(header..self.fetched)
            && let Some(mss) = packet::tcp_options(packet).and_then(packet::maximum_segment_size)
            && usize::from(u16::from_be_bytes(*mss)) >= MSS
            && let Ok(raised) = u16::try_from(self.segments * MSS)
        {
            *mss = raised.to_be_bytes();
        }
    }

    /// Divides the card's ring among so many connections on which data comes in: all that they announce
    /// together shall fit.
    pub(super) fn share_ring(&mut self, uploads: usize) {
        let frames = self.burst.checked_div(uploads).unwrap_or(self.burst).max(1);
        self.sender.announce(u16::try_from(frames * MSS).unwrap_or(u16::MAX));
    }

    /// Frames sent since the last call.
    pub(super) fn take_sent(&mut self) -> usize {
        self.sender.take_sent()
    }
}

impl<'a> Device for NicDevice<'a> {
    type RxToken<'b>
        = Received<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Room<'b, 'a>
    where
        Self: 'b;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Room<'_, 'a>)> {
        let buffer = if self.shows_held { &self.held.0 } else { &*self.buffer };
        let frame = buffer.get(..core::mem::take(&mut self.fetched))?;
        (!frame.is_empty()).then_some((Received(frame), Room(&mut self.sender)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_, 'a>> {
        self.is_ready().then_some(Room(&mut self.sender))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut checksum = ChecksumCapabilities::default();
        // `packet` has verified them, and `sender` makes them.
        checksum.tcp = Checksum::None;
        checksum.ipv4 = Checksum::None;
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = self.mtu + self.sender.header();
        capabilities.max_burst_size = Some(self.burst);
        capabilities.checksum = checksum;
        capabilities
    }
}

/// A fetched frame.
pub(super) struct Received<'b>(&'b [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for one packet.
pub(super) struct Room<'b, 'a>(&'b mut Sender<'a>);

impl TxToken for Room<'_, '_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        // smoltcp sends nothing longer than the MTU, for which there is always room.
        let result = f(self.0.room(length));
        self.0.dispatch(length);
        result
    }
}
