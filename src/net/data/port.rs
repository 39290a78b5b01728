//! What a session does with its data socket: listen, connect, send, receive, close.

use core::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::iface::Interface;
use smoltcp::socket::tcp::Socket;
use smoltcp::time::Duration;
use smoltcp::wire::{IpCidr, IpEndpoint};

use super::slot::{FIN_AGAIN, KEEP_ALIVE, Ours, Slot, TIMEOUT};
use super::{DataPool, DataState, EPHEMERAL, PortError, bit};
use crate::net::control::{room, take_from};

/// Bytes of an upload that are worth taking from a small buffer; up to four times as many from a large one.
const PIECE: usize = 8192;
/// Where fewer bytes of a receive buffer were free the peer may be waiting for room.
const LITTLE: usize = 16_384;

/// A session's data connection; one at a time, many in a row.
pub struct DataPort<'p, 'a> {
    pub(super) pool: &'p mut DataPool<'a>,
    pub(super) index: usize,
    pub(super) interface: &'p mut Interface,
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
        self.pool.touched = true;
    }

    fn others(&self) -> impl Iterator<Item = &Slot<'a>> {
        let index = self.index;
        let others = self.pool.slots.iter().enumerate();
        others.filter(move |(other, _)| *other != index).map(|(_, slot)| slot)
    }

    fn start(&mut self, ours: Ours, port: u16, owner: Ipv4Addr) {
        self.pool.lent -= self.slot().credit.lent();
        let slot = self.slot_mut();
        slot.credit.end();
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
        // Room has to be announced where there was little.
        let was_full = self.receive_capacity() - self.waiting() < LITTLE;
        if self.state() != DataState::Dead
            && take_from(self.slot_mut().socket_mut(), take)
            && was_full
        {
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

    /// Bytes that are worth taking at once, as long as more come. The more the better, but that the peer of a small
    /// buffer must not wait for it; beside other uploads there is something else to do meanwhile.
    pub fn worth_taking(&self) -> usize {
        let half = self.receive_capacity() / 2;
        let least = if self.pool.uploads > 1 { half } else { half / 2 };
        least.clamp(PIECE, 4 * PIECE).min(half)
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
