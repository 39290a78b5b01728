//! Which disk of the BIOS's is which drive.
//!
//! A disk is taken from the BIOS only when two proofs agree: a read through the BIOS went to the
//! drive's registers, and sectors all over the disk are the same both ways. (Disk managers and odd
//! translations show another disk than the drive's; two disks may be copies of each other.) Where
//! there is doubt, the BIOS keeps the whole channel: a reset takes both drives, and with them what
//! the BIOS set up.

use super::{Ata, MAX_DRIVES, Trace};
use crate::block::{DiskId, DiskKind, Disks, Lba, SECTOR};
use crate::hw::ports::Ports;

/// Places in a partition table.
const PARTITIONS: usize = 4;
/// Parts of a disk at whose ends both ways are compared.
const SPREAD: u32 = 4;

/// Whose a drive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// There is none, or the BIOS does not know it.
    Nobody,
    /// It is this disk of the BIOS's.
    Proven(DiskId),
    /// It is the BIOS's, or may be, or shares a channel with one that is: not to be touched.
    Unproven,
}

/// Whose the drives are: what `bios` calls each of them.
#[inline(never)]
pub fn owners<P: Ports>(bios: &mut dyn Disks, ata: &mut Ata<P>) -> [Owner; MAX_DRIVES as usize] {
    let mut owners = [Owner::Nobody; MAX_DRIVES as usize];
    if ata.drives().next().is_none() {
        return owners;
    }
    // Disks that the BIOS reads without these registers, a bit for each.
    let mut elsewhere = 0;
    for disk in (0..bios.count()).map(DiskId) {
        if bios.info(disk).is_none_or(|info| info.kind == DiskKind::Floppy) {
            continue;
        }
        let mut sector = [0; SECTOR];
        ata.mark();
        let read = bios.read(disk, Lba(0), &mut sector);
        let owner = match ata.trace() {
            Trace::Drive(drive) => owners.get_mut(usize::from(drive)),
            Trace::None if read.is_ok() => {
                elsewhere |= 1u32 << (disk.0 & 31);
                continue;
            }
            _ => None,
        };
        // A command that cannot be traced leaves no drive of which it is certain that the BIOS does
        // not use it.
        let Some(owner) = owner else { return [Owner::Unproven; MAX_DRIVES as usize] };
        *owner = match *owner {
            Owner::Nobody if read.is_ok() => Owner::Proven(disk),
            _ => Owner::Unproven,
        };
    }
    for (drive, owner) in (0..).zip(&mut owners) {
        let is_doubtful = match *owner {
            Owner::Proven(disk) => !same(bios, disk, ata, drive),
            // A BIOS that does not use the registers (DOSBox-X's) may still have a drive's disk, and one that is
            // served twice is soon destroyed: what is the same, be it a copy, is not touched.
            Owner::Nobody => (0..bios.count())
                .filter(|disk| elsewhere >> disk & 1 != 0)
                .any(|disk| same(bios, DiskId(disk), ata, drive)),
            Owner::Unproven => false,
        };
        if is_doubtful {
            *owner = Owner::Unproven;
        }
    }
    for channel in owners.chunks_mut(2) {
        if channel.contains(&Owner::Unproven) {
            channel.fill(Owner::Unproven);
        }
    }
    owners
}

/// Whether the BIOS's disk is the drive, sector by sector: its partition table, the first sectors of
/// its partitions, and some spread over what the BIOS can reach, up to the last.
#[inline(never)]
fn same<P: Ports>(bios: &mut dyn Disks, disk: DiskId, ata: &mut Ata<P>, drive: u8) -> bool {
    let Some(reach) = bios.info(disk).map(|info| info.sectors) else { return false };
    if reach == 0 || ata.identity(drive).is_none_or(|identity| identity.sectors < reach) {
        return false;
    }
    let mut first = [0; SECTOR];
    if !ata.probe(drive, Lba(0), &mut first) {
        return false;
    }
    let partitions = (0..PARTITIONS).filter_map(|entry| {
        let at = 0x1BE + entry * 16 + 8;
        Some(u32::from_le_bytes(first.get(at..at + 4)?.try_into().ok()?))
    });
    let spread = (0..=SPREAD)
        .map(|part| (u64::from(reach - 1) * u64::from(part) / u64::from(SPREAD)) as u32);
    let mut places = partitions.filter(|&start| start < reach).chain(spread);
    places.all(|place| {
        let (mut by_bios, mut by_ata) = ([0; SECTOR], [1; SECTOR]);
        bios.read(disk, Lba(place), &mut by_bios).is_ok()
            && ata.probe(drive, Lba(place), &mut by_ata)
            && by_bios == by_ata
    })
}
