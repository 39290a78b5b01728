//! `cargo xtask bench`: how fast the server is, on the virtual PC that mTCP FtpSrv was measured on.
//!
//! QEMU, ne2k_isa, CPU 486, an IDE disk with FAT16; as fast as the host runs it, and capped at 7.8 MIPS, a
//! fast 386. Every download is compared with what was uploaded.

mod callgrind;
mod ftp;
pub mod instructions;
mod layers;
mod profile;
mod report;
pub mod transfer;

use std::fs;
use std::path::PathBuf;
use std::sync::Barrier;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::disk::{Fat, Layout, Maker};
use crate::e2e::guest::{Guest, Setup};
use crate::e2e::{Stage, files};
use crate::emulator::Speed;
use crate::{image, setup};
use ftp::Session;
use report::{Figure, Section};
use transfer::Transfer;

const DISK: Layout =
    Layout { fat: Fat::Fat16, megabytes: 200, partitioned: true, maker: Maker::Mkfs };
/// MTCP.CFG: the best settings, as mTCP was measured with its own.
const CONFIG: &str = "HOSTNAME ftpsrv\r\nFTPSRV_PASSWORD_FILE A:\\FTPPASS.TXT\r\n\
    FTPSRV_CLIENTS 10\r\nFTPSRV_FILEBUFFER_SIZE 16\r\nFTPSRV_TCPBUFFER_SIZE 16\r\n";
const BIG: usize = 8 * 1024 * 1024;
const SMALL_FILES: usize = 500;
const USER: &str = "brutman";
const PASSWORD: &str = "passw0rd";

/// Measure the server's speed
#[derive(Args)]
pub struct Options {
    /// Where all figures go as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where a chart beside mTCP's figures goes
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// Times that each thing is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Count the instructions that a byte takes, on simulated hardware, instead
    #[arg(long)]
    instructions: bool,
    /// Count the instructions that the kernel itself carries out in QEMU for a byte, instead
    #[arg(long, value_name = "VERB", value_parser = ["RETR", "STOR", "both"], num_args = 0..=1, default_missing_value = "both")]
    profile: Option<String>,
    /// With --instructions and --profile: show so many functions that take most
    #[arg(long, value_name = "N", default_value_t = 0)]
    top: usize,
}

impl Options {
    /// Measures, prints, writes.
    pub fn run(&self) -> Result<()> {
        if self.instructions {
            let transfers = instructions::count()?;
            self.show(&transfers, Some(instructions::ceiling))?;
            return instructions::check(&transfers);
        }
        if let Some(verb) = &self.profile {
            return self.show(&profile::count(verb)?, None);
        }
        setup::programs(&[setup::QEMU])?;
        setup::programs(setup::DISK_TOOLS)?;
        let stage = Stage::set(&image::build_kernel()?, "bench")?;
        let speeds = [
            ("uncapped", Speed::Full, &UNCAPPED_MTCP),
            ("capped at 7.8 MIPS", Speed::Shift(7), &CAPPED_MTCP),
        ];
        let mut sections = Vec::new();
        for (title, speed, mtcp) in speeds {
            eprintln!("measuring {title} ...");
            let figures = measure(&stage, title, speed, mtcp, self.runs)?;
            sections.push(Section { title: title.into(), figures });
        }
        print!("{}", report::table(&sections));
        if let Some(file) = &self.json {
            fs::write(file, format!("{:#}\n", report::json(&sections)))?;
        }
        if let Some(file) = &self.chart {
            fs::write(file, report::chart(&sections))?;
        }
        Ok(())
    }
}

impl Options {
    fn show(&self, transfers: &[Transfer], ceiling: Option<transfer::Ceiling>) -> Result<()> {
        print!("{}", transfer::table(transfers, ceiling, self.top));
        if let Some(file) = &self.json {
            fs::write(file, format!("{:#}\n", transfer::json(transfers)))?;
        }
        Ok(())
    }
}

/// mTCP FtpSrv's medians on this virtual PC with its best settings.
struct Mtcp {
    retr: f64,
    stor: f64,
    list_200_ms: f64,
    four_retr: f64,
    four_stor: f64,
    login_ms: Option<f64>,
}

const UNCAPPED_MTCP: Mtcp = Mtcp {
    retr: 2.14,
    stor: 2.58,
    list_200_ms: 80.0,
    four_retr: 1.7,
    four_stor: 1.7,
    login_ms: Some(219.0),
};
const CAPPED_MTCP: Mtcp = Mtcp {
    retr: 1.09,
    stor: 0.95,
    list_200_ms: 211.0,
    four_retr: 0.96,
    four_stor: 0.80,
    login_ms: None,
};

/// Figures in the order in which they were first taken.
#[derive(Default)]
struct Figures(Vec<Figure>);

impl Figures {
    fn add(&mut self, name: &str, unit: &'static str, value: f64, mtcp: Option<f64>) {
        match self.0.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => figure.values.push(value),
            None => {
                let values = vec![value];
                self.0.push(Figure { name: name.into(), unit, values, mtcp });
            }
        }
    }
}

fn measure(stage: &Stage, name: &str, speed: Speed, mtcp: &Mtcp, runs: u32) -> Result<Vec<Figure>> {
    let setup = Setup { speed, config: CONFIG.into(), ..Setup::with_disks(&[DISK])? };
    let big = files::bytes(BIG, 1);
    let guest = Guest::boot(stage, name, &setup, |disks, dir| {
        let disk = disks.first().context("no disk")?;
        disk.mkdir(&["/PUB", "/PUB/INCOMING", "/INCOMING", "/SMALL", "/MANY"])?;
        disk.write("/BIG.BIN", &big)?;
        for count in [200, 2000] {
            let list = dir.join(format!("L{count}"));
            fs::create_dir(&list)?;
            for index in 0..count {
                fs::write(list.join(format!("F{index:04}.DAT")), [])?;
            }
            disk.put(&[list], "/")?;
        }
        Ok(())
    })?;
    let mut figures = Figures::default();
    for _ in 0..runs {
        one_client(&guest, &big, mtcp, &mut figures)?;
        for clients in [4, 10] {
            together(&guest, &big, clients, mtcp, &mut figures)?;
        }
    }
    guest.finish()?;
    Ok(figures.0)
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn rate(bytes: usize, start: Instant) -> f64 {
    bytes as f64 / 1e6 / start.elapsed().as_secs_f64()
}

fn one_client(guest: &Guest, big: &[u8], mtcp: &Mtcp, figures: &mut Figures) -> Result<()> {
    let start = Instant::now();
    let mut session = Session::open(guest.port, USER, PASSWORD)?;
    figures.add("login", "ms", milliseconds(start), mtcp.login_ms);
    let start = Instant::now();
    session.command("NOOP", 200)?;
    figures.add("NOOP", "ms", milliseconds(start), None);
    session.command("CWD /drive_c", 250)?;
    let start = Instant::now();
    let got = session.download("RETR BIG.BIN")?;
    figures.add("RETR 8 MB", "MB/s", rate(BIG, start), Some(mtcp.retr));
    ensure!(got == big, "BIG.BIN came down different");
    let start = Instant::now();
    session.upload("UP.BIN", big)?;
    figures.add("STOR 8 MB", "MB/s", rate(BIG, start), Some(mtcp.stor));
    ensure!(session.download("RETR UP.BIN")? == big, "UP.BIN came back different");
    session.command("DELE UP.BIN", 250)?;
    for count in [200, 2000] {
        for list in ["LIST", "NLST", "MLSD"] {
            let start = Instant::now();
            let text = session.download(&format!("{list} /drive_c/L{count}"))?;
            let known = (list == "LIST" && count == 200).then_some(mtcp.list_200_ms);
            figures.add(&format!("{list} of {count} files"), "ms", milliseconds(start), known);
            let files = String::from_utf8_lossy(&text).matches(".DAT").count();
            ensure!(files == count, "{list} of {count} files shows {files}");
        }
    }
    small_files(&mut session, figures)?;
    session.command("QUIT", 221)?;
    Ok(())
}

fn small_files(session: &mut Session, figures: &mut Figures) -> Result<()> {
    session.command("CWD /drive_c/SMALL", 250)?;
    let start = Instant::now();
    for index in 0..SMALL_FILES {
        session.upload(&format!("S{index}.DAT"), &[index as u8; 1024])?;
    }
    let per_second = |start: Instant| SMALL_FILES as f64 / start.elapsed().as_secs_f64();
    figures.add("500 files of 1 KB up", "files/s", per_second(start), None);
    let start = Instant::now();
    for index in 0..SMALL_FILES {
        let got = session.download(&format!("RETR S{index}.DAT"))?;
        ensure!(got == [index as u8; 1024], "S{index}.DAT came back different");
    }
    figures.add("500 files of 1 KB down", "files/s", per_second(start), None);
    for index in 0..SMALL_FILES {
        session.command(&format!("DELE S{index}.DAT"), 250)?;
    }
    Ok(())
}

/// Several clients transfer at once: their sum, and the slowest against the fastest.
fn together(
    guest: &Guest,
    big: &[u8],
    clients: usize,
    mtcp: &Mtcp,
    figures: &mut Figures,
) -> Result<()> {
    let port = guest.port;
    let known = |value| (clients == 4).then_some(value);
    for (verb, mtcp) in [("RETR", known(mtcp.four_retr)), ("STOR", known(mtcp.four_stor))] {
        let begin = Barrier::new(clients);
        let one = |index: usize| -> Result<f64> {
            let session = Session::open(port, USER, PASSWORD);
            begin.wait();
            let mut session = session?;
            session.command("CWD /drive_c/MANY", 250)?;
            let start = Instant::now();
            if verb == "RETR" {
                ensure!(
                    session.download("RETR /drive_c/BIG.BIN")? == big,
                    "it came down different"
                );
            } else {
                session.upload(&format!("C{index}.BIN"), big)?;
            }
            let seconds = start.elapsed().as_secs_f64();
            if verb == "STOR" {
                session.command(&format!("DELE C{index}.BIN"), 250)?;
            }
            Ok(seconds)
        };
        let seconds = std::thread::scope(|scope| {
            let one = &one;
            let threads: Vec<_> =
                (0..clients).map(|index| scope.spawn(move || one(index))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<f64>>| {
                thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a client's thread panicked")))
            };
            threads.into_iter().map(join).collect::<Result<Vec<f64>>>()
        })?;
        let (least, most) = seconds
            .iter()
            .fold((f64::MAX, 0.0_f64), |(least, most), &time| (least.min(time), most.max(time)));
        // All began together.
        let sum = (BIG * clients) as f64 / 1e6 / most;
        figures.add(&format!("{verb}, {clients} clients in sum"), "MB/s", sum, mtcp);
        let fairness = format!("{verb}, {clients} clients, slowest of fastest");
        figures.add(&fairness, "", least / most, None);
    }
    Ok(())
}
