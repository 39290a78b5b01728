//! Walks a directory for LIST, NLST, MLSD and STAT, and sends a line for each entry that is asked for.
//!
//! May call `vfs`.

use super::client::{Client, Context};
use super::link::{ControlLink, DataLink, DataState};
use super::listing::{Format, View};
use super::reply::{Line, MAX_REPLY, Refusal};
use super::transfer::{BROKEN_OFF, Progress, Stage, Transfer};
use super::wire;
use crate::vfs::FsError;
use crate::vfs::provider::{DirEntry, Kind};

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
    // Facts alone tell what the user may do, and he has to be looked up in the password file.
    let user = match transfer.listing.format {
        Format::Facts => client.user(cx.shared.users).ok(),
        Format::Long | Format::Names => None,
    };
    let view = View {
        now: cx.time,
        zone: cx.shared.settings.zone,
        user: user.as_ref(),
        directory: &client.path,
        clobber: cx.shared.settings.clobber_files,
        facts: client.facts,
    };
    let page = wire::code_page(cx.shared.settings.code_page);
    for _ in 0..ENTRIES {
        let room = if on_control { cx.control.room() } else { cx.data.room() };
        if room < if on_control { MAX_REPLY } else { MAX_LINE } {
            return Ok(Progress::Waiting);
        }
        let Some(entry) = next_entry(transfer, client, cx)? else {
            finish(transfer, cx.data);
            return Ok(Progress::Busy);
        };
        if !transfer.listing.shows(&entry) {
            continue;
        }
        let mut line = Line::new();
        if on_control {
            line.text(" ");
        }
        transfer.listing.write(&mut line, &entry, &view);
        // By reference: a line is a long thing to move.
        let sent = match page {
            _ if on_control => send_control(&mut line, cx.control),
            Some(page) => send_data(&mut wire::recode(page, &line), cx.data),
            None => send_data(&mut line, cx.data),
        };
        transfer.bytes = transfer.bytes.wrapping_add(sent);
    }
    Ok(Progress::Busy)
}

/// The directory's next entry, or the file alone.
fn next_entry(
    transfer: &mut Transfer,
    client: &Client,
    cx: &mut Context<'_, '_>,
) -> Result<Option<DirEntry>, Refusal> {
    if let Some(dir) = transfer.listing.dir {
        return Ok(cx.files.read_dir(dir)?);
    }
    // `carry` says that the one line is sent.
    if transfer.carry {
        return Ok(None);
    }
    let place = client.resolve(cx.shared.users, &client.path)?;
    let attributes = cx.files.attributes(&place)?;
    transfer.carry = true;
    Ok(client.path.names().last().map(|&name| DirEntry { name, attributes }))
}

fn finish(transfer: &mut Transfer, data: &mut dyn DataLink) {
    transfer.stage = Stage::Close;
    if !transfer.listing.on_control {
        data.close();
        transfer.stage = Stage::Drain;
    }
}

fn send_control(line: &mut Line, control: &mut dyn ControlLink) -> u32 {
    line.send(control);
    line.as_bytes().len() as u32
}

/// Queues a line, in two pieces where the send buffer's end comes in between.
fn send_data(line: &mut Line, data: &mut dyn DataLink) -> u32 {
    line.text("\r\n");
    let bytes = line.as_bytes();
    let mut sent = 0;
    for _ in 0..2 {
        let rest = bytes.get(sent..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        data.send(&mut |buffer| {
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            sent += length;
            length
        });
    }
    sent as u32
}
