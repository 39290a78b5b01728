//! Command lines in every split, sessions and their limits.

use crate::rig::{Boot, CONTROL};
use sim::network::Random;

const SCRIPT: &[&str] = &[
    "USER tester",
    "PASS secret",
    "PWD",
    "CWD /drive_c",
    "PWD",
    "NOOP",
    "TYPE I",
    "SIZE NOFILE",
    "MKD D1",
    "CWD D1",
    "PWD",
    "CDUP",
    "RMD D1",
    "NONSENSE",
    "MDTM NOFILE",
    "STRU F",
    "SYST",
    "QUIT",
];

/// Replies to the whole script, sent in pieces as `split` says, with `end` behind each line.
fn play(end: &str, mut split: impl FnMut() -> usize) -> Vec<String> {
    let mut rig = Boot::new().start();
    let ftp = rig.connect(0);
    let text: String = SCRIPT.iter().map(|line| format!("{line}{end}")).collect();
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(split().min(rest.len()));
        rig.send(ftp, piece);
        // A segment of its own.
        rig.run(2);
        rest = after;
    }
    SCRIPT.iter().map(|_| rig.reply(ftp)).collect()
}

#[test]
fn commands_are_understood_in_any_split() {
    let whole = play("\r\n", || usize::MAX);
    let codes: Vec<&str> = whole.iter().map(|reply| &reply[..3]).collect();
    assert_eq!(
        codes,
        [
            "331", "230", "257", "250", "257", "200", "200", "550", "257", "250", "257", "250",
            "250", "500", "550", "200", "215", "221"
        ]
    );
    assert_eq!(play("\r\n", || 1), whole);
    assert_eq!(play("\n", || usize::MAX), whole);
    assert_eq!(play("\n", || 1), whole);
    let mut random = Random::new(5);
    assert_eq!(play("\r\n", || 1 + random.below(9)), whole);
}

#[test]
fn ten_clients_are_served_and_the_eleventh_is_told_421() {
    let mut rig = Boot::new().start();
    let clients: Vec<_> = (0..10).map(|n| rig.login(n % 3)).collect();
    assert_eq!(rig.active(), 10);
    let control = rig.hosts[0].connect(CONTROL);
    let eleventh = crate::ftp::Ftp { host: 0, control };
    assert!(rig.reply(eleventh).starts_with("421 "));
    rig.until("the end", 1000, |rig| rig.is_closed(eleventh));
    for (number, ftp) in clients.iter().enumerate() {
        let name = format!("F{number}.DAT");
        let data = vec![number as u8; 3000];
        assert!(rig.put(*ftp, &format!("STOR {name}"), &data).starts_with("226"));
        assert_eq!(rig.get(*ftp, &format!("RETR {name}")), (data, "226 Transfer complete".into()));
    }
    rig.quit(clients[4]);
    rig.login(2);
    rig.check_disks();
}

/// Memory is so short that there is one control socket beyond the client's.
#[test]
fn one_spare_socket_turns_clients_away_and_lets_the_next_one_in() {
    let boot = Boot::new().set("FTPSRV_CLIENTS", "1").set("FTPSRV_FILEBUFFER_SIZE", "4");
    let mut rig = boot.set("FTPSRV_TCPBUFFER_SIZE", "4").memory(64_000).start();
    let mut client = rig.login(0);
    let told = rig.cmd(client, "SITE STATS");
    assert!(told.contains("0 used, 3 free"), "{told}");
    for round in 0..3 {
        for _ in 0..3 {
            let control = rig.hosts[1].connect(CONTROL);
            let other = crate::ftp::Ftp { host: 1, control };
            assert!(rig.reply(other).starts_with("421 "));
            rig.until("the end", 1000, |rig| rig.is_closed(other));
        }
        rig.expect(client, "QUIT", "221");
        // While that connection closes.
        client = rig.login(2);
        assert!(rig.put(client, &format!("STOR {round}.DAT"), &[1; 3000]).starts_with("226"));
    }
    // Who is turned away and does not let go keeps the next one waiting for some seconds.
    let control = rig.hosts[1].connect(CONTROL);
    let other = crate::ftp::Ftp { host: 1, control };
    assert!(rig.reply(other).starts_with("421 "));
    rig.hosts[1].set_connected(false);
    rig.expect(client, "QUIT", "221");
    let start = rig.now();
    rig.login(0);
    assert!(rig.now() - start < 4_000, "{} ms", rig.now() - start);
    rig.check_disks();
}
