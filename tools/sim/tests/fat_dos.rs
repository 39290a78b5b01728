//! Volumes laid out as DOS lays them out, by hand after the documented parameters (Microsoft, "MS-DOS
//! Programmer's Reference", 5.0, "Disk Structure"; IBM, "DOS Technical Reference" 3.30): parameter blocks
//! of their versions with boot code where later ones have more parameters, IO.SYS first, directories whose
//! unused entries are marked as deleted, partitions of FDISK.

use bumpalo::Bump;
use ftpsrv::block::{DiskKind, SECTOR};
use ftpsrv::vfs::path::Drive;
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::{fsck, mtools};
use sim::rig::{Arena, Random, STORE, fetch, list, make_dir, remove, store};

const SIZE: DrivesSize = DrivesSize::of(24 * 1024);

/// A format of DOS's.
#[derive(Clone, Copy)]
struct Format {
    name: &'static str,
    oem: &'static [u8; 8],
    /// Where the boot code begins: the parameters end before it.
    code: u8,
    /// Type byte of the partition, and its first sector; 0: a floppy.
    partition: (u8, u32),
    sectors: u32,
    cluster: u8,
    root: u16,
    media: u8,
    table: u16,
    /// Bits of a table's entry.
    bits: u32,
    /// What unused entries of the root begin with.
    unused: u8,
}

const FORMATS: [Format; 8] = [
    Format {
        name: "360 KB, DOS 2",
        oem: b"IBM  2.0",
        code: 0x2C,
        partition: (0, 0),
        sectors: 720,
        cluster: 2,
        root: 112,
        media: 0xFD,
        table: 2,
        bits: 12,
        unused: 0,
    },
    Format {
        name: "180 KB, formatted by DOS 1.1, with a parameter block",
        oem: b"IBM  1.1",
        code: 0x2C,
        partition: (0, 0),
        sectors: 360,
        cluster: 1,
        root: 64,
        media: 0xFC,
        table: 2,
        bits: 12,
        unused: 0xE5,
    },
    Format {
        name: "720 KB, DOS 3.3",
        oem: b"IBM  3.3",
        code: 0x36,
        partition: (0, 0),
        sectors: 1440,
        cluster: 2,
        root: 112,
        media: 0xF9,
        table: 3,
        bits: 12,
        unused: 0,
    },
    Format {
        name: "2.88 MB, DOS 5",
        oem: b"MSDOS5.0",
        code: 0x3E,
        partition: (0, 0),
        sectors: 5760,
        cluster: 2,
        root: 240,
        media: 0xF0,
        table: 9,
        bits: 12,
        unused: 0,
    },
    Format {
        name: "10 MB of a PC/XT, DOS 2",
        oem: b"IBM  2.0",
        code: 0x2C,
        partition: (0x01, 1),
        sectors: 20_739,
        cluster: 8,
        root: 512,
        media: 0xF8,
        table: 8,
        bits: 12,
        unused: 0,
    },
    Format {
        name: "32 MB, DOS 3.3",
        oem: b"IBM  3.3",
        code: 0x36,
        partition: (0x04, 17),
        sectors: 65_518,
        cluster: 4,
        root: 512,
        media: 0xF8,
        table: 64,
        bits: 16,
        unused: 0,
    },
    Format {
        name: "120 MB, DOS 4",
        oem: b"IBM  4.0",
        code: 0x3E,
        partition: (0x06, 63),
        sectors: 245_700,
        cluster: 4,
        root: 512,
        media: 0xF8,
        table: 240,
        bits: 16,
        unused: 0,
    },
    Format {
        name: "504 MB, DOS 6.22",
        oem: b"MSDOS5.0",
        code: 0x3E,
        partition: (0x06, 63),
        sectors: 1_032_129,
        cluster: 16,
        root: 512,
        media: 0xF8,
        table: 252,
        bits: 16,
        unused: 0,
    },
];

/// The files that SYS puts first, and their attributes.
const SYSTEM: [(&[u8; 11], u8, usize); 3] = [
    (b"IO      SYS", 0x27, 40_566),
    (b"MSDOS   SYS", 0x27, 38_138),
    (b"COMMAND COM", 0x20, 54_619),
];

fn content(number: usize) -> Vec<u8> {
    Random(100 + number as u64).bytes(SYSTEM[number].2)
}

impl Format {
    fn boot_sector(&self) -> [u8; SECTOR] {
        let mut boot = [0; SECTOR];
        // What would pass for parameters of later versions: their signature, and a volume that is closed.
        boot[if self.code < 0x3E { 30 } else { 62 }..510].fill(0x29);
        boot[37] = 0x28;
        boot[..3].copy_from_slice(&[0xEB, self.code - 2, 0x90]);
        boot[3..11].copy_from_slice(self.oem);
        boot[11..14].copy_from_slice(&[0, 2, self.cluster]);
        boot[14..17].copy_from_slice(&[1, 0, 2]);
        boot[17..19].copy_from_slice(&self.root.to_le_bytes());
        if let Ok(short) = u16::try_from(self.sectors) {
            boot[19..21].copy_from_slice(&short.to_le_bytes());
        } else {
            boot[32..36].copy_from_slice(&self.sectors.to_le_bytes());
        }
        boot[21] = self.media;
        boot[22..24].copy_from_slice(&self.table.to_le_bytes());
        boot[24..28].copy_from_slice(&[17, 0, 4, 0]);
        boot[28..30].copy_from_slice(&(self.partition.1 as u16).to_le_bytes());
        if self.code >= 0x3E {
            boot[36..39].copy_from_slice(&[0x80, 0, 0x29]);
            boot[39..43].copy_from_slice(&[1, 2, 3, 4]);
            boot[43..62].copy_from_slice(b"NO NAME    FAT16   ");
        }
        boot[510..].copy_from_slice(&[0x55, 0xAA]);
        boot
    }

    fn data(&self) -> u32 {
        1 + 2 * u32::from(self.table) + u32::from(self.root) / 16
    }

    /// What FORMAT /S /V makes.
    fn volume(&self) -> Medium {
        let mut medium = Medium::new(self.sectors);
        medium.set_sector(0, &self.boot_sector());
        let mut root = vec![self.unused; usize::from(self.root) * 32];
        if self.unused != 0 {
            root.chunks_exact_mut(32).for_each(|entry| entry[1..].fill(0xF6));
        }
        let mut table = vec![u32::MAX; 2];
        table[0] = u32::MAX << 8 | u32::from(self.media);
        let room = (self.sectors - self.data()) / u32::from(self.cluster) * 512;
        let fits = room * u32::from(self.cluster) > 200_000;
        let system = if fits { &SYSTEM[..] } else { &SYSTEM[2..] };
        for (number, (name, attributes, size)) in system.iter().enumerate() {
            let content = content(SYSTEM.len() - system.len() + number);
            let first = table.len() as u32;
            let clusters = size.div_ceil(usize::from(self.cluster) * SECTOR) as u32;
            table.extend(first + 1..first + clusters);
            table.push(u32::MAX);
            let lba = self.data() + (first - 2) * u32::from(self.cluster);
            for (lba, bytes) in (lba..).zip(content.chunks(SECTOR)) {
                let mut sector = [0xF6; SECTOR];
                sector[..bytes.len()].copy_from_slice(bytes);
                medium.set_sector(lba, &sector);
            }
            let entry = &mut root[number * 32..number * 32 + 32];
            entry.fill(0);
            entry[..11].copy_from_slice(&name[..]);
            entry[11] = *attributes;
            entry[22..26].copy_from_slice(&[0, 0x30, 0x89, 0x16]);
            entry[26..28].copy_from_slice(&(first as u16).to_le_bytes());
            entry[28..32].copy_from_slice(&(*size as u32).to_le_bytes());
        }
        let label = &mut root[system.len() * 32..system.len() * 32 + 32];
        label.fill(0);
        label[..12].copy_from_slice(b"DOS DISK   \x08");
        let mut bytes = vec![0; usize::from(self.table) * SECTOR + 4];
        for (cluster, value) in table.iter().enumerate() {
            let bit = cluster * self.bits as usize;
            let value = u64::from(value & (u32::MAX >> (32 - self.bits))) << (bit % 8);
            for part in 0..4 {
                bytes[bit / 8 + part] |= (value >> (8 * part)) as u8;
            }
        }
        for copy in 0..2 {
            let start = 1 + copy * u32::from(self.table);
            for (lba, bytes) in (start..start + u32::from(self.table)).zip(bytes.chunks(SECTOR)) {
                medium.set_sector(lba, bytes);
            }
        }
        for (lba, bytes) in (self.data() - u32::from(self.root) / 16..).zip(root.chunks(SECTOR)) {
            medium.set_sector(lba, bytes);
        }
        medium
    }

    /// The volume on its disk, with FDISK's table.
    fn disk(&self) -> Medium {
        let (kind, start) = self.partition;
        let volume = self.volume();
        if kind == 0 {
            return volume;
        }
        let mut disk = Medium::new(start + self.sectors + 17);
        let mut table = [0xFA; SECTOR];
        // FDISK of DOS fills the table's entries from the last one on.
        table[446..494].fill(0);
        let entry = &mut table[494..510];
        entry.copy_from_slice(&[0x80, 1, 1, 0, kind, 3, 0x51, 0x30, 0, 0, 0, 0, 0, 0, 0, 0]);
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..].copy_from_slice(&self.sectors.to_le_bytes());
        table[510..].copy_from_slice(&[0x55, 0xAA]);
        disk.set_sector(0, &table);
        for lba in 0..self.sectors {
            let sector = volume.sector(lba);
            if sector != [0; SECTOR] {
                disk.set_sector(start + lba, &sector);
            }
        }
        disk
    }

    /// The volume of a disk.
    fn cut(&self, disk: &Medium) -> Medium {
        let mut volume = Medium::new(self.sectors);
        for lba in 0..self.sectors {
            let sector = disk.sector(self.partition.1 + lba);
            if sector != [0; SECTOR] {
                volume.set_sector(lba, &sector);
            }
        }
        volume
    }
}

/// What fsck.fat finds, but that the boot sectors up to DOS 3.3 have no label.
fn faults(volume: &Medium) -> Vec<String> {
    let harmless = [
        "Volume label",
        "There is no label",
        "  Auto-copying",
        "Leaving filesystem",
        "exit status",
    ];
    let is_harmless = |line: &String| harmless.iter().any(|start| line.starts_with(start));
    fsck(volume).into_iter().filter(|line| !is_harmless(line)).collect()
}

#[test]
fn disks_of_dos_keep_their_system_and_their_boot_sector() {
    for format in FORMATS {
        let name = format.name;
        let (kind, drive) = match format.partition.0 {
            0 => (DiskKind::Floppy, "/drive_a"),
            _ => (DiskKind::Hard, "/drive_c"),
        };
        let before = format.disk();
        assert_eq!(faults(&format.cut(&before)), [""; 0], "{name}: the test's own volume");
        let disks = SimDisks::new(vec![SimDisk::new(kind, Some(before.clone()))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        let at = |file: &str| format!("{drive}/{file}");
        let found = list(&mut drives, drive).unwrap();
        let system = found.len();
        assert!(found[0].attributes.read_only == found[0].attributes.hidden && system <= 3);
        let letter = Drive::new(drive.as_bytes()[7]).unwrap();
        let volume = drives.info(letter).unwrap().volume.unwrap();
        assert_eq!(volume.label.as_ref(), Some(b"DOS DISK   "), "{name}");
        assert_eq!(volume.serial == 0, format.code < 0x3E, "{name}");
        assert_eq!(volume.read_only, None, "{name}");

        make_dir(&mut drives, &at("sub")).unwrap();
        let data = Random(3).bytes(20_000);
        for file in ["sub/one", "two.txt", "three"] {
            store(&mut drives, &at(file), STORE, &data, 4096).unwrap();
        }
        remove(&mut drives, &at("three")).unwrap();
        if system == 3 {
            assert_eq!(remove(&mut drives, &at("io.sys")), Err(FsError::ReadOnlyFile), "{name}");
        }
        drives.flush().unwrap();
        let after = format.cut(&disks.medium(0));
        assert_eq!(faults(&after), [""; 0], "{name}");
        // Byte 37 says whether it is in use, where there is one: it is not.
        assert_eq!(after.sector(0), format.boot_sector(), "{name}: boot sector");
        assert_eq!(disks.medium(0).sector(0), before.sector(0), "{name}: first sector of the disk");
        for file in ["::/sub/one", "::/two.txt"] {
            assert!(mtools(&after, "mtype", &[file]).1 == data, "{name}: {file}");
        }
        // IO.SYS is where the boot sector looks for it, and as it was.
        for lba in 0..3 {
            let root = format.data() - u32::from(format.root) / 16;
            assert_eq!(
                after.sector(root)[..32 * system],
                format.volume().sector(root)[..32 * system]
            );
            assert_eq!(
                after.sector(format.data() + lba),
                format.volume().sector(format.data() + lba)
            );
        }
        for (number, (file, ..)) in SYSTEM.iter().enumerate().skip(3 - system) {
            let text = String::from_utf8_lossy(&file[..]).into_owned();
            let file = format!("{}.{}", text[..8].trim_end(), &text[8..]);
            assert!(fetch(&mut drives, &at(&file), 8192).unwrap() == content(number), "{name}");
        }
    }
}

/// While such a volume is written, nothing of its boot code changes either.
#[test]
fn boot_code_is_no_state_byte() {
    for format in FORMATS.iter().filter(|format| format.code < 0x3E && format.partition.0 == 0) {
        let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Floppy, Some(format.disk()))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), SIZE).unwrap();
        store(&mut drives, "/drive_a/x", STORE, b"x", 1).unwrap();
        assert_eq!(disks.medium(0).sector(0), format.boot_sector(), "{}", format.name);
    }
}
