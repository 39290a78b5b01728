//! Walks a directory for LIST, NLST, MLSD and STAT, and sends a line for each entry that is asked for.
//!
//! May call `vfs`.

use super::client::{Client, Context};
use super::link::{DataLink, DataState};
use super::listing::{Format, Listing, Place, View};
use super::reply::{Line, MAX_REPLY, Refusal};
use super::transfer::{BROKEN_OFF, Progress, Stage, Transfer};
use super::wire;
use crate::config::Users;
use crate::vfs::codepage::CodePage;
use crate::vfs::provider::{DirEntry, Kind};
use crate::vfs::{FsError, Provider, ResolvedPath};

/// Entries sent in one step, at most: the other sessions wait meanwhile.
const ENTRIES: usize = 32;

/// Bytes that a line of a listing has at most: facts and a name stay far below, and so does a path before a
/// pattern, in three bytes of UTF-8 for each of its own.
const MAX_LINE: usize = 280;

/// Opens the directory; or finds that the path is a file's, which is listed alone.
pub(super) fn open(
    transfer: &mut Transfer,
    client: &Client,
    cx: &mut Context<'_, '_>,
) -> Result<Progress, Refusal> {
    let mut place = ResolvedPath::root();
    client.find(cx.shared.users, &mut place)?;
    if transfer.stage == Stage::Open {
        match cx.files.open_dir(&place) {
            Ok(dir) => {
                transfer.listing.dir = Some(dir);
                transfer.stage = Stage::Connect;
            }
            Err(FsError::NotADirectory) if transfer.listing.pattern.is_none() => {
                if transfer.listing.format == Format::Facts {
                    return Err(Refusal::Reply(&(501, "Not a directory; use MLST")));
                }
                transfer.stage = Stage::Inspect;
            }
            Err(error) => return Err(error.into()),
        }
        return Ok(Progress::Busy);
    }
    // The file is looked at again when its line is written; here only whether it is there counts.
    if cx.files.attributes(&place)?.kind == Kind::Directory {
        return Err(FsError::NotADirectory.into());
    }
    transfer.stage = Stage::Connect;
    Ok(Progress::Busy)
}

/// The first line of STAT's listing.
pub(super) fn say_first(client: &Client, cx: &mut Context<'_, '_>) {
    Line::new().first(213).text("Status of ").path(&client.path).text(":").send(cx.control);
}

/// Sends lines as long as there is room for them.
pub(super) fn send_lines(
    transfer: &mut Transfer,
    place: &Place<'_>,
    cx: &mut Context<'_, '_>,
) -> Result<Progress, Refusal> {
    let listing = &transfer.listing;
    if !listing.on_control && !matches!(cx.data.state(), DataState::Open | DataState::PeerClosed) {
        return Err(BROKEN_OFF);
    }
    let view = View::of(place.login, place.path.names(), place.facts, cx)?;
    let mut walk =
        Walk { listing, place, view: &view, is_sent: &mut transfer.carry, left: ENTRIES, sent: 0 };
    let more = if listing.on_control { walk.send_control(cx) } else { walk.send_data(cx) };
    transfer.bytes = transfer.bytes.wrapping_add(walk.sent as u32);
    if matches!(more, Ok(Progress::Over)) {
        finish(transfer, cx.data);
        return Ok(Progress::Busy);
    }
    more
}

/// A step's way through the directory.
struct Walk<'a> {
    listing: &'a Listing,
    place: &'a Place<'a>,
    view: &'a View,
    /// A file alone: its line is sent.
    is_sent: &'a mut bool,
    /// Entries that the step may still look at.
    left: usize,
    /// Bytes sent.
    sent: usize,
}

impl Walk<'_> {
    /// Gives `show` the directory's next entries, until it returns `false`, or the file alone; `Ok(false)` at the
    /// end.
    fn list(
        &mut self,
        users: &Users<'_>,
        files: &mut dyn Provider,
        show: &mut dyn FnMut(&DirEntry) -> bool,
    ) -> Result<bool, Refusal> {
        if let Some(dir) = self.listing.dir {
            return Ok(files.list(dir, show)?);
        }
        if *self.is_sent {
            return Ok(false);
        }
        let mut place = ResolvedPath::root();
        let sandbox = users.sandbox(self.place.login.rights()?);
        sandbox.resolve_in(self.place.path, &mut place)?;
        let attributes = files.attributes(&place)?;
        *self.is_sent = true;
        if let Some(&name) = self.place.path.names().last() {
            show(&DirEntry { name, attributes });
        }
        Ok(true)
    }

    /// Lines of STAT.
    fn send_control(&mut self, cx: &mut Context<'_, '_>) -> Result<Progress, Refusal> {
        let (listing, view) = (self.listing, self.view);
        let (mut left, mut sent) = (self.left, 0);
        let control = &mut *cx.control;
        if control.room() < MAX_REPLY {
            return Ok(Progress::Waiting);
        }
        let more = self.list(cx.shared.users, cx.files, &mut |entry| {
            left -= 1;
            if listing.shows(entry) {
                let mut line = Line::new();
                line.text(" ");
                listing.write(&mut line, entry, view);
                line.send(control);
                sent += line.as_bytes().len();
            }
            left > 0 && control.room() >= MAX_REPLY
        });
        self.sent = sent;
        Ok(if more? { Progress::Busy } else { Progress::Over })
    }

    /// Lines into the send buffer as it is: in two goes where its end comes in between.
    fn send_data(&mut self, cx: &mut Context<'_, '_>) -> Result<Progress, Refusal> {
        let page = wire::code_page(cx.shared.settings.code_page);
        let (users, files) = (cx.shared.users, &mut *cx.files);
        let mut last = LastLine { line: Line::new(), gone: 0, room: cx.data.room() };
        let mut end = None;
        for _ in 0..2 {
            cx.data.send(&mut |buffer| {
                let size = buffer.len();
                let mut free = buffer;
                if last.copy(&mut free) {
                    end = self.fill(users, files, page, &mut last, &mut free);
                }
                self.sent += size - free.len();
                size - free.len()
            });
            if end.is_some() {
                break;
            }
        }
        end.unwrap_or(Ok(Progress::Waiting))
    }

    /// Lines into `free`; `None` when it ends within one.
    fn fill(
        &mut self,
        users: &Users<'_>,
        files: &mut dyn Provider,
        page: Option<&CodePage>,
        last: &mut LastLine,
        free: &mut &mut [u8],
    ) -> Option<Result<Progress, Refusal>> {
        if self.left == 0 {
            return Some(Ok(Progress::Busy));
        }
        if last.room < MAX_LINE {
            return Some(Ok(Progress::Waiting));
        }
        let (listing, view) = (self.listing, self.view);
        let (mut left, mut whole) = (self.left, true);
        let more = self.list(users, files, &mut |entry| {
            left -= 1;
            if listing.shows(entry) {
                last.gone = 0;
                last.line.clear();
                listing.write(&mut last.line, entry, view);
                if let Some(page) = page {
                    let mut recoded = Line::new();
                    wire::recode(page, &last.line, &mut recoded);
                    last.line = recoded;
                }
                last.line.end();
                whole = last.copy(free);
            }
            whole && left > 0 && last.room >= MAX_LINE
        });
        self.left = left;
        whole.then_some(match more {
            Ok(true) => Ok(Progress::Busy),
            Ok(false) => Ok(Progress::Over),
            Err(error) => Err(error),
        })
    }
}

/// The line that was written last.
struct LastLine {
    line: Line,
    /// How many of its bytes are in the send buffer.
    gone: usize,
    /// Bytes of the send buffer that are free.
    room: usize,
}

impl LastLine {
    /// Moves what is left of the line to the beginning of `free`; `false` when that is too short.
    fn copy(&mut self, free: &mut &mut [u8]) -> bool {
        let rest = &self.line.as_bytes()[self.gone..];
        let count = rest.len().min(free.len());
        let (now, behind) = core::mem::take(free).split_at_mut(count);
        now.copy_from_slice(&rest[..count]);
        *free = behind;
        self.gone += count;
        self.room = self.room.saturating_sub(count);
        self.gone == self.line.as_bytes().len()
    }
}

fn finish(transfer: &mut Transfer, data: &mut dyn DataLink) {
    transfer.stage = Stage::Close;
    if !transfer.listing.on_control {
        data.close();
        transfer.stage = Stage::Drain;
    }
}
