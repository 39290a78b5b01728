//! What is to be said about a configuration file: the kernel shows it on the screen and COM1, `cargo
//! xtask image` on the host's terminal, in the same words.

use core::fmt;

/// How serious a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// For information: a line that this server has no use for.
    Note,
    /// The server starts, but perhaps not as meant.
    Warning,
    /// The server does not start.
    Error,
}

/// One message about a file, or about one line of it.
#[derive(Debug, Clone, Copy)]
pub struct Message<'m> {
    /// How serious it is.
    pub severity: Severity,
    /// The file, as its reader calls it: `A:\MTCP.CFG`.
    pub file: &'m str,
    /// The line, from 1; `None` when it is about the whole file.
    pub line: Option<u16>,
    /// What is wrong and what to do, in sentences. Holds printable ASCII only.
    pub text: fmt::Arguments<'m>,
}

/// `ERROR: MTCP.CFG line 7: ...`
impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.severity {
            Severity::Note => "",
            Severity::Warning => "Warning: ",
            Severity::Error => "ERROR: ",
        })?;
        match self.line {
            Some(line) => write!(f, "{} line {line}: {}", self.file, self.text),
            None => write!(f, "{}: {}", self.file, self.text),
        }
    }
}

/// Takes the messages of one file and counts the errors among them.
pub struct Report<'r> {
    file: &'r str,
    sink: &'r mut dyn FnMut(&Message<'_>),
    errors: u16,
}

impl<'r> Report<'r> {
    /// A report about `file`, whose messages go to `sink`.
    pub fn new(file: &'r str, sink: &'r mut dyn FnMut(&Message<'_>)) -> Report<'r> {
        Report { file, sink, errors: 0 }
    }

    /// Says something.
    #[inline(never)]
    pub fn say(&mut self, severity: Severity, line: Option<u16>, text: fmt::Arguments<'_>) {
        if severity == Severity::Error {
            self.errors = self.errors.saturating_add(1);
        }
        (self.sink)(&Message { severity, file: self.file, line, text });
    }

    /// Ends the report.
    ///
    /// # Errors
    /// [`Invalid`] when an error was reported.
    pub fn finish(self) -> Result<(), Invalid> {
        if self.errors == 0 { Ok(()) } else { Err(Invalid) }
    }
}

/// The file has errors, and every one of them was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid;
