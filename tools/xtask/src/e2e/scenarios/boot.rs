//! The PC starts, in time, as each machine that it may be.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::clients::{curl, url};
use super::super::guest::{Boot, CONFIG, Guest, Setup};
use super::super::{Scenario, Stage, files};
use super::{DISK, directories};
use crate::emulator::{Adapter, Emulator, Machine};
use crate::floppy::FloppySize;
use crate::run::READY;
use crate::setup;
use crate::verify::Skipped;

pub fn all() -> Vec<Scenario> {
    let mut all = vec![Scenario::new("boot to READY within 5 s", in_time)];
    let machines: [(&str, Machine, &'static str, &'static str); 7] = [
        ("isapc, 486", Machine::Isapc, "486", "ne2k_isa"),
        ("pc, pentium", Machine::Pc, "pentium", "ne2k_isa"),
        ("pc, pentium3", Machine::Pc, "pentium3", "ne2k_isa"),
        ("pc, QEMU's newest CPU", Machine::Pc, "max", "ne2k_isa"),
        ("pc, 486, ne2k_pci", Machine::Pc, "486", "ne2k_pci"),
        ("pc, 486, rtl8139", Machine::Pc, "486", "rtl8139"),
        ("pc, 486, pcnet", Machine::Pc, "486", "pcnet"),
    ];
    for (name, machine, cpu, nic) in machines {
        all.push(Scenario::new(format!("boot on {name}"), move |stage: &Stage, name: &str| {
            up_and_down(stage, name, &Setup { machine, cpu, nic, ..Setup::with_disks(&[DISK])? })
        }));
    }
    all.push(Scenario::new("boot with the least of settings", with_the_least));
    // Cards that the user names; the NE2000's interrupt ends the CPU's HLT then.
    let named = [("ne2000 300 9", "ne2k_isa"), ("rtl8139", "rtl8139"), ("pcnet", "pcnet")];
    for (wanted, nic) in named {
        let name = format!("boot with FTPSRV_NIC {wanted}");
        all.push(Scenario::new(name, move |stage: &Stage, name: &str| {
            let config = format!("{CONFIG}FTPSRV_NIC {wanted}\r\n");
            up_and_down(stage, name, &Setup { config, nic, ..Setup::with_disks(&[DISK])? })
        }));
    }
    for (name, boot) in [("a hard disk", Boot::HardDisk), ("a Multiboot loader", Boot::Multiboot)] {
        all.push(Scenario::new(format!("boot from {name}"), move |stage: &Stage, name: &str| {
            up_and_down(stage, name, &Setup { boot, ..Setup::with_disks(&[])? })
        }));
    }
    for size in FloppySize::ALL {
        let name = format!("boot from a floppy of {} KB", size.name());
        all.push(Scenario::new(name, move |stage: &Stage, name: &str| {
            from_a_floppy(stage, name, size)
        }));
    }
    all.push(Scenario::new("a true 386 over a serial line", over_a_serial_line));
    for (adapter, shown) in
        [(Adapter::Ega, "EGA"), (Adapter::Cga, "CGA"), (Adapter::Hercules, "MDA")]
    {
        all.push(Scenario::new(format!("boot with {shown}"), move |stage: &Stage, name: &str| {
            with_display(stage, name, adapter, shown)
        }));
    }
    all.push(Scenario::new("no display, a terminal on COM1", without_display));
    all.push(Scenario::new("boot in Bochs", in_bochs));
    all.push(Scenario::new("boot in v86", in_v86));
    all.push(Scenario::new("boot in DOSBox-X", in_dosbox_x));
    all
}

/// No name for the DHCP server, and a file without a byte.
fn with_the_least(stage: &Stage, name: &str) -> Result<()> {
    let config = "FTPSRV_PASSWORD_FILE A:\\FTPPASS.TXT\r\nFTPSRV_MOTD_FILE C:\\MOTD.TXT\r\n".into();
    let setup = Setup { config, ..Setup::with_disks(&[DISK])? };
    let guest = Guest::boot(stage, name, &setup, |disks, _| {
        disks.iter().try_for_each(|disk| disk.write("/MOTD.TXT", b""))
    })?;
    curl(&guest, &["-o", "motd", &url(&guest, "/drive_c/motd.txt")])?;
    ensure!(std::fs::read(guest.dir().join("motd"))?.is_empty(), "MOTD.TXT has grown");
    guest.finish()
}

/// All of the kernel is read over FTP from the floppy that it was booted from, and a file written to it.
fn from_a_floppy(stage: &Stage, name: &str, size: FloppySize) -> Result<()> {
    let setup = Setup { boot: Boot::Floppy(size), ..Setup::with_disks(&[])? };
    let mut guest = Guest::boot(stage, name, &setup, |_, _| Ok(()))?;
    curl(&guest, &["-o", "kernel", &url(&guest, "/drive_a/ftpsrv.sys")])?;
    let kernel = std::fs::read(guest.dir().join("kernel"))?;
    ensure!(kernel == stage.kernel.file, "FTPSRV.SYS differs: {} bytes", kernel.len());
    let file = files::make(guest.dir(), "up.bin", 30_001, 1)?;
    curl(&guest, &["-T", "up.bin", &url(&guest, "/drive_a/up.bin")])?;
    let floppy = guest.floppy();
    guest.disks.push(floppy);
    guest.switch_off()?;
    guest.same_on_disk("/UP.BIN", &std::fs::read(file)?)?;
    guest.finish()
}

/// DOSBox has the older adapters; the serial line carries text until SLIP takes it.
fn with_display(stage: &Stage, name: &str, adapter: Adapter, shown: &str) -> Result<()> {
    let setup =
        Setup { emulator: Emulator::Dosbox, adapter, nic: "slip", ..Setup::with_disks(&[DISK])? };
    let guest = Guest::start(stage, name, &setup, directories)?;
    let limit = Duration::from_secs(60);
    let display = format!("Display: {shown}");
    guest.expect(&display, |line| line == display, limit)?;
    guest.expect(READY, |line| line.starts_with(READY), limit)?;
    guest.finish()
}

/// Without a display, a terminal on COM1 shows the pages and takes the keys.
fn without_display(stage: &Stage, name: &str) -> Result<()> {
    let config = format!("{CONFIG}FTPSRV_CONSOLE serial\r\n");
    let setup = Setup { adapter: Adapter::None, config, ..Setup::with_disks(&[DISK])? };
    let mut guest = Guest::start(stage, name, &setup, directories)?;
    let limit = Duration::from_secs(40);
    guest.expect("no display", |line| line == "Display: none", limit)?;
    guest.expect(READY, |line| line.starts_with(READY), limit)?;
    let keys: [(&[u8], &str); 4] = [
        (b"\x1bh", "Alt-U        Who is logged in"),
        (b"\x1bu", "Nobody is logged in."),
        (b"\x1bs", "Logins      0, failed 0"),
        (b"\x03", "FTPSRV ENDED. All files are closed"),
    ];
    for (key, answer) in keys {
        guest.type_on_serial(key)?;
        guest.expect(answer, |line| line.contains(answer), limit)?;
    }
    guest.finish()
}

/// DOSBox's 386 raises #UD on what a 386 lacks; its COM1 is the network.
fn over_a_serial_line(stage: &Stage, name: &str) -> Result<()> {
    let emulator = Emulator::Dosbox;
    let setup = Setup { emulator, cpu: "386", nic: "slip", ..Setup::with_disks(&[DISK])? };
    up_and_down(stage, name, &setup)
}

fn in_bochs(stage: &Stage, name: &str) -> Result<()> {
    setup::programs(setup::BOCHS).map_err(|why| Skipped(format!("{why:#}")))?;
    let setup = Setup { emulator: Emulator::Bochs, ..Setup::with_disks(&[DISK])? };
    up_and_down(stage, name, &setup)
}

/// Its card is an RTL8029's clone.
fn in_v86(stage: &Stage, name: &str) -> Result<()> {
    setup::clients::v86()?;
    let setup = Setup { emulator: Emulator::V86, nic: "ne2k_pci", ..Setup::with_disks(&[DISK])? };
    up_and_down(stage, name, &setup)
}

/// A true 386 with a network card.
fn in_dosbox_x(stage: &Stage, name: &str) -> Result<()> {
    setup::clients::dosbox_x()?;
    let setup = Setup { emulator: Emulator::DosboxX, cpu: "386", ..Setup::with_disks(&[DISK])? };
    up_and_down(stage, name, &setup)
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
    // Bochs forwards few ports: there the server connects to the client.
    let way: &[&str] = if setup.emulator == Emulator::Bochs { &["-P", "-"] } else { &[] };
    // A serial line takes its time; every byte that SLIP escapes is among these.
    let is_slow = matches!(setup.emulator, Emulator::Dosbox | Emulator::V86);
    let file = files::make(guest.dir(), "up.bin", if is_slow { 100_001 } else { 1_000_001 }, 1)?;
    let at = url(&guest, "/drive_c/up.bin");
    curl(&guest, &[way, &["-T", "up.bin", &at]].concat())?;
    curl(&guest, &[way, &["-o", "down.bin", &at]].concat())?;
    files::same(&file, &guest.dir().join("down.bin"))?;
    guest.switch_off()?;
    // v86 keeps its disk in memory.
    if setup.emulator != Emulator::V86 {
        guest.same_on_disk("/UP.BIN", &std::fs::read(file)?)?;
    }
    guest.finish()
}
