//! The manual's own sample: its password file to the letter, its settings as an mTCP user has them, on a PC
//! with drives C: to E:.

use anyhow::{Result, ensure};

use super::super::clients::client;
use super::super::guest::{Guest, Setup};
use super::super::{Scenario, Stage, files};
use super::{DISK, directories};
use crate::disk::Layout;

/// "Setting up the password file".
const PASSWORDS: &[u8] = b"\
    brutman    passw0rd  [none]        [any]                  all\r\n\
    tester     b0guspw   [none]        /drive_e/ftp/incoming  stor stou\r\n\
    anonymous  [email]   /drive_e/ftp  /incoming              stor stou\r\n\
    readonly   [email]   /drive_e/ftp  [any]\r\n";

/// An MTCP.CFG for the packet driver and the settings of "Starting": ten clients, 120 seconds, files on E:.
const CONFIG: &str = "packetint 0x60\r\nhostname DOSBOX\r\n\r\n# FTP server\r\n\
    FTPSRV_PASSWORD_FILE e:\\ftppass.txt\r\nFTPSRV_LOG_FILE e:\\ftpsrv.log\r\n\
    FTPSRV_SESSION_TIMEOUT 120\r\nFTPSRV_CLIENTS 10\r\nFTPSRV_FILEBUFFER_SIZE 8\r\n\
    FTPSRV_TCPBUFFER_SIZE 8\r\nFTPSRV_PACKETS_PER_POLL 1\r\n\
    TELNET_CONNECT_TIMEOUT 10\r\n\x1A";

/// A smaller disk for D: and E:.
const SMALL: Layout = Layout { megabytes: 16, ..DISK };

pub fn all() -> Vec<Scenario> {
    vec![Scenario::new("the manual's sample configuration and password file", sample)]
}

fn sample(stage: &Stage, name: &str) -> Result<()> {
    let setup = Setup {
        config: CONFIG.into(),
        passwords: None,
        ..Setup::with_disks(&[DISK, SMALL, SMALL])?
    };
    let mut guest = Guest::boot(stage, name, &setup, |disks, dir| {
        directories(&disks[..1], dir)?;
        disks[2].mkdir(&["/FTP", "/FTP/INCOMING"])?;
        disks[2].write("/FTPPASS.TXT", PASSWORDS)?;
        disks[2].write("/FTP/HELLO.TXT", b"hello\r\n")
    })?;
    let file = files::make(guest.dir(), "up.bin", 30_000, 11)?;
    let run = |arguments: &[&str], user: &str, path: &str| {
        let url = format!("ftp://{user}@127.0.0.1:{}{path}", guest.port);
        let own = ["-sS", "-m", "30"].into_iter().chain(arguments.iter().copied());
        client(&guest, "curl")?.args(own.map(str::to_owned)).args([url]).run_any()
    };
    let up =
        |user: &str, path: &str| Ok::<bool, anyhow::Error>(run(&["-T", "up.bin"], user, path)?.0);

    let (_, root) = run(&[], "brutman:passw0rd", "/")?;
    ensure!(["DRIVE_C", "DRIVE_D", "DRIVE_E"].iter().all(|drive| root.contains(drive)), "{root}");
    ensure!(up("brutman:passw0rd", "/drive_d/any.bin")?, "brutman is not restricted");
    ensure!(up("tester:b0guspw", "/drive_e/ftp/incoming/t.bin")?, "tester may upload to incoming");
    ensure!(!up("tester:b0guspw", "/drive_e/ftp/t.bin")?, "tester uploaded beside incoming");
    ensure!(!up("tester:wrong", "/drive_e/ftp/incoming/w.bin")?, "a wrong password was taken");
    ensure!(up("anonymous:me%40home", "/incoming/a.bin")?, "anonymous may upload to incoming");
    ensure!(!up("anonymous:me%40home", "/a.bin")?, "anonymous uploaded to its root");
    ensure!(!up("readonly:me%40home", "/incoming/r.bin")?, "readonly uploaded");
    let (_, inside) = run(&[], "anonymous:me%40home", "/")?;
    ensure!(inside.contains("HELLO.TXT") && !inside.contains("DRIVE_"), "sandbox shows {inside}");
    ensure!(run(&["-o", "h.txt"], "readonly:me%40home", "/hello.txt")?.0, "readonly may download");

    guest.switch_off()?;
    let bytes = std::fs::read(file)?;
    ensure!(guest.disks[1].read("/ANY.BIN")? == bytes, "ANY.BIN on D: differs");
    ensure!(guest.disks[2].read("/FTP/INCOMING/T.BIN")? == bytes, "T.BIN on E: differs");
    ensure!(guest.disks[2].read("/FTP/INCOMING/A.BIN")? == bytes, "A.BIN on E: differs");
    let log = String::from_utf8_lossy(&guest.disks[2].read("/FTPSRV.LOG")?).into_owned();
    for words in ["brutman logged in", "failed to log in", "stored /INCOMING/A.BIN: 30000 bytes"] {
        ensure!(log.contains(words), "the log file lacks {words:?}:\n{log}");
    }
    ensure!(!log.contains("passw0rd") && !log.contains("b0guspw"), "a password is in the log file");
    guest.finish()
}
