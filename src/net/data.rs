//! The data sockets, one for each client: passive ports that only their owner reaches, active
//! connections, and when a socket is usable again.
//!
//! May call `control` (for the helpers that both kinds of port share) and `packet`. Each socket is a
//! smoltcp socket set of its own, so that egress can go round: with one set smoltcp would give every
//! free moment of a slow card to the first socket that has something to send.

use core::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Duration;
use smoltcp::wire::{IpCidr, IpEndpoint};

use super::control::{forget, room, take_from, v4};
use super::packet::Segment;
use crate::memory::{Memory, OutOfMemory};
use crate::time::Millis;

/// Milliseconds that a client has to send its FIN after it acknowledged ours. Then the connection is
/// forgotten without an RST, which could cost a slow client the data that it has not read yet.
const LINGER: u64 = 1_500;
/// Milliseconds that a client has to answer our SYN-ACK on a passive port.
const HALF_OPEN: u64 = 4_500;
/// Seconds of silence after which the peer is asked whether it is there, and after which it is not.
const KEEP_ALIVE: u64 = 5;
const TIMEOUT: u64 = 20;
/// Instead of KEEP_ALIVE when we have closed: smoltcp 0.14 stops the retransmission of a FIN at the third
/// duplicate ACK, and sends it when the peer is to be asked. Longer than LINGER, so that others are not.
const FIN_AGAIN: u64 = 2;
/// The same for a peer that closed its window: smoltcp asks it less and less often, at last every 60 s.
const TIMEOUT_STALLED: u64 = 130;
/// Repetitions of an acknowledgement that mean a loss (RFC 5681 section 3.2), and how soon the lost segment
/// is sent again then.
const REPETITIONS: u8 = 3;
const SEND_AGAIN: Duration = Duration::from_millis(10);
/// Least size of a buffer, bytes.
const LEAST: usize = 4096;
/// What is left of memory for what comes after the buffers, beside a send buffer's size for frames.
const KEPT: usize = 8192;
/// First of the ports (RFC 6335 section 6) for connections from any port.
const EPHEMERAL: u16 = 49_152;

/// Where a data connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataState {
    /// No connection and no port taken; [`DataPort::listen`] and [`DataPort::connect`] are possible.
    Idle,
    /// The last connection was closed by us and is not over yet: the client has not sent its FIN.
    Closing,
    /// Waits for the client (passive).
    Listening,
    /// SYN sent, not answered yet (active).
    Connecting,
    /// Established, both ways.
    Open,
    /// The client sent FIN. What it sent before may still wait to be received; sending is possible.
    PeerClosed,
    /// Reset by the client, refused, or timed out in TCP. What was received and not taken is lost.
    Dead,
}

/// Why a data connection could not be prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortError {
    /// The last connection is not over yet; try again in a later turn.
    Again,
    /// The port or address cannot be used.
    Unusable,
}

/// Who made the connection what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ours {
    /// Nothing was asked for, or all of it is over.
    Nothing,
    /// [`DataPort::listen`].
    Listen,
    /// [`DataPort::connect`].
    Connect,
    /// [`DataPort::close`].
    Close,
    /// [`DataPort::abort`].
    Abort,
}

pub(super) struct Slot<'a> {
    set: SocketSet<'a>,
    handle: SocketHandle,
    ours: Ours,
    /// Who may connect.
    owner: Ipv4Addr,
    /// Our port, while one is taken.
    port: u16,
    /// When the peer is forgotten: one that did not answer our SYN-ACK, or acknowledged our FIN and does
    /// not send its own, or to which no RST can be sent.
    linger: Option<Millis>,
    /// The peer has sent data on this connection.
    uploads: bool,
    /// What the peer acknowledged last, number and window; and how often he has repeated it.
    acknowledged: (u32, u16),
    repeated: u8,
    /// Sequence number behind the data that was sent last.
    end: u32,
}

impl<'a> Slot<'a> {
    fn socket(&self) -> &Socket<'a> {
        self.set.get(self.handle)
    }

    fn socket_mut(&mut self) -> &mut Socket<'a> {
        self.set.get_mut(self.handle)
    }

    fn peer(&self) -> Option<SocketAddrV4> {
        self.socket().remote_endpoint().map(v4)
    }

    fn state(&self) -> DataState {
        let socket = self.socket();
        match socket.state() {
            State::SynReceived if self.ours == Ours::Listen => DataState::Listening,
            State::Listen => DataState::Listening,
            State::SynSent | State::SynReceived => DataState::Connecting,
            State::Established => DataState::Open,
            State::CloseWait => DataState::PeerClosed,
            State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck => {
                DataState::Closing
            }
            State::TimeWait => DataState::Idle,
            State::Closed => match self.ours {
                Ours::Nothing => DataState::Idle,
                // The RST is still to be sent.
                Ours::Abort if socket.remote_endpoint().is_some() => DataState::Closing,
                Ours::Abort => DataState::Idle,
                Ours::Close if socket.send_queue() == 0 => DataState::Idle,
                _ => DataState::Dead,
            },
        }
    }

    /// Follows how often an acknowledgement comes. At the third of a kind smoltcp 0.14 forgets its timer and
    /// means to send the oldest segment again, but when all that it may send is on its way it does so only as
    /// a keep-alive: that is due at once then.
    fn count_repetition(&mut self, segment: &Segment) {
        let said = (segment.acknowledges, segment.window);
        if segment.only_acknowledges() && self.acknowledged == said {
            self.repeated = self.repeated.saturating_add(1);
            if self.repeated >= REPETITIONS && self.socket().send_queue() > 0 {
                self.socket_mut().set_keep_alive(Some(SEND_AGAIN));
            }
            return;
        }
        self.acknowledged = said;
        if core::mem::take(&mut self.repeated) >= REPETITIONS {
            let usual = if self.ours == Ours::Close { FIN_AGAIN } else { KEEP_ALIVE };
            self.socket_mut().set_keep_alive(Some(Duration::from_secs(usual)));
        }
    }

    /// Whether `port` is in use by a connection that is not over.
    fn holds(&self, port: u16) -> bool {
        self.port == port && self.ready().is_err()
    }

    /// Whether nothing hinders a new connection.
    fn ready(&self) -> Result<(), PortError> {
        match self.state() {
            DataState::Idle | DataState::Dead => Ok(()),
            _ => Err(PortError::Again),
        }
    }

    /// Whether all that is queued has been sent.
    fn is_sent(&self) -> bool {
        self.acknowledged.0.wrapping_add(self.socket().send_queue() as u32) == self.end
    }

    /// Follows what the last packets and the clock did.
    fn settle(&mut self, now: Millis) {
        let socket = self.socket();
        if socket.state() == State::Established && self.linger.is_none() {
            return;
        }
        let unsent_reset = self.ours == Ours::Abort && socket.remote_endpoint().is_some();
        let patience = match socket.state() {
            State::SynReceived if self.ours == Ours::Listen => Some(HALF_OPEN),
            State::FinWait2 | State::Closing if socket.send_queue() == 0 => Some(LINGER),
            _ if unsent_reset => Some(LINGER),
            _ => None,
        };
        match (patience, self.linger) {
            (Some(patience), None) => self.linger = Some(now.plus(patience)),
            (Some(HALF_OPEN), Some(until)) if now >= until => self.listen_again(),
            (Some(_), Some(until)) if now >= until => {
                forget(&mut self.set, &mut self.handle);
                self.ours = Ours::Nothing;
            }
            (None, _) => self.linger = None,
            _ => {}
        }
        let socket = self.socket();
        if !socket.is_open() && socket.remote_endpoint().is_none() {
            self.port = 0;
        }
    }

    /// Forgets who answered no SYN-ACK, and waits for the next.
    fn listen_again(&mut self) {
        forget(&mut self.set, &mut self.handle);
        let port = self.port;
        // Refused for port 0 alone.
        let _ = self.socket_mut().listen(port);
        self.linger = None;
    }
}

/// Sizes of a client's buffers for receiving and sending: those `wanted`, or less where its share of the
/// memory, `room` bytes, is less; 4 KB at least, as the settings.
fn fitting((receive, send): (usize, usize), room: usize) -> (usize, usize) {
    if receive + send <= room {
        return (receive, send);
    }
    let send = ((room / 3) & !1023).clamp(LEAST.min(send), send);
    let receive = (room.saturating_sub(send) & !1023).clamp(LEAST.min(receive), receive);
    (receive, send)
}

/// A slot's bit among the news.
fn bit(index: usize) -> u16 {
    1 << index.min(15)
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
    /// Slots that something happened to since the last [`DataPool::take_news`], a bit for each.
    news: u16,
    /// Connections on which data comes in.
    uploads: usize,
}

impl<'a> DataPool<'a> {
    /// `count` sockets with buffers of `wanted` bytes to receive and to send, or of what memory there is.
    pub(super) fn new<M: Memory<'a>>(
        control: u16,
        count: usize,
        wanted: (usize, usize),
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
            acknowledged: (0, 0),
            repeated: 0,
            end: 0,
        })?;
        let free = memory.free().saturating_sub(KEPT + wanted.1);
        let (receive, send) = fitting(wanted, free / count.max(1));
        for slot in slots.iter_mut() {
            let receive = SocketBuffer::new(memory.bytes("data receive buffers", receive)?);
            let send = SocketBuffer::new(memory.bytes("data send buffers", send)?);
            let mut socket = Socket::new(receive, send);
            // What is sent comes in pieces of half the buffer, of which the last part must not wait.
            socket.set_nagle_enabled(false);
            // An upload's speed is its window over this delay.
            socket.set_ack_delay(None);
            slot.handle = slot.set.add(socket);
        }
        let ephemeral = EPHEMERAL + (seed >> 40) as u16 % (u16::MAX - EPHEMERAL);
        Ok(DataPool {
            slots,
            control,
            first: 0,
            ephemeral,
            now: Millis(0),
            dirty: 0,
            news: 0,
            uploads: 0,
        })
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
                self.follow(index, segment);
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

    /// Notes what `segment` says, which is of a slot's connection.
    pub(super) fn follow(&mut self, index: usize, segment: &Segment) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        self.news |= bit(index);
        // An acknowledgement asks for nothing when all has been sent, and it has not come before.
        let sent = segment.only_acknowledges() && slot.is_sent();
        if segment.payload > 0 && !slot.uploads {
            slot.uploads = true;
            self.uploads += 1;
        }
        let stalled = segment.window == 0 && !segment.resets();
        let timeout = if stalled { TIMEOUT_STALLED } else { TIMEOUT };
        slot.socket_mut().set_timeout(Some(Duration::from_secs(timeout)));
        slot.count_repetition(segment);
        if !sent || slot.repeated > 0 || slot.socket().state() != State::Established {
            self.dirty |= bit(index);
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

    /// Size of a send buffer, bytes.
    pub(super) fn send_capacity(&self) -> usize {
        self.slots.first().map_or(0, |slot| slot.socket().send_capacity())
    }

    /// How many connections data comes in on.
    pub(super) fn uploads(&self) -> usize {
        self.uploads
    }

    /// Whether a data socket has `port`.
    pub(super) fn has_port(&self, port: u16) -> bool {
        self.slots.iter().any(|slot| slot.holds(port))
    }

    /// Sends what there is, one packet of each socket in turn, at most `burst` packets. `send` sends one
    /// packet from a set and says at which sequence number its data ends, or that there was none; it says
    /// nothing when the card takes no more. With `all` also sockets are asked that nothing happened to:
    /// their timers may be due.
    pub(super) fn egress(
        &mut self,
        now: Millis,
        all: bool,
        burst: usize,
        send: &mut dyn FnMut(&mut SocketSet<'a>) -> Option<Option<u32>>,
    ) {
        self.now = now;
        if all {
            self.look_at_all();
        }
        let (mut left, mut unsettled) = (burst, self.dirty);
        while let Some(index) = next(self.dirty, self.first) {
            let Some(slot) = self.slots.get_mut(index) else { return };
            if unsettled & bit(index) != 0 {
                unsettled &= !bit(index);
                slot.settle(now);
            }
            self.first = index;
            if left == 0 {
                return;
            }
            let Some(sent) = send(&mut slot.set) else { return };
            self.first = index + 1;
            if let Some(end) = sent {
                left -= 1;
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

    /// Makes every socket that is in use have its timers looked at.
    fn look_at_all(&mut self) {
        self.uploads = 0;
        for (index, slot) in self.slots.iter().enumerate() {
            if slot.port != 0 {
                self.dirty |= bit(index);
                self.uploads += usize::from(slot.uploads);
            }
        }
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

/// A session's data connection; one at a time, many in a row.
pub struct DataPort<'p, 'a> {
    pool: &'p mut DataPool<'a>,
    index: usize,
    interface: &'p mut Interface,
}

impl<'a> DataPort<'_, 'a> {
    // `DataPool::port` checked the index, and the pool never shrinks.
    fn slot(&self) -> &Slot<'a> {
        &self.pool.slots[self.index]
    }

    fn slot_mut(&mut self) -> &mut Slot<'a> {
        &mut self.pool.slots[self.index]
    }

    /// Has the socket looked at when packets are sent next.
    fn touch(&mut self) {
        self.pool.dirty |= bit(self.index);
    }

    fn others(&self) -> impl Iterator<Item = &Slot<'a>> {
        let index = self.index;
        let others = self.pool.slots.iter().enumerate();
        others.filter(move |(other, _)| *other != index).map(|(_, slot)| slot)
    }

    fn start(&mut self, ours: Ours, port: u16, owner: Ipv4Addr) {
        let slot = self.slot_mut();
        (slot.ours, slot.port, slot.owner) = (ours, port, owner);
        (slot.linger, slot.uploads) = (None, false);
        let socket = slot.socket_mut();
        socket.set_timeout(Some(Duration::from_secs(TIMEOUT)));
        socket.set_keep_alive(Some(Duration::from_secs(KEEP_ALIVE)));
        self.touch();
    }

    /// Listens on `port` for one connection from `owner`; everybody else's SYN is ignored. A socket that
    /// still waits on another port leaves it.
    ///
    /// # Errors
    /// [`PortError::Again`] while the last connection is not over; [`PortError::Unusable`] for port 0, the
    /// control port, and a port that another client has.
    pub fn listen(&mut self, port: u16, owner: Ipv4Addr) -> Result<(), PortError> {
        if port == 0 || port == self.pool.control || self.others().any(|slot| slot.holds(port)) {
            return Err(PortError::Unusable);
        }
        if self.slot().socket().is_listening() {
            self.slot_mut().socket_mut().close();
            self.slot_mut().ours = Ours::Nothing;
        }
        self.slot().ready()?;
        self.slot_mut().socket_mut().listen(port).map_err(|_| PortError::Unusable)?;
        self.start(Ours::Listen, port, owner);
        Ok(())
    }

    /// Connects to `to`, from our port `from` (20 by RFC 959) or, where `from` is 0, from any.
    ///
    /// # Errors
    /// [`PortError::Again`] while the last connection is not over, or another client's connection has the
    /// same four numbers; [`PortError::Unusable`] when `to` is no other host's address and port, or we
    /// have no address.
    pub fn connect(&mut self, to: SocketAddrV4, from: u16) -> Result<(), PortError> {
        self.slot().ready()?;
        let ip = *to.ip();
        let first = ip.octets()[0];
        if first == 0 || first == 127 || first >= 224 || to.port() == 0 || from == self.pool.control
        {
            return Err(PortError::Unusable);
        }
        let from = if from == 0 { self.ephemeral_port() } else { from };
        if self.others().any(|slot| slot.port == from && slot.peer() == Some(to)) {
            return Err(PortError::Again);
        }
        let Some(IpCidr::Ipv4(own)) = self.interface.ip_addrs().first() else {
            return Err(PortError::Unusable);
        };
        if own.address() == ip || own.broadcast() == Some(ip) {
            return Err(PortError::Unusable);
        }
        let endpoint = IpEndpoint::new(ip.into(), to.port());
        let slot = &mut self.pool.slots[self.index];
        slot.set
            .get_mut::<Socket>(slot.handle)
            .connect(self.interface.context(), endpoint, from)
            .map_err(|_| PortError::Unusable)?;
        self.start(Ours::Connect, from, ip);
        Ok(())
    }

    /// The next port from which nobody connects and on which nobody listens.
    fn ephemeral_port(&mut self) -> u16 {
        loop {
            let pool = &mut *self.pool;
            pool.ephemeral = pool.ephemeral.checked_add(1).unwrap_or(EPHEMERAL);
            let port = pool.ephemeral;
            if port != pool.control && !pool.has_port(port) {
                return port;
            }
        }
    }

    /// Where the connection is.
    pub fn state(&self) -> DataState {
        self.slot().state()
    }

    /// The other end of the connection, once there is one.
    pub fn peer(&self) -> Option<SocketAddrV4> {
        self.slot().peer()
    }

    /// Offers `fill` the free space of the send buffer, as one piece (which may be less than all free
    /// space); it returns how many bytes it put there. Not called when there is no space.
    pub fn send(&mut self, fill: &mut dyn FnMut(&mut [u8]) -> usize) {
        let slot = self.slot_mut();
        let sent = slot.socket_mut().send(|space| {
            let size = if space.is_empty() { 0 } else { fill(space).min(space.len()) };
            (size, size)
        });
        if sent.is_ok_and(|sent| sent > 0) {
            self.touch();
        }
    }

    /// Bytes of free space in the send buffer.
    pub fn room(&self) -> usize {
        room(self.slot().socket())
    }

    /// Size of the send buffer in bytes.
    pub fn send_capacity(&self) -> usize {
        self.slot().socket().send_capacity()
    }

    /// Bytes sent or queued that the client has not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.slot().socket().send_queue()
    }

    /// Shows received bytes, as one piece (which may be less than all), to `take`, which returns how
    /// many it consumed. Not called when there are none.
    pub fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> usize) {
        if self.state() != DataState::Dead && take_from(self.slot_mut().socket_mut(), take) {
            self.touch();
        }
    }

    /// Bytes received and not taken yet.
    pub fn waiting(&self) -> usize {
        if self.state() == DataState::Dead { 0 } else { self.slot().socket().recv_queue() }
    }

    /// Size of the receive buffer in bytes.
    pub fn receive_capacity(&self) -> usize {
        self.slot().socket().recv_capacity()
    }

    /// Sends what is queued, then FIN. A connection that was never established is dropped.
    pub fn close(&mut self) {
        match self.state() {
            DataState::Open | DataState::PeerClosed => {
                self.touch();
                let slot = self.slot_mut();
                slot.ours = Ours::Close;
                slot.socket_mut().set_keep_alive(Some(Duration::from_secs(FIN_AGAIN)));
                slot.socket_mut().close();
            }
            DataState::Closing => {}
            _ => self.abort(),
        }
    }

    /// Drops the connection or the listening port at once (RST); the state is [`DataState::Idle`], or
    /// [`DataState::Closing`] until the RST is sent.
    pub fn abort(&mut self) {
        let now = self.pool.now;
        if self.state() != DataState::Idle {
            self.touch();
            let slot = self.slot_mut();
            (slot.ours, slot.linger) = (Ours::Abort, None);
            slot.socket_mut().abort();
            slot.settle(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_shrink_to_what_memory_there_is() {
        const WANTED: (usize, usize) = (16_384, 8_192);
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
