//! v86, a PC in JavaScript, under Node: QEMU's BIOS, a floppy controller, an IDE disk and an NE2000 on PCI
//! that are not QEMU's. tools/xtask/e2e/v86.mjs starts it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use super::{Adapter, Com1, Display, Invocation, Machine, Network, Pc, Speed};
use crate::slip::{self, Gateway};
use crate::verify::Skipped;
use crate::{setup, workspace};

/// Where packages of SeaBIOS and QEMU put BIOS and VGA BIOS.
const SHARES: [&str; 4] =
    ["/usr/share/seabios", "/usr/share/seavgabios", "/usr/share/qemu", "/opt/homebrew/share/qemu"];

/// # Errors
/// [`Skipped`] where there is no package or no BIOS to be had; else what v86 cannot be.
pub fn invocation(pc: &Pc, program: PathBuf) -> Result<Invocation> {
    ensure!(pc.machine == Machine::Pc, "v86 has no ISA-only PC");
    ensure!(pc.adapter == Adapter::Vga, "v86 has a VGA alone");
    ensure!(pc.speed == Speed::Full, "v86 keeps no exact speed: use QEMU for that");
    ensure!(pc.disks.len() <= 1, "with v86, one hard disk is the most");
    ensure!(pc.display == Display::None, "v86 under Node has no window");
    let Network::User(user) = &pc.network else { bail!("v86 takes no --netdev") };
    let (bios, vga) = (rom("bios.bin")?, rom("vgabios-stdvga.bin")?);
    let home = setup::clients::v86()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let mut arguments = vec![
        workspace::root().join("tools/xtask/e2e/v86.mjs").into(),
        home.into(),
        port.to_string().into(),
        pc.memory_mb.to_string().into(),
        bios.into(),
        vga.into(),
        pc.floppy.as_ref().map_or("-".into(), |floppy| floppy.into()),
    ];
    arguments.extend(pc.disks.first().map(|disk| disk.into()));
    let com1 = Com1::Slip(Gateway {
        listener,
        guest: user.fixed.map_or(slip::GUEST, |fixed| fixed.0),
        forwards: user.forwards.clone(),
    });
    Ok(Invocation { program, arguments, com1 })
}

fn rom(name: &str) -> Result<PathBuf> {
    let mut places = SHARES.iter().map(|share| Path::new(share).join(name));
    let why = || Skipped(format!("no {name} of SeaBIOS; on Debian: apt-get install seabios"));
    places.find(|file| file.is_file()).ok_or_else(|| why().into())
}
