//! `cargo xtask run`: the server on an emulated PC, with its FTP port on this machine's loopback.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::emulator::{Adapter, Com1, Display, Emulator, Machine, Network, Pc, Speed, UserNetwork};
use crate::process::Running;
use crate::serial::Serial;
use crate::{disk, image, mtcp_cfg, setup, slip, workspace};

/// The guest's line that says it accepts connections.
pub const READY: &str = "FTPSRV READY ";
/// How long a boot may take before we say that something is wrong (we go on waiting).
const PATIENCE: Duration = Duration::from_secs(60);

/// Boot the server in an emulator with a sample hard disk
#[derive(Args)]
pub struct Options {
    /// No window and no terminal control; stays in the foreground
    #[arg(long)]
    headless: bool,
    #[arg(long, value_enum, default_value = "qemu")]
    emulator: Emulator,
    #[arg(long, value_enum, default_value = "pc")]
    machine: Machine,
    #[arg(long, value_name = "NAME", default_value = "486")]
    cpu: String,
    /// Display adapter: QEMU has vga and none, DOSBox and DOSBox-X all but none
    #[arg(long, value_enum, default_value = "vga")]
    adapter: Adapter,
    /// Megabytes
    #[arg(long, value_name = "MB", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=3584))]
    memory: u32,
    /// Network card: ne2k_isa, ne2k_pci, rtl8139, pcnet, ..., or none
    #[arg(long, value_name = "NAME", default_value = "ne2k_isa")]
    nic: String,
    /// The emulator's own network back end instead of its user network
    #[arg(long, value_name = "SPEC")]
    netdev: Option<String>,
    /// Raw disk image, used and written in place; repeatable [default: a sample disk, made once]
    #[arg(long, value_name = "FILE")]
    hdd: Vec<PathBuf>,
    /// A boot floppy made earlier, instead of a fresh one; a copy of it is booted
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "passwords"])]
    floppy: Option<PathBuf>,
    /// Boot from the first --hdd, one of `cargo xtask image --hdd-image`; its MTCP.CFG gets what the
    /// emulator's network needs
    #[arg(long, requires = "hdd", conflicts_with_all = ["floppy", "config", "passwords"])]
    no_floppy: bool,
    /// Put on the floppy as MTCP.CFG
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Put on the floppy as FTPPASS.TXT [default: ftppass.txt of the top level]
    #[arg(long, value_name = "FILE")]
    passwords: Option<PathBuf>,
    /// Port of 127.0.0.1 for FTP
    #[arg(long, value_name = "N", default_value_t = 2121, value_parser = clap::value_parser!(u16).range(1..))]
    control_port: u16,
    /// Ports of 127.0.0.1 for passive data connections
    #[arg(long, value_name = "A-B", default_value = "2122-2185")]
    pasv_ports: PortRange,
    /// full, or mips=N
    #[arg(long, value_name = "SPEED", default_value = "full")]
    speed: Speed,
    /// Where COM1's output is kept
    #[arg(long, value_name = "FILE")]
    serial_log: Option<PathBuf>,
    /// Print the emulator's command line, one argument a line, after making the images
    #[arg(long)]
    dry_run: bool,
}

/// Ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

impl PortRange {
    /// Every port of it.
    pub fn ports(self) -> impl Iterator<Item = u16> {
        self.first..=self.last
    }

    /// What MTCP.CFG must say for the emulator's NAT, whose outside is 127.0.0.1 of this machine.
    pub fn nat_settings(self) -> Vec<(&'static str, String)> {
        let mut settings = self.settings();
        settings.push(("FTPSRV_NAT", "true".into()));
        settings.push(("FTPSRV_EXT_IPADDR", Ipv4Addr::LOCALHOST.to_string()));
        settings
    }

    fn settings(self) -> Vec<(&'static str, String)> {
        let count = u32::from(self.last) - u32::from(self.first) + 1;
        vec![("FTPSRV_PASV_BASE", self.first.to_string()), ("FTPSRV_PASV_PORTS", count.to_string())]
    }
}

impl std::str::FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<PortRange, String> {
        let ends = text.split_once('-').and_then(|(first, last)| {
            Some(PortRange { first: first.parse().ok()?, last: last.parse().ok()? })
        });
        let range = ends
            .filter(|range| range.first <= range.last)
            .ok_or("two ports, the lower one first, as in 2122-2185")?;
        // What FTPSRV_PASV_BASE and FTPSRV_PASV_PORTS take.
        if !(1024..=32_767).contains(&range.first) {
            return Err(format!("the first port is {}: it must be 1024-32767", range.first));
        }
        match range.last - range.first + 1 {
            10..=10_240 => Ok(range),
            count => Err(format!("these are {count} ports: it must be 10-10240 of them")),
        }
    }
}

impl Options {
    /// Does it all; returns when the user ends it.
    pub fn run(&self) -> Result<ExitCode> {
        let clash = self.pasv_ports.ports().any(|port| port == self.control_port);
        ensure!(!clash, "the control port {} is one of the passive ports", self.control_port);
        setup::programs(match self.emulator {
            Emulator::Qemu => &[setup::QEMU],
            Emulator::Dosbox => &[setup::DOSBOX],
            // It is fetched when it is asked for.
            Emulator::DosboxX => &[],
            Emulator::Bochs => setup::BOCHS,
            Emulator::V86 => setup::NODE,
        })?;
        setup::programs(setup::DISK_TOOLS)?;
        let dir = workspace::scratch(&format!("run-{}", self.control_port))?;
        let (pc, users) = self.prepare(&dir)?;
        let emulator = pc.invocation(self.emulator, &dir)?;
        if self.dry_run {
            println!("{}", emulator.program.display());
            emulator.arguments.iter().for_each(|word| println!("{}", word.to_string_lossy()));
            return Ok(ExitCode::SUCCESS);
        }
        ensure!(
            self.nic != "slip" || matches!(self.emulator, Emulator::Dosbox | Emulator::DosboxX),
            "--nic slip goes with --emulator dosbox or dosbox-x"
        );
        self.check_ports()?;
        self.tell_limits();
        let is_output = matches!(emulator.com1, Com1::Output);
        let mut running = Running::start(&emulator.program, |command| {
            command.args(&emulator.arguments).stdin(Stdio::null());
            // The other emulators' own talk is none of the server's.
            command.stdout(if is_output { Stdio::piped() } else { Stdio::null() });
            if !is_output {
                command.stderr(Stdio::null());
            }
        })?;
        // QEMU keeps the log itself.
        let log = pc.serial_log.filter(|_| !is_output).map(File::create).transpose()?;
        let serial = Serial::open(&mut running, emulator.com1, log)?;
        self.attend(running, &serial, &users, pc.display)
    }

    /// What the chosen emulator cannot do.
    fn tell_limits(&self) {
        match self.emulator {
            Emulator::Qemu => (),
            Emulator::Dosbox | Emulator::DosboxX if self.nic == "slip" => (),
            Emulator::DosboxX => {
                eprintln!("DOSBox-X opens its ports on all addresses of this machine")
            }
            Emulator::Dosbox => {
                eprintln!("DOSBox has no network card: `--nic slip` serves over its COM1");
            }
            Emulator::V86 => {
                eprintln!("v86 keeps its disk in memory: what is written is lost at the end")
            }
            Emulator::Bochs => eprintln!(
                "Bochs forwards five ports at most: use active mode (curl -P -). Its screen is VNC's \
                 on port 5900 of this machine"
            ),
        }
    }

    /// Makes the images and describes the PC; also the users to tell of.
    fn prepare(&self, dir: &Path) -> Result<(Pc, Vec<String>)> {
        let (floppy, config, users) = self.make_floppy(dir)?;
        let mut disks = self.hdd.clone();
        if disks.is_empty() {
            let sample = workspace::scratch("")?.join("sample.img");
            disk::sample(&sample)?;
            disks.push(sample);
        }
        for disk in &disks {
            ensure!(disk.is_file(), "no disk image {}", disk.display());
        }
        let display = if self.headless { Display::None } else { self.window()? };
        let serial_log = self.serial_log.as_deref().map(std::path::absolute).transpose()?;
        let pc = Pc {
            machine: self.machine,
            cpu: self.cpu.clone(),
            memory_mb: self.memory,
            nic: self.nic.clone(),
            network: self.network(&config),
            speed: self.speed,
            floppy,
            kernel: None,
            disks,
            scsi: false,
            adapter: self.adapter,
            display,
            serial_log,
            control: None,
        };
        Ok((pc, users))
    }

    /// The window, or why there is none.
    fn window(&self) -> Result<Display> {
        let found = match self.emulator {
            Emulator::Qemu => Display::window(&self.emulator.program()?),
            Emulator::Dosbox | Emulator::DosboxX => {
                Display::session().map(|()| Display::Window("sdl"))
            }
            Emulator::Bochs | Emulator::V86 => Ok(Display::None),
        };
        Ok(found.unwrap_or_else(|why| {
            eprintln!("{why}: going on without a window");
            Display::None
        }))
    }

    fn network(&self, config: &[u8]) -> Network {
        if let Some(spec) = &self.netdev {
            return Network::Custom(spec.clone());
        }
        let port = mtcp_cfg::value(config, "FTPSRV_CONTROL_PORT");
        let port = port.and_then(|port| port.parse().ok()).unwrap_or(21);
        let mut forwards = vec![(self.control_port, port)];
        forwards.extend(self.pasv_ports.ports().map(|port| (port, port)));
        Network::User(UserNetwork { fixed: mtcp_cfg::fixed_address(config), forwards })
    }

    /// The settings that go over what the config says: the passive range, and what a NAT needs where
    /// the emulator is one.
    fn settings(&self) -> Vec<(&'static str, String)> {
        match &self.netdev {
            Some(spec) if !spec.starts_with("user") => self.pasv_ports.settings(),
            _ => self.pasv_ports.nat_settings(),
        }
    }

    /// The config with what the emulator's network needs.
    fn overlay(&self, config: &[u8]) -> Vec<u8> {
        let config = mtcp_cfg::overlay(config, &self.settings());
        mtcp_cfg::defaults(&config, &slip::settings(self.emulator, &self.nic))
    }

    /// The floppy's image, its config and the users on it.
    fn make_floppy(&self, dir: &Path) -> Result<(Option<PathBuf>, Vec<u8>, Vec<String>)> {
        if let (true, Some(disk)) = (self.no_floppy, self.hdd.first()) {
            let (config, users) = self.adopt(&disk::Volume { image: disk.clone(), start: 63 })?;
            return Ok((None, config, users));
        }
        let floppy = dir.join("ftpsrv.img");
        if let Some(given) = &self.floppy {
            fs::copy(given, &floppy).with_context(|| given.display().to_string())?;
            let (config, users) = self.adopt(&disk::Volume { image: floppy.clone(), start: 0 })?;
            return Ok((Some(floppy), config, users));
        }
        let read = |file: &Path| fs::read(file).with_context(|| file.display().to_string());
        let config = match &self.config {
            Some(file) => read(file)?,
            None => mtcp_cfg::SAMPLE.into(),
        };
        let sample = workspace::root().join("ftppass.txt");
        let passwords = read(self.passwords.as_deref().unwrap_or(&sample))?;
        // Mistakes are shown here, and booted all the same: the server's screen says them too.
        if let Err(mistakes) = image::check(&config, &passwords) {
            eprintln!("{mistakes}");
        }
        let config = self.overlay(&config);
        image::floppy(&image::build_kernel()?, &config, &passwords, &floppy)?;
        Ok((Some(floppy), config, image::users(&passwords)))
    }

    /// Puts what the network needs on a volume made earlier.
    fn adopt(&self, volume: &disk::Volume) -> Result<(Vec<u8>, Vec<String>)> {
        // Without MTCP.CFG it is booted as it is: the server says what lacks.
        let Ok(config) = volume.read("/MTCP.CFG") else { return Ok((Vec::new(), Vec::new())) };
        let config = self.overlay(&config);
        volume.write("/MTCP.CFG", &config)?;
        let passwords = volume.read("/FTPPASS.TXT").unwrap_or_default();
        Ok((config, image::users(&passwords)))
    }

    fn check_ports(&self) -> Result<()> {
        if self.netdev.is_some() || self.nic == "none" {
            return Ok(());
        }
        for port in self.pasv_ports.ports().chain([self.control_port]) {
            if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                bail!(
                    "port {port} of 127.0.0.1: {error}\n\
                     Is another `cargo xtask run` going? --control-port and --pasv-ports choose others."
                );
            }
        }
        Ok(())
    }

    /// Shows the log and waits for the end.
    fn attend(
        &self,
        mut running: Running,
        serial: &Serial,
        users: &[String],
        display: Display,
    ) -> Result<ExitCode> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in signals() {
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        let start = Instant::now();
        let mut ready = false;
        let mut warned = false;
        loop {
            match serial.line(Duration::from_millis(100)) {
                Ok(line) => {
                    say(&line);
                    if line.starts_with(READY) && !ready {
                        ready = true;
                        self.announce(users);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    if let Some(status) = running.ended()? {
                        let closed = display != Display::None && status.success();
                        ensure!(
                            closed || stop.load(Ordering::Relaxed),
                            "the emulator ended: {status}"
                        );
                        return Ok(ExitCode::SUCCESS);
                    }
                }
            }
            if stop.load(Ordering::Relaxed) {
                eprintln!("ending the emulator");
                running.stop();
                return Ok(ExitCode::SUCCESS);
            }
            if !ready && !warned && start.elapsed() > PATIENCE {
                warned = true;
                eprintln!("no {READY}after {} s; still waiting", PATIENCE.as_secs());
            }
        }
    }

    fn announce(&self, users: &[String]) {
        if self.netdev.is_some() {
            return;
        }
        say("");
        say(&format!("    ftp://127.0.0.1:{}/", self.control_port));
        users.iter().for_each(|user| say(&format!("        {user}")));
        say("    Ctrl-C ends the server and its PC.");
        say("");
    }
}

/// Prints a line. Nobody may be reading, and the server goes on all the same.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn signals() -> Vec<i32> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut all = vec![SIGINT, SIGTERM];
    #[cfg(unix)]
    all.push(signal_hook::consts::SIGHUP);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_range_is_two_ports_in_order() {
        assert_eq!("2122-2185".parse(), Ok(PortRange { first: 2122, last: 2185 }));
        for wrong in ["2122", "5-4000", "3000-2000", "a-b", "2000-70000"] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_port_range_is_one_that_the_server_takes() {
        let wrong = |text: &str| text.parse::<PortRange>().expect_err("out of range");
        assert!(wrong("32768-32800").contains("1024-32767"));
        assert!(wrong("1023-2000").contains("1024-32767"));
        assert!(wrong("40000-40063").contains("the first port is 40000"));
        assert!(wrong("3000-3008").contains("10-10240"));
        assert!(wrong("3000-30000").contains("10-10240"));
        assert_eq!("32767-32776".parse(), Ok(PortRange { first: 32_767, last: 32_776 }));
    }

    #[test]
    fn the_nat_is_told_the_same_ports_that_are_forwarded() {
        let settings = PortRange { first: 2122, last: 2185 }.nat_settings();
        assert_eq!(settings[0], ("FTPSRV_PASV_BASE", "2122".into()));
        assert_eq!(settings[1], ("FTPSRV_PASV_PORTS", "64".into()));
        assert_eq!(settings[3], ("FTPSRV_EXT_IPADDR", "127.0.0.1".into()));
    }
}
