//! Makes the boot floppy: a FAT12 volume with FTPSRV.SYS as its first file and our boot sector.

use std::io::{Cursor, Read, Seek, SeekFrom, Write};

use anyhow::{Context, Result};
use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions, format_volume};

use crate::kernel::Kernel;

/// The formats of PC floppies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloppySize {
    /// 5.25 inch double density, 360 KB.
    Kb360,
    /// 3.5 inch double density, 720 KB.
    Kb720,
    /// 5.25 inch high density, 1.2 MB.
    Kb1200,
    /// 3.5 inch high density, 1.44 MB.
    Kb1440,
    /// 3.5 inch extra density, 2.88 MB.
    Kb2880,
}

/// A floppy format as DOS makes it.
struct Format {
    cylinders: u32,
    sectors_per_track: u16,
    cluster_bytes: u32,
    root_entries: u16,
    media: u8,
}

impl FloppySize {
    /// Every size.
    pub const ALL: [FloppySize; 5] = [
        FloppySize::Kb360,
        FloppySize::Kb720,
        FloppySize::Kb1200,
        FloppySize::Kb1440,
        FloppySize::Kb2880,
    ];

    /// Kilobytes as people name the size: 360, 720, 1200, 1440, 2880.
    pub fn name(self) -> &'static str {
        match self {
            FloppySize::Kb360 => "360",
            FloppySize::Kb720 => "720",
            FloppySize::Kb1200 => "1200",
            FloppySize::Kb1440 => "1440",
            FloppySize::Kb2880 => "2880",
        }
    }

    fn format(self) -> Format {
        let (cylinders, sectors_per_track, cluster_bytes, root_entries, media) = match self {
            FloppySize::Kb360 => (40, 9, 1024, 112, 0xFD),
            FloppySize::Kb720 => (80, 9, 1024, 112, 0xF9),
            FloppySize::Kb1200 => (80, 15, 512, 224, 0xF9),
            FloppySize::Kb1440 => (80, 18, 512, 224, 0xF0),
            FloppySize::Kb2880 => (80, 36, 1024, 240, 0xF0),
        };
        Format { cylinders, sectors_per_track, cluster_bytes, root_entries, media }
    }

    /// Bytes of the whole floppy.
    pub fn bytes(self) -> usize {
        let format = self.format();
        format.cylinders as usize * 2 * usize::from(format.sectors_per_track) * 512
    }
}

/// A boot floppy's image with `files` (8.3 names in the root directory) beside FTPSRV.SYS.
///
/// # Errors
/// What does not fit or was refused.
pub fn make(kernel: &Kernel, size: FloppySize, files: &[(&str, &[u8])]) -> Result<Vec<u8>> {
    let format = size.format();
    let mut disk = Cursor::new(vec![0; size.bytes()]);
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat12)
        .bytes_per_sector(512)
        .bytes_per_cluster(format.cluster_bytes)
        .max_root_dir_entries(format.root_entries)
        .media(format.media)
        .sectors_per_track(format.sectors_per_track)
        .heads(2)
        .drive_num(0)
        .volume_id(volume_id(kernel))
        .volume_label(*b"FTPSRV     ");
    format_volume(&mut disk, options).context("formatting the floppy")?;
    fill(&mut disk, kernel, files)?;
    let mut image = disk.into_inner();
    make_bootable(&mut image[..512], kernel);
    Ok(image)
}

/// Writes FTPSRV.SYS, which comes first, and `files` into a formatted volume.
pub fn fill<D: Read + Write + Seek>(
    disk: &mut D,
    kernel: &Kernel,
    files: &[(&str, &[u8])],
) -> Result<()> {
    disk.seek(SeekFrom::Start(0))?;
    let volume = FileSystem::new(disk, FsOptions::new()).context("mounting the fresh volume")?;
    let root = volume.root_dir();
    let kernel_file = [("FTPSRV.SYS", kernel.file.as_slice())];
    for (name, content) in kernel_file.iter().chain(files) {
        root.create_file(name)
            .and_then(|mut file| file.write_all(content))
            .with_context(|| format!("putting {name} on the disk"))?;
    }
    drop(root);
    Ok(volume.unmount()?)
}

/// Puts our boot code around the volume's own BIOS parameter block (bytes 11 to 61).
pub fn make_bootable(sector: &mut [u8], kernel: &Kernel) {
    let parameters: Vec<u8> = sector[11..62].to_vec();
    sector.copy_from_slice(&kernel.boot_sector);
    sector[3..11].copy_from_slice(b"FTPSRV  ");
    sector[11..62].copy_from_slice(&parameters);
}

/// The same kernel gives the same floppy.
fn volume_id(kernel: &Kernel) -> u32 {
    kernel
        .file
        .iter()
        .fold(0x811C_9DC5, |hash: u32, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_on_the_floppy_are_of_today() {
        let mut boot_sector = [0; 512];
        boot_sector[510..].copy_from_slice(&[0x55, 0xAA]);
        let kernel = Kernel {
            elf: "".into(),
            file: vec![0; 512],
            boot_sector,
            memory: 0,
            start: 0,
            load_end: 0,
            stack: 0..0,
        };
        let image = make(&kernel, FloppySize::Kb360, &[("MTCP.CFG", b"")]).expect("a floppy");
        let mut disk = Cursor::new(image);
        let volume = FileSystem::new(&mut disk, FsOptions::new()).expect("a volume");
        let files: Vec<_> = volume.root_dir().iter().filter_map(Result::ok).collect();
        assert_eq!(files.len(), 2);
        assert!(files.iter().all(|file| file.modified().date.year >= 2026));
    }
}
