//! Commands and replies.

use ftpsrv::config::settings::CodePage;
use ftpsrv::time::{DateTime, Zone};

use super::bench::*;

#[test]
fn a_session_from_greeting_to_goodbye() {
    let mut bench = Bench::new();
    let client = bench.connect();
    assert_eq!(bench.run(client), "220 FTP server ready\r\n");
    assert_eq!(bench.ask(client, "USER brutman"), "331 send Password\r\n");
    assert_eq!(bench.ask(client, "PASS passw0rd"), "230 User brutman logged in\r\n");
    assert_eq!(bench.ask(client, "SYST"), "215 UNIX Type: L8\r\n");
    assert_eq!(bench.ask(client, "PWD"), "257 \"/\" is current directory\r\n");
    assert_code(&bench.ask(client, "CWD drive_c/pub"), 250);
    assert_eq!(bench.ask(client, "PWD"), "257 \"/DRIVE_C/PUB\" is current directory\r\n");
    assert_eq!(bench.ask(client, "QUIT"), "221 Goodbye\r\n");
    assert!(bench.peers[client].ended && bench.peers[client].control.is_closed());
    assert_eq!(bench.statistics.active, 0);
}

#[test]
fn names_and_directories() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    assert_code(&bench.ask(client, "CWD /drive_c"), 250);
    assert_eq!(bench.ask(client, "MKD new"), "257 \"/DRIVE_C/NEW\" directory created\r\n");
    assert_eq!(
        bench.ask(client, "XMKD new"),
        "521-\"/DRIVE_C/NEW\" exists already;\r\n521 taking no action\r\n"
    );
    assert_code(&bench.ask(client, "RNFR new"), 350);
    assert_code(&bench.ask(client, "RNTO pub"), 553);
    assert_code(&bench.ask(client, "RNTO newer"), 503);
    assert_code(&bench.ask(client, "RNFR new"), 350);
    assert_code(&bench.ask(client, "RNTO pub/newer"), 250);
    assert_code(&bench.ask(client, "CWD pub/newer"), 250);
    assert_code(&bench.ask(client, "CDUP"), 250);
    assert_eq!(bench.ask(client, "XPWD"), "257 \"/DRIVE_C/PUB\" is current directory\r\n");
    assert_code(&bench.ask(client, "RMD newer"), 250);
    assert_code(&bench.ask(client, "RMD newer"), 550);
    assert_code(&bench.ask(client, "RMD /drive_c/pub"), 550);
    assert_code(&bench.ask(client, "DELE a.txt"), 250);
    assert_code(&bench.ask(client, "DELE a.txt"), 550);
    assert_code(&bench.ask(client, "CWD /drive_d"), 550);
    assert_code(&bench.ask(client, "CWD /pub"), 550);
    assert_code(&bench.ask(client, "RNFR a.txt"), 550);
    assert!(bench.files.content("PUB/A.TXT").is_none());
}

#[test]
fn names_with_spaces_are_refused_whole() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "CWD /drive_c");
    let before = bench.files.names("");
    bench.passive(client);
    for (command, code) in [
        ("STOR a b.txt", 553),
        ("APPE a b.txt", 553),
        ("MKD a b", 550),
        // No name has a quote, so none has to be doubled in a 257.
        ("MKD a\"b", 550),
        ("CWD a\"b", 550),
        ("RETR readme.txt x", 550),
        ("RETR  readme.txt", 550),
        ("DELE readme.txt ", 550),
        ("STOR toolongname.txt", 553),
        ("STOR con", 553),
        ("STOR \x1b[2J", 553),
    ] {
        assert_code(&bench.ask(client, command), code);
    }
    assert_eq!(bench.files.names(""), before);
}

#[test]
fn listings_in_every_form() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    let (said, got) = bench.fetch(client, "LIST");
    assert_eq!(Bench::codes(&said), [150, 226]);
    let line = "drwxrwxrwx   1 ftp      ftp               0 Jan 01  1980 DRIVE_C\r\n";
    assert_eq!(String::from_utf8(got).unwrap(), line);
    bench.ask(client, "CWD /drive_c/pub");
    let expected = "\
        -rw-rw-rw-   1 ftp      ftp               5 Nov 21 07:02 A.TXT\r\n\
        -rw-rw-rw-   1 ftp      ftp            3000 Nov 21 07:02 B.BIN\r\n\
        drwxrwxrwx   1 ftp      ftp               0 Nov 21 07:02 INCOMING\r\n\
        drwxrwxrwx   1 ftp      ftp               0 Nov 21 07:02 SUB\r\n";
    for command in ["LIST", "LIST -al", "LIST -a -l .", "LIST /drive_c/pub", "LIST ../pub/"] {
        let (_, got) = bench.fetch(client, command);
        assert_eq!(String::from_utf8(got).unwrap(), expected, "{command}");
    }
    for (command, expected) in [
        ("NLST", "A.TXT\r\nB.BIN\r\nINCOMING\r\nSUB\r\n"),
        ("NLST *.txt", "A.TXT\r\n"),
        ("NLST ../PUB/?.*", "../PUB/A.TXT\r\n../PUB/B.BIN\r\n"),
        ("NLST a.txt", "A.TXT\r\n"),
        ("NLST *.zip", ""),
        ("LIST b.bin", "-rw-rw-rw-   1 ftp      ftp            3000 Nov 21 07:02 B.BIN\r\n"),
    ] {
        let (said, got) = bench.fetch(client, command);
        assert_eq!(Bench::codes(&said), [150, 226], "{command}");
        assert_eq!(String::from_utf8(got).unwrap(), expected, "{command}");
    }
    assert_code(&bench.fetch(client, "LIST missing").0, 550);
    assert_eq!(bench.files.handles(), 0);
    assert_eq!(
        bench.ask(client, "STAT *.txt"),
        "213-Status of /DRIVE_C/PUB:\r\n \
         -rw-rw-rw-   1 ftp      ftp               5 Nov 21 07:02 A.TXT\r\n\
         213 End of status\r\n"
    );
}

#[test]
fn everything_of_appendix_a_answers() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    for (command, code) in [
        ("MODE S", 200),
        ("MODE B", 504),
        ("STRU F", 200),
        ("STRU R", 504),
        ("TYPE A", 200),
        ("TYPE a n", 200),
        ("TYPE I", 200),
        ("TYPE L 8", 200),
        ("TYPE E", 504),
        ("HELP", 214),
        ("HELP stor", 214),
        ("HELP nonsense", 502),
        ("ALLO 1000", 202),
        ("FEAT", 211),
        ("NOOP", 200),
        ("STAT", 211),
        ("SYST", 215),
        ("SITE HELP", 214),
        ("SITE STATS", 211),
        ("SITE WHO", 211),
        ("SITE DISKFREE C", 200),
        ("SITE DISKFREE D", 550),
        ("SITE NONSENSE", 504),
        // FAT has no links, and no command makes one.
        ("SITE SYMLINK readme.txt link.txt", 504),
        ("SITE LINK readme.txt link.txt", 504),
        ("ABOR", 226),
        ("REST 100", 350),
        ("REST x", 501),
        ("ACCT x", 202),
        ("USER brutman", 503),
        ("PASS passw0rd", 503),
        ("RETR /drive_c/readme.txt", 425),
        ("MDTM /drive_c/readme.txt", 213),
        ("SIZE /drive_c/readme.txt", 213),
        ("CWD", 501),
        ("NONSENSE", 500),
        ("", 500),
        ("REIN", 220),
        ("PWD", 530),
    ] {
        assert_code(&bench.ask(client, command), code);
    }
    assert!(bench.ask(client, "HELP site").starts_with("214 SITE "));
}

#[test]
fn commands_may_come_in_any_split() {
    let script = b"USER brutman\r\nPASS passw0rd\nNOOP\r\nCWD /drive_c\nPWD\r\nQUIT\r\n";
    for piece in [1, 2, 3, 7, 1000] {
        let mut bench = Bench::new();
        let client = bench.connect();
        bench.peers[client].control.split(piece);
        bench.peers[client].control.put(script);
        let said = bench.run(client);
        assert_eq!(Bench::codes(&said), [220, 331, 230, 200, 250, 257, 221], "{said}");
    }
}

#[test]
fn times_are_utc_on_the_wire_and_local_on_disk() {
    let mut bench = Bench::new();
    bench.settings.zone = Zone(120);
    let local = DateTime { year: 2025, month: 1, day: 1, hour: 1, minute: 30, second: 4 };
    bench.files.set_modified("README.TXT", local);
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "CWD /drive_c");
    assert_eq!(bench.ask(client, "MDTM readme.txt"), "213 20241231233004\r\n");
    assert_eq!(
        bench.ask(client, "MLST readme.txt"),
        "250-Entry:\r\n type=file;size=7;modify=20241231233004;perm=radf; /DRIVE_C/README.TXT\r\n\
         250 End\r\n"
    );
    assert_eq!(
        bench.ask(client, "MFMT 20200229235958 readme.txt"),
        "213 Modify=20200229235958; /DRIVE_C/README.TXT\r\n"
    );
    let set = DateTime { year: 2020, month: 3, day: 1, hour: 1, minute: 59, second: 58 };
    assert_eq!(bench.files.attributes_at("README.TXT").modified, set);
    assert_eq!(bench.ask(client, "MDTM 20210101000000 readme.txt"), "213 20210101000000\r\n");
    assert_eq!(bench.ask(client, "MDTM readme.txt"), "213 20210101000000\r\n");
    assert_code(&bench.ask(client, "SITE UTIME 202202030405 readme.txt"), 200);
    assert_eq!(bench.ask(client, "MDTM readme.txt"), "213 20220203040500\r\n");
    let long = "SITE UTIME readme.txt 20230101000000 20230102030406 20230101000000 UTC";
    assert_code(&bench.ask(client, long), 200);
    assert_eq!(bench.ask(client, "MDTM readme.txt"), "213 20230102030406\r\n");
    assert_code(&bench.ask(client, "SITE CHMOD 444 readme.txt"), 200);
    assert!(bench.files.attributes_at("README.TXT").read_only);
    assert_code(&bench.ask(client, "SITE CHMOD 0644 readme.txt"), 200);
    assert!(!bench.files.attributes_at("README.TXT").read_only);
    assert_code(&bench.ask(client, "MFMT 20209999999999 readme.txt"), 501);
}

#[test]
fn checksums_and_sizes_of_text_are_computed_in_slices() {
    for laziness in [0, 3] {
        let mut bench = Bench::new();
        bench.files.patience = laziness;
        bench.files.add_file("T.TXT", &b"one\ntwo\r\nthree\n\n".repeat(100));
        bench.files.add_file("N.TXT", b"123456789");
        let client = bench.login("brutman", "passw0rd");
        bench.ask(client, "CWD /drive_c");
        assert_eq!(bench.ask(client, "SIZE t.txt"), "213 1900\r\n");
        let (_, got) = bench.fetch(client, "RETR t.txt");
        assert_eq!(got.len(), 1900);
        bench.ask(client, "TYPE I");
        assert_eq!(bench.ask(client, "SIZE t.txt"), "213 1600\r\n");
        assert_eq!(
            bench.ask(client, "HASH n.txt"),
            "213 SHA-256 0-8 15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225 \
             /DRIVE_C/N.TXT\r\n"
        );
        assert_eq!(bench.ask(client, "OPTS HASH md5"), "200 MD5\r\n");
        let said = bench.ask(client, "HASH n.txt");
        assert!(said.starts_with("213 MD5 0-8 25f9e794323b453885f5181f1b624d0b "), "{said}");
        assert!(bench.ask(client, "FEAT").contains(" HASH SHA-256;SHA-1;MD5*;CRC32;\r\n"));
        assert_eq!(bench.ask(client, "XCRC \"n.txt\""), "250 cbf43926\r\n");
        assert_eq!(bench.ask(client, "XMD5 n.txt 0 3"), "250 202cb962ac59075b964b07152d234b70\r\n");
        let said = bench.ask(client, "XSHA1 n.txt");
        assert_eq!(said, "250 f7c3bc1d808e04732adf679965ccc34ca7ae3441\r\n");
        let said = bench.ask(client, "XSHA256 n.txt 0 3");
        let expected = "a665a45920422f9d417e4867efdc4fb8a04a1f3fff1fa07e998e86f7f7a27ae3";
        assert_eq!(said, format!("250 {expected}\r\n"));
        for (command, code) in [
            ("HASH missing", 550),
            ("HASH .", 550),
            ("XCRC n.txt 10", 501),
            ("XCRC n.txt 2 1", 501),
            ("XCRC n.txt 1 2 3", 501),
            ("OPTS HASH sha-512", 501),
        ] {
            assert_code(&bench.ask(client, command), code);
        }
        assert_eq!(bench.files.handles(), 0);
    }
}

#[test]
fn a_line_over_the_limit_gets_one_500_and_runs_nothing() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "CWD /drive_c");
    let long = format!("NOOP {}DELE readme.txt", " ".repeat(600));
    for piece in [1, 100, 10_000] {
        bench.peers[client].control.split(piece);
        let said = bench.say(client, &format!("{long}\r\nNOOP\r\n"));
        assert_eq!(Bench::codes(&said), [500, 200], "{said}");
    }
    assert!(bench.files.content("README.TXT").is_some());
}

#[test]
fn telnet_negotiation_is_harmless() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    bench.peers[client]
        .control
        .put(b"\xFF\xFB\x01NO\xFF\xF1OP\r\n\xFF\xF4\xFF\xF2ABOR\r\nNO\0OP\r\n");
    assert_eq!(Bench::codes(&bench.run(client)), [200, 226, 200]);
}

#[test]
fn the_motd_greets_in_lines_of_any_length() {
    let mut bench = Bench::new();
    bench.motd = [&b"Welcome\r\n\nto "[..], &[b'x'; 1200], b"\r\nbye\r\n\x1A junk"].concat();
    let client = bench.connect();
    bench.run(client);
    let said = bench.say(client, "USER brutman\r\nPASS passw0rd\r\n");
    let lines: Vec<&str> = said.split_terminator("\r\n").skip(1).collect();
    assert_eq!(lines[0], "230-Welcome");
    assert_eq!(lines[1], "230-");
    let (long, rest) = lines[2..].split_at(5);
    assert!(long.iter().all(|line| line.len() <= 304));
    let long: String = long.iter().map(|line| line.strip_prefix("230-").unwrap()).collect();
    assert_eq!(long, format!("to {}", "x".repeat(1200)));
    assert_eq!(rest, ["230-bye", "230 User brutman logged in"]);
}

#[test]
fn slow_readers_of_replies_miss_nothing() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    let whole = bench.say(client, "HELP\r\nFEAT\r\nSITE STATS\r\nSTAT\r\nSITE WHO\r\nNOOP\r\n");
    bench.peers[client].control.put(b"HELP\r\nFEAT\r\nSITE STATS\r\nSTAT\r\nSITE WHO\r\nNOOP\r\n");
    let mut said = Vec::new();
    for _ in 0..1000 {
        for _ in 0..50 {
            bench.step(client);
        }
        // The client reads only when the server cannot go on.
        said.extend(bench.peers[client].control.take());
    }
    // The counts of SITE STATS are higher the second time.
    let without_digits = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    let said = String::from_utf8(said).unwrap();
    assert_eq!(without_digits(&said), without_digits(&whole));
    assert!(whole.contains("brutman from 192.168.1.77"), "{whole}");
}

#[test]
fn names_are_utf8_where_a_code_page_is_set_and_bytes_otherwise() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "CWD /drive_c");
    bench.peers[client].control.put(b"MKD a\xFF\xFFb\r\n");
    assert_eq!(bench.run(client), "257 \"/DRIVE_C/A\u{FF}\u{FF}B\" directory created\r\n");
    let (_, got) = bench.fetch(client, "NLST a*");
    assert_eq!(got, b"A\xFFB\r\n");
    assert!(!bench.ask(client, "FEAT").contains("UTF8"));
    assert_code(&bench.ask(client, "OPTS UTF8 ON"), 501);

    bench.settings.code_page = CodePage::Cp437;
    assert!(bench.ask(client, "FEAT").contains(" UTF8\r\n"));
    assert_code(&bench.ask(client, "OPTS UTF8 ON"), 200);
    bench.peers[client].control.put("MKD Müll\r\n".as_bytes());
    let said: Vec<u8> = bench.run(client).chars().map(|c| c as u8).collect();
    assert_eq!(String::from_utf8(said).unwrap(), "257 \"/DRIVE_C/MÜLL\" directory created\r\n");
    assert!(bench.files.names("").contains(&"M?LL".into()));
    let (_, got) = bench.fetch(client, "NLST m*");
    assert_eq!(String::from_utf8(got).unwrap(), "MÜLL\r\n");
    bench.peers[client].control.put("MKD 日本\r\n".as_bytes());
    assert_code(&bench.run(client), 550);
    bench.peers[client].control.put("CWD müll\r\n".as_bytes());
    assert_code(&bench.run(client), 250);
}
