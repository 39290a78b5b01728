//! The password file (manual, "Setting up the password file"): who may log in, and what each may do.
//!
//! One user a line: `userid password sandbox_directory incoming_directory permissions`. There is no
//! table: the text stays in memory as it was read, and its lines are parsed when asked for. Who has logged
//! in keeps his [`Rights`], which say where in the text his directories are.
//!
//! What the manual leaves open is decided so: userids are the same in any case of letters, as all names
//! are under DOS; passwords are not. Keywords (`[none]`, `[any]`, `[email]`, `all`, permissions) are
//! taken in any case. `#` as the first character of a line makes it a comment.

use core::fmt;

use super::lines::{self, Line, Lines, words};
use super::report::{Invalid, Message, Report, Severity};
use crate::text::Printable;
use crate::vfs::path::PathError;
use crate::vfs::{Name83, Permission, Permissions, ResolvedPath, Sandbox, UserPath};

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
    /// The directory that the user sees as `/`, as the file has it and as one writes it who sees all drives; `None`
    /// for all drives.
    pub sandbox: Option<&'a [u8]>,
    /// Where the user may upload to, as the file has it and the user himself writes it; `None` for anywhere.
    pub incoming: Option<&'a [u8]>,
    /// What else the user may do.
    pub permissions: Permissions,
}

/// What a user may see and do, in few bytes: for as long as he is logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    sandbox: Option<Span>,
    incoming: Option<Span>,
    /// What else the user may do.
    pub permissions: Permissions,
}

/// A field's place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u16,
    length: u16,
}

impl Rights {
    /// Whether the user is kept in a sandbox.
    pub fn is_restricted(&self) -> bool {
        self.sandbox.is_some()
    }
}

/// The users of a password file, which has up to 64 KB.
#[derive(Debug, Clone, Copy)]
pub struct Users<'a> {
    text: &'a [u8],
    /// Where the first user is, behind what explains the file, and the lines before him.
    first: u16,
    above: u16,
}

impl<'a> Users<'a> {
    /// The users in `text`, the file's content. Lines with errors are no users.
    pub fn new(text: &'a [u8]) -> Users<'a> {
        let text = lines::content(text);
        let (first, above) = match Lines::from(text, 0, 0).next() {
            Some(line) => (offset(text, line.text), line.number - 1),
            None => (0, 0),
        };
        Users { text, first, above }
    }

    fn lines(&self) -> Lines<'a> {
        Lines::from(self.text, self.first, self.above)
    }

    /// All users, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = User<'a>> {
        self.lines().filter_map(|line| User::parse(line).ok())
    }

    /// The user called `name`, in any case of letters.
    pub fn find(&self, name: &[u8]) -> Option<User<'a>> {
        // Only the user's own line is worth parsing whole.
        self.lines()
            .filter(|line| words(line.text).next().is_some_and(|w| w.eq_ignore_ascii_case(name)))
            .find_map(|line| User::parse(line).ok())
    }

    /// The rights of a user of this file.
    pub fn rights(&self, user: &User<'_>) -> Rights {
        let span =
            |field: &[u8]| Span { start: offset(self.text, field), length: field.len() as u16 };
        Rights {
            sandbox: user.sandbox.map(span),
            incoming: user.incoming.map(span),
            permissions: user.permissions,
        }
    }

    /// What who has `rights` sees.
    pub fn sandbox(&self, rights: &Rights) -> Sandbox<'_> {
        Sandbox::of(rights.sandbox.map(|span| self.text_at(span)))
    }

    /// Whether who has `rights` may upload to the directory that these names lead to, his own.
    pub fn admits(&self, rights: &Rights, directory: &[Name83]) -> bool {
        self.compare_incoming(rights, |incoming| directory.starts_with(incoming)).unwrap_or(true)
    }

    /// Whether `directory` is, or is above, the only directory to which who has `rights` may upload.
    pub fn holds_incoming(&self, rights: &Rights, directory: &UserPath) -> bool {
        let is_above = |incoming: &[Name83]| incoming.starts_with(directory.names());
        self.compare_incoming(rights, is_above).unwrap_or(false)
    }

    /// What `test` says of the only directory to which who has `rights` may upload; `None`: he has no such one.
    #[inline(never)]
    fn compare_incoming(
        &self,
        rights: &Rights,
        test: impl FnOnce(&[Name83]) -> bool,
    ) -> Option<bool> {
        let mut incoming = UserPath::root();
        // That it is a path was found out at the start.
        let is_path = incoming.go(self.text_at(rights.incoming?)).is_ok();
        Some(is_path && test(incoming.names()))
    }

    fn text_at(&self, Span { start, length }: Span) -> &[u8] {
        let field = self.text.get(start.into()..).and_then(|rest| rest.get(..length.into()));
        // A span is of this text: `rights` made it.
        field.unwrap_or_default()
    }

    /// Reports everything that is wrong with the file, line by line, to `sink`; `file` is what messages
    /// call it.
    ///
    /// # Errors
    /// [`Invalid`] when there is an error, or no user at all.
    pub fn check(&self, file: &str, sink: &mut dyn FnMut(&Message<'_>)) -> Result<(), Invalid> {
        let mut report = Report::new(file, sink);
        let mut any_line = false;
        for line in self.lines() {
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
    #[inline(never)]
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
        if user.password == Password::Email && user.sandbox.is_none() {
            report.say(
                Severity::Warning,
                Some(user.line),
                format_args!(
                    "user {name} has no password ([email]) and no sandbox ([none]), so anybody can \
                     read every drive. Name a directory instead of [none]"
                ),
            );
        }
        check_nesting(user, report);
    }
}

/// What looks as if the sandbox were named twice.
#[inline(never)]
fn check_nesting(user: &User<'_>, report: &mut Report<'_>) {
    let (Some(root), Some(text)) = (user.sandbox, user.incoming) else { return };
    let (mut sandbox, mut incoming) = (UserPath::root(), UserPath::root());
    if sandbox.go(root).is_err() || incoming.go(text).is_err() || !incoming.is_within(&sandbox) {
        return;
    }
    report.say(
        Severity::Warning,
        Some(user.line),
        format_args!(
            "the incoming directory {incoming} is looked for inside of the sandbox {sandbox}. \
             Leave {sandbox} out of it"
        ),
    );
}

impl<'a> User<'a> {
    fn parse(line: Line<'a>) -> Result<User<'a>, Problem<'a>> {
        let mut fields = words(line.text);
        let mut field = |field: Field| fields.next().ok_or(Problem::Missing(field));
        let name = checked_length(field(Field::Userid)?, Field::Userid)?;
        let password = parse_password(field(Field::Password)?)?;
        let sandbox = field(Field::Sandbox)?;
        let incoming = field(Field::Incoming)?;
        check_directories(sandbox, incoming)?;
        let permissions = parse_permissions(fields)?;
        Ok(User {
            line: line.number,
            name,
            password,
            sandbox: unless(sandbox, NO_SANDBOX),
            incoming: unless(incoming, ANYWHERE),
            permissions,
        })
    }

    /// What the user sees.
    pub fn sandbox(&self) -> Sandbox<'a> {
        Sandbox::of(self.sandbox)
    }
}

/// Where in `text` a part of it begins.
fn offset(text: &[u8], part: &[u8]) -> u16 {
    part.as_ptr().addr().wrapping_sub(text.as_ptr().addr()) as u16
}

/// Instead of a sandbox.
const NO_SANDBOX: &[u8] = b"[none]";
/// Instead of an incoming directory.
const ANYWHERE: &[u8] = b"[any]";

fn unless<'a>(text: &'a [u8], keyword: &[u8]) -> Option<&'a [u8]> {
    Some(text).filter(|text| !text.eq_ignore_ascii_case(keyword))
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

/// Whether sandbox and incoming directory are what they should be. A frame of its own: paths are large.
#[inline(never)]
fn check_directories<'a>(sandbox: &'a [u8], incoming: &'a [u8]) -> Result<(), Problem<'a>> {
    let sandbox = unless(sandbox, NO_SANDBOX);
    if let Some(text) = sandbox {
        check_full(text, Field::Sandbox)?;
    }
    let of_sandbox = |why| Problem::Path(Field::Sandbox, sandbox.unwrap_or_default(), why);
    let root = Sandbox::of(sandbox);
    let (mut path, mut place) = (UserPath::root(), ResolvedPath::root());
    root.resolve_in(&path, &mut place).map_err(of_sandbox)?;
    let Some(text) = unless(incoming, ANYWHERE) else { return Ok(()) };
    let bad = |why| Problem::Path(Field::Incoming, text, why);
    if !root.is_restricted() {
        check_full(text, Field::Incoming)?;
    }
    path.go(text).map_err(bad)?;
    root.resolve_in(&path, &mut place).map_err(bad)?;
    // Without sandbox, / is the root of drives, where nothing can be stored.
    place.drive().map(drop).ok_or(bad(PathError::NoSuchDrive))
}

/// Refuses what is not in the form `/drive_X/path`.
fn check_full(text: &[u8], field: Field) -> Result<(), Problem<'_>> {
    if text.first() == Some(&b'/') { Ok(()) } else { Err(Problem::NotAFullPath(field)) }
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
