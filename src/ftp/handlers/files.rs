//! DELE, RNFR, RNTO, SIZE, MDTM, MFMT, ALLO, AVBL (RFC 959 section 4.1.3, RFC 3659).

use super::connect::decimal;
use super::transfers::check_incoming;
use crate::config::{Rights, Users};
use crate::ftp::client::{Client, Context};
use crate::ftp::listing::write_utc;
use crate::ftp::reply::{Line, Refusal};
use crate::ftp::scan::Scan;
use crate::ftp::shared::Event;
use crate::ftp::transfer::Job;
use crate::time::DateTime;
use crate::vfs::path::PathError;
use crate::vfs::provider::{Kind, SetAttributes, Space};
use crate::vfs::{FsError, Permission, ResolvedPath, UserPath};

/// DELE.
pub fn dele(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    client.permit(Permission::Dele)?;
    client.name(name)?;
    let mut place = ResolvedPath::root();
    client.find(cx.shared.users, &mut place)?;
    cx.files.remove(&place)?;
    client.long.lose(cx.shared.gone, &place);
    client.note(cx, &Event::Changed { verb: "DELE", path: &client.path });
    cx.reply(250, "File deleted");
    Ok(())
}

/// RNFR: what is to be renamed must be there.
pub fn rnfr(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    client.renaming = false;
    client.permit(Permission::Rnfr)?;
    client.name(name)?;
    if client.path.is_root() {
        return Err(FsError::NotAllowed.into());
    }
    client.renames_directory = client.look(cx)?.kind == Kind::Directory;
    client.renaming = true;
    cx.reply(350, "Ready for RNTO");
    Ok(())
}

/// RNTO.
pub fn rnto(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    if !client.renaming {
        return Err(Refusal::Reply(&(503, "Send RNFR first")));
    }
    let users = cx.shared.users;
    // What RNFR named is the client's path.
    let mut path = UserPath::root();
    client.long.join(&mut path, &client.directory, name, true)?;
    let path = &path;
    if !keeps_upload_rule(users, client.rights()?, &client.path, path) {
        return Err(Refusal::NOT_INCOMING);
    }
    let (mut from, mut to) = (ResolvedPath::root(), ResolvedPath::root());
    client.find(users, &mut from)?;
    client.resolve(users, path, &mut to)?;
    let is_directory = client.renames_directory;
    let fits = to.is_directory_in_reach_of_dos() || to.is_file_in_reach_of_dos() && !is_directory;
    if !fits {
        return Err(PathError::TooDeep.into());
    }
    match cx.files.rename(&from, &to) {
        Err(FsError::Exists) if client.long.next().is_some() => return Err(Refusal::AGAIN),
        other => other?,
    }
    match is_directory {
        true => client.long.lose_all(cx.shared.gone),
        false => client.long.lose(cx.shared.gone, &from),
    }
    client.long.keep(&to, is_directory);
    client.note(cx, &Event::Changed { verb: "RNTO", path });
    client.done(cx.control, 250, "Renamed", path);
    Ok(())
}

/// Whether renaming leaves uploads where uploads may be: nothing moves to another directory that is not
/// for uploads, and the incoming directory itself stays what and where it is.
fn keeps_upload_rule(users: &Users<'_>, rights: &Rights, from: &UserPath, to: &UserPath) -> bool {
    let stays = from.above() == to.above() || users.admits(rights, to.above());
    stays && !users.holds_incoming(rights, from) && !users.holds_incoming(rights, to)
}

/// SIZE: bytes that RETR would send (RFC 3659 section 4). Text must be read through for that.
pub fn size(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    client.name(name)?;
    if client.ascii {
        client.job = Some(Job::Scan(Scan::size()));
        return Ok(());
    }
    let attributes = client.look(cx)?;
    if attributes.kind != Kind::File {
        return Err(FsError::IsADirectory.into());
    }
    Line::new().reply(213).number(attributes.size.into()).send(cx.control);
    Ok(())
}

/// MDTM: the time of the last change in UTC (RFC 3659 section 3); with a time before the name it sets
/// that, which is older than MFMT and still what many clients send.
pub fn mdtm(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    if let Some((time, name)) = leading_time(argument) {
        set_time(client, cx, time, name)?;
        let mut line = Line::new();
        line.reply(213);
        write_utc(&mut line, time, crate::time::Zone(0));
        line.send(cx.control);
        return Ok(());
    }
    client.name(argument)?;
    let attributes = client.look(cx)?;
    let mut line = Line::new();
    line.reply(213);
    write_utc(&mut line, attributes.modified, cx.shared.settings.zone);
    line.send(cx.control);
    Ok(())
}

/// MFMT (draft-somers-ftp-mfxx).
pub fn mfmt(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    let (time, name) = leading_time(argument).ok_or(Refusal::SYNTAX)?;
    set_time(client, cx, time, name)?;
    let mut line = Line::new();
    line.reply(213).text("Modify=");
    write_utc(&mut line, time, crate::time::Zone(0));
    line.text("; ").path(&client.path).send(cx.control);
    Ok(())
}

/// Sets a time in UTC, for who may upload there.
pub(super) fn set_time(
    client: &mut Client,
    cx: &mut Context<'_, '_>,
    utc: DateTime,
    name: &[u8],
) -> Result<(), Refusal> {
    let modified = cx.shared.settings.zone.to_local(utc);
    change(client, cx, name, SetAttributes { modified: Some(modified), read_only: None })
}

/// Sets attributes of a file that the user could have uploaded.
pub(super) fn change(
    client: &mut Client,
    cx: &mut Context<'_, '_>,
    name: &[u8],
    set: SetAttributes,
) -> Result<(), Refusal> {
    client.permit(Permission::Stor).or_else(|_| client.permit(Permission::Appe))?;
    client.name(name)?;
    check_incoming(client, cx, client.path.above())?;
    let mut place = ResolvedPath::root();
    client.find(cx.shared.users, &mut place)?;
    Ok(cx.files.set_attributes(&place, &set)?)
}

/// `YYYYMMDDhhmmss`, perhaps with a fraction, a space, and the rest.
fn leading_time(argument: &[u8]) -> Option<(DateTime, &[u8])> {
    let space = argument.iter().position(|&b| b == b' ')?;
    let (stamp, name) = (&argument[..space], &argument[space + 1..]);
    Some((parse_time(stamp)?, name))
}

/// A time in UTC as `YYYYMMDDhhmmss[.sss]`.
pub(super) fn parse_time(stamp: &[u8]) -> Option<DateTime> {
    let (digits, fraction) = stamp.split_at_checked(14)?;
    if let [first, rest @ ..] = fraction
        && (*first != b'.' || rest.is_empty() || !rest.iter().all(u8::is_ascii_digit))
    {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to).and_then(decimal);
    let small = |from: usize| part(from, from + 2).and_then(|n| u8::try_from(n).ok());
    let time = DateTime {
        year: u16::try_from(part(0, 4)?).ok()?,
        month: small(4)?,
        day: small(6)?,
        hour: small(8)?,
        minute: small(10)?,
        second: small(12)?,
    };
    time.is_valid().then_some(time)
}

/// ALLO: whether there is room for so many bytes in the working directory (RFC 959 section 4.1.3).
pub fn allo(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    let first = argument.split(|&b| b == b' ').next().unwrap_or_default();
    let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    if !is_number {
        return Err(Refusal::SYNTAX);
    }
    // A number that does not fit in 32 bits is of a file that does not fit on FAT.
    let wanted = decimal(first).map_or(u64::MAX, u64::from);
    match space_at(client, cx, &client.directory)? {
        None => cx.reply(202, "No storage allocation is needed"),
        Some(space) if wanted > space.free => {
            return Err(Refusal::Reply(&(552, "Not so much room on this disk")));
        }
        Some(_) => cx.reply(200, "There is room for that"),
    }
    Ok(())
}

/// AVBL: bytes free on a directory's disk (draft-peterson-streamlined-ftp-command-extensions).
pub fn avbl(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    client.name(argument)?;
    let space = space_at(client, cx, &client.path)?.ok_or(FsError::NotAllowed)?;
    Line::new().reply(213).number(space.free).send(cx.control);
    Ok(())
}

/// Room on the disk on which `directory` is; `None` for the root that holds the drives.
pub(super) fn space_at(
    client: &Client,
    cx: &mut Context<'_, '_>,
    directory: &UserPath,
) -> Result<Option<Space>, Refusal> {
    let mut place = ResolvedPath::root();
    client.resolve(cx.shared.users, directory, &mut place)?;
    Ok(place.drive().map(|drive| cx.files.space(drive)).transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_parsed_strictly() {
        let time = DateTime { year: 2002, month: 7, day: 17, hour: 21, minute: 7, second: 15 };
        assert_eq!(leading_time(b"20020717210715 a b"), Some((time, &b"a b"[..])));
        assert_eq!(leading_time(b"20020717210715.123 x"), Some((time, &b"x"[..])));
        for wrong in [
            &b"20020717210715"[..],
            b"2002071721071 x",
            b"20021317210715 x",
            b"20020230210715 x",
            b"20020717240715 x",
            b"200207172107155 x",
            b"20020717210715. x",
            b"+0020717210715 x",
            b"file x",
        ] {
            assert_eq!(leading_time(wrong), None, "{wrong:?}");
        }
    }
}
