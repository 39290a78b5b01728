//! The operator's side: all that is said on the screen, on COM1 and in the log file goes through here.
//!
//! May call `console`, `config` (severities) and, for the log file, `vfs`.

use core::fmt::{self, Write};
use core::net::SocketAddrV4;

use super::event_line;
use super::found::Station;
use super::journal::LogFile;
use super::machine::Machine;
use super::pages;
use crate::config::{Settings, Severity};
use crate::console::{self, Action, Console, Key, Page, Status, Style};
use crate::ftp::reply::Line;
use crate::ftp::shared::{Event, Journal, Source, Statistics, WhoList};
use crate::memory::{Memory, OutOfMemory};
use crate::net;
use crate::text::{Address, Printable};
use crate::time::{DateTime, Millis};
use crate::vfs::{FsError, Provider, ResolvedPath};

/// Scroll-back of the log: a few hundred lines; where memory is short what a start says, some 22 lines.
const SCROLL_BACK: usize = 16 * 1024;
const LEAST_SCROLL_BACK: usize = 1152;
/// Memory of which the log has no share: a client with small buffers needs it more.
const OTHERS: usize = 96 * 1024;
/// What the start found.
const FOUND: usize = 1024;
/// Lines of the log file that wait for the disk.
const LOG_BUFFER: usize = 2 * 1024;
/// How often a page with figures is written anew, milliseconds.
const REFRESH: u64 = 1_000;
/// Milliseconds after which an event is drawn, with those that came meanwhile: several lines cost what one does,
/// and nobody waits for the screen while a client waits for the server.
const DRAW: u64 = 200;

/// The operator's screen, its lines, and the log file.
pub struct Desk<'a> {
    console: Console<'a>,
    /// Memory for what is found, and how much of it is used.
    found: (&'a mut [u8], usize),
    log: Option<LogFile<'a>>,
    refreshed: Millis,
    /// When the screen last showed all that there was.
    drawn: Millis,
    /// Pages go to COM1, too, when a key asks for them.
    serial_pages: bool,
}

/// What the console's pages show.
pub struct Figures<'f> {
    /// Counters.
    pub statistics: &'f Statistics,
    /// Who is on line.
    pub who: &'f WhoList,
    /// The network's counters.
    pub network: net::Statistics,
    /// Now.
    pub now: Millis,
    /// Local time.
    pub time: DateTime,
}

impl<'a> Desk<'a> {
    /// A desk with an empty screen and no log file yet.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(
        machine: &mut impl Machine,
        memory: &mut impl Memory<'a>,
    ) -> Result<Desk<'a>, OutOfMemory> {
        let scroll_back =
            (memory.free().saturating_sub(OTHERS) / 16).clamp(LEAST_SCROLL_BACK, SCROLL_BACK);
        let mut console = Console::new(memory.bytes("the screen's log", scroll_back)?);
        console.redraw(machine.screen());
        let found = (memory.bytes("what was found", FOUND)?, 0);
        let (refreshed, drawn) = (Millis::default(), Millis::default());
        Ok(Desk { console, found, log: None, refreshed, drawn, serial_pages: false })
    }

    /// Appends to the log file at `path` from now on.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn open_log(
        &mut self,
        path: &'a ResolvedPath,
        memory: &mut impl Memory<'a>,
    ) -> Result<(), OutOfMemory> {
        self.log = Some(LogFile::new(path, memory.bytes("the log file", LOG_BUFFER)?));
        Ok(())
    }

    /// Shows pages on COM1 as well: there may be no screen.
    pub fn show_pages_on_serial(&mut self) {
        self.serial_pages = true;
    }

    /// Says a line on screen and COM1, for each line of `text`.
    pub fn say(&mut self, machine: &mut impl Machine, text: fmt::Arguments<'_>, how: Severity) {
        self.line(machine, None, text, how);
        self.console.draw(machine.screen());
    }

    /// Says a line of what the start found, which SITE STATS repeats.
    pub fn found(&mut self, machine: &mut impl Machine, text: fmt::Arguments<'_>) {
        self.say(machine, text, Severity::Note);
        let mut line = Line::new();
        let line = line.show(&text).text("\n").as_bytes();
        let (memory, used) = &mut self.found;
        // A line that does not fit is on the screen all the same.
        if let Some(room) = memory.get_mut(*used..*used + line.len()) {
            room.copy_from_slice(line);
            *used += line.len();
        }
    }

    /// What [`Desk::found`] was told, lines; the start is over, and `memory` gets what is left.
    pub fn take_found(&mut self, memory: &mut impl Memory<'a>) -> &'a [u8] {
        let (found, used) = core::mem::take(&mut self.found);
        let Some((found, left)) = found.split_at_mut_checked(used) else { return &[] };
        memory.give_back(left);
        found
    }

    fn line(
        &mut self,
        machine: &mut impl Machine,
        time: Option<DateTime>,
        text: fmt::Arguments<'_>,
        how: Severity,
    ) {
        let mut line = Line::new();
        if let Some(time) = time {
            line.bytes(&time.clock()).text(" ");
        }
        let indent = line.as_bytes().len();
        // A line that is too long is cut.
        for row in line.show(&text).as_bytes().split(|&b| b == b'\n') {
            self.row(machine, row, indent, how);
        }
    }

    /// Adds a line to the log of the screen, and says it on COM1 without its first `indent` bytes, the time.
    fn row(&mut self, machine: &mut impl Machine, row: &[u8], indent: usize, how: Severity) {
        machine.serial(row.get(indent..).unwrap_or_default());
        machine.serial(b"\r\n");
        let style = if how == Severity::Note { Style::Normal } else { Style::Bright };
        self.console.log(row, indent, style);
    }

    /// Says what the server is set up for, as the manual shows it ("Starting").
    pub fn announce(&mut self, machine: &mut impl Machine, settings: &Settings, free: usize) {
        self.say(
            machine,
            format_args!(
                "Clients: {}, Client file buffer size: {}, TCP buffer size: {}",
                settings.clients, settings.file_buffer, settings.tcp_buffer
            ),
            Severity::Note,
        );
        self.say(
            machine,
            format_args!(
                "Packets per poll: {}, Free memory: {} KB",
                settings.packets_per_poll,
                free / 1024
            ),
            Severity::Note,
        );
        self.say(
            machine,
            format_args!(
                "Client session timeout: {} seconds\nControl port: {}, Pasv ports: {}-{}",
                settings.session_timeout_s,
                settings.control_port,
                settings.pasv_base,
                settings.pasv_last()
            ),
            Severity::Note,
        );
        if settings.fixed_address.is_none() {
            self.say(machine, format_args!("Asking for an address by DHCP"), Severity::Note);
        }
    }

    /// Says that connections are accepted.
    pub fn ready(&mut self, machine: &mut impl Machine, settings: &Settings, own: SocketAddrV4) {
        let ip = Address(*own.ip());
        let pasv = settings.external_address.unwrap_or(*own.ip());
        self.say(
            machine,
            format_args!(
                "Real IP address: {ip}, Pasv response IP addr: {}\n\
                 Press [Ctrl-C] or Alt-X to end the server",
                Address(pasv)
            ),
            Severity::Note,
        );
        self.say(machine, format_args!("FTPSRV READY {ip}:{}", own.port()), Severity::Warning);
    }

    /// Says what happened to our address.
    pub fn network_event(
        &mut self,
        machine: &mut impl Machine,
        time: DateTime,
        event: &net::Event,
    ) {
        let time = Some(time);
        match event {
            net::Event::Configured { address, server } => self.line(
                machine,
                time,
                format_args!(
                    "Address {} from the DHCP server {}",
                    Address(address.ip),
                    Address(*server)
                ),
                Severity::Note,
            ),
            net::Event::LeaseLost => self.line(
                machine,
                time,
                format_args!(
                    "The DHCP server does not renew our address: asking for another. If none comes, \
                     set IPADDR, NETMASK and GATEWAY in MTCP.CFG"
                ),
                Severity::Warning,
            ),
            net::Event::Conflict(other) => self.line(
                machine,
                time,
                format_args!(
                    "Another station uses our address: {}. Change IPADDR in MTCP.CFG",
                    Station(*other)
                ),
                Severity::Warning,
            ),
        }
    }

    /// The sessions' way to the desk.
    pub fn journal<'d, M: Machine>(
        &'d mut self,
        machine: &'d mut M,
        now: Millis,
        time: DateTime,
    ) -> Desktop<'d, 'a, M> {
        Desktop { desk: self, machine, now, time }
    }

    /// Serves keyboard, status line, pages, beeper and log file; whether the server was told to end.
    pub fn tend(
        &mut self,
        machine: &mut impl Machine,
        files: &mut dyn Provider,
        figures: &Figures<'_>,
    ) -> bool {
        let mut end = false;
        while let Some(key) = machine.key() {
            match self.console.key(machine.screen(), key) {
                Action::None => {}
                Action::Fill(page) => {
                    self.show(machine, page, figures);
                    if self.serial_pages {
                        // Writing to COM1 cannot fail.
                        let _ = page_text(page, &mut ToSerial(machine), figures);
                    }
                }
                Action::Exit => end = true,
            }
        }
        let status = Status {
            total: figures.statistics.sessions,
            // There are at most 10 sessions.
            active: figures.statistics.active as u8,
        };
        self.console.set_status(machine.screen(), status);
        let drawn = !self.console.is_behind();
        if drawn || figures.now.since(self.drawn) >= DRAW {
            self.drawn = figures.now;
            self.console.draw(machine.screen());
        }
        if figures.now.since(self.refreshed) >= REFRESH {
            self.refreshed = figures.now;
            if let Some(page @ (Page::Statistics | Page::Users)) = self.console.page() {
                self.show(machine, page, figures);
            }
        }
        if let Some(hertz) = self.console.beeper().poll(figures.now) {
            machine.tone(hertz);
        }
        self.write_log(machine, files, figures.now);
        end
    }

    fn show(&mut self, machine: &mut impl Machine, page: Page, figures: &Figures<'_>) {
        self.console.fill(machine.screen(), &mut |out| page_text(page, out, figures));
    }

    fn write_log(&mut self, machine: &mut impl Machine, files: &mut dyn Provider, now: Millis) {
        if let Some(log) = &mut self.log
            && let Some(error) = log.poll(now, files)
        {
            self.say(
                machine,
                format_args!(
                    "The log file ends here: {error}. The server goes on; see FTPSRV_LOG_FILE in MTCP.CFG"
                ),
                Severity::Warning,
            );
        }
    }

    /// Says that the server is about to end.
    pub fn ending(&mut self, machine: &mut impl Machine) {
        self.say(
            machine,
            format_args!("Ending: transfers under way get 10 seconds, nobody new is let in"),
            Severity::Warning,
        );
        self.console.end(machine.screen(), &mut |out| {
            out.write_str(
                "\n  The server is ending. Transfers under way get up to 10 seconds.\n\n  \
                 Please do not switch the PC off yet.\n",
            )
        });
    }

    /// Brings the log file's last lines to the disk, whatever it takes.
    pub fn finish_log(&mut self, machine: &mut impl Machine, files: &mut dyn Provider) {
        let until = machine.now().plus(FINISH_LOG);
        while let Some(log) = &mut self.log
            && !log.is_idle()
            && machine.now() < until
        {
            log.hurry();
            files.begin_turn(true);
            self.write_log(machine, files, until);
            files.work();
        }
    }

    /// Says that the server has ended; `flushed` is how the disks took their last sectors.
    pub fn farewell(&mut self, machine: &mut impl Machine, flushed: Result<(), FsError>) {
        let outcome = match flushed {
            Ok(()) => "All files are closed and on the disks.",
            Err(_) => "NOT everything could be written to the disks: check them with CHKDSK.",
        };
        self.say(
            machine,
            format_args!("FTPSRV ENDED. {outcome} The PC may be switched off"),
            Severity::Warning,
        );
        self.console.end(machine.screen(), &mut |out| {
            write!(
                out,
                "\n  The server has ended. {outcome}\n\n  \
                 You may switch the PC off now, or press a key to restart it.\n"
            )
        });
    }

    /// Whether a key was pressed.
    pub fn any_key(machine: &mut impl Machine) -> bool {
        machine.key().is_some_and(|key: Key| key != Key::PageDown)
    }
}

fn page_text(page: Page, out: &mut dyn Write, figures: &Figures<'_>) -> fmt::Result {
    match page {
        Page::Help => out.write_str(console::HELP),
        Page::Users => pages::users(out, figures),
        _ => pages::statistics(out, figures),
    }
}

/// Text for COM1, with the line ends of a terminal.
struct ToSerial<'m, M>(&'m mut M);

impl<M: Machine> Write for ToSerial<'_, M> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for line in text.as_bytes().split_inclusive(|&b| b == b'\n') {
            let end = line.len() - usize::from(line.ends_with(b"\n"));
            self.0.serial(&line[..end]);
            if end < line.len() {
                self.0.serial(b"\r\n");
            }
        }
        Ok(())
    }
}

/// Milliseconds for the log file's last lines: a floppy drive may have to start.
const FINISH_LOG: u64 = 5_000;

/// The desk, lent to the sessions.
pub struct Desktop<'d, 'a, M> {
    desk: &'d mut Desk<'a>,
    machine: &'d mut M,
    now: Millis,
    time: DateTime,
}

impl<M: Machine> Journal for Desktop<'_, '_, M> {
    fn note(&mut self, source: &Source<'_>, event: &Event<'_>) {
        let mut line = Line::new();
        line.bytes(&self.time.clock()).text(" ");
        let indent = line.as_bytes().len();
        event_line::write(&mut line, source, event);
        self.desk.row(self.machine, line.as_bytes(), indent, Severity::Note);
        if let Some(log) = &mut self.desk.log {
            let text = Printable(line.as_bytes().get(indent..).unwrap_or_default());
            log.add(self.now, format_args!("{} {text}", self.time));
        }
        if let Event::LoggedIn { .. } = event {
            self.desk.console.beeper().login(self.now);
        }
    }
}
