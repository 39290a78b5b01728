//! All disks of the PC: those that the BIOS knows, in its order, and IDE drives that it does not.
//!
//! A hard disk of the BIOS's is reached by ATA when it is proven which drive it is: a read through
//! the BIOS went to that drive's registers, and sectors all over the disk are the same both ways.
//! (Disk managers and odd translations show another disk than the drive's.) Where there is doubt,
//! the BIOS keeps the whole channel: a reset takes both drives, and with them what the BIOS set up.

use ftpsrv::block::{Access, DiskError, DiskId, DiskInfo, DiskKind, Disks, Lba, SECTOR};
use ftpsrv::hw::ata::{Ata, MAX_DRIVES, Trace};

use super::bios_disk::BiosDisks;
use super::ports::IoPorts;

const MAX_DISKS: usize = 14;
/// Places in a partition table.
const PARTITIONS: usize = 4;
/// Places spread over a disk where both ways are compared.
const SPREAD: u32 = 4;

/// The way to a disk.
#[derive(Clone, Copy)]
enum Route {
    Bios(DiskId),
    /// A drive of the IDE channels, and how it is shown.
    Ata(u8, DiskInfo),
}

/// What the BIOS calls an IDE drive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The BIOS does not know it.
    None,
    Proven(DiskId),
    Doubtful,
}

/// All disks of the PC.
pub struct PcDisks {
    bios: BiosDisks,
    ata: Ata<IoPorts>,
    routes: [Option<Route>; MAX_DISKS],
    count: u8,
}

impl PcDisks {
    /// Asks the BIOS and the IDE channels for their drives.
    // Not inlined, here and below: what these build passes over the stack once, and must not stay.
    #[inline(never)]
    pub fn find() -> PcDisks {
        let mut bios = BiosDisks::find();
        let mut ata = Ata::find(IoPorts);
        let owners = owners(&mut bios, &mut ata);
        let mut disks = PcDisks { bios, ata, routes: [None; MAX_DISKS], count: 0 };
        let mut next = 0x80;
        for disk in (0..disks.bios.count()).map(DiskId) {
            let Some(info) = disks.bios.info(disk) else { continue };
            next = next.max(info.bios_number.saturating_add(1));
            let drive = owners.iter().position(|&owner| owner == Owner::Proven(disk));
            disks.add(match drive {
                Some(drive) => disks.by_ata(drive as u8, info.bios_number),
                None => Some(Route::Bios(disk)),
            });
        }
        for (drive, _) in (0..).zip(owners).filter(|&(_, owner)| owner == Owner::None) {
            let route = disks.by_ata(drive, next);
            next = next.saturating_add(u8::from(route.is_some()));
            disks.add(route);
        }
        disks
    }

    fn by_ata(&self, drive: u8, bios_number: u8) -> Option<Route> {
        let sectors = self.ata.identity(drive)?.sectors;
        let info = DiskInfo { kind: DiskKind::Hard, sectors, access: Access::Ata, bios_number };
        Some(Route::Ata(drive, info))
    }

    fn add(&mut self, route: Option<Route>) {
        if let Some(slot) = self.routes.get_mut(usize::from(self.count))
            && route.is_some()
        {
            *slot = route;
            self.count += 1;
        }
    }

    fn route(&self, disk: DiskId) -> Result<Route, DiskError> {
        self.routes.get(usize::from(disk.0)).copied().flatten().ok_or(DiskError::NotReady)
    }

    /// The BIOS, of which a call for a hard disk may set up all of them.
    fn bios(&mut self, disk: DiskId) -> &mut BiosDisks {
        if self.bios.info(disk).is_some_and(|info| info.kind == DiskKind::Hard) {
            self.ata.lost_control();
        }
        &mut self.bios
    }
}

impl Disks for PcDisks {
    fn count(&self) -> u8 {
        self.count
    }

    fn info(&self, disk: DiskId) -> Option<DiskInfo> {
        match self.route(disk).ok()? {
            Route::Bios(disk) => self.bios.info(disk),
            Route::Ata(_, info) => Some(info),
        }
    }

    fn read(&mut self, disk: DiskId, lba: Lba, buffer: &mut [u8]) -> Result<(), DiskError> {
        match self.route(disk)? {
            Route::Bios(disk) => self.bios(disk).read(disk, lba, buffer),
            Route::Ata(drive, _) => self.ata.read(drive, lba, buffer),
        }
    }

    fn write(&mut self, disk: DiskId, lba: Lba, data: &[u8]) -> Result<(), DiskError> {
        match self.route(disk)? {
            Route::Bios(disk) => self.bios(disk).write(disk, lba, data),
            Route::Ata(drive, _) => self.ata.write(drive, lba, data),
        }
    }

    fn flush(&mut self, disk: DiskId) -> Result<(), DiskError> {
        match self.route(disk)? {
            Route::Bios(disk) => self.bios.flush(disk),
            Route::Ata(drive, _) => self.ata.flush(drive),
        }
    }

    fn changed(&mut self, disk: DiskId) -> bool {
        match self.route(disk) {
            Ok(Route::Bios(disk)) => self.bios.changed(disk),
            _ => false,
        }
    }
}

/// Whose the IDE drives are.
#[inline(never)]
fn owners(bios: &mut BiosDisks, ata: &mut Ata<IoPorts>) -> [Owner; MAX_DRIVES as usize] {
    let mut owners = [Owner::None; MAX_DRIVES as usize];
    if ata.drives().next().is_none() {
        return owners;
    }
    for disk in (0..bios.count()).map(DiskId) {
        if bios.info(disk).is_none_or(|info| info.kind == DiskKind::Floppy) {
            continue;
        }
        let mut sector = [0; SECTOR];
        ata.mark();
        let read = bios.read(disk, Lba(0), &mut sector);
        let owner = match ata.trace() {
            Trace::Drive(drive) => owners.get_mut(usize::from(drive)),
            Trace::None if read.is_ok() => continue,
            _ => None,
        };
        // A command that cannot be traced leaves no drive of which it is certain that the BIOS does
        // not use it.
        let Some(owner) = owner else { return [Owner::Doubtful; MAX_DRIVES as usize] };
        *owner = match *owner {
            Owner::None if read.is_ok() => Owner::Proven(disk),
            _ => Owner::Doubtful,
        };
    }
    for (drive, owner) in (0..).zip(&mut owners) {
        if let Owner::Proven(disk) = *owner
            && !same(bios, disk, ata, drive)
        {
            *owner = Owner::Doubtful;
        }
    }
    for channel in owners.chunks_mut(2) {
        if channel.contains(&Owner::Doubtful) {
            channel.fill(Owner::Doubtful);
        }
    }
    owners
}

/// Whether the BIOS's disk is the drive, sector by sector: its partition table, the first sectors of
/// its partitions, and some spread over what the BIOS can reach, up to the last.
#[inline(never)]
fn same(bios: &mut BiosDisks, disk: DiskId, ata: &mut Ata<IoPorts>, drive: u8) -> bool {
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
