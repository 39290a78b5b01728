//! From a PC with disks to a server with settings and users: finds and reads MTCP.CFG, the password
//! file and the MOTD file.
//!
//! Everything that can be wrong is said in words that name the file, the line or the hardware, and what
//! to do. May call `config`, `vfs` and `memory`.

use core::fmt::{self, Write};

use super::files::{self, ReadError};
use crate::config::{Message, Settings, Severity, User, Users, file_name};
use crate::memory::{Memory, OutOfMemory};
use crate::text::Printable;
use crate::vfs::provider::{FsError, Provider};
use crate::vfs::{Drive, ResolvedPath, UserPath};

/// Where MTCP.CFG is looked for, in this order, after the root of the drive that the PC was started
/// from.
const CONFIG_FILES: [&str; 4] =
    ["A:\\MTCP.CFG", "C:\\MTCP.CFG", "C:\\MTCP\\MTCP.CFG", "C:\\DOS\\MTCP.CFG"];

/// Largest configuration file, bytes.
const CONFIG_LIMIT: u32 = 16 * 1024;
/// Largest password file, bytes; it stays in memory.
const PASSWORD_LIMIT: u32 = 16 * 1024;
/// Largest MOTD file, bytes. The manual asks for 600 at most.
const MOTD_LIMIT: u32 = 4 * 1024;

/// What the administrator's files say.
pub struct Start<'a> {
    /// MTCP.CFG.
    pub settings: Settings,
    /// The password file.
    pub users: Users<'a>,
    /// The MOTD file's text; empty: there is none.
    pub motd: &'a [u8],
    /// Where the log file is.
    pub log_file: Option<&'a ResolvedPath>,
}

/// The start cannot go on; the reason was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CannotStart;

/// A line for screen and COM1, with whether it must catch the eye.
pub type Say<'s> = &'s mut dyn FnMut(fmt::Arguments<'_>, Severity);

/// Reads everything, from disks that are mounted in `files`; `boot` is the drive that the PC was started
/// from.
///
/// # Errors
/// [`CannotStart`], after every reason was told to `say`.
pub fn read<'a>(
    files: &mut dyn Provider,
    boot: Drive,
    memory: &mut impl Memory<'a>,
    say: Say<'_>,
) -> Result<&'a Start<'a>, CannotStart> {
    let start = place(memory).map_err(|error| no_memory(error, say))?;
    read_settings(files, boot, &mut start.settings, memory, say)?;
    start.users = read_users(files, boot, &start.settings, memory, say)?;
    start.motd = read_motd(files, boot, &start.settings, memory, say);
    start.log_file = locate_log(files, boot, &start.settings, memory, say)?;
    Ok(start)
}

// Not inlined, here and below: what these have on the stack, paths above all, must not stay.
/// What says nothing yet.
#[inline(never)]
fn place<'a>(memory: &mut impl Memory<'a>) -> Result<&'a mut Start<'a>, OutOfMemory> {
    let (settings, users) = (Settings::default(), Users::new(&[]));
    memory.place("the settings", Start { settings, users, motd: &[], log_file: None })
}

fn no_memory(error: OutOfMemory, say: Say<'_>) -> CannotStart {
    say(format_args!("ERROR: {error}"), Severity::Error);
    CannotStart
}

#[inline(never)]
fn read_settings<'a>(
    files: &mut dyn Provider,
    boot: Drive,
    settings: &mut Settings,
    memory: &mut impl Memory<'a>,
    say: Say<'_>,
) -> Result<(), CannotStart> {
    let mut on_boot_drive = heapless::String::<12>::new();
    // 11 characters.
    let _ = write!(on_boot_drive, "{boot}:\\MTCP.CFG");
    let names = [on_boot_drive.as_str()].into_iter().chain(CONFIG_FILES);
    for name in names {
        let Ok(path) = file_name::locate(name.as_bytes(), boot) else { continue };
        match files::read_whole(files, &path, CONFIG_LIMIT, "MTCP.CFG", memory) {
            Ok(text) => {
                say(format_args!("Settings from {name}"), Severity::Note);
                let mut sink =
                    |message: &Message<'_>| say(format_args!("{message}"), message.severity);
                let result = settings.read(text, name, &mut sink);
                memory.give_back(text);
                return result.map_err(|_| CannotStart);
            }
            Err(ReadError::File(
                FsError::NotFound | FsError::NotADirectory | FsError::NotReady,
            )) => {}
            Err(error) => return Err(unreadable(name, error, say)),
        }
    }
    say(
        format_args!(
            "ERROR: MTCP.CFG not found in {on_boot_drive} nor in the root of A: or C:, C:\\MTCP or \
             C:\\DOS. Put one on the boot floppy, for example with the two lines\n  \
             FTPSRV_PASSWORD_FILE {letter}:\\FTPPASS.TXT\n  FTPSRV_LOG_FILE C:\\FTPSRV.LOG",
            letter = boot
        ),
        Severity::Error,
    );
    Err(CannotStart)
}

#[inline(never)]
fn read_users<'a>(
    files: &mut dyn Provider,
    boot: Drive,
    settings: &Settings,
    memory: &mut impl Memory<'a>,
    say: Say<'_>,
) -> Result<Users<'a>, CannotStart> {
    let name = Printable(&settings.password_file);
    let users = Users::new(read_passwords(files, boot, settings, memory, say)?);
    let mut shown = heapless::String::<80>::new();
    // As long as the setting: it fits.
    let _ = write!(shown, "{name}");
    let mut sink = |message: &Message<'_>| say(format_args!("{message}"), message.severity);
    users.check(&shown, &mut sink).map_err(|_| CannotStart)?;
    check_directories(files, &users, &shown, say);
    say(format_args!("Password file looks reasonable."), Severity::Note);
    Ok(users)
}

#[inline(never)]
fn read_passwords<'a>(
    files: &mut dyn Provider,
    boot: Drive,
    settings: &Settings,
    memory: &mut impl Memory<'a>,
    say: Say<'_>,
) -> Result<&'a [u8], CannotStart> {
    let name = Printable(&settings.password_file);
    let path = located(&settings.password_file, "FTPSRV_PASSWORD_FILE", boot, say)?;
    say(format_args!("Opening password file at {name}"), Severity::Note);
    match files::read_whole(files, &path, PASSWORD_LIMIT, "the password file", memory) {
        Ok(text) => Ok(text),
        Err(ReadError::File(FsError::NotFound | FsError::NotADirectory | FsError::NotReady)) => {
            say(
                format_args!(
                    "ERROR: {name}: there is no such file. FTPSRV_PASSWORD_FILE in MTCP.CFG names it; \
                     put the password file there or correct the line"
                ),
                Severity::Error,
            );
            Err(CannotStart)
        }
        Err(error) => Err(unreadable_shown(name, error, say)),
    }
}

/// Sandbox and upload directories should be there. A missing one is a warning, not an error: the disk
/// may be exchanged, and the other users must be served.
#[inline(never)]
fn check_directories(files: &mut dyn Provider, users: &Users<'_>, file: &str, say: Say<'_>) {
    for user in users.iter() {
        let (name, line) = (Printable(user.name), user.line);
        if let Err(error) = check_directory(files, &user, b"/") {
            say(
                format_args!(
                    "Warning: {file} line {line}: the sandbox directory {} of user {name} cannot be used \
                     ({error}). The user finds nothing until it is there",
                    Shown(user.sandbox.unwrap_or_default()),
                ),
                Severity::Warning,
            );
            continue;
        }
        if let Some(incoming) = user.incoming
            && let Err(error) = check_directory(files, &user, incoming)
        {
            say(
                format_args!(
                    "Warning: {file} line {line}: the incoming directory {} of user {name} cannot \
                     be used ({error}). The user cannot upload until it is there",
                    Shown(incoming)
                ),
                Severity::Warning,
            );
        }
    }
}

/// Whether what `directory` means to a user is one. That it means something was found out before.
#[inline(never)]
fn check_directory(
    files: &mut dyn Provider,
    user: &User<'_>,
    directory: &[u8],
) -> Result<(), FsError> {
    let (mut path, mut place) = (UserPath::root(), ResolvedPath::root());
    match path.go(directory).and_then(|()| user.sandbox().resolve_in(&path, &mut place)) {
        Ok(()) => files::check_directory(files, &place),
        Err(_) => Ok(()),
    }
}

/// A path as the server sees it.
struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut path = UserPath::root();
        match path.go(self.0) {
            Ok(()) => path.fmt(f),
            Err(_) => Printable(self.0).fmt(f),
        }
    }
}

#[inline(never)]
fn read_motd<'a>(
    files: &mut dyn Provider,
    boot: Drive,
    settings: &Settings,
    memory: &mut impl Memory<'a>,
    say: Say<'_>,
) -> &'a [u8] {
    let Some(file) = &settings.motd_file else { return &[] };
    let Ok(path) = located(file, "FTPSRV_MOTD_FILE", boot, say) else { return &[] };
    match files::read_whole(files, &path, MOTD_LIMIT, "the MOTD file", memory) {
        Ok(text) => text,
        Err(error) => {
            say(
                format_args!(
                    "Warning: {}: {} (FTPSRV_MOTD_FILE in MTCP.CFG). Users get no message of the day",
                    Printable(file),
                    Reason(error)
                ),
                Severity::Warning,
            );
            &[]
        }
    }
}

/// The log file's place. That its drive is not served is a warning: the log matters less than the server.
#[inline(never)]
fn locate_log<'a>(
    files: &dyn Provider,
    boot: Drive,
    settings: &Settings,
    memory: &mut impl Memory<'a>,
    say: Say<'_>,
) -> Result<Option<&'a ResolvedPath>, CannotStart> {
    let Some(file) = &settings.log_file else { return Ok(None) };
    let Ok(path) = located(file, "FTPSRV_LOG_FILE", boot, say) else { return Ok(None) };
    let place = files::place(&path)
        .ok()
        .filter(|place| place.drive().is_some_and(|drive| files.drives().contains(drive)));
    let Some(place) = place else {
        say(
            format_args!(
                "Warning: {}: there is no such drive, so there is no log file. Correct \
                 FTPSRV_LOG_FILE in MTCP.CFG",
                Printable(file)
            ),
            Severity::Warning,
        );
        return Ok(None);
    };
    let place = memory.place("the log file", place).map_err(|error| no_memory(error, say))?;
    Ok(Some(place))
}

fn located(
    file: &[u8],
    keyword: &'static str,
    boot: Drive,
    say: Say<'_>,
) -> Result<UserPath, CannotStart> {
    file_name::locate(file, boot).map_err(|error| {
        say(
            format_args!(
                "ERROR: {keyword} {} in MTCP.CFG is no file name: {error}. Write it as C:\\DIR\\FILE.TXT",
                Printable(file)
            ),
            Severity::Error,
        );
        CannotStart
    })
}

fn unreadable(name: &str, error: ReadError, say: Say<'_>) -> CannotStart {
    unreadable_shown(Printable(name.as_bytes()), error, say)
}

fn unreadable_shown(name: Printable<'_>, error: ReadError, say: Say<'_>) -> CannotStart {
    say(format_args!("ERROR: {name}: {}", Reason(error)), Severity::Error);
    CannotStart
}

/// Why a file cannot be read, and what to do.
struct Reason(ReadError);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ReadError::File(error) => write!(f, "{error}. Check the file and the disk"),
            ReadError::TooLong(limit) => write!(f, "longer than {limit} bytes. Make it shorter"),
            ReadError::Memory(error) => write!(f, "{error}"),
        }
    }
}
