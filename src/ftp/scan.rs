//! Reading a file through, for its checksum (HASH, XCRC and their like) or for its size as text (SIZE in
//! TYPE A), a little in each step, so that nobody waits for a large file.
//!
//! May call `vfs` and `digest`. CRC32 is the `crc` crate's own.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

use super::ascii;
use super::client::{Client, Context};
use super::digest::{Digest, Kind};
use super::reply::{Line, Refusal};
use super::shared::Activity;
use super::transfer::{Progress, close_again};
use crate::vfs::provider::{FileHandle, OpenFlags};
use crate::vfs::{FsError, ResolvedPath};

/// Bytes read at once: the buffer is on the stack.
const SLICE: usize = 512;

/// Slices read in a step: a 386 computes SHA-256 of 1 KB in about 10 ms.
const SLICES: usize = 2;

/// Bit by bit: half as slow as SHA-256, and a table would be a kilobyte that nothing packs.
static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// A checksum that HASH can compute, named as in draft-ietf-ftpext2-hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// That of ISO 3309 and PKZIP.
    Crc32,
    /// RFC 1321.
    Md5,
    /// FIPS 180-4.
    Sha1,
    /// FIPS 180-4.
    Sha256,
}

impl Algorithm {
    /// All of them, in FEAT's order.
    pub const ALL: [Algorithm; 4] =
        [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5, Algorithm::Crc32];

    /// Its name in FEAT and OPTS HASH.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Md5 => "MD5",
            Algorithm::Sha1 => "SHA-1",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// The inverse of [`Algorithm::name`], in any case.
    pub fn parse(name: &[u8]) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|a| name.eq_ignore_ascii_case(a.name().as_bytes()))
    }
}

/// What is computed, so far.
enum Sum {
    /// How many bytes longer the text is on the wire.
    Text {
        growth: u32,
        after_cr: bool,
    },
    Crc32(crc::Digest<'static, u32, NoTable>),
    Digest(Digest),
}

impl Sum {
    fn new(algorithm: Algorithm) -> Sum {
        match algorithm {
            Algorithm::Crc32 => Sum::Crc32(CRC.digest()),
            Algorithm::Md5 => Sum::Digest(Digest::new(Kind::Md5)),
            Algorithm::Sha1 => Sum::Digest(Digest::new(Kind::Sha1)),
            Algorithm::Sha256 => Sum::Digest(Digest::new(Kind::Sha256)),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Sum::Text { growth, after_cr } => *growth += ascii::growth(bytes, after_cr),
            Sum::Crc32(sum) => sum.update(bytes),
            Sum::Digest(sum) => sum.update(bytes),
        }
    }

    /// Writes the checksum in hexadecimal, or the size.
    fn write(&self, line: &mut Line, size: u32) {
        match self {
            Sum::Text { growth, .. } => {
                line.number(u64::from(size) + u64::from(*growth));
            }
            Sum::Crc32(sum) => write_hex(line, &sum.clone().finalize().to_be_bytes()),
            Sum::Digest(sum) => write_hex(line, sum.clone().finish().as_ref()),
        }
    }
}

fn write_hex(line: &mut Line, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            line.bytes(&[if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }]);
        }
    }
}

/// How the result is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `213 size`
    Size,
    /// `213 SHA-256 0-49 hex name` (draft-ietf-ftpext2-hash)
    Hash(Algorithm),
    /// `250 hex`, as XCRC and the others always were.
    Bare,
}

/// A file being read. Its path is the client's.
pub struct Scan {
    sum: Sum,
    form: Form,
    file: Option<FileHandle>,
    /// The next byte to read, and the one before which to stop once the file's size is known.
    offset: u32,
    start: u32,
    end: u32,
    sized: bool,
    done: bool,
    failure: Option<Refusal>,
}

impl Scan {
    fn new(sum: Sum, form: Form, start: u32, end: u32) -> Scan {
        Scan {
            sum,
            form,
            file: None,
            offset: start,
            start,
            end,
            sized: false,
            done: false,
            failure: None,
        }
    }

    /// For SIZE in TYPE A.
    pub(super) fn size() -> Scan {
        Scan::new(Sum::Text { growth: 0, after_cr: false }, Form::Size, 0, u32::MAX)
    }

    /// For HASH.
    pub(super) fn hash(algorithm: Algorithm) -> Scan {
        Scan::new(Sum::new(algorithm), Form::Hash(algorithm), 0, u32::MAX)
    }

    /// For XCRC and the others: from byte `start` to before `end`, or the file's end.
    pub(super) fn bare(algorithm: Algorithm, start: u32, end: u32) -> Scan {
        Scan::new(Sum::new(algorithm), Form::Bare, start, end)
    }

    /// Breaks off; `refusal` is said when the file is closed.
    pub(super) fn fail(&mut self, refusal: Refusal) {
        self.failure.get_or_insert(refusal);
        self.done = true;
    }

    /// One slice of work: opens, looks at the size, reads, closes, replies.
    pub(super) fn slice(
        &mut self,
        client: &mut Client,
        cx: &mut Context<'_, '_>,
    ) -> Result<Progress, Refusal> {
        if self.done {
            self.close(cx)?;
            return Ok(self.report(client, cx));
        }
        let Some(file) = self.file else {
            let mut place = ResolvedPath::root();
            client.find(cx.shared.users, &mut place)?;
            let flags = OpenFlags { read: true, ..OpenFlags::default() };
            self.file = Some(cx.files.open(&place, flags)?);
            client.update_who(cx, Activity::Reading);
            return Ok(Progress::Busy);
        };
        if !self.sized {
            let size = cx.files.attributes_of(file)?.size;
            if self.start > size {
                return Err(Refusal::Reply(&(501, "The file ends before that")));
            }
            self.end = self.end.min(size);
            self.sized = true;
            return Ok(Progress::Busy);
        }
        client.active = cx.now;
        for _ in 0..SLICES {
            self.read(file, cx)?;
        }
        Ok(Progress::Busy)
    }

    fn read(&mut self, file: FileHandle, cx: &mut Context<'_, '_>) -> Result<(), Refusal> {
        if self.offset >= self.end {
            self.done = true;
            return Ok(());
        }
        let mut buffer = [0; SLICE];
        // The first read ends with a sector, so that all others are whole ones.
        let room = SLICE - self.offset as usize % SLICE;
        let wanted = room.min((self.end - self.offset) as usize);
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        let read = cx.files.read(file, self.offset, buffer)?;
        if read == 0 {
            return Err(FsError::Damaged.into());
        }
        self.sum.update(buffer.get(..read).unwrap_or_default());
        self.offset += read as u32;
        Ok(())
    }

    /// Closes the file; `Err` when that is not done yet. It was only read: errors change nothing.
    pub(super) fn close(&mut self, cx: &mut Context<'_, '_>) -> Result<(), Refusal> {
        if let Some(file) = self.file {
            close_again(cx.files.close(file))?;
            self.file = None;
        }
        Ok(())
    }

    fn report(&self, client: &Client, cx: &mut Context<'_, '_>) -> Progress {
        if !client.may_say(cx) {
            return Progress::Waiting;
        }
        let mut line = Line::new();
        match (&self.failure, self.form) {
            (Some(refusal), _) => refusal.write(&mut line, false),
            (None, Form::Bare) => line.reply(250),
            (None, _) => line.reply(213),
        };
        if self.failure.is_none() {
            if let Form::Hash(algorithm) = self.form {
                line.text(algorithm.name()).text(" 0-");
                line.number(self.end.saturating_sub(1).into()).text(" ");
            }
            self.sum.write(&mut line, self.end);
            if matches!(self.form, Form::Hash(_)) {
                line.text(" ").path(&client.path);
            }
        }
        line.send(cx.control);
        Progress::Over
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    /// RFC 1321, FIPS 180-4 and the CRC catalogue's check values.
    #[test]
    fn checksums_are_the_standards_own() {
        for (algorithm, text, expected) in [
            (Algorithm::Crc32, "123456789", "cbf43926"),
            (Algorithm::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                Algorithm::Sha256,
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
        ] {
            let mut sum = Sum::new(algorithm);
            for byte in text.bytes() {
                sum.update(&[byte]);
            }
            let mut line = Line::new();
            sum.write(&mut line, 0);
            assert_eq!(String::from_utf8_lossy(line.as_bytes()), expected);
            assert_eq!(Algorithm::parse(algorithm.name().as_bytes()), Some(algorithm));
        }
    }
}
