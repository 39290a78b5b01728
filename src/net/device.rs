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
use super::packet::{self, ETHERNET_HEADER, HEADERS, Segment};
use super::sender::{MSS, Sender, Sent};
use crate::memory::{Memory, OutOfMemory};

/// What [`Nic::receive`] wants of its buffer.
const FRAME: usize = 1536;
/// Longest frame that can be held back: Ethernet's shortest, in which a bare acknowledgement fits. A multiple
/// of 4.
const HELD: usize = 64;
/// Segments that smoltcp hands over in one packet, at most: half of the largest send buffer, 8 KB.
const MOST_SEGMENTS: usize = 6;

/// Segments of a peer that does not say (RFC 9293 section 3.7.1), and the least that are believed: those of SLIP's
/// shortest packets, 296 bytes.
const DEFAULT_MSS: usize = 536;
const LEAST_MSS: usize = 256;

/// The frame that smoltcp is to see.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Fetched,
    Held,
    Run,
}

/// A card with its buffers.
pub(super) struct NicDevice<'a> {
    sender: Sender<'a>,
    buffer: &'a mut [u8],
    /// The place of the fetched frame in `buffer`, and its length; 0: none.
    at: usize,
    fetched: usize,
    /// The place in `buffer` of a short frame that was held back, and its length; 0: none.
    held: (usize, usize),
    /// Length of the run at the start of `buffer`: a segment, and the data of those that continue it; 0: none.
    run: usize,
    /// Of the run's last bytes and the headers of the frame that was fetched behind them those that are not
    /// in `buffer`; only while that is `overlaid` by the headers.
    other: &'a mut [u8],
    overlaid: bool,
    shown: Shown,
    medium: Medium,
    /// Largest IP packet that smoltcp may make; the sender cuts those that the medium does not take.
    mtu: usize,
    /// Segments in it.
    segments: usize,
    burst: usize,
}

impl<'a> NicDevice<'a> {
    /// `mtu` is the largest IP packet; the card's own limit and 576 to 1500 (RFC 791) bound it. Data
    /// connections send pieces of `piece` bytes. Frames have no room before [`NicDevice::furnish`].
    pub(super) fn new(
        nic: &'a mut (dyn Nic + 'a),
        mtu: u16,
        control: u16,
        piece: usize,
    ) -> NicDevice<'a> {
        let info = nic.info();
        let (medium, header) = match info.class {
            Class::Ethernet => (Medium::Ethernet, ETHERNET_HEADER),
            Class::Slip => (Medium::Ip, 0),
        };
        let mtu = usize::from(mtu.min(info.mtu).clamp(576, 1500));
        let full = info.class == Class::Ethernet && mtu + ETHERNET_HEADER == HEADERS + MSS;
        // Buffers of 4 KB are there to save memory.
        let several = full && piece >= 2 * MSS;
        let segments = if several { piece.div_ceil(MSS).min(MOST_SEGMENTS) } else { 1 };
        NicDevice {
            buffer: &mut [],
            sender: Sender::new(nic, header, control),
            mtu: mtu + (segments - 1) * MSS,
            segments,
            at: 0,
            fetched: 0,
            held: (0, 0),
            run: 0,
            other: &mut [],
            overlaid: false,
            shown: Shown::Fetched,
            medium,
            burst: usize::from(info.receive_frames.max(1)),
        }
    }

    /// Takes the memory for frames.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub(super) fn furnish<M: Memory<'a>>(&mut self, memory: &mut M) -> Result<(), OutOfMemory> {
        let header = self.sender.header();
        let mut buffer = |size: usize| -> Result<&'a mut [u8], OutOfMemory> {
            let bytes = memory.bytes("network frames", size + 4)?;
            // IP headers, and with them TCP's data, begin at a multiple of 4: a 386 reads and sums
            // unaligned words at half speed.
            let skip = (bytes.as_ptr() as usize).wrapping_add(header).wrapping_neg() % 4;
            Ok(bytes.get_mut(skip..).unwrap_or_default())
        };
        // A run has as many segments as smoltcp sends at once.
        self.buffer = buffer(FRAME + HELD.max((self.segments - 1) * MSS))?;
        self.sender.furnish(buffer(FRAME.max(header + self.mtu))?);
        self.other = memory.bytes("network frames", HEADERS)?;
        Ok(())
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
    /// still waits (Ethernet). It comes beside one that is held. Behind a run it comes so that its data is
    /// where the run ends, and its headers are where the run's last bytes were.
    pub(super) fn fetch(&mut self) -> Option<&[u8]> {
        self.fetched = 0;
        if !self.sender.flush() && self.medium == Medium::Ethernet {
            return None;
        }
        self.uncover();
        self.at = match self.held {
            (0, 1..) => HELD,
            _ => self.run.saturating_sub(HEADERS),
        };
        if self.run > 0 {
            // By a length that the compiler does not know: it would copy byte by byte.
            self.other.copy_from_slice(self.buffer.get(self.at..self.at + self.other.len())?);
            self.overlaid = true;
        }
        let place = self.buffer.get_mut(self.at..)?;
        self.fetched = self.sender.nic().receive(place)?;
        place.get(..self.fetched)
    }

    /// The headers of the fetched frame, as long as it is that of a segment without options. Only frames of
    /// Ethernet wait for others.
    pub(super) fn headers(&self) -> Option<&[u8; HEADERS]> {
        match self.medium {
            Medium::Ethernet => self.buffer.get(self.at..)?.first_chunk(),
            Medium::Ip => None,
        }
    }

    /// Puts the run's last bytes back, over headers that are not needed any more.
    fn uncover(&mut self) {
        if core::mem::take(&mut self.overlaid)
            && let Some(place) = self.buffer.get_mut(self.at..self.at + self.other.len())
        {
            place.copy_from_slice(self.other);
        }
    }

    fn exchange(&mut self) {
        if let Some(place) = self.buffer.get_mut(self.at..self.at + self.other.len()) {
            place.swap_with_slice(self.other);
        }
    }

    /// Begins a run with the fetched frame, a plain data segment; `false` where there is no room for runs.
    pub(super) fn begin_run(&mut self, segment: &Segment) -> bool {
        if self.segments == 1 || self.at != 0 {
            return false;
        }
        self.run = HEADERS + usize::from(segment.payload);
        self.fetched = 0;
        true
    }

    /// Appends the `length` bytes of data of the fetched frame, whose segment is `last`, to the run that they
    /// continue. Whether no other frame fits behind them.
    pub(super) fn join(&mut self, length: usize, last: &Segment) -> bool {
        self.uncover();
        self.run += length;
        self.fetched = 0;
        let total = (self.run - ETHERNET_HEADER) as u16;
        if let Some(frame) = self.buffer.first_chunk_mut::<HEADERS>() {
            [frame[16], frame[17]] = total.to_be_bytes();
            let acknowledges = last.acknowledges.to_be_bytes();
            frame[42..46].copy_from_slice(&acknowledges);
            frame[47] |= last.flags;
            [frame[48], frame[49]] = last.window.to_be_bytes();
        }
        self.run - HEADERS + FRAME > self.buffer.len()
    }

    /// Whether the fetched frame is short enough for [`NicDevice::hold`].
    pub(super) fn can_hold(&self) -> bool {
        self.fetched <= HELD
    }

    /// Holds the fetched frame back, in place of one that was held before.
    pub(super) fn hold(&mut self) {
        // What is behind an acknowledgement without options is no part of it.
        self.held = (self.at, self.fetched.min(HELD));
        self.fetched = 0;
    }

    /// Shows smoltcp the run, or the frame that was held back, instead of the fetched one, until
    /// [`NicDevice::show_fetched`].
    pub(super) fn show_held(&mut self) {
        if self.run == 0 {
            self.shown = Shown::Held;
            return;
        }
        if self.overlaid {
            self.exchange();
        }
        self.shown = Shown::Run;
    }

    /// Shows smoltcp the fetched frame again. What was shown in its place is over.
    pub(super) fn show_fetched(&mut self) {
        if self.shown == Shown::Run {
            self.uncover();
            self.run = 0;
        }
        self.shown = Shown::Fetched;
    }

    /// The largest segment of the peer whose SYN was fetched, bytes of data: he is taken to send as he receives.
    /// If he takes full ones, smoltcp is to hand over several at once: the SYN that it sees says so.
    pub(super) fn take_mss(&mut self) -> usize {
        let header = self.sender.header();
        let mut peers = DEFAULT_MSS;
        if let Some(packet) = self.buffer.get_mut(self.at + header..self.at + self.fetched)
            && let Some(mss) = packet::tcp_options(packet).and_then(packet::maximum_segment_size)
        {
            peers = usize::from(u16::from_be_bytes(*mss));
            if peers >= MSS
                && let Ok(raised) = u16::try_from(self.segments * MSS)
            {
                *mss = raised.to_be_bytes();
            }
        }
        peers.clamp(LEAST_MSS, MSS.min(self.mtu - 40))
    }

    /// Frames that the card's ring takes.
    pub(super) fn ring(&self) -> usize {
        self.burst
    }

    /// Sets the largest window that data connections announce, bytes.
    pub(super) fn announce(&mut self, window: usize) {
        self.sender.announce(u16::try_from(window).unwrap_or(u16::MAX));
    }

    /// Where the last TCP packet ended.
    pub(super) fn last_sent(&self) -> Sent {
        self.sender.last_sent()
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
        let frame = match self.shown {
            Shown::Fetched => {
                self.buffer.get(self.at..self.at + core::mem::take(&mut self.fetched))?
            }
            Shown::Held => {
                let (at, length) = core::mem::take(&mut self.held);
                self.buffer.get(at..at + length)?
            }
            Shown::Run => self.buffer.get(..self.run)?,
        };
        (!frame.is_empty()).then_some((Received(frame), Room(&mut self.sender)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_, 'a>> {
        // Who has smoltcp send has asked the card; a packet that it cannot take yet waits.
        self.sender.is_free().then_some(Room(&mut self.sender))
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
