//! DOSBox: the only true 386 among the emulators. Disks through INT 13h alone, and no
//! network card: SLIP over COM1.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use super::{Adapter, Com1, Display, Invocation, Network, Pc, Speed, geometry};
use crate::slip::{self, Gateway};

pub fn invocation(pc: &Pc, program: PathBuf, dir: &Path) -> Result<Invocation> {
    ensure!(pc.disks.len() <= 2, "with DOSBox, two hard disks are the most");
    // DOSBox connects its COM1 to us.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let settings = dir.join("dosbox.conf");
    fs::write(&settings, conf(pc, listener.local_addr()?.port())?)?;
    let mut arguments = vec!["-conf".into(), settings.into()];
    let com1 = match &pc.network {
        Network::User(user) if pc.nic == "slip" => Com1::Slip(Gateway {
            listener,
            guest: user.fixed.map_or(slip::GUEST, |fixed| fixed.0),
            forwards: user.forwards.clone(),
        }),
        _ => Com1::Socket(listener),
    };
    if pc.display != Display::None {
        return Ok(Invocation { program, arguments, com1 });
    }
    let mut headless = vec![
        "SDL_VIDEODRIVER=dummy".into(),
        "SDL_AUDIODRIVER=dummy".into(),
        program.into_os_string(),
    ];
    headless.append(&mut arguments);
    let program = crate::process::find("env").unwrap_or_else(|| "/usr/bin/env".into());
    Ok(Invocation { program, arguments: headless, com1 })
}

fn conf(pc: &Pc, port: u16) -> Result<String> {
    let cpu = if pc.cpu == "486" { "486_slow" } else { &pc.cpu };
    let cycles = match pc.speed {
        Speed::Full => "max".to_owned(),
        // Thousands of instructions a millisecond.
        Speed::Shift(shift) | Speed::Stepped(shift) => format!("fixed {}", 1_000_000 >> shift),
    };
    let machine = match pc.adapter {
        Adapter::Vga => "vgaonly",
        Adapter::Ega => "ega",
        Adapter::Cga => "cga",
        Adapter::Hercules => "hercules",
        Adapter::None => bail!("DOSBox always has a display adapter: use QEMU"),
    };
    let mut text = format!(
        "[sdl]\nfullscreen=false\n[dosbox]\nmachine={machine}\nmemsize={}\n[cpu]\ncore=normal\n\
         cputype={cpu}\ncycles={cycles}\n[mixer]\nnosound=true\n[serial]\n\
         serial1=nullmodem server:127.0.0.1 port:{port} transparent:1\n[autoexec]\n",
        pc.memory_mb
    );
    for (index, disk) in pc.disks.iter().enumerate() {
        let cylinders = geometry(disk)?;
        let number = index + 2;
        let name = disk.display();
        writeln!(text, "imgmount {number} \"{name}\" -size 512,63,16,{cylinders} -t hdd -fs none")?;
    }
    match &pc.floppy {
        Some(floppy) => writeln!(text, "boot \"{}\" -l a", floppy.display())?,
        None => writeln!(text, "boot -l c")?,
    }
    Ok(text)
}
