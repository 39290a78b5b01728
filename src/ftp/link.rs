//! A client's two connections as the protocol engine sees them. `server` puts sockets behind them,
//! tests put scripts.

use core::net::{Ipv4Addr, SocketAddrV4};

/// The control connection (RFC 959 section 2.3). It exists as long as its session.
pub trait ControlLink {
    /// The client's address and port.
    fn peer(&self) -> SocketAddrV4;

    /// Our own address and port on this connection.
    fn local(&self) -> SocketAddrV4;

    /// Shows the bytes received to `take`, which returns how many it consumed. Called with an empty
    /// slice never.
    fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> usize);

    /// Bytes that [`ControlLink::send`] would take now.
    fn room(&self) -> usize;

    /// Queues as much of `data` as there is room for and returns how much that was.
    fn send(&mut self, data: &[u8]) -> usize;

    /// The client may be gone without a word: gives it 10 seconds to acknowledge something of what is
    /// queued, or be dead.
    fn doubt(&mut self);

    /// Whether everything queued was acknowledged by the client.
    fn is_drained(&self) -> bool;

    /// Whether the client can still send: `false` after its FIN or a reset, once all was received.
    fn may_receive(&self) -> bool;

    /// Whether the connection was reset, or timed out in TCP: the client is gone.
    fn is_dead(&self) -> bool;

    /// Sends what is queued, then FIN.
    fn close(&mut self);

    /// Sends RST.
    fn abort(&mut self);
}

/// Where a data connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataState {
    /// No connection and no port taken; [`DataLink::listen`] and [`DataLink::connect`] are possible.
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
pub enum LinkError {
    /// The last connection is not over yet ([`DataState::Closing`]); try again in a later turn.
    Again,
    /// The port or address cannot be used.
    Unusable,
}

/// A session's data connection (RFC 959 section 3.2); one at a time, many in a row.
pub trait DataLink {
    /// Listens on `port` for one connection from `owner`; everybody else's SYN is ignored.
    ///
    /// # Errors
    /// [`LinkError`].
    fn listen(&mut self, port: u16, owner: Ipv4Addr) -> Result<(), LinkError>;

    /// Connects to `to`, from our port `from` (20 by RFC 959) or, where `from` is 0, from any.
    ///
    /// # Errors
    /// [`LinkError`].
    fn connect(&mut self, to: SocketAddrV4, from: u16) -> Result<(), LinkError>;

    /// Where the connection is.
    fn state(&self) -> DataState;

    /// Offers `fill` the free space of the send buffer, as one piece (which may be less than all free
    /// space); it returns how many bytes it put there. Not called when there is no space.
    fn send(&mut self, fill: &mut dyn FnMut(&mut [u8]) -> usize);

    /// Bytes of free space in the send buffer.
    fn room(&self) -> usize;

    /// Size of the send buffer in bytes.
    fn send_capacity(&self) -> usize;

    /// Bytes sent or queued that the client has not acknowledged.
    fn unacknowledged(&self) -> usize;

    /// Shows received bytes, as one piece (which may be less than all), to `take`, which returns how
    /// many it consumed. Not called when there are none.
    fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> usize);

    /// Bytes received and not taken yet.
    fn waiting(&self) -> usize;

    /// Bytes that are worth taking at once, as long as more come.
    fn worth_taking(&self) -> usize;

    /// Sends what is queued, then FIN.
    fn close(&mut self);

    /// Drops the connection or the listening port at once (RST); the state is [`DataState::Idle`] or
    /// soon will be.
    fn abort(&mut self);
}
