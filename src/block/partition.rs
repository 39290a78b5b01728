//! The partition table of PCs: four primary entries in the master boot record, and a chain of
//! extended boot records with logical drives (as FDISK of MS-DOS and PC DOS writes them).
//!
//! May call `block::cache`. Believes nothing: entries that lie outside the disk are left out, chains
//! that loop end.

use heapless::Vec;

use super::cache::{Cache, CacheError};
use super::device::{DiskId, SECTOR};

/// Partitions that one disk can have here.
pub const MAX_PARTITIONS: usize = 24;

/// Where a partition stands in its disk's tables; decides its drive letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The whole disk, without a table.
    Whole,
    /// In the master boot record.
    Primary {
        /// Whether it is marked active.
        active: bool,
    },
    /// A logical drive in the extended partition.
    Logical,
}

/// A partition that may hold FAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Its disk.
    pub disk: DiskId,
    /// First sector.
    pub start: u32,
    /// Number of sectors, within the disk.
    pub sectors: u32,
    /// Type byte of the table: 01h, 04h, 06h, 0Bh, 0Ch, 0Eh; 0 for a disk without table.
    pub kind: u8,
    /// Where it stands.
    pub place: Place,
}

/// What a disk's tables say.
pub type Partitions = Vec<Partition, MAX_PARTITIONS>;

/// Why a disk's tables are not believed, or not all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableProblem {
    /// Neither a boot sector nor a partition table that names a FAT partition.
    NoFat,
    /// An entry lies outside the disk or the chain of logical drives makes no sense.
    Inconsistent,
}

const fn is_fat(kind: u8) -> bool {
    matches!(kind, 0x01 | 0x04 | 0x06 | 0x0B | 0x0C | 0x0E)
}

const fn is_extended(kind: u8) -> bool {
    matches!(kind, 0x05 | 0x0F | 0x85)
}

#[derive(Clone, Copy)]
struct Entry {
    active: bool,
    kind: u8,
    start: u32,
    sectors: u32,
}

fn entries(sector: &[u8]) -> Option<[Entry; 4]> {
    if sector.len() < SECTOR || sector[510..512] != [0x55, 0xAA] {
        return None;
    }
    let long = |at: usize| {
        u32::from_le_bytes([sector[at], sector[at + 1], sector[at + 2], sector[at + 3]])
    };
    Some(core::array::from_fn(|number| {
        let at = 446 + number * 16;
        Entry {
            active: sector[at] == 0x80,
            kind: sector[at + 4],
            start: long(at + 8),
            sectors: long(at + 12),
        }
    }))
}

/// A disk without table begins with a volume's boot sector: a jump, and 512 bytes a sector. A partition
/// table's boot code may begin with a jump too, so its four entries must not look right.
fn is_boot_sector(sector: &[u8]) -> bool {
    let jump = (sector[0] == 0xEB && sector[2] == 0x90) || sector[0] == 0xE9;
    jump && sector[11..13] == [0, 2]
        && sector[13].is_power_of_two()
        && (1..=2).contains(&sector[16])
        && (sector[21] >= 0xF0)
}

/// Reads the tables of `disk`, which has `sectors` sectors.
///
/// # Errors
/// [`CacheError`] when the first sector cannot be read; other problems are the second value.
pub fn scan(
    cache: &mut Cache<'_>,
    disk: DiskId,
    sectors: u32,
) -> Result<(Partitions, Option<TableProblem>), CacheError> {
    let mut found = Partitions::new();
    let sector = cache.peek(disk, 0)?;
    if is_boot_sector(sector) {
        let whole = Partition { disk, start: 0, sectors, kind: 0, place: Place::Whole };
        let _ = found.push(whole);
        return Ok((found, None));
    }
    let Some(table) = entries(sector) else {
        return Ok((found, Some(TableProblem::NoFat)));
    };
    let mut problem = None;
    for entry in table.iter().filter(|entry| is_fat(entry.kind)) {
        let place = Place::Primary { active: entry.active };
        match within(entry.start, entry.sectors, 0, sectors) {
            Some((start, length)) => {
                let _ =
                    found.push(Partition { disk, start, sectors: length, kind: entry.kind, place });
            }
            None => problem = Some(TableProblem::Inconsistent),
        }
    }
    if let Some(extended) = table.iter().find(|entry| is_extended(entry.kind)) {
        let all_good = logical_drives(cache, disk, sectors, extended, &mut found);
        if !all_good {
            problem = Some(TableProblem::Inconsistent);
        }
    }
    if found.is_empty() {
        problem = problem.or(Some(TableProblem::NoFat));
    }
    Ok((found, problem))
}

/// Follows the chain of extended boot records. Their links count from the first one, and so always
/// go forward in a sound table; `false` when something made no sense.
fn logical_drives(
    cache: &mut Cache<'_>,
    disk: DiskId,
    sectors: u32,
    extended: &Entry,
    found: &mut Partitions,
) -> bool {
    let mut offset = 0u32;
    for _ in 0..MAX_PARTITIONS {
        let Some(at) = extended.start.checked_add(offset).filter(|&at| at != 0 && at < sectors)
        else {
            return false;
        };
        let Some(table) = cache.peek(disk, at).ok().and_then(entries) else {
            return false;
        };
        if let Some(drive) = table.iter().find(|entry| is_fat(entry.kind)) {
            let Some((start, length)) = within(drive.start, drive.sectors, at, sectors) else {
                return false;
            };
            let logical =
                Partition { disk, start, sectors: length, kind: drive.kind, place: Place::Logical };
            if found.push(logical).is_err() {
                return false;
            }
        }
        match table.iter().find(|entry| is_extended(entry.kind)) {
            None => return true,
            Some(link) if link.start > offset => offset = link.start,
            Some(_) => return false,
        }
    }
    false
}

/// The entry in sectors of the disk. DOS makes partitions that end a little past the sectors a drive
/// tells (CHS rounding); such an end is cut, a start outside is not believed.
fn within(start: u32, length: u32, base: u32, sectors: u32) -> Option<(u32, u32)> {
    let start = base.checked_add(start).filter(|&at| at != 0 && at < sectors)?;
    let length = length.min(sectors - start);
    if length == 0 { None } else { Some((start, length)) }
}
