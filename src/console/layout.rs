//! Where what stands on the screen: the status line, the rule, the log or a page below.

use core::fmt::{self, Write};

use super::scrollback::Scrollback;
use super::terminal::{Style, TextScreen};

/// The first row below the rule.
pub(super) const TOP: usize = 2;

/// Sessions as the status line shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Sessions since the start.
    pub total: u32,
    /// Sessions now.
    pub active: u8,
}

/// Rows below the rule.
pub(super) fn rows_of_log(screen: &dyn TextScreen) -> usize {
    screen.rows().saturating_sub(TOP)
}

/// Writes a whole row: `text`, then blanks.
pub(super) fn write_row(screen: &mut dyn TextScreen, row: usize, text: &[u8], style: Style) {
    let blanks = [b' '; 32];
    screen.write(row, 0, text, style);
    let mut column = text.len();
    while column < screen.columns() {
        screen.write(row, column, &blanks, style);
        column += blanks.len();
    }
}

/// Row 0, but for the sessions.
pub(super) fn draw_top(screen: &mut dyn TextScreen) {
    write_row(screen, 0, b"", Style::Inverse);
    let hint = b"Alt-H for help ";
    screen.write(0, screen.columns().saturating_sub(hint.len()), hint, Style::Inverse);
}

/// The sessions in row 0.
pub(super) fn draw_status(screen: &mut dyn TextScreen, status: Status) {
    let mut line = heapless::Vec::<u8, 48>::new();
    // At most 11 + 10 + 11 + 3 + 1 characters; the last one is for a number that became shorter.
    let _ = write!(Cut(&mut line), " Sessions: {}   Active: {} ", status.total, status.active);
    screen.write(0, 0, &line, Style::Inverse);
}

/// Row 1: a rule with the beeper's state, and how far back the log is scrolled.
pub(super) fn draw_rule(screen: &mut dyn TextScreen, beeper_on: bool, scrolled: usize) {
    // The PC's horizontal line.
    write_row(screen, 1, b"", Style::Normal);
    for column in 0..screen.columns() {
        screen.write(1, column, &[0xC4], Style::Normal);
    }
    let beeper: &[u8] = if beeper_on { b" Beeper on " } else { b" Beeper off " };
    screen.write(1, screen.columns().saturating_sub(beeper.len() + 2), beeper, Style::Normal);
    if scrolled > 0 {
        let mut line = heapless::Vec::<u8, 48>::new();
        let _ = write!(Cut(&mut line), " {scrolled} newer lines below: PgDn ");
        screen.write(1, 2, &line, Style::Bright);
    }
}

/// The log, whose newest `skip` lines are below the screen's end. Returns how many rows it fills.
pub(super) fn draw_log(screen: &mut dyn TextScreen, log: &Scrollback<'_>, skip: usize) -> usize {
    let rows = rows_of_log(screen);
    let shown = log.view(skip, rows, &mut |index, text, style| {
        write_row(screen, TOP + index, text, style);
    });
    // Lines begin at the top until the screen is full.
    for row in shown..rows {
        write_row(screen, TOP + row, b"", Style::Normal);
    }
    shown
}

/// Writes lines onto the rows of a page; what does not fit is cut. Control bytes become `?`.
pub(super) struct PageWriter<'s> {
    screen: &'s mut dyn TextScreen,
    row: usize,
    column: usize,
}

impl<'s> PageWriter<'s> {
    /// From the row below the rule on.
    pub(super) fn new(screen: &'s mut dyn TextScreen) -> PageWriter<'s> {
        PageWriter { screen, row: TOP, column: 0 }
    }

    /// Blanks the rest of the screen and writes `hint` in the last row.
    pub(super) fn finish(mut self, hint: &[u8]) {
        while self.row < self.screen.rows() {
            self.end_row();
        }
        let last = self.screen.rows().saturating_sub(1);
        write_row(self.screen, last, hint, Style::Inverse);
    }

    fn end_row(&mut self) {
        while self.column < self.screen.columns() {
            self.put(b" ");
        }
        self.row += 1;
        self.column = 0;
    }

    fn put(&mut self, text: &[u8]) {
        if self.row < self.screen.rows() {
            self.screen.write(self.row, self.column, text, Style::Normal);
        }
        self.column += text.len();
    }
}

impl Write for PageWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            match byte {
                b'\n' => self.end_row(),
                b' '..=b'~' => self.put(&[byte]),
                _ => self.put(b"?"),
            }
        }
        Ok(())
    }
}

/// Formats into a fixed piece of memory and drops what does not fit.
pub(super) struct Cut<'v, const N: usize>(pub(super) &'v mut heapless::Vec<u8, N>);

impl<const N: usize> Write for Cut<'_, N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = N - self.0.len();
        let text = text.as_bytes();
        // As much as fits, fits.
        let _ = self.0.extend_from_slice(text.get(..room).unwrap_or(text));
        Ok(())
    }
}
