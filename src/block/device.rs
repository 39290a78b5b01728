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

/// Whose a transfer or a dirty sector is: the number of a file handle, below 32.
pub type Owner = u8;

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

/// What goes between memory and disk.
pub enum Transfer<'a> {
    /// From the disk.
    Read(&'a mut [u8]),
    /// To the disk.
    Write(&'a [u8]),
}

impl Transfer<'_> {
    /// Its bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Transfer::Read(buffer) => buffer.len(),
            Transfer::Write(data) => data.len(),
        }
    }

    /// Whether it goes to the disk.
    pub fn is_write(&self) -> bool {
        matches!(self, Transfer::Write(_))
    }

    /// Its sectors.
    pub fn sectors(&self) -> u32 {
        (self.bytes() / SECTOR) as u32
    }

    /// Where its bytes begin.
    pub fn start(&self) -> *const u8 {
        match self {
            Transfer::Read(buffer) => buffer.as_ptr(),
            Transfer::Write(data) => data.as_ptr(),
        }
    }

    /// All from its `sector` on.
    pub fn from_sector(&mut self, sector: u32) -> Transfer<'_> {
        self.part(sector as usize * SECTOR, usize::MAX)
    }

    /// The part of `len` bytes from `at` on, or what there is of it.
    pub fn part(&mut self, at: usize, len: usize) -> Transfer<'_> {
        let part = at..at.saturating_add(len).min(self.bytes());
        match self {
            Transfer::Read(buffer) => Transfer::Read(buffer.get_mut(part).unwrap_or_default()),
            Transfer::Write(data) => Transfer::Write(data.get(part).unwrap_or_default()),
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

    /// Moves sectors from `lba` on, as [`Disks::read`] and [`Disks::write`], but does not wait for the drive: says
    /// how many bytes came, or are written and answered for. 0: the drive is at work, and the owner is to ask
    /// again soon, in case of a write with the same bytes at the start, or to call [`Disks::release`]. `ahead`: so
    /// many sectors behind those are likely to be read next.
    ///
    /// # Errors
    /// As [`Disks::read`] and [`Disks::write`].
    fn move_some(
        &mut self,
        _owner: Owner,
        disk: DiskId,
        lba: Lba,
        transfer: Transfer<'_>,
        _ahead: u32,
    ) -> Result<usize, DiskError> {
        let length = transfer.bytes();
        match transfer {
            Transfer::Read(buffer) => self.read(disk, lba, buffer)?,
            Transfer::Write(data) => self.write(disk, lba, data)?,
        }
        Ok(length)
    }

    /// As [`Disks::flush`], for what was written until now, but does not wait for the drive: whether it is done.
    /// If not, the owner is to ask again soon, and to write nothing until then, or to call [`Disks::release`].
    ///
    /// # Errors
    /// As [`Disks::flush`].
    fn flush_some(&mut self, _owner: Owner, disk: DiskId) -> Result<bool, DiskError> {
        self.flush(disk).map(|()| true)
    }

    /// Says that the memory that `owner` gives [`Disks::move_some`] stays in place from now on, and that he changes
    /// nothing in it that is not answered for until [`Disks::release`]: a bus master may read and write it between
    /// calls. A read may be asked for again with more room before it.
    fn pin(&mut self, _owner: Owner) {}

    /// Says that nobody asks again for what `owner` has begun, and that he keeps no memory in place any more.
    fn release(&mut self, _owner: Owner) {}

    /// Whether a transfer of `owner`'s, or without owner any other command, would have to wait for a command that
    /// is begun: to be tried again later. Those that do not care are carried out all the same, after it.
    fn engaged(&mut self, _disk: DiskId, _owner: Option<Owner>) -> bool {
        false
    }

    /// Whose command is begun on this disk, or on its neighbour, and not over; and whether the drive is at work, so
    /// that nobody's transfer there gets on. Cheaper than trying it.
    fn under_way(&mut self, _disk: DiskId) -> Option<(Owner, bool)> {
        None
    }

    /// Milliseconds since any moment, by which commands are timed; they wrap.
    fn clock(&self) -> u32;

    /// Asks the drive whether its medium may have been changed since the last call
    /// (floppies: the change line, INT 13h function 16h). A drive without change line says `true`
    /// when it cannot know; hard disks say `false`. After `true`, [`Disks::info`] is of the new medium.
    fn changed(&mut self, disk: DiskId) -> bool;
}
