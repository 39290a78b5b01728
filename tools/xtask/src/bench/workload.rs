//! What is done with the server, and timed at the client.

use std::cell::Cell;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::figures::{Figures, median};
use super::ftp::Session;
use super::{DISK, PASSWORD, Pace, USER};
use crate::disk::Volume;
use crate::e2e::guest::{Guest, Setup};
use crate::e2e::{Stage, clients, files};

/// Bytes of the file that each client transfers, also where several do so at once.
pub const BIG: usize = 8 * 1024 * 1024;
/// Small files up and down.
const SMALL_FILES: usize = 500;
/// Files that lftp mirrors.
const MIRRORED: usize = 200;
/// How often in a run what takes milliseconds is done; its median is the run's value.
const REPEATS: usize = 9;
/// For the server's log to say what it was asked for.
const LOG_LIMIT: Duration = Duration::from_secs(20);

/// Puts the files on a disk that are downloaded and listed.
pub fn fill(disks: &[Volume], dir: &std::path::Path) -> Result<()> {
    let disk = disks.first().context("no disk")?;
    disk.mkdir(&["/PUB", "/PUB/INCOMING", "/INCOMING", "/SMALL", "/MANY"])?;
    disk.write("/BIG.BIN", &files::bytes(BIG, 1))?;
    disk.write("/SHARE.BIN", &files::bytes(BIG, 2))?;
    for (name, count, size) in [("L200", 200, 0), ("L2000", 2000, 0), ("MIRROR", MIRRORED, 1024)] {
        let list = dir.join(name);
        std::fs::create_dir(&list)?;
        for index in 0..count {
            std::fs::write(list.join(format!("F{index:04}.DAT")), vec![index as u8; size])?;
        }
        disk.put(&[list], "/")?;
    }
    Ok(())
}

/// How long the PC takes from the start to READY.
pub fn boot(stage: &Stage, pace: &Pace, figures: &mut Figures) -> Result<()> {
    let setup = Setup { speed: pace.speed, ..Setup::with_disks(&[DISK])? };
    let guest = Guest::start(stage, "boot", &setup, |_, _| Ok(()))?;
    let ready = |line: &str| line.starts_with(crate::run::READY);
    let took = guest.expect("READY", ready, Duration::from_secs(40))?;
    figures.add("boot to READY", "s", took.as_secs_f64());
    guest.finish()
}

/// All that one client does.
pub fn one_client(guest: &Guest, pace: &Pace, figures: &mut Figures) -> Result<()> {
    let mut logins = Vec::new();
    for _ in 0..REPEATS {
        let start = Instant::now();
        let mut session = Session::log_in(guest.port, USER, PASSWORD)?;
        logins.push(milliseconds(start));
        session.command("QUIT", 221)?;
    }
    figures.add("login", "ms", median(&logins));
    let mut session = Session::open(guest.port, USER, PASSWORD)?;
    figures.add("NOOP", "ms", times(REPEATS, || session.command("NOOP", 200))?);
    session.command("CWD /drive_c", 250)?;
    big_file(guest, &mut session, pace, figures)?;
    for count in [200, 2000] {
        for list in ["LIST", "NLST", "MLSD"] {
            let repeats = if count > 200 { 3 } else { REPEATS };
            let ms = times(repeats, || {
                let text = session.download(&format!("{list} /drive_c/L{count}"))?;
                let files = String::from_utf8_lossy(&text).matches(".DAT").count();
                ensure!(files == count, "{list} of {count} files shows {files}");
                Ok(())
            })?;
            figures.add(&format!("{list} of {count} files"), "ms", ms);
        }
    }
    small_files(&mut session, figures)?;
    session.command("QUIT", 221)?;
    mirror(guest, figures)
}

/// The median of several goes, milliseconds.
fn times<T>(repeats: usize, mut act: impl FnMut() -> Result<T>) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..repeats {
        let start = Instant::now();
        act()?;
        times.push(milliseconds(start));
    }
    Ok(median(&times))
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// Megabytes a second since `start`.
pub fn rate(bytes: usize, start: Instant) -> f64 {
    bytes as f64 / 1e6 / start.elapsed().as_secs_f64()
}

fn big_file(
    guest: &Guest,
    session: &mut Session,
    pace: &Pace,
    figures: &mut Figures,
) -> Result<()> {
    let big = files::bytes(BIG, 1);
    let mut got = vec![0xFF; BIG];
    let (mut down, mut up, mut down_noted, mut up_noted) = (vec![], vec![], vec![], vec![]);
    for _ in 0..pace.passes {
        got.fill(0xFF);
        let start = Instant::now();
        let length = session.download_into("RETR BIG.BIN", &mut got)?;
        down.push(rate(BIG, start));
        ensure!(length == BIG && got == big, "BIG.BIN came down different");
        if pace.has_steady_clock {
            down_noted.push(noted(guest, "BIG.BIN")?);
        }
        let start = Instant::now();
        session.upload("UP.BIN", &big)?;
        up.push(rate(BIG, start));
        if pace.has_steady_clock {
            up_noted.push(noted(guest, "UP.BIN")?);
        }
        ensure!(session.download("RETR UP.BIN")? == big, "UP.BIN came back different");
        session.command("DELE UP.BIN", 250)?;
    }
    for (name, values) in [
        ("RETR 8 MB", down),
        ("RETR 8 MB by the PC's clock", down_noted),
        ("STOR 8 MB", up),
        ("STOR 8 MB by the PC's clock", up_noted),
    ] {
        if !values.is_empty() {
            figures.add(name, "MB/s", median(&values));
        }
    }
    Ok(())
}

/// What the server's log says of a transfer: `... UP.BIN: 8388608 bytes in 3.1 s, 2642 KB/s`.
fn noted(guest: &Guest, file: &str) -> Result<f64> {
    let kilobytes = Cell::new(0.0);
    let name = format!("/{file}: ");
    let is_it = |line: &str| {
        let said = line.split_once(&name).and_then(|(_, said)| said.strip_suffix(" KB/s"));
        let number = said.and_then(|said| said.rsplit(' ').next()?.parse().ok());
        kilobytes.set(number.unwrap_or(0.0));
        number.is_some()
    };
    guest.expect("line about the transfer", is_it, LOG_LIMIT)?;
    Ok(kilobytes.get() * 1024.0 / 1e6)
}

fn small_files(session: &mut Session, figures: &mut Figures) -> Result<()> {
    session.command("CWD /drive_c/SMALL", 250)?;
    let start = Instant::now();
    for index in 0..SMALL_FILES {
        session.upload(&format!("S{index}.DAT"), &[index as u8; 1024])?;
    }
    let per_second = |start: Instant| SMALL_FILES as f64 / start.elapsed().as_secs_f64();
    figures.add("500 files of 1 KB up", "files/s", per_second(start));
    let start = Instant::now();
    for index in 0..SMALL_FILES {
        let got = session.download(&format!("RETR S{index}.DAT"))?;
        ensure!(got == [index as u8; 1024], "S{index}.DAT came back different");
    }
    figures.add("500 files of 1 KB down", "files/s", per_second(start));
    for index in 0..SMALL_FILES {
        session.command(&format!("DELE S{index}.DAT"), 250)?;
    }
    Ok(())
}

/// lftp, one connection after another, with its start and its end.
fn mirror(guest: &Guest, figures: &mut Figures) -> Result<()> {
    let copy = guest.dir().join("copy");
    let _ = std::fs::remove_dir_all(&copy);
    let start = Instant::now();
    clients::lftp(guest, "mirror /drive_c/MIRROR copy")?;
    figures.add("lftp's mirror of 200 files", "s", start.elapsed().as_secs_f64());
    for index in 0..MIRRORED {
        let bytes = std::fs::read(copy.join(format!("F{index:04}.DAT")))?;
        ensure!(bytes == [index as u8; 1024], "F{index:04}.DAT was mirrored different");
    }
    Ok(())
}

/// Several clients transfer at once: their sum, against one client's rate, and the slowest against the
/// fastest.
pub fn together(guest: &Guest, clients: usize, figures: &mut Figures) -> Result<()> {
    let file = files::bytes(BIG, 2);
    for verb in ["RETR", "STOR"] {
        // One after another: QEMU's NAT lets one connection wait at a port, and loses others.
        let mut sessions = Vec::new();
        for _ in 0..clients {
            let mut session = Session::open(guest.port, USER, PASSWORD)?;
            session.command("CWD /drive_c/MANY", 250)?;
            sessions.push(session);
        }
        let begin = Barrier::new(clients);
        let one = |index: usize, session: &mut Session| -> Result<(Instant, Instant)> {
            if verb == "STOR" {
                begin.wait();
                let start = Instant::now();
                session.upload(&format!("C{index}.BIN"), &file)?;
                return Ok((start, Instant::now()));
            }
            let mut got = vec![0xFF; BIG];
            begin.wait();
            let start = Instant::now();
            let length = session.download_into("RETR /drive_c/SHARE.BIN", &mut got)?;
            let span = (start, Instant::now());
            ensure!(length == BIG && got == file, "it came different");
            Ok(span)
        };
        let spans = std::thread::scope(|scope| {
            let one = &one;
            let each = sessions.iter_mut().enumerate();
            let threads: Vec<_> =
                each.map(|(index, session)| scope.spawn(move || one(index, session))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<_>>| {
                thread.join().unwrap_or_else(|_| Err(anyhow!("a client's thread panicked")))
            };
            threads.into_iter().map(join).collect::<Result<Vec<(Instant, Instant)>>>()
        })?;
        if verb == "STOR" {
            for (index, session) in sessions.iter_mut().enumerate() {
                ensure!(
                    session.download(&format!("RETR C{index}.BIN"))? == file,
                    "C{index} differs"
                );
                session.command(&format!("DELE C{index}.BIN"), 250)?;
            }
        }
        for mut session in sessions {
            session.command("QUIT", 221)?;
        }
        note_together(verb, clients, &spans, figures)?;
    }
    Ok(())
}

fn note_together(
    verb: &str,
    clients: usize,
    spans: &[(Instant, Instant)],
    figures: &mut Figures,
) -> Result<()> {
    let seconds = |(start, end): &(Instant, Instant)| end.duration_since(*start).as_secs_f64();
    let first = spans.iter().map(|span| span.0).min().context("no client")?;
    let last = spans.iter().map(|span| span.1).max().context("no client")?;
    let least = spans.iter().map(seconds).fold(f64::MAX, f64::min);
    let most = spans.iter().map(seconds).fold(0.0, f64::max);
    let sum = (BIG * clients) as f64 / 1e6 / last.duration_since(first).as_secs_f64();
    figures.add(&format!("{verb}, {clients} clients in sum"), "MB/s", sum);
    let alone = figures.last(&format!("{verb} 8 MB")).context("one client's rate")?;
    figures.add(&format!("{verb}, {clients} clients of one"), "", sum / alone);
    figures.add(&format!("{verb}, {clients} clients, slowest of fastest"), "", least / most);
    Ok(())
}
