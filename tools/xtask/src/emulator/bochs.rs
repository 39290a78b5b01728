//! Bochs: a second BIOS and disk model, pentium and up. It is told what to be by files.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::{Adapter, Com1, Invocation, Machine, Network, Pc, Speed, geometry};

/// Forwarded ports that Bochs 2.7 takes; it drops those beyond.
const FORWARDS: usize = 5;
/// The files of the emulated PC's BIOS and display adapter, where packages put them.
const SHARES: [&str; 3] =
    ["/usr/share/bochs", "/usr/local/share/bochs", "/opt/homebrew/share/bochs"];

pub fn invocation(pc: &Pc, program: PathBuf, dir: &Path) -> Result<Invocation> {
    ensure!(pc.machine == Machine::Pc, "Bochs has no ISA-only PC");
    ensure!(pc.adapter == Adapter::Vga, "Bochs has a VGA alone");
    ensure!(pc.speed == Speed::Full, "Bochs keeps no exact speed: use QEMU for that");
    let share = SHARES.iter().map(Path::new).find(|share| share.is_dir());
    let share = share.context("no BIOS of Bochs; on Debian: apt-get install bochsbios vgabios")?;
    let com1 = dir.join("com1");
    fs::write(&com1, "")?;
    let settings = dir.join("bochsrc");
    fs::write(&settings, bochsrc(pc, share, &com1, dir)?)?;
    // Debian's Bochs has its debugger built in, which waits for this command.
    let begin = dir.join("begin");
    fs::write(&begin, "continue\n")?;
    let arguments = vec!["-q".into(), "-f".into(), settings.into(), "-rc".into(), begin.into()];
    Ok(Invocation { program, arguments, com1: Com1::File(com1) })
}

fn bochsrc(pc: &Pc, share: &Path, com1: &Path, dir: &Path) -> Result<String> {
    // It has none older than a Pentium.
    let cpu = if pc.cpu == "486" { "pentium" } else { &pc.cpu };
    let boot = match &pc.floppy {
        Some(floppy) => {
            format!("floppya: 1_44=\"{}\", status=inserted\nboot: floppy", floppy.display())
        }
        None => "boot: disk".to_owned(),
    };
    let mut text = format!(
        "megs: {}\nromimage: file={share}/BIOS-bochs-latest\n\
         vgaromimage: file={share}/VGABIOS-lgpl-latest\n\
         cpu: model={cpu}, count=1, ips=50000000, reset_on_triple_fault=0\n\
         {boot}\n\
         com1: enabled=1, mode=file, dev={}\nlog: {}\n\
         display_library: rfb, options=\"timeout=0\"\nsound: waveoutdrv=dummy\n\
         panic: action=fatal\nerror: action=ignore\ninfo: action=ignore\n",
        pc.memory_mb,
        com1.display(),
        dir.join("bochs.log").display(),
        share = share.display(),
    );
    ensure!(pc.disks.len() <= 2, "with Bochs, two hard disks are the most");
    text += "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n";
    for (disk, place) in pc.disks.iter().zip(["master", "slave"]) {
        let cylinders = geometry(disk)?;
        let name = disk.display();
        writeln!(
            text,
            "ata0-{place}: type=disk, path=\"{name}\", mode=flat, cylinders={cylinders}, heads=16, spt=63"
        )?;
    }
    match (pc.nic.as_str(), &pc.network) {
        ("none", _) => (),
        ("ne2k_isa", Network::User(user)) => {
            let mut slirp = "# slirp config\nnet=10.0.2.0\n".to_owned();
            for (host, guest) in user.forwards.iter().take(FORWARDS) {
                writeln!(slirp, "hostfwd = tcp:127.0.0.1:{host}-:{guest}")?;
            }
            let script = dir.join("slirp");
            fs::write(&script, slirp)?;
            writeln!(
                text,
                "ne2k: ioaddr=0x300, irq=10, mac=52:54:00:12:34:56, ethmod=slirp, script={}",
                script.display()
            )?;
        }
        ("ne2k_isa", Network::Custom(spec)) => {
            writeln!(text, "ne2k: ioaddr=0x300, irq=10, mac=52:54:00:12:34:56, {spec}")?;
        }
        (other, _) => bail!("Bochs is given no {other} here; ne2k_isa or none"),
    }
    Ok(text)
}
