//! Events of sessions as lines of text, the same on screen, COM1 and in the log file.
//!
//! A line cannot be forged: nothing of it is a control byte, and what follows what a client gave is fixed
//! text.

use crate::ftp::reply::Line;
use crate::ftp::shared::{Direction, Event, Source};

/// Bytes of an address given as password, and of a name that is no user's, that are shown.
const EMAIL: usize = 60;
const NAME: usize = 20;

/// Writes an event with whose it is:
/// `10.0.0.7:1025 brutman was sent /DRIVE_C/A.TXT: 700 bytes in 0.1 s, 7 KB/s`.
pub fn write(line: &mut Line, source: &Source<'_>, event: &Event<'_>) {
    let user = if source.user.is_empty() { b"-" } else { source.user };
    line.socket(source.peer).text(" ").bytes(user).text(" ");
    let (said, more): (_, &[u8]) = match *event {
        Event::Connected => ("connected", &[]),
        Event::LoggedIn { email: [] } => ("logged in", &[]),
        Event::LoggedIn { email } => ("logged in as ", first(email, EMAIL)),
        Event::LoginFailed { name } => ("failed to log in with the name ", first(name, NAME)),
        Event::Transferred { direction: Direction::Sent, .. } => ("was sent ", &[]),
        Event::Transferred { direction: Direction::Received, .. } => ("stored ", &[]),
        Event::Changed { verb, .. } => (verb, b" "),
        Event::TimedOut => ("timed out", &[]),
        Event::Disconnected => ("disconnected", &[]),
    };
    line.text(said).bytes(more);
    if let Event::Transferred { path, .. } | Event::Changed { path, .. } = event {
        line.path(path);
    }
    if let Event::Transferred { bytes, ms, complete, .. } = *event {
        // Transfers are shorter than 49 days: 32-bit division, of which a 386 is capable itself.
        let tenths = u32::try_from(ms / 100).unwrap_or(u32::MAX);
        line.text(": ").number(bytes.into()).text(" bytes in ");
        line.number((tenths / 10).into()).text(".").number((tenths % 10).into()).text(" s, ");
        if complete {
            line.number(rate(bytes, ms)).text(" KB/s");
        } else {
            line.text("broken off");
        }
    }
    line.make_printable();
}

fn first(text: &[u8], most: usize) -> &[u8] {
    &text[..text.len().min(most)]
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
    use std::string::String;

    fn line(user: &[u8], event: &Event<'_>) -> String {
        let peer = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 7), 1025);
        let mut line = Line::new();
        write(&mut line, &Source { slot: 0, peer, user }, event);
        String::from_utf8(line.as_bytes().to_vec()).unwrap()
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
