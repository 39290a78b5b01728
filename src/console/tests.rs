//! Tests of the console on a screen that can be read.
extern crate std;

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;

struct Screen {
    cells: Vec<Vec<(u8, Style)>>,
    writes: usize,
}

impl Screen {
    fn new(rows: usize, columns: usize) -> Screen {
        Screen { cells: vec![vec![(b'.', Style::Normal); columns]; rows], writes: 0 }
    }

    fn row(&self, row: usize) -> String {
        let text: String = self.cells[row].iter().map(|&(byte, _)| char::from(byte)).collect();
        text.trim_end().to_string()
    }

    fn log(&self) -> Vec<String> {
        (2..self.cells.len()).map(|row| self.row(row)).collect()
    }

    fn text(&self) -> String {
        (0..self.cells.len()).map(|row| self.row(row) + "\n").collect()
    }
}

impl TextScreen for Screen {
    fn columns(&self) -> usize {
        self.cells[0].len()
    }

    fn rows(&self) -> usize {
        self.cells.len()
    }

    fn write(&mut self, row: usize, column: usize, text: &[u8], style: Style) {
        self.writes += 1;
        for (cell, &byte) in self.cells[row].iter_mut().skip(column).zip(text) {
            *cell = (byte, style);
        }
    }

    fn scroll(&mut self, top: usize, bottom: usize, count: usize) {
        let columns = self.columns();
        self.cells[top..=bottom].rotate_left(count);
        self.cells[bottom + 1 - count..=bottom].fill(vec![(b' ', Style::Normal); columns]);
    }
}

fn memory(size: usize) -> &'static mut [u8] {
    vec![0; size].leak()
}

fn started(memory_size: usize) -> (Console<'static>, Screen) {
    let mut screen = Screen::new(25, 80);
    let mut console = Console::new(memory(memory_size));
    console.redraw(Some(&mut screen));
    (console, screen)
}

/// Logs `line 0` to `line N-1`.
fn log_lines(console: &mut Console<'_>, screen: &mut Screen, range: core::ops::Range<usize>) {
    for number in range {
        console.log(format!("line {number}").as_bytes(), 0, Style::Normal);
        console.draw(Some(screen));
    }
}

fn lines(range: core::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

#[test]
fn status_line_and_rule_are_where_mtcps_are() {
    let (mut console, mut screen) = started(1000);
    console.set_status(Some(&mut screen), Status { total: 12, active: 3 });
    assert!(screen.row(0).starts_with(" Sessions: 12   Active: 3"), "{}", screen.row(0));
    assert!(screen.row(0).ends_with("Alt-H for help"));
    assert!(screen.cells[0].iter().all(|&(_, style)| style == Style::Inverse));
    assert!(screen.row(1).contains("Beeper on"));
    assert_eq!(console.key(Some(&mut screen), Key::Beeper), Action::None);
    assert!(screen.row(1).contains("Beeper off") && !console.beeper().is_on());
    // No old digits stay, and nothing is written when nothing changes.
    console.set_status(Some(&mut screen), Status { total: 13, active: 0 });
    let writes = screen.writes;
    console.set_status(Some(&mut screen), Status { total: 13, active: 0 });
    assert!(screen.row(0).contains("Active: 0  ") && screen.writes == writes);
    let most = Status { total: u32::MAX, active: u8::MAX };
    console.set_status(Some(&mut screen), most);
    assert!(screen.row(0).contains("Sessions: 4294967295   Active: 255"));
}

#[test]
fn the_log_fills_the_screen_and_scrolls() {
    let (mut console, mut screen) = started(10_000);
    log_lines(&mut console, &mut screen, 0..5);
    assert_eq!(screen.log()[..6], [&lines(0..5)[..], &[String::new()]].concat());
    log_lines(&mut console, &mut screen, 5..23);
    assert_eq!(screen.log(), lines(0..23));
    log_lines(&mut console, &mut screen, 23..200);
    assert_eq!(screen.log(), lines(177..200));
    // A redraw shows the same.
    console.redraw(Some(&mut screen));
    assert_eq!(screen.log(), lines(177..200));
}

#[test]
fn lines_carry_styles_and_wrap_behind_their_time() {
    let (mut console, mut screen) = started(10_000);
    let long = format!("07:05:09 {}", "x".repeat(100));
    console.log(long.as_bytes(), 9, Style::Bright);
    console.draw(Some(&mut screen));
    assert_eq!(screen.row(2), format!("07:05:09 {}", "x".repeat(71)));
    assert_eq!(screen.row(3), format!("         {}", "x".repeat(29)));
    assert_eq!(screen.cells[3][20].1, Style::Bright);
    console.log(&[b'y'; 5000], 0, Style::Normal);
    console.draw(Some(&mut screen));
    assert_eq!(screen.log().iter().map(|row| row.matches('y').count()).sum::<usize>(), MAX_LINE);
}

#[test]
fn no_byte_reaches_the_screen_that_is_not_meant_to() {
    let (mut console, mut screen) = started(10_000);
    console.log(b"a\r\n\x1b[2J\x07\x00\x7F\x84z", 0, Style::Normal);
    console.draw(Some(&mut screen));
    assert_eq!(screen.row(2), "a???[2J???\u{84}z");
}

#[test]
fn page_up_and_down_go_through_the_log() {
    let (mut console, mut screen) = started(10_000);
    log_lines(&mut console, &mut screen, 0..100);
    console.key(Some(&mut screen), Key::PageUp);
    assert_eq!(screen.log(), lines(55..78));
    assert!(screen.row(1).contains("22 newer lines below"));
    for _ in 0..10 {
        console.key(Some(&mut screen), Key::PageUp);
    }
    assert_eq!(screen.log(), lines(0..23));
    console.key(Some(&mut screen), Key::PageDown);
    assert_eq!(screen.log(), lines(22..45));
    for _ in 0..10 {
        console.key(Some(&mut screen), Key::PageDown);
    }
    assert_eq!(screen.log(), lines(77..100));
    assert!(!screen.row(1).contains("newer"));
    // Any other key goes to the end at once.
    console.key(Some(&mut screen), Key::PageUp);
    console.key(Some(&mut screen), Key::Other);
    assert_eq!(screen.log(), lines(77..100));
}

#[test]
fn what_is_read_stays_while_lines_come() {
    let (mut console, mut screen) = started(10_000);
    log_lines(&mut console, &mut screen, 0..100);
    console.key(Some(&mut screen), Key::PageUp);
    log_lines(&mut console, &mut screen, 100..150);
    assert_eq!(screen.log(), lines(55..78));
    assert!(screen.row(1).contains("72 newer lines below"));
    console.key(Some(&mut screen), Key::Other);
    assert_eq!(screen.log(), lines(127..150));
}

#[test]
fn lines_that_gave_way_leave_no_gap() {
    // Room for 40 to 50 lines.
    let (mut console, mut screen) = started(500);
    log_lines(&mut console, &mut screen, 0..100);
    for _ in 0..9 {
        console.key(Some(&mut screen), Key::PageUp);
    }
    let oldest = screen.log();
    assert!(oldest[0].starts_with("line 5") || oldest[0].starts_with("line 4"), "{oldest:?}");
    log_lines(&mut console, &mut screen, 100..120);
    let shown = screen.log();
    let first: usize = shown[0][5..].parse().unwrap();
    assert_eq!(shown, lines(first..first + 23));
    assert!(first > 70);
}

#[test]
fn a_tiny_memory_still_shows_the_log() {
    for size in [12, 30, 100] {
        let (mut console, mut screen) = started(size);
        log_lines(&mut console, &mut screen, 0..60);
        assert_eq!(screen.log(), lines(37..60), "{size}");
        console.key(Some(&mut screen), Key::PageUp);
        console.key(Some(&mut screen), Key::Help);
        console.key(Some(&mut screen), Key::Other);
        log_lines(&mut console, &mut screen, 60..120);
        assert_eq!(screen.log(), lines(97..120), "{size}");
    }
}

#[test]
fn help_names_every_key_and_any_key_leaves_it() {
    let (mut console, mut screen) = started(10_000);
    log_lines(&mut console, &mut screen, 0..100);
    let help = |console: &mut Console<'_>, screen: &mut Screen| {
        assert_eq!(console.key(Some(screen), Key::Help), Action::Fill(Page::Help));
        console.fill(Some(screen), &mut |page| page.write_str(HELP));
    };
    help(&mut console, &mut screen);
    for key in ["Alt-B", "Alt-H", "Alt-S", "Alt-U", "Alt-X", "Ctrl-C", "PgUp", "PgDn"] {
        assert!(screen.text().contains(key), "{key}");
    }
    assert!(!screen.text().contains("line 9"));
    assert_eq!(console.page(), Some(Page::Help));
    // Lines that come meanwhile are there afterwards.
    log_lines(&mut console, &mut screen, 100..102);
    assert!(!screen.text().contains("line 100"));
    console.key(Some(&mut screen), Key::Other);
    assert_eq!((screen.log(), console.page()), (lines(79..102), None));
    // On pages of other sizes too.
    for (rows, columns) in [(25, 40), (43, 80), (50, 132)] {
        let mut screen = Screen::new(rows, columns);
        help(&mut console, &mut screen);
        assert!(screen.text().contains("Ctrl-C"));
        console.key(Some(&mut screen), Key::Help);
        let range = 102usize.saturating_sub(rows - 2)..102;
        assert_eq!(screen.log(), lines(range));
    }
}

#[test]
fn pages_of_the_servers_are_asked_for_and_filled() {
    let (mut console, mut screen) = started(10_000);
    log_lines(&mut console, &mut screen, 0..30);
    let action = console.key(Some(&mut screen), Key::Statistics);
    assert_eq!(action, Action::Fill(Page::Statistics));
    for (content, expected) in ["packets 1", "packets 2"].into_iter().enumerate() {
        console.fill(Some(&mut screen), &mut |page| {
            writeln!(page, "Statistics\npackets {}", content + 1)?;
            for extra in 0..60 {
                writeln!(page, "more {extra}\x1b")?;
            }
            Ok(())
        });
        assert_eq!(screen.row(3), expected);
        assert_eq!(screen.row(4), "more 0?");
        assert!(screen.row(24).contains("Any key"), "{}", screen.row(24));
    }
    assert_eq!(console.key(Some(&mut screen), Key::Users), Action::Fill(Page::Users));
    console.fill(Some(&mut screen), &mut |page| page.write_str("nobody"));
    assert_eq!((screen.row(2).as_str(), screen.row(3).as_str()), ("nobody", ""));
    assert_eq!(console.key(Some(&mut screen), Key::Users), Action::None);
    assert_eq!(screen.log(), lines(7..30));
    // Without a page there is nothing to fill.
    console.fill(Some(&mut screen), &mut |page| page.write_str("lost"));
    assert!(!screen.text().contains("lost"));
}

#[test]
fn the_end_stays_on_the_screen() {
    let (mut console, mut screen) = started(10_000);
    assert_eq!(console.key(Some(&mut screen), Key::Exit), Action::Exit);
    console.end(Some(&mut screen), &mut |page| page.write_str("Ending"));
    log_lines(&mut console, &mut screen, 0..30);
    for key in [Key::Other, Key::Help, Key::PageUp, Key::Exit] {
        assert_eq!(console.key(Some(&mut screen), key), Action::None);
        assert_eq!(screen.row(2), "Ending");
    }
    console.end(Some(&mut screen), &mut |page| page.write_str("The PC may be switched off"));
    assert_eq!(screen.row(2), "The PC may be switched off");
}

#[test]
fn lines_that_came_together_are_drawn_together() {
    for (before, new) in [(0, 2), (0, 23), (0, 24), (20, 3), (20, 4), (20, 23), (20, 60), (100, 5)]
    {
        let (mut console, mut screen) = started(10_000);
        log_lines(&mut console, &mut screen, 0..before);
        for number in before..before + new {
            console.log(format!("line {number}").as_bytes(), 0, Style::Normal);
        }
        console.draw(Some(&mut screen));
        let (shown, first) = (screen.log(), (before + new).saturating_sub(23));
        assert_eq!(shown[..before + new - first], lines(first..before + new), "{before} + {new}");
        console.redraw(Some(&mut screen));
        assert_eq!(screen.log(), shown);
        log_lines(&mut console, &mut screen, before + new..before + new + 30);
        assert_eq!(screen.log(), lines(before + new + 7..before + new + 30));
    }
}

#[test]
fn lines_that_are_not_drawn_yet_do_not_move_what_a_key_shows() {
    let (mut console, mut screen) = started(10_000);
    log_lines(&mut console, &mut screen, 0..100);
    console.log(b"line 100", 0, Style::Normal);
    console.key(Some(&mut screen), Key::PageUp);
    assert_eq!(screen.log(), lines(56..79));
    console.log(b"line 101", 0, Style::Normal);
    console.key(Some(&mut screen), Key::Help);
    console.log(b"line 102", 0, Style::Normal);
    console.key(Some(&mut screen), Key::Help);
    assert_eq!(screen.log(), lines(56..79));
}

#[test]
fn without_a_screen_nothing_breaks_and_the_log_is_kept() {
    let mut console = Console::new(memory(10_000));
    for number in 0..50 {
        console.log(format!("line {number}").as_bytes(), 0, Style::Normal);
    }
    console.set_status(None, Status { total: 1, active: 1 });
    assert_eq!(console.key(None, Key::Help), Action::Fill(Page::Help));
    for key in [Key::Other, Key::PageUp, Key::Other, Key::Beeper] {
        assert_eq!(console.key(None, key), Action::None);
    }
    let mut screen = Screen::new(25, 80);
    console.redraw(Some(&mut screen));
    assert_eq!(screen.log(), lines(27..50));
}
