//! Free ports of this machine, for one scenario each.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use anyhow::{Result, bail};

use crate::run::PortRange;

/// Where the search goes on: scenarios run side by side, and a port that one has chosen is not yet
/// in use. FTPSRV_PASV_BASE ends at 32767, where Linux's own ephemeral ports begin.
static NEXT: Mutex<u16> = Mutex::new(FIRST);
const FIRST: u16 = 12_000;
const LAST: u16 = 32_000;

/// A control port and `count` passive ports that nobody listens on.
pub fn free(count: u16) -> Result<(u16, PortRange)> {
    let mut next = NEXT.lock().unwrap_or_else(|poison| poison.into_inner());
    if *next == FIRST {
        // Two test runs at once look in different places first.
        *next += (std::process::id() % 15_000) as u16;
    }
    for _ in 0..500 {
        if *next > LAST - count - 1 {
            *next = FIRST;
        }
        let control = *next;
        *next += count + 1;
        let range = PortRange { first: control + 1, last: control + count };
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if range.ports().chain([control]).all(free) {
            return Ok((control, range));
        }
    }
    bail!("no {count} free ports in a row between {FIRST} and {LAST}")
}
