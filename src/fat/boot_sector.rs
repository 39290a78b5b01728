//! The boot sector of a volume: its geometry, checked before anything is believed.
//!
//! Calls nothing but `block`'s types. Sources: Microsoft FAT specification 1.03, section 3; for
//! floppies older than the BIOS parameter block, the media byte at the start of the first FAT
//! (IBM DOS Technical Reference, "Boot record / BPB").

use core::fmt;

use crate::block::SECTOR;

/// Bits of an entry of the allocation table; the number of clusters alone decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FatType {
    /// 12 bits, up to 4,084 clusters.
    Fat12,
    /// 16 bits, up to 65,524 clusters.
    Fat16,
    /// 28 of 32 bits.
    Fat32,
}

impl fmt::Display for FatType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FatType::Fat12 => "FAT12",
            FatType::Fat16 => "FAT16",
            FatType::Fat32 => "FAT32",
        })
    }
}

/// Why a volume is not mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootError {
    /// No FAT volume's boot sector: not formatted, or another file system.
    NotFat,
    /// Sectors of another size than 512 bytes.
    SectorSize,
    /// Numbers that contradict each other or the size of the partition.
    Inconsistent,
}

/// Where everything lies; sectors count from the start of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// By the number of clusters.
    pub fat_type: FatType,
    /// The boot sector.
    pub start: u32,
    /// Sectors of the volume.
    pub sectors: u32,
    /// Sectors a cluster: 1 to 128.
    pub cluster_sectors: u32,
    /// The first sector of the table in use.
    pub table: u32,
    /// Sectors of one table.
    pub table_sectors: u32,
    /// Sectors from the table in use to its copy; 0 where it has none.
    pub mirror: u32,
    /// The root directory's first sector (FAT12, FAT16).
    pub root: u32,
    /// The root directory's entries, a multiple of 16; 0 on FAT32.
    pub root_entries: u32,
    /// The root directory's first cluster (FAT32).
    pub root_cluster: u32,
    /// The sector of cluster 2.
    pub data: u32,
    /// Number of clusters: they are 2 to `clusters` + 1.
    pub clusters: u32,
    /// FSInfo sector (FAT32).
    pub info: Option<u32>,
    /// Offset in the boot sector of the byte whose bit 0 says that the volume was not closed.
    pub state_byte: Option<u16>,
    /// Label of the boot sector; may be out of date.
    pub label: Option<[u8; 11]>,
    /// Serial number; 0 where there is none.
    pub serial: u32,
    /// More copies of the table than are kept right here.
    pub odd_tables: bool,
}

struct Bytes<'s>(&'s [u8]);

impl Bytes<'_> {
    fn byte(&self, at: usize) -> u32 {
        u32::from(self.0.get(at).copied().unwrap_or(0))
    }

    fn word(&self, at: usize) -> u32 {
        self.byte(at) | self.byte(at + 1) << 8
    }

    fn long(&self, at: usize) -> u32 {
        self.word(at) | self.word(at + 2) << 16
    }

    /// Where the jump at the start leads: behind what the sector tells. Up to DOS 3.3 other things lie where
    /// the extended parameters are later.
    fn code(&self) -> u32 {
        match self.byte(0) {
            0xE9 => self.word(1) + 3,
            _ => self.byte(1) + 2,
        }
    }

    /// Whether there are extended parameters (FAT12, FAT16), up to the serial number or the label.
    fn is_extended(&self) -> bool {
        self.byte(38) == 0x28 && self.code() >= 43 || self.has_label()
    }

    fn has_label(&self) -> bool {
        self.byte(38) == 0x29 && self.code() >= 62
    }

    fn label(&self, at: usize) -> Option<[u8; 11]> {
        self.0.get(at..at + 11)?.try_into().ok()
    }
}

impl Geometry {
    /// Reads `sector`, the first of a partition of `available` sectors that begins at `start`.
    ///
    /// # Errors
    /// [`BootError`].
    pub fn parse(sector: &[u8], start: u32, available: u32) -> Result<Geometry, BootError> {
        let boot = Bytes(sector);
        let cluster_sectors = boot.byte(13);
        let reserved = boot.word(14);
        let tables = boot.byte(16);
        let media = boot.byte(21);
        if !cluster_sectors.is_power_of_two() || reserved == 0 || tables == 0 || media < 0xF0 {
            return Err(BootError::NotFat);
        }
        if boot.word(11) != SECTOR as u32 {
            let other = matches!(boot.word(11), 128 | 256 | 1024 | 2048 | 4096);
            return Err(if other { BootError::SectorSize } else { BootError::NotFat });
        }
        let root_entries = boot.word(17);
        let wide = boot.word(22) == 0;
        let table_sectors = if wide { boot.long(36) } else { boot.word(22) };
        let sectors = match boot.word(19) {
            0 => boot.long(32),
            short => short,
        };
        let root_sectors = root_entries.div_ceil(16);
        let heads = Self::layout(reserved, tables, table_sectors, root_sectors)
            .filter(|&head| head < sectors && sectors <= available)
            .ok_or(BootError::Inconsistent)?;
        let clusters = (sectors - heads) / cluster_sectors;
        let fat_type = match clusters {
            0 => return Err(BootError::Inconsistent),
            1..4085 => FatType::Fat12,
            4085..65525 => FatType::Fat16,
            _ => FatType::Fat32,
        };
        if (fat_type == FatType::Fat32) != wide || (wide && root_entries != 0) {
            return Err(BootError::Inconsistent);
        }
        let geometry = Geometry {
            fat_type,
            start,
            sectors,
            cluster_sectors,
            table: start + reserved,
            table_sectors,
            mirror: if tables == 2 { table_sectors } else { 0 },
            root: start + reserved + tables * table_sectors,
            root_entries: root_sectors * 16,
            root_cluster: 0,
            data: start + heads,
            clusters,
            info: None,
            state_byte: boot.is_extended().then_some(37),
            label: if boot.has_label() { boot.label(43) } else { None },
            serial: if boot.has_label() { boot.long(39) } else { 0 },
            odd_tables: tables > 2,
        };
        let geometry = if wide { geometry.with_fat32(&boot, reserved)? } else { geometry };
        geometry.check()
    }

    /// Sectors before the first cluster.
    fn layout(reserved: u32, tables: u32, table_sectors: u32, root: u32) -> Option<u32> {
        tables.checked_mul(table_sectors)?.checked_add(reserved)?.checked_add(root)
    }

    fn with_fat32(mut self, boot: &Bytes<'_>, reserved: u32) -> Result<Geometry, BootError> {
        if boot.word(42) != 0 {
            return Err(BootError::Inconsistent);
        }
        let flags = boot.word(40);
        if flags & 0x80 != 0 {
            // Mirroring is off: one table is in use, and it alone is written.
            let active = flags & 0x0F;
            if active >= boot.byte(16) {
                return Err(BootError::Inconsistent);
            }
            self.table += active * self.table_sectors;
            self.mirror = 0;
            self.odd_tables = false;
        }
        self.root_cluster = boot.long(44);
        self.info = match boot.word(48) {
            0 | 0xFFFF => None,
            info if info < reserved => Some(self.start + info),
            _ => None,
        };
        let extended = matches!(boot.byte(66), 0x28 | 0x29);
        self.state_byte = extended.then_some(65);
        self.label = if boot.byte(66) == 0x29 { boot.label(71) } else { None };
        self.serial = if extended { boot.long(67) } else { 0 };
        Ok(self)
    }

    /// The table must hold all clusters, and everything must be within 32 bits of sectors.
    fn check(self) -> Result<Geometry, BootError> {
        let bits = match self.fat_type {
            FatType::Fat12 => 12,
            FatType::Fat16 => 16,
            FatType::Fat32 => 32,
        };
        let entries = u64::from(self.table_sectors) * SECTOR as u64 * 8 / bits;
        let fits = entries >= u64::from(self.clusters) + 2;
        let ends = u64::from(self.start) + u64::from(self.sectors) <= u64::from(u32::MAX);
        let root = match self.fat_type {
            FatType::Fat32 => self.is_cluster(self.root_cluster) && self.clusters < 0x0FFF_FFF5,
            _ => self.root_entries != 0,
        };
        if fits && ends && root { Ok(self) } else { Err(BootError::Inconsistent) }
    }

    /// Whether `cluster` is a cluster of this volume.
    pub const fn is_cluster(&self, cluster: u32) -> bool {
        cluster >= 2 && cluster - 2 < self.clusters
    }

    /// Bytes a cluster.
    pub const fn cluster_bytes(&self) -> u32 {
        self.cluster_sectors * SECTOR as u32
    }

    /// The first sector of a cluster of this volume.
    pub const fn cluster_lba(&self, cluster: u32) -> u32 {
        self.data + (cluster - 2) * self.cluster_sectors
    }

    /// The geometry of a floppy without parameter block (DOS 1.x), by the media byte of its table.
    pub fn of_media(media: u8, sectors: u32) -> Option<Geometry> {
        let (total, cluster, root_entries, table_sectors) = match (media, sectors) {
            (0xFE, _) => (320, 1, 64, 1),
            (0xFF, _) => (640, 2, 112, 1),
            (0xFC, _) => (360, 1, 64, 2),
            (0xFD, _) => (720, 2, 112, 2),
            _ => return None,
        };
        if total > sectors {
            return None;
        }
        let head = 1 + 2 * table_sectors + root_entries / 16;
        Some(Geometry {
            fat_type: FatType::Fat12,
            start: 0,
            sectors: total,
            cluster_sectors: cluster,
            table: 1,
            table_sectors,
            mirror: table_sectors,
            root: 1 + 2 * table_sectors,
            root_entries,
            root_cluster: 0,
            data: head,
            clusters: (total - head) / cluster,
            info: None,
            state_byte: None,
            label: None,
            serial: 0,
            odd_tables: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floppy() -> [u8; 512] {
        let mut sector = [0; 512];
        sector[..3].copy_from_slice(&[0xEB, 0x3C, 0x90]);
        sector[11..22].copy_from_slice(&[0, 2, 1, 1, 0, 2, 224, 0, 0x40, 0x0B, 0xF0]);
        sector[22] = 9;
        sector
    }

    #[test]
    fn reads_a_floppy() {
        let geometry = Geometry::parse(&floppy(), 0, 2880).unwrap();
        assert_eq!(geometry.fat_type, FatType::Fat12);
        assert_eq!((geometry.root, geometry.data, geometry.clusters), (19, 33, 2847));
        assert_eq!(geometry.state_byte, None);
    }

    /// A volume of so many clusters of one sector.
    fn of_clusters(clusters: u32, wide: bool) -> Result<Geometry, BootError> {
        let mut sector = floppy();
        let (table, root, reserved) = if wide { (600u32, 0u16, 32) } else { (260, 16, 1) };
        let total = clusters + 2 * table + u32::from(root) / 16 + reserved;
        sector[14] = reserved as u8;
        sector[17..19].copy_from_slice(&root.to_le_bytes());
        sector[19..21].fill(0);
        sector[22..24].copy_from_slice(&(if wide { 0 } else { table as u16 }).to_le_bytes());
        sector[32..36].copy_from_slice(&total.to_le_bytes());
        if wide {
            sector[36..40].copy_from_slice(&table.to_le_bytes());
            sector[44..48].copy_from_slice(&2u32.to_le_bytes());
        }
        Geometry::parse(&sector, 0, total)
    }

    #[test]
    fn the_number_of_clusters_alone_decides_the_kind() {
        for (clusters, kind) in [
            (1, FatType::Fat12),
            (4084, FatType::Fat12),
            (4085, FatType::Fat16),
            (65_524, FatType::Fat16),
        ] {
            let geometry = of_clusters(clusters, false).unwrap();
            assert_eq!((geometry.clusters, geometry.fat_type), (clusters, kind));
            assert_eq!(of_clusters(clusters, true), Err(BootError::Inconsistent), "{clusters}");
        }
        let geometry = of_clusters(65_525, true).unwrap();
        assert_eq!((geometry.clusters, geometry.fat_type), (65_525, FatType::Fat32));
        assert_eq!(of_clusters(65_525, false), Err(BootError::Inconsistent));
    }

    #[test]
    fn believes_no_nonsense() {
        for (at, value, error) in [
            (11, 1, BootError::NotFat),
            (12, 4, BootError::SectorSize),
            (13, 3, BootError::NotFat),
            (14, 0, BootError::NotFat),
            (16, 0, BootError::NotFat),
            (21, 0x10, BootError::NotFat),
            (22, 1, BootError::Inconsistent),
            (22, 0, BootError::Inconsistent),
            (20, 0x0C, BootError::Inconsistent),
            (17, 0, BootError::Inconsistent),
        ] {
            let mut sector = floppy();
            sector[at] = value;
            assert_eq!(Geometry::parse(&sector, 0, 2880), Err(error), "byte {at}");
        }
        assert_eq!(Geometry::parse(&[0; 512], 0, 2880), Err(BootError::NotFat));
        assert_eq!(Geometry::parse(&[0xFF; 512], 0, u32::MAX), Err(BootError::NotFat));
    }
}
