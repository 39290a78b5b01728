//! Walks a directory for LIST, NLST, MLSD and STAT, and sends a line for each entry that is asked for.
//!
//! May call `vfs`.

use super::client::{Client, Context};
use super::link::{ControlLink, DataLink, DataState};
use super::listing::{Format, View};
use super::reply::{Line, MAX_REPLY, Refusal};
use super::transfer::{BROKEN_OFF, Progress, Stage, Transfer};
use super::wire;
use crate::config::Users;
use crate::vfs::codepage::CodePage;
use crate::vfs::provider::{DirEntry, Kind};
use crate::vfs::{FsError, Provider};

/// Entries sent in one step, at most: the other sessions wait meanwhile.
const ENTRIES: usize = 16;

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
    client: &Client,
    cx: &mut Context<'_, '_>,
) -> Result<Progress, Refusal> {
    let on_control = transfer.listing.on_control;
    if !on_control && !matches!(cx.data.state(), DataState::Open | DataState::PeerClosed) {
        return Err(BROKEN_OFF);
    }
    let view = View::of(client, cx, &client.path)?;
    let page = wire::code_page(cx.shared.settings.code_page);
    let room = if on_control { cx.control.room() } else { cx.data.room() };
    let (users, files) = (cx.shared.users, &mut *cx.files);
    let mut walk = Walk { transfer, client, users, files, view: &view, left: ENTRIES };
    let sent = if on_control {
        walk.send_control(cx.control, room)
    } else {
        walk.send_data(cx.data, page, room)
    };
    if matches!(sent, Ok(Progress::Over)) {
        finish(transfer, cx.data);
        return Ok(Progress::Busy);
    }
    sent
}

/// A step's way through the directory.
struct Walk<'a, 'u> {
    transfer: &'a mut Transfer,
    client: &'a Client,
    users: &'a Users<'u>,
    files: &'a mut dyn Provider,
    view: &'a View,
    /// Entries that the step may still look at.
    left: usize,
}

impl Walk<'_, '_> {
    /// Adds the next line to `line`. `Err` when there is none in this step: [`Progress::Over`] at the
    /// directory's end.
    fn next_line(&mut self, line: &mut Line) -> Result<(), Result<Progress, Refusal>> {
        while self.left > 0 {
            self.left -= 1;
            match &self.next_entry() {
                Ok(Some(entry)) => {
                    let listing = &self.transfer.listing;
                    if listing.shows(entry) {
                        listing.write(line, entry, self.view);
                        return Ok(());
                    }
                }
                Ok(None) => return Err(Ok(Progress::Over)),
                Err(error) => return Err(Err(*error)),
            }
        }
        Err(Ok(Progress::Busy))
    }

    /// The directory's next entry, or the file alone.
    fn next_entry(&mut self) -> Result<Option<DirEntry>, Refusal> {
        if let Some(dir) = self.transfer.listing.dir {
            return Ok(self.files.read_dir(dir)?);
        }
        // `carry` says that the one line is sent.
        if self.transfer.carry {
            return Ok(None);
        }
        let place = self.client.resolve(self.users, &self.client.path)?;
        let attributes = self.files.attributes(&place)?;
        self.transfer.carry = true;
        Ok(self.client.path.names().last().map(|&name| DirEntry { name, attributes }))
    }

    /// Lines of STAT.
    fn send_control(
        &mut self,
        control: &mut dyn ControlLink,
        mut room: usize,
    ) -> Result<Progress, Refusal> {
        while room >= MAX_REPLY {
            let mut line = Line::new();
            line.text(" ");
            if let Err(end) = self.next_line(&mut line) {
                return end;
            }
            line.send(control);
            self.transfer.bytes = self.transfer.bytes.wrapping_add(line.as_bytes().len() as u32);
            room = control.room();
        }
        Ok(Progress::Waiting)
    }

    /// Lines into the send buffer as it is, which has `room`: in two goes where its end comes in between.
    fn send_data(
        &mut self,
        data: &mut dyn DataLink,
        page: Option<&CodePage>,
        mut room: usize,
    ) -> Result<Progress, Refusal> {
        let mut line = Line::new();
        // Bytes of the line that are sent.
        let mut gone = 0;
        let mut end = None;
        for _ in 0..2 {
            data.send(&mut |buffer| {
                let size = buffer.len();
                let mut free = buffer;
                loop {
                    let rest = &line.as_bytes()[gone..];
                    let (now, behind) = free.split_at_mut(rest.len().min(free.len()));
                    now.copy_from_slice(&rest[..now.len()]);
                    gone += now.len();
                    room = room.saturating_sub(now.len());
                    let bytes = &mut self.transfer.bytes;
                    *bytes = bytes.wrapping_add(now.len() as u32);
                    free = behind;
                    if gone < line.as_bytes().len() || end.is_some() {
                        return size - free.len();
                    }
                    line.clear();
                    gone = 0;
                    let next = if room < MAX_LINE {
                        Err(Ok(Progress::Waiting))
                    } else {
                        self.next_line(&mut line)
                    };
                    match next {
                        Err(last) => end = Some(last),
                        Ok(()) => {
                            if let Some(page) = page {
                                line = wire::recode(page, &line);
                            }
                            line.text("\r\n");
                        }
                    }
                }
            });
            if end.is_some() {
                break;
            }
        }
        end.unwrap_or(Ok(Progress::Waiting))
    }
}

fn finish(transfer: &mut Transfer, data: &mut dyn DataLink) {
    transfer.stage = Stage::Close;
    if !transfer.listing.on_control {
        data.close();
        transfer.stage = Stage::Drain;
    }
}
