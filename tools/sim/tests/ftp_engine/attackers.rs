//! Who should not get in, or further.

use std::net::Ipv4Addr;

use super::bench::*;

#[test]
fn failed_logins_wait_and_end() {
    let mut bench = Bench::new();
    let client = bench.connect();
    bench.run(client);
    for (attempt, code) in [(1, 530), (2, 530), (3, 421)] {
        assert_eq!(bench.ask(client, "USER brutman"), "331 send Password\r\n");
        assert_eq!(bench.ask(client, "PASS wrong"), "", "the reply waits");
        bench.pass(attempt * 1000 - 1);
        assert_eq!(bench.run(client), "");
        bench.pass(1);
        assert_code(&bench.run(client), code);
    }
    assert!(bench.peers[client].ended);
    assert_eq!((bench.statistics.failed_logins, bench.statistics.logins), (3, 0));
    assert!(!bench.log.0.iter().any(|line| line.contains("wrong")), "{:?}", bench.log.0);
}

#[test]
fn unknown_users_are_asked_for_a_password_too() {
    let mut bench = Bench::new();
    for name in ["nobody", "brutmanx", "brutman_and_more_than_ten", "\x1b[2J"] {
        let client = bench.connect();
        bench.run(client);
        assert_eq!(bench.ask(client, &format!("USER {name}")), "331 send Password\r\n");
        bench.ask(client, "PASS passw0rd");
        bench.pass(1000);
        assert_code(&bench.run(client), 530);
    }
}

#[test]
fn anonymous_users_give_any_address_but_none() {
    let mut bench = Bench::new();
    let client = bench.connect();
    bench.run(client);
    assert_eq!(bench.ask(client, "USER Anonymous"), "331 send your email addr\r\n");
    assert_eq!(bench.ask(client, "PASS "), "");
    bench.pass(1000);
    assert_code(&bench.run(client), 530);
    bench.ask(client, "USER anonymous");
    assert_eq!(bench.ask(client, "PASS me@x"), "230 User anonymous logged in\r\n");
    assert_eq!(bench.ask(client, "PWD"), "257 \"/\" is current directory\r\n");
}

#[test]
fn nobody_leaves_a_sandbox_or_sees_its_outside() {
    let mut bench = Bench::new();
    let client = bench.login("anonymous", "me@x");
    bench.ask(client, "TYPE I");
    for (command, code) in [
        ("CWD ..", 250),
        ("CWD /../..", 250),
        ("CWD ..\\..\\secret", 550),
        ("CWD /drive_c", 550),
        ("CWD c:\\", 550),
        ("SIZE ../secret/key.txt", 550),
        ("SIZE /drive_c/secret/key.txt", 550),
        ("MDTM ../readme.txt", 550),
        ("MLST ..", 250),
        ("STAT ../secret", 550),
        ("SITE DISKFREE C", 550),
        ("SITE DISKFREE", 200),
        ("CWD ../../pub", 550),
    ] {
        let said = bench.ask(client, command);
        assert_eq!(Bench::codes(&said), [code], "{command}: {said}");
        let said = said.to_ascii_lowercase();
        assert!(!said.contains("drive_c") && !said.contains("secret"), "{command}: {said}");
    }
    let (_, got) = bench.fetch(client, "NLST");
    assert_eq!(String::from_utf8(got).unwrap(), "A.TXT\r\nB.BIN\r\nINCOMING\r\nSUB\r\n");
}

#[test]
fn uploads_go_to_the_incoming_directory_only() {
    let mut bench = Bench::new();
    let client = bench.login("anonymous", "me@x");
    for name in ["x.txt", "/x.txt", "incoming/../x.txt", "sub/x.txt", "../other/x"] {
        assert_code(&bench.store(client, &format!("STOR {name}"), b"x"), 550);
    }
    assert_code(&bench.store(client, "STOU", b"x"), 550);
    bench.ask(client, "CWD incoming");
    assert_code(&bench.store(client, "STOR ../x.txt", b"x"), 550);
    assert_eq!(Bench::codes(&bench.store(client, "STOR x.txt", b"x")), [150, 226]);
    assert_code(&bench.store(client, "APPE x.txt", b"x"), 550);
    for command in ["DELE x.txt", "MKD d", "RMD ../sub", "RNFR x.txt"] {
        assert_code(&bench.ask(client, command), 550);
    }
    assert_eq!(bench.files.content("PUB/INCOMING/X.TXT").unwrap(), b"x");
    // REST would change a file that is there, which STOR alone does not permit.
    bench.ask(client, "TYPE I");
    bench.ask(client, "REST 1");
    assert_code(&bench.store(client, "STOR x.txt", b"y"), 550);
}

#[test]
fn renaming_does_not_carry_a_file_around_the_upload_rule() {
    let mut bench = Bench::new();
    bench.files.add_file("INCOMING/F.TXT", b"f");
    bench.files.add_dir("INCOMING/DIR");
    let client = bench.login("mover", "m");
    bench.ask(client, "CWD /drive_c");
    for (from, to, code) in [
        ("incoming/f.txt", "f.txt", 550),
        ("incoming/f.txt", "pub/f.txt", 550),
        ("incoming", "public", 550),
        ("incoming/dir", "dir", 550),
        ("incoming/f.txt", "incoming/../f.txt", 550),
        ("pub", "incoming", 550),
        ("incoming/f.txt", "incoming/g.txt", 250),
        ("readme.txt", "read.me", 250),
        ("read.me", "pub/read.me", 550),
        ("pub/a.txt", "incoming/a.txt", 250),
    ] {
        assert_code(&bench.ask(client, &format!("RNFR {from}")), 350);
        assert_eq!(Bench::codes(&bench.ask(client, &format!("RNTO {to}"))), [code], "{from} {to}");
    }
}

#[test]
fn data_connections_go_to_the_client_alone() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    for (command, code) in [
        ("PORT 192,168,1,78,200,1", 500),
        ("PORT 127,0,0,1,200,1", 500),
        ("PORT 192,168,1,77,3,255", 504),
        ("PORT 192,168,1,77,0,21", 504),
        ("PORT 192,168,1,77,256,1", 501),
        ("PORT 192,168,1,77,1", 501),
        ("PORT 192,168,1,77,200,1,1", 501),
        ("PORT 192,168,1,77,200,", 501),
        ("EPRT |1|192.168.1.78|51201|", 500),
        ("EPRT |1|192.168.1.77|1023|", 504),
        ("EPRT |2|::1|51201|", 522),
        ("EPRT |1|192.168.1.77|51201", 501),
        ("EPRT", 501),
    ] {
        assert_code(&bench.ask(client, command), code);
        assert_code(&bench.ask(client, "LIST"), 425);
    }
    assert_eq!(bench.peers[client].data.connecting(), None);
    bench.settings.nat = true;
    assert_code(&bench.ask(client, "PORT 10,0,0,1,200,1"), 200);
    bench.ask(client, "LIST");
    let (to, _) = bench.peers[client].data.connecting().unwrap();
    assert_eq!(to.to_string(), "192.168.1.77:51201");
}

#[test]
fn passive_mode_names_the_address_that_the_client_can_reach() {
    let mut bench = Bench::new();
    bench.settings.external_address = Some(Ipv4Addr::new(8, 8, 4, 4));
    let near = bench.login("brutman", "passw0rd");
    assert!(bench.ask(near, "PASV").contains("(192,168,1,1,8,0)"));
    let far = bench.connect_from(Ipv4Addr::new(9, 9, 9, 9));
    bench.say(far, "USER brutman\r\nPASS passw0rd\r\n");
    assert!(bench.ask(far, "PASV").contains("(8,8,4,4,8,1)"));
    assert_eq!(bench.ask(near, "EPSV"), "229 Entering Extended Passive Mode (|||2050|)\r\n");
    assert_eq!(bench.peers[near].data.listening(), Some((2050, CLIENT)));
    bench.settings.nat = true;
    assert!(bench.ask(near, "PASV").contains("(8,8,4,4,8,3)"));
    assert_code(&bench.ask(near, "EPSV 2"), 522);
    assert_code(&bench.ask(near, "EPSV ALL"), 200);
    assert_code(&bench.ask(near, "PASV"), 501);
    assert_code(&bench.ask(near, "EPSV"), 229);
}

#[test]
fn silence_ends_a_session() {
    let mut bench = Bench::new();
    let (stranger, user) = (bench.connect(), bench.login("brutman", "passw0rd"));
    bench.run(stranger);
    bench.pass(60_001);
    assert_code(&bench.run(stranger), 421);
    assert_eq!(bench.run(user), "");
    bench.pass(119_999);
    assert_eq!(bench.run(user), "");
    bench.pass(1);
    assert_code(&bench.run(user), 421);
    assert!(bench.peers[user].ended);
    assert_eq!((bench.statistics.timeouts, bench.statistics.active), (2, 0));
}

#[test]
fn control_bytes_are_never_echoed() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    for command in
        ["\x1b[2J", "CWD \x1b]0;x\x07", "HELP \x1b", "SITE \x1b", "TYPE \x1b", "MKD a\x08b"]
    {
        let said = bench.ask(client, command);
        assert!(said.trim_end().bytes().all(|b| b >= b' '), "{command:?}: {said:?}");
    }
}
