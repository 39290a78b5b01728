//! Sessions on scripted links: what a client does, and what it then hears.

use std::net::{Ipv4Addr, SocketAddrV4};

use ftpsrv::config::{Settings, Users};
use ftpsrv::ftp::long_names::Gone;
use ftpsrv::ftp::shared::*;
use ftpsrv::ftp::{Context, Session, Step};
use ftpsrv::time::{DateTime, Millis};
use sim::memory_provider::MemoryProvider;
use sim::scripted_link::{ScriptedControl, ScriptedData};

use super::files::sample;

pub const NOW: DateTime =
    DateTime { year: 2026, month: 11, day: 21, hour: 7, minute: 2, second: 30 };

pub const PASSWORDS: &[u8] = b"\
brutman   passw0rd [none]       [any]               all\r\n\
tester    b0guspw  [none]       /drive_c/incoming   stor stou\r\n\
mover     m        [none]       /drive_c/incoming   all\r\n\
anonymous [email]  /drive_c/pub /incoming           stor stou\r\n\
reader    [email]  /drive_c/pub [any]\r\n";

/// Where clients come from.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 77);

/// One client.
pub struct Peer {
    pub session: Session,
    pub control: ScriptedControl,
    pub data: ScriptedData,
    pub ended: bool,
}

/// A server with its clients.
pub struct Bench {
    pub settings: Settings,
    pub motd: Vec<u8>,
    pub files: MemoryProvider,
    pub statistics: Statistics,
    pub ports: PassivePorts,
    pub who: WhoList,
    pub gone: Gone,
    pub log: Log,
    pub now: Millis,
    pub peers: Vec<Peer>,
}

/// The journal, as text.
#[derive(Default)]
pub struct Log(pub Vec<String>);

impl Journal for Log {
    fn note(&mut self, source: &Source<'_>, event: &Event<'_>) {
        let user = String::from_utf8_lossy(source.user).into_owned();
        self.0.push(format!("{} {user} {event:?}", source.slot));
    }
}

struct Lan;

impl Network for Lan {
    fn is_local(&self, address: Ipv4Addr) -> bool {
        address.octets()[..3] == [192, 168, 1]
    }

    fn figures(&self) -> NetworkFigures {
        NetworkFigures {
            address: Some(Ipv4Addr::new(192, 168, 1, 9)),
            sockets_used: 3,
            sockets: 7,
            packets_in: 11,
            ..Default::default()
        }
    }
}

impl Bench {
    pub fn new() -> Bench {
        Bench {
            settings: Settings::default(),
            motd: Vec::new(),
            files: sample(NOW),
            statistics: Statistics::new(NOW),
            ports: PassivePorts::new(2048, 10, 0),
            who: WhoList::default(),
            gone: Gone::default(),
            log: Log::default(),
            now: Millis(1000),
            peers: Vec::new(),
        }
    }

    /// A client connects; its number.
    pub fn connect(&mut self) -> usize {
        self.connect_from(CLIENT)
    }

    pub fn connect_from(&mut self, address: Ipv4Addr) -> usize {
        let slot = self.peers.len();
        let port = 40_000 + slot as u16;
        let control = ScriptedControl::new(SocketAddrV4::new(address, port));
        let session = Session::new(slot, &control, self.now);
        let data = ScriptedData::new(4096);
        self.peers.push(Peer { session, control, data, ended: false });
        slot
    }

    /// A client that has logged in.
    pub fn login(&mut self, user: &str, password: &str) -> usize {
        let client = self.connect();
        let said = self.say(client, &format!("USER {user}\r\nPASS {password}\r\n"));
        assert!(said.contains("\r\n230 "), "{said}");
        client
    }

    /// One step of one session; whether it was busy.
    pub fn step(&mut self, client: usize) -> bool {
        let users = Users::new(PASSWORDS);
        let peer = &mut self.peers[client];
        if peer.ended {
            return false;
        }
        let mut shared = Shared {
            settings: &self.settings,
            users: &users,
            motd: &self.motd,
            found: b"CPU: 386\nDrive C: FAT16\n",
            statistics: &mut self.statistics,
            ports: &mut self.ports,
            who: &mut self.who,
            gone: &mut self.gone,
            network: &Lan,
            journal: &mut self.log,
        };
        let mut context = Context {
            control: &mut peer.control,
            data: &mut peer.data,
            files: &mut self.files,
            shared: &mut shared,
            now: self.now,
            time: NOW,
        };
        match peer.session.step(&mut context) {
            Step::Idle => false,
            Step::Busy => true,
            Step::Ended => {
                peer.ended = true;
                false
            }
        }
    }

    /// Steps a session until it has nothing to do; everything that it said.
    pub fn run(&mut self, client: usize) -> String {
        let mut said = Vec::new();
        for _ in 0..100_000 {
            let busy = self.step(client);
            let heard = self.peers[client].control.take();
            said.extend_from_slice(&heard);
            if !busy && heard.is_empty() {
                return said.iter().map(|&b| char::from(b)).collect();
            }
        }
        panic!("the session never rests");
    }

    /// The client sends `text`; everything that it hears then.
    pub fn say(&mut self, client: usize, text: &str) -> String {
        self.peers[client].control.put(text.as_bytes());
        self.run(client)
    }

    /// The client sends one command; the reply, which must be one.
    pub fn ask(&mut self, client: usize, command: &str) -> String {
        self.say(client, &format!("{command}\r\n"))
    }

    /// Time passes.
    pub fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
    }

    /// PASV, and the client has connected.
    pub fn passive(&mut self, client: usize) {
        let said = self.ask(client, "PASV");
        assert!(said.starts_with("227 "), "{said}");
        self.peers[client].data.establish();
    }

    /// A download or listing over a passive connection: what was said and what came.
    pub fn fetch(&mut self, client: usize, command: &str) -> (String, Vec<u8>) {
        self.passive(client);
        let mut said = self.ask(client, command);
        self.peers[client].data.close_client();
        said += &self.run(client);
        (said, self.peers[client].data.take())
    }

    /// An upload over a passive connection: what was said.
    pub fn store(&mut self, client: usize, command: &str, content: &[u8]) -> String {
        self.passive(client);
        let mut said = self.ask(client, command);
        said += &self.feed(client, content);
        self.peers[client].data.close_client();
        said + &self.run(client)
    }

    /// The client sends `content` on the data connection, in the server's time.
    pub fn feed(&mut self, client: usize, mut content: &[u8]) -> String {
        let mut said = String::new();
        for _ in 0..1_000_000 {
            if content.is_empty() || self.peers[client].data.is_closed() {
                return said;
            }
            content = &content[self.peers[client].data.put(content)..];
            said += &self.run(client);
        }
        panic!("the upload never ends");
    }

    /// The codes of the replies in `said`, without the lines of longer ones.
    pub fn codes(said: &str) -> Vec<u16> {
        let code = |line: &str| {
            let (code, rest) = line.split_at_checked(3)?;
            (rest.starts_with(' ')).then(|| code.parse().ok())?
        };
        said.split_terminator("\r\n").filter_map(code).collect()
    }
}

/// Whether `said` ends with one reply of this code, and says no more than one.
#[track_caller]
pub fn assert_code(said: &str, code: u16) {
    assert_eq!(Bench::codes(said), [code], "{said:?}");
    assert!(said.ends_with("\r\n"), "{said:?}");
}
