//! USER, PASS, ACCT, REIN, SMNT, QUIT (RFC 959 section 4.1.1).

use crate::config::Password;
use crate::ftp::client::{Client, Context, Ending, GivenName, Login};
use crate::ftp::reply::{Line, Refusal};
use crate::ftp::shared::{Activity, Event, UserName};

/// Failed logins after which the connection ends.
const MAX_FAILURES: u8 = 3;

/// Milliseconds for which the reply to a failed login waits, times the failures so far.
const PENALTY: u64 = 1000;

/// Bytes of the MOTD file that go on one line of the reply; longer lines are continued on the next.
const MOTD_LINE: usize = 300;

/// USER: asks for the password, whether there is such a user or not.
pub fn user(client: &mut Client, cx: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    if client.is_logged_in() {
        return Err(Refusal::Reply(&(503, "You are logged in already")));
    }
    let email = cx.shared.users.find(name).is_some_and(|user| user.password == Password::Email);
    let length = name.len().min(16);
    client.login = Login::Named(GivenName::from_slice(&name[..length]).unwrap_or_default());
    cx.reply(331, if email { "send your email addr" } else { "send Password" });
    Ok(())
}

/// PASS: logs in, or waits a little and refuses.
pub fn pass(client: &mut Client, cx: &mut Context<'_, '_>, password: &[u8]) -> Result<(), Refusal> {
    let Login::Named(name) = &client.login else {
        return Err(match client.login {
            Login::As(..) => Refusal::Reply(&(503, "You are logged in already")),
            _ => Refusal::Reply(&(503, "Send USER first")),
        });
    };
    if client.penalty.is_some() {
        return fail(client, cx);
    }
    match cx.shared.users.find(name) {
        Some(user) if user.password.admits(password) => {
            let email = if user.password == Password::Email { password } else { &[] };
            let name = UserName::from_slice(user.name).unwrap_or_default();
            client.login = Login::As(name, cx.shared.users.rights(&user));
            admit(client, cx, email);
            Ok(())
        }
        _ => fail(client, cx),
    }
}

fn admit(client: &mut Client, cx: &mut Context<'_, '_>, email: &[u8]) {
    client.failures = 0;
    cx.shared.statistics.logins = cx.shared.statistics.logins.wrapping_add(1);
    client.note(cx, &Event::LoggedIn { email });
    client.update_who(cx, Activity::Idle);
    client.answer(welcome_line);
}

/// The MOTD, and at last "230 User logged in".
fn welcome_line(client: &Client, cx: &Context<'_, '_>, index: u16, line: &mut Line) -> Option<()> {
    let mut lines = motd_lines(cx.shared.motd).skip(index.into());
    match (lines.next(), index) {
        (Some(text), _) => {
            line.first(230).bytes(text);
            Some(())
        }
        // One more line than the MOTD has.
        (None, index) if usize::from(index) == motd_lines(cx.shared.motd).count() => {
            line.reply(230).text("User ").bytes(client.user_name()).text(" logged in");
            Some(())
        }
        (None, _) => None,
    }
}

/// The MOTD file's lines, however they end, without control bytes in front of a terminal's eyes: the
/// file is the administrator's own, so only line ends and DOS's end of file (Ctrl-Z) are looked at.
fn motd_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = text.iter().position(|&b| b == 0x1A).unwrap_or(text.len());
    let text = &text[..end];
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    // An empty file has no lines, where split() sees one.
    let wanted = if text.is_empty() { 0 } else { usize::MAX };
    text.split(|&b| b == b'\n')
        .take(wanted)
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .flat_map(|line| {
            let pieces = line.len().div_ceil(MOTD_LINE).max(1);
            (0..pieces).map(move |piece| {
                let start = piece * MOTD_LINE;
                &line[start..line.len().min(start + MOTD_LINE)]
            })
        })
}

/// Refuses a login, after a time in which nobody else waits.
fn fail(client: &mut Client, cx: &mut Context<'_, '_>) -> Result<(), Refusal> {
    match client.penalty {
        None => {
            client.failures += 1;
            client.penalty = Some(cx.now.plus(PENALTY * u64::from(client.failures)));
            return Err(Refusal::Wait);
        }
        Some(due) if cx.now < due => return Err(Refusal::Wait),
        Some(_) => client.penalty = None,
    }
    cx.shared.statistics.failed_logins = cx.shared.statistics.failed_logins.wrapping_add(1);
    if let Login::Named(name) = &client.login {
        client.note(cx, &Event::LoginFailed { name });
    }
    client.login = Login::Nobody;
    if client.failures >= MAX_FAILURES {
        client.ending = Some(Ending::Close);
        return Err(Refusal::Reply(&(421, "Login failed too often, closing the connection")));
    }
    Err(Refusal::Reply(&(530, "Login failed")))
}

/// ACCT: nobody has an account beside the password.
pub fn acct(_: &mut Client, _: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    Err(Refusal::Reply(&(202, "No account is needed here")))
}

/// SMNT: drives are directories.
pub fn smnt(_: &mut Client, _: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    Err(Refusal::Reply(&(502, "Drives are directories here: use CWD")))
}

/// REIN: the user is logged out, the connection stays.
pub fn rein(client: &mut Client, cx: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    client.drop_data(cx);
    client.reset();
    client.connected = cx.now;
    client.update_who(cx, Activity::Idle);
    cx.reply(220, "Ready for a new user");
    Ok(())
}

/// QUIT.
pub fn quit(client: &mut Client, cx: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    cx.reply(221, "Goodbye");
    client.ending = Some(Ending::Close);
    Ok(())
}
