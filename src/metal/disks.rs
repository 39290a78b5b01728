//! All disks of the PC: those that the BIOS knows, in its order, and IDE drives that it does not.
//!
//! A hard disk of the BIOS's is reached by ATA when it is proven which drive it is (hw::ata::owner).

use ftpsrv::block::{self, Access, DiskError, DiskId, DiskInfo, DiskKind, Disks, Lba, Transfer};
use ftpsrv::hw::ata::{Ata, Identity, MAX_DRIVES, Owner, owners};
use ftpsrv::hw::pic::Lines;
use ftpsrv::memory::{Memory, OutOfMemory};

use super::bios_disk::BiosDisks;
use super::memory::Arena;
use super::ports::IoPorts;

const MAX_DISKS: usize = 14;
/// Of the first IDE channel; the second one's follows.
const FIRST_LINE: Lines = 1 << 14;

/// The way to a disk.
#[derive(Clone, Copy)]
enum Route {
    Bios(DiskId),
    /// A drive of the IDE channels, and the number that the BIOS has for it or would have.
    Ata(u8, u8),
}

/// What was found at each place of an IDE drive, and whether it is served by DMA.
pub type Probes = [Option<(Identity, Owner, bool)>; MAX_DRIVES as usize];

/// All disks of the PC.
pub struct PcDisks {
    bios: BiosDisks,
    ata: Ata<IoPorts>,
    owners: [Owner; MAX_DRIVES as usize],
    routes: [Option<Route>; MAX_DISKS],
    count: u8,
}

impl PcDisks {
    /// Asks the BIOS and the IDE channels for their drives. [`PcDisks::assign`] makes disks of them.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    // Not inlined, here and below: what these build passes over the stack once, and must not stay.
    #[inline(never)]
    pub fn find(memory: &mut Arena) -> Result<&'static mut PcDisks, OutOfMemory> {
        let bios = BiosDisks::find(memory)?;
        let disks = PcDisks {
            bios,
            ata: Ata::unknown(IoPorts),
            owners: [Owner::Nobody; MAX_DRIVES as usize],
            routes: [None; MAX_DISKS],
            count: 0,
        };
        let disks = memory.place("disks", disks)?;
        disks.ata.look(IoPorts);
        Ok(disks)
    }

    /// Finds out which drives of the BIOS's are which of the IDE channels', and numbers all.
    #[inline(never)]
    pub fn assign(&mut self) {
        self.owners = owners(&mut self.bios, &mut self.ata);
        let mut next = 0x80;
        for disk in (0..self.bios.count()).map(DiskId) {
            let Some(info) = self.bios.info(disk) else { continue };
            next = next.max(info.bios_number.saturating_add(1));
            let drive = self.owners.iter().position(|&owner| owner == Owner::Proven(disk));
            self.add(match drive {
                Some(drive) => self.by_ata(drive as u8, info.bios_number),
                None => Some(Route::Bios(disk)),
            });
        }
        let owners = self.owners;
        for (drive, _) in (0..).zip(owners).filter(|&(_, owner)| owner == Owner::Nobody) {
            let route = self.by_ata(drive, next);
            next = next.saturating_add(u8::from(route.is_some()));
            self.add(route);
        }
    }

    /// What was found on the IDE channels.
    #[inline(never)]
    pub fn probes(&self) -> Probes {
        let mut number = 0..;
        self.owners.map(|owner| {
            let drive = number.next()?;
            Some((*self.ata.identity(drive)?, owner, self.ata.does_dma(drive)))
        })
    }

    /// The interrupt lines of channels that are ours, whose drives raise them, and do DMA where that works, from now
    /// on. None where a hard
    /// disk is the BIOS's: its calls may set up the drives of both channels, and wait for their interrupts.
    pub fn use_interrupts(&mut self) -> Lines {
        let mut lines = 0;
        for route in self.routes.iter().flatten() {
            match *route {
                Route::Ata(drive, _) => {
                    let channel = usize::from(drive / 2);
                    self.ata.use_interrupt(channel);
                    lines |= FIRST_LINE << channel;
                }
                Route::Bios(disk) if self.is_hard(disk) => return 0,
                Route::Bios(_) => {}
            }
        }
        lines
    }

    fn by_ata(&self, drive: u8, bios_number: u8) -> Option<Route> {
        self.ata.identity(drive).map(|_| Route::Ata(drive, bios_number))
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
        if self.is_hard(disk) {
            self.ata.lost_control();
        }
        &mut self.bios
    }

    fn is_hard(&self, disk: DiskId) -> bool {
        self.bios.info(disk).is_some_and(|info| info.kind == DiskKind::Hard)
    }
}

impl Disks for PcDisks {
    fn count(&self) -> u8 {
        self.count
    }

    fn info(&self, disk: DiskId) -> Option<DiskInfo> {
        match self.route(disk).ok()? {
            Route::Bios(disk) => self.bios.info(disk),
            Route::Ata(drive, bios_number) => {
                let sectors = self.ata.identity(drive)?.sectors;
                let (kind, access) = (DiskKind::Hard, Access::Ata);
                Some(DiskInfo { kind, sectors, capacity: sectors, access, bios_number })
            }
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

    fn move_some(
        &mut self,
        owner: block::Owner,
        disk: DiskId,
        lba: Lba,
        transfer: Transfer<'_>,
        ahead: u32,
    ) -> Result<usize, DiskError> {
        match self.route(disk)? {
            Route::Ata(drive, _) => {
                let now = self.clock();
                self.ata.move_some(owner, drive, lba, transfer, ahead, now)
            }
            Route::Bios(_) if self.engaged(disk, Some(owner)) => Ok(0),
            Route::Bios(disk) => self.bios(disk).move_some(owner, disk, lba, transfer, ahead),
        }
    }

    fn flush_some(&mut self, owner: block::Owner, disk: DiskId) -> Result<bool, DiskError> {
        match self.route(disk)? {
            Route::Ata(drive, _) => {
                let now = self.clock();
                self.ata.flush_some(owner, drive, now)
            }
            Route::Bios(_) => self.flush(disk).map(|()| true),
        }
    }

    fn pin(&mut self, owner: block::Owner) {
        self.ata.pin(owner);
    }

    fn release(&mut self, owner: block::Owner) {
        self.ata.release(owner);
    }

    fn engaged(&mut self, disk: DiskId, owner: Option<block::Owner>) -> bool {
        let now = self.clock();
        match self.route(disk) {
            Ok(Route::Ata(drive, _)) => self.ata.engaged(drive, owner, now),
            // Its BIOS call may set up the drives of both channels.
            Ok(Route::Bios(disk)) if self.is_hard(disk) => {
                self.ata.engaged(0, None, now) || self.ata.engaged(2, None, now)
            }
            _ => false,
        }
    }

    fn under_way(&mut self, disk: DiskId) -> Option<(block::Owner, bool)> {
        match self.route(disk) {
            Ok(Route::Ata(drive, _)) => self.ata.under_way(drive),
            _ => None,
        }
    }

    fn flush(&mut self, disk: DiskId) -> Result<(), DiskError> {
        match self.route(disk)? {
            Route::Bios(disk) => self.bios.flush(disk),
            Route::Ata(drive, _) => self.ata.flush(drive),
        }
    }

    fn clock(&self) -> u32 {
        self.bios.clock()
    }

    fn changed(&mut self, disk: DiskId) -> bool {
        match self.route(disk) {
            Ok(Route::Bios(disk)) => self.bios.changed(disk),
            _ => false,
        }
    }
}
