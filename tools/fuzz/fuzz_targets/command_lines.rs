//! Command lines: whatever a client sends, before and after login, replies are lines with a code and
//! without control bytes, data connections go to the client alone, and the session ends when it is gone.
//! The first byte chooses settings and user, the second how TCP splits the rest.
#![no_main]

use std::net::{Ipv4Addr, SocketAddrV4};

use ftpsrv::config::settings::{CodePage, LongNames};
use ftpsrv::config::{Settings, Users};
use ftpsrv::ftp::long_names::Gone;
use ftpsrv::ftp::shared::*;
use ftpsrv::ftp::{Context, Session, Step};
use ftpsrv::time::{DateTime, Millis};
use libfuzzer_sys::fuzz_target;
use sim::memory_provider::MemoryProvider;
use sim::rig::{STORE, make_dir, store};
use sim::scripted_link::{ScriptedControl, ScriptedData};

const PASSWORDS: &[u8] = b"\
all       p       [none]       [any]     all\r\n\
anonymous [email] /drive_c/pub /incoming stor stou mkd\r\n";

const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 77);

struct Quiet;

impl Journal for Quiet {
    fn note(&mut self, _: &Source<'_>, _: &Event<'_>) {}
}

impl Network for Quiet {
    fn is_local(&self, _: Ipv4Addr) -> bool {
        true
    }

    fn figures(&self) -> NetworkFigures {
        NetworkFigures::default()
    }
}

fuzz_target!(|input: &[u8]| {
    let [flags, piece, commands @ ..] = input else { return };
    let mut settings = Settings::default();
    let set = |bit: u8| flags & bit != 0;
    settings.clobber_files = set(1);
    settings.nat = set(2);
    if set(4) {
        settings.long_names = LongNames::Shorten;
    }
    if set(8) {
        settings.code_page = CodePage::Cp850;
    }
    let mut files = MemoryProvider::new();
    for directory in ["/drive_c/pub", "/drive_c/pub/incoming", "/drive_c/secret"] {
        make_dir(&mut files, directory).expect("a directory");
    }
    store(&mut files, "/drive_c/pub/a.txt", STORE, b"one\r\ntwo\n", 512).expect("a file");
    files.patience = u32::from(set(16));
    let control = ScriptedControl::new(SocketAddrV4::new(CLIENT, 40_000));
    control.split(usize::from(*piece).max(1));
    match flags >> 6 {
        0 => {}
        1 => control.put(b"USER anonymous\r\nPASS a@b\r\n"),
        _ => control.put(b"USER all\r\nPASS p\r\nCWD /drive_c\r\n"),
    }
    control.put(commands);
    if set(32) {
        control.close_client();
    }
    let mut client = Client {
        session: Session::new(0, &control, Millis(0)),
        control,
        data: ScriptedData::new(2048),
        said: Vec::new(),
        ended: false,
    };
    let mut server = Server {
        settings,
        files,
        statistics: Statistics::new(DateTime::EPOCH),
        ports: PassivePorts::new(2048, 10, 0),
        who: WhoList::default(),
        gone: Gone::default(),
        now: Millis(0),
    };
    // What was sent, then the client vanishes.
    for turn in 0..40_000 {
        if client.ended {
            break;
        }
        if turn == 20_000 {
            client.control.kill();
        }
        server.step(&mut client);
    }
    assert!(client.ended, "the session never ends");
    assert_eq!(server.statistics.active, 0);
    check(&client.said);
});

struct Client {
    session: Session,
    control: ScriptedControl,
    data: ScriptedData,
    said: Vec<u8>,
    ended: bool,
}

struct Server {
    settings: Settings,
    files: MemoryProvider,
    statistics: Statistics,
    ports: PassivePorts,
    who: WhoList,
    gone: Gone,
    now: Millis,
}

impl Server {
    fn step(&mut self, client: &mut Client) {
        let users = Users::new(PASSWORDS);
        let mut shared = Shared {
            settings: &self.settings,
            users: &users,
            motd: b"hello\n",
            found: b"CPU: 386\n",
            statistics: &mut self.statistics,
            ports: &mut self.ports,
            who: &mut self.who,
            gone: &mut self.gone,
            network: &Quiet,
            journal: &mut Quiet,
        };
        let step = client.session.step(&mut Context {
            control: &mut client.control,
            data: &mut client.data,
            files: &mut self.files,
            shared: &mut shared,
            now: self.now,
            time: DateTime::EPOCH,
        });
        client.said.extend(client.control.take());
        client.data.take();
        if let Some((to, _)) = client.data.connecting() {
            assert_eq!(*to.ip(), CLIENT);
            assert!(to.port() >= 1024);
        }
        if let Some((_, owner)) = client.data.listening() {
            assert_eq!(owner, CLIENT);
        }
        match step {
            Step::Ended => client.ended = true,
            Step::Busy => {}
            Step::Idle if client.data.can_establish() => {
                client.data.establish();
                client.data.put(b"some\ntext");
                client.data.close_client();
            }
            // Nothing but time can change anything now.
            Step::Idle => self.now = self.now.plus(1000),
        }
    }
}

/// Every line has a code, or is one of a longer reply's; the longer reply ends.
fn check(said: &[u8]) {
    let mut open: Option<&[u8]> = None;
    for line in said.split_inclusive(|&b| b == b'\n') {
        let text = line.strip_suffix(b"\r\n").expect("a whole line");
        assert!(text.iter().all(|&b| b >= b' ' && b != 0x7F), "{text:?}");
        let coded = text.len() >= 4 && text[..3].iter().all(u8::is_ascii_digit);
        match (open, coded.then(|| text[3])) {
            (None, Some(b' ')) => {}
            (None, Some(b'-')) => open = Some(&text[..3]),
            (None, _) => panic!("{:?}", String::from_utf8_lossy(text)),
            (Some(code), Some(b' ')) if text.starts_with(code) => open = None,
            (Some(_), _) => {}
        }
    }
}
