//! The log file (manual, FTPSRV_LOG_FILE): lines are gathered in memory and appended to the file within
//! seconds.
//!
//! The file is open only while lines are appended, so that users can fetch it, and closed after each
//! batch, which puts it on the disk: a power cut costs the last seconds. [`LogFile::poll`] makes one
//! call to the disk a turn at most. A disk that takes no more ends the log with one message, and never
//! the server.

use core::fmt::{self, Write};

use crate::time::Millis;
use crate::vfs::ResolvedPath;
use crate::vfs::provider::{FileHandle, FsError, OpenFlags, Provider};

/// How long a line may wait for others before it is written.
const GATHER_MS: u64 = 2_000;
/// How long to wait when the file cannot be had just now: somebody fetches it.
const RETRY_MS: u64 = 1_000;

/// The log file's writer.
pub struct LogFile<'a> {
    path: &'a ResolvedPath,
    buffer: &'a mut [u8],
    /// Bytes of `buffer` that hold lines.
    used: usize,
    /// When these lines are to be written.
    due: Millis,
    /// Lines that found no room, since the last one that did.
    lost: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The file is closed.
    Idle,
    /// The first `end` bytes of the buffer are being written; `written` of them are.
    Writing { file: FileHandle, written: usize, end: usize },
    /// The first `end` bytes are written, or something failed.
    Closing { file: FileHandle, end: usize, failed: Option<FsError> },
    /// No more log.
    Stopped,
}

impl<'a> LogFile<'a> {
    /// A log in the file `path`. `buffer` holds the lines of some seconds: 1 to 4 KB.
    pub fn new(path: &'a ResolvedPath, buffer: &'a mut [u8]) -> LogFile<'a> {
        let state = if buffer.is_empty() { State::Stopped } else { State::Idle };
        LogFile { path, buffer, used: 0, due: Millis::default(), lost: 0, state }
    }

    /// Adds a line. When the buffer is full, because the disk is slow or somebody fetches the file, the
    /// line is lost; the next one that finds room is preceded by how many were.
    pub fn add(&mut self, now: Millis, line: fmt::Arguments<'_>) {
        if self.state == State::Stopped {
            return;
        }
        if self.used == 0 {
            self.due = now.plus(GATHER_MS);
        }
        let written = match self.lost {
            0 => self.write(line),
            lost => self.write(format_args!("({lost} lines lost here)\r\n{line}")),
        };
        if written {
            self.lost = 0
        } else {
            self.lost = self.lost.saturating_add(1)
        }
        if self.used > self.buffer.len() / 2 {
            self.due = now;
        }
    }

    /// Puts `line` and a line end into the buffer, whole or not at all.
    fn write(&mut self, line: fmt::Arguments<'_>) -> bool {
        let mut room =
            Room { rest: self.buffer.get_mut(self.used..).unwrap_or_default(), taken: 0 };
        let fits = room.write_fmt(line).and_then(|()| room.write_str("\r\n")).is_ok();
        if fits {
            self.used += room.taken;
        }
        fits
    }

    /// Writes what is due. Returns why the log ends, once, when it ends.
    pub fn poll(&mut self, now: Millis, files: &mut dyn Provider) -> Option<FsError> {
        match self.state {
            State::Stopped => None,
            State::Idle if self.used == 0 || now < self.due => None,
            State::Idle => self.open(now, files),
            State::Writing { file, written, end } => self.write_on(files, file, written, end),
            State::Closing { file, end, failed } => self.close(now, files, file, end, failed),
        }
    }

    /// Makes everything due at once: for the end of the server, which then polls until
    /// [`LogFile::is_idle`].
    pub fn hurry(&mut self) {
        self.due = Millis::default();
    }

    /// Whether everything is on the disk, or the log has ended.
    pub fn is_idle(&self) -> bool {
        self.state == State::Stopped || (self.state == State::Idle && self.used == 0)
    }

    fn open(&mut self, now: Millis, files: &mut dyn Provider) -> Option<FsError> {
        let flags = OpenFlags { write: true, append: true, create: true, ..OpenFlags::default() };
        match files.open(self.path, flags) {
            Ok(file) => {
                self.state = State::Writing { file, written: 0, end: self.used };
                None
            }
            Err(FsError::Again) => None,
            Err(FsError::Busy | FsError::TooManyOpen) => {
                self.due = now.plus(RETRY_MS);
                None
            }
            Err(error) => self.stop(error),
        }
    }

    fn write_on(
        &mut self,
        files: &mut dyn Provider,
        file: FileHandle,
        written: usize,
        end: usize,
    ) -> Option<FsError> {
        let rest = self.buffer.get(written..end).unwrap_or_default();
        // The file is open for appending: the offset says nothing.
        self.state = match files.write(file, 0, rest) {
            Ok(count) if count < rest.len() => {
                State::Writing { file, written: written + count, end }
            }
            Ok(_) => State::Closing { file, end, failed: None },
            Err(FsError::Again) => self.state,
            Err(error) => State::Closing { file, end, failed: Some(error) },
        };
        None
    }

    fn close(
        &mut self,
        now: Millis,
        files: &mut dyn Provider,
        file: FileHandle,
        end: usize,
        failed: Option<FsError>,
    ) -> Option<FsError> {
        match (files.close(file), failed) {
            (Err(FsError::Again), _) => None,
            (_, Some(error)) | (Err(error), None) => self.stop(error),
            (Ok(()), None) => {
                // Lines that came meanwhile move to the front.
                let end = end.min(self.buffer.len());
                self.buffer.copy_within(end.., 0);
                self.used = self.used.saturating_sub(end);
                self.due = now.plus(GATHER_MS);
                self.state = State::Idle;
                None
            }
        }
    }

    fn stop(&mut self, error: FsError) -> Option<FsError> {
        self.state = State::Stopped;
        self.used = 0;
        Some(error)
    }
}

/// Formats into a piece of memory, and fails when it is full.
struct Room<'r> {
    rest: &'r mut [u8],
    taken: usize,
}

impl Write for Room<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.taken.checked_add(text.len()).ok_or(fmt::Error)?;
        self.rest.get_mut(self.taken..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.taken = end;
        Ok(())
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
