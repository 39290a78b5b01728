//! Bytes that came from outside, in the form in which messages may show them.
//!
//! Calls nothing. A name from a client or a line of a file may hold anything: escape sequences for a
//! terminal on COM1, a line end that would forge the next line of the log. Whatever shows such bytes
//! shows them through [`Printable`].

use core::fmt::{self, Write};
use core::net::Ipv4Addr;

/// Shows every byte that is not printable ASCII as `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Printable<'a>(pub &'a [u8]);

/// Honours a precision: `{:.20}` shows at most 20 bytes.
impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = f.precision().unwrap_or(usize::MAX);
        self.0.iter().take(limit).try_for_each(|&byte| f.write_char(char::from(printable(byte))))
    }
}

/// An IPv4 address as people write it. Smaller than core's own form, which can be padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub Ipv4Addr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0.octets();
        write!(f, "{a}.{b}.{c}.{d}")
    }
}

/// `byte`, or `?` where it is not printable ASCII.
pub fn printable(byte: u8) -> u8 {
    if matches!(byte, b' '..=b'~') { byte } else { b'?' }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    #[test]
    fn nothing_but_printable_ascii_comes_out() {
        let all: std::vec::Vec<u8> = (0..=255).collect();
        let shown = format!("{}", Printable(&all));
        assert_eq!(shown.len(), 256);
        assert!(shown.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
        assert_eq!(format!("{}", Printable(b"a\r\nb\x1b[2J\x9bc")), "a??b?[2J?c");
        assert_eq!(format!("{:.3}", Printable(b"abcdef")), "abc");
    }
}
