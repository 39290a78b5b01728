//! The PC's own screen and keyboard: status line, scrolling log, keys.
//!
//! May call `time`. The kernel puts text memory and the BIOS's keyboard buffer behind the traits.
//! Nothing here waits: a key is answered in the turn in which it is read.

pub mod beeper;
mod layout;
pub mod scrollback;
pub mod serial_keys;
pub mod terminal;

use core::fmt;

pub use beeper::Beeper;
pub use layout::Status;
pub use serial_keys::SerialKeys;
pub use terminal::{Key, Style, TextScreen};

use crate::time::DateTime;
use layout::PageWriter;
use scrollback::Scrollback;

/// What can be on the screen instead of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Alt-H: [`HELP`], which the server writes with [`Console::fill`].
    Help,
    /// Alt-S: likewise, what it pleases.
    Statistics,
    /// Alt-U: likewise.
    Users,
    /// The server ends, or has ended: likewise. No key leaves it.
    End,
}

/// What a key asks of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing: the console has done it all.
    None,
    /// Call [`Console::fill`] now, and again when its content has changed, while [`Console::page`] is
    /// this page.
    Fill(Page),
    /// Alt-X or Ctrl-C: end.
    Exit,
}

/// The keys that work on a page and in the log.
pub const HELP: &str = "\n  Keys\n\n    Alt-B        Beeper on or off: it sounds when somebody logs in\n    \
    Alt-H        This help\n    Alt-S        Statistics\n    Alt-U        Who is logged in\n    \
    PgUp, PgDn   Older and newer lines of the log\n    Alt-X        End the server\n    \
    Ctrl-C       End the server\n\n  \
    Ending takes up to 10 seconds: transfers under way may finish, then all\n  \
    files are closed. Do not switch off before the screen says so.\n";

/// A line of the log, with its time, before it is cut into rows of the screen.
const MAX_LINE: usize = 240;

/// The console. Every method that shows something takes the screen, `None` on a PC without one.
pub struct Console<'a> {
    log: Scrollback<'a>,
    page: Option<Page>,
    /// Newest rows that are below the end of the screen.
    skip: usize,
    status: Status,
    beeper: Beeper,
    /// Rows of the screen that hold lines of the log, from the top, when it was drawn last.
    drawn: usize,
    columns: usize,
}

impl<'a> Console<'a> {
    /// A console whose log is kept in `memory` (some 50 bytes a line).
    pub fn new(memory: &'a mut [u8]) -> Console<'a> {
        Console {
            log: Scrollback::new(memory),
            page: None,
            skip: 0,
            status: Status::default(),
            beeper: Beeper::default(),
            drawn: 0,
            columns: 80,
        }
    }

    /// The beeper; its `poll` goes to the speaker.
    pub fn beeper(&mut self) -> &mut Beeper {
        &mut self.beeper
    }

    /// What is on the screen; `None` for the log.
    pub fn page(&self) -> Option<Page> {
        self.page
    }

    /// Draws everything anew. A page is left to [`Console::fill`].
    pub fn redraw(&mut self, screen: Option<&mut dyn TextScreen>) {
        let Some(screen) = screen else { return };
        self.columns = screen.columns();
        layout::draw_top(screen);
        layout::draw_status(screen, self.status);
        layout::draw_rule(screen, self.beeper.is_on(), self.skip);
        if self.page.is_none() {
            self.drawn = layout::draw_log(screen, &self.log, self.skip);
        }
    }

    /// Shows the number of sessions. Cheap when nothing has changed.
    pub fn set_status(&mut self, screen: Option<&mut dyn TextScreen>, status: Status) {
        if status != self.status {
            self.status = status;
            if let Some(screen) = screen {
                layout::draw_status(screen, status);
            }
        }
    }

    /// Adds a line to the log: the time of day of `time` and `text`, in which control bytes become `?`.
    /// A line wider than the screen takes several rows. A log that is scrolled back stays where it is.
    pub fn log(
        &mut self,
        mut screen: Option<&mut dyn TextScreen>,
        time: Option<DateTime>,
        text: &[u8],
        style: Style,
    ) {
        let mut line = heapless::Vec::<u8, MAX_LINE>::new();
        if let Some(time) = time {
            // 9 characters fit.
            let _ = fmt::Write::write_fmt(
                &mut layout::Cut(&mut line),
                format_args!("{:02}:{:02}:{:02} ", time.hour, time.minute, time.second),
            );
        }
        let indent = line.len();
        let shown = text.iter().map(|&b| if b < b' ' || b == 0x7F { b'?' } else { b });
        line.extend(shown.take(MAX_LINE - indent));
        let mut rest = line.as_slice();
        let mut blanks = 0;
        loop {
            let width = self.columns.saturating_sub(blanks).clamp(1, 200);
            let (row, next) = rest.split_at_checked(width).unwrap_or((rest, &[]));
            let screen = screen.as_mut().map(|screen| &mut **screen as &mut dyn TextScreen);
            if blanks == 0 {
                self.add_row(screen, row, style);
            } else {
                let mut padded = [b' '; 255];
                let end = blanks + row.len();
                padded[blanks..end].copy_from_slice(row);
                self.add_row(screen, &padded[..end], style);
            }
            rest = next;
            if rest.is_empty() {
                return;
            }
            blanks = if self.columns > 2 * indent { indent } else { 0 };
        }
    }

    fn add_row(&mut self, screen: Option<&mut dyn TextScreen>, row: &[u8], style: Style) {
        let stored = self.log.push(row, style);
        let Some(screen) = screen else { return };
        let rows = layout::rows_of_log(screen);
        if self.skip > 0 {
            self.skip += usize::from(stored);
            let most = self.log.len().saturating_sub(rows);
            let is_cut = self.skip > most;
            self.skip = self.skip.min(most);
            if self.page.is_none() {
                layout::draw_rule(screen, self.beeper.is_on(), self.skip);
                // The view's oldest lines have given way to the new one.
                if is_cut {
                    layout::draw_log(screen, &self.log, self.skip);
                }
            }
        } else if self.page.is_none() {
            if self.drawn < rows {
                screen.write(layout::TOP + self.drawn, 0, row, style);
                self.drawn += 1;
            } else {
                let last = screen.rows().saturating_sub(1);
                screen.scroll(layout::TOP, last);
                screen.write(last, 0, row, style);
            }
        }
    }

    /// Acts on a key.
    pub fn key(&mut self, screen: Option<&mut dyn TextScreen>, key: Key) -> Action {
        if self.page == Some(Page::End) {
            return Action::None;
        }
        let action = match key {
            Key::Exit => return Action::Exit,
            Key::Beeper => {
                self.beeper.toggle();
                Action::None
            }
            Key::Help => self.turn_to(Page::Help),
            Key::Statistics => self.turn_to(Page::Statistics),
            Key::Users => self.turn_to(Page::Users),
            Key::PageUp | Key::PageDown if self.page.is_none() => {
                self.scroll_log(screen.as_deref(), key == Key::PageUp);
                Action::None
            }
            Key::PageUp | Key::PageDown | Key::Other => {
                self.page = None;
                self.skip = 0;
                Action::None
            }
        };
        self.redraw(screen);
        action
    }

    /// The same key again leads back to the log.
    fn turn_to(&mut self, page: Page) -> Action {
        self.page = if self.page == Some(page) { None } else { Some(page) };
        self.page.map_or(Action::None, Action::Fill)
    }

    fn scroll_log(&mut self, screen: Option<&dyn TextScreen>, up: bool) {
        let rows = screen.map_or(0, layout::rows_of_log);
        // One row of the old view stays in sight.
        let step = rows.saturating_sub(1).max(1);
        let most = self.log.len().saturating_sub(rows);
        self.skip = if up { self.skip + step } else { self.skip.saturating_sub(step) }.min(most);
    }

    /// Writes the content of the page that is on the screen; without a page, nothing.
    pub fn fill(
        &mut self,
        screen: Option<&mut dyn TextScreen>,
        content: &mut dyn FnMut(&mut dyn fmt::Write) -> fmt::Result,
    ) {
        if let (Some(screen), Some(page)) = (screen, self.page) {
            fill(screen, page, content);
        }
    }

    /// Turns to [`Page::End`], which stays, and writes it.
    pub fn end(
        &mut self,
        screen: Option<&mut dyn TextScreen>,
        content: &mut dyn FnMut(&mut dyn fmt::Write) -> fmt::Result,
    ) {
        self.page = Some(Page::End);
        self.fill(screen, content);
    }
}

fn fill(
    screen: &mut dyn TextScreen,
    page: Page,
    content: &mut dyn FnMut(&mut dyn fmt::Write) -> fmt::Result,
) {
    let mut writer = PageWriter::new(screen);
    // Writing on a screen cannot fail, and a page that is cut short is still a page.
    let _ = content(&mut writer);
    writer.finish(if page == Page::End { b"" } else { b" Any key: back to the log" });
}

#[cfg(test)]
mod tests;
