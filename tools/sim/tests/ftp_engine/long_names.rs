//! FTPSRV_LONG_NAMES shorten, and paths longer than DOS can name.

use ftpsrv::config::settings::LongNames;
use ftpsrv::vfs::FsError;

use super::bench::*;

fn shortening(laziness: u32) -> (Bench, usize) {
    let mut bench = Bench::new();
    bench.settings.long_names = LongNames::Shorten;
    bench.files.patience = laziness;
    let client = bench.login("brutman", "passw0rd");
    bench.say(client, "TYPE I\r\nCWD /drive_c\r\n");
    (bench, client)
}

/// What `lftp mirror -R` does with a folder of today.
#[test]
fn a_modern_folder_is_stored_and_found_again() {
    for laziness in [0, 2] {
        let (mut bench, client) = shortening(laziness);
        assert_eq!(
            bench.ask(client, "MKD My Holiday Pictures"),
            "257 \"/DRIVE_C/MYHOLI~1\" directory created\r\n"
        );
        assert!(
            bench.ask(client, "MKD my holiday pictures").starts_with("521-\"/DRIVE_C/MYHOLI~1")
        );
        assert_code(&bench.ask(client, "CWD /drive_c/My Holiday Pictures"), 250);
        for (name, alias) in [
            ("My picture.jpeg", "MYPICT~1.JPE"),
            ("My picture (2).jpeg", "MYPICT~2.JPE"),
            ("archive.tar.gz", "ARCHIV~1.GZ"),
        ] {
            let said = bench.store(client, &format!("STOR {name}"), name.as_bytes());
            assert_eq!(Bench::codes(&said), [150, 226], "{said}");
            assert!(
                said.ends_with(&format!("226 Transfer complete, stored as {alias}\r\n")),
                "{said}"
            );
            assert_eq!(bench.files.content(&format!("MYHOLI~1/{alias}")).unwrap(), name.as_bytes());
            assert_eq!(
                bench.ask(client, &format!("SIZE {name}")),
                format!("213 {}\r\n", name.len())
            );
            let said = bench.ask(client, &format!("MFMT 20200229235958 {name}"));
            assert_eq!(said, format!("213 Modify=20200229235958; /DRIVE_C/MYHOLI~1/{alias}\r\n"));
            assert_eq!(bench.ask(client, &format!("MDTM {name}")), "213 20200229235958\r\n");
            assert_code(&bench.ask(client, &format!("SITE CHMOD 644 {name}")), 200);
            assert!(bench.ask(client, &format!("MLST {name}")).contains(alias));
            let (_, got) = bench.fetch(client, &format!("RETR ../My Holiday Pictures/{name}"));
            assert_eq!(got, name.as_bytes());
            let (_, got) = bench.fetch(client, &format!("NLST {name}"));
            assert_eq!(got, format!("{alias}\r\n").as_bytes());
        }
        let (_, got) = bench.fetch(client, "MLSD /drive_c/My Holiday Pictures");
        assert_eq!(got.split(|&b| b == b'\n').count(), 4);
        // Resumed under the long name.
        assert_eq!(Bench::codes(&bench.store(client, "APPE archive.tar.gz", b"+")), [150, 226]);
        bench.ask(client, "REST 15");
        assert_eq!(Bench::codes(&bench.store(client, "STOR archive.tar.gz", b"!")), [150, 226]);
        assert_eq!(bench.files.content("MYHOLI~1/ARCHIV~1.GZ").unwrap(), b"archive.tar.gz+!");
        assert_code(&bench.ask(client, "RNFR archive.tar.gz"), 350);
        assert_eq!(
            bench.ask(client, "RNTO My picture.new"),
            "250 Renamed, stored as MYPICT~1.NEW\r\n"
        );
        assert_code(&bench.ask(client, "SIZE archive.tar.gz"), 550);
        assert_code(&bench.ask(client, "DELE My picture.new"), 250);
        assert_code(&bench.ask(client, "DELE My picture.new"), 550);
        assert_code(&bench.ask(client, "RMD ../My Holiday Pictures"), 550);
        assert_eq!(bench.files.names("MYHOLI~1"), ["MYPICT~1.JPE", "MYPICT~2.JPE"]);
        assert_eq!(bench.files.handles(), 0);
    }
}

/// Not even where files may be overwritten.
#[test]
fn a_new_long_name_never_reaches_anothers_file() {
    for clobber in [false, true] {
        let (mut bench, client) = shortening(1);
        bench.settings.clobber_files = clobber;
        bench.files.add_file("PICTUR~1.JPG", b"old");
        bench.files.add_dir("PICTUR~2.JPG");
        assert_code(&bench.ask(client, "SIZE pictures of me.jpg"), 550);
        assert_code(&bench.ask(client, "DELE pictures of me.jpg"), 550);
        for command in ["STOR", "APPE"] {
            let said = bench.store(client, &format!("{command} pictures {command}.jpg"), b"new");
            assert_eq!(Bench::codes(&said), [150, 226], "{said}");
        }
        assert_code(&bench.ask(client, "RNFR readme.txt"), 350);
        assert_code(&bench.ask(client, "RNTO pictures read.jpg"), 250);
        assert_eq!(bench.files.content("PICTUR~1.JPG").unwrap(), b"old");
        for (alias, content) in [(3, &b"new"[..]), (4, b"new")] {
            assert_eq!(bench.files.content(&format!("PICTUR~{alias}.JPG")).unwrap(), content);
        }
        let again = bench.store(client, "STOR pictures STOR.jpg", b"newer");
        assert_eq!(Bench::codes(&again), if clobber { vec![150, 226] } else { vec![553] });
        // A name that was never stored has no rest.
        bench.ask(client, "REST 1");
        assert_code(&bench.store(client, "STOR something else.jpg", b"x"), 550);
        // STOU chooses its own name, whatever failed before it.
        bench.fetch(client, "NLST");
        assert_code(&bench.ask(client, "STOR without connection.txt"), 425);
        let said = bench.store(client, "STOU", b"u");
        assert!(
            said.contains("150 FILE: U") && said.ends_with("226 Transfer complete\r\n"),
            "{said}"
        );
        assert_code(&bench.ask(client, "SIZE without connection.txt"), 550);
    }
}

#[test]
fn long_names_keep_every_rule() {
    let (mut bench, client) = shortening(0);
    bench.files.close_failure = Some(FsError::Io);
    assert_eq!(Bench::codes(&bench.store(client, "STOR a long name.txt", b"x")), [150, 451]);
    let limited = bench.login("tester", "b0guspw");
    bench.ask(limited, "CWD /drive_c");
    assert_code(&bench.store(limited, "STOR a new name.txt", b"x"), 550);
    let said = bench.store(limited, "STOR incoming/a new name.txt", b"x");
    assert_eq!(Bench::codes(&said), [150, 226], "{said}");
    assert_code(&bench.store(limited, "APPE incoming/a new name.txt", b"x"), 550);
    assert_code(&bench.ask(limited, "MKD incoming/a directory"), 550);
    for name in ["a*b.text", "a\u{1}b c", ". .", "c:\\long name"] {
        assert_code(&bench.store(client, &format!("STOR {name}"), b"x"), 553);
    }
    // Another session knows nothing of it.
    assert_code(&bench.ask(client, "SIZE incoming/a new name.txt"), 550);
    assert_code(&bench.ask(client, "CWD no such directory"), 550);
    bench.settings.long_names = LongNames::Refuse;
    assert_code(&bench.store(limited, "STOR incoming/another name.txt", b"x"), 553);
}

/// What two sessions do to one alias: the long name of the first must not lead to the second's file.
#[test]
fn a_long_name_never_leads_to_what_another_session_put_in_its_place() {
    let (mut bench, first) = shortening(1);
    bench.settings.clobber_files = true;
    let second = bench.login("brutman", "passw0rd");
    let alias = "/drive_c/ALONGN~1.TXT";
    let does_away: [&[&str]; 3] = [
        &["DELE /drive_c/ALONGN~1.TXT"],
        &["RNFR /drive_c/ALONGN~1.TXT", "RNTO /drive_c/OTHER.TXT"],
        &[],
    ];
    for commands in does_away {
        let said = bench.store(first, "STOR a long name.txt", b"mine");
        assert_eq!(Bench::codes(&said), [150, 226], "{said}");
        bench.ask(second, "TYPE I");
        for command in commands {
            assert!(bench.ask(second, command).starts_with(['2', '3']), "{command}");
        }
        let said = bench.store(second, &format!("STOR {alias}"), b"another");
        assert_eq!(Bench::codes(&said), [150, 226], "{said}");
        for command in ["SIZE", "DELE", "RNFR", "MDTM", "SITE CHMOD 444"] {
            let said = bench.ask(first, &format!("{command} a long name.txt"));
            assert_code(&said, 550);
        }
        bench.ask(first, "REST 1");
        assert_code(&bench.store(first, "STOR a long name.txt", b"x"), 550);
        assert_eq!(bench.files.content("ALONGN~1.TXT").unwrap(), b"another");
        let said = bench.store(first, "STOR a long name.txt", b"mine");
        assert!(said.ends_with("stored as ALONGN~2.TXT\r\n"), "{said}");
        for name in [alias, "/drive_c/ALONGN~2.TXT", "/drive_c/OTHER.TXT"] {
            bench.ask(second, &format!("DELE {name}"));
        }
        bench.ask(first, "NOOP");
    }
    // What one did to it under its own eyes, it still knows; and what others do elsewhere is nothing to it.
    bench.store(first, "STOR a long name.txt", b"mine");
    for number in 0..7 {
        bench.store(second, &format!("STOR /drive_c/pub/F{number}.TXT"), b"x");
        bench.ask(second, &format!("DELE /drive_c/pub/F{number}.TXT"));
    }
    assert_eq!(bench.ask(first, "SIZE a long name.txt"), "213 4\r\n");
    assert_eq!(Bench::codes(&bench.store(first, "STOR a long name.txt", b"again")), [150, 226]);
    assert_eq!(bench.ask(first, "SIZE a long name.txt"), "213 5\r\n");
    // More than are remembered.
    for number in 0..20 {
        bench.store(second, &format!("STOR /drive_c/pub/F{number}.TXT"), b"x");
        bench.ask(second, &format!("DELE /drive_c/pub/F{number}.TXT"));
    }
    assert_code(&bench.ask(first, "SIZE a long name.txt"), 550);
}

#[test]
fn a_long_name_in_a_directory_that_got_another_name_is_forgotten() {
    let (mut bench, first) = shortening(0);
    let second = bench.login("brutman", "passw0rd");
    bench.ask(second, "TYPE I");
    for renamer in [first, second] {
        bench.ask(first, "MKD /drive_c/dir");
        bench.store(first, "STOR /drive_c/dir/a long name.txt", b"mine");
        bench.ask(renamer, "RNFR /drive_c/dir");
        assert_code(&bench.ask(renamer, &format!("RNTO /drive_c/dir{renamer}")), 250);
        bench.ask(second, "MKD /drive_c/dir");
        let said = bench.store(second, "STOR /drive_c/dir/ALONGN~1.TXT", b"another");
        assert_eq!(Bench::codes(&said), [150, 226], "{said}");
        assert_code(&bench.ask(first, "SIZE /drive_c/dir/a long name.txt"), 550);
        bench.ask(second, "DELE /drive_c/dir/ALONGN~1.TXT");
        assert_code(&bench.ask(second, "RMD /drive_c/dir"), 250);
    }
}

#[test]
fn a_long_name_whose_upload_never_began_is_forgotten() {
    let (mut bench, first) = shortening(0);
    let second = bench.login("brutman", "passw0rd");
    bench.ask(second, "TYPE I");
    bench.ask(first, "PASV");
    assert_code(&bench.ask(first, "STOR a long name.txt"), 150);
    bench.pass(30_001);
    assert_code(&bench.run(first), 425);
    bench.store(second, "STOR /drive_c/ALONGN~1.TXT", b"another");
    assert_code(&bench.ask(first, "SIZE a long name.txt"), 550);
}

/// Manual, "DOS filesystem limitations": 63 characters of path.
#[test]
fn what_dos_could_not_name_is_not_made() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "CWD /drive_c");
    let mut path = String::new();
    // `\12345678` six times, `\1234567`, and the last backslash: 63.
    for name in ["12345678", "12345678", "12345678", "12345678", "12345678", "12345678", "1234567"]
    {
        assert_code(&bench.ask(client, &format!("MKD {name}")), 257);
        assert_code(&bench.ask(client, &format!("CWD {name}")), 250);
        path = format!("{path}/{name}");
    }
    assert_code(&bench.ask(client, "MKD d"), 550);
    assert_eq!(Bench::codes(&bench.store(client, "STOR 12345678.123", b"x")), [150, 226]);
    assert_eq!(Bench::codes(&bench.store(client, "STOU", b"x")), [150, 226]);
    // Another system has made it: it can be used, but nothing be added to it.
    bench.files.add_dir(&format!("{path}/DEEP"));
    bench.files.add_file(&format!("{path}/DEEP/F"), b"f");
    assert_code(&bench.ask(client, "CWD deep"), 250);
    assert_eq!(bench.fetch(client, "RETR f").1, b"f");
    for command in ["STOR g", "APPE g"] {
        let said = bench.store(client, command, b"x");
        assert_eq!(said, "553 That path is too long for DOS\r\n");
    }
    assert_code(&bench.store(client, "STOU", b"x"), 553);
    assert_code(&bench.ask(client, "RNFR /drive_c/readme.txt"), 350);
    assert_code(&bench.ask(client, "RNTO g"), 553);
    assert_code(&bench.ask(client, "RNFR /drive_c/pub/sub"), 350);
    assert_code(&bench.ask(client, "RNTO ../sub"), 553);
    assert_code(&bench.ask(client, "RNFR /drive_c/readme.txt"), 350);
    assert_code(&bench.ask(client, "RNTO ../readme.txt"), 250);
    assert_eq!(bench.files.names(&format!("{path}/DEEP")), ["F"]);
    assert_code(&bench.ask(client, "DELE f"), 250);
}
