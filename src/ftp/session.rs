//! One client's session: reads command lines, runs one command at a time, carries transfers on.
//!
//! A step does bounded work: at most one command's run, one piece of a transfer, and of a longer reply the
//! lines that the control connection takes at once. A command whose files are not ready
//! ([`FsError::Again`]) is simply run again in the next step; commands sent ahead wait in the control
//! connection's buffer and are answered in order. While a transfer runs, only the commands that
//! [`command::TABLE`] marks are run; the others wait for its end.
//!
//! [`FsError::Again`]: crate::vfs::FsError::Again

use super::client::{Client, Context, Ending, Login};
use super::command::{self, Command};
use super::line::{Framed, LineReader};
use super::link::ControlLink;
use super::reply::{Line, MAX_REPLY, Refusal};
use super::shared::{Activity, Event};
use super::transfer::{self, Transfer};
use super::wire::{self, WireLink};
use crate::config::settings::LongNames;
use crate::time::Millis;

/// What a step has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing to do until something arrives or time passes.
    Idle,
    /// Something was done, or is to be done at once: step again soon.
    Busy,
    /// The session is over: everything it had is released, and its control connection is closed, or
    /// closing once what was queued is sent.
    Ended,
}

/// How far the session as a whole is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not counted yet.
    New,
    /// The greeting is not sent yet.
    Greeting,
    /// Commands and replies.
    Serving,
    /// Over.
    Ended,
}

/// A client's session.
pub struct Session {
    input: LineReader,
    /// The command in `input`'s line: not run yet, or to be run again.
    pending: Option<&'static Command>,
    client: Client,
    phase: Phase,
    /// The server ends.
    shutting_down: bool,
    /// And waits no longer.
    cut_off: bool,
}

impl Session {
    /// A session in `slot` (0 to [`super::shared::MAX_SESSIONS`] - 1) for a client that has just
    /// connected.
    pub fn new(slot: usize, control: &dyn ControlLink, now: Millis) -> Session {
        Session {
            input: LineReader::new(),
            pending: None,
            client: Client::new(slot, control.peer(), now),
            phase: Phase::New,
            shutting_down: false,
            cut_off: false,
        }
    }

    /// Tells the session that the server ends: it finishes the transfer under way and the command under
    /// way, says 421 and closes.
    pub fn shut_down(&mut self) {
        self.shutting_down = true;
    }

    /// Breaks off whatever is under way, says so, and closes.
    pub fn cut_off(&mut self) {
        self.shutting_down = true;
        self.cut_off = true;
    }

    /// The user's name; empty before login.
    pub fn user_name(&self) -> &[u8] {
        self.client.user_name()
    }

    /// Does a bounded piece of work. The control connection's send buffer holds [`wire::send_buffer`]: a
    /// command is run when its reply fits, whatever characters are in it.
    pub fn step(&mut self, cx: &mut Context<'_, '_>) -> Step {
        let page = wire::code_page(cx.shared.settings.code_page);
        self.advance(&mut Context {
            control: &mut WireLink { inner: cx.control, page },
            data: cx.data,
            files: cx.files,
            shared: cx.shared,
            now: cx.now,
            time: cx.time,
        })
    }

    /// Whether bytes of a file are on their way: for these the control connection is not needed.
    pub fn moves_a_file(&self) -> bool {
        self.client.transfer().is_some_and(Transfer::moves_a_file)
    }

    /// A step where nothing has come for the control connection, and it is not time to look whether time is up:
    /// one piece of a file on its way. `None`: there is none, a whole step is wanted.
    pub fn move_file(&mut self, cx: &mut Context<'_, '_>) -> Option<Step> {
        let free = self.pending.is_none() && self.client.ending.is_none();
        if !free || !self.moves_a_file() {
            return None;
        }
        Some(if transfer::advance(&mut self.client, cx) { Step::Busy } else { Step::Idle })
    }

    // Not inlined: the server's loop, which moves files, stays small.
    #[inline(never)]
    fn advance(&mut self, cx: &mut Context<'_, '_>) -> Step {
        match self.phase {
            Phase::Ended => return Step::Ended,
            Phase::New => self.arrive(cx),
            Phase::Greeting | Phase::Serving => {}
        }
        if cx.control.is_dead() {
            self.client.ending = Some(Ending::Abort);
        }
        if self.cut_off {
            self.break_off(cx);
        }
        if self.client.ending.is_none() {
            self.check_time(cx);
        }
        if let Some(ending) = self.client.ending {
            return self.wind_up(cx, ending);
        }
        let ran = match self.phase {
            Phase::Greeting => self.greet(cx),
            _ => self.run_command(cx),
        };
        let mut busy = (ran | self.send_answer(cx)) && self.has_more(cx);
        busy |= transfer::advance(&mut self.client, cx);
        self.end_when_done(cx);
        if busy || self.client.ending.is_some() { Step::Busy } else { Step::Idle }
    }

    /// Counts the client.
    fn arrive(&mut self, cx: &mut Context<'_, '_>) {
        self.phase = Phase::Greeting;
        let statistics = &mut *cx.shared.statistics;
        statistics.sessions = statistics.sessions.wrapping_add(1);
        statistics.active += 1;
        self.client.note(cx, &Event::Connected);
        self.client.update_who(cx, Activity::Idle);
    }

    // Whoever has a line of a reply on the stack is not inlined, so that no command runs on top of it.
    #[inline(never)]
    fn greet(&mut self, cx: &mut Context<'_, '_>) -> bool {
        if cx.control.room() < MAX_REPLY {
            return false;
        }
        self.phase = Phase::Serving;
        let mut line = Line::new();
        line.reply(220);
        if !cx.shared.settings.hostname.is_empty() {
            line.text(&cx.shared.settings.hostname).text(" ");
        }
        line.text("FTP server ready").send(cx.control);
        true
    }

    fn break_off(&mut self, cx: &mut Context<'_, '_>) {
        self.pending = None;
        self.input.clear();
        self.client.answer = None;
        if let Some(job) = &mut self.client.job {
            job.fail(cx.data, Refusal::Reply(&(426, "The server is shutting down")));
        }
    }

    /// Ends a session whose time has run out: the setting's since the last command or the last data, and
    /// less for who has not logged in.
    fn check_time(&mut self, cx: &mut Context<'_, '_>) {
        let limit = u64::from(cx.shared.settings.session_timeout_s) * 1000;
        let over = if self.client.is_logged_in() {
            cx.now.since(self.client.active) > limit
        } else {
            cx.now.since(self.client.connected) > (limit / 2).min(LOGIN_TIME)
        };
        if over {
            cx.shared.statistics.timeouts = cx.shared.statistics.timeouts.wrapping_add(1);
            self.client.note(cx, &Event::TimedOut);
            self.client.ending = Some(Ending::Close);
            cx.reply(421, "Time-out, closing the connection");
        }
    }

    /// Ends a session that has nothing more to do: the client has sent FIN, or the server ends.
    fn end_when_done(&mut self, cx: &mut Context<'_, '_>) {
        let idle = self.pending.is_none()
            && self.client.job.is_none()
            && self.client.answer.is_none()
            && self.client.ending.is_none();
        if !idle {
            return;
        }
        if self.shutting_down && cx.control.room() >= MAX_REPLY {
            cx.reply(421, "The server is shutting down, closing the connection");
            self.client.ending = Some(Ending::Close);
        } else if !cx.control.may_receive() {
            self.client.ending = Some(Ending::Close);
        }
    }

    /// Releases everything, a slice a step.
    fn wind_up(&mut self, cx: &mut Context<'_, '_>, ending: Ending) -> Step {
        if !transfer::abandon(&mut self.client, cx) {
            return Step::Busy;
        }
        self.client.drop_data(cx);
        match ending {
            Ending::Close => cx.control.close(),
            Ending::Abort => cx.control.abort(),
        }
        self.input.clear();
        self.client.note(cx, &Event::Disconnected);
        cx.shared.statistics.active = cx.shared.statistics.active.saturating_sub(1);
        if let Some(entry) = cx.shared.who.get_mut(self.client.slot) {
            *entry = None;
        }
        self.phase = Phase::Ended;
        Step::Ended
    }

    /// Sends lines of a longer reply, as long as there is room for one.
    #[inline(never)]
    fn send_answer(&mut self, cx: &mut Context<'_, '_>) -> bool {
        let mut any = false;
        while let Some(mut answer) = self.client.answer
            && cx.control.room() >= MAX_REPLY
        {
            any = true;
            let mut line = Line::new();
            self.client.answer = match (answer.lines)(&self.client, cx, answer.next, &mut line) {
                Some(()) => {
                    // A source leaves out a line by leaving it empty.
                    if !line.as_bytes().is_empty() {
                        line.send(cx.control);
                    }
                    answer.next += 1;
                    Some(answer)
                }
                None => None,
            };
        }
        any
    }

    /// Whether a command is to be run again, a reply has more lines, or the client has sent something ahead.
    fn has_more(&self, cx: &mut Context<'_, '_>) -> bool {
        let mut more = self.pending.is_some() || self.client.answer.is_some();
        cx.control.receive(&mut |_| {
            more = true;
            0
        });
        more
    }

    /// Reads a command if there is none, and runs it if it may run now.
    fn run_command(&mut self, cx: &mut Context<'_, '_>) -> bool {
        if self.client.answer.is_some() || cx.control.room() < MAX_REPLY {
            return false;
        }
        if self.client.transfer().is_some_and(|transfer| transfer.listing.on_control) {
            // Its lines are one reply, which nothing may part.
            self.hear_abor(cx);
            return false;
        }
        let read = self.pending.is_none() && self.read_line(cx);
        let Some(command) = self.pending else { return read };
        if !command.is_for_any_time() && self.client.job.is_some() {
            self.hear_abor(cx);
            return read;
        }
        let (_, argument) = command::split(self.input.line());
        let result = match check(command, &self.client, argument) {
            Ok(()) => (command.run)(&mut self.client, cx, argument),
            refused => refused,
        };
        match result {
            Err(Refusal::AGAIN) => return true,
            Err(Refusal::Wait) => {
                self.hear_abor(cx);
                return read;
            }
            Err(refusal) => refuse(refusal, command, cx.control),
            Ok(()) => {}
        }
        self.finish(command);
        true
    }

    /// Ends the transfer for an ABOR that is behind the command which waits for the transfer's end.
    fn hear_abor(&mut self, cx: &mut Context<'_, '_>) {
        if let Some(job) = &mut self.client.job
            && abor_is_waiting(cx.control)
        {
            job.fail(cx.data, Refusal::Reply(&(426, "Transfer aborted")));
        }
    }

    fn finish(&mut self, command: &Command) {
        self.pending = None;
        self.input.clear();
        self.client.renaming &= command.verb == "RNFR";
    }

    /// Takes a line from the connection. A line that is no command is answered at once.
    fn read_line(&mut self, cx: &mut Context<'_, '_>) -> bool {
        let mut framed = None;
        let input = &mut self.input;
        // A line that lies across the end of the buffer comes in two parts.
        for _ in 0..2 {
            if !matches!(framed, None | Some(Framed::Part)) {
                break;
            }
            cx.control.receive(&mut |bytes| {
                let (taken, what) = input.take(bytes);
                framed = Some(what);
                taken
            });
        }
        match framed {
            None => return false,
            Some(Framed::Part) => {}
            Some(Framed::TooLong) => cx.reply(500, "Line too long"),
            Some(Framed::Line) => self.accept_line(cx),
        }
        true
    }

    fn accept_line(&mut self, cx: &mut Context<'_, '_>) {
        self.client.active = cx.now;
        self.client.command_since = cx.now;
        self.client.long.on = cx.shared.settings.long_names == LongNames::Shorten;
        self.client.long.heed(cx.shared.gone);
        let (verb, _) = command::split(self.input.line());
        match command::find(verb) {
            Some((index, command)) => {
                if let Some(count) = cx.shared.statistics.commands.get_mut(index) {
                    *count = count.wrapping_add(1);
                }
                self.pending = Some(command);
                // A password is compared as it came.
                if command.verb != "PASS" {
                    self.input.recode(wire::code_page(cx.shared.settings.code_page));
                }
            }
            None => {
                cx.reply(500, "Unknown command");
                self.input.clear();
            }
        }
    }
}

#[inline(never)]
fn refuse(refusal: Refusal, command: &Command, control: &mut dyn ControlLink) {
    refusal.write(&mut Line::new(), command.is_naming()).send(control);
}

/// Milliseconds in which a client must have logged in, at most.
const LOGIN_TIME: u64 = 60_000;

/// Whether ABOR waits behind the command that waits for the transfer's end. The commands before it are
/// still answered in order, but the transfer must not last for their sake. ABOR is the start of a line, or
/// follows a Telnet command.
fn abor_is_waiting(control: &mut dyn ControlLink) -> bool {
    let mut found = false;
    control.receive(&mut |bytes| {
        found = bytes.windows(5).enumerate().any(|(at, window)| {
            let before = at.checked_sub(1).and_then(|at| bytes.get(at));
            let starts = before.is_none_or(|&byte| byte == b'\n' || byte >= 240);
            starts && matches!(window, [verb @ .., b'\r' | b'\n'] if verb.eq_ignore_ascii_case(b"ABOR"))
        });
        0
    });
    found
}

/// What holds for every command.
fn check(command: &Command, client: &Client, argument: &[u8]) -> Result<(), Refusal> {
    if command.needs_login() && !client.is_logged_in() {
        return Err(match client.login {
            Login::Named(_) => Refusal::Reply(&(530, "Please log in: send PASS")),
            _ => Refusal::Reply(&(530, "Please log in: send USER and PASS")),
        });
    }
    if command.needs_argument() && argument.is_empty() {
        return Err(Refusal::Reply(&(501, "This command needs an argument")));
    }
    Ok(())
}

/// Says 421 to a client for whom there is no session. The server calls it on a connection's own link and
/// then closes it.
pub fn turn_away(control: &mut dyn ControlLink) {
    Line::new().reply(421).text("Too many users, please try again later").send(control);
    control.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1.8 KB on the 386, where lengths have half the size.
    #[test]
    fn a_session_is_small() {
        assert!(size_of::<Session>() <= 1944, "{}", size_of::<Session>());
    }
}
