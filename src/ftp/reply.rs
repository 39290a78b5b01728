//! Replies: how they are written, and which code an error gets. The only place that turns errors into
//! reply codes.
//!
//! May call `vfs` (errors and paths). A reply never shows bytes that came from the client, other than
//! names that were parsed as 8.3 names.

use core::fmt::{self, Write};
use core::net::{Ipv4Addr, SocketAddrV4};

use super::link::ControlLink;
use crate::text::printable;
use crate::vfs::Name83;
use crate::vfs::path::PathError;
use crate::vfs::{FsError, UserPath};

/// Bytes that a line of a reply may have: some paths, or some rows of a screen. A command is run only when the control connection has room
/// for this much, so that its reply is never cut.
pub const MAX_REPLY: usize = 320;

/// One line of a reply, being written.
#[derive(Debug, Clone)]
pub struct Line {
    bytes: [u8; MAX_REPLY],
    length: usize,
}

impl Default for Line {
    fn default() -> Line {
        Line::new()
    }
}

impl Line {
    /// An empty line.
    // Never is a line returned by value: each time it would be copied whole.
    pub const fn new() -> Line {
        Line { bytes: [0; MAX_REPLY], length: 0 }
    }

    /// Adds `code` and a space: a reply of one line, or the last line of a longer one.
    pub fn reply(&mut self, code: u16) -> &mut Line {
        self.number(code.into()).text(" ")
    }

    /// Adds `code-`: the first line of a longer reply.
    pub fn first(&mut self, code: u16) -> &mut Line {
        self.number(code.into()).text("-")
    }

    /// Adds text. What does not fit is left out; there is always room for a line end.
    pub fn text(&mut self, text: &str) -> &mut Line {
        self.bytes(text.as_bytes())
    }

    /// Adds bytes as they are.
    // Called from everywhere: inlined it would be a big part of the kernel.
    #[inline(never)]
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Line {
        let room = self.bytes[..MAX_REPLY - 2].get_mut(self.length..).unwrap_or_default();
        let fits = bytes.len().min(room.len());
        room[..fits].copy_from_slice(&bytes[..fits]);
        self.length += fits;
        self
    }

    /// Ends the line. There is room for its end, once.
    pub fn end(&mut self) {
        if let Some([cr, lf]) = self.bytes.get_mut(self.length..self.length + 2) {
            (*cr, *lf) = (b'\r', b'\n');
            self.length += 2;
        }
    }

    /// Adds a decimal number.
    pub fn number(&mut self, number: u64) -> &mut Line {
        self.padded(number, 0, b' ')
    }

    /// Adds a decimal number, right-aligned in `width` (20 at most) with `fill` before it.
    pub fn padded(&mut self, number: u64, width: usize, fill: u8) -> &mut Line {
        let mut digits = [fill; 20];
        let start = write_number(&mut digits, number);
        self.bytes(&digits[start.min(digits.len().saturating_sub(width))..])
    }

    /// Adds a name, in the disk's bytes.
    pub fn name(&mut self, name: &Name83) -> &mut Line {
        let room = self.bytes[..MAX_REPLY - 2].get_mut(self.length..).unwrap_or_default();
        if let Some(room) = room.first_chunk_mut() {
            self.length += name.write_text(room);
        }
        self
    }

    /// Adds an address.
    pub fn address(&mut self, address: Ipv4Addr) -> &mut Line {
        let mut before = "";
        for octet in address.octets() {
            self.text(before).number(octet.into());
            before = ".";
        }
        self
    }

    /// Adds an address and a port.
    pub fn socket(&mut self, socket: SocketAddrV4) -> &mut Line {
        self.address(*socket.ip()).text(":").number(socket.port().into())
    }

    /// The last bytes, to write over them; `None` where there are fewer.
    pub fn last_mut<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.bytes[..self.length].last_chunk_mut()
    }

    /// Has every byte that is not printable ASCII be a `?`.
    pub fn make_printable(&mut self) {
        for byte in &mut self.bytes[..self.length] {
            *byte = printable(*byte);
        }
    }

    /// Takes everything out again.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Adds an absolute path.
    pub fn path(&mut self, path: &UserPath) -> &mut Line {
        if path.is_root() {
            return self.text("/");
        }
        for name in path.names() {
            self.text("/").name(name);
        }
        self
    }

    /// Adds a path in quotes, as in 257. A quote would have to be doubled (RFC 959 appendix II), but no
    /// 8.3 name has one.
    pub fn quoted(&mut self, path: &UserPath) -> &mut Line {
        self.text("\"").path(path).text("\"")
    }

    /// Adds what `value` shows itself as.
    pub fn show(&mut self, value: &dyn fmt::Display) -> &mut Line {
        // Writing to a line cannot fail.
        let _ = write!(self, "{value}");
        self
    }

    /// Sends the line. The caller has seen that there is room for [`MAX_REPLY`] bytes.
    pub fn send(&mut self, control: &mut dyn ControlLink) {
        self.end();
        control.send(self.as_bytes());
    }

    /// The line so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

/// Writes a decimal number that ends where `field` ends, and returns where it starts; a longer one loses its
/// first digits.
pub fn write_number(field: &mut [u8], number: u64) -> usize {
    let mut start = field.len();
    let mut large = number;
    // 64-bit division is a long routine on a 386, so numbers that fit are divided as 32 bits.
    let mut small = loop {
        match u32::try_from(large) {
            Ok(small) => break small,
            Err(_) => {
                start = put_digit(field, start, (large % 10) as u8);
                large /= 10;
            }
        }
    };
    loop {
        start = put_digit(field, start, (small % 10) as u8);
        small /= 10;
        if small == 0 {
            return start;
        }
    }
}

fn put_digit(field: &mut [u8], end: usize, digit: u8) -> usize {
    let at = end.saturating_sub(1);
    if let Some(place) = field.get_mut(at) {
        *place = b'0' + digit;
    }
    at
}

/// Why a command is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The argument is not a path here.
    Path(PathError),
    /// The files say no, or not yet ([`FsError::Again`]: the command is run again).
    Files(FsError),
    /// Anything else, with its own reply: a pointer, so that a result of it fits into two registers.
    Reply(&'static (u16, &'static str)),
    /// Nothing can be done before something arrives or time passes; the command is run again then.
    Wait,
}

impl From<PathError> for Refusal {
    fn from(error: PathError) -> Refusal {
        Refusal::Path(error)
    }
}

impl From<FsError> for Refusal {
    fn from(error: FsError) -> Refusal {
        Refusal::Files(error)
    }
}

impl Refusal {
    /// One slice is done; the command is to be run again.
    pub const AGAIN: Refusal = Refusal::Files(FsError::Again);
    /// The manual's "the request will be denied": upload outside the incoming directory.
    pub const NOT_INCOMING: Refusal =
        Refusal::Reply(&(550, "Uploads are not allowed in this directory"));
    /// A command without the permission for it.
    pub const NOT_PERMITTED: Refusal =
        Refusal::Reply(&(550, "You do not have permission to do that"));
    /// An argument that makes no sense.
    pub const SYNTAX: Refusal = Refusal::Reply(&(501, "Syntax error in the argument"));

    /// Writes the reply's code and text. `naming`: the command gives something a name (RFC 959 page 43:
    /// 553 is for those).
    pub fn write<'l>(&self, line: &'l mut Line, naming: bool) -> &'l mut Line {
        let code = match self {
            Refusal::Path(PathError::NoSuchDrive) => 550,
            Refusal::Path(_) if naming => 553,
            Refusal::Path(_) => 550,
            Refusal::Files(error) => code_of(*error, naming),
            Refusal::Reply((code, _)) => *code,
            Refusal::Wait => 451,
        };
        line.reply(code);
        match self {
            // What a path lacks must not show what is outside of a sandbox.
            Refusal::Path(PathError::NoSuchDrive) => line.show(&FsError::NotFound),
            Refusal::Path(PathError::TooDeep) => line.text("That path is too long for DOS"),
            Refusal::Path(PathError::Name(_)) => {
                line.text("Not a DOS file name (8 characters, a dot, 3 more; no spaces)")
            }
            Refusal::Files(error) => line.show(error),
            Refusal::Reply((_, text)) => line.text(text),
            Refusal::Wait => line.show(&FsError::Again),
        }
    }
}

/// The code for an error of the files (RFC 959 sections 4.2 and 5.4).
fn code_of(error: FsError, naming: bool) -> u16 {
    match error {
        FsError::Busy | FsError::TooManyOpen => 450,
        FsError::DiskFull | FsError::DirectoryFull => 452,
        FsError::TooLarge => 552,
        FsError::Exists | FsError::OtherDrive if naming => 553,
        FsError::NotFound
        | FsError::NotADirectory
        | FsError::IsADirectory
        | FsError::Exists
        | FsError::NotEmpty
        | FsError::ReadOnlyFile
        | FsError::ReadOnlyDisk
        | FsError::NotAllowed
        | FsError::OtherDrive
        | FsError::Unsupported => 550,
        FsError::Again
        | FsError::BadHandle
        | FsError::BadFlags
        | FsError::Damaged
        | FsError::Io
        | FsError::NotReady
        | FsError::DiskChanged => 451,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    fn shown(line: &Line) -> String {
        String::from_utf8(line.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_decimal_and_aligned() {
        let mut line = Line::new();
        line.number(0).text(" ").number(u64::MAX).text(" ").padded(42, 5, b' ').padded(7, 2, b'0');
        assert_eq!(shown(&line), "0 18446744073709551615    4207");
        let mut line = Line::new();
        line.padded(4_294_967_296, 3, b' ');
        assert_eq!(shown(&line), "4294967296");
    }

    #[test]
    fn a_line_is_cut_but_always_ends() {
        let mut line = Line::new();
        line.reply(200);
        for _ in 0..1000 {
            line.text("x");
        }
        assert_eq!(line.as_bytes().len(), MAX_REPLY - 2);
    }

    #[test]
    fn what_is_outside_a_sandbox_does_not_show() {
        let (mut missing, mut no_drive) = (Line::new(), Line::new());
        Refusal::Files(FsError::NotFound).write(&mut missing, false);
        Refusal::Path(PathError::NoSuchDrive).write(&mut no_drive, true);
        assert_eq!(shown(&missing), shown(&no_drive));
        assert_eq!(shown(&missing), "550 No such file or directory");
    }
}
