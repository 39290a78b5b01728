//! The trait through which everything above reaches disks, and its newtypes.
//!
//! One object stands for all disks of the PC ([`Disks`]), because one BIOS does: a call names its
//! disk. Transfers are whole sectors, many in one call where the caller has them in a row; how many
//! a command of the hardware carries is the implementation's business.

use core::fmt;

/// Bytes in a sector. Disks with other sector sizes are not served.
pub const SECTOR: usize = 512;

/// Logical block address: a sector's number from the start of its disk (28 bits are used).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lba(pub u32);

impl Lba {
    /// The sector `count` further on; `None` past the end of 32 bits.
    pub const fn offset(self, count: u32) -> Option<Lba> {
        match self.0.checked_add(count) {
            Some(lba) => Some(Lba(lba)),
            None => None,
        }
    }
}

/// A disk of this PC: 0 to [`Disks::count`] - 1, floppies first, then hard disks in BIOS order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskId(pub u8);

/// What sort of drive it is; decides the drive letters (DOS: floppies A and B, hard disks from C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskKind {
    /// A diskette drive: no partition table, medium can be changed.
    Floppy,
    /// A hard disk or CompactFlash card, with or without a partition table.
    Hard,
}

/// How a disk is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// INT 13h functions 02h/03h with cylinder, head and sector.
    BiosChs,
    /// INT 13h extensions, functions 42h/43h.
    BiosLba,
    /// The IDE controller's ports, without the BIOS.
    Ata,
    /// Not a PC's disk at all: a simulation.
    Simulated,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::BiosChs => "INT 13h",
            Access::BiosLba => "INT 13h (LBA)",
            Access::Ata => "ATA",
            Access::Simulated => "simulated",
        })
    }
}

/// What is known of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskInfo {
    /// Floppy or hard disk.
    pub kind: DiskKind,
    /// Number of sectors; for a floppy, of the medium now in the drive (0: none, or not read yet).
    pub sectors: u32,
    /// Sectors of the largest medium that the drive takes; of a hard disk, its own.
    pub capacity: u32,
    /// How it is reached.
    pub access: Access,
    /// The BIOS's number for it (00h, 01h: floppies; 80h and up: hard disks).
    pub bios_number: u8,
}

/// Why a disk command failed, after the driver's own retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskError {
    /// No such disk, no medium in the drive, or the drive does not answer.
    NotReady,
    /// The medium is write-protected.
    WriteProtected,
    /// The medium was changed since the last command. Nothing was transferred. Reported once.
    Changed,
    /// The sectors are not on the disk.
    OutOfRange,
    /// The medium is bad there (CRC error, sector not found) or the controller failed.
    /// `code` is the hardware's own word for it: INT 13h status (AH) or ATA error register.
    Failed {
        /// INT 13h status or ATA error register.
        code: u8,
    },
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskError::NotReady => f.write_str("drive not ready"),
            DiskError::WriteProtected => f.write_str("disk is write-protected"),
            DiskError::Changed => f.write_str("disk was changed"),
            DiskError::OutOfRange => f.write_str("sector beyond the end of the disk"),
            DiskError::Failed { code } => write!(f, "disk error {code:02X}h"),
        }
    }
}

/// All disks of the PC.
pub trait Disks {
    /// How many disks there are; they are numbered from 0.
    fn count(&self) -> u8;

    /// What is known of `disk`; `None` when there is no such disk.
    fn info(&self, disk: DiskId) -> Option<DiskInfo>;

    /// Reads the sectors from `lba` on into `buffer`, whose length is a multiple of [`SECTOR`].
    ///
    /// # Errors
    /// Any [`DiskError`]; the buffer's content is undefined then.
    fn read(&mut self, disk: DiskId, lba: Lba, buffer: &mut [u8]) -> Result<(), DiskError>;

    /// Writes `data`, whose length is a multiple of [`SECTOR`], to the sectors from `lba` on.
    /// Sectors of one call may reach the medium in any order; calls reach it in theirs, unless the
    /// drive has a write cache of its own, which [`Disks::flush`] empties.
    ///
    /// # Errors
    /// Any [`DiskError`]; which of the sectors were written is unknown then.
    fn write(&mut self, disk: DiskId, lba: Lba, data: &[u8]) -> Result<(), DiskError>;

    /// Returns when everything written is on the medium (ATA: FLUSH CACHE).
    ///
    /// # Errors
    /// Any [`DiskError`].
    fn flush(&mut self, disk: DiskId) -> Result<(), DiskError>;

    /// Milliseconds since any moment, by which commands are timed; they wrap.
    fn clock(&self) -> u32;

    /// Asks the drive whether its medium may have been changed since the last call
    /// (floppies: the change line, INT 13h function 16h). A drive without change line says `true`
    /// when it cannot know; hard disks say `false`. After `true`, [`Disks::info`] is of the new medium.
    fn changed(&mut self, disk: DiskId) -> bool;
}
