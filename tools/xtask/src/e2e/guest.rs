//! A PC under test: booted, listened to, and switched off.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::{Stage, ports};
use crate::disk::{self, Layout, Volume};
use crate::emulator::{Adapter, Com1, Display, Emulator, Machine, Network, Pc, Speed, UserNetwork};
use crate::floppy::FloppySize;
use crate::kernel::Kernel;
use crate::process::Running;
use crate::qmp::Qmp;
use crate::run::READY;
use crate::serial::Serial;
use crate::{floppy, hard_disk, mtcp_cfg, slip, workspace};

/// MTCP.CFG of the guests, before the ports are set.
pub const CONFIG: &str = "HOSTNAME ftpsrv\r\nFTPSRV_PASSWORD_FILE A:\\FTPPASS.TXT\r\n\
    FTPSRV_CLIENTS 10\r\n";
/// How long a boot may take on a loaded machine. What it should take has a test of its own.
const BOOT_LIMIT: Duration = Duration::from_secs(40);
/// How long the server may take to close its volumes on a loaded machine: it does so two seconds after
/// the last change.
const CLOSE_LIMIT: Duration = Duration::from_secs(60);
/// For so long all volumes are seen closed before that is believed: a change may still be on its way.
const CLOSED_FOR: Duration = Duration::from_secs(1);
/// The boot floppy in its directory.
const FLOPPY: &str = "floppy.img";
/// Passive ports of a guest.
const PASSIVE_PORTS: u16 = 40;

/// The sample password file: brutman may do everything.
pub fn passwords() -> Result<Vec<u8>> {
    Ok(fs::read(workspace::root().join("ftppass.txt"))?)
}

/// How it is booted. Without a floppy, the settings are on a hard disk, which comes before the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    Floppy(FloppySize),
    HardDisk,
    /// QEMU loads the kernel by its Multiboot header; the hard disk has none.
    Multiboot,
}

/// What to boot.
#[derive(Clone)]
pub struct Setup {
    pub emulator: Emulator,
    pub machine: Machine,
    pub cpu: &'static str,
    pub memory_mb: u32,
    /// KB of conventional memory that the kernel is made to believe in; `None`: what there is.
    pub conventional_kb: Option<u16>,
    pub nic: &'static str,
    pub adapter: Adapter,
    pub speed: Speed,
    pub boot: Boot,
    /// The image of the floppy in drive A when it is booted from something else.
    pub floppy: Option<Vec<u8>>,
    /// One disk each.
    pub disks: Vec<Layout>,
    /// They hang on a SCSI adapter: INT 13h alone reaches them.
    pub scsi: bool,
    pub config: String,
    /// `None`: no such file on the floppy.
    pub passwords: Option<Vec<u8>>,
}

impl Setup {
    /// The machine of the product's promise, with these disks.
    pub fn with_disks(disks: &[Layout]) -> Result<Setup> {
        Ok(Setup {
            emulator: Emulator::Qemu,
            machine: Machine::Pc,
            cpu: "486",
            memory_mb: 4,
            conventional_kb: None,
            nic: "ne2k_isa",
            adapter: Adapter::Vga,
            speed: Speed::Full,
            boot: Boot::Floppy(FloppySize::Kb1440),
            floppy: None,
            disks: disks.to_vec(),
            scsi: false,
            config: CONFIG.into(),
            passwords: Some(passwords()?),
        })
    }
}

/// A booting or running PC. Its directory is kept unless [`Guest::finish`] is reached.
pub struct Guest {
    running: Running,
    serial: Serial,
    log: RefCell<String>,
    started: Instant,
    dir: PathBuf,
    /// FTP's port on 127.0.0.1.
    pub port: u16,
    /// Its disks, in order.
    pub disks: Vec<Volume>,
}

impl Guest {
    /// Starts it, with empty disks that `fill` may put files on.
    pub fn start(
        stage: &Stage,
        name: &str,
        setup: &Setup,
        fill: impl FnOnce(&[Volume], &Path) -> Result<()>,
    ) -> Result<Guest> {
        let dir = stage.dir.join(name.replace([' ', '/', ':', ','], "-"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir)?;
        let disks = setup.disks.iter().enumerate();
        let mut disks = disks
            .map(|(index, layout)| disk::make(&dir.join(format!("disk{index}.img")), *layout))
            .collect::<Result<Vec<Volume>>>()?;
        fill(&disks, &dir)?;
        let (port, passive) = ports::free(PASSIVE_PORTS)?;
        let config = mtcp_cfg::overlay(setup.config.as_bytes(), &passive.nat_settings());
        let config = mtcp_cfg::defaults(&config, &slip::settings(setup.emulator, setup.nic));
        let passwords = setup.passwords.as_deref();
        let limited = setup.conventional_kb.map(|size| stage.kernel.in_memory_of(size));
        let system = limited.transpose()?.unwrap_or_else(|| stage.kernel.clone());
        let (mut floppy, mut kernel) = (None, None);
        if let Boot::Floppy(size) = setup.boot {
            let mut files = vec![("MTCP.CFG", config.as_slice())];
            files.extend(passwords.map(|passwords| ("FTPPASS.TXT", passwords)));
            let image = dir.join(FLOPPY);
            fs::write(&image, floppy::make(&system, size, &files)?)?;
            floppy = Some(image);
        } else {
            let image = dir.join("boot.img");
            let volume = hard_disk::make(&system, &image, &config, passwords.unwrap_or(b""))?;
            if setup.boot == Boot::Multiboot {
                volume.delete("/FTPSRV.SYS")?;
                let file = dir.join("ftpsrv.sys");
                fs::write(&file, &system.file)?;
                kernel = Some(file);
            }
            disks.insert(0, volume);
            if let Some(bytes) = &setup.floppy {
                let image = dir.join(FLOPPY);
                fs::write(&image, bytes)?;
                floppy = Some(image);
            }
        }
        let mut forwards = vec![(port, 21)];
        forwards.extend(passive.ports().map(|port| (port, port)));
        let network = UserNetwork { fixed: mtcp_cfg::fixed_address(&config), forwards };
        let pc = Pc {
            machine: setup.machine,
            cpu: setup.cpu.into(),
            memory_mb: setup.memory_mb,
            nic: setup.nic.into(),
            network: Network::User(network),
            speed: setup.speed,
            floppy,
            kernel,
            disks: disks.iter().map(|disk| disk.image.clone()).collect(),
            scsi: setup.scsi,
            adapter: setup.adapter,
            display: Display::None,
            serial_log: Some(dir.join("serial.log")),
            control: Some(dir.join("qmp")),
        };
        let (running, serial) = start(&pc, setup.emulator, &dir)?;
        Guest::listen(running, serial, dir, port, disks)
    }

    fn listen(
        running: Running,
        serial: Serial,
        dir: PathBuf,
        port: u16,
        disks: Vec<Volume>,
    ) -> Result<Guest> {
        let started = Instant::now();
        Ok(Guest { running, serial, log: RefCell::default(), started, dir, port, disks })
    }

    /// Starts it and waits until it accepts connections.
    pub fn boot(
        stage: &Stage,
        name: &str,
        setup: &Setup,
        fill: impl FnOnce(&[Volume], &Path) -> Result<()>,
    ) -> Result<Guest> {
        let guest = Guest::start(stage, name, setup, fill)?;
        guest.expect(READY, |line| line.starts_with(READY), BOOT_LIMIT)?;
        Ok(guest)
    }

    /// Waits for a line that `wanted` takes, and tells how long after the start it came.
    pub fn expect(
        &self,
        what: &str,
        wanted: impl Fn(&str) -> bool,
        limit: Duration,
    ) -> Result<Duration> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.serial.line(left) {
                Ok(line) => {
                    let mut log = self.log.borrow_mut();
                    log.push_str(&line);
                    log.push('\n');
                    if wanted(&line) {
                        return Ok(self.started.elapsed());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("no {what} within {limit:?}; COM1 said:\n{}", self.said())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let errors =
                        fs::read_to_string(self.dir.join("emulator.log")).unwrap_or_default();
                    bail!("the emulator ended: {errors}; COM1 said:\n{}", self.said())
                }
            }
        }
    }

    /// The end of what COM1 said so far.
    pub fn said(&self) -> String {
        let log = self.log.borrow();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Its directory, for the clients' files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Seconds of a host's core that its PC has used so far; `None` where Linux is not there to tell.
    pub fn cpu_seconds(&self) -> Result<Option<f32>> {
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.running.id())) else {
            return Ok(None);
        };
        // proc(5): behind the program's name in parentheses; the 14th and 15th field, in 1/100 s.
        let (_, fields) = stat.rsplit_once(") ").context("no name in /proc's stat")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u32>);
        Ok(Some(ticks.sum::<Result<u32, _>>()? as f32 / 100.0))
    }

    /// Bytes of the stack that were ever used: all above the first that lost the paint of src/metal/entry.s.
    pub fn stack_used(&self, kernel: &Kernel) -> Result<usize> {
        const PAINT: [u8; 4] = 0x57AC_57ACu32.to_le_bytes();
        let file = self.dir.join("stack.bin");
        let (start, size) = (kernel.stack.start, kernel.stack.len());
        self.qmp()?.command("pmemsave", json!({ "val": start, "size": size, "filename": file }))?;
        let memory = fs::read(file)?;
        let painted = memory.chunks_exact(4).take_while(|word| *word == PAINT).count();
        Ok(size - painted * 4)
    }

    /// QEMU's control connection.
    pub fn qmp(&self) -> Result<Qmp> {
        Qmp::connect(&self.dir.join("qmp"))
    }

    /// Types at a terminal on QEMU's COM1.
    pub fn type_on_serial(&mut self, keys: &[u8]) -> Result<()> {
        let pipe = self.running.child().stdin.as_mut().context("no pipe to the emulator")?;
        pipe.write_all(keys)?;
        Ok(pipe.flush()?)
    }

    /// The volume of the floppy in drive A.
    pub fn floppy(&self) -> Volume {
        Volume { image: self.dir.join(FLOPPY), start: 0 }
    }

    /// Switches it off like a PC: without a word, but not before the server has marked its volumes as
    /// closed.
    ///
    /// # Errors
    /// A volume that stays open.
    pub fn switch_off(&mut self) -> Result<()> {
        let deadline = Instant::now() + CLOSE_LIMIT;
        let mut closed_since = Instant::now();
        // A PC that has ended already changes nothing any more.
        while self.running.ended()?.is_none() && closed_since.elapsed() < CLOSED_FOR {
            if !self.all_closed()? {
                ensure!(Instant::now() < deadline, "a volume is still open after {CLOSE_LIMIT:?}");
                closed_since = Instant::now();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        self.running.stop();
        Ok(())
    }

    fn all_closed(&self) -> Result<bool> {
        self.disks.iter().try_fold(true, |all, disk| Ok(all & disk.is_closed()?))
    }

    /// Switches it off, has fsck.fat look at every disk, and removes the directory.
    pub fn finish(mut self) -> Result<()> {
        self.switch_off()?;
        self.disks.iter().try_for_each(Volume::check)?;
        fs::remove_dir_all(&self.dir)?;
        Ok(())
    }

    /// A file of the first disk has these bytes, as mtools reads them. The PC must be off.
    pub fn same_on_disk(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let disk = self.disks.first().context("no disk")?;
        ensure!(disk.read(name)? == bytes, "{name} on the disk differs from what was uploaded");
        Ok(())
    }
}

fn start(pc: &Pc, emulator: Emulator, dir: &Path) -> Result<(Running, Serial)> {
    let invocation = pc.invocation(emulator, dir)?;
    let errors = fs::File::create(dir.join("emulator.log"))?;
    let is_output = matches!(invocation.com1, Com1::Output);
    let mut running = Running::start(&invocation.program, |command| {
        command.args(invocation.arguments);
        command.stdin(if is_output { Stdio::piped() } else { Stdio::null() });
        command.stdout(if is_output { Stdio::piped() } else { Stdio::null() });
        command.stderr(Stdio::from(errors));
    })?;
    let serial = Serial::open(&mut running, invocation.com1, None)?;
    Ok((running, serial))
}
