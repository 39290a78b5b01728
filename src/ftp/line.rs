//! Command lines out of the control connection's bytes, however TCP has split them.
//!
//! May call `vfs` (code pages). A line ends with LF, with or without a CR before it. Telnet commands (RFC 854; RFC 959
//! section 4.1.3 puts `IAC IP IAC DM` before ABOR) and NUL bytes vanish. A line that is too long is
//! reported once, at its end, and nothing of it can be run.

use heapless::Vec;

use super::wire;
use crate::vfs::codepage::CodePage;

/// Bytes that a command line may have, without its line end.
pub const MAX_LINE: usize = 512;

const IAC: u8 = 255;
const SB: u8 = 250;
const SE: u8 = 240;

/// Where in a Telnet command the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telnet {
    Text,
    /// Behind IAC.
    Command,
    /// Behind IAC WILL, WONT, DO or DONT.
    Option,
    /// Within a subnegotiation.
    Parameters,
    /// Behind an IAC within a subnegotiation.
    ParametersCommand,
}

/// What the bytes so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framed {
    /// Not a whole line yet.
    Part,
    /// [`LineReader::line`] is a command line.
    Line,
    /// A line longer than [`MAX_LINE`] has ended; there is nothing of it.
    TooLong,
}

/// Collects one line at a time.
#[derive(Debug)]
pub struct LineReader {
    /// One more than a line may have: for the CR before the LF.
    bytes: Vec<u8, { MAX_LINE + 1 }>,
    telnet: Telnet,
    overflow: bool,
}

impl Default for LineReader {
    fn default() -> LineReader {
        LineReader::new()
    }
}

impl LineReader {
    /// At the beginning of a line.
    pub const fn new() -> LineReader {
        LineReader { bytes: Vec::new(), telnet: Telnet::Text, overflow: false }
    }

    /// Takes bytes up to the end of a line, at most, and returns how many. After a `Line` or `TooLong`
    /// [`LineReader::clear`] must come before the next call.
    pub fn take(&mut self, input: &[u8]) -> (usize, Framed) {
        for (index, &byte) in input.iter().enumerate() {
            let Some(byte) = self.text_byte(byte) else { continue };
            match byte {
                b'\n' => return (index + 1, self.end()),
                // NUL pads and follows a bare CR (RFC 854); it means nothing.
                0 => {}
                byte => self.overflow |= self.bytes.push(byte).is_err(),
            }
        }
        (input.len(), Framed::Part)
    }

    /// The line, without its end.
    pub fn line(&self) -> &[u8] {
        &self.bytes
    }

    /// Turns the line from UTF-8 into the disk's bytes, of which there are no more.
    // Not inlined: no command runs on top of its buffer.
    #[inline(never)]
    pub(super) fn recode(&mut self, page: Option<&CodePage>) {
        let mut bytes = [0; MAX_LINE];
        if let Some(Ok(text)) = wire::to_disk(page, &self.bytes, &mut bytes) {
            self.bytes.clear();
            // It is not longer than the line was.
            let _ = self.bytes.extend_from_slice(text);
        }
    }

    /// Whether part of a line is there.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.overflow
    }

    /// Forgets the line, which may hold a password.
    pub fn clear(&mut self) {
        self.bytes.fill(0);
        self.bytes.clear();
        self.overflow = false;
    }

    fn end(&mut self) -> Framed {
        if self.bytes.last() == Some(&b'\r') {
            self.bytes.pop();
        }
        if self.overflow || self.bytes.len() > MAX_LINE {
            self.clear();
            return Framed::TooLong;
        }
        Framed::Line
    }

    /// The byte of text that `byte` is, if it is none of a Telnet command.
    fn text_byte(&mut self, byte: u8) -> Option<u8> {
        let (next, text) = match (self.telnet, byte) {
            (Telnet::Text, IAC) => (Telnet::Command, None),
            (Telnet::Text, byte) => (Telnet::Text, Some(byte)),
            (Telnet::Command, IAC) => (Telnet::Text, Some(IAC)),
            (Telnet::Command, 251..=254) => (Telnet::Option, None),
            (Telnet::Command, SB) => (Telnet::Parameters, None),
            (Telnet::Command, 240..) => (Telnet::Text, None),
            // No command at all: a client that does not double 255 in a name. Keep what it meant, and
            // above all keep a line end.
            (Telnet::Command, byte) => (Telnet::Text, Some(byte)),
            (Telnet::Option, _) => (Telnet::Text, None),
            (Telnet::Parameters, IAC) => (Telnet::ParametersCommand, None),
            (Telnet::Parameters, _) => (Telnet::Parameters, None),
            (Telnet::ParametersCommand, SE) => (Telnet::Text, None),
            (Telnet::ParametersCommand, _) => (Telnet::Parameters, None),
        };
        self.telnet = next;
        text
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;
    use std::vec;
    use std::vec::Vec as StdVec;

    /// All lines of `input`, fed in pieces of `piece` bytes; `!` for one that was too long.
    fn lines(input: &[u8], piece: usize) -> StdVec<String> {
        let mut reader = LineReader::new();
        let mut found = vec![];
        for mut rest in input.chunks(piece) {
            while !rest.is_empty() {
                let (taken, framed) = reader.take(rest);
                rest = &rest[taken..];
                match framed {
                    Framed::Part => assert!(rest.is_empty()),
                    Framed::Line => {
                        found.push(String::from_utf8_lossy(reader.line()).into_owned());
                        reader.clear();
                    }
                    Framed::TooLong => {
                        found.push("!".into());
                        reader.clear();
                    }
                }
            }
        }
        found
    }

    #[test]
    fn lines_are_the_same_in_every_split() {
        let input = b"USER a\r\nPASS b\nNOOP\r\n\r\nSTOR x y\r\r\nQ";
        for piece in 1..input.len() {
            let expected = ["USER a", "PASS b", "NOOP", "", "STOR x y\r"];
            assert_eq!(lines(input, piece), expected, "{piece}");
        }
    }

    #[test]
    fn telnet_commands_and_nul_vanish() {
        let cases: [(&[u8], &str); 7] = [
            (b"\xFF\xF4\xFF\xF2ABOR\r\n", "ABOR"),
            (b"AB\xFF\xF4OR\r\n", "ABOR"),
            (b"\xFF\xFB\x01\xFF\xFD\x03NOOP\r\n", "NOOP"),
            (b"\xFF\xFA\x18\x00vt100\r\n\xFF\xFF\xFF\xF0NOOP\r\n", "NOOP"),
            (b"NO\0OP\r\0\n", "NOOP"),
            (b"\xFF\xFD\nNOOP\r\n", "NOOP"),
            (b"CWD a\xFF\r\n", "CWD a"),
        ];
        for (input, expected) in cases {
            for piece in 1..=input.len() {
                assert_eq!(lines(input, piece), [expected], "{input:?} by {piece}");
            }
        }
        let mut reader = LineReader::new();
        let (_, framed) = reader.take(b"CWD \xFF\xFFx\n");
        assert_eq!((framed, reader.line()), (Framed::Line, &b"CWD \xFFx"[..]));
    }

    #[test]
    fn a_long_line_counts_once_and_its_tail_is_no_command() {
        for (length, fits) in [(MAX_LINE - 1, true), (MAX_LINE, true), (MAX_LINE + 1, false)] {
            for end in [&b"\r\n"[..], b"\n"] {
                let mut input = vec![b'x'; length];
                input.extend_from_slice(end);
                input.extend_from_slice(b"NOOP\r\n");
                for piece in [1, 7, 512, 2000] {
                    let first = if fits { "x".repeat(length) } else { "!".into() };
                    assert_eq!(lines(&input, piece), [first.as_str(), "NOOP"]);
                }
            }
        }
        let mut input = vec![b'x'; 100_000];
        input.extend_from_slice(b"\nDELE a\r\n");
        assert_eq!(lines(&input, 999), ["!", "DELE a"]);
    }

    #[test]
    fn nothing_of_a_line_stays_after_clear() {
        let mut reader = LineReader::new();
        reader.take(b"PASS secret\r\n");
        reader.clear();
        assert!(reader.is_empty());
        assert_eq!(reader.take(b"\n").1, Framed::Line);
        assert_eq!(reader.line(), b"");
    }
}
