//! An FTP client as a person with telnet is one: lines out, replies in, data connections by hand.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::rig::{CONTROL, Rig};
use sim::client::Connection;

/// Simulated milliseconds that a client waits for a reply.
const PATIENCE: u64 = 400_000;

/// A control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ftp {
    pub host: usize,
    pub control: Connection,
}

impl Rig {
    /// Connects, and takes the greeting.
    pub fn connect(&mut self, host: usize) -> Ftp {
        let control = self.hosts[host].connect(CONTROL);
        let ftp = Ftp { host, control };
        let greeting = self.reply(ftp);
        assert!(greeting.starts_with("220 "), "{greeting}");
        ftp
    }

    /// Connects and logs in, with binary transfers.
    pub fn login_as(&mut self, host: usize, user: &str, password: &str) -> Ftp {
        let ftp = self.connect(host);
        self.expect(ftp, &format!("USER {user}"), "331");
        self.expect(ftp, &format!("PASS {password}"), "230");
        self.expect(ftp, "TYPE I", "200");
        ftp
    }

    /// As [`Rig::login_as`], as tester, in /drive_c.
    pub fn login(&mut self, host: usize) -> Ftp {
        let ftp = self.login_as(host, "tester", "secret");
        self.expect(ftp, "CWD /drive_c", "250");
        ftp
    }

    /// Sends bytes on the control connection as they are.
    pub fn send(&mut self, ftp: Ftp, bytes: &[u8]) {
        self.hosts[ftp.host].send(ftp.control, bytes);
    }

    /// Sends a command.
    pub fn say(&mut self, ftp: Ftp, command: &str) {
        self.send(ftp, format!("{command}\r\n").as_bytes());
    }

    /// Waits for a whole reply, its lines divided by `\n`.
    pub fn reply(&mut self, ftp: Ftp) -> String {
        self.reply_within(ftp, PATIENCE)
    }

    /// As [`Rig::reply`], for at most `ms`.
    pub fn reply_within(&mut self, ftp: Ftp, ms: u64) -> String {
        let mut lines: Vec<String> = Vec::new();
        self.until("a reply", ms, |rig| {
            while let Some(line) = rig.hosts[ftp.host].take_line(ftp.control) {
                let code = lines.first().unwrap_or(&line).get(..3).map(str::to_owned);
                let is_last = line.get(3..4) == Some(" ") && line.get(..3) == code.as_deref();
                lines.push(line);
                if is_last {
                    return true;
                }
            }
            assert!(
                !rig.is_closed(ftp) || !rig.hosts[ftp.host].received(ftp.control).is_empty(),
                "closed instead of a reply; so far {lines:?}"
            );
            false
        });
        lines.join("\n")
    }

    /// Whether nothing is there to be read.
    pub fn is_quiet(&self, ftp: Ftp) -> bool {
        self.hosts[ftp.host].received(ftp.control).is_empty()
    }

    /// A command and its reply.
    pub fn cmd(&mut self, ftp: Ftp, command: &str) -> String {
        self.say(ftp, command);
        self.reply(ftp)
    }

    /// A command whose reply must begin with `code`.
    pub fn expect(&mut self, ftp: Ftp, command: &str, code: &str) -> String {
        let reply = self.cmd(ftp, command);
        assert!(reply.starts_with(code), "{command}: {reply}");
        reply
    }

    /// Whether the server has closed the control connection.
    pub fn is_closed(&mut self, ftp: Ftp) -> bool {
        self.hosts[ftp.host].is_over(ftp.control)
    }

    /// PASV.
    pub fn pasv(&mut self, ftp: Ftp) -> SocketAddrV4 {
        let reply = self.expect(ftp, "PASV", "227");
        passive_address(&reply)
    }

    /// PASV, a connection to its port, and the command.
    pub fn ask(&mut self, ftp: Ftp, command: &str) -> Connection {
        let address = self.pasv(ftp);
        let data = self.hosts[ftp.host].connect(address);
        self.say(ftp, command);
        data
    }

    /// As [`Rig::ask`], and 150 is there.
    pub fn begin(&mut self, ftp: Ftp, command: &str) -> Connection {
        let data = self.ask(ftp, command);
        let reply = self.reply(ftp);
        assert!(reply.starts_with("150"), "{command}: {reply}");
        data
    }

    /// Downloads: what came, and the last reply.
    pub fn get(&mut self, ftp: Ftp, command: &str) -> (Vec<u8>, String) {
        let data = self.ask(ftp, command);
        let mut reply = self.reply(ftp);
        if reply.starts_with('1') {
            reply = self.reply(ftp);
            self.hosts[ftp.host].close(data);
            self.until("the data connection's end", 10_000, |rig| {
                rig.hosts[ftp.host].is_over(data)
            });
        }
        let bytes = self.hosts[ftp.host].take(data);
        self.hosts[ftp.host].forget(data);
        (bytes, reply)
    }

    /// Uploads; the last reply.
    pub fn put(&mut self, ftp: Ftp, command: &str, bytes: &[u8]) -> String {
        let data = self.ask(ftp, command);
        let mut reply = self.reply(ftp);
        if reply.starts_with('1') {
            self.hosts[ftp.host].send(data, bytes);
            self.hosts[ftp.host].close(data);
            reply = self.reply(ftp);
        }
        self.hosts[ftp.host].forget(data);
        reply
    }

    /// A directory's names.
    pub fn names(&mut self, ftp: Ftp, command: &str) -> Vec<String> {
        let (text, reply) = self.get(ftp, command);
        assert!(reply.starts_with("226"), "{reply}");
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }

    /// QUIT, and the end.
    pub fn quit(&mut self, ftp: Ftp) {
        self.expect(ftp, "QUIT", "221");
        self.until("the end", 5_000, |rig| rig.is_closed(ftp));
        self.hosts[ftp.host].close(ftp.control);
        self.run(5);
        self.hosts[ftp.host].forget(ftp.control);
    }

    /// Sessions a moment ago, as the screen's status line shows them.
    pub fn active(&self) -> usize {
        let line = &self.panel.screen()[0];
        let after = line.split("Active: ").nth(1).expect("a status line");
        after.split_whitespace().next().unwrap().parse().unwrap()
    }
}

/// The address in a 227.
pub fn passive_address(reply: &str) -> SocketAddrV4 {
    let inner = reply.split(['(', ')']).nth(1).expect("an address");
    let numbers: Vec<u8> = inner.split(',').map(|number| number.parse().unwrap()).collect();
    let [a, b, c, d, high, low] = numbers[..] else { panic!("{reply}") };
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))
}

/// A PORT argument.
pub fn port_argument(address: SocketAddrV4) -> String {
    let [a, b, c, d] = address.ip().octets();
    let [high, low] = address.port().to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}
