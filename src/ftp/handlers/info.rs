//! STAT, MLST, NOOP, SYST, FEAT, OPTS, CLNT, HELP.

use super::transfers::list_here;
use crate::config::settings::CodePage;
use crate::ftp::client::{Client, Context, DataPlan};
use crate::ftp::command;
use crate::ftp::listing::{Facts, View, write_facts};
use crate::ftp::reply::{Line, Refusal};
use crate::ftp::scan::Algorithm;
use crate::ftp::transfer::Kind;

/// NOOP.
pub fn noop(_: &mut Client, cx: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    cx.reply(200, "NOOP command successful");
    Ok(())
}

/// SYST: what all builds of mTCP's server say (its manual says DOS): clients parse listings by it.
pub fn syst(_: &mut Client, cx: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    cx.reply(215, "UNIX Type: L8");
    Ok(())
}

/// CLNT: nice to know.
pub fn clnt(_: &mut Client, cx: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    cx.reply(200, "Noted");
    Ok(())
}

/// What FEAT lists, besides MLST, HASH and UTF8, whose lines depend on the session (RFC 2389).
const FEATURES: [&str; 10] =
    ["MDTM", "MFMT", "SIZE", "REST STREAM", "EPRT", "EPSV", "TVFS", "CLNT", "AVBL", "UTF8"];

/// FEAT.
pub fn feat(client: &mut Client, _: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    client.answer(feat_line);
    Ok(())
}

fn feat_line(client: &Client, cx: &Context<'_, '_>, index: u16, line: &mut Line) -> Option<()> {
    // The code page's UTF8 is the last of the list.
    let utf8 = usize::from(cx.shared.settings.code_page != CodePage::Raw);
    let shown = FEATURES.get(..FEATURES.len() - 1 + utf8)?;
    match usize::from(index) {
        0 => line.text("211-Features:"),
        1 => {
            line.text(" MLST ");
            for (index, name) in Facts::NAMES.iter().enumerate() {
                line.text(name).text(if client.facts.has(index) { "*;" } else { ";" });
            }
            line
        }
        2 => {
            line.text(" HASH ");
            for algorithm in Algorithm::ALL {
                line.text(algorithm.name());
                line.text(if algorithm == client.algorithm { "*;" } else { ";" });
            }
            line
        }
        n if n < shown.len() + 3 => line.text(" ").text(shown.get(n - 3)?),
        n if n == shown.len() + 3 => line.text("211 End"),
        _ => return None,
    };
    Some(())
}

/// OPTS: for MLST and UTF8.
pub fn opts(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    let (command, options) = command::split(argument);
    if command.eq_ignore_ascii_case(b"MLST") {
        client.facts = Facts::parse(options);
        let mut line = Line::new();
        line.reply(200).text("MLST OPTS ");
        for (index, name) in Facts::NAMES.iter().enumerate() {
            if client.facts.has(index) {
                line.text(name).text(";");
            }
        }
        line.send(cx.control);
        return Ok(());
    }
    if command.eq_ignore_ascii_case(b"HASH") {
        if !options.is_empty() {
            client.algorithm = Algorithm::parse(options)
                .ok_or(Refusal::Reply(&(501, "That algorithm is not supported")))?;
        }
        cx.reply(200, client.algorithm.name());
        return Ok(());
    }
    let utf8 = cx.shared.settings.code_page != CodePage::Raw;
    if command.eq_ignore_ascii_case(b"UTF8") && utf8 && !options.eq_ignore_ascii_case(b"OFF") {
        cx.reply(200, "UTF8 is always on");
        return Ok(());
    }
    Err(Refusal::Reply(&(501, "No such option")))
}

/// HELP, for all or for one command.
pub fn help(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    if argument.is_empty() {
        client.answer(help_line);
        return Ok(());
    }
    let (_, command) = command::find(argument).ok_or(Refusal::Reply(&(502, "Unknown command")))?;
    Line::new().reply(214).text(command.verb).text(" ").text(command.help).send(cx.control);
    Ok(())
}

/// Commands on a line of HELP.
const HELP_COLUMNS: usize = 8;

fn help_line(_: &Client, _: &Context<'_, '_>, index: u16, line: &mut Line) -> Option<()> {
    let rows = command::TABLE.chunks(HELP_COLUMNS);
    match usize::from(index) {
        0 => line.text("214-Commands:"),
        n if n <= rows.len() => {
            for command in rows.into_iter().nth(n - 1)? {
                line.text(" ").text(command.verb);
                for _ in command.verb.len()..6 {
                    line.text(" ");
                }
            }
            line
        }
        n if n == rows.len() + 1 => line.text("214 HELP <command> says more"),
        _ => return None,
    };
    Some(())
}

/// STAT: of the server, or as LIST.
pub fn stat(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    if argument.is_empty() {
        client.answer(stat_line);
        return Ok(());
    }
    if client.job.is_some() {
        return Err(Refusal::Wait);
    }
    list_here(client, cx, argument)
}

fn stat_line(client: &Client, cx: &Context<'_, '_>, index: u16, line: &mut Line) -> Option<()> {
    match index {
        0 => line.text("211-FTP server status:"),
        1 => line.text(" Connected from ").socket(client.peer),
        2 => line.text(" Logged in as ").bytes(client.user_name()),
        3 => {
            line.text(" TYPE: ").text(if client.ascii { "ASCII" } else { "BINARY" });
            line.text(", STRUcture: File, MODE: Stream")
        }
        4 => write_data_state(line, client),
        5 => line.text(" Session time-out: ").number(cx.shared.settings.session_timeout_s.into()),
        6 => line.text("211 End of status"),
        _ => return None,
    };
    Some(())
}

fn write_data_state<'l>(line: &'l mut Line, client: &Client) -> &'l mut Line {
    line.text(" ");
    match (client.transfer(), client.plan) {
        (Some(transfer), _) => {
            line.text(match transfer.kind {
                Kind::Retrieve => "Sending ",
                Kind::Store(_) => "Receiving ",
                Kind::List => "Listing ",
            });
            line.path(&client.path).text(": ").number(transfer.bytes().into()).text(" bytes so far")
        }
        (None, DataPlan::None) => line.text("No data connection"),
        (None, DataPlan::Passive) => line.text("Data connection: passive, ready"),
        (None, DataPlan::Active(address)) => {
            line.text("Data connection: active to ").socket(address)
        }
    }
}

/// MLST: one entry's facts, with its absolute name (RFC 3659 section 7).
pub fn mlst(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    client.name(name)?;
    let attributes = client.look(cx)?;
    let view = View::of(&client.login, client.path.above(), client.facts, cx)?;
    Line::new().first(250).text("Entry:").send(cx.control);
    let mut line = Line::new();
    line.text(" ");
    write_facts(&mut line, &attributes, &view);
    line.path(&client.path).send(cx.control);
    cx.reply(250, "End");
    Ok(())
}
