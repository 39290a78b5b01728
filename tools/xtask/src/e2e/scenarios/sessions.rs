//! What sessions do to one another: many at once, and ones that vanish.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

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
        Scenario::new("a cable pulled in the middle of an upload", pulled),
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

/// A client in an upload and an idle one, who are there no more from one moment to the next.
fn pulled(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    let mut uploading = Session::login(&guest)?;
    let _idle = Session::login(&guest)?;
    let mut data = uploading.upload("/drive_c/part.bin")?;
    data.write_all(&files::bytes(100_000, 3))?;
    thread::sleep(Duration::from_secs(3));
    let link = |up: bool| guest.qmp()?.command("set_link", json!({ "name": "net0", "up": up }));
    link(false)?;
    let start = Instant::now();
    // With seconds to spare for a loaded machine.
    for (what, seconds) in [("broken off", 25), ("disconnected", 35), ("disconnected", 55)] {
        let limit = Duration::from_secs(seconds).saturating_sub(start.elapsed());
        guest.expect(what, |line| line.contains(what), limit)?;
    }
    link(true)?;
    let size = curl(&guest, &["-I", &url(&guest, "/drive_c/part.bin")])?;
    ensure!(size.contains("Content-Length: 100000"), "what was stored is told as {size:?}");
    guest.finish()
}

/// A session by hand: it does nothing unless told.
struct Session {
    control: BufReader<TcpStream>,
}

impl Session {
    fn login(guest: &Guest) -> Result<Session> {
        let stream = TcpStream::connect(("127.0.0.1", guest.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut session = Session { control: BufReader::new(stream) };
        session.reply("220")?;
        session.command(&format!("USER {USER}"), "331")?;
        session.command(&format!("PASS {PASSWORD}"), "230")?;
        session.command("TYPE I", "200")?;
        Ok(session)
    }

    fn reply(&mut self, code: &str) -> Result<String> {
        let mut line = String::new();
        self.control.read_line(&mut line)?;
        ensure!(line.starts_with(code), "{line:?} instead of {code}");
        Ok(line)
    }

    fn command(&mut self, command: &str, code: &str) -> Result<String> {
        self.control.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        self.reply(code)
    }

    /// An upload's data connection.
    fn upload(&mut self, path: &str) -> Result<TcpStream> {
        let reply = self.command("EPSV", "229")?;
        let port = reply.split('|').nth(3).context("no port")?.parse::<u16>()?;
        let data = TcpStream::connect(("127.0.0.1", port))?;
        self.command(&format!("STOR {path}"), "150")?;
        Ok(data)
    }
}

fn parallel(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    python(&guest, "parallel.py", &["/drive_c", "10", "1000000"])?;
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
