//! What starts and ends a transfer: RETR, STOR, STOU, APPE, LIST, NLST, MLSD, REST, ABOR.

use core::mem;

use super::connect::decimal;
use crate::ftp::client::{Client, Context, DataPlan};
use crate::ftp::listing::{Format, Listing};
use crate::ftp::reply::{Line, Refusal};
use crate::ftp::transfer::{Job, Kind, StoreMode, Transfer};
use crate::vfs::{FsError, Name83, Permission};

const NO_CONNECTION: Refusal = Refusal::Reply(&(425, "Use PASV or PORT first"));

/// REST: where the next RETR, STOR or APPE begins, in bytes of the file (RFC 3659 section 5).
pub fn rest(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    client.restart = decimal(argument).ok_or(Refusal::SYNTAX)?;
    Line::new().reply(350).text("Restarting at ").number(client.restart.into()).send(cx.control);
    Ok(())
}

/// RETR.
pub fn retr(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    let offset = take_restart(client)?;
    client.name(name)?;
    start(client, cx, Kind::Retrieve, |transfer| transfer.offset = offset)
}

/// STOR: a new file, or the rest of one.
pub fn stor(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    let offset = take_restart(client)?;
    client.permit(Permission::Stor)?;
    let mode = match offset {
        0 if cx.shared.settings.clobber_files => StoreMode::Replace,
        0 => StoreMode::New,
        _ => {
            // It changes a file that is there, which is what APPE's permission is about.
            client.permit(Permission::Appe)?;
            StoreMode::Resume
        }
    };
    upload(client, cx, name, mode, offset)
}

/// APPE: to the end of a file, or a new one.
pub fn appe(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    let offset = take_restart(client)?;
    client.permit(Permission::Appe)?;
    let mode = if offset == 0 { StoreMode::Append } else { StoreMode::Resume };
    upload(client, cx, name, mode, offset)
}

/// STOU: a new file whose name we choose. An argument, which RFC 959 does not know but clients send, is
/// no wish that must be granted.
pub fn stou(client: &mut Client, cx: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    take_restart(client)?;
    client.permit(Permission::Stou)?;
    client.name(b"")?;
    check_incoming(client, cx, client.path.names())?;
    let seed = cx.time.to_seconds();
    start(client, cx, Kind::Store(StoreMode::Unique), |transfer| transfer.offset = seed)
}

fn upload(
    client: &mut Client,
    cx: &mut Context<'_, '_>,
    name: &[u8],
    mode: StoreMode,
    offset: u32,
) -> Result<(), Refusal> {
    client.name_new(name)?;
    check_incoming(client, cx, client.path.above())?;
    let mode = match mode {
        StoreMode::Resume if client.long.is_new() => return Err(FsError::NotFound.into()),
        // Whatever has its first alias is another's.
        _ if client.long.is_new() => StoreMode::New,
        mode => mode,
    };
    start(client, cx, Kind::Store(mode), |transfer| transfer.offset = offset)
}

/// Refuses a directory that is not for uploads. What counts is where the file would be, not where the
/// user is.
pub(super) fn check_incoming(
    client: &Client,
    cx: &Context<'_, '_>,
    directory: &[Name83],
) -> Result<(), Refusal> {
    match cx.shared.users.admits(client.rights()?, directory) {
        true => Ok(()),
        false => Err(Refusal::NOT_INCOMING),
    }
}

/// REST's offset, which counts bytes of the file and so makes no sense where line ends are converted.
fn take_restart(client: &mut Client) -> Result<u32, Refusal> {
    match mem::take(&mut client.restart) {
        0 => Ok(0),
        _ if client.ascii => Err(Refusal::Reply(&(504, "REST needs TYPE I"))),
        offset => Ok(offset),
    }
}

/// Starts a transfer whose object is the client's path.
fn start(
    client: &mut Client,
    cx: &mut Context<'_, '_>,
    kind: Kind,
    set: impl FnOnce(&mut Transfer),
) -> Result<(), Refusal> {
    if client.plan == DataPlan::None {
        return Err(NO_CONNECTION);
    }
    let mut transfer = Transfer::new(kind, client.ascii, cx.now);
    set(&mut transfer);
    client.job = Some(Job::Transfer(transfer));
    Ok(())
}

/// LIST.
pub fn list(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    list_as(client, cx, Format::Long, without_options(argument))
}

/// NLST.
pub fn nlst(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    list_as(client, cx, Format::Names, without_options(argument))
}

/// MLSD.
pub fn mlsd(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    list_as(client, cx, Format::Facts, argument)
}

fn list_as(
    client: &mut Client,
    cx: &mut Context<'_, '_>,
    format: Format,
    argument: &[u8],
) -> Result<(), Refusal> {
    client.restart = 0;
    let listing = locate(client, format, argument)?;
    start(client, cx, Kind::List, |transfer| transfer.listing = listing)
}

/// What a listing's argument asks for, of the client's path. With a long name in it, it is no pattern.
fn locate(client: &mut Client, format: Format, argument: &[u8]) -> Result<Listing, Refusal> {
    client.path.clone_from(&client.directory);
    match Listing::parse(format, &mut client.path, argument) {
        Err(Refusal::Path(_)) if client.long.on => {
            client.name(argument)?;
            Listing::parse(format, &mut client.path, b"")
        }
        other => other,
    }
}

/// STAT with a path: as LIST, on the control connection.
pub(super) fn list_here(
    client: &mut Client,
    cx: &mut Context<'_, '_>,
    argument: &[u8],
) -> Result<(), Refusal> {
    let argument = without_options(argument);
    let mut listing = locate(client, Format::Long, argument)?;
    listing.on_control = true;
    let mut transfer = Transfer::new(Kind::List, client.ascii, cx.now);
    transfer.listing = listing;
    client.job = Some(Job::Transfer(transfer));
    Ok(())
}

/// An argument without the options before it (`-al`), which many clients send and nobody needs.
fn without_options(mut argument: &[u8]) -> &[u8] {
    while let [b'-', ..] = argument {
        let end = argument.iter().position(|&b| b == b' ').map_or(argument.len(), |at| at + 1);
        argument = &argument[end..];
    }
    argument
}

/// ABOR: ends the transfer at once, which says 426, and then says 226 (RFC 959 section 4.1.3).
pub fn abor(client: &mut Client, cx: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    match &mut client.job {
        None => {
            cx.reply(226, "Abort successful");
            Ok(())
        }
        Some(job) => {
            job.fail(cx.data, Refusal::Reply(&(426, "Transfer aborted")));
            Err(Refusal::AGAIN)
        }
    }
}
