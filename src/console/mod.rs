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
    /// Newest rows of the log that came since.
    undrawn: usize,
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
            undrawn: 0,
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
        self.undrawn = 0;
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

    /// Adds a line to the log, in which control bytes become `?`. Of one wider than the screen the other rows
    /// are indented by `indent`. [`Console::draw`] shows it.
    pub fn log(&mut self, line: &[u8], indent: usize, style: Style) {
        let mut rest = &line[..line.len().min(MAX_LINE)];
        let mut blanks = 0;
        loop {
            let width = self.columns.saturating_sub(blanks).clamp(1, 200);
            let (row, next) = rest.split_at_checked(width).unwrap_or((rest, &[]));
            if blanks == 0 {
                self.undrawn += usize::from(self.log.push(row, style));
            } else {
                let mut padded = [b' '; 255];
                let end = blanks + row.len();
                padded[blanks..end].copy_from_slice(row);
                self.undrawn += usize::from(self.log.push(&padded[..end], style));
            }
            rest = next;
            if rest.is_empty() {
                return;
            }
            blanks = if self.columns > 2 * indent { indent } else { 0 };
        }
    }

    /// Whether [`Console::log`] has added what is not shown.
    pub fn is_behind(&self) -> bool {
        self.undrawn > 0
    }

    /// Shows what [`Console::log`] has added. A log that is scrolled back stays where it is.
    pub fn draw(&mut self, screen: Option<&mut dyn TextScreen>) {
        let new = core::mem::take(&mut self.undrawn);
        let Some(screen) = screen.filter(|_| new > 0) else { return };
        let rows = layout::rows_of_log(screen);
        if self.skip > 0 || new > rows.min(self.log.len()) {
            let most = self.log.len().saturating_sub(rows);
            self.skip = if self.skip > 0 { most.min(self.skip + new) } else { 0 };
            self.redraw(Some(screen));
        } else if self.page.is_none() {
            let above = self.drawn.min(rows - new);
            if self.drawn > above {
                let last = screen.rows().saturating_sub(1);
                screen.scroll(layout::TOP, last, self.drawn - above);
            }
            self.drawn = above + new;
            self.log.view(0, new, &mut |index, text, style| {
                screen.write(layout::TOP + above + index, 0, text, style);
            });
        }
    }

    /// Acts on a key.
    pub fn key(&mut self, mut screen: Option<&mut dyn TextScreen>, key: Key) -> Action {
        self.draw(screen.as_mut().map(|screen| &mut **screen as &mut dyn TextScreen));
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
