//! What all sessions share: settings, users, counters, passive ports, who is on line, and where events
//! go. `server` owns it and lends it to one session at a time.
//!
//! May call `config` and `vfs`.

use core::net::{Ipv4Addr, SocketAddrV4};

use heapless::Vec;

use super::command;
use super::long_names::Gone;
use crate::config::{Settings, Users};
use crate::time::{DateTime, Millis};
use crate::vfs::UserPath;

/// Sessions at once, at most (FTPSRV_CLIENTS).
pub const MAX_SESSIONS: usize = 10;

/// A user's name as it stands in the password file: printable, up to 10 bytes.
pub type UserName = Vec<u8, 10>;

/// What a session is lent for one step.
pub struct Shared<'a> {
    /// MTCP.CFG.
    pub settings: &'a Settings,
    /// The password file.
    pub users: &'a Users<'a>,
    /// The MOTD file's content; empty: there is none.
    pub motd: &'a [u8],
    /// What the start found, lines for SITE STATS.
    pub found: &'a [u8],
    /// Counters for SITE STATS and the console.
    pub statistics: &'a mut Statistics,
    /// Passive ports.
    pub ports: &'a mut PassivePorts,
    /// Who is on line, by slot.
    pub who: &'a mut WhoList,
    /// Files and directories that long names no longer lead to.
    pub gone: &'a mut Gone,
    /// What there is to know of the network.
    pub network: &'a dyn Network,
    /// Where events go.
    pub journal: &'a mut dyn Journal,
}

/// What the protocol asks of the network besides connections.
pub trait Network {
    /// Whether `address` is on our own network: PASV gives such a client our own address.
    fn is_local(&self, address: Ipv4Addr) -> bool;

    /// The figures for SITE STATS.
    fn figures(&self) -> NetworkFigures;
}

/// Network figures for SITE STATS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetworkFigures {
    /// Our address; `None` while there is none.
    pub address: Option<Ipv4Addr>,
    /// TCP sockets with a connection or listening.
    pub sockets_used: u16,
    /// All TCP sockets.
    pub sockets: u16,
    /// Packets received, since the start.
    pub packets_in: u32,
    /// Packets sent.
    pub packets_out: u32,
    /// Packets that the card received with errors.
    pub errors_in: u32,
    /// Packets that could not be sent.
    pub errors_out: u32,
    /// Packets lost for want of room.
    pub lost: u32,
}

/// Where events go: log file and screen.
pub trait Journal {
    /// Something happened in a session.
    fn note(&mut self, source: &Source<'_>, event: &Event<'_>);
}

/// Whose event it is.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The session's slot, from 0.
    pub slot: usize,
    /// The client's address.
    pub peer: SocketAddrV4,
    /// Who is logged in, as the password file names him; empty before that.
    pub user: &'a [u8],
}

/// Which way a file went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the client.
    Sent,
    /// From the client.
    Received,
}

/// What happened. Texts that a client gave may hold any byte: show them through
/// [`crate::text::Printable`]; paths are 8.3 names.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A client connected.
    Connected,
    /// A user logged in; `email` is what an anonymous user gave as password, empty for others.
    LoggedIn {
        /// Any bytes, up to a command line's length.
        email: &'a [u8],
    },
    /// A login failed.
    LoginFailed {
        /// The name given: any bytes, up to a command line's length.
        name: &'a [u8],
    },
    /// A file transfer ended.
    Transferred {
        /// Which way.
        direction: Direction,
        /// The file, as the user sees it.
        path: &'a UserPath,
        /// Bytes on the wire.
        bytes: u32,
        /// From the data connection's start to its end.
        ms: u64,
        /// `false`: broken off.
        complete: bool,
    },
    /// A file or directory was changed otherwise: the command's verb ("DELE", "RNTO") and its object.
    Changed {
        /// The command.
        verb: &'static str,
        /// What it changed.
        path: &'a UserPath,
    },
    /// The session's time ran out; [`Event::Disconnected`] follows.
    TimedOut,
    /// The session is over.
    Disconnected,
}

/// Counters since the start; they wrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// When the server started.
    pub started: DateTime,
    /// Sessions so far.
    pub sessions: u32,
    /// Sessions now.
    pub active: u16,
    /// Connections turned away with 421 because all sessions were taken.
    pub refused: u32,
    /// Logins that succeeded.
    pub logins: u32,
    /// Logins that failed.
    pub failed_logins: u32,
    /// Sessions that ended for inactivity.
    pub timeouts: u32,
    /// Files sent completely.
    pub files_sent: u32,
    /// Files received completely.
    pub files_received: u32,
    /// Transfers broken off.
    pub broken_off: u32,
    /// Bytes of files sent.
    pub bytes_sent: u64,
    /// Bytes of files received.
    pub bytes_received: u64,
    /// How often each command was given, in the order of [`command::TABLE`].
    pub commands: [u32; command::TABLE.len()],
}

impl Statistics {
    /// All zero.
    pub const fn new(started: DateTime) -> Statistics {
        Statistics {
            started,
            sessions: 0,
            active: 0,
            refused: 0,
            logins: 0,
            failed_logins: 0,
            timeouts: 0,
            files_sent: 0,
            files_received: 0,
            broken_off: 0,
            bytes_sent: 0,
            bytes_received: 0,
            commands: [0; command::TABLE.len()],
        }
    }
}

/// Passive ports, given out in turn, never one that a session still has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassivePorts {
    base: u16,
    count: u16,
    next: u16,
    /// The port that each slot has; 0: none.
    taken: [u16; MAX_SESSIONS],
}

impl PassivePorts {
    /// `count` ports from `base` on; more ports than sessions, so that one is always free. `start`
    /// chooses the first to be given out: a server that was restarted should not begin with ports that
    /// its clients still remember.
    pub const fn new(base: u16, count: u16, start: u16) -> PassivePorts {
        let count = if count == 0 { 1 } else { count };
        PassivePorts { base, count, next: start % count, taken: [0; MAX_SESSIONS] }
    }

    /// The next free port, for the session in `slot`, in place of the one that it had. `None` when all
    /// are taken.
    pub fn take(&mut self, slot: usize) -> Option<u16> {
        self.release(slot);
        for _ in 0..self.count {
            let port = self.base.wrapping_add(self.next);
            self.next = (self.next + 1) % self.count;
            if !self.taken.contains(&port) {
                *self.taken.get_mut(slot)? = port;
                return Some(port);
            }
        }
        None
    }

    /// Gives the slot's port back.
    pub fn release(&mut self, slot: usize) {
        if let Some(taken) = self.taken.get_mut(slot) {
            *taken = 0;
        }
    }
}

/// Who is on line, by slot.
pub type WhoList = [Option<Who>; MAX_SESSIONS];

/// One line of SITE WHO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The user; empty: not logged in.
    pub user: UserName,
    /// The client.
    pub peer: SocketAddrV4,
    /// When it connected.
    pub since: Millis,
    /// What it does.
    pub activity: Activity,
}

/// What a session does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Waits for a command.
    Idle,
    /// Sends a file.
    Sending,
    /// Receives a file.
    Receiving,
    /// Sends a listing.
    Listing,
    /// Reads a file for a checksum or a size.
    Reading,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_go_round_and_skip_those_in_use() {
        let mut ports = PassivePorts::new(3000, 4, 6);
        assert_eq!(ports.take(0), Some(3002));
        assert_eq!(ports.take(1), Some(3003));
        assert_eq!(ports.take(2), Some(3000));
        assert_eq!(ports.take(1), Some(3001), "the slot's old port goes last");
        assert_eq!(ports.take(3), Some(3003));
        assert_eq!(ports.take(4), None);
        ports.release(0);
        assert_eq!(ports.take(4), Some(3002));
        assert_eq!(ports.take(MAX_SESSIONS), None);
    }
}
