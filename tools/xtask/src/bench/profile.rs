//! The instructions that the kernel itself carries out for a file, a list, or a login, every one counted: QEMU steps
//! through them and names each address in its log, which goes through a pipe.
//!
//! The PC's clock counts instructions too (`-icount`), so that the stepping, which takes some ten
//! seconds a megabyte, is no time to the guest.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::json;

use super::ftp::Session;
use super::layers::{Counts, Profile};
use super::transfer::Transfer;
use super::{CONFIG, DISK, PASSWORD, USER};
use crate::e2e::guest::{Guest, Setup};
use crate::e2e::{Stage, files};
use crate::emulator::Speed;
use crate::qmp::Qmp;
use crate::{image, process, setup};

/// Bytes of the file.
const LENGTH: usize = 512 * 1024;
/// Asks for all of [`VERBS`].
pub const ALL: &str = "all";
/// How long the server looks through a volume after the start, at the very most.
const SURVEY: Duration = Duration::from_secs(3);

/// What can be counted. RETR and STOR are counted by the byte, the others as a whole.
pub const VERBS: [&str; 4] = ["RETR", "STOR", "LIST", "login"];
/// Files that LIST shows.
const LISTED: usize = 200;

/// Counts one of [`VERBS`], or all of them.
pub fn count(verb: &str) -> Result<Vec<Transfer>> {
    setup::programs(&[setup::QEMU])?;
    setup::programs(setup::DISK_TOOLS)?;
    let stage = Stage::set(&image::build_kernel()?, "profile")?;
    let verbs = VERBS.into_iter().filter(|one| verb == ALL || *one == verb);
    verbs.map(|verb| measure(&stage, verb)).collect()
}

fn measure(stage: &Stage, verb: &'static str) -> Result<Transfer> {
    // The guest's seconds pass fast while nothing is counted.
    let config = format!("{CONFIG}FTPSRV_SESSION_TIMEOUT 7200\r\n");
    let setup = Setup { speed: Speed::Stepped(7), config, ..Setup::with_disks(&[DISK])? };
    let bytes = files::bytes(LENGTH, 1);
    let guest = Guest::boot(stage, verb, &setup, |disks, dir| {
        let disk = disks.first().context("no disk")?;
        let list = dir.join("LIST");
        std::fs::create_dir(&list)?;
        for index in 0..LISTED {
            std::fs::write(list.join(format!("F{index:04}.DAT")), [])?;
        }
        disk.put(&[list], "/")?;
        disk.write("/DOWN.BIN", &bytes)
    })?;
    // The server looks its volumes through first, which is no transfer's work.
    std::thread::sleep(SURVEY);
    let mut session = Session::open(guest.port, USER, PASSWORD)?;
    session.command("CWD /drive_c", 250)?;
    let mut qmp = guest.qmp()?;
    let steps = Steps::begin(&mut qmp, guest.dir()).context("QEMU's log of steps")?;
    match verb {
        "RETR" => ensure!(session.download("RETR DOWN.BIN")? == bytes, "it came down different"),
        "STOR" => session.upload("UP.BIN", &bytes)?,
        "LIST" => drop(session.download("LIST LIST")?),
        _ => drop(Session::log_in(guest.port, USER, PASSWORD)?),
    }
    let steps = steps.end(&mut qmp)?;
    if verb == "STOR" {
        ensure!(session.download("RETR UP.BIN")? == bytes, "UP.BIN came back different");
    }
    // QEMU keeps the log open for as long as it runs.
    guest.finish()?;
    let profile = steps.join().map_err(|_| anyhow!("the log's reader panicked"))??;
    let counts = Counts::of(&stage.kernel.elf, &profile)?;
    let bytes = if matches!(verb, "RETR" | "STOR") { LENGTH as u64 } else { 1 };
    Ok(Transfer { verb, bytes, turns: None, counts })
}

/// QEMU's log of single steps, while it runs.
struct Steps(JoinHandle<Result<Profile>>);

impl Steps {
    fn begin(qmp: &mut Qmp, dir: &Path) -> Result<Steps> {
        let pipe = dir.join("steps");
        process::run(process::command("mkfifo").arg(&pipe))?;
        let reading = pipe.clone();
        let reader = std::thread::spawn(move || read(BufReader::new(File::open(reading)?)));
        qmp.command("stop", json!({}))?;
        monitor(qmp, &format!("logfile {}", pipe.display()))?;
        // Its name from QEMU 8.1 on, and before.
        if monitor(qmp, "one-insn-per-tb on").is_err() {
            monitor(qmp, "singlestep on")?;
        }
        monitor(qmp, "log exec,nochain")?;
        qmp.command("cont", json!({}))?;
        Ok(Steps(reader))
    }

    /// Stops counting. The profile is complete when QEMU has ended.
    fn end(self, qmp: &mut Qmp) -> Result<JoinHandle<Result<Profile>>> {
        qmp.command("stop", json!({}))?;
        monitor(qmp, "log none")?;
        if monitor(qmp, "one-insn-per-tb off").is_err() {
            monitor(qmp, "singlestep off")?;
        }
        qmp.command("cont", json!({}))?;
        Ok(self.0)
    }
}

/// A command of QEMU's monitor for people, which has something to say only when it fails.
fn monitor(qmp: &mut Qmp, line: &str) -> Result<()> {
    let said = qmp.command("human-monitor-command", json!({ "command-line": line }))?;
    match said.as_str() {
        None | Some("") => Ok(()),
        Some(said) => bail!("{line}: {said}"),
    }
}

fn read(mut log: impl BufRead) -> Result<Profile> {
    let mut profile = Profile::new();
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line)? > 0 {
        if let Some((address, taken_back)) = step(&String::from_utf8_lossy(&line)) {
            let count = profile.entry(address).or_default();
            *count = if taken_back { count.saturating_sub(1) } else { *count + 1 };
        }
        line.clear();
    }
    Ok(profile)
}

/// `Trace 0: 0x7f.. [00000000/00008123/00000040/ff000201] name`: the instruction at 8123h is about to be
/// carried out. `Stopped execution of TB chain before 0x7f.. [00008123] name`: it was not.
fn step(line: &str) -> Option<(u64, bool)> {
    let (before, rest) = line.split_once('[')?;
    let (inside, _) = rest.split_once(']')?;
    let mut words = inside.split('/');
    let stopped = before.starts_with("Stopped");
    if !stopped && !before.starts_with("Trace") {
        return None;
    }
    let word = if stopped { words.next() } else { words.nth(1) };
    Some((u64::from_str_radix(word?, 16).ok()?, stopped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_and_those_not_taken_taken_back() {
        let log = "Trace 0: 0x7f1 [00000000/00008123/00000040/ff000201] \n\
            Trace 0: 0x7f1 [00000000/00008123/00000040/ff000201] \n\
            Trace 0: 0x7f2 [00000000/00008125/00000040/ff000201] \n\
            Stopped execution of TB chain before 0x7f2 [00008125] \nint 8\n";
        let profile = read(log.as_bytes()).expect("a log");
        assert_eq!(profile, Profile::from([(0x8123, 2), (0x8125, 0)]));
    }
}
