//! What the console's pages Alt-S and Alt-U say.

use core::fmt::{self, Write};

use super::desk::Figures;
use crate::ftp::command;
use crate::ftp::shared::Activity;
use crate::text::Printable;

/// Commands in a row of the page.
const COMMANDS_IN_A_ROW: usize = 6;

/// Alt-S: counters.
pub fn statistics(out: &mut dyn Write, figures: &Figures<'_>) -> fmt::Result {
    let s = figures.statistics;
    let nic = figures.network.nic;
    write!(
        out,
        "\n  Started     {}   Now {}\n\n  \
         Sessions    {} so far, {} active, {} timed out, {} turned away\n  \
         Logins      {}, failed {}\n  \
         Sent        {} files, {} KB\n  \
         Received    {} files, {} KB\n  \
         Broken off  {} transfers\n\n  \
         Packets     in {}, out {}, errors in {}, errors out {}, lost {}\n  \
         TCP         segments in {}, bad checksums {}, malformed {}, refused {}\n  \
         Pings       {}\n\n  \
         Commands\n",
        s.started,
        figures.time,
        s.sessions,
        s.active,
        s.timeouts,
        s.refused,
        s.logins,
        s.failed_logins,
        s.files_sent,
        s.bytes_sent / 1024,
        s.files_received,
        s.bytes_received / 1024,
        s.broken_off,
        nic.packets_in,
        nic.packets_out,
        nic.errors_in,
        nic.errors_out,
        nic.lost,
        figures.network.segments_in,
        figures.network.bad_checksum,
        figures.network.malformed,
        figures.network.refused,
        figures.network.pings,
    )?;
    let used = command::TABLE.iter().zip(&s.commands).filter(|&(_, &count)| count > 0);
    for (index, (command, count)) in used.enumerate() {
        let end = if index % COMMANDS_IN_A_ROW == COMMANDS_IN_A_ROW - 1 { "\n" } else { "" };
        write!(out, "  {:4} {count:5}{end}", command.verb)?;
    }
    out.write_str("\n")
}

/// Alt-U: who is on line.
pub fn users(out: &mut dyn Write, figures: &Figures<'_>) -> fmt::Result {
    out.write_str("\n  User        Address                Minutes  Doing\n\n")?;
    let mut anybody = false;
    for who in figures.who.iter().flatten() {
        anybody = true;
        let user = if who.user.is_empty() { b"(login)" } else { who.user.as_slice() };
        write!(out, "  {}", Printable(user))?;
        for _ in user.len()..12 {
            out.write_str(" ")?;
        }
        let activity = match who.activity {
            Activity::Idle => "idle",
            Activity::Sending => "sending a file",
            Activity::Receiving => "receiving a file",
            Activity::Listing => "listing",
            Activity::Reading => "reading a file",
        };
        let peer = who.peer.ip().octets();
        writeln!(
            out,
            "{:3}.{:3}.{:3}.{:3}:{:<5}  {:7}  {activity}",
            peer[0],
            peer[1],
            peer[2],
            peer[3],
            who.peer.port(),
            figures.now.since(who.since) / 60_000
        )?;
    }
    if anybody { Ok(()) } else { out.write_str("  Nobody is logged in.\n") }
}
