//! Volumes to be damaged by hand: their tables' and directories' entries.

use bumpalo::Bump;
use ftpsrv::block::DiskKind;
use ftpsrv::vfs::{Drives, DrivesSize, Provider};

use crate::disk::{Medium, SimDisk, SimDisks};
use crate::fat_image::mkfs;
use crate::rig::{Arena, Random, STORE, make_dir, store};

/// A volume and its two tables, to write entries by hand.
pub struct Tables {
    /// The volume.
    pub medium: Medium,
    /// 12, 16 or 32.
    pub bits: u32,
    /// Sectors before the first table.
    pub reserved: u32,
    /// Sectors of a table.
    pub length: u32,
}

impl Tables {
    /// Two files of 20 clusters, A and B, one of one, C, and the directories D and D/E with a file F in
    /// it; closed properly. One volume of each kind.
    pub fn all() -> Vec<Tables> {
        [(720, 12), (4600, 16), (68_000, 32)]
            .map(|(sectors, bits)| Tables::new(sectors, bits))
            .into()
    }

    /// The same on a volume of so many sectors, each of which is a cluster.
    pub fn new(sectors: u32, bits: u32) -> Tables {
        let medium = mkfs(sectors, &["-F", &bits.to_string(), "-s", "1"]);
        let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let size = DrivesSize::of(24 * 1024);
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), size).expect("memory");
        for name in ["D", "D/E"] {
            make_dir(&mut drives, &format!("/drive_c/{name}")).expect("a directory");
        }
        for (name, size) in [("A", 10_000), ("B", 10_000), ("C", 100), ("D/E/F", 3000)] {
            let (name, data) = (format!("/drive_c/{name}"), Random(size as u64).bytes(size));
            store(&mut drives, &name, STORE, &data, 4096).expect("a file");
        }
        drives.flush().expect("a sound disk");
        Tables::of(disks.medium(0), bits)
    }

    /// Of this volume.
    pub fn of(medium: Medium, bits: u32) -> Tables {
        let boot = medium.sector(0);
        let word = |at: usize| u32::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
        let length = if bits == 32 { word(36) } else { word(22) };
        Tables { bits, reserved: word(14), length, medium }
    }

    /// Sets an entry in these copies.
    pub fn set(&mut self, copies: &[u32], cluster: u32, value: u32) {
        for &copy in copies {
            let bit = cluster * self.bits;
            let base = self.reserved + copy * self.length;
            for part in 0..self.bits.div_ceil(8) {
                let at = bit / 8 + part;
                let mut sector = self.medium.sector(base + at / 512);
                let byte = &mut sector[at as usize % 512];
                let (shift, all) = (bit % 8, u32::MAX >> (32 - self.bits));
                let keep = !((u64::from(all) << shift) >> (8 * part)) as u8;
                let new = ((u64::from(value & all) << shift) >> (8 * part)) as u8;
                *byte = *byte & keep | new;
                self.medium.set_sector(base + at / 512, &sector);
            }
        }
    }

    /// The raw entry of a cluster in the first copy.
    pub fn link(&self, cluster: u32) -> u32 {
        let bit = u64::from(cluster * self.bits);
        let raw = (0..5).fold(0, |raw, part| {
            let at = (bit / 8) as u32 + part;
            let sector = self.medium.sector(self.reserved + at / 512);
            raw | u64::from(sector[at as usize % 512]) << (8 * part)
        });
        (raw >> (bit % 8)) as u32 & u32::MAX >> (32 - self.bits)
    }

    /// Where the entry of a file or directory is, whose name is one letter.
    fn place(&self, name: u8) -> (u32, usize) {
        let found = (0..4000).find_map(|lba| {
            let sector = self.medium.sector(lba);
            let mut entries = sector.chunks_exact(32);
            let at = entries.position(|entry| entry[0] == name && entry[1..11] == *b"          ");
            Some((lba, at? * 32))
        });
        found.expect("an entry")
    }

    /// The first cluster of a file or directory, whose name is one letter.
    pub fn first(&self, name: u8) -> u32 {
        let (lba, at) = self.place(name);
        let sector = self.medium.sector(lba);
        let word = |at: usize| u32::from(u16::from_le_bytes([sector[at], sector[at + 1]]));
        let upper = if self.bits == 32 { word(at + 20) } else { 0 };
        upper << 16 | word(at + 26)
    }

    /// Sets the first cluster of a file or directory.
    pub fn set_first(&mut self, name: u8, cluster: u32) {
        let (lba, at) = self.place(name);
        let mut sector = self.medium.sector(lba);
        sector[at + 26..at + 28].copy_from_slice(&(cluster as u16).to_le_bytes());
        if self.bits == 32 {
            sector[at + 20..at + 22].copy_from_slice(&((cluster >> 16) as u16).to_le_bytes());
        }
        self.medium.set_sector(lba, &sector);
    }

    /// Sets the boot sector's "in use".
    pub fn set_in_use(&mut self) {
        let mut boot = self.medium.sector(0);
        boot[if self.bits == 32 { 65 } else { 37 }] |= 1;
        self.medium.set_sector(0, &boot);
    }
}
