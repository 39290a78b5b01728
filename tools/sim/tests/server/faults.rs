//! A network that loses, repeats, delays and damages packets, both ways.

use crate::rig::{Boot, C, Rig};
use sim::network::{Faults, Random};

const BAD: Faults = Faults { loss: 50, duplicate: 50, reorder: 50, corrupt: 50 };

/// Three clients up and down at once, `length` bytes each, over a wire with these faults.
fn transfer_all(faults: Faults, length: usize, seed: u64) -> Rig {
    let mut rig = Boot::new().start();
    let clients: Vec<_> = (0..3).map(|n| rig.login(n)).collect();
    let mut random = Random::new(seed);
    let files: Vec<Vec<u8>> = (0..3).map(|n| random.bytes(length + 333 * n)).collect();
    rig.network.set_faults(faults);
    let mut uploads = Vec::new();
    for (number, ftp) in clients.iter().enumerate() {
        let data = rig.begin(*ftp, &format!("STOR F{number}.DAT"));
        rig.hosts[number].send(data, &files[number]);
        rig.hosts[number].close(data);
        uploads.push(data);
    }
    for ftp in &clients {
        let reply = rig.reply(*ftp);
        assert!(reply.starts_with("226"), "{faults:?}: {reply}");
    }
    let mut downloads = Vec::new();
    for ftp in &clients {
        let other = (ftp.host + 1) % 3;
        downloads.push((*ftp, other, rig.begin(*ftp, &format!("RETR F{other}.DAT"))));
    }
    for (ftp, file, data) in downloads {
        let reply = rig.reply(ftp);
        assert!(reply.starts_with("226"), "{faults:?}: {reply}");
        assert!(rig.hosts[ftp.host].take(data) == files[file], "{faults:?}: not the same bytes");
        rig.until("the file's end", 60_000, |rig| rig.hosts[ftp.host].is_over(data));
    }
    rig.network.set_faults(Faults::default());
    rig.check_disks();
    for (number, file) in files.iter().enumerate() {
        assert!(rig.on_disk(C, &format!("F{number}.DAT")) == *file, "{faults:?}: {number}");
    }
    rig
}

#[test]
fn each_fault_alone_changes_no_byte() {
    for faults in [
        Faults { loss: 50, ..Faults::default() },
        Faults { duplicate: 50, ..Faults::default() },
        Faults { reorder: 50, ..Faults::default() },
        Faults { corrupt: 50, ..Faults::default() },
    ] {
        transfer_all(faults, 60_000, 1);
    }
}

#[test]
fn all_faults_together_change_no_byte() {
    let rig = transfer_all(BAD, 100_000, 2);
    assert!(rig.now() > 1_000, "the faults cost no time: were there any?");
}

#[test]
#[ignore = "minutes: the long form of all_faults_together_change_no_byte"]
fn all_faults_together_change_no_byte_in_long_files() {
    for seed in 0..10 {
        transfer_all(BAD, 1_000_000, seed);
    }
}
