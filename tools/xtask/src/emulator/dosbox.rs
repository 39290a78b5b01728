//! DOSBox: a true 386. Disks through INT 13h alone, and no network card: SLIP over COM1. And DOSBox-X, which has an
//! NE2000.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use super::{Adapter, Com1, Display, Invocation, Network, Pc, Speed, geometry};
use crate::slip::{self, Gateway};

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Dosbox,
    DosboxX,
}

pub fn invocation(pc: &Pc, kind: Kind, program: PathBuf, dir: &Path) -> Result<Invocation> {
    ensure!(pc.disks.len() <= 2, "with DOSBox, two hard disks are the most");
    // DOSBox connects its COM1 to us.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let settings = dir.join("dosbox.conf");
    fs::write(&settings, conf(pc, kind, listener.local_addr()?.port())?)?;
    let mut arguments: Vec<OsString> = vec!["-conf".into(), settings.into()];
    if kind == Kind::DosboxX {
        // It asks for a working directory otherwise, and shows what it is for a while.
        arguments.extend(["-nopromptfolder".into(), "-fastlaunch".into()]);
    }
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
    let mut headless: Vec<OsString> =
        vec!["SDL_VIDEODRIVER=dummy".into(), "SDL_AUDIODRIVER=dummy".into()];
    if kind == Kind::DosboxX {
        // Settings of this machine's user are none of these.
        headless.push(assignment("HOME", dir));
        arguments.push("-nogui".into());
    }
    headless.push(program.into());
    headless.append(&mut arguments);
    let program = crate::process::find("env").unwrap_or_else(|| "/usr/bin/env".into());
    Ok(Invocation { program, arguments: headless, com1 })
}

fn assignment(name: &str, value: &Path) -> OsString {
    let mut text = OsString::from(format!("{name}="));
    text.push(value);
    text
}

fn conf(pc: &Pc, kind: Kind, port: u16) -> Result<String> {
    let cpu = if pc.cpu == "486" && kind == Kind::Dosbox { "486_slow" } else { &pc.cpu };
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
         serial1=nullmodem server:127.0.0.1 port:{port} transparent:1\n",
        pc.memory_mb
    );
    if kind == Kind::DosboxX {
        text += &card(pc)?;
    }
    text += "[autoexec]\n";
    for (index, disk) in pc.disks.iter().enumerate() {
        let cylinders = geometry(disk)?;
        let number = index + 2;
        let name = disk.display();
        writeln!(text, "imgmount {number} \"{name}\" -size 512,63,16,{cylinders} -t hdd -fs none")?;
    }
    match &pc.floppy {
        // DOSBox-X takes a letter alone or a file alone.
        Some(floppy) if kind == Kind::DosboxX => writeln!(text, "boot \"{}\"", floppy.display())?,
        Some(floppy) => writeln!(text, "boot \"{}\" -l a", floppy.display())?,
        None => writeln!(text, "boot -l c")?,
    }
    Ok(text)
}

/// DOSBox-X's card, and what its NAT forwards.
fn card(pc: &Pc) -> Result<String> {
    let user = match (pc.nic.as_str(), &pc.network) {
        ("ne2k_isa", Network::User(user)) => user,
        ("none" | "slip", _) => return Ok(String::new()),
        (_, Network::Custom(_)) => bail!("DOSBox-X takes no --netdev"),
        (nic, _) => bail!("DOSBox-X has no {nic}: ne2k_isa, slip, or none"),
    };
    let forwards: Vec<String> =
        user.forwards.iter().map(|(host, guest)| format!("{host}:{guest}")).collect();
    Ok(format!(
        "[ne2000]\nne2000=true\nnicbase=300\nnicirq=10\nbackend=slirp\n\
         [ethernet, slirp]\ntcp_port_forwards={}\n",
        forwards.join(" ")
    ))
}
