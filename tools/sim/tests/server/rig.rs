//! A PC that boots the real server from a floppy, on simulated disks, card, clock, screen and keys; and
//! time that passes only here.
//!
//! What the kernel's main.rs does is done here in the same order: mount, read the files, serve.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

use ftpsrv::block::{DiskKind, Disks};
use ftpsrv::config::Severity;
use ftpsrv::memory::Memory;
use ftpsrv::net::nic::{Class, Nic};
use ftpsrv::server::desk::Desk;
use ftpsrv::server::start::{self, CannotStart};
use ftpsrv::server::{Machine, Server, Turn, found};
use ftpsrv::time::DateTime;
use ftpsrv::vfs::{Drive, Drives, DrivesSize, Provider};
use sim::ata_disks::AtaDisks;
use sim::chips::Cable;
use sim::chips::bus::PortBus;
use sim::chips::ide::{IdeChannel, IdeDrive, Master, Model};
use sim::chips::pci::Pci;
use sim::client::Host;
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::{TempFile, fsck, mkfs, mtools};
use sim::memory::HostMemory;
use sim::network::{Network, STATION, SimNic};
use sim::pc::{Clock, Panel, Pc};

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const CONTROL: SocketAddrV4 = SocketAddrV4::new(SERVER, 21);
pub const SERVERS_STATION: [u8; 6] = STATION;
/// The disks' numbers: the floppy that the PC is booted from, and the hard disk.
pub const A: usize = 0;
pub const C: usize = 1;

/// Of the IDE controller's bus masters.
const MASTER_PORTS: u16 = 0xC000;
/// Hosts on the network, from 10.0.0.10 on.
const HOSTS: u8 = 3;
/// Turns of the server in a millisecond.
const TURNS: usize = 4;

const PASSWORDS: &str = "\
    # Users of the tests\r\n\
    tester     secret   [none]        [any]   all\r\n\
    boxed      secret   /drive_c/box  /in     stor appe stou\r\n\
    anonymous  [email]  /drive_c/box  [any]\r\n";

/// Makes a card with its driver and its cable to the network.
pub type MakeCard = Box<dyn FnOnce(&Network) -> (&'static mut dyn Nic, Cable)>;

/// What the PC is booted with.
pub struct Boot {
    card: Option<MakeCard>,
    settings: Vec<(String, String)>,
    passwords: Option<String>,
    files: Vec<(usize, String, Vec<u8>)>,
    hard_disks: Vec<Medium>,
    memory: usize,
    ide: Option<Model>,
}

impl Boot {
    /// A floppy with settings and users, and a FAT16 hard disk of 16 MB with /BOX and /BOX/IN.
    pub fn new() -> Boot {
        let settings = [
            ("IPADDR", "10.0.0.2"),
            ("NETMASK", "255.255.255.0"),
            ("FTPSRV_PASSWORD_FILE", "A:\\FTPPASS.TXT"),
            ("FTPSRV_CLIENTS", "10"),
            ("FTPSRV_PACKETS_PER_POLL", "10"),
            ("FTPSRV_PASV_BASE", "3000"),
            ("FTPSRV_PASV_PORTS", "100"),
        ];
        Boot {
            card: None,
            settings: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
            passwords: Some(PASSWORDS.to_owned()),
            files: Vec::new(),
            hard_disks: vec![hard_disk()],
            memory: 4 << 20,
            ide: None,
        }
    }

    /// Sets a line of MTCP.CFG.
    pub fn set(mut self, keyword: &str, value: &str) -> Boot {
        self.settings.retain(|(key, _)| key != keyword);
        self.settings.push((keyword.to_owned(), value.to_owned()));
        self
    }

    /// No MTCP.CFG on the floppy.
    pub fn without_config(mut self) -> Boot {
        self.settings.clear();
        self
    }

    /// Another password file; `None`: there is none.
    pub fn passwords(mut self, text: Option<&str>) -> Boot {
        self.passwords = text.map(str::to_owned);
        self
    }

    /// Puts a file in a disk's root.
    pub fn file(mut self, disk: usize, name: &str, content: &[u8]) -> Boot {
        self.files.push((disk, name.to_owned(), content.to_vec()));
        self
    }

    /// Another hard disk in place of C.
    pub fn hard_disk(mut self, medium: Medium) -> Boot {
        self.hard_disks = vec![medium];
        self
    }

    /// One more hard disk.
    pub fn and_hard_disk(mut self, medium: Medium) -> Boot {
        self.hard_disks.push(medium);
        self
    }

    /// C is a drive of an IDE channel, with its real driver; where it does DMA, its controller does.
    pub fn ide(mut self, model: Model) -> Boot {
        self.ide = Some(model);
        self
    }

    /// A real driver on the model of a card, in place of a card that is no chip.
    pub fn card(
        mut self,
        make: impl FnOnce(&Network) -> (&'static mut dyn Nic, Cable) + 'static,
    ) -> Boot {
        self.card = Some(Box::new(make));
        self
    }

    /// How many packets a turn takes.
    pub fn packets_per_poll(self, count: u8) -> Boot {
        self.set("FTPSRV_PACKETS_PER_POLL", &count.to_string())
    }

    /// The PC's memory for the server, bytes.
    pub fn memory(mut self, bytes: usize) -> Boot {
        self.memory = bytes;
        self
    }

    /// The floppy and the hard disks as they are before the start.
    fn media(&self) -> Vec<SimDisk> {
        let mut floppy = mkfs(2880, &["-F", "12"]);
        let settings = self.settings.iter().map(|(key, value)| format!("{key} {value}\r\n"));
        let config = settings.collect::<String>();
        if !config.is_empty() {
            floppy = with_file(&floppy, "MTCP.CFG", config.as_bytes());
        }
        if let Some(passwords) = &self.passwords {
            floppy = with_file(&floppy, "FTPPASS.TXT", passwords.as_bytes());
        }
        let mut media = vec![floppy];
        media.extend(self.hard_disks.iter().cloned());
        for (disk, name, content) in &self.files {
            media[*disk] = with_file(&media[*disk], name, content);
        }
        let kinds = (0..).map(|disk| if disk == A { DiskKind::Floppy } else { DiskKind::Hard });
        kinds.zip(media).map(|(kind, medium)| SimDisk::new(kind, Some(medium))).collect()
    }

    /// Boots; the server is ready.
    pub fn start(self) -> Rig {
        let mut rig = self.try_start().unwrap_or_else(|said| panic!("cannot start: {said}"));
        rig.until("READY", 1000, |rig| rig.panel.serial().contains("FTPSRV READY 10.0.0.2:21"));
        rig
    }

    /// Boots.
    ///
    /// # Errors
    /// What was said on COM1 until the start failed.
    pub fn try_start(mut self) -> Result<Rig, String> {
        let mut media = self.media();
        let bus = PortBus::new();
        let ide = self.ide.take().map(|model| {
            let medium = media.pop().and_then(|disk| disk.medium).expect("a hard disk");
            let model = Model { sectors: medium.sectors(), ..model };
            let mut channel = IdeChannel::primary();
            if model.dma {
                channel = channel.with_master(Master::new(MASTER_PORTS, bus.lent()));
                bus.plug(Pci::ide(MASTER_PORTS));
            }
            let channel = bus.plug(channel.connect(0, model));
            channel.borrow_mut().drive(0).medium = medium;
            channel
        });
        let disks = SimDisks::new(media);
        let (network, clock) = (Network::new(11), Clock::default());
        let time = DateTime { year: 1993, month: 6, day: 14, hour: 8, minute: 30, second: 0 };
        // The server's memory lives as long as the server, and that as long as the test.
        let pc = Box::leak(Box::new(Pc::new(clock, time)));
        let panel = pc.panel();
        let mut memory = HostMemory::new(self.memory);
        let (nic, cable) = match self.card.take() {
            Some(make) => {
                let (nic, cable) = make(&network);
                (nic, Some(cable))
            }
            None => (Box::leak(Box::new(SimNic::new(&network))) as &mut dyn Nic, None),
        };
        let serial = nic.info().class == Class::Slip;
        let waited = Rc::new(Cell::new(0));
        let all: &'static mut dyn Disks = match &ide {
            None => Box::leak(Box::new(disks.clone())),
            Some(_) => {
                let told = waited.clone();
                let told = move |us| told.set(told.get() + us);
                Box::leak(Box::new(AtaDisks::find(disks.clone(), &bus, Rc::new(told))))
            }
        };
        let server = boot(pc, all, nic, &mut memory).map_err(|()| panel.serial())?;
        // At the other end of a serial line is one host.
        let hosts = (0..if serial { 1 } else { HOSTS }).map(|n| {
            let address = Ipv4Addr::new(10, 0, 0, 10 + n);
            if serial { Host::slip(&network, address) } else { Host::new(&network, address) }
        });
        let hosts = hosts.collect();
        let lag = Rc::new(Cell::new(0));
        // What the server sends after a slow command leaves so much later.
        for disk in 0..disks.count().into() {
            let (network, lag) = (network.clone(), lag.clone());
            let told = move |ms| {
                lag.set(lag.get() + ms);
                network.set_lag(lag.get());
            };
            disks.with(disk, |disk| disk.on_busy = Some(Rc::new(told)));
        }
        waited.set(0);
        let drive = Ide { channel: ide, bus, waited };
        Ok(Rig { network, panel, disks, drive, server, hosts, cable, lag, ended: false })
    }
}

/// Bytes that there are for the service, but not yet for the start.
const UNPACKER: usize = 10 * 1024;

/// As main.rs.
fn boot(
    pc: &'static mut Pc,
    disks: &'static mut dyn Disks,
    nic: &'static mut dyn Nic,
    memory: &mut HostMemory,
) -> Result<Server<'static, 'static, Pc>, ()> {
    let unpacker = memory.bytes("unpacking", UNPACKER).map_err(drop)?;
    let desk = Box::leak(Box::new(Desk::new(pc, memory).map_err(drop)?));
    found::disks(desk, pc, disks);
    let drives = Drives::placed(disks, memory, DrivesSize::of(32 * 1024)).map_err(|error| {
        desk.say(pc, format_args!("ERROR: {error}"), Severity::Error);
    })?;
    drives.set_time(pc.date_time());
    found::drives(desk, pc, drives);
    let read = start::read(drives, Drive::A, memory, &mut |text, how| desk.say(pc, text, how));
    let start = read.map_err(|CannotStart| ())?;
    drives.exclude(start.settings.excluded_drives);
    found::card(desk, pc, nic);
    // Both for the server and for what is said when there is none.
    let panel = pc.panel();
    Server::new(pc, desk, nic, drives, start, memory)
        .and_then(|mut server| {
            memory.give_back(unpacker);
            server.furnish(memory).map(|()| server)
        })
        .map_err(|error| panel.note(&format!("ERROR: {error}")))
}

/// A hard disk of 16 MB without partition table, FAT16, with /BOX and /BOX/IN.
pub fn hard_disk() -> Medium {
    with_dirs(&mkfs(32_768, &["-F", "16"]), &["BOX", "BOX/IN"])
}

/// A volume with these directories in addition.
pub fn with_dirs(medium: &Medium, names: &[&str]) -> Medium {
    let names: Vec<String> = names.iter().map(|name| format!("::{name}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    mtools(medium, "mmd", &names).0
}

/// A volume with this file in addition, written by mtools.
pub fn with_file(medium: &Medium, name: &str, content: &[u8]) -> Medium {
    let file = TempFile::new();
    std::fs::write(file.path(), content).unwrap();
    let path = file.path().to_str().unwrap();
    mtools(medium, "mcopy", &["-D", "o", path, &format!("::{name}")]).0
}

/// A drive of an IDE channel, and its bus's time.
pub struct Ide {
    channel: Option<Rc<RefCell<IdeChannel>>>,
    bus: PortBus,
    /// Microseconds for which the driver kept the PC waiting, of which the network does not know yet.
    waited: Rc<Cell<u64>>,
}

impl Ide {
    /// Does something with the drive.
    pub fn with<T>(&self, act: impl FnOnce(&mut IdeDrive) -> T) -> T {
        act(self.channel.as_ref().expect("a drive").borrow_mut().drive(0))
    }

    /// What the driver must not have done and did.
    pub fn violations(&self) -> Vec<String> {
        self.channel.as_ref().map_or(Vec::new(), |channel| channel.borrow().violations.clone())
    }

    /// What the drive holds.
    pub fn medium(&self) -> Option<Medium> {
        self.channel.as_ref().map(|channel| channel.borrow_mut().drive(0).medium.clone())
    }
}

/// The PC, its network, and everybody on it.
pub struct Rig {
    pub network: Network,
    pub panel: Panel,
    pub disks: SimDisks,
    /// C, where it is a drive of an IDE channel.
    pub drive: Ide,
    pub server: Server<'static, 'static, Pc>,
    pub hosts: Vec<Host>,
    cable: Option<Cable>,
    /// What disk commands have taken in this turn.
    lag: Rc<Cell<u64>>,
    pub ended: bool,
}

impl Rig {
    /// Milliseconds since the start.
    pub fn now(&self) -> u64 {
        self.network.now().0
    }

    fn advance(&mut self, ms: u64) {
        self.network.advance(ms);
        self.panel.clock.advance(ms);
        self.drive.bus.elapse(ms as u32 * 1000);
    }

    /// One turn of the server, which takes as long as its disk commands.
    fn turn(&mut self) {
        if let Some(cable) = &self.cable {
            cable.run(1000 / TURNS as u32);
        }
        self.ended |= self.server.step() == Turn::Ended;
        self.network.set_lag(0);
        let waited = self.drive.waited.get();
        self.drive.waited.set(waited % 1000);
        let spent = self.lag.take() + waited / 1000;
        // The others' time goes on.
        for _ in 0..spent {
            if let Some(cable) = &self.cable {
                cable.run(1000);
            }
            self.poll_hosts();
            self.advance(1);
        }
    }

    /// One millisecond, or more where the disks are slow.
    pub fn step(&mut self) {
        let start = self.now();
        for _ in 0..TURNS {
            if !self.ended && self.now() == start {
                self.turn();
            }
        }
        self.poll_hosts();
        self.advance(1);
    }

    fn poll_hosts(&mut self) {
        for host in &mut self.hosts {
            host.poll();
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        let end = self.now() + ms;
        while self.now() < end {
            self.step();
        }
    }

    /// Lets much time pass, in which little happens: steps of 10 ms.
    pub fn doze(&mut self, ms: u64) {
        let end = self.now() + ms;
        while self.now() < end {
            self.step();
            self.advance(9);
        }
    }

    /// Lets time pass until `done`; panics when that takes more than `ms`.
    pub fn until(&mut self, what: &str, ms: u64, mut done: impl FnMut(&mut Rig) -> bool) -> u64 {
        let start = self.now();
        while !done(self) {
            assert!(
                self.now() <= start + ms,
                "not within {ms} ms: {what}\n{}",
                self.panel.serial()
            );
            self.step();
        }
        self.now() - start
    }

    /// Lets the server write everything to the disks, and checks them with fsck.fat.
    pub fn check_disks(&mut self) {
        if !self.ended {
            self.doze(15_000);
        }
        for disk in [A, C] {
            assert_eq!(fsck(&self.medium(disk)), Vec::<String>::new(), "disk {disk}");
        }
    }

    /// A file's content as mtools reads it from a disk.
    pub fn on_disk(&self, disk: usize, name: &str) -> Vec<u8> {
        mtools(&self.medium(disk), "mtype", &[&format!("::{name}")]).1
    }

    fn medium(&self, disk: usize) -> Medium {
        self.drive.medium().filter(|_| disk == C).unwrap_or_else(|| self.disks.medium(disk))
    }
}
