//! The PC around the server: a clock that only the test moves, a screen to read, keys to press.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use ftpsrv::console::terminal::Style;
use ftpsrv::console::{Key, TextScreen};
use ftpsrv::server::Machine;
use ftpsrv::time::{DateTime, Millis};

/// The clock that a simulated PC and its network share.
#[derive(Clone, Default)]
pub struct Clock(Rc<Cell<u64>>);

impl Clock {
    /// Milliseconds since the start.
    pub fn now(&self) -> Millis {
        Millis(self.0.get())
    }

    /// Lets time pass.
    pub fn advance(&self, ms: u64) {
        self.0.set(self.0.get() + ms);
    }
}

/// A text screen that a test can read; clones are the same screen.
#[derive(Clone)]
pub struct Screen {
    cells: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Screen {
    fn new(rows: usize, columns: usize) -> Screen {
        Screen { cells: Rc::new(RefCell::new(vec![vec![b' '; columns]; rows])) }
    }
}

impl TextScreen for Screen {
    fn columns(&self) -> usize {
        self.cells.borrow()[0].len()
    }

    fn rows(&self) -> usize {
        self.cells.borrow().len()
    }

    fn write(&mut self, row: usize, column: usize, text: &[u8], _style: Style) {
        let mut rows = self.cells.borrow_mut();
        let Some(cells) = rows.get_mut(row) else { return };
        for (cell, byte) in cells.iter_mut().skip(column).zip(text) {
            *cell = *byte;
        }
    }

    fn scroll(&mut self, top: usize, bottom: usize, count: usize) {
        let columns = self.columns();
        let mut rows = self.cells.borrow_mut();
        rows[top..=bottom].rotate_left(count);
        rows[bottom + 1 - count..=bottom].fill(vec![b' '; columns]);
    }
}

/// What a test sees and moves of a PC while the server runs on it.
#[derive(Clone)]
pub struct Panel {
    /// Its clock.
    pub clock: Clock,
    keys: Rc<RefCell<VecDeque<Key>>>,
    serial: Rc<RefCell<Vec<u8>>>,
    screen: Screen,
    tones: Rc<RefCell<Vec<(u64, u16)>>>,
    rests: Rc<Cell<[u32; 2]>>,
}

impl Panel {
    /// Presses a key.
    pub fn press(&self, key: Key) {
        self.keys.borrow_mut().push_back(key);
    }

    /// Writes a line on COM1, for what is said when there is no server to say it.
    pub fn note(&self, line: &str) {
        self.serial.borrow_mut().extend_from_slice(format!("{line}\r\n").as_bytes());
    }

    /// All that went out on COM1.
    pub fn serial(&self) -> String {
        String::from_utf8_lossy(&self.serial.borrow()).into_owned()
    }

    /// The screen's rows.
    pub fn screen(&self) -> Vec<String> {
        let rows = self.screen.cells.borrow();
        rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect()
    }

    /// How often there was nothing to do since the last call: at all, and but for a drive at work.
    pub fn take_rests(&self) -> [u32; 2] {
        self.rests.take()
    }

    /// When the speaker changed, and to what (hertz, 0: silent).
    pub fn tones(&self) -> Vec<(u64, u16)> {
        self.tones.borrow().clone()
    }
}

/// The simulated PC.
pub struct Pc {
    panel: Panel,
    screen: Screen,
    boot_time: DateTime,
}

impl Pc {
    /// A PC with an 80x25 screen that was switched on at `boot_time`.
    pub fn new(clock: Clock, boot_time: DateTime) -> Pc {
        let panel = Panel {
            clock,
            keys: Rc::default(),
            serial: Rc::default(),
            screen: Screen::new(25, 80),
            tones: Rc::default(),
            rests: Rc::default(),
        };
        let screen = panel.screen.clone();
        Pc { panel, screen, boot_time }
    }

    /// The test's end of it.
    pub fn panel(&self) -> Panel {
        self.panel.clone()
    }
}

impl Machine for Pc {
    fn now(&self) -> Millis {
        self.panel.clock.now()
    }

    fn date_time(&mut self) -> DateTime {
        let seconds = self.panel.clock.now().0 / 1000;
        DateTime::from_seconds(self.boot_time.to_seconds() + seconds as u32)
    }

    fn key(&mut self) -> Option<Key> {
        self.panel.keys.borrow_mut().pop_front()
    }

    fn screen(&mut self) -> Option<&mut dyn TextScreen> {
        Some(&mut self.screen)
    }

    fn serial(&mut self, bytes: &[u8]) {
        self.panel.serial.borrow_mut().extend_from_slice(bytes);
    }

    fn poll(&mut self) {}

    fn tone(&mut self, hertz: u16) {
        self.panel.tones.borrow_mut().push((self.panel.clock.now().0, hertz));
    }

    fn idle(&mut self, _: u64, disk: bool) {
        let mut rests = self.panel.rests.get();
        rests[usize::from(disk)] += 1;
        self.panel.rests.set(rests);
    }

    fn entropy(&mut self) -> u64 {
        0x5EED
    }

    fn restart(&mut self) -> ! {
        panic!("the server restarted its PC")
    }
}
