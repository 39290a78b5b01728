//! A PC to boot: what it is made of, and the command line of each emulator for it.
//!
//! `run`, the end-to-end tests and the bench start what these describe.

mod bochs;
mod display;
mod dosbox;
mod qemu;
mod v86;

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;

pub use display::{Adapter, Display};

use crate::setup;
use crate::slip::Gateway;
use dosbox::Kind;

/// Which emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Emulator {
    Qemu,
    Dosbox,
    DosboxX,
    Bochs,
    /// A PC in JavaScript, under Node
    V86,
}

/// QEMU's two kinds of PC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Machine {
    /// With PCI.
    Pc,
    /// ISA alone.
    Isapc,
}

/// How fast the guest runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As fast as the host can.
    Full,
    /// Millions of instructions a second: 1000 / 2^shift.
    Shift(u8),
    /// As many instructions to a second of the guest, which takes as long as it takes.
    Stepped(u8),
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        if text == "full" {
            return Ok(Speed::Full);
        }
        let mips = text.strip_prefix("mips=").and_then(|number| number.parse::<f64>().ok());
        let mips = mips.filter(|mips| (0.9..=1000.0).contains(mips));
        let mips = mips.ok_or("full or mips=N, with N from 1 to 1000")?;
        // QEMU's clock takes 2^shift ns an instruction.
        Ok(Speed::Shift((1000.0 / mips).log2().round() as u8))
    }
}

/// The emulated network card's other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// The emulator's own NAT.
    User(UserNetwork),
    /// A back end of the user's, in the emulator's own words.
    Custom(String),
}

/// The emulator's NAT: its addresses, and what it forwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserNetwork {
    /// The guest's fixed address with the bits of its net mask and its gateway; `None`: the NAT's
    /// DHCP server gives one.
    pub fixed: Option<(Ipv4Addr, u8, Option<Ipv4Addr>)>,
    /// Ports of 127.0.0.1 and of the guest.
    pub forwards: Vec<(u16, u16)>,
}

/// A PC to boot.
#[derive(Debug, Clone)]
pub struct Pc {
    pub machine: Machine,
    pub cpu: String,
    pub memory_mb: u32,
    /// Name of the card, or `none`.
    pub nic: String,
    pub network: Network,
    pub speed: Speed,
    /// `None`: it boots from its first hard disk.
    pub floppy: Option<PathBuf>,
    /// A file that QEMU loads itself instead, by its Multiboot header.
    pub kernel: Option<PathBuf>,
    pub disks: Vec<PathBuf>,
    /// The disks hang on a SCSI adapter: the BIOS alone knows them.
    pub scsi: bool,
    pub adapter: Adapter,
    pub display: Display,
    /// COM1's output, besides the emulator's standard output.
    pub serial_log: Option<PathBuf>,
    /// A socket for QEMU's machine protocol.
    pub control: Option<PathBuf>,
}

/// An emulator to start.
pub struct Invocation {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    pub com1: Com1,
}

/// Where an emulator's COM1 comes out.
pub enum Com1 {
    /// Its standard output; it keeps the log itself.
    Output,
    /// A file that it writes.
    File(PathBuf),
    /// A socket that it connects to.
    Socket(TcpListener),
    /// A serial line to the network of this machine, over such a socket.
    Slip(Gateway),
}

impl Emulator {
    /// Its program.
    pub fn program(self) -> Result<PathBuf> {
        let name = match self {
            Emulator::Qemu => "qemu-system-i386",
            Emulator::Dosbox => "dosbox",
            Emulator::DosboxX => return setup::clients::dosbox_x(),
            Emulator::Bochs => "bochs",
            Emulator::V86 => "node",
        };
        crate::process::find(name).with_context(|| format!("{name} is not installed"))
    }
}

impl Pc {
    /// How `emulator` is started as this PC; what it reads from files goes into `dir`.
    pub fn invocation(&self, emulator: Emulator, dir: &Path) -> Result<Invocation> {
        let program = emulator.program()?;
        match emulator {
            Emulator::Qemu => {
                Ok(Invocation { program, arguments: qemu::arguments(self)?, com1: Com1::Output })
            }
            Emulator::Dosbox => dosbox::invocation(self, Kind::Dosbox, program, dir),
            Emulator::DosboxX => dosbox::invocation(self, Kind::DosboxX, program, dir),
            Emulator::Bochs => bochs::invocation(self, program, dir),
            Emulator::V86 => v86::invocation(self, program),
        }
    }
}

/// Cylinders of a disk image with 16 heads of 63 sectors, for emulators that must be told.
fn geometry(disk: &Path) -> Result<u64> {
    let bytes = std::fs::metadata(disk).with_context(|| disk.display().to_string())?.len();
    Ok(bytes / 512 / (16 * 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_a_power_of_two_nanoseconds() {
        assert_eq!("full".parse(), Ok(Speed::Full));
        assert_eq!("mips=7.8".parse(), Ok(Speed::Shift(7)));
        assert_eq!("mips=1000".parse(), Ok(Speed::Shift(0)));
        assert_eq!("mips=1".parse(), Ok(Speed::Shift(10)));
        assert!("mips=0".parse::<Speed>().is_err());
        assert!("fast".parse::<Speed>().is_err());
    }
}
