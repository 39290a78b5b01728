//! Events of sessions as lines of text, the same on screen, COM1 and in the log file.
//!
//! A line cannot be forged: everything that a client gave is shown by [`Printable`], and what follows
//! it is fixed text.

use core::fmt;

use crate::ftp::shared::{Direction, Event, Source};
use crate::text::Printable;

/// An event with whose it is: `10.0.0.7:1025 brutman sent /DRIVE_C/A.TXT: 700 bytes in 0.1 s, 7 KB/s`.
pub struct EventLine<'a> {
    /// Whose event it is.
    pub source: &'a Source<'a>,
    /// What happened.
    pub event: &'a Event<'a>,
}

impl fmt::Display for EventLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.source.user.is_empty() { b"-" } else { self.source.user };
        write!(f, "{} {} ", self.source.peer, Printable(user))?;
        match *self.event {
            Event::Connected => f.write_str("connected"),
            Event::LoggedIn { email: [] } => f.write_str("logged in"),
            Event::LoggedIn { email } => write!(f, "logged in as {:.60}", Printable(email)),
            Event::LoginFailed { name } => {
                write!(f, "failed to log in with the name {:.20}", Printable(name))
            }
            Event::Transferred { direction, path, bytes, ms, complete } => {
                let verb = match direction {
                    Direction::Sent => "was sent",
                    Direction::Received => "stored",
                };
                write!(f, "{verb} {path}: {bytes} bytes in {} s", Seconds(ms))?;
                if complete {
                    write!(f, ", {} KB/s", rate(bytes, ms))
                } else {
                    f.write_str(", broken off")
                }
            }
            Event::Changed { verb, path } => write!(f, "{verb} {path}"),
            Event::TimedOut => f.write_str("timed out"),
            Event::Disconnected => f.write_str("disconnected"),
        }
    }
}

/// Milliseconds as seconds with one decimal.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Transfers are shorter than 49 days: 32-bit division, of which a 386 is capable itself.
        let tenths = u32::try_from(self.0 / 100).unwrap_or(u32::MAX);
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

/// Kilobytes (1024 bytes) a second.
fn rate(bytes: u32, ms: u64) -> u64 {
    u64::from(bytes) * 1000 / 1024 / ms.max(1)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::vfs::UserPath;
    use core::net::{Ipv4Addr, SocketAddrV4};
    use std::string::ToString;

    fn line(user: &[u8], event: &Event<'_>) -> std::string::String {
        let peer = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 7), 1025);
        EventLine { source: &Source { slot: 0, peer, user }, event }.to_string()
    }

    #[test]
    fn lines_say_who_and_what() {
        let path = UserPath::root().join(b"/drive_c/a.txt").unwrap();
        let event = Event::Transferred {
            direction: Direction::Received,
            path: &path,
            bytes: 20_480,
            ms: 2_050,
            complete: true,
        };
        assert_eq!(
            line(b"brutman", &event),
            "10.0.0.7:1025 brutman stored /DRIVE_C/A.TXT: 20480 bytes in 2.0 s, 9 KB/s"
        );
        assert_eq!(line(b"", &Event::Connected), "10.0.0.7:1025 - connected");
    }

    #[test]
    fn names_cannot_forge_a_line() {
        let shown = line(b"", &Event::LoginFailed { name: b"x\r\n1 root logged in\x1b[2J" });
        assert!(shown.bytes().all(|b| (b' '..=b'~').contains(&b)), "{shown}");
    }
}
