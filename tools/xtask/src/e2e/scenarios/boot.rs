//! The PC starts, in time, as each machine that it may be.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::clients::{curl, url};
use super::super::guest::{CONFIG, Guest, Setup};
use super::super::{Scenario, Stage, files};
use super::{DISK, directories};
use crate::emulator::{Emulator, Machine};
use crate::run::READY;

pub fn all() -> Vec<Scenario> {
    let mut all = vec![Scenario::new("boot to READY within 5 s", in_time)];
    let machines = [
        ("isapc, 486", Machine::Isapc, "486", "ne2k_isa"),
        ("pc, pentium", Machine::Pc, "pentium", "ne2k_isa"),
        ("pc, pentium3", Machine::Pc, "pentium3", "ne2k_isa"),
        ("pc, 486, ne2k_pci", Machine::Pc, "486", "ne2k_pci"),
        ("pc, 486, rtl8139", Machine::Pc, "486", "rtl8139"),
        ("pc, 486, pcnet", Machine::Pc, "486", "pcnet"),
    ];
    for (name, machine, cpu, nic) in machines {
        all.push(Scenario::new(format!("boot on {name}"), move |stage: &Stage, name: &str| {
            up_and_down(stage, name, &Setup { machine, cpu, nic, ..Setup::with_disks(&[DISK])? })
        }));
    }
    // Cards that the user names; the NE2000's interrupt ends the CPU's HLT then.
    let named = [("ne2000 300 9", "ne2k_isa"), ("rtl8139", "rtl8139"), ("pcnet", "pcnet")];
    for (wanted, nic) in named {
        let name = format!("boot with FTPSRV_NIC {wanted}");
        all.push(Scenario::new(name, move |stage: &Stage, name: &str| {
            let config = format!("{CONFIG}FTPSRV_NIC {wanted}\r\n");
            up_and_down(stage, name, &Setup { config, nic, ..Setup::with_disks(&[DISK])? })
        }));
    }
    all.push(Scenario::new("boot from a hard disk", |stage: &Stage, name: &str| {
        up_and_down(stage, name, &Setup { from_disk: true, ..Setup::with_disks(&[])? })
    }));
    all.push(Scenario::new("a true 386 over a serial line", over_a_serial_line));
    all
}

/// DOSBox's 386 raises #UD on what a 386 lacks; its COM1 is the network.
fn over_a_serial_line(stage: &Stage, name: &str) -> Result<()> {
    let setup = Setup {
        emulator: Emulator::Dosbox,
        cpu: "386",
        nic: "slip",
        ..Setup::with_disks(&[DISK])?
    };
    let mut guest = Guest::boot(stage, name, &setup, directories)?;
    // Every byte that SLIP escapes is among them.
    let file = files::make(guest.dir(), "up.bin", 100_001, 1)?;
    let at = url(&guest, "/drive_c/up.bin");
    curl(&guest, &["-T", "up.bin", &at])?;
    curl(&guest, &["-o", "down.bin", &at])?;
    files::same(&file, &guest.dir().join("down.bin"))?;
    guest.switch_off()?;
    guest.same_on_disk("/UP.BIN", &std::fs::read(file)?)?;
    guest.finish()
}

fn in_time(stage: &Stage, name: &str) -> Result<()> {
    let guest = Guest::start(stage, name, &Setup::with_disks(&[DISK])?, directories)?;
    let limit = Duration::from_secs(40);
    let time = guest.expect(READY, |line| line.starts_with(READY), limit)?;
    ensure!(time < Duration::from_secs(5), "it took {time:?}");
    guest.finish()
}

/// One file up and down again.
fn up_and_down(stage: &Stage, name: &str, setup: &Setup) -> Result<()> {
    let mut guest = Guest::boot(stage, name, setup, directories)?;
    let file = files::make(guest.dir(), "up.bin", 1_000_001, 1)?;
    let at = url(&guest, "/drive_c/up.bin");
    curl(&guest, &["-T", "up.bin", &at])?;
    curl(&guest, &["-o", "down.bin", &at])?;
    files::same(&file, &guest.dir().join("down.bin"))?;
    guest.switch_off()?;
    guest.same_on_disk("/UP.BIN", &std::fs::read(file)?)?;
    guest.finish()
}
