//! A PC's disks with the ATA driver: floppies that are no chips, and drives of IDE channels.

use std::rc::Rc;

use ftpsrv::block::{Access, DiskError, DiskId, DiskInfo, DiskKind, Disks, Lba, Owner, Transfer};
use ftpsrv::hw::ata::Ata;

use crate::chips::bus::PortBus;
use crate::disk::SimDisks;

/// Floppies first, then the drives that the driver finds.
pub struct AtaDisks {
    floppies: SimDisks,
    ata: Ata<PortBus>,
    drives: Vec<u8>,
    bus: PortBus,
    /// Is told how many microseconds a call kept the PC waiting.
    on_wait: Rc<dyn Fn(u64)>,
}

impl AtaDisks {
    /// Looks for drives on the bus.
    pub fn find(floppies: SimDisks, bus: &PortBus, on_wait: Rc<dyn Fn(u64)>) -> AtaDisks {
        let mut ata = Ata::find(bus.clone());
        ata.use_interrupt(0);
        ata.use_interrupt(1);
        AtaDisks { floppies, drives: ata.drives().collect(), ata, bus: bus.clone(), on_wait }
    }

    /// The number of an IDE drive; `None` for a floppy.
    fn drive(&self, disk: DiskId) -> Option<u8> {
        let index = disk.0.checked_sub(self.floppies.count())?;
        self.drives.get(usize::from(index)).copied()
    }

    fn timed<T>(&mut self, act: impl FnOnce(&mut Ata<PortBus>, u32) -> T) -> T {
        let start = self.bus.now_us();
        let result = act(&mut self.ata, (start / 1000) as u32);
        (self.on_wait)(self.bus.now_us() - start);
        result
    }
}

impl Disks for AtaDisks {
    fn count(&self) -> u8 {
        self.floppies.count() + self.drives.len() as u8
    }

    fn info(&self, disk: DiskId) -> Option<DiskInfo> {
        let Some(drive) = self.drive(disk) else { return self.floppies.info(disk) };
        let sectors = self.ata.identity(drive)?.sectors;
        let (kind, access) = (DiskKind::Hard, Access::Ata);
        let bios_number = 0x80 + disk.0 - self.floppies.count();
        Some(DiskInfo { kind, sectors, capacity: sectors, access, bios_number })
    }

    fn read(&mut self, disk: DiskId, lba: Lba, buffer: &mut [u8]) -> Result<(), DiskError> {
        match self.drive(disk) {
            None => self.floppies.read(disk, lba, buffer),
            Some(drive) => self.timed(|ata, _| ata.read(drive, lba, buffer)),
        }
    }

    fn write(&mut self, disk: DiskId, lba: Lba, data: &[u8]) -> Result<(), DiskError> {
        match self.drive(disk) {
            None => self.floppies.write(disk, lba, data),
            Some(drive) => self.timed(|ata, _| ata.write(drive, lba, data)),
        }
    }

    fn flush(&mut self, disk: DiskId) -> Result<(), DiskError> {
        match self.drive(disk) {
            None => self.floppies.flush(disk),
            Some(drive) => self.timed(|ata, _| ata.flush(drive)),
        }
    }

    fn move_some(
        &mut self,
        owner: Owner,
        disk: DiskId,
        lba: Lba,
        transfer: Transfer<'_>,
        ahead: u32,
    ) -> Result<usize, DiskError> {
        match self.drive(disk) {
            None => self.floppies.move_some(owner, disk, lba, transfer, ahead),
            Some(drive) => {
                self.timed(|ata, now| ata.move_some(owner, drive, lba, transfer, ahead, now))
            }
        }
    }

    fn flush_some(&mut self, owner: Owner, disk: DiskId) -> Result<bool, DiskError> {
        match self.drive(disk) {
            None => self.floppies.flush_some(owner, disk),
            Some(drive) => self.timed(|ata, now| ata.flush_some(owner, drive, now)),
        }
    }

    fn pin(&mut self, owner: Owner) {
        self.ata.pin(owner);
    }

    fn release(&mut self, owner: Owner) {
        self.ata.release(owner);
    }

    fn engaged(&mut self, disk: DiskId, owner: Option<Owner>) -> bool {
        let drive = self.drive(disk);
        drive.is_some_and(|drive| self.timed(|ata, now| ata.engaged(drive, owner, now)))
    }

    fn under_way(&mut self, disk: DiskId) -> Option<(Owner, bool)> {
        let drive = self.drive(disk)?;
        self.timed(|ata, _| ata.under_way(drive))
    }

    fn clock(&self) -> u32 {
        self.floppies.clock().wrapping_add((self.bus.now_us() / 1000) as u32)
    }

    fn changed(&mut self, disk: DiskId) -> bool {
        self.drive(disk).is_none() && self.floppies.changed(disk)
    }
}
