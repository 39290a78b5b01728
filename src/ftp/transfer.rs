//! A transfer's way from file to data connection and back: open, connect, move, drain, close, report.
//!
//! Nothing is copied on the way: a download reads from the disk into the connection's send buffer, an
//! upload writes to the disk out of its receive buffer, in pieces that end on a sector. 226 is said when
//! the client has acknowledged the last byte, or when the uploaded file is closed and on the disk; what
//! ends otherwise gets the reply of its error, and an uploaded part stays as long as what was stored.

use super::client::{Client, Context, DataPlan};
use super::link::{DataLink, DataState, LinkError};
use super::listing::{Listing, Place};
use super::reply::{Line, Refusal};
use super::scan::Scan;
use super::shared::{Activity, Direction, Event};
use super::{lister, retrieve, store};
use crate::time::Millis;
use crate::vfs::provider::FileHandle;
use crate::vfs::{FsError, ResolvedPath};

/// Milliseconds for which a data connection may take to be established.
const CONNECT_TIME: u64 = 30_000;

/// Milliseconds for which the client may take its time with closing the last data connection before that
/// is dropped for the next.
pub(super) const LINGER: u64 = 2000;

/// Work that goes on between commands.
pub enum Job {
    /// A file or a listing on its way.
    Transfer(Transfer),
    /// A file being read through for a checksum or a size.
    Scan(Scan),
}

impl Job {
    /// Ends it with `refusal` for a reply, as soon as its files are closed.
    pub(super) fn fail(&mut self, data: &mut dyn DataLink, refusal: Refusal) {
        match self {
            Job::Transfer(transfer) => transfer.fail(data, refusal),
            Job::Scan(scan) => scan.fail(refusal),
        }
    }

    /// One slice of work.
    fn slice(
        &mut self,
        client: &mut Client,
        cx: &mut Context<'_, '_>,
    ) -> Result<Progress, Refusal> {
        match self {
            Job::Transfer(transfer) => transfer.slice(client, cx),
            Job::Scan(scan) => scan.slice(client, cx),
        }
    }

    /// Closes what is open; `false` when that needs another step.
    fn release(&mut self, client: &mut Client, cx: &mut Context<'_, '_>) -> bool {
        match self {
            Job::Transfer(transfer) => {
                transfer.stage == Stage::Report || transfer.close(client, cx).is_ok()
            }
            Job::Scan(scan) => scan.close(cx).is_ok(),
        }
    }
}

/// What is transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file to the client.
    Retrieve,
    /// A file from the client.
    Store(StoreMode),
    /// A listing.
    List,
}

/// Which file an upload becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMode {
    /// One that is not there yet.
    New,
    /// One that may be there, and is replaced then.
    Replace,
    /// One that may be there, and is continued at its end then.
    Append,
    /// One that is there, from REST's offset on.
    Resume,
    /// A new one under a name that we choose.
    Unique,
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The file or directory is to be opened.
    Open,
    /// Its attributes are to be had.
    Inspect,
    /// The data connection is to be opened, and 150 said.
    Connect,
    /// The data connection is being established.
    Await,
    /// Data moves.
    Move,
    /// The client has not acknowledged everything yet.
    Drain,
    /// The file is to be closed.
    Close,
    /// The new file for which no data connection came is to be removed.
    Remove,
    /// The last reply is to be said.
    Report,
}

/// What a slice of a transfer came to.
pub(super) enum Progress {
    /// Nothing to do until the network moves.
    Waiting,
    /// Go on in the next step.
    Busy,
    /// The transfer is over.
    Over,
}

/// A transfer under way. Its object's path is the client's.
pub struct Transfer {
    pub(super) kind: Kind,
    pub(super) stage: Stage,
    /// Line ends are converted (TYPE A).
    pub(super) ascii: bool,
    /// Text: the last byte read from the file, or stored in it, was a CR.
    pub(super) after_cr: bool,
    /// Text, download: the LF of a line end whose CR is sent is still to be sent.
    pub(super) carry: bool,
    pub(super) file: Option<FileHandle>,
    /// Where in the file the next byte is.
    pub(super) offset: u32,
    /// Downloads: the file's size.
    pub(super) size: u32,
    /// Bytes on the wire.
    pub(super) bytes: u32,
    /// Since when data moves.
    pub(super) started: Millis,
    /// Since when the present wait lasts.
    pub(super) since: Millis,
    /// 150 was said.
    pub(super) opened: bool,
    /// The data connection was established; for a listing on the control connection: it has begun.
    connected: bool,
    pub(super) failure: Option<Refusal>,
    pub(super) listing: Listing,
}

impl Transfer {
    pub(super) fn new(kind: Kind, ascii: bool, now: Millis) -> Transfer {
        Transfer {
            kind,
            stage: Stage::Open,
            ascii,
            after_cr: false,
            carry: false,
            file: None,
            offset: 0,
            size: 0,
            bytes: 0,
            started: now,
            since: now,
            opened: false,
            connected: false,
            failure: None,
            listing: Listing::NONE,
        }
    }

    /// What SITE WHO says of it.
    fn activity(&self) -> Activity {
        match self.kind {
            Kind::Retrieve => Activity::Sending,
            Kind::Store(_) => Activity::Receiving,
            Kind::List => Activity::Listing,
        }
    }

    /// Bytes on the wire so far.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Whether bytes of a file are on their way.
    pub(super) fn moves_a_file(&self) -> bool {
        self.stage == Stage::Move && self.kind != Kind::List
    }

    /// Breaks off: the connection is reset, and `refusal` is said when the file is closed.
    fn fail(&mut self, data: &mut dyn DataLink, refusal: Refusal) {
        if self.failure.is_none() && self.stage < Stage::Remove {
            self.failure = Some(refusal);
            self.stage = Stage::Close;
            if self.opened {
                data.abort();
            }
        }
    }

    /// One slice of work.
    fn slice(
        &mut self,
        client: &mut Client,
        cx: &mut Context<'_, '_>,
    ) -> Result<Progress, Refusal> {
        match self.stage {
            Stage::Open | Stage::Inspect => match self.kind {
                Kind::Retrieve => retrieve::open(self, client, cx),
                Kind::Store(mode) => store::open(self, mode, client, cx),
                Kind::List => lister::open(self, client, cx),
            },
            Stage::Connect => self.connect(client, cx),
            Stage::Await => self.await_connection(cx),
            // [`Transfer::move_data`] does that.
            Stage::Move => Ok(Progress::Busy),
            Stage::Drain => self.drain(cx),
            Stage::Close | Stage::Remove => self.close(client, cx),
            Stage::Report => Ok(self.report(client, cx)),
        }
    }

    /// Moves a piece of a file or of a listing, if that is what the transfer is at; `active` becomes now when
    /// bytes moved. Nearly every step of a transfer is one of these: it leaves the job where it is.
    fn move_data(
        &mut self,
        place: &Place<'_>,
        cx: &mut Context<'_, '_>,
        active: &mut Millis,
    ) -> Option<Result<Progress, Refusal>> {
        if self.stage != Stage::Move {
            return None;
        }
        let before = self.bytes;
        let progress = match self.kind {
            Kind::Retrieve => retrieve::send_piece(self, cx),
            Kind::Store(_) => store::take_piece(self, cx),
            Kind::List => lister::send_lines(self, place, cx),
        };
        if self.bytes != before {
            *active = cx.now;
        }
        Some(progress)
    }

    /// Opens an active connection, and says 150.
    fn connect(
        &mut self,
        client: &mut Client,
        cx: &mut Context<'_, '_>,
    ) -> Result<Progress, Refusal> {
        if !client.may_say(cx) {
            return Ok(Progress::Waiting);
        }
        if self.listing.on_control {
            lister::say_first(client, cx);
            self.connected = true;
            self.stage = Stage::Move;
            return Ok(Progress::Busy);
        }
        client.update_who(cx, self.activity());
        if let DataPlan::Active(address) = client.plan {
            // RFC 959 section 5.2: from the port below the control connection's.
            let from = cx.shared.settings.control_port.saturating_sub(1);
            match cx.data.connect(address, from) {
                Ok(()) => {}
                Err(LinkError::Again) if cx.now.since(self.since) < CONNECT_TIME => {
                    if cx.now.since(self.since) >= LINGER {
                        cx.data.abort();
                    }
                    return Ok(Progress::Waiting);
                }
                Err(_) => return Err(NOT_CONNECTED),
            }
        }
        self.announce(client, cx);
        self.since = cx.now;
        self.opened = true;
        self.stage = Stage::Await;
        Ok(Progress::Busy)
    }

    fn announce(&self, client: &Client, cx: &mut Context<'_, '_>) {
        let mut line = Line::new();
        line.reply(150);
        match self.kind {
            // RFC 1123 section 4.1.2.9 wants exactly this form.
            Kind::Store(StoreMode::Unique) => {
                line.text("FILE: ");
                if let Some(name) = client.path.names().last() {
                    line.name(name);
                }
            }
            _ => {
                line.text("Opening ");
                line.text(if self.ascii || self.kind == Kind::List { "ASCII" } else { "BINARY" });
                line.text(" mode data connection");
                if self.kind == Kind::Retrieve && !self.ascii {
                    let rest = self.size.saturating_sub(self.offset);
                    line.text(" (").number(rest.into()).text(" bytes)");
                }
            }
        }
        line.send(cx.control);
    }

    fn await_connection(&mut self, cx: &mut Context<'_, '_>) -> Result<Progress, Refusal> {
        match cx.data.state() {
            DataState::Open | DataState::PeerClosed => {
                self.stage = Stage::Move;
                self.connected = true;
                self.started = cx.now;
                self.since = cx.now;
                Ok(Progress::Busy)
            }
            DataState::Listening | DataState::Connecting
                if cx.now.since(self.since) < CONNECT_TIME =>
            {
                Ok(Progress::Waiting)
            }
            _ => Err(NOT_CONNECTED),
        }
    }

    /// Waits until the client has everything. The connection is closed on our side already.
    fn drain(&mut self, cx: &mut Context<'_, '_>) -> Result<Progress, Refusal> {
        match cx.data.state() {
            DataState::Dead => Err(BROKEN_OFF),
            _ if cx.data.unacknowledged() == 0 => {
                self.stage = Stage::Close;
                Ok(Progress::Busy)
            }
            _ => Ok(Progress::Waiting),
        }
    }

    /// Closes the file and the directory. `Ok` is to be followed by the report.
    fn close(
        &mut self,
        client: &mut Client,
        cx: &mut Context<'_, '_>,
    ) -> Result<Progress, Refusal> {
        if let Some(file) = self.file {
            if let Some(error) = close_again(cx.files.close(file))? {
                self.failure.get_or_insert(error);
            }
            self.file = None;
            let is_new = matches!(self.kind, Kind::Store(StoreMode::New | StoreMode::Unique));
            if is_new && !self.connected {
                self.stage = Stage::Remove;
            }
        }
        if let Some(dir) = self.listing.dir {
            // Nothing was written to a directory: what its closing says changes nothing.
            close_again(cx.files.close_dir(dir))?;
            self.listing.dir = None;
        }
        if self.stage == Stage::Remove {
            // An empty file that nobody has sent would make the client's next attempt a 553.
            // If it cannot be removed, it stays.
            let mut place = ResolvedPath::root();
            if client.find(cx.shared.users, &mut place).is_ok() {
                close_again(cx.files.remove(&place))?;
                client.long.lose(cx.shared.gone, &place);
            }
        }
        self.stage = Stage::Report;
        Ok(Progress::Busy)
    }

    fn report(&mut self, client: &mut Client, cx: &mut Context<'_, '_>) -> Progress {
        if !client.may_say(cx) {
            return Progress::Waiting;
        }
        match self.failure {
            None if self.listing.on_control => cx.reply(213, "End of status"),
            // A reply of several lines ends with the code that it began with, whatever came in between.
            Some(_) if self.listing.on_control && self.connected => {
                cx.reply(213, "Listing broken off");
            }
            None if matches!(self.kind, Kind::Store(_)) => {
                client.done(cx.control, 226, "Transfer complete", &client.path);
            }
            None => cx.reply(226, "Transfer complete"),
            Some(refusal) => {
                let mut line = Line::new();
                refusal.write(&mut line, matches!(self.kind, Kind::Store(_)));
                if self.opened && matches!(refusal, Refusal::Files(_)) {
                    line.text(": ").path(&client.path);
                }
                line.send(cx.control);
                if matches!(refusal, Refusal::Reply(&(426, _))) {
                    cx.control.doubt();
                }
            }
        }
        if self.opened {
            self.count(client, cx);
            cx.shared.ports.release(client.slot);
            client.plan = DataPlan::None;
        }
        Progress::Over
    }

    /// Notes the end of a file's transfer.
    fn count(&self, client: &Client, cx: &mut Context<'_, '_>) {
        let complete = self.failure.is_none();
        let statistics = &mut *cx.shared.statistics;
        let (direction, files, bytes) = match self.kind {
            Kind::List => return,
            Kind::Retrieve => {
                (Direction::Sent, &mut statistics.files_sent, &mut statistics.bytes_sent)
            }
            Kind::Store(_) => (
                Direction::Received,
                &mut statistics.files_received,
                &mut statistics.bytes_received,
            ),
        };
        *bytes = bytes.wrapping_add(self.bytes.into());
        let files = if complete { files } else { &mut statistics.broken_off };
        *files = files.wrapping_add(1);
        let event = Event::Transferred {
            direction,
            path: &client.path,
            bytes: self.bytes,
            ms: cx.now.since(self.started),
            complete,
        };
        client.note(cx, &event);
    }
}

/// No data connection came about.
const NOT_CONNECTED: Refusal = Refusal::Reply(&(425, "Can't open data connection"));

/// The data connection went away.
pub(super) const BROKEN_OFF: Refusal =
    Refusal::Reply(&(426, "Data connection closed, transfer aborted"));

/// The error with which a handle was closed: `Err` when it is not closed yet.
pub(super) fn close_again(result: Result<(), FsError>) -> Result<Option<Refusal>, Refusal> {
    match result {
        Ok(()) => Ok(None),
        Err(FsError::Again) => Err(Refusal::AGAIN),
        Err(error) => Ok(Some(error.into())),
    }
}

/// Carries the job under way on. Returns whether there is more to do at once.
// A frame of its own, as commands have.
#[inline(never)]
pub(super) fn advance(client: &mut Client, cx: &mut Context<'_, '_>) -> bool {
    let place = Place { path: &client.path, login: &client.login, facts: client.facts };
    let moved = match &mut client.job {
        None => return false,
        Some(Job::Transfer(transfer)) => transfer.move_data(&place, cx, &mut client.active),
        Some(Job::Scan(_)) => None,
    };
    match moved.unwrap_or_else(|| slice(client, cx)) {
        Ok(Progress::Waiting) => return false,
        Ok(Progress::Busy) | Err(Refusal::AGAIN) => {}
        Ok(Progress::Over) => {
            client.job = None;
            client.active = cx.now;
            client.update_who(cx, Activity::Idle);
        }
        Err(refusal) => {
            if let Some(job) = &mut client.job {
                job.fail(cx.data, refusal);
            }
        }
    }
    true
}

/// One slice of the job under way. Not inlined, for its copy on the stack: only what moves data leaves the job where
/// it is.
#[inline(never)]
fn slice(client: &mut Client, cx: &mut Context<'_, '_>) -> Result<Progress, Refusal> {
    let Some(mut job) = client.job.take() else { return Ok(Progress::Waiting) };
    let result = job.slice(client, cx);
    client.job = Some(job);
    result
}

/// Breaks the job off without a word, for a session that ends; `true` when everything is released.
pub(super) fn abandon(client: &mut Client, cx: &mut Context<'_, '_>) -> bool {
    let Some(mut job) = client.job.take() else { return true };
    job.fail(cx.data, BROKEN_OFF);
    if !job.release(client, cx) {
        client.job = Some(job);
        return false;
    }
    if let Job::Transfer(transfer) = &job
        && transfer.opened
    {
        transfer.count(client, cx);
    }
    true
}
