//! The control connection while a transfer runs, and transfers that end otherwise than they should.

use ftpsrv::vfs::FsError;

use super::bench::*;

/// A client whose download of 20 KB has stalled.
fn stalled(bench: &mut Bench) -> usize {
    bench.files.add_file("BIG.BIN", &[b'b'; 20_000]);
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "TYPE I");
    bench.passive(client);
    bench.peers[client].data.flow(false);
    assert_code(&bench.ask(client, "RETR /drive_c/big.bin"), 150);
    client
}

#[test]
fn abor_ends_a_stalled_transfer_at_once() {
    for command in ["ABOR\r\n".as_bytes(), b"\xFF\xF4\xFF\xF2ABOR\r\n", b"abor\n"] {
        let mut bench = Bench::new();
        let client = stalled(&mut bench);
        bench.peers[client].control.put(command);
        let said = bench.run(client);
        assert_eq!(Bench::codes(&said), [426, 226], "{said}");
        assert_eq!(bench.files.handles(), 0);
        assert_eq!(bench.statistics.broken_off, 1);
        bench.peers[client].data.flow(true);
        let (said, got) = bench.fetch(client, "RETR /drive_c/readme.txt");
        assert_eq!((Bench::codes(&said), &got[..]), (vec![150, 226], &b"hello\r\n"[..]));
    }
}

#[test]
fn abor_is_heard_behind_commands_that_wait() {
    let mut bench = Bench::new();
    let client = stalled(&mut bench);
    let said = bench.say(client, "PWD\r\nSYST\r\nABOR\r\nNOOP\r\n");
    assert_eq!(Bench::codes(&said), [426, 257, 215, 226, 200], "{said}");
    let client = stalled(&mut bench);
    let said = bench.say(client, "STAT /drive_c/pub\r\nABOR\r\n");
    assert_eq!(Bench::codes(&said), [426, 426, 226], "ABOR ends the listing too: {said}");
}

#[test]
fn a_listing_that_breaks_off_still_ends_its_reply() {
    let mut bench = Bench::new();
    for number in 0..100 {
        bench.files.add_file(&format!("SECRET/F{number}"), b"x");
    }
    let client = bench.login("brutman", "passw0rd");
    bench.peers[client].control.put(b"STAT /drive_c/secret\r\n");
    for _ in 0..6 {
        bench.step(client);
    }
    let first = bench.peers[client].control.take();
    assert!(first.starts_with(b"213-Status of"), "{first:?}");
    let said = bench.ask(client, "ABOR");
    assert!(said.ends_with("213 Listing broken off\r\n226 Abort successful\r\n"), "{said}");
    assert_eq!(bench.files.handles(), 0);
}

#[test]
fn stat_and_noop_answer_during_a_transfer() {
    let mut bench = Bench::new();
    let client = stalled(&mut bench);
    let said = bench.ask(client, "STAT");
    assert!(said.contains(" Sending /DRIVE_C/BIG.BIN: 4096 bytes so far\r\n"), "{said}");
    assert_code(&bench.ask(client, "NOOP"), 200);
    bench.peers[client].data.flow(true);
    assert_code(&bench.run(client), 226);
}

#[test]
fn other_commands_wait_and_are_answered_in_order() {
    let mut bench = Bench::new();
    let client = stalled(&mut bench);
    assert_eq!(bench.say(client, "PWD\r\nTYPE A\r\nSTAT /drive_c/pub\r\nQUIT\r\n"), "");
    bench.peers[client].data.flow(true);
    let said = bench.run(client);
    assert_eq!(Bench::codes(&said), [226, 257, 200, 213, 221], "{said}");
    assert_eq!(bench.peers[client].data.take().len(), 20_000);
    assert!(bench.peers[client].ended);
}

#[test]
fn a_reset_ends_a_transfer_with_426() {
    let mut bench = Bench::new();
    let client = stalled(&mut bench);
    assert!(!bench.peers[client].control.is_doubted());
    bench.peers[client].data.kill();
    assert_code(&bench.run(client), 426);
    assert!(bench.peers[client].control.is_doubted());
    bench.passive(client);
    assert_code(&bench.ask(client, "STOR /drive_c/up.bin"), 150);
    bench.feed(client, &[1; 10_000]);
    bench.peers[client].data.kill();
    assert_code(&bench.run(client), 426);
    // What was stored stays, and no more is said to be there.
    let stored = bench.files.content("UP.BIN").unwrap();
    assert!(!stored.is_empty() && stored.len() <= 10_000, "{}", stored.len());
    assert_eq!((bench.files.handles(), bench.statistics.files_received), (0, 0));
}

#[test]
fn a_full_disk_stores_what_fits() {
    let mut bench = Bench::new();
    bench.files.set_free(5000);
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "TYPE I");
    let said = bench.store(client, "STOR /drive_c/up.bin", &[1; 20_000]);
    assert_eq!(Bench::codes(&said), [150, 452], "{said}");
    assert_eq!(bench.files.content("UP.BIN").unwrap().len(), 5000);
    assert_eq!(bench.files.handles(), 0);
    assert_code(&bench.ask(client, "NOOP"), 200);
    bench.ask(client, "CWD /drive_c");
    assert_code(&bench.ask(client, "ALLO 1"), 552);
}

#[test]
fn errors_of_the_disk_are_named_with_the_file() {
    let mut bench = Bench::new();
    bench.files.bad_from = Some(9000);
    let client = stalled(&mut bench);
    bench.peers[client].data.flow(true);
    assert_eq!(bench.run(client), "451 Disk error: /DRIVE_C/BIG.BIN\r\n");
    bench.files.close_failure = Some(FsError::Io);
    let said = bench.store(client, "STOR /drive_c/up.bin", b"x");
    assert_eq!(Bench::codes(&said), [150, 451], "{said}");
    assert_eq!(bench.files.handles(), 0);
}

#[test]
fn nobody_connects() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "PASV");
    assert_code(&bench.ask(client, "LIST"), 150);
    bench.pass(30_001);
    assert_code(&bench.run(client), 425);
    bench.ask(client, "PORT 192,168,1,77,200,1");
    assert_code(&bench.ask(client, "LIST"), 150);
    bench.peers[client].data.kill();
    assert_code(&bench.run(client), 425);
    assert_code(&bench.ask(client, "LIST"), 425);
    assert_eq!(bench.files.handles(), 0);
}

#[test]
fn an_upload_without_a_connection_leaves_no_file() {
    for laziness in [0, 2] {
        let mut bench = Bench::new();
        bench.files.patience = laziness;
        let client = bench.login("brutman", "passw0rd");
        let before = bench.files.names("");
        bench.ask(client, "PORT 192,168,1,77,200,1");
        assert_code(&bench.ask(client, "STOR /drive_c/up.bin"), 150);
        bench.peers[client].data.kill();
        assert_code(&bench.run(client), 425);
        bench.ask(client, "PASV");
        assert_code(&bench.ask(client, "STOR /drive_c/up.bin"), 150);
        bench.peers[client].control.kill();
        bench.run(client);
        let other = bench.login("brutman", "passw0rd");
        bench.ask(other, "PASV");
        bench.ask(other, "APPE /drive_c/readme.txt");
        bench.say(other, "ABOR\r\n");
        assert_eq!(bench.files.names(""), before);
        let said = bench.store(other, "STOR /drive_c/up.bin", b"");
        assert_eq!(Bench::codes(&said), [150, 226], "an empty file that was sent stays");
        assert_eq!(bench.files.content("UP.BIN").unwrap(), b"");
    }
}

#[test]
fn the_end_of_a_session_does_not_reset_a_transfer_that_is_just_over() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    bench.passive(client);
    let said = bench.say(client, "RETR /drive_c/readme.txt\r\nQUIT\r\n");
    assert_eq!(Bench::codes(&said), [150, 226, 221]);
    assert!(bench.peers[client].ended);
    assert_eq!(bench.peers[client].data.resets(), 0);
}

#[test]
fn passive_mode_at_once_after_226() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    for _ in 0..30 {
        bench.passive(client);
        let said = bench.say(client, "NLST /drive_c\r\nPASV\r\n");
        // The client has not closed its side yet.
        assert_eq!(Bench::codes(&said), [150, 226], "{said}");
        bench.peers[client].data.close_client();
        assert_code(&bench.run(client), 227);
    }
    bench.passive(client);
    bench.say(client, "NLST /drive_c\r\nPASV\r\n");
    bench.pass(2001);
    assert_code(&bench.run(client), 227);
}

#[test]
fn two_writers_do_not_mix() {
    let mut bench = Bench::new();
    let (one, two) = (bench.login("brutman", "passw0rd"), bench.login("brutman", "passw0rd"));
    bench.passive(one);
    bench.ask(one, "STOR /drive_c/f.txt");
    bench.passive(two);
    assert_code(&bench.ask(two, "APPE /DRIVE_C/pub/../F.TXT"), 450);
    assert_code(&bench.ask(two, "RETR /drive_c/f.txt"), 450);
    assert_code(&bench.ask(two, "DELE /drive_c/f.txt"), 450);
    bench.peers[one].data.close_client();
    assert_code(&bench.run(one), 226);
}

#[test]
fn vanished_clients_leave_nothing_behind() {
    for laziness in [0, 2] {
        let mut bench = Bench::new();
        bench.files.patience = laziness;
        let client = stalled(&mut bench);
        bench.peers[client].control.kill();
        bench.run(client);
        assert!(bench.peers[client].ended);
        let other = bench.login("brutman", "passw0rd");
        bench.passive(other);
        bench.ask(other, "LIST");
        bench.peers[other].control.kill();
        bench.run(other);
        assert_eq!((bench.files.handles(), bench.statistics.active), (0, 0));
        assert!(bench.who.iter().all(Option::is_none));
    }
}

#[test]
fn a_client_that_closes_ends_its_session() {
    let mut bench = Bench::new();
    let client = stalled(&mut bench);
    bench.peers[client].control.close_client();
    bench.run(client);
    assert!(!bench.peers[client].ended, "the transfer goes on");
    bench.peers[client].data.flow(true);
    bench.run(client);
    assert!(bench.peers[client].ended);
    assert_eq!(bench.statistics.files_sent, 1);
}

#[test]
fn the_servers_end_waits_for_transfers_and_then_does_not() {
    let mut bench = Bench::new();
    let (busy, idle) = (stalled(&mut bench), bench.login("brutman", "passw0rd"));
    let last = stalled(&mut bench);
    for peer in &mut bench.peers {
        peer.session.shut_down();
    }
    assert_code(&bench.run(idle), 421);
    assert_eq!(bench.run(busy), "");
    bench.peers[busy].data.flow(true);
    assert_eq!(Bench::codes(&bench.run(busy)), [226, 421]);
    bench.peers[last].session.cut_off();
    assert_eq!(Bench::codes(&bench.run(last)), [426, 421]);
    assert_eq!((bench.statistics.active, bench.files.handles()), (0, 0));
}

#[test]
fn a_transfer_without_progress_times_out() {
    let mut bench = Bench::new();
    let client = stalled(&mut bench);
    bench.pass(180_001);
    assert_code(&bench.run(client), 421);
    assert_eq!((bench.files.handles(), bench.statistics.timeouts), (0, 1));
}
