//! CWD, CDUP, PWD, MKD, RMD (RFC 959 section 4.1.1 and appendix II).

use crate::ftp::client::{Client, Context};
use crate::ftp::reply::{Line, Refusal};
use crate::ftp::shared::Event;
use crate::vfs::path::PathError;
use crate::vfs::provider::Kind;
use crate::vfs::{FsError, Permission, ResolvedPath};

/// CWD: to a directory that is there.
pub fn cwd(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    client.name(name)?;
    if client.look(cx)?.kind != Kind::Directory {
        return Err(FsError::NotADirectory.into());
    }
    client.directory.clone_from(&client.path);
    Line::new().reply(250).quoted(&client.directory).text(" is current directory").send(cx.control);
    Ok(())
}

/// CDUP: as CWD (RFC 959 appendix II).
pub fn cdup(client: &mut Client, cx: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    cwd(client, cx, b"..")
}

/// PWD.
pub fn pwd(client: &mut Client, cx: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    Line::new().reply(257).quoted(&client.directory).text(" is current directory").send(cx.control);
    Ok(())
}

/// MKD: replies with the absolute name; 521 for a name that is taken (RFC 959 appendix II).
pub fn mkd(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    client.permit(Permission::Mkd)?;
    client.name_new(name)?;
    let mut place = ResolvedPath::root();
    client.find(cx.shared.users, &mut place)?;
    if !place.is_directory_in_reach_of_dos() {
        return Err(PathError::TooDeep.into());
    }
    match cx.files.make_dir(&place) {
        Err(FsError::Exists) if client.long.next().is_some() => return Err(Refusal::AGAIN),
        Err(FsError::Exists) => {
            let mut line = Line::new();
            line.first(521).quoted(&client.path).text(" exists already;").send(cx.control);
            cx.reply(521, "taking no action");
            return Ok(());
        }
        other => other?,
    }
    client.long.keep(&place, true);
    client.note(cx, &Event::Changed { verb: "MKD", path: &client.path });
    Line::new().reply(257).quoted(&client.path).text(" directory created").send(cx.control);
    Ok(())
}

/// RMD.
pub fn rmd(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    client.permit(Permission::Rmd)?;
    client.name(name)?;
    let mut place = ResolvedPath::root();
    client.find(cx.shared.users, &mut place)?;
    cx.files.remove_dir(&place)?;
    client.long.lose(cx.shared.gone, &place);
    client.note(cx, &Event::Changed { verb: "RMD", path: &client.path });
    cx.reply(250, "Directory removed");
    Ok(())
}
