//! The log file as the administrator reads it.

use crate::rig::{Boot, C, Rig, with_dirs};
use sim::fat_image::mkfs;

fn log(rig: &mut Rig) -> Vec<String> {
    rig.doze(5_000);
    let text = String::from_utf8(rig.on_disk(C, "FTPSRV.LOG")).unwrap();
    assert!(text.ends_with("\r\n"), "{text}");
    text.split_terminator("\r\n").map(str::to_owned).collect()
}

#[test]
fn everything_that_happens_is_in_the_log_with_date_client_and_user() {
    let mut rig = Boot::new()
        .set("FTPSRV_LOG_FILE", "C:\\FTPSRV.LOG")
        .set("FTPSRV_SESSION_TIMEOUT", "60")
        .file(C, "FTPSRV.LOG", b"an older line\r\n")
        .start();
    let ftp = rig.login(0);
    assert!(rig.put(ftp, "STOR A.DAT", &[1; 20_480]).starts_with("226"));
    rig.get(ftp, "RETR a.dat");
    let data = rig.begin(ftp, "STOR B.DAT");
    rig.hosts[0].send(data, &[1; 700]);
    rig.run(2_000);
    rig.hosts[0].abort(data);
    assert!(rig.reply(ftp).starts_with("426"));
    rig.expect(ftp, "RNFR B.DAT", "350");
    rig.expect(ftp, "RNTO C.DAT", "250");
    rig.expect(ftp, "DELE C.DAT", "250");
    rig.quit(ftp);
    let wrong = rig.connect(1);
    rig.expect(wrong, "USER root\x1b[2J\x07", "331");
    rig.expect(wrong, "PASS sesame", "530");
    rig.hosts[1].abort(wrong.control);
    let anonymous = rig.connect(2);
    rig.expect(anonymous, "USER anonymous", "331");
    rig.expect(anonymous, "PASS me@example.org", "230");
    rig.doze(72_000);
    let lines = log(&mut rig);
    assert_eq!(lines[0], "an older line");
    let mut rest = lines.iter().skip(1);
    for (client, what) in [
        ("10.0.0.10", "- connected"),
        ("10.0.0.10", "tester logged in"),
        ("10.0.0.10", "tester stored /DRIVE_C/A.DAT: 20480 bytes in"),
        ("10.0.0.10", "tester was sent /DRIVE_C/A.DAT: 20480 bytes in"),
        ("10.0.0.10", "tester stored /DRIVE_C/B.DAT: 700 bytes in"),
        ("10.0.0.10", "tester RNTO /DRIVE_C/C.DAT"),
        ("10.0.0.10", "tester DELE /DRIVE_C/C.DAT"),
        ("10.0.0.10", "tester disconnected"),
        ("10.0.0.11", "- connected"),
        ("10.0.0.11", "- failed to log in with the name root"),
        ("10.0.0.11", "- disconnected"),
        ("10.0.0.12", "- connected"),
        ("10.0.0.12", "anonymous logged in as me@example.org"),
        ("10.0.0.12", "anonymous timed out"),
        ("10.0.0.12", "anonymous disconnected"),
    ] {
        let line = rest.next().unwrap_or_else(|| panic!("no line for {what}: {lines:#?}"));
        assert!(line.starts_with("1993-06-14 08:3"), "{line}");
        assert!(line.contains(client) && line.contains(what), "{what}: {line}");
        assert_eq!(line.contains("broken off"), what.contains("B.DAT"), "{line}");
    }
    assert_eq!(rest.next(), None);
    let all = lines.join("\n") + &rig.panel.serial();
    for secret in ["secret", "sesame", "\x1b", "\x07"] {
        assert!(!all.contains(secret), "{secret:?} in the log");
    }
    rig.check_disks();
}

#[test]
fn a_full_disk_ends_the_log_with_one_message_and_not_the_server() {
    let disk = with_dirs(&mkfs(720, &["-F", "12"]), &["BOX", "BOX/IN"]);
    let mut rig = Boot::new().hard_disk(disk).set("FTPSRV_LOG_FILE", "C:\\FTPSRV.LOG").start();
    let ftp = rig.login(0);
    rig.doze(5_000);
    assert!(rig.put(ftp, "STOR FILL.DAT", &vec![1; 500_000]).starts_with("452"));
    for _ in 0..40 {
        let other = rig.login(1);
        rig.quit(other);
        rig.doze(1_000);
        rig.expect(ftp, "NOOP", "200");
    }
    let messages = rig.panel.serial().matches("The log file ends here").count();
    assert_eq!(messages, 1);
    rig.expect(ftp, "DELE FILL.DAT", "250");
    assert!(rig.put(ftp, "STOR FITS.DAT", &[1; 50_000]).starts_with("226"));
    rig.check_disks();
}

#[test]
fn a_log_file_on_a_drive_that_is_not_there_is_said_once() {
    let mut rig = Boot::new().set("FTPSRV_LOG_FILE", "Q:\\FTPSRV.LOG").start();
    rig.login(0);
    rig.doze(5_000);
    let said = rig.panel.serial();
    assert_eq!(said.matches("FTPSRV_LOG_FILE").count(), 1, "{said}");
    assert!(said.contains("no such drive"));
}
