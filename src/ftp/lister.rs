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
use crate::vfs::provider::{DirEntry, Kind};
use crate::vfs::{FsError, Provider};

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
    let place = client.resolve(cx.shared.users, &client.path)?;
    if transfer.stage == Stage::Open {
        match cx.files.open_dir(&place) {
            Ok(dir) => {
                transfer.listing.dir = Some(dir);
                transfer.stage = Stage::Connect;
            }
            Err(FsError::NotADirectory) if transfer.listing.pattern.is_none() => {
                if transfer.listing.format == Format::Facts {
                    return Err(Refusal::Reply(501, "Not a directory; use MLST"));
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
    let mut line = Line::first(213);
    line.text("Status of ").path(&client.path).text(":").send(cx.control);
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
    let view = View::of(place, cx)?;
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
        let attributes =
            files.attributes(&users.resolve(self.place.login.rights()?, self.place.path)?)?;
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
        let (listing, view) = (self.listing, self.view);
        let page = wire::code_page(cx.shared.settings.code_page);
        let (users, files) = (cx.shared.users, &mut *cx.files);
        let mut line = Line::new();
        let mut piece = Piece { room: cx.data.room(), gone: 0 };
        let mut end = None;
        for _ in 0..2 {
            cx.data.send(&mut |buffer| {
                let size = buffer.len();
                let mut free = buffer;
                if piece.copy(&line, &mut free) {
                    if piece.room < MAX_LINE {
                        end = Some(Ok(Progress::Waiting));
                    } else {
                        let mut left = self.left;
                        let mut whole = true;
                        let more = self.list(users, files, &mut |entry| {
                            left -= 1;
                            if listing.shows(entry) {
                                line.clear();
                                listing.write(&mut line, entry, view);
                                if let Some(page) = page {
                                    line = wire::recode(page, &line);
                                }
                                line.text("\r\n");
                                piece.gone = 0;
                                whole = piece.copy(&line, &mut free);
                            }
                            whole && left > 0 && piece.room >= MAX_LINE
                        });
                        self.left = left;
                        let more = more.map(|more| match more {
                            true => Progress::Busy,
                            false => Progress::Over,
                        });
                        // A line that is not whole is not the last that can be sent.
                        if whole || !matches!(more, Ok(Progress::Busy)) {
                            end = Some(more);
                        }
                    }
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
}

/// How far lines are in the send buffer.
struct Piece {
    /// Bytes of it that are free.
    room: usize,
    /// Bytes of the line that are sent.
    gone: usize,
}

impl Piece {
    /// Moves what is left of `line` to the beginning of `free`; `false` when that is too short.
    fn copy(&mut self, line: &Line, free: &mut &mut [u8]) -> bool {
        let rest = &line.as_bytes()[self.gone..];
        let count = rest.len().min(free.len());
        let (now, behind) = core::mem::take(free).split_at_mut(count);
        now.copy_from_slice(&rest[..count]);
        *free = behind;
        self.gone += count;
        self.room = self.room.saturating_sub(count);
        count == rest.len()
    }
}

fn finish(transfer: &mut Transfer, data: &mut dyn DataLink) {
    transfer.stage = Stage::Close;
    if !transfer.listing.on_control {
        data.close();
        transfer.stage = Stage::Drain;
    }
}
