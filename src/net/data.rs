//! The data sockets, one for each client: passive ports that only their owner reaches, active
//! connections, and when a socket is usable again.
//!
//! May call `control` (for the helpers that both kinds of port share) and `packet`. Each socket is a
//! smoltcp socket set of its own, so that egress can go round: with one set smoltcp would give every
//! free moment of a slow card to the first socket that has something to send. Here is the pool of all of them;
//! `slot` follows the life of one, `credit` what its peer may send, `port` is what a session does with it.

mod credit;
mod port;
mod slot;

use core::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};

use super::control::bit;
use super::packet::Segment;
use super::sender::{MSS, Sent};
use crate::memory::{Memory, OutOfMemory};
use crate::time::Millis;
use credit::{FIRST, RUN};
pub use port::DataPort;
pub use slot::{DataState, PortError};
use slot::{Ours, Slot};

/// Least size of a buffer, bytes.
const LEAST: usize = 4096;
/// What is left of memory for what comes after the buffers, beside a send buffer's size for frames.
const KEPT: usize = 8192;
/// Largest receive buffer: whole sectors, and no window that has to be scaled (RFC 7323).
const LARGEST: usize = 64_512;
/// Memory is plenty where it is so many times a receive buffer.
const PLENTY: usize = 4;
/// Send buffers below this are sent in single frames, which need less memory than several (`device`).
const SEVERAL: usize = 4 * MSS;
/// First of the ports (RFC 6335 section 6) for connections from any port.
const EPHEMERAL: u16 = 49_152;

/// Sizes of a client's buffers for receiving and sending: those `wanted`, or less where its share of the
/// memory, `room` bytes, is less; 4 KB at least, as the settings. Where there is plenty, what is sent gets as much
/// as what is received: the disk then reads on while the client has yet to acknowledge. And what is received gets
/// twice as much: the client then fills the card's ring while the disk writes.
fn fitting((receive, send): (usize, usize), room: usize) -> (usize, usize) {
    if receive * PLENTY <= room {
        return ((receive * 2).min(LARGEST), receive.max(send));
    }
    if receive + send <= room {
        return (receive, send);
    }
    let send = ((room / 3) & !1023).clamp(LEAST.min(send), send);
    let receive = (room.saturating_sub(send) & !1023).clamp(LEAST.min(receive), receive);
    (receive, send)
}

/// The first slot of `slots` from `first` on, around the end.
fn next(slots: u16, first: usize) -> Option<usize> {
    let behind = slots & u16::MAX.checked_shl(first as u32).unwrap_or(0);
    let wanted = if behind == 0 { slots } else { behind };
    (wanted != 0).then_some(wanted.trailing_zeros() as usize)
}

/// Whose a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// A data socket's; its index.
    Slot(usize),
    /// Of a stranger on a passive port.
    Stranger,
    /// No data socket's.
    Elsewhere,
}

/// All data sockets.
pub(super) struct DataPool<'a> {
    slots: &'a mut [Slot<'a>],
    /// The control port, which is nobody's data port.
    control: u16,
    /// The slot whose turn it is to send first.
    first: usize,
    ephemeral: u16,
    now: Millis,
    /// Slots that may have something to send, a bit for each.
    dirty: u16,
    /// Slots that heard of their peers since their timers were looked at, a bit for each.
    heard: u16,
    /// A session has changed something since packets were sent last.
    pub(super) touched: bool,
    /// Slots that something happened to since the last [`DataPool::take_news`], a bit for each.
    news: u16,
    /// How many connections there are on which data comes in.
    uploads: usize,
    /// Bytes of the card's ring that all of these may still fill: the sum of their credits.
    lent: usize,
    /// The least of their peers' segments, bytes of data.
    mss: usize,
    /// Sizes of the buffers for receiving and sending, bytes.
    buffers: (usize, usize),
}

impl<'a> DataPool<'a> {
    /// `count` sockets that will have buffers of `wanted` bytes to receive and to send, or of what memory there is:
    /// [`DataPool::furnish`] gives them these, before anything else is done with them. Of that memory `kept` bytes
    /// are others'.
    pub(super) fn new<M: Memory<'a>>(
        control: u16,
        count: usize,
        wanted: (usize, usize),
        kept: usize,
        seed: u64,
        memory: &mut M,
    ) -> Result<DataPool<'a>, OutOfMemory> {
        let mut storage =
            memory.slots("data sockets", count, |_| Default::default())?.chunks_mut(1);
        let slots = memory.slots("data sockets", count, |_| Slot {
            set: SocketSet::new(storage.next().unwrap_or_default()),
            handle: SocketHandle::default(),
            ours: Ours::Nothing,
            owner: Ipv4Addr::UNSPECIFIED,
            port: 0,
            linger: None,
            uploads: false,
            credit: Default::default(),
            mss: MSS,
            acknowledged: (0, 0),
            repeated: 0,
            end: 0,
        })?;
        let kept = KEPT + kept;
        let room = |kept| memory.free().saturating_sub(kept) / count.max(1);
        let mut buffers = fitting(wanted, room(kept + wanted.1));
        if buffers.1 < SEVERAL {
            buffers = fitting((wanted.0, buffers.1), room(kept));
        }
        let ephemeral = EPHEMERAL + (seed >> 40) as u16 % (u16::MAX - EPHEMERAL);
        Ok(DataPool {
            slots,
            control,
            first: 0,
            ephemeral,
            now: Millis(0),
            dirty: 0,
            heard: 0,
            touched: false,
            news: 0,
            uploads: 0,
            lent: 0,
            mss: MSS,
            buffers,
        })
    }

    /// Takes the memory for the buffers, and makes the sockets.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub(super) fn furnish<M: Memory<'a>>(&mut self, memory: &mut M) -> Result<(), OutOfMemory> {
        let (receive, send) = self.buffers;
        for slot in self.slots.iter_mut() {
            let receive = SocketBuffer::new(memory.bytes("data receive buffers", receive)?);
            let send = SocketBuffer::new(memory.bytes("data send buffers", send)?);
            let mut socket = Socket::new(receive, send);
            // What is sent comes in pieces of half the buffer, of which the last part must not wait.
            socket.set_nagle_enabled(false);
            // An upload's speed is its window over this delay.
            socket.set_ack_delay(None);
            slot.handle = slot.set.add(socket);
        }
        Ok(())
    }

    /// Finds the socket that `segment` is for.
    pub(super) fn route(&mut self, segment: &Segment) -> Route {
        let from = SocketAddrV4::new(segment.source, segment.source_port);
        let (mut listener, mut stranger) = (None, false);
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.port != segment.port {
                continue;
            }
            // A SYN with the numbers of a connection in TIME-WAIT is for whoever listens now.
            let over = segment.opens() && slot.state() == DataState::Idle;
            if slot.peer() == Some(from) && !over {
                self.follow(index, segment, false);
                return Route::Slot(index);
            }
            if slot.ours == Ours::Listen {
                if slot.owner != segment.source {
                    stranger = true;
                } else if segment.opens() && slot.state() == DataState::Listening {
                    listener = Some(index);
                }
            }
        }
        match listener {
            Some(index) => {
                self.dirty |= bit(index);
                self.news |= bit(index);
                if let Some(slot) = self.slots.get_mut(index) {
                    // The SYN before may have been forged: the owner's latest is the one that counts.
                    if !slot.socket().is_listening() {
                        slot.listen_again();
                    }
                }
                Route::Slot(index)
            }
            None if stranger => Route::Stranger,
            None => Route::Elsewhere,
        }
    }

    /// Notes what `segment` says, which is of a slot's connection; `on`: it follows one that was noted and that nobody
    /// has seen yet.
    pub(super) fn follow(&mut self, index: usize, segment: &Segment, on: bool) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        self.news |= bit(index);
        self.heard |= bit(index);
        // An acknowledgement asks for nothing when all has been sent, and it has not come before.
        let sent = on || segment.only_acknowledges() && slot.is_sent();
        if segment.payload > 0 {
            self.uploads += usize::from(!slot.uploads);
            slot.uploads = true;
            self.mss = self.mss.min(slot.mss);
            let before = slot.credit.lent();
            slot.credit.take(segment, on);
            self.lent = self.lent - before + slot.credit.lent();
        }
        slot.renew(segment);
        slot.count_repetition(segment);
        if !sent || slot.repeated > 0 || slot.socket().state() != State::Established {
            self.dirty |= bit(index);
        }
    }

    /// Notes the largest segment of the peer whose SYN came, bytes of data.
    pub(super) fn note_mss(&mut self, index: usize, mss: usize) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.mss = mss;
        }
    }

    /// The socket set of a slot.
    pub(super) fn set(&mut self, index: usize) -> Option<&mut SocketSet<'a>> {
        self.slots.get_mut(index).map(|slot| &mut slot.set)
    }

    /// Slots that something happened to since the last call, a bit for each.
    pub(super) fn take_news(&mut self) -> u16 {
        core::mem::take(&mut self.news)
    }

    /// Sizes of a buffer for receiving and of one for sending, bytes.
    pub(super) fn buffers(&self) -> (usize, usize) {
        self.buffers
    }

    /// Whether a data socket has `port`.
    pub(super) fn has_port(&self, port: u16) -> bool {
        self.slots.iter().any(|slot| slot.holds(port))
    }

    /// Sends what there is, one packet of each socket in turn, at most `burst` packets. `send` sends one
    /// packet from a set, which announces no larger window than this, and says where its data and that window end,
    /// or that there was none; it says nothing when the card takes no more. The card's ring of `frames` is shared
    /// out among uploads; `quiet`: it holds nothing.
    pub(super) fn egress(
        &mut self,
        now: Millis,
        burst: usize,
        (frames, quiet): (usize, bool),
        send: &mut dyn FnMut(&mut SocketSet<'a>, usize) -> Option<Option<Sent>>,
    ) {
        (self.now, self.touched) = (now, false);
        let (mut left, mut unsettled) = (burst, self.dirty);
        let mut later = 0;
        while let Some(index) = next(self.dirty & !later, self.first) {
            let Some(slot) = self.slots.get_mut(index) else { return };
            if unsettled & bit(index) != 0 {
                unsettled &= !bit(index);
                slot.settle(now);
            }
            let Some(window) = self.window(index, frames, quiet) else {
                later |= bit(index);
                continue;
            };
            self.first = index;
            let Some(slot) = self.slots.get_mut(index).filter(|_| left > 0) else { return };
            let Some(sent) = send(&mut slot.set, window) else { return };
            self.first = index + 1;
            if let Some(Sent { end, edge }) = sent {
                left -= 1;
                let before = slot.credit.lent();
                slot.credit.renew(edge, now, slot.uploads);
                self.lent = self.lent - before + slot.credit.lent();
                // What was sent may have been the end of the connection.
                if slot.socket().state() != State::Established {
                    self.news |= bit(index);
                }
                slot.end = end;
                if !slot.is_sent() {
                    continue;
                }
            }
            self.dirty &= !bit(index);
        }
    }

    /// The window that a slot may announce, of a ring of `frames`; `None`: its acknowledgement is to wait.
    fn window(&self, index: usize, frames: usize, quiet: bool) -> Option<usize> {
        let slot = self.slots.get(index)?;
        // A frame takes its place in many a ring whether it is full or not.
        let mss = self.mss.min(slot.mss);
        let ring = frames * mss;
        let share = ring / self.uploads.max(1);
        match self.uploads {
            0 => return Some(RUN.min(ring)),
            _ if !slot.uploads => return Some(FIRST.min(ring)),
            1 => return Some(ring),
            _ if !slot.only_takes() => return Some(share.max(MSS)),
            _ => {}
        }
        let others = self.lent - slot.credit.lent();
        slot.credit.window((ring, share, mss), others, quiet, self.now)
    }

    /// Makes every socket that is in use and hears nothing have its timers looked at; where something comes, that is
    /// looked at.
    // Not inlined: it is rare.
    #[inline(never)]
    pub(super) fn look_at_all(&mut self) {
        (self.uploads, self.lent, self.mss) = (0, 0, MSS);
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.port == 0 {
                slot.credit.end();
                continue;
            }
            self.dirty |= bit(index) & !self.heard;
            if slot.uploads {
                self.uploads += 1;
                self.lent += slot.credit.recount(self.now);
                self.mss = self.mss.min(slot.mss);
            }
        }
        self.heard = 0;
    }

    /// A session's data port.
    pub(super) fn port<'p>(
        &'p mut self,
        index: usize,
        interface: &'p mut Interface,
    ) -> Option<DataPort<'p, 'a>> {
        (index < self.slots.len()).then_some(DataPort { pool: self, index, interface })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_shrink_to_what_memory_there_is() {
        const WANTED: (usize, usize) = (16_384, 8_192);
        assert_eq!(fitting(WANTED, 65_536), (32_768, 16_384));
        assert_eq!(fitting((32_768, 16_384), 1 << 20), (64_512, 32_768));
        assert_eq!(fitting((4_096, 8_192), 1 << 20), (8_192, 8_192));
        assert_eq!(fitting(WANTED, 65_535), WANTED);
        assert_eq!(fitting(WANTED, 24_576), WANTED);
        assert_eq!(fitting(WANTED, 24_575), (16_384, 7_168));
        assert_eq!(fitting(WANTED, 14_000), (9_216, 4_096));
        assert_eq!(fitting(WANTED, 0), (4_096, 4_096));
        assert_eq!(fitting((2_048, 1_024), 0), (2_048, 1_024));
        for room in (8_192..25_000).step_by(100) {
            let (receive, send) = fitting(WANTED, room);
            assert!(receive + send <= room, "{receive} + {send} in {room}");
        }
    }
}
