//! What the manual's appendix A, FEAT and HELP promise, command by command.

use ftpsrv::ftp::command::TABLE;

use super::bench::*;

#[test]
fn help_knows_every_command_and_says_what_it_is_for() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    let all = bench.ask(client, "HELP");
    let words: Vec<&str> = all.split_whitespace().collect();
    for command in &TABLE {
        assert!(words.contains(&command.verb), "{}", command.verb);
        let said = bench.ask(client, &format!("HELP {}", command.verb.to_lowercase()));
        assert_eq!(said, format!("214 {} {}\r\n", command.verb, command.help));
        assert!(!command.help.is_empty());
    }
    let said = bench.ask(client, "SITE HELP");
    for verb in ["DISKFREE", "HELP", "STATS", "WHO", "CHMOD", "UTIME"] {
        assert!(said.contains(&format!("\r\n SITE {verb} ")), "{said}");
    }
}

/// RFC 2389: a line for each feature, begun with one space; nothing that does not work.
#[test]
fn feat_lists_exactly_what_works() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    let said = bench.ask(client, "FEAT");
    let mut lines: Vec<&str> = said.split_terminator("\r\n").collect();
    assert_eq!((lines.remove(0), lines.pop()), ("211-Features:", Some("211 End")));
    lines.sort_unstable();
    let expected = [
        " AVBL",
        " CLNT",
        " EPRT",
        " EPSV",
        " HASH SHA-256*;SHA-1;MD5;CRC32;",
        " MDTM",
        " MFMT",
        " MLST type*;size*;modify*;perm*;",
        " REST STREAM",
        " SIZE",
        " TVFS",
    ];
    assert_eq!(lines, expected);
    for command in
        ["AVBL /drive_c", "CLNT x", "MDTM /drive_c/readme.txt", "SIZE /drive_c/pub/b.bin"]
    {
        let said = bench.ask(client, command);
        assert!(said.starts_with('2'), "{command}: {said}");
    }
}

/// RFC 3659 section 7.5.5: perm says what would be permitted, to this user in this place.
#[test]
fn perm_follows_permissions_and_places() {
    let mut bench = Bench::new();
    for (user, password, directory, perms) in [
        ("brutman", "passw0rd", "/drive_c/pub", ["radf", "elcmpdf"]),
        ("tester", "b0guspw", "/drive_c/pub", ["r", "elc"]),
        ("reader", "me@x", "/", ["r", "el"]),
    ] {
        let client = bench.login(user, password);
        let (_, got) = bench.fetch(client, &format!("MLSD {directory}"));
        let got = String::from_utf8(got).unwrap();
        for (name, perm) in [("A.TXT", perms[0]), ("SUB", perms[1])] {
            let line = got.lines().find(|line| line.ends_with(name)).unwrap();
            assert!(line.contains(&format!(";perm={perm}; ")), "{user}: {line}");
        }
        bench.settings.clobber_files = user == "reader";
    }
    let client = bench.login("brutman", "passw0rd");
    assert!(bench.ask(client, "MLST /drive_c/pub/a.txt").contains(";perm=rawdf; "));
    bench.ask(client, "SITE CHMOD 444 /drive_c/pub/a.txt");
    assert!(bench.ask(client, "MLST /drive_c/pub/a.txt").contains(";perm=rf; "));
}

#[test]
fn opts_mlst_chooses_facts() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    assert_eq!(bench.ask(client, "OPTS MLST Type;SIZE;unique;"), "200 MLST OPTS type;size;\r\n");
    assert!(bench.ask(client, "FEAT").contains(" MLST type*;size*;modify;perm;\r\n"));
    let (_, got) = bench.fetch(client, "MLSD /drive_c/pub");
    let expected = "type=file;size=5; A.TXT\r\ntype=file;size=3000; B.BIN\r\n\
                    type=dir; INCOMING\r\ntype=dir; SUB\r\n";
    assert_eq!(String::from_utf8(got).unwrap(), expected);
    assert_eq!(bench.ask(client, "OPTS MLST"), "200 MLST OPTS \r\n");
    assert!(bench.ask(client, "MLST /drive_c/pub").contains("\r\n  /DRIVE_C/PUB\r\n"));
    assert_code(&bench.fetch(client, "MLSD /drive_c/readme.txt").0, 501);
    assert_code(&bench.ask(client, "OPTS NONSENSE"), 501);
}

#[test]
fn each_command_needs_its_permission() {
    let mut bench = Bench::new();
    bench.files.add_dir("PUB/EMPTY");
    let client = bench.login("reader", "me@x");
    let before = bench.files.names("PUB");
    for command in ["STOR x", "STOU", "APPE a.txt", "APPE x"] {
        assert_code(&bench.store(client, command, b"x"), 550);
    }
    for command in [
        "DELE a.txt",
        "MKD x",
        "RMD empty",
        "RNFR a.txt",
        "MFMT 20200229235958 a.txt",
        "MDTM 20200229235958 a.txt",
        "SITE CHMOD 444 a.txt",
        "SITE UTIME 20200229235958 a.txt",
    ] {
        let said = bench.ask(client, command);
        assert_eq!(said, "550 You do not have permission to do that\r\n", "{command}");
    }
    assert_code(&bench.ask(client, "RNTO y"), 503);
    assert_eq!(bench.files.names("PUB"), before);
    assert_eq!(bench.files.content("PUB/A.TXT").unwrap(), b"alpha");
}

#[test]
fn stat_tells_of_the_session_and_lists_a_path() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    let said = bench.ask(client, "STAT");
    for part in ["192.168.1.77:40000", "brutman", "TYPE: ASCII", "No data connection", ": 180\r\n"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    bench.say(client, "TYPE I\r\nPASV\r\n");
    let said = bench.ask(client, "STAT");
    assert!(said.contains("TYPE: BINARY") && said.contains("passive, ready"), "{said}");
    bench.ask(client, "PORT 192,168,1,77,200,1");
    assert!(bench.ask(client, "STAT").contains("active to 192.168.1.77:51201"));
    // As the listing, but indented by a space.
    let (_, listing) = bench.fetch(client, "LIST -al /drive_c/pub");
    let said = bench.ask(client, "STAT -al /drive_c/pub");
    let lines: Vec<&str> = said.split_terminator("\r\n").collect();
    let inner: Vec<String> =
        String::from_utf8(listing).unwrap().lines().map(|l| format!(" {l}")).collect();
    assert_eq!(lines[1..lines.len() - 1], inner);
    assert_eq!(
        (lines[0], lines[lines.len() - 1]),
        ("213-Status of /DRIVE_C/PUB:", "213 End of status")
    );
}

#[test]
fn site_stats_and_who_tell_what_the_manuals_do() {
    let mut bench = Bench::new();
    let stranger = bench.connect();
    let client = bench.login("brutman", "passw0rd");
    bench.run(stranger);
    bench.ask(client, "CWD /drive_c");
    bench.fetch(client, "RETR pub/b.bin");
    bench.store(client, "STOR new", b"12345\r\n");
    bench.pass(120_000);
    let said = bench.ask(client, "SITE STATS");
    for part in [
        " Started 2026-11-21 07:02:30",
        " Sessions: 2 so far, 2 active, 0 timed out, 0 refused",
        " Logins: 1 succeeded, 0 failed",
        " Files: 1 sent, 1 received, 0 broken off",
        " Bytes: 3000 sent, 7 received",
        " Sockets: 3 used, 4 free; packets: 11 in",
        " RETR 1",
        " STOR 1",
        " PASV 2",
        " DELE 0",
        " Address: 192.168.1.9",
        "\r\n CPU: 386\r\n Drive C: FAT16\r\n211 End\r\n",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = bench.ask(client, "SITE WHO");
    assert_eq!(
        said,
        "211-Who is on line:\r\n (not logged in) from 192.168.1.77, 2 min, idle\r\n \
         brutman from 192.168.1.77, 2 min, idle\r\n211 End\r\n"
    );
    assert_eq!(
        bench.ask(client, "SITE DISKFREE c"),
        format!("200 /DRIVE_C: {} bytes free of 20000000\r\n", bench.files.free())
    );
}

#[test]
fn room_is_told_before_an_upload() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    assert_code(&bench.ask(client, "AVBL"), 550);
    bench.ask(client, "CWD /drive_c");
    bench.files.set_free(1000);
    for (command, said) in [
        ("AVBL", "213 1000\r\n"),
        ("AVBL pub", "213 1000\r\n"),
        ("ALLO 1000", "200 There is room for that\r\n"),
        ("ALLO 1001", "552 Not so much room on this disk\r\n"),
        ("ALLO 1000 R 80", "200 There is room for that\r\n"),
        ("ALLO 5000000000", "552 Not so much room on this disk\r\n"),
        ("ALLO much", "501 Syntax error in the argument\r\n"),
        ("SMNT x", "502 Drives are directories here: use CWD\r\n"),
        ("ACCT x", "202 No account is needed here\r\n"),
        ("CLNT lftp", "200 Noted\r\n"),
    ] {
        assert_eq!(bench.ask(client, command), said, "{command}");
    }
}

/// A new user begins where a new connection does, but failed logins still count.
#[test]
fn rein_begins_again_and_forgets_no_failure() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    bench.say(client, "CWD /drive_c\r\nTYPE I\r\nREST 5\r\nPASV\r\nRNFR readme.txt\r\n");
    assert_code(&bench.ask(client, "REIN"), 220);
    for command in ["PWD", "LIST", "RNTO x", "SITE WHO", "MLST", "STAT"] {
        assert_code(&bench.ask(client, command), 530);
    }
    bench.say(client, "USER brutman\r\nPASS passw0rd\r\n");
    assert_eq!(bench.ask(client, "PWD"), "257 \"/\" is current directory\r\n");
    assert_code(&bench.ask(client, "RNTO x"), 503);
    assert_code(&bench.ask(client, "LIST"), 425);
    assert!(bench.ask(client, "STAT").contains("TYPE: ASCII"));
    for (attempt, code) in [(1, 530), (2, 530), (3, 421)] {
        bench.say(client, "REIN\r\nUSER brutman\r\nPASS guess\r\n");
        bench.pass(attempt * 1000);
        assert_code(&bench.run(client), code);
    }
    assert!(bench.peers[client].ended);
    assert!(!bench.log.0.iter().any(|line| line.contains("guess") || line.contains("passw0rd")));
}
