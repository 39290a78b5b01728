//! SITE: what this server has beyond the standard (manual, appendix A).

use super::files::{change, parse_time, set_time, space_at};
use crate::ftp::client::{Client, Context};
use crate::ftp::command;
use crate::ftp::reply::{Line, Refusal};
use crate::ftp::shared::{Activity, Who};
use crate::vfs::provider::SetAttributes;
use crate::vfs::{Drive, FsError};

/// One command of SITE.
struct SiteCommand {
    verb: &'static str,
    run: command::Handler,
    help: &'static str,
}

static TABLE: [SiteCommand; 6] = [
    SiteCommand { verb: "HELP", run: help, help: "this list" },
    SiteCommand { verb: "DISKFREE", run: diskfree, help: "[drive letter]: free disk space" },
    SiteCommand { verb: "STATS", run: stats, help: "statistics" },
    SiteCommand { verb: "WHO", run: who, help: "who is on line" },
    SiteCommand { verb: "CHMOD", run: chmod, help: "<mode> <file>: read-only or not" },
    SiteCommand { verb: "UTIME", run: utime, help: "YYYYMMDDhhmm[ss] <file>: set time, UTC" },
];

/// SITE.
pub fn site(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    let (verb, rest) = command::split(argument);
    let found = TABLE.iter().find(|c| verb.eq_ignore_ascii_case(c.verb.as_bytes()));
    match found {
        Some(command) => (command.run)(client, cx, rest),
        None => Err(Refusal::Reply(&(504, "Unknown SITE command; see SITE HELP"))),
    }
}

fn help(client: &mut Client, _: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    client.answer(help_line);
    Ok(())
}

fn help_line(_: &Client, _: &Context<'_, '_>, index: u16, line: &mut Line) -> Option<()> {
    match usize::from(index) {
        0 => line.text("214-SITE commands:"),
        n if n <= TABLE.len() => {
            let command = TABLE.get(n - 1)?;
            line.text(" SITE ").text(command.verb).text(" ").text(command.help)
        }
        n if n == TABLE.len() + 1 => line.text("214 End"),
        _ => return None,
    };
    Some(())
}

/// SITE DISKFREE: of the working directory's disk, or of a drive that the user can see.
fn diskfree(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    match argument {
        [] => client.path.clone_from(&client.directory),
        [letter] | [letter, b':'] | [letter, b':', b'\\' | b'/'] => {
            // In a sandbox there are no drives.
            if client.rights()?.is_restricted() {
                return Err(FsError::NotFound.into());
            }
            let drive = Drive::new(*letter).ok_or(FsError::NotFound)?;
            client.path.clear();
            client.path.enter(drive.directory())?;
        }
        path => client.name(path)?,
    }
    let no_drive = Refusal::Reply(&(501, "Which drive? SITE DISKFREE C"));
    let space = space_at(client, cx, &client.path)?.ok_or(no_drive)?;
    let mut line = Line::new();
    line.reply(200)
        .path(&client.path)
        .text(": ")
        .number(space.free)
        .text(" bytes free of ")
        .number(space.total);
    line.send(cx.control);
    Ok(())
}

fn stats(client: &mut Client, _: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    client.answer(stats_line);
    Ok(())
}

/// Commands on a line of SITE STATS.
const STATS_COLUMNS: usize = 6;

fn stats_line(client: &Client, cx: &Context<'_, '_>, index: u16, line: &mut Line) -> Option<()> {
    let s = &*cx.shared.statistics;
    let rows = s.commands.chunks(STATS_COLUMNS);
    match usize::from(index) {
        0 => line.text("211-Statistics:"),
        1 => line.text(" Started ").show(&s.started).text(", now ").show(&cx.time),
        2 => numbers(
            line,
            " Sessions",
            &[
                ("so far", s.sessions.into()),
                ("active", s.active.into()),
                ("timed out", s.timeouts.into()),
                ("refused", s.refused.into()),
            ],
        ),
        3 => numbers(
            line,
            " Logins",
            &[("succeeded", s.logins.into()), ("failed", s.failed_logins.into())],
        ),
        4 => numbers(
            line,
            " Files",
            &[
                ("sent", s.files_sent.into()),
                ("received", s.files_received.into()),
                ("broken off", s.broken_off.into()),
            ],
        ),
        5 => numbers(line, " Bytes", &[("sent", s.bytes_sent), ("received", s.bytes_received)]),
        6 => network(line, cx),
        7 => addresses(line, cx),
        n if n - 8 < rows.len() => {
            let first = (n - 8) * STATS_COLUMNS;
            for (command, count) in
                command::TABLE.iter().zip(&s.commands).skip(first).take(STATS_COLUMNS)
            {
                line.text(" ").text(command.verb).text(" ").number((*count).into());
            }
            line
        }
        n => {
            let at = n - 8 - rows.len();
            let mut found = found(client, cx).split_inclusive(|&byte| byte == b'\n');
            let count = found.clone().count();
            match found.nth(at) {
                Some(text) => line.text(" ").bytes(text.trim_ascii_end()),
                None if at == count => line.text("211 End"),
                None => return None,
            }
        }
    };
    Some(())
}

/// What the start found. Who is kept in a sandbox is not told what there is beside it.
fn found<'c>(client: &Client, cx: &Context<'c, '_>) -> &'c [u8] {
    match client.rights() {
        Ok(rights) if !rights.is_restricted() => cx.shared.found,
        _ => &[],
    }
}

fn addresses<'l>(line: &'l mut Line, cx: &Context<'_, '_>) -> &'l mut Line {
    line.text(" Address:");
    if let Some(address) = cx.shared.network.figures().address {
        line.text(" ").address(address);
    }
    if let Some(address) = cx.shared.settings.nameserver {
        line.text(", name server ").address(address);
    }
    line
}

fn network<'l>(line: &'l mut Line, cx: &Context<'_, '_>) -> &'l mut Line {
    let figures = cx.shared.network.figures();
    let free = figures.sockets.saturating_sub(figures.sockets_used);
    numbers(line, " Sockets", &[("used", figures.sockets_used.into()), ("free", free.into())]);
    numbers(
        line,
        "; packets",
        &[
            ("in", figures.packets_in.into()),
            ("out", figures.packets_out.into()),
            ("bad", figures.errors_in.into()),
            ("not sent", figures.errors_out.into()),
            ("lost", figures.lost.into()),
        ],
    )
}

fn numbers<'l>(line: &'l mut Line, title: &str, list: &[(&str, u64)]) -> &'l mut Line {
    line.text(title).text(":");
    for (index, (name, number)) in list.iter().enumerate() {
        line.text(if index == 0 { " " } else { ", " }).number(*number).text(" ").text(name);
    }
    line
}

fn who(client: &mut Client, _: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    client.answer(who_line);
    Ok(())
}

fn who_line(_: &Client, cx: &Context<'_, '_>, index: u16, line: &mut Line) -> Option<()> {
    let count = cx.shared.who.len();
    match usize::from(index) {
        0 => line.text("211-Who is on line:"),
        n if n <= count => {
            match cx.shared.who.get(n - 1)? {
                Some(who) => write_who(line, who, cx),
                // Slots without a session have no line; an empty one is not sent.
                None => return Some(()),
            }
            line
        }
        n if n == count + 1 => line.text("211 End"),
        _ => return None,
    };
    Some(())
}

fn write_who(line: &mut Line, who: &Who, cx: &Context<'_, '_>) {
    line.text(" ");
    if who.user.is_empty() {
        line.text("(not logged in)");
    } else {
        line.bytes(&who.user);
    }
    let minutes = cx.now.since(who.since) / 60_000;
    line.text(" from ").address(*who.peer.ip()).text(", ").number(minutes).text(" min, ");
    line.text(match who.activity {
        Activity::Idle => "idle",
        Activity::Sending => "downloading",
        Activity::Receiving => "uploading",
        Activity::Listing => "listing",
        Activity::Reading => "checking a file",
    });
}

/// SITE CHMOD: FAT has one bit of what Unix modes say, whether the file can be written.
fn chmod(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    let (mode, name) = command::split(argument);
    let octal = mode.iter().all(|digit| (b'0'..=b'7').contains(digit));
    if !(3..=4).contains(&mode.len()) || !octal || name.is_empty() {
        return Err(Refusal::SYNTAX);
    }
    // The owner's w bit: the third digit from the right.
    let writable = mode.get(mode.len() - 3).is_some_and(|digit| digit & 2 != 0);
    change(client, cx, name, SetAttributes { modified: None, read_only: Some(!writable) })?;
    cx.reply(200, if writable { "The file can be written" } else { "The file is read-only" });
    Ok(())
}

/// SITE UTIME, in its two usual forms: `YYYYMMDDhhmm[ss] file`, and `file` with three times and UTC, of
/// which the second is the time of the last change.
fn utime(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    let (stamp, name) = match argument.strip_suffix(b" UTC") {
        Some(long) => {
            let mut words = long.rsplitn(4, |&b| b == b' ');
            let (_created, modified) = (words.next(), words.next());
            let (_accessed, name) = (words.next(), words.next());
            (modified.ok_or(Refusal::SYNTAX)?, name.ok_or(Refusal::SYNTAX)?)
        }
        None => command::split(argument),
    };
    let mut digits = *b"00000000000000";
    if !matches!(stamp.len(), 12 | 14) || name.is_empty() {
        return Err(Refusal::SYNTAX);
    }
    digits.get_mut(..stamp.len()).ok_or(Refusal::SYNTAX)?.copy_from_slice(stamp);
    let time = parse_time(&digits).ok_or(Refusal::SYNTAX)?;
    set_time(client, cx, time, name)?;
    cx.reply(200, "Time set");
    Ok(())
}
