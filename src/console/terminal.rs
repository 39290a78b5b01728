//! The screen as rows of character cells, and the keys that the server knows.

/// A colour of text; on MDA it becomes normal, bright or inverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Log lines.
    Normal,
    /// What must be seen: errors, READY.
    Bright,
    /// Status line and titles.
    Inverse,
}

/// A text screen. Cells outside of it are ignored.
pub trait TextScreen {
    /// Columns, usually 80.
    fn columns(&self) -> usize;
    /// Rows, usually 25.
    fn rows(&self) -> usize;
    /// Writes `text` (bytes in the PC's code page) from `column` on, cut at the row's end.
    fn write(&mut self, row: usize, column: usize, text: &[u8], style: Style);
    /// Moves rows `top`..=`bottom` up by `count`, which is not more than they are, and clears the last.
    fn scroll(&mut self, top: usize, bottom: usize, count: usize);
}

/// A key that means something to the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Alt-B: beeper on or off.
    Beeper,
    /// Alt-H: help.
    Help,
    /// Alt-S: statistics.
    Statistics,
    /// Alt-U: users.
    Users,
    /// Alt-X or Ctrl-C: end.
    Exit,
    /// PgUp.
    PageUp,
    /// PgDn.
    PageDown,
    /// Any other key.
    Other,
}

impl Key {
    /// The key of a word in the BIOS's keyboard buffer: scan code in the high byte, character in the
    /// low one (INT 16h).
    pub const fn from_bios(word: u16) -> Key {
        match (word >> 8, word & 0xFF) {
            (0x30, 0) => Key::Beeper,
            (0x23, 0) => Key::Help,
            (0x1F, 0) => Key::Statistics,
            (0x16, 0) => Key::Users,
            (0x2D, 0) | (_, 0x03) => Key::Exit,
            (0x49, 0 | 0xE0) => Key::PageUp,
            (0x51, 0 | 0xE0) => Key::PageDown,
            _ => Key::Other,
        }
    }
}
