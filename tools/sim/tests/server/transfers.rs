//! Transfers: what else happens meanwhile, and what is left when they break off.

use crate::rig::{Boot, C, Rig};
use sim::network::Random;

#[test]
fn what_is_stored_comes_back_and_mtools_reads_it() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    let mut random = Random::new(3);
    for length in [0, 1, 511, 512, 513, 2048, 8191, 8192, 70_001, 1_000_000] {
        let data = random.bytes(length);
        assert!(rig.put(ftp, "STOR SAME.DAT", &data).starts_with("226"), "{length}");
        assert_eq!(rig.expect(ftp, "SIZE SAME.DAT", "213"), format!("213 {length}"));
        let (back, reply) = rig.get(ftp, "RETR SAME.DAT");
        assert!(reply.starts_with("226") && back == data, "{length}: {reply}");
        rig.check_disks();
        assert!(rig.on_disk(C, "SAME.DAT") == data, "{length}");
        rig.expect(ftp, "DELE SAME.DAT", "250");
    }
    rig.check_disks();
}

#[test]
fn abor_ends_a_transfer_with_426_and_226() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    assert!(rig.put(ftp, "STOR BIG.DAT", &vec![7; 400_000]).starts_with("226"));
    for command in ["RETR BIG.DAT", "STOR NEW.DAT"] {
        // Stalled: nothing moves on the data connection.
        let data = rig.ask(ftp, command);
        rig.hosts[0].pause(data, true);
        assert!(rig.reply(ftp).starts_with("150"));
        rig.hosts[0].send(data, &[1; 5000]);
        rig.run(2_000);
        let start = rig.now();
        // As telnet clients send it: IAC IP, IAC DM, then the command.
        rig.send(ftp, b"\xff\xf4\xff\xf2ABOR\r\n");
        assert!(rig.reply(ftp).starts_with("426"));
        assert!(rig.reply(ftp).starts_with("226"));
        assert!(rig.now() - start < 50);
        rig.expect(ftp, "NOOP", "200");
    }
    assert_eq!(rig.expect(ftp, "SIZE NEW.DAT", "213"), "213 5000");
    rig.expect(ftp, "DELE NEW.DAT", "250");
    rig.expect(ftp, "DELE BIG.DAT", "250");
    rig.expect(ftp, "ABOR", "226");
    rig.check_disks();
}

#[test]
fn stat_tells_the_bytes_so_far_and_later_commands_wait() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    let data = rig.begin(ftp, "STOR UP.DAT");
    rig.hosts[0].send(data, &[1; 30_000]);
    rig.run(2_000);
    let status = rig.expect(ftp, "STAT", "211");
    assert!(status.contains("Receiving /DRIVE_C/UP.DAT: 30000 bytes so far"), "{status}");
    rig.send(ftp, b"SIZE UP.DAT\r\nNOOP\r\nQUIT\r\n");
    rig.run(1_000);
    assert!(rig.is_quiet(ftp));
    rig.hosts[0].send(data, &[1; 10_000]);
    rig.hosts[0].close(data);
    for expected in ["226", "213 40000", "200", "221"] {
        let reply = rig.reply(ftp);
        assert!(reply.starts_with(expected), "{expected}: {reply}");
    }
    rig.until("the end", 1000, |rig| rig.is_closed(ftp));
    rig.run(20);
    assert_eq!(rig.active(), 0);
}

#[test]
fn quit_waits_for_the_transfers_end() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    let content = Random::new(9).bytes(300_000);
    assert!(rig.put(ftp, "STOR BIG.DAT", &content).starts_with("226"));
    let data = rig.begin(ftp, "RETR BIG.DAT");
    rig.say(ftp, "QUIT");
    assert!(rig.reply(ftp).starts_with("226"));
    assert!(rig.reply(ftp).starts_with("221"));
    rig.run(50);
    assert!(rig.hosts[0].take(data) == content);
}

#[test]
fn an_upload_that_ends_in_rst_is_never_226_and_keeps_what_was_stored() {
    let mut rig = Boot::new().start();
    let content = Random::new(4).bytes(50_000);
    for length in [0, 1, 100, 1460, 5_000, 20_000, 49_999] {
        let ftp = rig.login(0);
        let data = rig.begin(ftp, "STOR RST.DAT");
        rig.hosts[0].send(data, &content[..length]);
        rig.run(3_000);
        rig.hosts[0].abort(data);
        let reply = rig.reply(ftp);
        assert!(reply.starts_with("426"), "{length}: {reply}");
        let size = rig.expect(ftp, "SIZE RST.DAT", "213");
        let (back, _) = rig.get(ftp, "RETR RST.DAT");
        assert_eq!(size, format!("213 {}", back.len()));
        assert_eq!(back, content[..length], "what had three seconds to be stored is stored");
        rig.expect(ftp, "DELE RST.DAT", "250");
        rig.quit(ftp);
    }
    // In the middle of the flow as well: what is there is a part of it, byte for byte.
    for after in [5, 9, 14, 20, 33] {
        let ftp = rig.login(0);
        let data = rig.begin(ftp, "STOR RST.DAT");
        rig.hosts[0].send(data, &content);
        rig.run(after);
        rig.hosts[0].abort(data);
        let reply = rig.reply(ftp);
        assert!(reply.starts_with("426"), "{after}: {reply}");
        let (back, reply) = rig.get(ftp, "RETR RST.DAT");
        assert!(reply.starts_with("226"));
        assert!(content.starts_with(&back));
        rig.expect(ftp, "DELE RST.DAT", "250");
        rig.quit(ftp);
    }
    rig.check_disks();
}

#[test]
fn the_second_writer_of_a_file_gets_450_however_it_names_it() {
    for clobber in ["NO", "YES"] {
        let mut rig = Boot::new().set("FTPSRV_CLOBBER_FILES", clobber).start();
        let (first, second) = (rig.login(0), rig.login(1));
        rig.expect(second, "MKD SUB", "257");
        let data = rig.begin(first, "STOR /drive_c/BOX/IN/X.DAT");
        rig.hosts[0].send(data, &[b'1'; 9000]);
        rig.run(1000);
        for name in [
            "BOX/IN/X.DAT",
            "box/in/x.dat",
            "/drive_c/BOX/in/x.DAT",
            "./box/../BOX/./IN/x.dat",
            "//DRIVE_C//box//in//x.dat",
            "\\drive_c\\box\\in\\x.dat",
            "sub/../box/in/X.dat",
        ] {
            for verb in ["STOR", "APPE", "RETR"] {
                let reply = rig.put(second, &format!("{verb} {name}"), &[b'2'; 100]);
                assert!(reply.starts_with("450"), "{verb} {name}: {reply}");
            }
            for verb in ["DELE", "RNFR"] {
                let reply = rig.cmd(second, &format!("{verb} {name}"));
                let code = &reply[..3];
                if code == "350" {
                    rig.expect(second, "RNTO OTHER.DAT", "450");
                } else {
                    assert_eq!(code, "450", "{verb} {name}: {reply}");
                }
            }
        }
        // And from within a sandbox.
        let boxed = rig.login_as(2, "boxed", "secret");
        let reply = rig.put(boxed, "APPE /in/x.dat", &[b'3'; 100]);
        assert!(reply.starts_with("450"), "{reply}");
        rig.hosts[0].close(data);
        assert!(rig.reply(first).starts_with("226"));
        assert_eq!(rig.get(second, "RETR BOX/IN/X.DAT").0, [b'1'; 9000]);
        assert!(rig.put(boxed, "APPE /in/x.dat", &[b'3'; 100]).starts_with("226"));
        rig.check_disks();
        assert_eq!(rig.on_disk(C, "BOX/IN/X.DAT"), [vec![b'1'; 9000], vec![b'3'; 100]].concat());
    }
}

#[test]
fn a_file_that_is_being_read_is_read_by_others_and_changed_by_none() {
    let mut rig = Boot::new().set("FTPSRV_CLOBBER_FILES", "YES").start();
    let (first, second) = (rig.login(0), rig.login(1));
    let content = Random::new(2).bytes(200_000);
    assert!(rig.put(first, "STOR R.DAT", &content).starts_with("226"));
    let data = rig.ask(first, "RETR R.DAT");
    rig.hosts[0].pause(data, true);
    assert!(rig.reply(first).starts_with("150"));
    rig.run(500);
    assert!(rig.put(second, "STOR r.dat", b"x").starts_with("450"));
    assert!(rig.put(second, "APPE r.dat", b"x").starts_with("450"));
    rig.expect(second, "DELE r.dat", "450");
    assert!(rig.get(second, "RETR r.dat").0 == content);
    rig.hosts[0].pause(data, false);
    assert!(rig.reply(first).starts_with("226"));
    assert!(rig.hosts[0].take(data) == content);
    rig.expect(second, "DELE r.dat", "250");
}

#[test]
fn ten_uploads_at_once_mix_nothing() {
    ten_uploads(Boot::new());
}

#[test]
fn where_memory_is_short_ten_are_served_with_smaller_buffers() {
    let rig = ten_uploads(Boot::new().memory(260_000));
    let said = rig.panel.serial();
    let line = said.lines().find(|line| line.contains("Memory is short")).expect(&said);
    let figures: Vec<usize> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(figures.iter().all(|figure| (4096..16_384).contains(figure)), "{line}");
}

fn ten_uploads(boot: Boot) -> Rig {
    let mut rig = boot.start();
    let clients: Vec<_> = (0..10).map(|n| rig.login(n % 3)).collect();
    let mut random = Random::new(8);
    let files: Vec<Vec<u8>> = (0..10).map(|n| random.bytes(100_000 + 7777 * n)).collect();
    let mut under_way = Vec::new();
    for (number, ftp) in clients.iter().enumerate() {
        under_way.push(rig.begin(*ftp, &format!("STOR UP{number}.DAT")));
    }
    for (number, ftp) in clients.iter().enumerate() {
        rig.hosts[ftp.host].send(under_way[number], &files[number]);
        rig.hosts[ftp.host].close(under_way[number]);
    }
    for ftp in &clients {
        let reply = rig.reply(*ftp);
        assert!(reply.starts_with("226"), "{reply}");
    }
    for (number, ftp) in clients.iter().enumerate() {
        assert!(rig.get(*ftp, &format!("RETR UP{number}.DAT")).0 == files[number], "{number}");
    }
    rig.check_disks();
    for (number, file) in files.iter().enumerate() {
        assert!(rig.on_disk(C, &format!("UP{number}.DAT")) == *file, "{number}");
    }
    rig
}

#[test]
fn stou_finds_a_name_of_its_own_for_everybody() {
    let mut rig = Boot::new().start();
    let clients: Vec<_> = (0..5).map(|n| rig.login(n % 3)).collect();
    let mut names = Vec::new();
    let mut under_way = Vec::new();
    for ftp in &clients {
        under_way.push(rig.ask(*ftp, "STOU"));
        let reply = rig.reply(*ftp);
        names.push(reply.strip_prefix("150 FILE: ").expect("a name").to_owned());
    }
    for (number, ftp) in clients.iter().enumerate() {
        rig.hosts[ftp.host].send(under_way[number], &[b'0' + number as u8; 1000]);
        rig.hosts[ftp.host].close(under_way[number]);
        assert!(rig.reply(*ftp).starts_with("226"));
    }
    for (number, name) in names.iter().enumerate() {
        assert_eq!(rig.get(clients[0], &format!("RETR {name}")).0, [b'0' + number as u8; 1000]);
    }
}

#[test]
fn nothing_parts_the_lines_of_a_longer_reply() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    for n in 0..30 {
        rig.expect(ftp, &format!("MKD D{n}"), "257");
    }
    // The end of a transfer, of a checksum, and other commands fall into the lines of STAT.
    assert!(rig.put(ftp, "STOR F.DAT", &[1; 3000]).starts_with("226"));
    for command in ["RETR NOFILE", "XMD5 F.DAT", "XMD5 NOFILE"] {
        rig.send(ftp, format!("PASV\r\n{command}\r\nSTAT\r\nNOOP\r\n").as_bytes());
        let replies: Vec<String> = (0..4).map(|_| rig.reply(ftp)).collect();
        let status = replies.iter().find(|reply| reply.starts_with("211-")).unwrap();
        let inner: Vec<&str> = status.lines().skip(1).collect();
        let (last, inner) = inner.split_last().unwrap();
        assert_eq!(*last, "211 End of status");
        assert!(inner.iter().all(|line| line.starts_with(' ')), "{command}: {status}");
    }
    // And what is sent during a listing on the control connection waits for its end.
    rig.send(ftp, b"STAT /drive_c\r\nNOOP\r\nSTAT\r\nXYZZY\r\n");
    let listing = rig.reply(ftp);
    assert_eq!(listing.lines().count(), 34, "{listing}");
    assert!(listing.starts_with("213-") && listing.ends_with("213 End of status"), "{listing}");
    assert!(listing.lines().skip(1).take(32).all(|line| line.starts_with(' ')), "{listing}");
    for code in ["200", "211", "500"] {
        assert!(rig.reply(ftp).starts_with(code));
    }
}
