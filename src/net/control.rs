//! The sockets of the control port: who may have one, when one is usable again, and a session's view.
//!
//! May call `packet`. smoltcp has no backlog: a listening socket becomes the connection. So there are
//! more sockets than clients, and [`ControlPool::route`] decides on each SYN before smoltcp sees it:
//! one that finds no listener is dropped, not reset, and the client's TCP tries again. Each socket is a
//! smoltcp socket set of its own: smoltcp would ask all of a set for every packet. What always holds: a
//! socket is listening, or its slot says what it is busy with and for how long at most.

use core::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::Socket as AnyKind;
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Duration;
use smoltcp::wire::{IpAddress, IpEndpoint};

use super::packet::Segment;
use crate::memory::{Memory, OutOfMemory};
use crate::time::Millis;

/// Milliseconds that a client has to answer our SYN-ACK, which is sent at 0, 1 and 3 seconds.
const HALF_OPEN: u64 = 4_500;
/// Age in milliseconds from which a half-open connection gives way to a new one when no other socket
/// listens; and the same in a flood: longer than a handshake on the same network.
const GIVES_WAY: u64 = 1_000;
const GIVES_WAY_IN_FLOOD: u64 = 5;
/// So many SYNs without a socket within a second are a flood.
const FLOOD: u32 = 16;
/// Milliseconds that a client has to take our last bytes and close, before we forget it.
const LINGER: u64 = 5_000;
/// How much of that a client loses when somebody else finds no other socket.
const CUT_SHORT: u64 = 3_000;
/// Seconds of silence after which a client is asked whether it is there, and after which it is not.
const KEEP_ALIVE: u64 = 10;
const TIMEOUT: u64 = 45;
/// The latter for a client whose data connection has died: it does not get that long again.
const DOUBTED: u64 = 10;

/// An IPv4 endpoint; with `proto-ipv4` alone there is no other kind.
pub(super) fn v4(endpoint: IpEndpoint) -> SocketAddrV4 {
    let IpAddress::Ipv4(address) = endpoint.addr;
    SocketAddrV4::new(address, endpoint.port)
}

/// A slot's bit.
pub(super) fn bit(index: usize) -> u16 {
    1 << index.min(OTHERS)
}

/// Takes the lowest index out of a set of bits.
pub(super) fn take_lowest(bits: &mut u16) -> Option<usize> {
    let lowest = bits.trailing_zeros() as usize;
    *bits &= bits.wrapping_sub(1);
    (lowest < 16).then_some(lowest)
}

/// The index of all that is no slot's: the DHCP client, and segments of no connection.
pub(super) const OTHERS: usize = 15;

/// Drops a connection without a word. The socket's place is `handle` again.
pub(super) fn forget(set: &mut SocketSet<'_>, handle: &mut SocketHandle) {
    let socket = set.get_mut::<Socket>(*handle);
    socket.abort();
    // `listen` on a closed socket clears all that it knew of its peer; port 1 is never heard.
    let _ = socket.listen(1);
    socket.close();
    // A place in the set remembers that a neighbour did not answer ARP and is silent for a second: that
    // is not to hit the next peer, in a flood of forged addresses least of all.
    if let AnyKind::Tcp(socket) = set.remove(*handle) {
        *handle = set.add(socket);
    }
}

/// What a slot is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Waits for a client, or answers a SYN that came a moment ago.
    Listening,
    /// Waits for the client's ACK, since then.
    HalfOpen(Millis),
    /// Established, not taken by the server yet.
    Waiting,
    /// A session's.
    Owned,
    /// The session is over; forgotten then.
    Closing(Millis),
}

struct Slot<'a> {
    set: SocketSet<'a>,
    handle: SocketHandle,
    life: Life,
    /// Who sent the SYN that the socket got last.
    peer: SocketAddrV4,
    local: SocketAddrV4,
}

impl<'a> Slot<'a> {
    fn socket(&self) -> &Socket<'a> {
        self.set.get(self.handle)
    }

    fn socket_mut(&mut self) -> &mut Socket<'a> {
        self.set.get_mut(self.handle)
    }

    /// Follows what the last packets and the clock did.
    fn settle(&mut self, port: u16, now: Millis) {
        let over = match (self.life, self.socket().state()) {
            (Life::HalfOpen(since), State::SynReceived) => now.since(since) >= HALF_OPEN,
            (Life::Closing(until), _) => now >= until,
            _ => false,
        };
        if over {
            forget(&mut self.set, &mut self.handle);
        }
        let life = self.life;
        let socket = self.socket_mut();
        if socket.send_queue() == 0 {
            // Whoever acknowledges everything is there.
            socket.set_timeout(Some(Duration::from_secs(TIMEOUT)));
        }
        let life = match (life, socket.state()) {
            (Life::Owned, _) => Life::Owned,
            (Life::Listening | Life::HalfOpen(_), State::Established | State::CloseWait) => {
                self.local = self.socket().local_endpoint().map_or(NOBODY, v4);
                Life::Waiting
            }
            (Life::Listening, State::SynReceived) => Life::HalfOpen(now),
            // An RST that is still to be sent.
            (Life::Closing(until), State::Closed) if socket.remote_endpoint().is_some() => {
                Life::Closing(until)
            }
            (_, State::Listen | State::Closed | State::TimeWait) => {
                if !socket.is_open() {
                    // Refused for port 0 alone.
                    let _ = socket.listen(port);
                }
                Life::Listening
            }
            (life, _) => life,
        };
        self.life = life;
    }
}

const NOBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

/// What a SYN finds.
#[derive(Default)]
struct Survey {
    /// The socket that has it already: the client's TCP repeats it.
    known: Option<usize>,
    listening: Option<usize>,
    /// Sockets that its address has.
    same_address: usize,
    /// The socket of the same client's last connection, which is over for him.
    again: Option<usize>,
    /// The socket that is the first to give way, and since when it is what it is.
    gives_way: Option<(Millis, usize)>,
}

/// All sockets of the control port, and with them the DHCP client's.
pub(super) struct ControlPool<'a> {
    slots: &'a mut [Slot<'a>],
    /// The DHCP client's. Whatever else is shown to it is nobody's.
    pub(super) others: SocketSet<'a>,
    pub(super) port: u16,
    per_address: usize,
    /// SYNs that found no socket in the second that began then.
    turned_away: (Millis, u32),
    /// A connection may be there that the server has not seen.
    any_waits: bool,
    /// Whose bit is set: something happened that the next turn must look at.
    pub(super) dirty: u16,
}

impl<'a> ControlPool<'a> {
    /// `count` sockets on `port`, which [`ControlPool::furnish`] makes before anything else is done with them.
    pub(super) fn new<M: Memory<'a>>(
        port: u16,
        count: usize,
        per_address: usize,
        memory: &mut M,
    ) -> Result<ControlPool<'a>, OutOfMemory> {
        let storage = memory.slots("control sockets", count + 1, |_| Default::default())?;
        let mut storage = storage.chunks_mut(1);
        let mut place = || SocketSet::new(storage.next().unwrap_or_default());
        let others = place();
        let slots = memory.slots("control sockets", count, |_| Slot {
            set: place(),
            handle: SocketHandle::default(),
            life: Life::Listening,
            peer: NOBODY,
            local: NOBODY,
        })?;
        Ok(ControlPool {
            slots,
            others,
            port,
            per_address,
            turned_away: (Millis(0), 0),
            any_waits: false,
            dirty: 0,
        })
    }

    /// Takes the memory for buffers of `receive` and `send` bytes, and makes the sockets.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub(super) fn furnish<M: Memory<'a>>(
        &mut self,
        (receive, send): (usize, usize),
        memory: &mut M,
    ) -> Result<(), OutOfMemory> {
        for slot in self.slots.iter_mut() {
            let receive = SocketBuffer::new(memory.bytes("control buffers", receive)?);
            let send = SocketBuffer::new(memory.bytes("control buffers", send)?);
            let mut socket = Socket::new(receive, send);
            socket.set_nagle_enabled(false);
            socket.set_keep_alive(Some(Duration::from_secs(KEEP_ALIVE)));
            socket.set_timeout(Some(Duration::from_secs(TIMEOUT)));
            // Refused for port 0 alone.
            let _ = socket.listen(self.port);
            slot.handle = slot.set.add(socket);
        }
        Ok(())
    }

    /// Makes all be looked at.
    pub(super) fn look_at_all(&mut self) {
        self.dirty = (bit(self.slots.len()) - 1) | bit(OTHERS);
    }

    /// The sockets of an index: a slot's, or [`OTHERS`].
    pub(super) fn set(&mut self, index: usize) -> &mut SocketSet<'a> {
        self.slots.get_mut(index).map_or(&mut self.others, |slot| &mut slot.set)
    }

    /// Whose `segment` is, which is for our port; `None`: it is not to be answered. Makes room for a SYN where
    /// it can.
    pub(super) fn route(&mut self, segment: &Segment, now: Millis) -> Option<usize> {
        let from = SocketAddrV4::new(segment.source, segment.source_port);
        let index = if segment.opens() {
            self.admit(from, now)?
        } else {
            let is_his =
                |slot: &Slot<'_>| slot.peer == from && slot.socket().remote_endpoint().is_some();
            self.slots.iter().position(is_his).unwrap_or(OTHERS)
        };
        self.dirty |= bit(index);
        Some(index)
    }

    /// The socket that is to have a SYN; `None`: none may.
    fn admit(&mut self, from: SocketAddrV4, now: Millis) -> Option<usize> {
        let patience = self.patience(now);
        let survey = self.survey(from, now, patience);
        if survey.known.is_some() {
            return survey.known;
        }
        if survey.same_address >= self.per_address {
            return None;
        }
        let freed = survey.again.or(survey.gives_way.map(|(_, index)| index));
        let index = match survey.listening {
            Some(index) if survey.again.is_none() => index,
            _ => {
                let Some(index) = freed else {
                    self.turned_away.1 += 1;
                    return None;
                };
                let slot = self.slots.get_mut(index)?;
                forget(&mut slot.set, &mut slot.handle);
                slot.life = Life::Listening;
                slot.set.get_mut::<Socket>(slot.handle).listen(self.port).ok()?;
                index
            }
        };
        self.slots.get_mut(index)?.peer = from;
        Some(index)
    }

    /// Looks at all sockets for a SYN `from` a client.
    fn survey(&self, from: SocketAddrV4, now: Millis, patience: u64) -> Survey {
        let mut survey = Survey::default();
        for (index, slot) in self.slots.iter().enumerate() {
            let socket = slot.socket();
            if survey.listening.is_none() && socket.is_listening() {
                survey.listening = Some(index);
            }
            let Some(remote) = socket.remote_endpoint().map(v4) else { continue };
            let closed = matches!(slot.life, Life::Closing(_)) && done(socket);
            match (remote == from, closed) {
                (true, false) => survey.known = Some(index),
                (true, true) => survey.again = Some(index),
                (false, _) => {}
            }
            survey.same_address += usize::from(remote.ip() == from.ip() && !closed);
            let since = match slot.life {
                Life::Closing(_) if closed => Some(Millis(0)),
                Life::Closing(until) => (until.since(now) < CUT_SHORT).then_some(until),
                Life::HalfOpen(since) => (now.since(since) >= patience).then_some(since),
                _ => None,
            };
            if let Some(since) = since
                && survey.gives_way.is_none_or(|(oldest, _)| since < oldest)
            {
                survey.gives_way = Some((since, index));
            }
        }
        survey
    }

    /// Milliseconds that a half-open connection is left alone.
    fn patience(&mut self, now: Millis) -> u64 {
        let (since, count) = self.turned_away;
        let flood = count >= FLOOD;
        if now.since(since) >= 1_000 {
            // A flood that goes on is one from the first moment of the next second.
            self.turned_away = (now, if flood && now.since(since) < 2_000 { FLOOD } else { 0 });
        }
        if flood { GIVES_WAY_IN_FLOOD } else { GIVES_WAY }
    }

    /// Follows what the last packets and the clock did to the sockets that are to be looked at.
    pub(super) fn settle(&mut self, now: Millis) {
        let mut left = self.dirty;
        while let Some(index) = take_lowest(&mut left) {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.settle(self.port, now);
                self.any_waits |= slot.life == Life::Waiting;
            }
        }
    }

    /// A connection that the server has not seen yet; its slot is a session's from now on.
    pub(super) fn accept(&mut self) -> Option<usize> {
        if !self.any_waits {
            return None;
        }
        let waiting = self.slots.iter().position(|slot| slot.life == Life::Waiting);
        self.any_waits = waiting.is_some();
        self.slots.get_mut(waiting?)?.life = Life::Owned;
        waiting
    }

    /// Ends a session's hold on its slot.
    pub(super) fn release(&mut self, index: usize, now: Millis) {
        if let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.life == Life::Owned) {
            slot.socket_mut().close();
            slot.life = Life::Closing(now.plus(LINGER));
            self.dirty |= bit(index);
        }
    }

    /// The connection in a slot that [`ControlPool::accept`] gave out.
    pub(super) fn port(&mut self, index: usize) -> Option<ControlPort<'_, 'a>> {
        let is_owned = self.slots.get(index).is_some_and(|slot| slot.life == Life::Owned);
        is_owned.then_some(ControlPort { pool: self, index })
    }
}

/// Whether the peer has all that we sent, and our FIN.
fn done(socket: &Socket<'_>) -> bool {
    matches!(socket.state(), State::FinWait2 | State::Closing | State::TimeWait | State::Closed)
}

/// A session's control connection.
pub struct ControlPort<'p, 'a> {
    pool: &'p mut ControlPool<'a>,
    index: usize,
}

impl<'a> ControlPort<'_, 'a> {
    // `ControlPool::port` checked the index, and the pool never shrinks.
    fn slot(&self) -> &Slot<'a> {
        &self.pool.slots[self.index]
    }

    fn socket(&self) -> &Socket<'a> {
        self.slot().socket()
    }

    /// The socket, which is looked at when packets are sent next.
    fn touch(&mut self) -> &mut Socket<'a> {
        self.pool.dirty |= bit(self.index);
        self.pool.slots[self.index].socket_mut()
    }

    /// The client's address and port.
    pub fn peer(&self) -> SocketAddrV4 {
        self.slot().peer
    }

    /// Our own address and port on this connection.
    pub fn local(&self) -> SocketAddrV4 {
        self.slot().local
    }

    /// Shows the bytes received, as one piece (which may be less than all), to `take`, which returns how
    /// many it consumed. Not called when there are none.
    pub fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> usize) {
        if take_from(self.pool.slots[self.index].socket_mut(), take) {
            self.touch();
        }
    }

    /// Bytes that [`ControlPort::send`] would take now.
    pub fn room(&self) -> usize {
        room(self.socket())
    }

    /// Queues as much of `data` as there is room for and returns how much that was.
    pub fn send(&mut self, data: &[u8]) -> usize {
        self.touch().send_slice(data).unwrap_or(0)
    }

    /// Gives the client 10 seconds to acknowledge something of what is queued, or be dead: it may be.
    pub fn doubt(&mut self) {
        self.touch().set_timeout(Some(Duration::from_secs(DOUBTED)));
    }

    /// Whether everything queued was acknowledged by the client.
    pub fn is_drained(&self) -> bool {
        self.socket().send_queue() == 0
    }

    /// Whether the client can still send: `false` after its FIN or a reset, once all was received.
    pub fn may_receive(&self) -> bool {
        self.socket().may_recv()
    }

    /// Whether the connection is over: reset, timed out, or closed from both sides.
    pub fn is_dead(&self) -> bool {
        !self.socket().is_active()
    }

    /// Sends what is queued, then FIN.
    pub fn close(&mut self) {
        self.touch().close();
    }

    /// Sends RST.
    pub fn abort(&mut self) {
        self.touch().abort();
    }
}

/// Free bytes of the send buffer, where sending is possible at all.
pub(super) fn room(socket: &Socket<'_>) -> usize {
    if socket.may_send() { socket.send_capacity() - socket.send_queue() } else { 0 }
}

/// Shows received bytes to `take`; whether it consumed some.
pub(super) fn take_from(socket: &mut Socket<'_>, take: &mut dyn FnMut(&[u8]) -> usize) -> bool {
    let taken = socket.recv(|bytes| {
        let taken = if bytes.is_empty() { 0 } else { take(bytes).min(bytes.len()) };
        (taken, taken)
    });
    taken.is_ok_and(|taken| taken > 0)
}
