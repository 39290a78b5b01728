//! Disks that are full, protected, bad or slow: what clients are told, and that nobody else suffers.

use crate::rig::{A, Boot, C, Rig, hard_disk, with_dirs, with_file};
use ftpsrv::block::DiskKind;
use sim::chips::ide::Model;
use sim::disk::SimDisk;
use sim::fat_image::{fsck, mkfs};
use sim::fat_model::read_tree;
use sim::network::Random;

/// A volume of about a megabyte.
fn small_disk() -> sim::disk::Medium {
    with_dirs(&mkfs(2880, &["-F", "12"]), &["BOX", "BOX/IN"])
}

#[test]
fn a_full_disk_is_452_and_the_server_goes_on() {
    let mut rig = Boot::new().hard_disk(small_disk()).start();
    let (ftp, other) = (rig.login(0), rig.login(1));
    let kept = Random::new(1).bytes(50_000);
    assert!(rig.put(other, "STOR KEPT.DAT", &kept).starts_with("226"));
    let reply = rig.put(ftp, "STOR BIG.DAT", &vec![1; 2_000_000]);
    assert!(reply.starts_with("452") && reply.contains("BIG.DAT"), "{reply}");
    rig.expect(ftp, "NOOP", "200");
    rig.expect(other, "NOOP", "200");
    assert!(rig.get(other, "RETR KEPT.DAT").0 == kept);
    let reply = rig.put(other, "STOR MORE.DAT", &[1; 5000]);
    assert!(reply.starts_with("452"), "{reply}");
    rig.expect(ftp, "MKD DIR", "452");
    rig.check_disks();
    rig.expect(ftp, "DELE BIG.DAT", "250");
    rig.doze(2_000);
    assert!(rig.put(other, "STOR AGAIN.DAT", &kept).starts_with("226"));
    rig.check_disks();
    assert!(rig.on_disk(C, "KEPT.DAT") == kept && rig.on_disk(C, "AGAIN.DAT") == kept);
}

/// Nothing that waits in the drive's write cache, and so is lost with the power, belongs to what was promised.
#[test]
fn what_was_answered_is_on_the_disk_when_the_power_goes() {
    let mut rig = Boot::new().start();
    rig.disks.with(C, |disk| {
        let drive = std::mem::replace(disk, SimDisk::new(DiskKind::Hard, None));
        *disk = drive.with_write_cache();
    });
    let ftp = rig.login(0);
    let content = Random::new(8).bytes(100_000);
    let left = |rig: &Rig| {
        let medium = rig.disks.with(C, |disk| disk.after_cut(|_| 0));
        read_tree(&medium).unwrap()
    };
    assert!(rig.put(ftp, "STOR UP.DAT", &content[..60_000]).starts_with("226"));
    assert_eq!(left(&rig)["UP.DAT"].as_deref(), Some(&content[..60_000]));
    assert!(rig.put(ftp, "APPE UP.DAT", &content[60_000..]).starts_with("226"));
    assert_eq!(left(&rig)["UP.DAT"].as_deref(), Some(&content[..]));
    rig.expect(ftp, "MKD DIR", "257");
    assert_eq!(left(&rig)["DIR"], None);
    rig.expect(ftp, "RNFR UP.DAT", "350");
    rig.expect(ftp, "RNTO DIR/MOVED.DAT", "250");
    let tree = left(&rig);
    assert!(tree["DIR/MOVED.DAT"].as_deref() == Some(&content) && !tree.contains_key("UP.DAT"));
    rig.expect(ftp, "DELE DIR/MOVED.DAT", "250");
    assert!(!left(&rig).contains_key("DIR/MOVED.DAT"));
    rig.expect(ftp, "RMD DIR", "250");
    assert!(!left(&rig).contains_key("DIR"));
}

#[test]
fn a_full_root_directory_is_452() {
    let disk = with_dirs(&mkfs(2880, &["-F", "12", "-r", "16"]), &["BOX", "BOX/IN"]);
    let mut rig = Boot::new().hard_disk(disk).start();
    let ftp = rig.login(0);
    let replies: Vec<String> =
        (0..20).map(|n| rig.put(ftp, &format!("STOR F{n}.DAT"), b"x")).collect();
    assert!(replies.iter().take(15).all(|reply| reply.starts_with("226")), "{replies:?}");
    assert!(replies.iter().skip(16).all(|reply| reply.starts_with("452")), "{replies:?}");
    rig.expect(ftp, "DELE F3.DAT", "250");
    assert!(rig.put(ftp, "STOR NEW.DAT", b"x").starts_with("226"));
    rig.check_disks();
}

#[test]
fn a_protected_floppy_is_read_and_not_written() {
    let mut rig = Boot::new().file(A, "READ.ME", b"on the floppy").start();
    rig.disks.with(A, |disk| disk.medium.as_mut().unwrap().write_protected = true);
    let ftp = rig.login(0);
    rig.expect(ftp, "CWD /drive_a", "250");
    assert_eq!(rig.get(ftp, "RETR READ.ME").0, b"on the floppy");
    for command in ["STOR NEW.DAT", "APPE READ.ME"] {
        let reply = rig.put(ftp, command, &[1; 3000]);
        assert!(reply.starts_with("550") && reply.contains("protected"), "{command}: {reply}");
    }
    for command in ["DELE READ.ME", "MKD DIR"] {
        let reply = rig.cmd(ftp, command);
        assert!(reply.starts_with("550") && reply.contains("protected"), "{command}: {reply}");
    }
    rig.expect(ftp, "RNFR READ.ME", "350");
    rig.expect(ftp, "RNTO NEW.ME", "55");
    rig.expect(ftp, "CWD /drive_c", "250");
    assert!(rig.put(ftp, "STOR OK.DAT", b"x").starts_with("226"));
    // The switch is turned: nothing of the refusals is left behind.
    rig.disks.with(A, |disk| disk.medium.as_mut().unwrap().write_protected = false);
    rig.doze(3_000);
    rig.expect(ftp, "CWD /drive_a", "250");
    assert_eq!(rig.get(ftp, "RETR READ.ME").0, b"on the floppy");
    rig.check_disks();
}

#[test]
fn a_bad_sector_ends_a_download_with_the_files_name() {
    let content = Random::new(6).bytes(200_000);
    let disk = with_file(&hard_disk(), "BAD.DAT", &content);
    let mut rig = Boot::new().hard_disk(disk).start();
    // The sector that holds the file's middle.
    let medium = rig.disks.medium(C);
    let middle = &content[100_352..100_864];
    let bad = (0..medium.sectors()).find(|&lba| medium.sector(lba) == *middle).unwrap();
    rig.disks.with(C, |disk| disk.bad_reads.insert(bad));
    let (ftp, other) = (rig.login(0), rig.login(1));
    let (part, reply) = rig.get(ftp, "RETR BAD.DAT");
    assert!(reply.starts_with("451") || reply.starts_with("426"), "{reply}");
    assert!(reply.contains("/DRIVE_C/BAD.DAT"), "{reply}");
    assert!(content.starts_with(&part) && part.len() <= 100_352);
    rig.expect(ftp, "NOOP", "200");
    assert!(rig.put(other, "STOR FINE.DAT", &content).starts_with("226"));
    assert!(rig.get(other, "RETR FINE.DAT").0 == content);
    assert!(rig.panel.serial().contains("broken off"));
}

#[test]
fn a_sector_that_cannot_be_written_ends_an_upload_with_the_files_name() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    let content = Random::new(6).bytes(60_000);
    assert!(rig.put(ftp, "STOR GOOD.DAT", &content).starts_with("226"));
    rig.doze(5_000);
    // All of the disk behind what is in use, so that the next file meets it.
    let medium = rig.disks.medium(C);
    let used = (0..medium.sectors()).rfind(|&lba| medium.sector(lba) != [0; 512]).unwrap();
    let bad = used + 40..medium.sectors();
    rig.disks.with(C, |disk| disk.bad_writes.extend(bad.clone()));
    let reply = rig.put(ftp, "STOR BAD.DAT", &content);
    assert!(reply.starts_with("451") || reply.starts_with("426"), "{reply}");
    assert!(reply.contains("/DRIVE_C/BAD.DAT"), "{reply}");
    rig.expect(ftp, "NOOP", "200");
    assert!(rig.get(ftp, "RETR GOOD.DAT").0 == content);
    rig.disks.with(C, |disk| disk.bad_writes.clear());
    rig.expect(ftp, "DELE BAD.DAT", "250");
    assert!(rig.put(ftp, "STOR BAD.DAT", &content).starts_with("226"));
    rig.check_disks();
}

/// The longest wait for a NOOP while something else goes on for `ms`.
fn longest_noop(rig: &mut Rig, ftp: crate::ftp::Ftp, ms: u64) -> u64 {
    let (end, mut longest) = (rig.now() + ms, 0);
    while rig.now() < end {
        let start = rig.now();
        rig.expect(ftp, "NOOP", "200");
        // The reply may have come in the middle of a turn.
        let heard = rig.hosts[ftp.host].last_heard(ftp.control).unwrap();
        longest = longest.max(heard - start);
        rig.run(7);
    }
    longest
}

#[test]
fn a_slow_disk_keeps_others_waiting_for_one_command_at_most() {
    const COMMAND: u64 = 150;
    let mut rig = Boot::new().and_hard_disk(hard_disk()).start();
    let (slow, quick) = (rig.login(0), rig.login(1));
    rig.expect(slow, "CWD /drive_d", "250");
    assert!(rig.put(slow, "STOR OLD.DAT", &vec![3; 300_000]).starts_with("226"));
    rig.disks.with(2, |disk| disk.latency_ms = COMMAND);
    for command in ["STOR NEW.DAT", "RETR OLD.DAT", "LIST", "DELE OLD.DAT", "SITE DISKFREE"] {
        let before = rig.disks.counters(2).commands();
        if command.starts_with("STOR") || command.starts_with("RETR") || command == "LIST" {
            let data = rig.ask(slow, command);
            rig.hosts[0].send(data, &vec![4; 300_000]);
            rig.hosts[0].close(data);
        } else {
            rig.say(slow, command);
        }
        let longest = longest_noop(&mut rig, quick, 3_000);

        assert!(longest <= COMMAND + 15, "{command}: {longest} ms");
        let needs_disk = command.starts_with("STOR") || command.starts_with("RETR");
        assert!(!needs_disk || rig.disks.counters(2).commands() > before + 5);
        rig.until("the slow client's end", 60_000, |rig| {
            rig.run(100);
            let text = String::from_utf8_lossy(rig.hosts[0].received(slow.control)).into_owned();
            ["226 ", "250 ", "200 ", "211 "].iter().any(|code| text.contains(code))
        });
        rig.hosts[0].take(slow.control);
    }
}

/// The disk layer at its worst: clusters of one sector, and everybody stores, lists and deletes in a
/// directory of his own.
#[test]
fn ten_clients_of_a_slow_disk_wait_for_one_command_at_most() {
    const COMMAND: u64 = 40;
    let disk = with_dirs(&mkfs(131_072, &["-F", "32", "-s", "1"]), &["BOX", "BOX/IN"]);
    let mut rig = Boot::new().hard_disk(disk).packets_per_poll(1).start();
    let clients: Vec<_> = (0..9).map(|n| rig.login(n % 3)).collect();
    let quick = rig.login(0);
    for (number, &ftp) in clients.iter().enumerate() {
        rig.expect(ftp, &format!("MKD D{number}"), "257");
        rig.expect(ftp, &format!("CWD D{number}"), "250");
        assert!(rig.put(ftp, "STOR OLD.DAT", &[1; 20_000]).starts_with("226"));
    }
    rig.disks.with(C, |disk| disk.latency_ms = COMMAND);
    for (number, &ftp) in clients.iter().enumerate() {
        match number % 3 {
            0 => {
                let data = rig.ask(ftp, "STOR NEW.DAT");
                rig.hosts[ftp.host].send(data, &[4; 600_000]);
                rig.hosts[ftp.host].close(data);
            }
            1 => drop(rig.ask(ftp, "RETR OLD.DAT")),
            _ => rig.say(ftp, "DELE OLD.DAT"),
        }
    }
    let before = rig.disks.counters(C).commands();
    let longest = longest_noop(&mut rig, quick, 8_000);
    assert!(longest <= COMMAND + 15, "{longest} ms");
    let commands = rig.disks.counters(C).commands() - before;
    assert!(commands > 120, "{commands}");
    rig.disks.with(C, |disk| disk.latency_ms = 0);
    rig.check_disks();
}

#[test]
fn a_floppy_that_is_mounted_keeps_others_waiting_for_one_command_at_most() {
    const COMMAND: u64 = 300;
    let mut rig = Boot::new().start();
    let (slow, quick) = (rig.login(0), rig.login(1));
    rig.doze(5_000);
    rig.disks.with(A, |disk| {
        let medium = disk.medium.take();
        disk.change_medium(medium);
        disk.latency_ms = COMMAND;
    });
    let before = rig.disks.counters(A).commands();
    rig.say(slow, "CWD /drive_a");
    let longest = longest_noop(&mut rig, quick, 4_000);
    assert!(longest <= COMMAND + 15, "{longest} ms");
    assert!(rig.disks.counters(A).commands() > before + 3);
}

#[test]
fn a_checksum_of_a_large_file_keeps_nobody_waiting() {
    const COMMAND: u64 = 20;
    let mut rig = Boot::new().start();
    let (ftp, other) = (rig.login(0), rig.login(1));
    let content = vec![7; 500_000];
    assert!(rig.put(ftp, "STOR LARGE.DAT", &content).starts_with("226"));
    rig.disks.with(C, |disk| disk.latency_ms = COMMAND);
    rig.say(ftp, "XSHA256 LARGE.DAT");
    let longest = longest_noop(&mut rig, other, 1_000);
    assert!(rig.is_quiet(ftp), "it takes longer than that");
    // A turn under way and the one that answers, of two sectors each.
    assert!(longest <= 4 * COMMAND + 10, "a NOOP took {longest} ms");
    rig.until("the checksum", 60_000, |rig| !rig.is_quiet(ftp));
    assert!(rig.reply(ftp).starts_with("250 "));
    // ABOR ends it.
    rig.say(ftp, "HASH LARGE.DAT");
    rig.run(10);
    rig.say(ftp, "ABOR");
    assert!(rig.reply(ftp).starts_with("426"));
    assert!(rig.reply(ftp).starts_with("226"));
}

#[test]
fn a_floppy_that_is_exchanged_in_an_upload_gets_nothing_of_it() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    rig.expect(ftp, "CWD /drive_a", "250");
    let data = rig.begin(ftp, "STOR UP.DAT");
    rig.hosts[0].send(data, &[7; 40_000]);
    rig.run(700);
    let other = with_file(&mkfs(2880, &["-F", "12", "-n", "OTHER"]), "OTHER.TXT", b"other");
    rig.disks.with(A, |disk| disk.change_medium(Some(other.clone())));
    rig.hosts[0].send(data, &[7; 400_000]);
    rig.hosts[0].close(data);
    let reply = rig.reply(ftp);
    assert!(reply.starts_with("451"), "{reply}");
    rig.doze(5_000);
    assert_eq!(rig.names(ftp, "NLST /drive_a"), ["OTHER.TXT"]);
    assert!(rig.disks.medium(A).to_bytes() == other.to_bytes(), "the other floppy was written to");
    assert_eq!(fsck(&rig.disks.medium(A)), Vec::<String>::new());
}

/// An IDE drive works while the server serves others, so that not even one of its commands is waited for.
#[test]
fn a_slow_ide_drive_keeps_nobody_waiting() {
    [false, true].into_iter().for_each(a_slow_ide_drive_keeps_nobody_waiting_where);
}

fn a_slow_ide_drive_keeps_nobody_waiting_where(dma: bool) {
    const COMMAND: u64 = 100;
    // Moving a command's data by words takes 4 ms on ISA.
    const MOVING: u64 = 5;
    let mut rig = Boot::new().ide(Model { dma, ..Model::modern(1) }).start();
    let (slow, quick) = (rig.login(0), rig.login(1));
    let content = Random::new(8).bytes(120_000);
    assert!(rig.put(slow, "STOR OLD.DAT", &content).starts_with("226"));
    rig.doze(5_000);
    rig.drive.with(|drive| drive.set_latency(COMMAND as u32 * 1000));
    // 120,000 bytes are 15 commands.
    let data = rig.begin(slow, "RETR OLD.DAT");
    let longest = longest_noop(&mut rig, quick, 12 * COMMAND);
    assert!(longest <= MOVING + 5, "{longest} ms beside RETR");
    rig.until("226", 10_000, |rig| !rig.is_quiet(slow));
    assert!(rig.reply(slow).starts_with("226"));
    assert!(rig.hosts[0].received(data) == content);
    let data = rig.begin(slow, "STOR NEW.DAT");
    // The directory's and tables' sectors are waited for, with the data sent behind them.
    rig.run(10 * COMMAND);
    rig.hosts[0].send(data, &content);
    rig.run(COMMAND);
    let longest = longest_noop(&mut rig, quick, 12 * COMMAND);
    assert!(longest <= MOVING + 5, "{longest} ms beside STOR");
    rig.hosts[0].close(data);
    rig.until("226", 20_000, |rig| !rig.is_quiet(slow));
    assert!(rig.reply(slow).starts_with("226"));
    rig.drive.with(|drive| drive.set_latency(100));
    rig.check_disks();
    assert!(rig.on_disk(C, "NEW.DAT") == content);
}

/// Where the drive's interrupt ends it, the CPU may halt as long as a drive works, and no longer.
#[test]
fn a_drive_at_work_leaves_nothing_to_do() {
    [false, true].into_iter().for_each(a_drive_at_work_leaves_nothing_to_do_where);
}

fn a_drive_at_work_leaves_nothing_to_do_where(dma: bool) {
    const COMMAND: u32 = 100;
    let mut rig = Boot::new().ide(Model { dma, ..Model::modern(1) }).start();
    let ftp = rig.login(0);
    let content = Random::new(8).bytes(120_000);
    assert!(rig.put(ftp, "STOR OLD.DAT", &content).starts_with("226"));
    rig.doze(5_000);
    rig.panel.take_rests();
    rig.run(100);
    let [quiet, beside] = rig.panel.take_rests();
    assert!(quiet > 0 && beside == 0, "{beside} of {quiet} rests while no drive worked");
    rig.drive.with(|drive| drive.set_latency(COMMAND * 1000));
    let data = rig.begin(ftp, "RETR OLD.DAT");
    rig.run(u64::from(COMMAND));
    rig.panel.take_rests();
    // Each turn but the one in ten commands that takes the data.
    rig.run(10 * u64::from(COMMAND));
    let [_, beside] = rig.panel.take_rests();
    assert!(beside >= 10 * (COMMAND - 10), "{beside} rests beside ten commands");
    rig.until("226", 10_000, |rig| !rig.is_quiet(ftp));
    assert!(rig.hosts[0].received(data) == content);
}

/// Everybody reads and writes on one IDE drive, somebody lists and deletes, somebody goes away.
#[test]
fn many_clients_share_an_ide_drive() {
    [false, true].into_iter().for_each(many_clients_share_an_ide_drive_where);
}

fn many_clients_share_an_ide_drive_where(dma: bool) {
    for latency in [50, 3_000] {
        let model = Model { latency_us: latency, dma, ..Model::modern(1) };
        let mut rig = Boot::new().ide(model).start();
        let clients: Vec<_> = (0..8).map(|n| rig.login(n % 3)).collect();
        let content: Vec<_> = (0..4).map(|n| Random::new(n).bytes(90_000)).collect();
        for (n, content) in content.iter().enumerate() {
            assert!(rig.put(clients[n], &format!("STOR F{n}.DAT"), content).starts_with("226"));
        }
        let gone = rig.begin(clients[7], "STOR GONE.DAT");
        rig.hosts[clients[7].host].send(gone, &content[0]);
        let down: Vec<_> =
            (0..4).map(|n| rig.begin(clients[n], &format!("RETR F{n}.DAT"))).collect();
        for n in 4..7 {
            let data = rig.begin(clients[n], &format!("STOR F{n}.DAT"));
            let host = &mut rig.hosts[clients[n].host];
            host.send(data, &content[n - 4]);
            host.close(data);
        }
        rig.run(20);
        rig.hosts[clients[7].host].abort(gone);
        for (n, &client) in clients.iter().enumerate().take(7) {
            rig.until("226", 60_000, |rig| !rig.is_quiet(client));
            assert!(rig.reply(client).starts_with("226"), "{n}");
        }
        for (n, data) in down.into_iter().enumerate() {
            assert!(rig.hosts[clients[n].host].received(data) == content[n]);
        }
        rig.check_disks();
        for n in 4..7 {
            assert!(rig.on_disk(C, &format!("F{n}.DAT")) == content[n - 4]);
        }
        assert_eq!(rig.drive.violations(), Vec::<String>::new());
        // READ DMA, WRITE DMA.
        let by_dma = |code| rig.drive.with(|drive| drive.commands.contains(&code));
        assert_eq!([0xC8, 0xCA].map(by_dma), [dma; 2]);
    }
}
