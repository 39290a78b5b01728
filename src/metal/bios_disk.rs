//! Disks through the BIOS, INT 13h: floppies and hard disks, by cylinder, head and sector or, where
//! the BIOS has the extensions, by block address.
//!
//! Source: Phoenix, "Enhanced Disk Drive Specification" 3.0; IBM PC/AT Technical Reference, BIOS
//! listing. The buffer of a call lies in conventional memory and crosses no 64 KB line (floppy
//! DMA): the caller's own where it is such, else the bounce buffer of targets/kernel.ld.

use ftpsrv::block::geometry::{self, Geometry};
use ftpsrv::block::{Access, DiskError, DiskId, DiskInfo, DiskKind, Disks, Lba, SECTOR};
use ftpsrv::memory::{Memory, OutOfMemory};

use super::bios::Registers;
use super::clock;
use super::low;
use super::memory::Arena;

const TRIES: u32 = 4;
/// Blocks are addressed with 28 bits.
const MAX_SECTORS: u32 = 1 << 28;
/// A transfer of the extensions carries 127 sectors at most.
const MAX_TRANSFER: u32 = 127;
/// Where a disk address packet or a drive parameter table is built: the end of the register area.
const PACKET: usize = low::REGISTERS + 0x40;

/// INT 13h functions.
mod function {
    pub const RESET: u8 = 0x00;
    pub const READ: u8 = 0x02;
    pub const WRITE: u8 = 0x03;
    pub const PARAMETERS: u8 = 0x08;
    pub const DISK_TYPE: u8 = 0x15;
    pub const CHANGE_LINE: u8 = 0x16;
    pub const EXTENSIONS: u8 = 0x41;
    pub const EXTENDED_READ: u8 = 0x42;
    pub const EXTENDED_WRITE: u8 = 0x43;
    pub const EXTENDED_PARAMETERS: u8 = 0x48;
}

/// INT 13h status (AH).
mod status {
    pub const WRITE_PROTECTED: u8 = 0x03;
    pub const CHANGED: u8 = 0x06;
    /// Read with errors that ECC corrected.
    pub const CORRECTED: u8 = 0x11;
    pub const NO_MEDIA: u8 = 0x31;
    pub const TIME_OUT: u8 = 0x80;
    pub const NOT_READY: u8 = 0xAA;
}

#[derive(Clone, Copy)]
struct Drive {
    info: DiskInfo,
    /// Of the medium in a floppy drive, or of the hard disk.
    geometry: Geometry,
    change_line: bool,
    /// The largest format of a floppy drive.
    largest: Geometry,
}

/// What goes between memory and disk.
enum Transfer<'a> {
    Read(&'a mut [u8]),
    Write(&'a [u8]),
}

impl Transfer<'_> {
    fn address(&self) -> usize {
        match self {
            Transfer::Read(buffer) => buffer.as_ptr() as usize,
            Transfer::Write(data) => data.as_ptr() as usize,
        }
    }

    fn sectors(&self) -> u32 {
        let bytes = match self {
            Transfer::Read(buffer) => buffer.len(),
            Transfer::Write(data) => data.len(),
        };
        (bytes / SECTOR) as u32
    }
}

/// All disks that the BIOS knows.
pub struct BiosDisks {
    /// As many as the BIOS says that there are.
    drives: &'static mut [Option<Drive>],
    count: u8,
}

impl BiosDisks {
    /// Asks the BIOS for its drives.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn find(memory: &mut Arena) -> Result<BiosDisks, OutOfMemory> {
        let mut equipment = Registers::default();
        equipment.call(0x11);
        let floppies = if equipment.eax & 1 == 0 { 0 } else { (equipment.eax >> 6 & 3) as u8 + 1 };
        let floppies = floppies.min(2);
        let hard_disks = low::read::<u8>(low::HARD_DISKS).min(8);
        let drives = memory.slots("disks", usize::from(floppies + hard_disks), |_| None)?;
        let mut disks = BiosDisks { drives, count: 0 };
        for number in 0..floppies {
            disks.add(floppy(number));
        }
        for index in 0..hard_disks {
            if let Some(drive) = hard_disk(0x80 + index) {
                disks.add(drive);
            }
        }
        Ok(disks)
    }

    fn add(&mut self, drive: Drive) {
        if let Some(slot) = self.drives.get_mut(usize::from(self.count)) {
            *slot = Some(drive);
            self.count += 1;
        }
    }

    fn drive(&mut self, disk: DiskId) -> Result<&mut Drive, DiskError> {
        self.drives.get_mut(usize::from(disk.0)).and_then(Option::as_mut).ok_or(DiskError::NotReady)
    }

    fn transfer(
        &mut self,
        disk: DiskId,
        lba: Lba,
        mut transfer: Transfer<'_>,
    ) -> Result<(), DiskError> {
        let drive = self.drive(disk)?;
        if drive.info.sectors == 0 {
            drive.identify()?;
        }
        let count = transfer.sectors();
        let end = lba.0.checked_add(count).ok_or(DiskError::OutOfRange)?;
        if end > drive.info.sectors {
            return Err(DiskError::OutOfRange);
        }
        let mut done = 0;
        while done < count {
            match drive.piece(lba.0 + done, &mut transfer, done, count - done) {
                Ok(sectors) => done += sectors,
                Err(error) => {
                    if error == DiskError::Changed {
                        // What `info` says from now on is of the new medium, or of none.
                        let _ = drive.identify();
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl Disks for BiosDisks {
    fn count(&self) -> u8 {
        self.count
    }

    fn info(&self, disk: DiskId) -> Option<DiskInfo> {
        self.drives.get(usize::from(disk.0))?.map(|drive| drive.info)
    }

    fn read(&mut self, disk: DiskId, lba: Lba, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.transfer(disk, lba, Transfer::Read(buffer))
    }

    fn write(&mut self, disk: DiskId, lba: Lba, data: &[u8]) -> Result<(), DiskError> {
        self.transfer(disk, lba, Transfer::Write(data))
    }

    /// The BIOS returns from a write when the drive has taken the data, and knows no flush.
    fn flush(&mut self, disk: DiskId) -> Result<(), DiskError> {
        self.drive(disk).map(|_| ())
    }

    fn clock(&self) -> u32 {
        clock::rough()
    }

    fn changed(&mut self, disk: DiskId) -> bool {
        match self.drive(disk) {
            Ok(drive) if drive.info.kind == DiskKind::Floppy => drive.floppy_changed(),
            _ => false,
        }
    }
}

impl Drive {
    /// Transfers a piece of at most `left` sectors from `lba` on, sector `at` of the buffer; how
    /// many sectors that were. A piece that fails is tried again sector by sector.
    fn piece(
        &self,
        lba: u32,
        transfer: &mut Transfer<'_>,
        at: u32,
        left: u32,
    ) -> Result<u32, DiskError> {
        let address = transfer.address() + at as usize * SECTOR;
        let room = direct_room(address);
        let (buffer, room) = if room > 0 {
            (address, room)
        } else {
            (low::BOUNCE, (low::bounce_len() / SECTOR) as u32)
        };
        let track = match self.info.access {
            Access::BiosLba => MAX_TRANSFER,
            _ => self.geometry.to_track_end(lba),
        };
        let count = left.min(room).min(track).max(1);
        let bytes = at as usize * SECTOR..(at + count) as usize * SECTOR;
        if let Transfer::Write(data) = transfer
            && buffer == low::BOUNCE
        {
            low::bounce(count as usize * SECTOR).copy_from_slice(&data[bytes.clone()]);
        }
        let write = matches!(transfer, Transfer::Write(_));
        match self.attempt(lba, count, buffer, write) {
            Err(DiskError::Failed { .. }) if count > 1 => {
                for sector in 0..count {
                    let part = buffer + sector as usize * SECTOR;
                    self.attempt(lba + sector, 1, part, write)?;
                }
            }
            result => result?,
        }
        if let Transfer::Read(into) = transfer
            && buffer == low::BOUNCE
        {
            into[bytes].copy_from_slice(low::bounce(count as usize * SECTOR));
        }
        Ok(count)
    }

    /// One command with its retries, each after a reset of the controller.
    fn attempt(&self, lba: u32, count: u32, buffer: usize, write: bool) -> Result<(), DiskError> {
        let mut last = 0;
        for _ in 0..TRIES {
            last = match self.command(lba, count, buffer, write) {
                0 => return Ok(()),
                status::CORRECTED if !write => return Ok(()),
                code => code,
            };
            if matches!(last, status::CHANGED | status::WRITE_PROTECTED | status::NO_MEDIA) {
                break;
            }
            let mut reset = Registers::ax(u16::from(function::RESET) << 8);
            reset.edx = u32::from(self.info.bios_number);
            reset.call(0x13);
        }
        Err(match last {
            status::WRITE_PROTECTED => DiskError::WriteProtected,
            status::CHANGED => DiskError::Changed,
            status::NO_MEDIA | status::TIME_OUT | status::NOT_READY => DiskError::NotReady,
            code => DiskError::Failed { code },
        })
    }

    /// INT 13h; the status, 0 for success.
    fn command(&self, lba: u32, count: u32, buffer: usize, write: bool) -> u8 {
        let segment = (buffer >> 4) as u16;
        let offset = (buffer & 0xF) as u16;
        let mut registers = if self.info.access == Access::BiosLba {
            // The disk address packet: its size, sectors, buffer, first block.
            low::write(PACKET, 0x10u16);
            low::write(PACKET + 2, count as u16);
            low::write(PACKET + 4, offset);
            low::write(PACKET + 6, segment);
            low::write(PACKET + 8, u64::from(lba));
            // AL = 0: write without verify.
            let code = if write { function::EXTENDED_WRITE } else { function::EXTENDED_READ };
            Registers { esi: PACKET as u32, ..Registers::ax(u16::from(code) << 8) }
        } else {
            let (cylinder, head, sector) = self.geometry.chs(lba);
            let code = if write { function::WRITE } else { function::READ };
            let mut registers = Registers::ax(u16::from(code) << 8 | count as u16);
            registers.ebx = u32::from(offset);
            registers.es = segment;
            registers.ecx = (cylinder & 0xFF) << 8 | (cylinder >> 2 & 0xC0) | sector;
            registers.edx = head << 8;
            registers
        };
        registers.edx |= u32::from(self.info.bios_number);
        if registers.call(0x13) { 0 } else { registers.ah().max(1) }
    }

    /// Finds out what medium is in a floppy drive.
    fn identify(&mut self) -> Result<(), DiskError> {
        self.info.sectors = 0;
        if self.info.kind == DiskKind::Hard {
            return Err(DiskError::NotReady);
        }
        // Sector 1 of track 0 is where it is in every format. The first access to a fresh medium may
        // answer "changed".
        self.geometry = self.largest;
        let mut result = self.attempt(0, 1, low::BOUNCE, false);
        if result == Err(DiskError::Changed) {
            result = self.attempt(0, 1, low::BOUNCE, false);
        }
        result?;
        self.geometry = match geometry::of_boot_sector(low::bounce(SECTOR)) {
            Some(geometry) => geometry,
            None => self.probe(),
        };
        self.info.sectors = self.geometry.sectors();
        Ok(())
    }

    /// The format of a floppy whose boot sector does not tell it: that of its media byte, or the one with
    /// the longest track whose last sector can be read.
    fn probe(&self) -> Geometry {
        // The table's first sector is the second of track 0 in every format that has no parameter block.
        if self.attempt(1, 1, low::BOUNCE, false).is_ok()
            && let Some(geometry) = low::bounce(1).first().and_then(|&m| geometry::of_media(m))
        {
            return geometry;
        }
        let mut trial = *self;
        for format in geometry::FLOPPIES {
            trial.geometry = format;
            let last = format.sectors_per_track - 1;
            if format.sectors_per_track <= self.largest.sectors_per_track
                && trial.attempt(last, 1, low::BOUNCE, false).is_ok()
            {
                return format;
            }
        }
        self.largest
    }

    /// Whether the medium may be another one than at the last access.
    fn floppy_changed(&mut self) -> bool {
        let known = self.info.sectors != 0;
        // While the motor runs on after an access, nobody changed the disk (DOS reasons so, too).
        if known && low::read::<u8>(low::MOTOR_COUNT) != 0 {
            return false;
        }
        if known && self.change_line {
            let mut registers = Registers::ax(u16::from(function::CHANGE_LINE) << 8);
            registers.edx = u32::from(self.info.bios_number);
            if registers.call(0x13) {
                return false;
            }
        }
        // `info` shows 0 sectors when this fails.
        let _ = self.identify();
        true
    }
}

/// Sectors that a BIOS call can transfer right at `address`: 0 where it is out of its reach or
/// a 64 KB line is near.
fn direct_room(address: usize) -> u32 {
    if address >= 0xA_0000 {
        return 0;
    }
    geometry::sectors_to_dma_line(address).min(MAX_TRANSFER)
}

fn floppy(number: u8) -> Drive {
    let mut registers = Registers::ax(u16::from(function::PARAMETERS) << 8);
    registers.edx = u32::from(number);
    // A PC/XT BIOS does not know this function for floppies; its drives are 360 KB.
    let largest = if registers.call(0x13) { from_parameters(&registers) } else { None };
    let mut registers = Registers::ax(u16::from(function::DISK_TYPE) << 8);
    registers.edx = u32::from(number);
    let change_line = registers.call(0x13) && registers.ah() == 2;
    let largest = largest.unwrap_or(geometry::KB360);
    let info = DiskInfo {
        kind: DiskKind::Floppy,
        sectors: 0,
        capacity: largest.sectors(),
        access: Access::BiosChs,
        bios_number: number,
    };
    Drive { info, geometry: largest, change_line, largest }
}

fn from_parameters(registers: &Registers) -> Option<Geometry> {
    let geometry = Geometry {
        cylinders: ((registers.ecx >> 8 & 0xFF) | (registers.ecx << 2 & 0x300)) + 1,
        heads: (registers.edx >> 8 & 0xFF) + 1,
        sectors_per_track: registers.ecx & 0x3F,
    };
    (geometry.sectors_per_track > 0).then_some(geometry)
}

fn hard_disk(number: u8) -> Option<Drive> {
    let mut registers = Registers::ax(u16::from(function::PARAMETERS) << 8);
    registers.edx = u32::from(number);
    let geometry = if registers.call(0x13) { from_parameters(&registers) } else { None };
    let (access, sectors, geometry) = match (extended_sectors(number), geometry) {
        (Some(sectors), Some(geometry)) => (Access::BiosLba, sectors, geometry),
        (Some(sectors), None) => (Access::BiosLba, sectors, geometry::KB360),
        (None, Some(geometry)) => (Access::BiosChs, geometry.sectors(), geometry),
        (None, None) => return None,
    };
    let sectors = sectors.min(MAX_SECTORS);
    let info =
        DiskInfo { kind: DiskKind::Hard, sectors, capacity: sectors, access, bios_number: number };
    Some(Drive { info, geometry, change_line: false, largest: geometry })
}

/// Sectors of a disk that the BIOS's extensions reach by block address.
fn extended_sectors(number: u8) -> Option<u32> {
    let mut registers = Registers::ax(u16::from(function::EXTENSIONS) << 8);
    registers.ebx = 0x55AA;
    registers.edx = u32::from(number);
    let extended = registers.call(0x13)
        && registers.ebx & 0xFFFF == 0xAA55
        // Bit 0: functions 42h to 44h, 47h and 48h.
        && registers.ecx & 1 == 1;
    if !extended {
        return None;
    }
    low::write(PACKET, 0x1Au16);
    let mut registers = Registers::ax(u16::from(function::EXTENDED_PARAMETERS) << 8);
    registers.esi = PACKET as u32;
    registers.edx = u32::from(number);
    let sectors: u64 = if registers.call(0x13) { low::read(PACKET + 0x10) } else { 0 };
    let sector_bytes: u16 = low::read(PACKET + 0x18);
    (sectors > 0 && usize::from(sector_bytes) == SECTOR)
        .then(|| u32::try_from(sectors).unwrap_or(u32::MAX))
}
