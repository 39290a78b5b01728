//! Slots: how clients that vanish, dawdle or guess lose them.

use crate::rig::{Boot, CONTROL, Rig, SERVER, SERVERS_STATION};
use sim::client::{Connection, segment};
use smoltcp::wire::{IpProtocol, TcpControl};
use std::net::SocketAddrV4;

/// Three slots, all taken.
fn full() -> (Rig, Vec<crate::ftp::Ftp>) {
    let mut rig = Boot::new().set("FTPSRV_CLIENTS", "3").start();
    let clients = (0..3).map(|_| rig.login(0)).collect();
    (rig, clients)
}

/// How long until one session is over.
fn until_free(rig: &mut Rig, ms: u64) -> u64 {
    let (start, before) = (rig.now(), rig.active());
    while rig.active() == before {
        assert!(rig.now() < start + ms, "no slot within {ms} ms\n{}", rig.panel.serial());
        rig.doze(10);
    }
    rig.now() - start
}

#[test]
fn a_reset_frees_the_slot_at_once() {
    let (mut rig, clients) = full();
    rig.hosts[0].abort(clients[1].control);
    assert!(until_free(&mut rig, 100) <= 30);
    rig.login(1);
}

#[test]
fn a_client_that_forgot_its_connection_is_found_by_the_keep_alive() {
    let (mut rig, clients) = full();
    rig.hosts[0].forget(clients[1].control);
    until_free(&mut rig, 15_000);
    rig.login(1);
}

#[test]
fn a_client_whose_power_was_cut_while_idle_is_found_within_45_seconds() {
    let (mut rig, _) = full();
    // Half-way between two keep-alives.
    rig.doze(15_000);
    rig.hosts[0].set_connected(false);
    let waited = until_free(&mut rig, 45_500);
    assert!(waited > 30_000, "a machine may be silent for half a minute: {waited}");
    rig.doze(1_000);
    assert_eq!(rig.active(), 0);
}

#[test]
fn a_client_that_died_in_a_download_loses_its_slot_long_before_the_session_time() {
    let mut rig = Boot::new().set("FTPSRV_SESSION_TIMEOUT", "7200").start();
    let ftp = rig.login(0);
    assert!(rig.put(ftp, "STOR BIG.DAT", &vec![7; 300_000]).starts_with("226"));
    rig.begin(ftp, "RETR BIG.DAT");
    rig.hosts[0].set_connected(false);
    until_free(&mut rig, 31_000);
    let other = rig.login(1);
    rig.expect(other, "DELE BIG.DAT", "250");
}

#[test]
fn a_client_that_died_while_it_read_nothing_loses_its_slot_as_an_idle_one_does() {
    let mut rig = Boot::new().set("FTPSRV_SESSION_TIMEOUT", "7200").start();
    let ftp = rig.login(0);
    assert!(rig.put(ftp, "STOR BIG.DAT", &vec![7; 300_000]).starts_with("226"));
    let data = rig.ask(ftp, "RETR BIG.DAT");
    rig.hosts[0].pause(data, true);
    assert!(rig.reply(ftp).starts_with("150"));
    // As long as it lives it may pause.
    rig.doze(600_000);
    assert_eq!(rig.active(), 1);
    rig.hosts[0].set_connected(false);
    until_free(&mut rig, 45_500);
}

#[test]
fn a_client_that_died_in_an_upload_loses_its_slot_and_its_file_stays() {
    let mut rig = Boot::new().set("FTPSRV_SESSION_TIMEOUT", "7200").start();
    let ftp = rig.login(0);
    let data = rig.begin(ftp, "STOR PART.DAT");
    rig.hosts[0].send(data, &vec![7; 20_000]);
    rig.run(2000);
    rig.hosts[0].set_connected(false);
    until_free(&mut rig, 31_000);
    let other = rig.login(1);
    assert_eq!(rig.expect(other, "SIZE PART.DAT", "213"), "213 20000");
    rig.expect(other, "DELE PART.DAT", "250");
    rig.check_disks();
}

#[test]
fn handshakes_that_never_end_keep_nobody_out() {
    let mut rig = Boot::new().start();
    for number in 0..200 {
        let from = SocketAddrV4::new(rig.hosts[1].ip(), 1024 + number);
        let syn = segment(from, CONTROL, TcpControl::Syn, 7, None);
        let frame = rig.hosts[1].packet(SERVER, SERVERS_STATION, IpProtocol::Tcp, &syn);
        // Nobody is there to answer.
        rig.hosts[1].set_connected(true);
        rig.hosts[1].inject(&frame);
        rig.hosts[1].set_connected(false);
        rig.run(1);
    }
    let control = rig.hosts[0].connect(CONTROL);
    let ftp = crate::ftp::Ftp { host: 0, control };
    assert!(rig.reply_within(ftp, 15_000).starts_with("220"));
    rig.run(20);
    assert_eq!(rig.active(), 1);
}

#[test]
fn an_idle_session_ends_within_ten_seconds_of_its_time() {
    let mut rig = Boot::new().set("FTPSRV_SESSION_TIMEOUT", "60").start();
    let (idle, lively) = (rig.login(0), rig.login(1));
    for _ in 0..11 {
        rig.doze(5_000);
        rig.expect(lively, "NOOP", "200");
    }
    assert_eq!(rig.active(), 2);
    assert!(rig.is_quiet(idle));
    let waited = 55_000 + rig.until("the time-out", 15_000, |rig| !rig.is_quiet(idle));
    assert!((59_000..70_000).contains(&waited), "{waited}");
    assert!(rig.reply(idle).starts_with("421 "));
    assert_eq!(rig.active(), 1);
    rig.expect(lively, "NOOP", "200");
}

#[test]
fn a_transfer_that_goes_on_is_no_idleness() {
    let mut rig = Boot::new().set("FTPSRV_SESSION_TIMEOUT", "60").start();
    let ftp = rig.login(0);
    let data = rig.begin(ftp, "STOR SLOW.DAT");
    for _ in 0..20 {
        rig.hosts[0].send(data, &[1; 100]);
        rig.doze(10_000);
    }
    rig.hosts[0].close(data);
    assert!(rig.reply(ftp).starts_with("226"));
    assert_eq!(rig.expect(ftp, "SIZE SLOW.DAT", "213"), "213 2000");
}

#[test]
fn a_stalled_transfer_ends_with_its_session() {
    let mut rig = Boot::new().set("FTPSRV_SESSION_TIMEOUT", "60").start();
    let ftp = rig.login(0);
    let data: Connection = rig.begin(ftp, "STOR STALL.DAT");
    rig.hosts[0].send(data, &[1; 700]);
    rig.doze(71_000);
    assert_eq!(rig.active(), 0);
    let reply = rig.reply(ftp);
    assert!(reply.starts_with("421 "), "{reply}");
    let other = rig.login(1);
    assert_eq!(rig.expect(other, "SIZE STALL.DAT", "213"), "213 700");
}

#[test]
fn who_does_not_log_in_has_less_time() {
    for (setting, least, most) in [("60", 30_000, 40_000), ("180", 60_000, 70_000)] {
        let mut rig = Boot::new().set("FTPSRV_SESSION_TIMEOUT", setting).start();
        let ftp = rig.connect(0);
        rig.expect(ftp, "USER tester", "331");
        let start = rig.now();
        while rig.is_quiet(ftp) {
            // What is said meanwhile buys no time.
            if rig.now() < start + 25_000 {
                rig.expect(ftp, "NOOP", "");
            }
            rig.doze(500);
            assert!(rig.now() < start + 100_000);
        }
        let waited = rig.now() - start;
        assert!((least..most).contains(&(waited + 500)), "{setting}: {waited}");
        assert!(rig.reply(ftp).starts_with("421 "));
    }
}

#[test]
fn failed_logins_are_slowed_and_the_third_is_the_last() {
    let mut rig = Boot::new().start();
    let (ftp, other) = (rig.connect(0), rig.login(1));
    for (attempt, code) in [(1, "530"), (2, "530"), (3, "421")] {
        rig.expect(ftp, "USER tester", "331");
        let start = rig.now();
        rig.say(ftp, "PASS wrong");
        // Nobody else waits.
        let noop = rig.now();
        rig.expect(other, "NOOP", "200");
        assert!(rig.now() - noop < 20);
        let reply = rig.reply(ftp);
        assert!(reply.starts_with(code), "{reply}");
        assert!(rig.now() - start >= attempt * 1000);
    }
    rig.until("the end", 1000, |rig| rig.is_closed(ftp));
    rig.run(20);
    assert_eq!(rig.active(), 1);
    assert!(!rig.panel.serial().contains("wrong"));
}

#[test]
fn one_address_gets_no_more_than_its_share() {
    let mut rig = Boot::new().set("FTPSRV_CLIENTS_PER_ADDRESS", "2").start();
    rig.login(0);
    rig.login(0);
    let control = rig.hosts[0].connect(CONTROL);
    let third = crate::ftp::Ftp { host: 0, control };
    assert!(rig.reply(third).starts_with("421 "));
    rig.login(1);
}
