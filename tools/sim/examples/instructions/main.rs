//! One file, one list or one login through the whole server, for `cargo xtask bench --instructions`, which runs this under
//! callgrind and splits what it counted.
//!
//! What is counted are the server's own instructions, from the command or the connection's SYN to the last
//! reply, without those of the simulated PC and of the client. Prints what the run was about, a name and a
//! number a line.

mod counter;
mod pc;

use std::net::SocketAddrV4;

use ftpsrv::server::Server;
use pc::{Board, CLIENT, ChipPc, SERVER, Wire};
use sim::client::{Connection, Host};
use sim::network::Network;

/// Bytes of the file.
const LENGTH: usize = 1 << 20;
/// Turns of the server in a millisecond: about what a 386 does while it serves a file.
const TURNS: u64 = 2;
/// Turns in which the server has long looked through its volume.
const SURVEY: u32 = 3_000;
/// Turns that anything may take.
const LIMIT: u64 = 200_000;

/// The server, its PC, and the client.
struct Rig {
    server: Server<'static, 'static, Board>,
    pc: ChipPc,
    network: Network,
    wire: Wire,
    host: Host,
    turns: u64,
}

impl Rig {
    fn boot(content: &[u8]) -> Rig {
        let network = Network::new(1);
        network.set_latency(0);
        let wire = Wire::new(&network);
        let (server, pc) = pc::boot(content);
        let host = Host::new(&network, CLIENT);
        Rig { server, pc, network, wire, host, turns: 0 }
    }

    fn turn(&mut self) {
        counter::counted(|| self.server.step());
        self.turns += 1;
        self.wire.carry(&self.pc);
        if self.turns.is_multiple_of(TURNS) {
            self.host.poll();
            self.network.advance(1);
            self.pc.panel.clock.advance(1);
            self.wire.carry(&self.pc);
        }
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Rig) -> bool) {
        let end = self.turns + LIMIT;
        while !done(self) {
            assert!(
                self.turns < end,
                "{what} did not come; COM1 said:\n{}",
                self.pc.panel.serial()
            );
            self.turn();
        }
    }

    /// Waits for a reply's last line.
    fn reply(&mut self, control: Connection, code: &str) -> String {
        let mut found = String::new();
        self.until(code, |rig| {
            while let Some(line) = rig.host.take_line(control) {
                if line.as_bytes().get(3) == Some(&b' ') {
                    assert!(line.starts_with(code), "{line}");
                    found = line;
                    return true;
                }
            }
            false
        });
        found
    }

    fn command(&mut self, control: Connection, line: &str, code: &str) -> String {
        self.host.send(control, format!("{line}\r\n").as_bytes());
        self.reply(control, code)
    }

    /// Waits until the server has nothing to do but to serve.
    fn settle(&mut self) {
        self.until("READY", |rig| rig.pc.panel.serial().contains("FTPSRV READY"));
        // The server looks its volume through first, which is no transfer's work.
        for _ in 0..SURVEY {
            self.turn();
        }
    }

    fn login(&mut self) -> Connection {
        let control = self.host.connect(SocketAddrV4::new(SERVER, 21));
        self.reply(control, "220");
        self.command(control, "USER tester", "331");
        self.command(control, "PASS secret", "230");
        control
    }

    fn begin(&mut self) -> Connection {
        self.settle();
        let control = self.login();
        self.command(control, "TYPE I", "200");
        self.command(control, "CWD /drive_c", "250");
        control
    }

    fn passive(&mut self, control: Connection) -> Connection {
        let reply = self.command(control, "PASV", "227");
        let numbers: Vec<u16> =
            reply.split([',', '(', ')']).filter_map(|number| number.parse().ok()).collect();
        let [.., high, low] = numbers[..] else { panic!("{reply}") };
        self.host.connect(SocketAddrV4::new(SERVER, high << 8 | low))
    }

    /// What `command` sends.
    fn retrieve(&mut self, control: Connection, command: &str) -> Vec<u8> {
        let data = self.passive(control);
        self.command(control, command, "150");
        self.until("the file's end", |rig| rig.host.is_over(data));
        self.host.close(data);
        self.reply(control, "226");
        self.host.take(data)
    }

    fn store(&mut self, control: Connection, name: &str, content: &[u8]) {
        let data = self.passive(control);
        self.command(control, &format!("STOR {name}"), "150");
        self.host.fill_segments(data);
        self.host.send(data, content);
        self.host.close(data);
        self.reply(control, "226");
    }
}

fn main() {
    let verb = std::env::args().nth(1).unwrap_or_default();
    let content: Vec<u8> =
        (0..LENGTH as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut rig = Rig::boot(&content);
    let control = rig.begin();
    let (turns, card, disk) = (rig.turns, rig.pc.accesses(pc::CARD), rig.pc.accesses(pc::DISK));
    let mut listed = String::new();
    counter::open_window(true);
    match verb.as_str() {
        "RETR" => {
            assert!(rig.retrieve(control, "RETR DOWN.BIN") == content, "it came down different");
        }
        "STOR" => rig.store(control, "UP.BIN", &content),
        "LIST" => listed = String::from_utf8(rig.retrieve(control, "LIST LIST")).expect("names"),
        "login" => drop(rig.login()),
        _ => panic!("RETR, STOR, LIST or login"),
    }
    counter::open_window(false);
    let counts = [
        // The others are counted as a whole.
        ("bytes", if matches!(verb.as_str(), "RETR" | "STOR") { LENGTH as u64 } else { 1 }),
        ("turns", rig.turns - turns),
        ("card", rig.pc.accesses(pc::CARD) - card),
        ("disk", rig.pc.accesses(pc::DISK) - disk),
    ];
    for (name, count) in counts {
        println!("{name} {count}");
    }
    assert_eq!(listed.matches(".DAT\r\n").count(), if verb == "LIST" { pc::LISTED } else { 0 });
    if verb == "STOR" {
        assert!(rig.retrieve(control, "RETR UP.BIN") == content, "UP.BIN came back different");
    }
}
