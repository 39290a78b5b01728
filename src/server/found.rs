//! What the start found on the PC, in words that help somebody who is not in front of it. On the
//! screen, on COM1, and again in SITE STATS.
//!
//! Called at the start alone.

use core::fmt;

use super::desk::Desk;
use super::machine::Machine;
use crate::block::{DiskId, DiskKind, Disks};
use crate::config::Severity;
use crate::net::nic::{Class, Nic};
use crate::text::Printable;
use crate::vfs::Drive;
use crate::vfs::drives::Drives;

/// A number of sectors, for people.
struct Size(u32);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // From 10 MB on, kilobytes tell nobody anything.
        let (number, unit) =
            if self.0 < 20 * 1024 { (self.0 / 2, "KB") } else { (self.0 / 2048, "MB") };
        write!(f, "{number} {unit}")
    }
}

/// A station address as cards are labelled with it.
pub(super) struct Station(pub(super) [u8; 6]);

impl fmt::Display for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

// Not inlined, here and below: the start goes on below whoever calls these.
/// The disks, with their size and how they are reached.
#[inline(never)]
pub fn disks(desk: &mut Desk<'_>, machine: &mut impl Machine, disks: &dyn Disks) {
    for info in (0..disks.count()).filter_map(|number| disks.info(DiskId(number))) {
        desk.found(
            machine,
            format_args!(
                "Disk {:02X}h: {}, {}, by {}",
                info.bios_number,
                if info.kind == DiskKind::Floppy { "floppy drive" } else { "hard disk" },
                Size(info.capacity),
                info.access
            ),
        );
    }
}

/// The drives: letter, disk, type, size and label. Says what is wrong with them, too.
#[inline(never)]
pub fn drives(desk: &mut Desk<'_>, machine: &mut impl Machine, drives: &mut Drives<'_>) {
    messages(desk, machine, drives);
    let mut hard_disks = false;
    for info in (0..26).filter_map(Drive::from_index).filter_map(|drive| drives.info(drive)) {
        let is_floppy = info.letter.index() < 2;
        hard_disks |= !is_floppy;
        let (letter, disk) = (info.letter, info.bios_number);
        match info.volume {
            Some(volume) => desk.found(
                machine,
                format_args!(
                    "Drive {letter}: disk {disk:02X}h, type {:02X}h, {}, {}, {}",
                    info.partition,
                    volume.fat_type,
                    // A volume has 2^32 sectors at most.
                    Size((volume.size >> 9) as u32),
                    Printable(
                        volume.label.as_ref().map_or(b"no label", |label| label.trim_ascii())
                    )
                ),
            ),
            None if is_floppy => desk.found(
                machine,
                format_args!("Drive {letter}: disk {disk:02X}h, read when it is first used"),
            ),
            // Why it is not mounted was among the messages.
            None => {}
        }
    }
    if !hard_disks {
        desk.say(machine, format_args!("{NO_HARD_DISK}"), Severity::Warning);
    }
}

/// What to do about a PC that can serve its floppies alone.
const NO_HARD_DISK: &str = "Warning: no hard disk with a FAT partition found, so only floppies are served. \
     Check the disk's cables and its entry in the BIOS setup; a new disk needs FDISK and FORMAT first";

/// What is wrong with disks.
pub fn messages(desk: &mut Desk<'_>, machine: &mut impl Machine, drives: &mut Drives<'_>) {
    while let Some(message) = drives.message() {
        desk.say(machine, format_args!("{message}"), Severity::Warning);
    }
}

/// The network card, or the serial line in its place.
pub fn card(desk: &mut Desk<'_>, machine: &mut impl Machine, card: &dyn Nic) {
    let info = card.info();
    let station = (info.class == Class::Ethernet).then(|| Station(card.address()));
    desk.found(
        machine,
        format_args!(
            "Network: {} at port {:X}h{}{}",
            info.name,
            info.io,
            Led(", IRQ ", info.irq),
            Led(", station ", station)
        ),
    );
}

/// What there may be, led by its name; nothing otherwise.
struct Led<T>(&'static str, Option<T>);

impl<T: fmt::Display> fmt::Display for Led<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1.as_ref().map_or(Ok(()), |value| write!(f, "{}{value}", self.0))
    }
}
