//! What sessions do to one another: many at once, and ones that vanish.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::clients::{PASSWORD, USER, client, curl, python, url};
use super::super::guest::{Guest, Setup};
use super::super::{Scenario, Stage, files};
use super::{DISK, directories};
use crate::run::READY;

pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("active mode", active),
        Scenario::new("ten clients, and a 421 for the eleventh", slots),
        Scenario::new("a client killed in the middle of an upload", vanish),
        Scenario::new("ten clients transfer at once", parallel),
        Scenario::new("anonymous stays in its sandbox", anonymous),
        Scenario::new("commands in any split", split),
        Scenario::new("an idle PC rests", rest),
        Scenario::new("Alt-X ends the server, a key restarts it", end),
    ]
}

fn boot(stage: &Stage, name: &str) -> Result<Guest> {
    Guest::boot(stage, name, &Setup::with_disks(&[DISK])?, directories)
}

fn active(stage: &Stage, name: &str) -> Result<()> {
    let mut guest = boot(stage, name)?;
    let file = files::make(guest.dir(), "up.bin", 2_000_003, 2)?;
    let at = url(&guest, "/drive_c/up.bin");
    curl(&guest, &["-P", "-", "-T", "up.bin", &at])?;
    curl(&guest, &["-P", "-", "-o", "down.bin", &at])?;
    curl(&guest, &["-P", "-", "--disable-eprt", "-o", "again.bin", &at])?;
    files::same(&file, &guest.dir().join("down.bin"))?;
    files::same(&file, &guest.dir().join("again.bin"))?;
    guest.switch_off()?;
    guest.same_on_disk("/UP.BIN", &fs::read(file)?)?;
    guest.finish()
}

fn slots(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    python(&guest, "slots.py", &["10"])?;
    guest.finish()
}

fn vanish(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    python(&guest, "vanish.py", &["/drive_c"])?;
    let file = files::make(guest.dir(), "after.bin", 500_000, 4)?;
    let at = url(&guest, "/drive_c/after.bin");
    curl(&guest, &["-T", "after.bin", &at])?;
    curl(&guest, &["-o", "down.bin", &at])?;
    files::same(&file, &guest.dir().join("down.bin"))?;
    guest.finish()
}

fn parallel(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    python(&guest, "parallel.py", &["/drive_c", "10"])?;
    guest.finish()
}

/// With a client logged in that does nothing: under 5 % of a core.
fn rest(stage: &Stage, name: &str) -> Result<()> {
    const SECONDS: f32 = 10.0;
    let guest = boot(stage, name)?;
    let mut idle = TcpStream::connect(("127.0.0.1", guest.port))?;
    idle.write_all(format!("USER {USER}\r\nPASS {PASSWORD}\r\n").as_bytes())?;
    thread::sleep(Duration::from_secs(5));
    let before = guest.cpu_seconds()?;
    thread::sleep(Duration::from_secs_f32(SECONDS));
    if let (Some(before), Some(after)) = (before, guest.cpu_seconds()?) {
        let share = (after - before) / SECONDS;
        ensure!(share < 0.05, "an idle guest uses {:.1} % of a core", share * 100.0);
    }
    guest.finish()
}

/// The real keyboard; and what was stored is there after the restart.
fn end(stage: &Stage, name: &str) -> Result<()> {
    let limit = Duration::from_secs(60);
    let mut guest = boot(stage, name)?;
    let file = files::make(guest.dir(), "up.bin", 1_000_000, 9)?;
    let at = url(&guest, "/drive_c/up.bin");
    curl(&guest, &["-T", "up.bin", &at])?;
    let mut idle = TcpStream::connect(("127.0.0.1", guest.port))?;
    idle.set_read_timeout(Some(limit))?;
    guest.qmp()?.keys(&["alt", "x"])?;
    guest.expect("the end", |line| line.contains("FTPSRV ENDED. All files are closed"), limit)?;
    let mut said = String::new();
    idle.read_to_string(&mut said)?;
    ensure!(
        said.starts_with("220") && said.contains("\r\n421 "),
        "an idle client is told {said:?}"
    );
    guest.qmp()?.keys(&["ret"])?;
    guest.expect("a second start", |line| line.starts_with(READY), limit)?;
    curl(&guest, &["-o", "down.bin", &at])?;
    files::same(&file, &guest.dir().join("down.bin"))?;
    guest.switch_off()?;
    guest.finish()
}

fn anonymous(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    files::make(guest.dir(), "a.bin", 10_000, 5)?;
    let up = |path: &str| {
        let own = ["-sS", "-m", "30", "-T", "a.bin"].map(str::to_owned);
        client(&guest, "curl")?.args(own).args([url(&guest, path)]).run_any()
    };
    ensure!(up("/incoming/a.bin")?.0, "anonymous may upload to /incoming");
    ensure!(!up("/a.bin")?.0, "anonymous uploaded beside /incoming");
    ensure!(!up("/incoming/..%2fb.bin")?.0, "anonymous climbed out of /incoming");
    let listed =
        client(&guest, "curl")?.args(["-sS", "-m", "30", &url(&guest, "/../../")]).run()?;
    let listed = listed.to_uppercase();
    ensure!(listed.contains("INCOMING") && !listed.contains("DRIVE_"), "/ lists {listed:?}");
    guest.finish()
}

fn split(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    python(&guest, "split.py", &[])?;
    ensure!(curl(&guest, &[&url(&guest, "/drive_c/")])?.contains("PUB"), "{USER} {PASSWORD}");
    guest.finish()
}
