//! `cargo xtask bench`: how fast the server is, on the virtual PC that mTCP FtpSrv was measured on, beside
//! mTCP's figures, what is to be reached, and what the machine can do without a server.
//!
//! QEMU, ne2k_isa, CPU 486, an IDE disk with FAT16; as fast as the host runs it, and capped at 7.8 MIPS, a
//! fast 386. All that is transferred is compared. `--instructions` and `--profile` count instead.

mod callgrind;
mod figures;
mod ftp;
pub mod instructions;
mod layers;
mod limits;
mod profile;
mod report;
pub mod transfer;
mod workload;

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::disk::{Fat, Layout, Maker};
use crate::e2e::Stage;
use crate::e2e::guest::{Guest, Setup};
use crate::emulator::Speed;
use crate::{image, setup};
use figures::{Figures, Known, Target};
use report::Section;
use transfer::Transfer;

const DISK: Layout =
    Layout { fat: Fat::Fat16, megabytes: 200, partitioned: true, maker: Maker::Mkfs };
/// MTCP.CFG: the best settings, as mTCP was measured with its own.
const CONFIG: &str = "HOSTNAME ftpsrv\r\nFTPSRV_PASSWORD_FILE A:\\FTPPASS.TXT\r\n\
    FTPSRV_CLIENTS 10\r\nFTPSRV_FILEBUFFER_SIZE 16\r\nFTPSRV_TCPBUFFER_SIZE 16\r\n";
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
    /// Only the PC of this speed
    #[arg(long, value_enum, value_name = "SPEED")]
    only: Option<Only>,
    /// Count the instructions that a byte takes, on simulated hardware, instead
    #[arg(long)]
    instructions: bool,
    /// Count the instructions that the kernel itself carries out in QEMU, instead
    #[arg(long, value_name = "VERB", value_parser = ["RETR", "STOR", "LIST", "login", profile::ALL], num_args = 0..=1, default_missing_value = profile::ALL)]
    profile: Option<String>,
    /// With --instructions and --profile: show so many functions that take most
    #[arg(long, value_name = "N", default_value_t = 0)]
    top: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// As fast as the host runs it
    Uncapped,
    /// 7.8 MIPS
    Capped,
}

/// A speed of the PC, and what is measured at it.
struct Pace {
    only: Only,
    title: &'static str,
    speed: Speed,
    /// The PC's clock goes by its instructions, so that it tells more than ours where the host is busy.
    has_steady_clock: bool,
    /// How often in a run a file of 8 MB is moved each way; the median is the run's value.
    passes: u32,
    known: &'static [Known],
    /// The share of the raw TCP rates that is to be reached.
    of_limit: Option<f64>,
}

use Target::{AtLeast, Within};

/// mTCP's figures are its medians on this virtual PC with its best settings.
const PACES: [Pace; 2] = [
    Pace {
        only: Only::Uncapped,
        title: "uncapped",
        speed: Speed::Full,
        has_steady_clock: false,
        passes: 3,
        known: &[
            ("RETR 8 MB", Some(2.14), Some(AtLeast(15.0))),
            ("STOR 8 MB", Some(2.58), Some(AtLeast(15.0))),
            ("LIST of 200 files", Some(80.0), Some(Within(10.0))),
            ("login", Some(219.0), None),
            ("boot to READY", Some(2.3), Some(Within(2.5))),
            ("lftp's mirror of 200 files", Some(5.5), Some(Within(1.0))),
            ("RETR, 4 clients in sum", Some(1.7), None),
            ("STOR, 4 clients in sum", Some(1.7), None),
            ("RETR, 10 clients of one", None, Some(AtLeast(0.9))),
            ("STOR, 10 clients of one", None, Some(AtLeast(0.9))),
            ("RETR, 10 clients, slowest of fastest", None, Some(AtLeast(0.5))),
            ("STOR, 10 clients, slowest of fastest", None, Some(AtLeast(0.5))),
        ],
        of_limit: Some(0.7),
    },
    Pace {
        only: Only::Capped,
        title: "capped at 7.8 MIPS",
        speed: Speed::Shift(7),
        has_steady_clock: true,
        passes: 1,
        known: &[
            ("RETR 8 MB", Some(1.09), Some(AtLeast(2.7))),
            ("STOR 8 MB", Some(0.95), Some(AtLeast(2.4))),
            ("RETR 8 MB by the PC's clock", None, Some(AtLeast(2.7))),
            ("STOR 8 MB by the PC's clock", None, Some(AtLeast(2.4))),
            ("LIST of 200 files", Some(211.0), Some(Within(40.0))),
            ("login", None, Some(Within(10.0))),
            ("RETR, 4 clients in sum", Some(0.96), None),
            ("STOR, 4 clients in sum", Some(0.80), None),
            ("RETR, 4 clients of one", None, Some(AtLeast(0.95))),
            ("STOR, 4 clients of one", None, Some(AtLeast(0.95))),
        ],
        of_limit: None,
    },
];

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
        setup::programs(setup::TEST_TOOLS)?;
        let server = Stage::set(&image::build_kernel()?, "bench")?;
        let limits = limits::stage()?;
        let mut sections = Vec::new();
        for pace in PACES.iter().filter(|pace| self.only.is_none_or(|only| only == pace.only)) {
            eprintln!("measuring {} ...", pace.title);
            sections.push(measure(&server, &limits, pace, self.runs)?);
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

    fn show(&self, transfers: &[Transfer], ceiling: Option<transfer::Ceiling>) -> Result<()> {
        print!("{}", transfer::table(transfers, ceiling, self.top));
        if let Some(file) = &self.json {
            fs::write(file, format!("{:#}\n", transfer::json(transfers)))?;
        }
        Ok(())
    }
}

fn measure(server: &Stage, limits: &Stage, pace: &Pace, runs: u32) -> Result<Section> {
    let mut figures = Figures::new(pace.known);
    let mut loads = vec![load()];
    for _ in 0..runs {
        workload::boot(server, pace, &mut figures)?;
    }
    // One PC at a time has something to do, the slow one too: its devices and its network are threads of the host's
    // as well, and it waits for them.
    let setup = Setup { speed: pace.speed, config: CONFIG.into(), ..Setup::with_disks(&[DISK])? };
    let guest = Guest::boot(server, pace.title, &setup, workload::fill)?;
    for run in 0..runs {
        limits::measure(limits, pace, &mut figures)?;
        workload::one_client(&guest, pace, &mut figures)?;
        shares(pace, &mut figures);
        for clients in [4, 10] {
            workload::together(&guest, clients, &mut figures)?;
        }
        loads.push(load());
        eprintln!("run {} done, load {:.1}", run + 1, load());
    }
    guest.finish()?;
    Ok(Section { title: pace.title.into(), figures: figures.rows, loads })
}

/// What of the machine's raw rates the server reached in this run.
fn shares(pace: &Pace, figures: &mut Figures) {
    for (ours, limit, name) in [
        ("RETR 8 MB", limits::SOURCE, "RETR of the raw TCP source"),
        ("STOR 8 MB", limits::SINK, "STOR of the raw TCP sink"),
    ] {
        if let (Some(ours), Some(limit)) = (figures.last(ours), figures.last(limit)) {
            figures.add(name, "", ours / limit);
        }
        if let Some(row) = figures.rows.iter_mut().find(|row| row.name == name) {
            row.target = pace.of_limit.map(AtLeast);
        }
    }
}

/// How many programs wanted the host's processors in the last minute; NaN where it does not say.
fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}
