//! One data socket: where its connection is in its life, and what its last packets and the clock make of it.

use core::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::Duration;

use super::credit::Credit;
use crate::net::control::{forget, v4};
use crate::net::packet::Segment;
use crate::time::Millis;

/// Milliseconds that a client has to send its FIN after it acknowledged ours. Then the connection is
/// forgotten without an RST, which could cost a slow client the data that it has not read yet.
const LINGER: u64 = 1_500;
/// Milliseconds that a client has to answer our SYN-ACK on a passive port.
const HALF_OPEN: u64 = 4_500;
/// Seconds of silence after which the peer is asked whether it is there, and after which it is not.
pub(super) const KEEP_ALIVE: u64 = 5;
pub(super) const TIMEOUT: u64 = 20;
/// Instead of KEEP_ALIVE when we have closed: smoltcp 0.14 stops the retransmission of a FIN at the third
/// duplicate ACK, and sends it when the peer is to be asked. Longer than LINGER, so that others are not.
pub(super) const FIN_AGAIN: u64 = 2;
/// The same for a peer that closed its window: smoltcp asks it less and less often, at last every 60 s.
const TIMEOUT_STALLED: u64 = 130;
/// Repetitions of an acknowledgement that mean a loss (RFC 5681 section 3.2), and how soon the lost segment
/// is sent again then.
const REPETITIONS: u8 = 3;
const SEND_AGAIN: Duration = Duration::from_millis(10);
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
pub(super) enum Ours {
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
    pub(super) set: SocketSet<'a>,
    pub(super) handle: SocketHandle,
    pub(super) ours: Ours,
    /// Who may connect.
    pub(super) owner: Ipv4Addr,
    /// Our port, while one is taken.
    pub(super) port: u16,
    /// When the peer is forgotten: one that did not answer our SYN-ACK, or acknowledged our FIN and does
    /// not send its own, or to which no RST can be sent.
    pub(super) linger: Option<Millis>,
    /// The peer has sent data on this connection.
    pub(super) uploads: bool,
    /// His largest segments, bytes of data.
    pub(super) mss: usize,
    /// What he may still send.
    pub(super) credit: Credit,
    /// What the peer acknowledged last, number and window; and how often he has repeated it.
    pub(super) acknowledged: (u32, u16),
    pub(super) repeated: u8,
    /// Sequence number behind the data that was sent last.
    pub(super) end: u32,
}

impl<'a> Slot<'a> {
    pub(super) fn socket(&self) -> &Socket<'a> {
        self.set.get(self.handle)
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket<'a> {
        self.set.get_mut(self.handle)
    }

    pub(super) fn peer(&self) -> Option<SocketAddrV4> {
        self.socket().remote_endpoint().map(v4)
    }

    pub(super) fn state(&self) -> DataState {
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

    /// Gives the peer of `segment` time again.
    pub(super) fn renew(&mut self, segment: &Segment) {
        let stalled = segment.window == 0 && !segment.resets();
        let timeout = if stalled { TIMEOUT_STALLED } else { TIMEOUT };
        self.socket_mut().set_timeout(Some(Duration::from_secs(timeout)));
    }

    /// Follows how often an acknowledgement comes. At the third of a kind smoltcp 0.14 forgets its timer and
    /// means to send the oldest segment again, but when all that it may send is on its way it does so only as
    /// a keep-alive: that is due at once then.
    pub(super) fn count_repetition(&mut self, segment: &Segment) {
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
    pub(super) fn holds(&self, port: u16) -> bool {
        self.port == port && self.ready().is_err()
    }

    /// Whether nothing hinders a new connection.
    pub(super) fn ready(&self) -> Result<(), PortError> {
        match self.state() {
            DataState::Idle | DataState::Dead => Ok(()),
            _ => Err(PortError::Again),
        }
    }

    /// Whether data comes in, and nothing but acknowledgements goes out.
    pub(super) fn only_takes(&self) -> bool {
        let socket = self.socket();
        self.uploads && socket.state() == State::Established && socket.send_queue() == 0
    }

    /// Whether all that is queued has been sent.
    pub(super) fn is_sent(&self) -> bool {
        self.acknowledged.0.wrapping_add(self.socket().send_queue() as u32) == self.end
    }

    /// Follows what the last packets and the clock did.
    pub(super) fn settle(&mut self, now: Millis) {
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
    pub(super) fn listen_again(&mut self) {
        forget(&mut self.set, &mut self.handle);
        let port = self.port;
        // Refused for port 0 alone.
        let _ = self.socket_mut().listen(port);
        self.linger = None;
    }
}
