//! The password file (manual, "Setting up the password file"): who may log in, and what each may do.
//!
//! One user a line: `userid password sandbox_directory incoming_directory permissions`. There is no
//! table: the text stays in memory as it was read, and its lines are parsed when asked for.
//!
//! What the manual leaves open is decided so: userids are the same in any case of letters, as all names
//! are under DOS; passwords are not. Keywords (`[none]`, `[any]`, `[email]`, `all`, permissions) are
//! taken in any case. `#` as the first character of a line makes it a comment.

use core::fmt;

use super::lines::{Line, Lines, words};
use super::report::{Invalid, Message, Report, Severity};
use crate::text::Printable;
use crate::vfs::path::PathError;
use crate::vfs::{Incoming, Permission, Permissions, Sandbox, UserPath};

/// Characters that a userid or a password may have.
pub const MAX_LENGTH: usize = 10;

/// How a user proves who he is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Password<'a> {
    /// By this text.
    Text(&'a [u8]),
    /// By any text that is not blank: the user's address, for the log (`[email]`: anonymous FTP).
    Email,
}

impl Password<'_> {
    /// Whether `given`, PASS's argument, lets the user in. Takes as long for a wrong password as for the
    /// right one.
    pub fn admits(&self, given: &[u8]) -> bool {
        match self {
            Password::Email => !given.trim_ascii().is_empty(),
            Password::Text(text) => {
                let differences =
                    text.iter().zip(given).fold(0, |differences, (a, b)| differences | (a ^ b));
                text.len() == given.len() && differences == 0
            }
        }
    }
}

/// Keeps passwords out of every log.
impl fmt::Debug for Password<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Password::Text(_) => "Text(..)",
            Password::Email => "Email",
        })
    }
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User<'a> {
    /// Where in the file it is, from 1: for messages.
    pub line: u16,
    /// 1 to [`MAX_LENGTH`] printable bytes, as the file has them.
    pub name: &'a [u8],
    /// How the user logs in.
    pub password: Password<'a>,
    /// What the user sees.
    pub sandbox: Sandbox,
    /// Where the user may upload to, in the user's own names.
    pub incoming: Incoming,
    /// What else the user may do.
    pub permissions: Permissions,
}

/// The users of a password file.
#[derive(Debug, Clone, Copy)]
pub struct Users<'a> {
    text: &'a [u8],
}

impl<'a> Users<'a> {
    /// The users in `text`, the file's content. Lines with errors are no users.
    pub const fn new(text: &'a [u8]) -> Users<'a> {
        Users { text }
    }

    /// All users, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = User<'a>> {
        Lines::new(self.text).filter_map(|line| User::parse(line).ok())
    }

    /// The user called `name`, in any case of letters.
    pub fn find(&self, name: &[u8]) -> Option<User<'a>> {
        // Only the user's own line is worth parsing whole.
        Lines::new(self.text)
            .filter(|line| words(line.text).next().is_some_and(|w| w.eq_ignore_ascii_case(name)))
            .find_map(|line| User::parse(line).ok())
    }

    /// Reports everything that is wrong with the file, line by line, to `sink`; `file` is what messages
    /// call it.
    ///
    /// # Errors
    /// [`Invalid`] when there is an error, or no user at all.
    pub fn check(&self, file: &str, sink: &mut dyn FnMut(&Message<'_>)) -> Result<(), Invalid> {
        let mut report = Report::new(file, sink);
        let mut any_line = false;
        for line in Lines::new(self.text) {
            any_line = true;
            match User::parse(line) {
                Err(problem) => {
                    report.say(Severity::Error, Some(line.number), format_args!("{problem}"))
                }
                Ok(user) => self.check_user(&user, &mut report),
            }
        }
        if !any_line {
            report.say(
                Severity::Error,
                None,
                format_args!(
                    "there is no user in it, so nobody could log in. Add a line for each user, \
                     for example: guest secret [none] [any] all"
                ),
            );
        }
        report.finish()
    }

    /// What one line cannot see, and what is allowed but hardly meant.
    fn check_user(&self, user: &User<'_>, report: &mut Report<'_>) {
        let name = Printable(user.name);
        if let Some(first) = self.find(user.name)
            && first.line != user.line
        {
            report.say(
                Severity::Error,
                Some(user.line),
                format_args!(
                    "user {name} is in line {} already (case makes no difference). \
                     Remove one of the two lines",
                    first.line
                ),
            );
        }
        if user.password == Password::Email && !user.sandbox.is_restricted() {
            report.say(
                Severity::Warning,
                Some(user.line),
                format_args!(
                    "user {name} has no password ([email]) and no sandbox ([none]), so anybody can \
                     read every drive. Name a directory instead of [none]"
                ),
            );
        }
        if let Incoming::Within(incoming) = &user.incoming
            && user.sandbox.is_restricted()
            && incoming.is_within(user.sandbox.root())
        {
            report.say(
                Severity::Warning,
                Some(user.line),
                format_args!(
                    "the incoming directory {incoming} is looked for inside of the sandbox {0}. \
                     Leave {0} out of it",
                    user.sandbox.root()
                ),
            );
        }
    }
}

impl<'a> User<'a> {
    fn parse(line: Line<'a>) -> Result<User<'a>, Problem<'a>> {
        let mut fields = words(line.text);
        let mut field = |field: Field| fields.next().ok_or(Problem::Missing(field));
        let name = checked_length(field(Field::Userid)?, Field::Userid)?;
        let password = parse_password(field(Field::Password)?)?;
        let sandbox = parse_sandbox(field(Field::Sandbox)?)?;
        let incoming = parse_incoming(field(Field::Incoming)?, &sandbox)?;
        let permissions = parse_permissions(fields)?;
        Ok(User { line: line.number, name, password, sandbox, incoming, permissions })
    }
}

fn checked_length(text: &[u8], field: Field) -> Result<&[u8], Problem<'_>> {
    if text.len() > MAX_LENGTH {
        return Err(Problem::TooLong(field));
    }
    if text.iter().any(|b| b.is_ascii_control()) {
        return Err(Problem::ControlCharacter(field));
    }
    Ok(text)
}

fn parse_password(text: &[u8]) -> Result<Password<'_>, Problem<'_>> {
    if text.eq_ignore_ascii_case(b"[email]") {
        return Ok(Password::Email);
    }
    checked_length(text, Field::Password).map(Password::Text)
}

fn parse_sandbox(text: &[u8]) -> Result<Sandbox, Problem<'_>> {
    if text.eq_ignore_ascii_case(b"[none]") {
        return Ok(Sandbox::none());
    }
    full_path(text, Field::Sandbox)
        .and_then(|root| Sandbox::new(root).map_err(|why| Problem::Path(Field::Sandbox, text, why)))
}

fn parse_incoming<'a>(text: &'a [u8], sandbox: &Sandbox) -> Result<Incoming, Problem<'a>> {
    if text.eq_ignore_ascii_case(b"[any]") {
        return Ok(Incoming::Any);
    }
    let bad = |why| Problem::Path(Field::Incoming, text, why);
    let path = if sandbox.is_restricted() {
        UserPath::root().join(text).map_err(bad)?
    } else {
        full_path(text, Field::Incoming)?
    };
    let resolved = sandbox.resolve(&path).map_err(bad)?;
    // Without sandbox, / is the root of drives, where nothing can be stored.
    if resolved.drive().is_none() {
        return Err(bad(PathError::NoSuchDrive));
    }
    Ok(Incoming::Within(path))
}

/// A path in the form `/drive_X/path`.
fn full_path(text: &[u8], field: Field) -> Result<UserPath, Problem<'_>> {
    if text.first() != Some(&b'/') {
        return Err(Problem::NotAFullPath(field));
    }
    UserPath::root().join(text).map_err(|why| Problem::Path(field, text, why))
}

fn parse_permissions<'a>(
    words: impl Iterator<Item = &'a [u8]>,
) -> Result<Permissions, Problem<'a>> {
    let mut permissions = Permissions::NONE;
    for word in words {
        match Permission::from_keyword(word) {
            Some(permission) => permissions.insert(permission),
            None if word.eq_ignore_ascii_case(b"all") => permissions = Permissions::ALL,
            None => return Err(Problem::Permission(word)),
        }
    }
    Ok(permissions)
}

/// The fields that a line must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Userid,
    Password,
    Sandbox,
    Incoming,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Userid => "the userid (first field)",
            Field::Password => "the password (second field)",
            Field::Sandbox => "the sandbox directory (third field)",
            Field::Incoming => "the incoming directory (fourth field)",
        })
    }
}

/// What is wrong with a line. What stands in the place of a password is never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem<'a> {
    Missing(Field),
    TooLong(Field),
    ControlCharacter(Field),
    NotAFullPath(Field),
    Path(Field, &'a [u8], PathError),
    Permission(&'a [u8]),
}

/// With what to do about it.
impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Problem::Missing(field) => write!(
                f,
                "{field} is missing. A line reads: userid password sandbox incoming permissions, \
                 with [none] for no sandbox and [any] for uploads anywhere"
            ),
            Problem::TooLong(field) => {
                write!(f, "{field} has more than {MAX_LENGTH} characters. Choose a shorter one")
            }
            Problem::ControlCharacter(field) => {
                write!(f, "{field} has a control character in it. Type it anew")
            }
            Problem::NotAFullPath(field) => {
                let keyword = if field == Field::Sandbox { "[none]" } else { "[any]" };
                write!(
                    f,
                    "{field} must be {keyword} or a full path in the form /drive_c/dir, which \
                     stands for C:\\DIR"
                )
            }
            Problem::Path(field, text, why) => {
                write!(f, "{field} cannot be {}: {why}. ", Printable(text))?;
                f.write_str(match why {
                    PathError::NoSuchDrive => "Write it in the form /drive_c/dir",
                    _ => "Correct the path",
                })
            }
            Problem::Permission(word) => write!(
                f,
                "{} is no permission. Use all, or any of: dele mkd rmd rnfr stor appe stou",
                Printable(word)
            ),
        }
    }
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;
