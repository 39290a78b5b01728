//! Owns everything; [`Server::step`] is one turn of the poll loop.
//!
//! May call every layer. What always holds: a turn does bounded work (a few frames in, one step of each
//! session, one slice of the disks' background work), and waits for one command at most of a slow disk, after
//! everything that the network had before it; so no control connection waits for another client's file for
//! longer than one disk command (and where an IDE drive moves a file's data, not at all). Whoever gave the last command comes last in the next turn.
//!
//! [`start`] reads the administrator's files before there is a server; [`links`] puts sockets behind the
//! protocol engine's links.

pub mod desk;
pub mod event_line;
pub mod files;
pub mod found;
pub mod journal;
pub mod links;
pub mod machine;
mod pages;
pub mod start;

pub use machine::Machine;

use core::net::{Ipv4Addr, SocketAddrV4};

use crate::block::DiskId;
use crate::config::{Settings, Severity};
use crate::ftp::client::Context;
use crate::ftp::link::ControlLink;
use crate::ftp::long_names::Gone;
use crate::ftp::session::{self, Session, Step};
use crate::ftp::shared::{
    MAX_SESSIONS, Network, NetworkFigures, PassivePorts, Shared, Statistics, WhoList,
};
use crate::ftp::wire;
use crate::memory::{Memory, OutOfMemory};
use crate::net::nic::Nic;
use crate::net::{self, Address, AddressPlan, Plan, Stack};
use crate::time::{DateTime, Millis};
use crate::vfs::Provider;
use crate::vfs::drives::Drives;
use desk::{Desk, Figures};
use links::{Control, Data};
use start::Start;

/// Control sockets beyond one for each client: they answer 421, and listen while others close. Where memory is
/// short, one for each so many free bytes: each takes 1.7 KB. While a single one closes, whoever comes waits in
/// his own TCP.
const SPARE_SOCKETS: usize = 3;
const FREE_FOR_A_SPARE: usize = 8 * 1024;
/// Receive buffer of a control connection, bytes: some commands; longer ones are read in pieces.
const COMMANDS: usize = 352;
/// Milliseconds between looks at what is in no hurry: clock, keys, screen, log file; and whose time is up.
const TICK: u64 = 10;
const SWEEP: u64 = 100;
/// Milliseconds without data after which the disks' own work is done all the time, and between its portions
/// while data moves.
const LULL: u64 = 20;
const PORTION: u64 = 100;
/// Milliseconds that transfers get when the server ends (manual, "Ending").
const GRACE: u64 = 10_000;
/// Milliseconds that the last replies get on their way out.
const FAREWELL: u64 = 1_000;

/// How far the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for an address.
    Starting,
    /// Serves.
    Serving,
    /// Was told to end: no new clients; transfers get until then.
    Ending(Millis),
    /// Sessions are over, their last packets leave until then.
    Leaving(Millis),
    /// Everything is on the disks.
    Ended,
}

/// What a turn has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Go on.
    Running,
    /// The server has ended; the PC may be switched off.
    Ended,
}

/// A client that has a session.
struct Connection {
    /// The control socket's index in the stack.
    control: usize,
    /// The client's.
    address: Ipv4Addr,
    session: Session,
    /// The disk of the file that it moves, where that had to be waited for: while it is at work there is nothing to
    /// be done.
    disk: Option<DiskId>,
}

/// The server.
pub struct Server<'a, 'm, M: Machine> {
    machine: &'m mut M,
    files: &'a mut Drives<'a>,
    stack: &'a mut Stack<'a>,
    start: &'a Start<'a>,
    found: &'a [u8],
    connections: &'a mut [Option<Connection>],
    statistics: Statistics,
    ports: PassivePorts,
    who: WhoList,
    gone: Gone,
    desk: &'m mut Desk<'a>,
    phase: Phase,
    /// Whose turn it is to use the disks: a connection's, or behind those the house's own.
    first: usize,
    /// Local time, read from the RTC once a second: reading it is slow.
    time: DateTime,
    time_read: Millis,
    last_work: Millis,
    /// When a session last had something to do at once, or data moved.
    moved: Millis,
    next_portion: Millis,
    next_tick: Millis,
    next_sweep: Millis,
    /// A session has something to do at once; which ones' last step left something to be done, a bit for each.
    sessions_busy: bool,
    unfinished: u16,
    /// Somebody waits for a drive that is at work.
    disk_works: bool,
    view: View,
}

/// What the protocol may ask of the network, as of the last sweep.
#[derive(Default)]
struct View {
    address: Option<Address>,
    counters: net::nic::Statistics,
    sockets: u16,
    used: u16,
}

impl Network for View {
    fn is_local(&self, address: Ipv4Addr) -> bool {
        self.address.is_some_and(|own| own.contains(address))
    }

    fn figures(&self) -> NetworkFigures {
        let nic = self.counters;
        NetworkFigures {
            address: self.address.map(|address| address.ip),
            sockets_used: self.used,
            sockets: self.sockets,
            packets_in: nic.packets_in,
            packets_out: nic.packets_out,
            errors_in: nic.errors_in,
            errors_out: nic.errors_out,
            lost: nic.lost,
        }
    }
}

impl<'a, 'm, M: Machine> Server<'a, 'm, M> {
    /// Builds the server on its card and its mounted disks, with what [`start::read`] found; it serves when
    /// it is furnished ([`Server::furnish`]).
    ///
    /// # Errors
    /// [`OutOfMemory`] with what did not fit.
    #[inline(never)]
    pub fn new(
        machine: &'m mut M,
        desk: &'m mut Desk<'a>,
        nic: &'a mut (dyn Nic + 'a),
        files: &'a mut Drives<'a>,
        start: &'a Start<'a>,
        memory: &mut impl Memory<'a>,
    ) -> Result<Server<'a, 'm, M>, OutOfMemory> {
        let (now, time, seed) = (machine.now(), machine.date_time(), machine.entropy());
        let clients = usize::from(start.settings.clients).min(MAX_SESSIONS);
        let found = desk.take_found(memory);
        let kept = files.wanted(clients) + clients * size_of::<Option<Connection>>();
        let plan = plan(&start.settings, clients, kept, seed, memory)?;
        if let Some(path) = start.log_file {
            desk.open_log(path, memory)?;
        }
        // A session's, and one for its data.
        let sockets = (plan.control_sockets + clients) as u16;
        // Last, because clients' buffers shrink to what is left.
        let stack = Stack::new(nic, &plan, memory, now)?;
        files.set_time(time);
        // The first port given out differs from start to start; which one it is does not matter.
        let first_port = seed as u16;
        Ok(Server {
            ports: PassivePorts::new(
                start.settings.pasv_base,
                start.settings.pasv_ports,
                first_port,
            ),
            machine,
            files,
            stack,
            start,
            found,
            connections: &mut [],
            statistics: Statistics::new(time),
            who: [const { None }; MAX_SESSIONS],
            gone: Gone::default(),
            desk,
            phase: Phase::Starting,
            first: 0,
            time,
            time_read: now,
            last_work: now,
            moved: now,
            next_portion: now,
            next_tick: now,
            next_sweep: now,
            sessions_busy: false,
            unfinished: 0,
            disk_works: false,
            view: View { sockets, ..View::default() },
        })
    }

    /// Takes the memory for disks, sessions and what is transferred, also of what the start leaves, and says what
    /// the server is like.
    ///
    /// # Errors
    /// As [`Server::new`].
    #[inline(never)]
    pub fn furnish(&mut self, memory: &mut impl Memory<'a>) -> Result<(), OutOfMemory> {
        let clients = usize::from(self.start.settings.clients).min(MAX_SESSIONS);
        self.files.furnish(memory, clients)?;
        self.connections = memory.slots("sessions", clients, |_| None)?;
        self.stack.furnish(memory)?;
        let settings = &self.start.settings;
        self.desk.announce(self.machine, settings, memory.free());
        let (up, down) = self.stack.data_buffers();
        if (up, down) < data_buffers(settings) {
            let text = format_args!(
                "Memory is short: buffers of {up} bytes for an upload, {down} for a download"
            );
            self.desk.say(self.machine, text, Severity::Warning);
        }
        Ok(())
    }

    /// The machine and the screen, to be used when the server has ended.
    pub fn surroundings(&mut self) -> (&mut M, &mut Desk<'a>) {
        (self.machine, self.desk)
    }

    /// One turn of the poll loop. Not inlined, so that its caller's frame stays small.
    #[inline(never)]
    pub fn step(&mut self) -> Turn {
        let now = self.machine.now();
        self.machine.poll();
        let tick = now >= self.next_tick;
        if tick {
            self.next_tick = now.plus(TICK);
            self.read_clock(now);
        }
        let activity = self.stack.poll(now, usize::from(self.start.settings.packets_per_poll));
        let mut busy = !activity.is_idle();
        // What came while a slow disk was at work is answered before the next command.
        self.files.begin_turn(!busy);
        self.disk_works = false;
        if tick || activity.control {
            self.follow_network();
            busy |= self.admit(now);
        }
        let (first, house) = (self.first, self.connections.len());
        // Beside a transfer the disks' own work comes in small portions.
        if self.sessions_busy || activity.has_any_data() {
            self.moved = now;
        }
        let works = now.since(self.moved) >= LULL || now >= self.next_portion;
        if (tick || works) && first >= house {
            busy |= self.keep_house(now, tick, works);
        }
        busy |= self.run_sessions(now, &activity);
        if (tick || works) && first < house {
            busy |= self.keep_house(now, tick, works);
        }
        if tick {
            self.follow_phase(now);
        }
        if busy || self.stack.has_news_to_send() {
            self.last_work = now;
        } else {
            self.machine.idle(now.since(self.last_work), self.disk_works);
        }
        if self.phase == Phase::Ended { Turn::Ended } else { Turn::Running }
    }

    fn read_clock(&mut self, now: Millis) {
        if now.since(self.time_read) >= 1000 {
            self.time = self.machine.date_time();
            self.time_read = now;
            self.files.set_time(self.time);
        }
    }

    /// Tells of what happened to our address, and says READY when there is the first one.
    fn follow_network(&mut self) {
        if let Some(event) = self.stack.event() {
            self.desk.network_event(self.machine, self.time, &event);
        }
        if self.phase == Phase::Starting
            && let Some(address) = self.stack.address()
        {
            self.phase = Phase::Serving;
            let port = self.start.settings.control_port;
            let own = SocketAddrV4::new(address.ip, port);
            self.desk.ready(self.machine, &self.start.settings, own);
        }
    }

    /// Gives new connections a session, or turns them away. Not inlined: a session passes over its stack.
    #[inline(never)]
    fn admit(&mut self, now: Millis) -> bool {
        let mut any = false;
        while let Some(control) = self.stack.accept() {
            any = true;
            let Some(port) = self.stack.control(control) else { continue };
            let mut link = Control(port);
            let address = *link.peer().ip();
            let same = self.connections.iter().flatten().filter(|c| c.address == address).count();
            let welcome = self.phase == Phase::Serving
                && same < usize::from(self.start.settings.clients_per_address());
            let free = self.connections.iter_mut().enumerate().find(|(_, slot)| slot.is_none());
            match free {
                Some((index, slot)) if welcome => {
                    let session = Session::new(index, &link, now);
                    *slot = Some(Connection { control, address, session, disk: None });
                    self.unfinished |= 1 << index;
                }
                _ => {
                    session::turn_away(&mut link);
                    self.statistics.refused = self.statistics.refused.wrapping_add(1);
                    self.stack.release(control);
                }
            }
        }
        any
    }

    /// One step of each session that has something to do: its packets came, it was not done, or it is
    /// time to look whether its time is up. Whoever waits for a drive that is at work is not asked before it is done,
    /// and whose command that is comes first then.
    fn run_sessions(&mut self, now: Millis, activity: &net::Activity) -> bool {
        let sweep = now >= self.next_sweep;
        if sweep {
            self.next_sweep = now.plus(SWEEP);
            self.view = View {
                address: self.stack.address(),
                counters: self.stack.statistics().nic,
                sockets: self.view.sockets,
                used: self.connections.iter().flatten().count() as u16,
            };
        }
        let everybody = sweep || activity.control;
        if !everybody && !self.sessions_busy && !activity.has_any_data() {
            return false;
        }
        let (mut busy, mut at_work) = (false, None);
        let first = self.first;
        let asked = if everybody { u16::MAX } else { self.unfinished | activity.data() };
        // From the first one on, around the end.
        let mut order = asked.rotate_right(first as u32);
        while order != 0 {
            let index = (first + order.trailing_zeros() as usize) & 15;
            order &= order - 1;
            let Some(slot) = self.connections.get_mut(index) else { continue };
            let Some(connection) = slot else { continue };
            if let Some(disk) = connection.disk.filter(|_| !everybody)
                && (at_work == Some(disk) || self.files.is_at_work(disk))
            {
                (at_work, self.disk_works) = (Some(disk), true);
                self.unfinished |= 1 << index;
                continue;
            }
            let spent = self.files.is_spent();
            let Some((control, data)) = self.stack.ports(connection.control, index) else {
                continue;
            };
            let mut shared = Shared {
                settings: &self.start.settings,
                users: &self.start.users,
                motd: self.start.motd,
                found: self.found,
                statistics: &mut self.statistics,
                ports: &mut self.ports,
                who: &mut self.who,
                gone: &mut self.gone,
                network: &self.view,
                journal: &mut self.desk.journal(self.machine, now, self.time),
            };
            let mut context = Context {
                control: &mut Control(control),
                data: &mut Data(data),
                files: self.files,
                shared: &mut shared,
                now,
                time: self.time,
            };
            let session = &mut connection.session;
            let moved = if everybody { None } else { session.move_file(&mut context) };
            let step = moved.unwrap_or_else(|| session.step(&mut context));
            let put_off = self.files.take_put_off();
            self.unfinished &= !(1 << index);
            self.unfinished |= u16::from(step == Step::Busy) << index;
            let disk = put_off.map(|put_off| put_off.disk).or(connection.disk);
            // Others give up on a change of a directory whose owner does not ask for it.
            connection.disk = disk.filter(|_| session.moves_a_file());
            match step {
                Step::Busy if put_off.is_none() => busy = true,
                Step::Idle | Step::Busy => self.disk_works |= put_off.is_some(),
                Step::Ended => {
                    self.stack.release(connection.control);
                    *slot = None;
                    busy = true;
                }
            }
            self.stack.send_replies();
            if !spent && self.files.is_spent() {
                self.first = index + 1;
            } else if let Some(put_off) = put_off.filter(|put_off| put_off.own) {
                (self.first, at_work) = (index, Some(put_off.disk));
            }
        }
        self.sessions_busy = busy || self.disk_works;
        busy
    }

    /// The console, the log, and what the disks have left to do.
    fn keep_house(&mut self, now: Millis, tick: bool, works: bool) -> bool {
        let spent = self.files.is_spent();
        let mut busy = tick && self.tend_console(now);
        if works {
            self.next_portion = now.plus(PORTION);
        }
        let worked = works && self.files.work();
        let put_off = self.files.take_put_off().is_some();
        self.disk_works |= put_off;
        busy |= worked && !put_off;
        if !spent && self.files.is_spent() {
            self.first = 0;
        }
        busy
    }

    /// Keys, status line, beeper, log file.
    fn tend_console(&mut self, now: Millis) -> bool {
        let ends = self.desk.tend(
            self.machine,
            self.files,
            &Figures {
                statistics: &self.statistics,
                who: &self.who,
                network: self.stack.statistics(),
                now,
                time: self.time,
            },
        );
        if ends && matches!(self.phase, Phase::Starting | Phase::Serving) {
            self.phase = Phase::Ending(now.plus(GRACE));
            self.desk.ending(self.machine);
            for connection in self.connections.iter_mut().flatten() {
                connection.session.shut_down();
            }
        }
        ends
    }

    /// Leads the server to its end: transfers, then last packets, then the disks.
    fn follow_phase(&mut self, now: Millis) {
        match self.phase {
            Phase::Ending(until) if now >= until => {
                for connection in self.connections.iter_mut().flatten() {
                    connection.session.cut_off();
                }
                if self.connections.iter().all(Option::is_none) || now >= until.plus(FAREWELL) {
                    self.phase = Phase::Leaving(now.plus(FAREWELL));
                }
            }
            Phase::Ending(_) if self.connections.iter().all(Option::is_none) => {
                self.phase = Phase::Leaving(now.plus(FAREWELL));
            }
            Phase::Leaving(until) if now >= until => {
                self.desk.finish_log(self.machine, self.files);
                let flushed = self.files.flush();
                self.desk.farewell(self.machine, flushed);
                self.phase = Phase::Ended;
            }
            _ => {}
        }
    }
}

/// Bytes for receiving and sending that a data connection is to have.
fn data_buffers(settings: &Settings) -> (usize, usize) {
    (settings.tcp_buffer + settings.file_buffer, settings.file_buffer)
}

/// What the settings ask of the network.
fn plan<'a>(
    settings: &Settings,
    clients: usize,
    kept: usize,
    seed: u64,
    memory: &mut impl Memory<'a>,
) -> Result<Plan<'a>, OutOfMemory> {
    let address = match settings.fixed_address {
        Some(fixed) => AddressPlan::Fixed(Address {
            ip: fixed.address,
            netmask: fixed.netmask,
            gateway: fixed.gateway,
        }),
        None => {
            let hostname = memory.bytes("host name", settings.hostname.len())?;
            hostname.copy_from_slice(settings.hostname.as_bytes());
            // It was a string a line ago.
            AddressPlan::Dhcp { hostname: core::str::from_utf8(hostname).unwrap_or_default() }
        }
    };
    let spares = (memory.free().saturating_sub(kept) / FREE_FOR_A_SPARE).clamp(1, SPARE_SOCKETS);
    Ok(Plan {
        address,
        mtu: settings.mtu,
        control_port: settings.control_port,
        control_sockets: clients + spares,
        control_buffers: (COMMANDS, wire::send_buffer(settings.code_page)),
        data_sockets: clients,
        data_buffers: data_buffers(settings),
        kept,
        // Those beyond the limit are told 421.
        per_address: usize::from(settings.clients_per_address()) + spares,
        seed,
    })
}
