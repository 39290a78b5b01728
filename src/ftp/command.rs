//! The commands: one table with everything that is the same for all of them.
//!
//! May call the handlers.

use super::client::{Client, Context};
use super::handlers::{connect, files, hash, info, login, navigate, site, transfers};
use super::reply::Refusal;

/// Carries a command out: `Ok` when it has replied, or has started a transfer or a longer reply.
/// [`Refusal::AGAIN`] has it run again in the next step with the same argument.
pub type Handler = fn(&mut Client, &mut Context<'_, '_>, &[u8]) -> Result<(), Refusal>;

/// What holds for a command before it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules(u8);

impl Rules {
    const NONE: Rules = Rules(0);
    /// Only for who has logged in; others get 530.
    const LOGIN: Rules = Rules(1);
    /// Runs while a transfer is under way; all others wait for its end.
    const ANYTIME: Rules = Rules(2);
    /// Needs an argument; without one it gets 501.
    const ARGUMENT: Rules = Rules(4);
    /// Gives something a name: errors of the name are 553 instead of 550.
    const NAMING: Rules = Rules(8);

    const fn and(self, other: Rules) -> Rules {
        Rules(self.0 | other.0)
    }

    const fn has(self, rule: Rules) -> bool {
        self.0 & rule.0 != 0
    }
}

/// One command.
pub struct Command {
    /// Its name, upper case.
    pub verb: &'static str,
    pub(super) run: Handler,
    rules: Rules,
    /// For HELP: argument and purpose.
    pub help: &'static str,
}

impl Command {
    /// Whether it is only for who has logged in.
    pub fn needs_login(&self) -> bool {
        self.rules.has(Rules::LOGIN)
    }

    /// Whether it runs while a transfer is under way.
    pub fn is_for_any_time(&self) -> bool {
        self.rules.has(Rules::ANYTIME)
    }

    /// Whether it needs an argument.
    pub fn needs_argument(&self) -> bool {
        self.rules.has(Rules::ARGUMENT)
    }

    /// Whether it gives something a name (RFC 959 page 43: 553).
    pub fn is_naming(&self) -> bool {
        self.rules.has(Rules::NAMING)
    }
}

const fn command(verb: &'static str, rules: Rules, run: Handler, help: &'static str) -> Command {
    Command { verb, run, rules, help }
}

const FREE: Rules = Rules::NONE;
const USER: Rules = Rules::LOGIN;
const WITH_NAME: Rules = Rules::LOGIN.and(Rules::ARGUMENT);
const NEW_NAME: Rules = WITH_NAME.and(Rules::NAMING);

/// All commands, in the order in which HELP and SITE STATS show them.
pub static TABLE: [Command; 54] = [
    command("USER", Rules::ARGUMENT, login::user, "<name>: log in, first part"),
    command("PASS", FREE, login::pass, "<password>: log in, second part"),
    command("ACCT", FREE, login::acct, "not needed here"),
    command("REIN", FREE, login::rein, "start again with USER"),
    command("QUIT", FREE, login::quit, "end the session"),
    command("CWD", WITH_NAME, navigate::cwd, "<directory>: change directory"),
    command("XCWD", WITH_NAME, navigate::cwd, "<directory>: change directory"),
    command("CDUP", USER, navigate::cdup, "go up one directory"),
    command("XCUP", USER, navigate::cdup, "go up one directory"),
    command("PWD", USER, navigate::pwd, "show the directory"),
    command("XPWD", USER, navigate::pwd, "show the directory"),
    command("SMNT", USER, login::smnt, "not needed here: use CWD /drive_x"),
    command("MKD", WITH_NAME, navigate::mkd, "<directory>: make a directory"),
    command("XMKD", WITH_NAME, navigate::mkd, "<directory>: make a directory"),
    command("RMD", WITH_NAME, navigate::rmd, "<directory>: remove an empty directory"),
    command("XRMD", WITH_NAME, navigate::rmd, "<directory>: remove an empty directory"),
    command("DELE", WITH_NAME, files::dele, "<file>: delete a file"),
    command("RNFR", WITH_NAME, files::rnfr, "<name>: rename, first part"),
    command("RNTO", NEW_NAME, files::rnto, "<name>: rename, second part"),
    command("SIZE", WITH_NAME, files::size, "<file>: bytes that RETR would send"),
    command("MDTM", WITH_NAME, files::mdtm, "[YYYYMMDDhhmmss] <file>: time of last change, UTC"),
    command("MFMT", WITH_NAME, files::mfmt, "YYYYMMDDhhmmss <file>: set time of last change, UTC"),
    command("PASV", USER, connect::pasv, "passive mode: the client connects"),
    command("EPSV", USER, connect::epsv, "[1|ALL]: passive mode (RFC 2428)"),
    command("PORT", WITH_NAME, connect::port, "h1,h2,h3,h4,p1,p2: active mode"),
    command("EPRT", WITH_NAME, connect::eprt, "|1|address|port|: active mode (RFC 2428)"),
    command("TYPE", WITH_NAME, connect::data_type, "A|I: text or binary transfers"),
    command("MODE", WITH_NAME, connect::mode, "S: transfer mode"),
    command("STRU", WITH_NAME, connect::stru, "F: file structure"),
    command("REST", WITH_NAME, transfers::rest, "<offset>: where the next transfer starts"),
    command("RETR", WITH_NAME, transfers::retr, "<file>: download"),
    command("STOR", NEW_NAME, transfers::stor, "<file>: upload"),
    command("STOU", USER, transfers::stou, "upload under a new name"),
    command("APPE", NEW_NAME, transfers::appe, "<file>: upload to the file's end"),
    command("ALLO", WITH_NAME, files::allo, "<bytes>: is there room on the disk?"),
    command("LIST", USER, transfers::list, "[path]: list files"),
    command("NLST", USER, transfers::nlst, "[path]: list names"),
    command("MLSD", USER, transfers::mlsd, "[directory]: list for programs (RFC 3659)"),
    command("MLST", USER, info::mlst, "[path]: one entry for programs (RFC 3659)"),
    command("ABOR", USER.and(Rules::ANYTIME), transfers::abor, "end the transfer"),
    command(
        "STAT",
        USER.and(Rules::ANYTIME),
        info::stat,
        "[path]: status, or list on this connection",
    ),
    command("NOOP", Rules::ANYTIME, info::noop, "do nothing"),
    command("SYST", FREE, info::syst, "what system this is"),
    command("FEAT", FREE, info::feat, "features"),
    command("OPTS", Rules::ARGUMENT, info::opts, "<command> [options]: options of a command"),
    command("CLNT", FREE, info::clnt, "<name>: the client's name"),
    command("HELP", FREE, info::help, "[command]: help"),
    command("SITE", WITH_NAME, site::site, "<command>: see SITE HELP"),
    command("AVBL", USER, files::avbl, "[directory]: bytes free on its disk"),
    command("HASH", WITH_NAME, hash::hash, "<file>: checksum, see OPTS HASH"),
    command("XCRC", WITH_NAME, hash::xcrc, "<file> [start [end]]: CRC32"),
    command("XMD5", WITH_NAME, hash::xmd5, "<file> [start [end]]: MD5"),
    command("XSHA1", WITH_NAME, hash::xsha1, "<file> [start [end]]: SHA-1"),
    command("XSHA256", WITH_NAME, hash::xsha256, "<file> [start [end]]: SHA-256"),
];

/// The command called `verb`, in any case of letters, and its place in [`TABLE`].
pub fn find(verb: &[u8]) -> Option<(usize, &'static Command)> {
    let first = verb.first()?.to_ascii_uppercase();
    let is_it = |command: &Command| {
        command.verb.as_bytes().first() == Some(&first)
            && verb.eq_ignore_ascii_case(command.verb.as_bytes())
    };
    TABLE.iter().enumerate().find(|(_, command)| is_it(command))
}

/// A line's verb and argument. One space divides them; everything else belongs to the argument, so a
/// name with spaces stays whole (and is refused whole).
pub fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|&b| b == b' ') {
        Some(space) => (&line[..space], &line[space + 1..]),
        None => (line, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_found_in_any_case_and_are_unique() {
        for (index, command) in TABLE.iter().enumerate() {
            assert_eq!(find(command.verb.to_ascii_lowercase().as_bytes()).unwrap().0, index);
        }
        assert!(find(b"").is_none());
        assert!(find(b"STORE").is_none());
    }

    #[test]
    fn an_argument_keeps_its_spaces() {
        assert_eq!(split(b"STOR a b.txt"), (&b"STOR"[..], &b"a b.txt"[..]));
        assert_eq!(split(b"CWD  x "), (&b"CWD"[..], &b" x "[..]));
        assert_eq!(split(b"NOOP"), (&b"NOOP"[..], &b""[..]));
    }
}
