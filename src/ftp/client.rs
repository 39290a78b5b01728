//! What a session knows of its client between commands, and what a step is lent: the two arguments of
//! every handler.
//!
//! May call `vfs` and `config`. Nothing here reads or writes; handlers and transfers do.

use core::net::{Ipv4Addr, SocketAddrV4};

use heapless::Vec;

use super::link::{ControlLink, DataLink, DataState};
use super::listing::Facts;
use super::long_names::LongNames;
use super::reply::{Line, MAX_REPLY, Refusal};
use super::scan::Algorithm;
use super::shared::{Activity, Event, Shared, Source, UserName, Who};
use super::transfer::{Job, Transfer};
use crate::config::{Rights, Users};
use crate::time::{DateTime, Millis};
use crate::vfs::provider::Attributes;
use crate::vfs::{Permission, Provider, ResolvedPath, UserPath};

/// What a session is lent for one step.
pub struct Context<'a, 'b> {
    /// The control connection.
    pub control: &'a mut dyn ControlLink,
    /// The data connection.
    pub data: &'a mut dyn DataLink,
    /// The files of all drives.
    pub files: &'a mut dyn Provider,
    /// What all sessions share.
    pub shared: &'a mut Shared<'b>,
    /// Milliseconds since the start.
    pub now: Millis,
    /// Local time.
    pub time: DateTime,
}

impl Context<'_, '_> {
    /// Sends a reply of one line.
    #[inline(never)]
    pub fn reply(&mut self, code: u16, text: &str) {
        Line::new().reply(code).text(text).send(self.control);
    }
}

/// A name given with USER; longer than any user's, so that cutting never makes two names equal.
pub type GivenName = Vec<u8, 16>;

/// How far the login is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// USER is wanted.
    Nobody,
    /// PASS is wanted; there may be no such user.
    Named(GivenName),
    /// Logged in.
    As(UserName, Rights),
}

impl Login {
    /// What the user may see and do.
    pub(super) fn rights(&self) -> Result<&Rights, Refusal> {
        match self {
            Login::As(_, rights) => Ok(rights),
            Login::Nobody | Login::Named(_) => Err(Refusal::Reply(&(530, "Not logged in"))),
        }
    }
}

/// Where the next data connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataPlan {
    /// Nowhere: 425.
    None,
    /// We listen.
    Passive,
    /// We connect to this.
    Active(SocketAddrV4),
}

/// Writes one line of a longer reply, by its number from 0; `None` behind the last.
pub type LineSource = fn(&Client, &Context<'_, '_>, u16, &mut Line) -> Option<()>;

/// A reply of several lines, under way: sent as the control connection has room.
#[derive(Clone, Copy)]
pub struct Answer {
    pub(super) lines: LineSource,
    pub(super) next: u16,
}

/// How a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// What was queued is sent, then FIN.
    Close,
    /// The client is gone.
    Abort,
}

/// A client's session between commands.
pub struct Client {
    pub(super) slot: usize,
    pub(super) peer: SocketAddrV4,
    pub(super) login: Login,
    /// Failed logins in this session.
    pub(super) failures: u8,
    /// When the reply to a failed login is due.
    pub(super) penalty: Option<Millis>,
    /// The working directory.
    pub(super) directory: UserPath,
    /// The object of the transfer under way, of RNFR, or of the command that is being run: one at a time.
    pub(super) path: UserPath,
    /// RNFR was given and `path` is its argument.
    pub(super) renaming: bool,
    /// And `path` is a directory's.
    pub(super) renames_directory: bool,
    /// TYPE A.
    pub(super) ascii: bool,
    /// REST's offset for the next transfer.
    pub(super) restart: u32,
    /// EPSV ALL was given: no other way to a data connection from now on (RFC 2428 section 4).
    pub(super) extended_only: bool,
    pub(super) plan: DataPlan,
    pub(super) job: Option<Job>,
    pub(super) answer: Option<Answer>,
    pub(super) ending: Option<Ending>,
    pub(super) long: LongNames,
    /// Facts that MLSD and MLST give.
    pub(super) facts: Facts,
    /// What HASH computes.
    pub(super) algorithm: Algorithm,
    pub(super) connected: Millis,
    /// When a command or data last came, or data last went.
    pub(super) active: Millis,
    /// When the pending command was first run.
    pub(super) command_since: Millis,
}

impl Client {
    /// The client of a new connection.
    pub(super) fn new(slot: usize, peer: SocketAddrV4, now: Millis) -> Client {
        Client {
            slot,
            peer,
            login: Login::Nobody,
            failures: 0,
            penalty: None,
            directory: UserPath::root(),
            path: UserPath::root(),
            renaming: false,
            renames_directory: false,
            ascii: true,
            restart: 0,
            extended_only: false,
            plan: DataPlan::None,
            job: None,
            answer: None,
            ending: None,
            long: LongNames::new(),
            facts: Facts::ALL,
            algorithm: Algorithm::Sha256,
            connected: now,
            active: now,
            command_since: now,
        }
    }

    /// Back to where a new connection begins (REIN), except for what limits guessing of passwords.
    pub(super) fn reset(&mut self) {
        let fresh = Client::new(self.slot, self.peer, self.connected);
        *self = Client { failures: self.failures, active: self.active, ..fresh };
    }

    /// Whether the user has logged in.
    pub fn is_logged_in(&self) -> bool {
        matches!(self.login, Login::As(..))
    }

    /// The user's name; empty before login.
    pub fn user_name(&self) -> &[u8] {
        match &self.login {
            Login::As(name, _) => name,
            Login::Nobody | Login::Named(_) => &[],
        }
    }

    /// What the user who is logged in may see and do.
    pub(super) fn rights(&self) -> Result<&Rights, Refusal> {
        self.login.rights()
    }

    /// Makes `place` what `path` means to the user.
    pub(super) fn resolve(
        &self,
        users: &Users<'_>,
        path: &UserPath,
        place: &mut ResolvedPath,
    ) -> Result<(), Refusal> {
        Ok(users.sandbox(self.rights()?).resolve_in(path, place)?)
    }

    /// Makes what a command's argument names [`Client::path`].
    #[inline(never)]
    pub(super) fn name(&mut self, argument: &[u8]) -> Result<(), Refusal> {
        self.long.join(&mut self.path, &self.directory, argument, false)
    }

    /// The same for something that may have to be made.
    #[inline(never)]
    pub(super) fn name_new(&mut self, argument: &[u8]) -> Result<(), Refusal> {
        self.long.join(&mut self.path, &self.directory, argument, true)
    }

    /// Makes `place` what [`Client::path`] means.
    #[inline(never)]
    pub(super) fn find(&self, users: &Users<'_>, place: &mut ResolvedPath) -> Result<(), Refusal> {
        self.resolve(users, &self.path, place)
    }

    /// The attributes of what is at [`Client::path`].
    #[inline(never)]
    pub(super) fn look(&self, cx: &mut Context<'_, '_>) -> Result<Attributes, Refusal> {
        let mut place = ResolvedPath::root();
        self.find(cx.shared.users, &mut place)?;
        Ok(cx.files.attributes(&place)?)
    }

    /// Refuses a command that the user has no permission for.
    pub(super) fn permit(&self, permission: Permission) -> Result<(), Refusal> {
        match self.rights()?.permissions.contains(permission) {
            true => Ok(()),
            false => Err(Refusal::NOT_PERMITTED),
        }
    }

    /// Replies that something is done, with the alias of a name that was too long.
    pub(super) fn done(
        &self,
        control: &mut dyn ControlLink,
        code: u16,
        text: &str,
        path: &UserPath,
    ) {
        let mut line = Line::new();
        line.reply(code).text(text);
        if let (true, Some(name)) = (self.long.shortened, path.names().last()) {
            line.text(", stored as ").name(name);
        }
        line.send(control);
    }

    /// Starts a reply of several lines.
    pub(super) fn answer(&mut self, lines: LineSource) {
        self.answer = Some(Answer { lines, next: 0 });
    }

    /// Notes an event in the journal.
    pub(super) fn note(&self, cx: &mut Context<'_, '_>, event: &Event<'_>) {
        let source = Source { slot: self.slot, peer: self.peer, user: self.user_name() };
        cx.shared.journal.note(&source, event);
    }

    /// Brings SITE WHO up to date.
    pub(super) fn update_who(&self, cx: &mut Context<'_, '_>, activity: Activity) {
        if let Some(entry) = cx.shared.who.get_mut(self.slot) {
            let user = UserName::from_slice(self.user_name()).unwrap_or_default();
            *entry = Some(Who { user, peer: self.peer, since: self.connected, activity });
        }
    }

    /// Drops the data connection and what was planned for it. One that is closing has brought everything
    /// to the client and may finish: a RST could still take from it what it has not read.
    pub(super) fn drop_data(&mut self, cx: &mut Context<'_, '_>) {
        if cx.data.state() != DataState::Closing {
            cx.data.abort();
        }
        cx.shared.ports.release(self.slot);
        self.plan = DataPlan::None;
    }

    /// Whether a job may say something: no longer reply is under way, whose lines nothing may part, and
    /// there is room.
    pub(super) fn may_say(&self, cx: &Context<'_, '_>) -> bool {
        self.answer.is_none() && cx.control.room() >= MAX_REPLY
    }

    /// The transfer under way.
    pub(super) fn transfer(&self) -> Option<&Transfer> {
        match &self.job {
            Some(Job::Transfer(transfer)) => Some(transfer),
            _ => None,
        }
    }

    /// The address to which an active data connection may go.
    pub(super) fn address(&self) -> Ipv4Addr {
        *self.peer.ip()
    }
}
