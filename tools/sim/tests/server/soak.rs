//! Clients that come, talk, transfer and vanish in every way, by the thousand; and nothing that they had
//! is missing afterwards.

use std::collections::BTreeSet;

use crate::ftp::Ftp;
use crate::rig::{Boot, CONTROL, Rig};
use sim::client::{Connection, Host};
use sim::network::Random;

/// Clients at once: fewer than slots, so that those of the vanished leave room.
const CLIENTS: usize = 6;
/// The host whose plug is pulled.
const MORTAL: usize = 2;

const COMMANDS: &[&str] = &[
    "NOOP",
    "PWD",
    "CWD /drive_c",
    "CWD NOWHERE",
    "CDUP",
    "CWD /drive_c/BOX",
    "SIZE F1.DAT",
    "MDTM F2.DAT",
    "FEAT",
    "HELP",
    "HELP STOR",
    "SYST",
    "STAT",
    "SITE WHO",
    "SITE STATS",
    "XYZZY",
    "SITE DISKFREE",
    "MKD D1",
    "RMD D1",
    "MKD D2",
    "RMD D2",
    "RNFR F3.DAT",
    "RNTO F4.DAT",
    "RNTO X",
    "REST 0",
    "TYPE A",
    "TYPE I",
    "MLST",
    "HASH F1.DAT",
    "USER a",
    "PASS b",
    "DELE F5.DAT",
    "STAT /drive_c",
    "OPTS UTF8 ON",
    "ALLO 100",
    "STRU F",
    "MODE S",
    "PORT 1,2,3,4,5,6",
    "PASV",
    "EPSV",
    "ABOR",
    "RETR NOFILE",
    "SIZE /drive_q/x",
    "\x1b[2J",
    "",
    "DELE ../../X",
];

struct Soak {
    rig: Rig,
    random: Random,
    clients: Vec<Option<Ftp>>,
    commands: usize,
    connections: usize,
    turned_away: usize,
    names: BTreeSet<String>,
}

impl Soak {
    fn new(seed: u64) -> Soak {
        Soak {
            rig: Boot::new().set("FTPSRV_SESSION_TIMEOUT", "7200").start(),
            random: Random::new(seed),
            clients: vec![None; CLIENTS],
            commands: 0,
            connections: 0,
            turned_away: 0,
            names: BTreeSet::new(),
        }
    }

    /// Lets all this happen until there were so many commands and connections.
    fn run(&mut self, commands: usize, connections: usize) {
        while self.commands < commands || self.connections < connections {
            let slot = self.random.below(CLIENTS);
            match self.clients[slot] {
                None => self.clients[slot] = self.arrive(slot),
                Some(ftp) => {
                    if !self.act(ftp) {
                        self.clients[slot] = None;
                    }
                }
            }
            if self.random.chance(3) {
                self.pull_the_plug();
            }
        }
    }

    fn host_of(slot: usize) -> usize {
        slot % 3
    }

    fn arrive(&mut self, slot: usize) -> Option<Ftp> {
        let host = Soak::host_of(slot);
        self.connections += 1;
        let ftp = Ftp { host, control: self.rig.hosts[host].connect(CONTROL) };
        let greeting = self.rig.reply(ftp);
        if greeting.starts_with("421") {
            self.turned_away += 1;
            self.rig.hosts[host].forget(ftp.control);
            self.rig.doze(2_000);
            return None;
        }
        for command in ["USER tester", "PASS secret", "TYPE I", "CWD /drive_c"] {
            let reply = self.rig.cmd(ftp, command);
            assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
        }
        self.commands += 4;
        Some(ftp)
    }

    /// One thing that a client does; `false`: it is gone then.
    fn act(&mut self, ftp: Ftp) -> bool {
        match self.random.below(20) {
            0..=9 => self.talk(ftp),
            10..=11 => self.upload(ftp),
            12..=13 => self.download(ftp),
            14 => self.break_upload(ftp),
            15 => self.rig.doze(1_000),
            _ => {
                self.vanish(ftp);
                return false;
            }
        }
        true
    }

    /// Many commands at once, and as many replies.
    fn talk(&mut self, ftp: Ftp) {
        let count = 1 + self.random.below(30);
        let mut text = String::new();
        for _ in 0..count {
            text += COMMANDS[self.random.below(COMMANDS.len())];
            text += "\r\n";
        }
        self.rig.send(ftp, text.as_bytes());
        self.rig.send(ftp, b"SITE HELP\r\n");
        let mut replies = 0;
        loop {
            let reply = self.rig.reply(ftp);
            if reply.starts_with("214-SITE") || reply.contains("DISKFREE") && reply.contains("WHO")
            {
                break;
            }
            replies += 1;
        }
        // Nothing is answered twice, but ABOR may end what came before it.
        assert!(replies <= 2 * count, "{replies} replies to {count} commands");
        self.rig.expect(ftp, "TYPE I", "200");
        self.rig.expect(ftp, "CWD /drive_c", "250");
        self.commands += count + 3;
    }

    fn name(&mut self) -> String {
        let name = format!("F{}.DAT", self.random.below(30));
        self.names.insert(name.clone());
        name
    }

    fn upload(&mut self, ftp: Ftp) {
        let (name, length) = (self.name(), self.random.below(20_000));
        let bytes = vec![self.random.below(256) as u8; length];
        let reply = self.rig.put(ftp, &format!("STOR {name}"), &bytes);
        assert!(["226", "553", "450"].contains(&&reply[..3]), "{reply}");
        self.commands += 2;
        if reply.starts_with("226") {
            assert!(self.rig.get(ftp, &format!("RETR {name}")).0 == bytes);
            self.commands += 2;
        } else if self.random.chance(500) {
            let reply = self.rig.cmd(ftp, &format!("DELE {name}"));
            assert!(["250", "550", "450"].contains(&&reply[..3]), "{reply}");
            self.commands += 1;
        }
    }

    fn download(&mut self, ftp: Ftp) {
        let name = self.name();
        let command = if self.random.chance(300) { "NLST".into() } else { format!("RETR {name}") };
        let (_, reply) = self.rig.get(ftp, &command);
        assert!(["226", "550", "450"].contains(&&reply[..3]), "{command}: {reply}");
        self.commands += 2;
    }

    /// An upload whose data connection is reset or forgotten, in which case ABOR follows.
    fn break_upload(&mut self, ftp: Ftp) {
        let Some(data) = self.begin(ftp) else { return };
        if self.random.chance(500) {
            self.rig.hosts[ftp.host].abort(data);
            let reply = self.rig.reply(ftp);
            assert!(reply.starts_with("426"), "{reply}");
        } else {
            self.rig.hosts[ftp.host].forget(data);
            self.rig.say(ftp, "ABOR");
            let reply = self.rig.reply(ftp);
            assert!(reply.starts_with("426"), "{reply}");
            let reply = self.rig.reply(ftp);
            assert!(reply.starts_with("226"), "{reply}");
            self.commands += 1;
        }
    }

    /// Begins an upload, and sends a part.
    fn begin(&mut self, ftp: Ftp) -> Option<Connection> {
        let name = self.name();
        let data = self.rig.ask(ftp, &format!("APPE {name}"));
        self.commands += 2;
        let reply = self.rig.reply(ftp);
        if !reply.starts_with("150") {
            self.rig.hosts[ftp.host].forget(data);
            return None;
        }
        let length = self.random.below(10_000);
        self.rig.hosts[ftp.host].send(data, &vec![1; length]);
        let wait = self.random.below(40) as u64;
        self.rig.run(wait);
        Some(data)
    }

    /// Ends in one of the ways in which clients end.
    fn vanish(&mut self, ftp: Ftp) {
        let data = if self.random.chance(400) { self.begin(ftp) } else { None };
        let host = &mut self.rig.hosts[ftp.host];
        match self.random.below(5) {
            0 => {
                host.abort(ftp.control);
                data.inspect(|data| host.abort(*data));
                self.rig.run(3);
            }
            1 => {
                host.close(ftp.control);
                data.inspect(|data| host.close(*data));
                self.rig.run(50);
            }
            2 if data.is_none() => {
                self.commands += 1;
                self.rig.quit(ftp);
            }
            // A command half written.
            3 => {
                host.send(ftp.control, b"STOR HALF");
                self.rig.run(5);
            }
            _ => {}
        }
        // And the client's machine knows nothing of it any more.
        self.rig.hosts[ftp.host].forget(ftp.control);
        if let Some(data) = data {
            self.rig.hosts[ftp.host].forget(data);
        }
    }

    /// A host goes, and all of its clients, without a word; and comes back later.
    fn pull_the_plug(&mut self) {
        self.rig.hosts[MORTAL].set_connected(false);
        for slot in (0..CLIENTS).filter(|slot| Soak::host_of(*slot) == MORTAL) {
            self.clients[slot] = None;
        }
        self.rig.doze(1_000);
        // A new machine with the old one's address.
        let ip = self.rig.hosts[MORTAL].ip();
        let fresh = Host::new(&self.rig.network, ip);
        self.rig.hosts[MORTAL] = fresh;
    }

    /// Everything is free again: ten clients get in, each with a data connection and an open file, and
    /// each file can be deleted.
    fn check(mut self) {
        for ftp in std::mem::take(&mut self.clients).into_iter().flatten() {
            self.vanish(ftp);
        }
        self.rig.doze(200_000);
        assert_eq!(self.rig.active(), 0);
        let all: Vec<Ftp> = (0..10).map(|n| self.rig.login(n % 3)).collect();
        let under_way: Vec<(Ftp, Connection)> = (0..10)
            .map(|n| (all[n], self.rig.begin(all[n], &format!("STOR LAST{n}.DAT"))))
            .collect();
        for (ftp, data) in under_way {
            self.rig.hosts[ftp.host].close(data);
            let reply = self.rig.reply(ftp);
            assert!(reply.starts_with("226"), "{reply}");
        }
        for name in self.rig.names(all[0], "NLST") {
            if name.ends_with(".DAT") {
                self.rig.expect(all[0], &format!("DELE {name}"), "250");
            }
        }
        assert!(self.rig.names(all[0], "NLST").iter().all(|name| !name.ends_with(".DAT")));
        self.rig.check_disks();
        println!(
            "{} commands, {} connections ({} turned away), {} s on the simulated clock",
            self.commands,
            self.connections,
            self.turned_away,
            self.rig.now() / 1000
        );
    }
}

#[test]
fn a_sample_of_the_soak_leaves_everything_free() {
    let mut soak = Soak::new(1);
    soak.run(3_000, 60);
    soak.check();
}

#[test]
#[ignore = "a minute or more: cargo test --release -p sim --test server -- --ignored --nocapture soak"]
fn the_soak_leaves_everything_free() {
    let mut soak = Soak::new(2);
    soak.run(100_000, 2_000);
    soak.check();
}
