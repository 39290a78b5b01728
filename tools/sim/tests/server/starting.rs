//! From the floppy's files to READY, or to a message that says what is wrong, where, and what to do.

use crate::rig::{Boot, C, hard_disk};

/// What is said when the start must fail.
fn failure(boot: Boot) -> String {
    match boot.try_start() {
        Ok(_) => panic!("the server started"),
        Err(said) => said,
    }
}

fn contains_all(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing in:\n{said}");
    }
}

#[test]
fn the_start_says_what_the_server_is_set_up_for() {
    let rig = Boot::new().set("FTPSRV_SESSION_TIMEOUT", "300").start();
    contains_all(
        &rig.panel.serial(),
        &[
            "Settings from A:\\MTCP.CFG",
            "Opening password file at A:\\FTPPASS.TXT",
            "Password file looks reasonable.",
            "Clients: 10, Client file buffer size: 8192, TCP buffer size: 8192",
            "Client session timeout: 300 seconds",
            "Control port: 21, Pasv ports: 3000-3099",
            "Real IP address: 10.0.0.2, Pasv response IP addr: 10.0.0.2",
            "FTPSRV READY 10.0.0.2:21",
        ],
    );
    let screen = rig.panel.screen();
    assert!(screen.iter().any(|row| row.contains("FTPSRV READY 10.0.0.2:21")), "{screen:#?}");
}

#[test]
fn what_was_found_is_shown_at_the_start_and_in_site_stats() {
    let mut rig = Boot::new().start();
    let lines = [
        "Disk 00h: floppy drive, 1440 KB, by simulated",
        "Disk 80h: hard disk, 16 MB, by simulated",
        "Drive A: disk 00h, read when it is first used",
        "Drive C: disk 80h, type 00h, FAT16, 15 MB, no label",
        "Network: simulated at port 300h, IRQ 9, station 52:54:00:12:34:56",
    ];
    contains_all(&rig.panel.serial(), &lines);
    let client = rig.login(0);
    let told = rig.cmd(client, "SITE STATS");
    contains_all(&told, &lines);
    contains_all(&told, &[" Address: 10.0.0.2"]);
}

#[test]
fn no_mtcp_cfg_is_said_with_where_to_put_one() {
    let said = failure(Boot::new().without_config());
    contains_all(
        &said,
        &["MTCP.CFG not found", "A:\\MTCP.CFG", "C:\\MTCP", "Put one on the boot floppy"],
    );
}

#[test]
fn mtcp_cfg_may_be_on_the_hard_disk() {
    let config =
        b"ipaddr 10.0.0.2\nnetmask 255.255.255.0\nftpsrv_password_file c:\\ftppass.txt\n\x1a";
    let boot = Boot::new().without_config().file(C, "MTCP.CFG", config);
    let mut rig = boot.file(C, "FTPPASS.TXT", b"tester secret [none] [any] all").start();
    contains_all(&rig.panel.serial(), &["Settings from C:\\MTCP.CFG"]);
    rig.login(0);
}

#[test]
fn a_wrong_line_is_named_with_its_number_value_and_range() {
    // Boot::set moves a line to the end: 7 without it, 8 where there was none before.
    for (keyword, value, number, parts) in [
        ("FTPSRV_CLIENTS", "11", 7, ["11", "1", "10"]),
        ("FTPSRV_SESSION_TIMEOUT", "59", 8, ["59", "60", "7200"]),
        ("FTPSRV_PASV_BASE", "80", 7, ["80", "1024", "32767"]),
        ("FTPSRV_FILEBUFFER_SIZE", "3", 8, ["3", "4", "16"]),
        ("FTPSRV_CLIENTS", "many", 7, ["many", "1", "10"]),
        ("IPADDR", "10.0.0", 7, ["10.0.0", "IPADDR", "."]),
    ] {
        let said = failure(Boot::new().set(keyword, value));
        let line = said.lines().find(|line| line.contains(keyword)).expect("the keyword");
        contains_all(line, &["A:\\MTCP.CFG", &format!("line {number}:")]);
        contains_all(line, &parts);
    }
}

#[test]
fn all_mistakes_are_said_in_one_start() {
    let boot = Boot::new().set("FTPSRV_CLIENTS", "0").set("FTPSRV_PASV_PORTS", "2");
    let said = failure(boot);
    contains_all(&said, &["line 6", "FTPSRV_CLIENTS", "line 7", "FTPSRV_PASV_PORTS"]);
}

#[test]
fn a_missing_password_file_is_said_with_the_line_that_names_it() {
    let said = failure(Boot::new().passwords(None));
    contains_all(
        &said,
        &["A:\\FTPPASS.TXT", "no such file", "FTPSRV_PASSWORD_FILE", "correct the line"],
    );
    let said = failure(Boot::new().set("FTPSRV_PASSWORD_FILE", "X:\\NO\\PASS.TXT"));
    contains_all(&said, &["X:\\NO\\PASS.TXT", "FTPSRV_PASSWORD_FILE"]);
}

#[test]
fn a_bad_password_file_is_said_with_file_and_line() {
    let text =
        "# users\r\ntester secret [none] [any] all\r\nbroken pass\r\nx y [none] [any] fly\r\n";
    let said = failure(Boot::new().passwords(Some(text)));
    contains_all(&said, &["A:\\FTPPASS.TXT line 3", "A:\\FTPPASS.TXT line 4", "fly"]);
}

#[test]
fn a_sandbox_that_is_not_there_is_said_and_the_others_are_served() {
    let text = "tester secret [none] [any] all\r\nlost secret /drive_c/nowhere [any] all\r\n";
    let mut rig = Boot::new().passwords(Some(text)).start();
    contains_all(&rig.panel.serial(), &["FTPPASS.TXT line 2", "/DRIVE_C/NOWHERE", "lost"]);
    let tester = rig.login(0);
    let lost = rig.login_as(1, "lost", "secret");
    for command in ["CWD .", "CWD /", "MLST", "SITE DISKFREE X", "MKD NEW", "SIZE MTCP.CFG"] {
        rig.expect(lost, command, "550");
    }
    rig.expect(lost, "PWD", "257 \"/\"");
    rig.expect(tester, "MKD NOWHERE", "257");
    rig.expect(lost, "MKD NEW", "257 \"/NEW\"");
    assert_eq!(rig.names(tester, "NLST NOWHERE"), ["NEW"]);
}

#[test]
fn too_little_memory_is_said_with_figures_and_what_to_lower() {
    let said = failure(Boot::new().set("FTPSRV_TCPBUFFER_SIZE", "16").memory(170_000));
    let line = said.lines().find(|line| line.contains("Not enough memory")).expect(&said);
    contains_all(line, &["bytes needed", "free", "Lower FTPSRV_CLIENTS", "FTPSRV_TCPBUFFER_SIZE"]);
    // What is told to be lowered helps.
    Boot::new()
        .set("FTPSRV_TCPBUFFER_SIZE", "4")
        .set("FTPSRV_CLIENTS", "3")
        .memory(170_000)
        .start();
}

#[test]
fn excluded_drives_are_not_served() {
    let mut rig = Boot::new().and_hard_disk(hard_disk()).set("FTPSRV_EXCLUDE_DRIVES", "AD").start();
    let ftp = rig.login(0);
    let drives = rig.names(ftp, "NLST /");
    assert!(drives.iter().any(|name| name.eq_ignore_ascii_case("drive_c")), "{drives:?}");
    assert!(!drives.iter().any(|name| name.eq_ignore_ascii_case("drive_a")), "{drives:?}");
    rig.expect(ftp, "CWD /drive_d", "550");
    rig.expect(ftp, "SIZE /drive_a/MTCP.CFG", "550");
}

#[test]
fn the_motd_is_shown_at_login_whatever_its_line_ends() {
    for text in
        [&b"Welcome to\r\nthe PC\r\n"[..], b"Welcome to\nthe PC", b"Welcome to\r\nthe PC\r\n\x1a"]
    {
        let boot = Boot::new().set("FTPSRV_MOTD_FILE", "A:\\MOTD.TXT").file(0, "MOTD.TXT", text);
        let mut rig = boot.start();
        let ftp = rig.connect(0);
        rig.expect(ftp, "USER tester", "331");
        let reply = rig.expect(ftp, "PASS secret", "230");
        assert_eq!(reply, "230-Welcome to\n230-the PC\n230 User tester logged in");
    }
}

#[test]
fn a_long_motd_is_shown_whole() {
    let text: String = (0..60).map(|n| format!("Line {n} of a long message\r\n")).collect();
    assert!(text.len() > 1200);
    let boot = Boot::new().set("FTPSRV_MOTD_FILE", "A:\\MOTD.TXT");
    let mut rig = boot.file(0, "MOTD.TXT", text.as_bytes()).start();
    let ftp = rig.connect(0);
    rig.expect(ftp, "USER tester", "331");
    let reply = rig.expect(ftp, "PASS secret", "230");
    for n in 0..60 {
        assert_eq!(reply.lines().nth(n), Some(&format!("230-Line {n} of a long message")[..]));
    }
}

#[test]
fn a_missing_motd_is_a_warning() {
    let mut rig = Boot::new().set("FTPSRV_MOTD_FILE", "A:\\NONE.TXT").start();
    contains_all(&rig.panel.serial(), &["Warning", "A:\\NONE.TXT", "FTPSRV_MOTD_FILE"]);
    rig.login(0);
}

/// The configuration names the drivers before there is one.
#[test]
fn every_driver_can_be_asked_for_in_mtcp_cfg() {
    for name in ftpsrv::hw::nic::names().chain(["slip"]) {
        let text = format!("FTPSRV_PASSWORD_FILE A:\\P.TXT\nFTPSRV_NIC {name}\n");
        let settings = ftpsrv::config::Settings::parse(text.as_bytes(), "MTCP.CFG", &mut |_| {});
        assert_eq!(settings.unwrap().nic.as_str(), name);
    }
}
