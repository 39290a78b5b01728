//! The operator's side: keys, pages, the beeper, the end.

use crate::rig::{A, Boot, C, Rig};
use ftpsrv::console::Key;
use sim::fat_image::fsck;
use sim::network::Random;

/// Presses a key, and what is on the screen 100 ms later at the latest.
fn press(rig: &mut Rig, key: Key, expected: &str) -> Vec<String> {
    rig.panel.press(key);
    rig.until(expected, 100, |rig| rig.panel.screen().iter().any(|row| row.contains(expected)));
    rig.panel.screen()
}

#[test]
fn keys_are_answered_within_100_ms_while_files_move() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    rig.disks.with(C, |disk| disk.latency_ms = 30);
    let data = rig.begin(ftp, "STOR BIG.DAT");
    rig.hosts[0].send(data, &vec![1; 3_000_000]);
    rig.hosts[0].close(data);
    rig.run(200);
    press(&mut rig, Key::Help, "Alt-B        Beeper on or off");
    let page = press(&mut rig, Key::Statistics, "Logins      1, failed 0");
    assert!(page.iter().any(|row| row.contains("Sessions    1 so far, 1 active")), "{page:#?}");
    assert!(page.iter().any(|row| row.contains("STOR     1")), "{page:#?}");
    let page = press(&mut rig, Key::Users, "receiving a file");
    assert!(page.iter().any(|row| row.contains("tester") && row.contains("10.")), "{page:#?}");
    press(&mut rig, Key::Other, "tester logged in");
    press(&mut rig, Key::Beeper, "Beeper off");
    press(&mut rig, Key::Beeper, "Beeper on");
    press(&mut rig, Key::PageUp, "tester logged in");
    assert!(rig.is_quiet(ftp), "the upload was to last longer than this test");
    rig.disks.with(C, |disk| disk.latency_ms = 0);
    assert!(rig.reply(ftp).starts_with("226"));
    assert!(rig.panel.screen()[0].contains("Sessions: 1   Active: 1"));
}

#[test]
fn pages_follow_what_happens() {
    let mut rig = Boot::new().start();
    press(&mut rig, Key::Users, "Nobody is logged in.");
    let ftp = rig.login(0);
    rig.until("the user", 1100, |rig| rig.panel.screen().iter().any(|row| row.contains("tester")));
    rig.quit(ftp);
    rig.until("nobody", 1100, |rig| rig.panel.screen().iter().any(|row| row.contains("Nobody")));
}

/// Lets the server end, and checks what it says last.
fn end(rig: &mut Rig, ms: u64) -> u64 {
    let waited = rig.until("the end", ms, |rig| rig.ended);
    let screen = rig.panel.screen();
    assert!(screen.iter().any(|row| row.contains("You may switch the PC off now")), "{screen:#?}");
    assert!(rig.panel.serial().contains("FTPSRV ENDED. All files are closed and on the disks."));
    // Without any time to settle.
    for disk in [A, C] {
        assert_eq!(fsck(&rig.disks.medium(disk)), Vec::<String>::new(), "disk {disk}");
    }
    waited
}

#[test]
fn alt_x_ends_idle_sessions_at_once() {
    let mut rig = Boot::new().start();
    let (ftp, early) = (rig.login(0), rig.connect(1));
    assert!(rig.put(ftp, "STOR LAST.DAT", &[9; 10_000]).starts_with("226"));
    press(&mut rig, Key::Exit, "Please do not switch the PC off yet");
    assert!(rig.reply(ftp).starts_with("421"));
    assert!(rig.reply(early).starts_with("421"));
    assert!(end(&mut rig, 3_000) < 3_000);
    assert_eq!(rig.on_disk(C, "LAST.DAT"), [9; 10_000]);
}

#[test]
fn transfers_may_finish_and_nobody_new_is_let_in() {
    let mut rig = Boot::new().start();
    let (up, down) = (rig.login(0), rig.login(1));
    let content = Random::new(3).bytes(500_000);
    assert!(rig.put(down, "STOR OLD.DAT", &content).starts_with("226"));
    let upload = rig.begin(up, "STOR NEW.DAT");
    let download = rig.begin(down, "RETR OLD.DAT");
    rig.panel.press(Key::Exit);
    rig.run(100);
    let control = rig.hosts[2].connect(crate::rig::CONTROL);
    let late = crate::ftp::Ftp { host: 2, control };
    assert!(rig.reply(late).starts_with("421"));
    rig.run(3_000);
    rig.hosts[0].send(upload, &content);
    rig.hosts[0].close(upload);
    for ftp in [up, down] {
        assert!(rig.reply(ftp).starts_with("226"));
        assert!(rig.reply(ftp).starts_with("421"));
    }
    assert!(rig.hosts[1].take(download) == content);
    end(&mut rig, 3_000);
    assert!(rig.on_disk(C, "NEW.DAT") == content);
}

#[test]
fn a_transfer_that_does_not_finish_is_cut_off_after_ten_seconds() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    let data = rig.begin(ftp, "STOR HALF.DAT");
    rig.hosts[0].send(data, &[5; 12_345]);
    rig.run(1_000);
    rig.panel.press(Key::Exit);
    let waited = end(&mut rig, 14_000);
    assert!(waited >= 10_000, "{waited}");
    rig.run(100);
    assert!(rig.reply(ftp).starts_with("426"));
    assert_eq!(rig.on_disk(C, "HALF.DAT"), [5; 12_345]);
}

#[test]
fn the_end_brings_the_log_files_last_lines_to_the_disk() {
    let mut rig = Boot::new().set("FTPSRV_LOG_FILE", "C:\\FTPSRV.LOG").start();
    rig.login(0);
    rig.panel.press(Key::Exit);
    end(&mut rig, 5_000);
    let log = String::from_utf8(rig.on_disk(C, "FTPSRV.LOG")).unwrap();
    assert!(log.contains("tester logged in") && log.trim_end().ends_with("disconnected"), "{log}");
}

#[test]
fn the_login_beep_keeps_nobody_waiting() {
    let mut rig = Boot::new().start();
    let other = rig.login(1);
    rig.run(1_000);
    let before = rig.panel.tones().len();
    let ftp = rig.connect(0);
    rig.expect(ftp, "USER tester", "331");
    rig.say(ftp, "PASS secret");
    for _ in 0..20 {
        let start = rig.now();
        rig.expect(other, "NOOP", "200");
        assert!(rig.now() - start < 10);
    }
    rig.run(1_000);
    let tones = rig.panel.tones().split_off(before);
    assert_eq!(tones.iter().map(|tone| tone.1).collect::<Vec<_>>(), [880, 0, 1320, 0]);
    assert!(tones[3].0 - tones[0].0 >= 150, "it is heard: {tones:?}");
    // Off is off.
    rig.panel.press(Key::Beeper);
    rig.login(0);
    rig.run(500);
    assert_eq!(rig.panel.tones().len(), before + 4);
}
