//! Raw disk images, made and read with the tools of others: mkfs.fat, mtools and fsck.fat.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// Bytes of a sector.
pub const SECTOR: u64 = 512;
/// Where the first partition begins on disks partitioned by DOS: the second track.
const FIRST_PARTITION: u64 = 63;
const HEADS: u64 = 16;
const SECTORS: u64 = 63;

/// The width of a volume's FAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fat {
    Fat12,
    Fat16,
    Fat32,
}

/// Which formatter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    Mkfs,
    Mtools,
}

/// A disk to make.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    pub fat: Fat,
    pub megabytes: u64,
    pub partitioned: bool,
    pub maker: Maker,
}

/// A FAT volume within an image.
#[derive(Debug, Clone)]
pub struct Volume {
    pub image: PathBuf,
    /// First sector.
    pub start: u64,
}

/// Makes an image with one empty volume.
pub fn make(image: &Path, layout: Layout) -> Result<Volume> {
    let cylinder = HEADS * SECTORS;
    let total = (layout.megabytes * 1024 * 1024 / SECTOR / cylinder) * cylinder;
    File::create(image)?.set_len(total * SECTOR)?;
    let start = if layout.partitioned { FIRST_PARTITION } else { 0 };
    let volume = Volume { image: image.to_owned(), start };
    match layout.maker {
        Maker::Mkfs => mkfs(&volume, layout.fat, total - start)?,
        Maker::Mtools => mformat(&volume, layout.fat, total)?,
    }
    if layout.partitioned {
        write_partition_entry(image, 0, layout.fat, start, total - start)?;
    }
    Ok(volume)
}

/// Adds a second partition to a disk, that begins with sector `start`, and makes the disk end with it.
pub fn add_partition(image: &Path, fat: Fat, start: u64, sectors: u64) -> Result<Volume> {
    OpenOptions::new().write(true).open(image)?.set_len((start + sectors) * SECTOR)?;
    let volume = Volume { image: image.to_owned(), start };
    mkfs(&volume, fat, sectors)?;
    write_partition_entry(image, 1, fat, start, sectors)?;
    Ok(volume)
}

fn mkfs(volume: &Volume, fat: Fat, sectors: u64) -> Result<()> {
    let mut command = tool("mkfs.fat")?;
    let width = match fat {
        Fat::Fat12 => "12",
        Fat::Fat16 => "16",
        Fat::Fat32 => "32",
    };
    command.args(["-F", width, "-n", "FTPSRV", "-g", "16/63"]);
    command.args(["-h", &volume.start.to_string(), "--offset", &volume.start.to_string()]);
    command.arg(&volume.image).arg((sectors * SECTOR / 1024).to_string());
    process::output(&mut command).map(drop)
}

/// A floppy of 160 to 360 KB.
pub fn small_floppy(image: &Path, kilobytes: u64) -> Result<Volume> {
    File::create(image)?.set_len(kilobytes << 10)?;
    let volume = Volume { image: image.to_owned(), start: 0 };
    process::output(volume.mtool("mformat")?.args(["-f", &kilobytes.to_string(), "::"]))?;
    Ok(volume)
}

fn mformat(volume: &Volume, fat: Fat, total: u64) -> Result<()> {
    let mut command = volume.mtool("mformat")?;
    // Cluster sizes that make the count fall on the wanted side of 4085 and 65525 clusters.
    let sectors = total - volume.start;
    let cluster = match fat {
        Fat::Fat12 => (sectors / 4000 + 1).next_power_of_two(),
        Fat::Fat16 => (sectors / 60000 + 1).next_power_of_two(),
        Fat::Fat32 => 1,
    };
    command.args(["-v", "FTPSRV", "-h", "16", "-s", "63", "-c", &cluster.to_string()]);
    command.args(["-H", &volume.start.to_string(), "-T", &sectors.to_string()]);
    if fat == Fat::Fat32 {
        command.arg("-F");
    }
    process::output(command.arg("::")).map(drop)
}

fn write_partition_entry(
    image: &Path,
    number: u64,
    fat: Fat,
    start: u64,
    sectors: u64,
) -> Result<()> {
    let kind = match fat {
        Fat::Fat12 => 0x01,
        Fat::Fat16 => 0x06,
        Fat::Fat32 => 0x0C,
    };
    let mut entry = [0u8; 16];
    entry[0] = if number == 0 { 0x80 } else { 0 };
    entry[1..4].copy_from_slice(&cylinder_head_sector(start));
    entry[4] = kind;
    entry[5..8].copy_from_slice(&cylinder_head_sector(start + sectors - 1));
    entry[8..12].copy_from_slice(&u32::try_from(start)?.to_le_bytes());
    entry[12..].copy_from_slice(&u32::try_from(sectors)?.to_le_bytes());
    let mut file = OpenOptions::new().write(true).open(image)?;
    file.seek(SeekFrom::Start(446 + 16 * number))?;
    file.write_all(&entry)?;
    file.seek(SeekFrom::Start(510))?;
    file.write_all(&[0x55, 0xAA])?;
    Ok(())
}

fn cylinder_head_sector(sector: u64) -> [u8; 3] {
    let cylinder = sector / (HEADS * SECTORS);
    let head = sector / SECTORS % HEADS;
    if cylinder > 1023 {
        return [0xFE, 0xFF, 0xFF];
    }
    let low = (sector % SECTORS + 1) as u8 | ((cylinder >> 2) & 0xC0) as u8;
    [head as u8, low, cylinder as u8]
}

impl Volume {
    /// An mtools command on this volume; its files are named `::/DIR/NAME`.
    fn mtool(&self, name: &str) -> Result<Command> {
        let mut command = tool(name)?;
        // The checks refuse geometries of big disks; times are the server's, without zones.
        command.env("MTOOLS_SKIP_CHECK", "1").env("TZ", "UTC").env("MTOOLSRC", "/dev/null");
        command.arg("-i").arg(format!("{}@@{}", self.image.display(), self.start * SECTOR));
        Ok(command)
    }

    /// Makes directories, parents first.
    pub fn mkdir(&self, names: &[&str]) -> Result<()> {
        let mut command = self.mtool("mmd")?;
        command.args(names.iter().map(|name| format!("::{name}")));
        process::output(&mut command).map(drop)
    }

    /// Copies files of the host into a directory of the volume.
    pub fn put(&self, files: &[PathBuf], directory: &str) -> Result<()> {
        let mut command = self.mtool("mcopy")?;
        command.args(["-o", "-m", "-s"]).args(files).arg(format!("::{directory}"));
        process::output(&mut command).map(drop)
    }

    /// Writes one file.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), bytes)?;
        let mut command = self.mtool("mcopy")?;
        command.arg("-o").arg(file.path()).arg(format!("::{name}"));
        process::output(&mut command).map(drop)
    }

    /// The bytes of one file.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let mut command = self.mtool("mtype")?;
        let done = command.arg(format!("::{name}")).output()?;
        if !done.status.success() {
            bail!("no {name} on {}", self.image.display());
        }
        Ok(done.stdout)
    }

    /// The names in a directory, as mdir gives them: full, directories with a slash behind.
    pub fn list(&self, directory: &str) -> Result<Vec<String>> {
        let mut command = self.mtool("mdir")?;
        let text = process::output(command.args(["-b", "-a"]).arg(format!("::{directory}")))?;
        Ok(text.lines().map(|line| line.trim_start_matches("::/").to_owned()).collect())
    }

    /// Removes one file.
    pub fn delete(&self, name: &str) -> Result<()> {
        process::output(self.mtool("mdel")?.arg(format!("::{name}"))).map(drop)
    }

    /// Whether nothing says that the volume is in use or was not closed: the boot sector's state byte,
    /// and in FAT16 and FAT32 the bit in the table's second entry (Microsoft, FAT specification 1.03).
    pub fn is_closed(&self) -> Result<bool> {
        let mut file = File::open(&self.image)?;
        let mut sector = |number: u64| -> Result<[u8; SECTOR as usize]> {
            let mut bytes = [0; SECTOR as usize];
            file.seek(SeekFrom::Start((self.start + number) * SECTOR))?;
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        let boot = sector(0)?;
        let table = sector(u64::from(u16::from_le_bytes([boot[14], boot[15]])))?;
        let named = |at: usize, name: &[u8]| boot[at..].starts_with(name);
        // By the type's name, which mkfs.fat and mformat write: the boot sector's size of the table is
        // not needed for it.
        Ok(if named(82, b"FAT32") {
            boot[65] & 1 == 0 && table[7] & 0x08 != 0
        } else {
            boot[37] & 1 == 0 && (!named(54, b"FAT16") || table[3] & 0x80 != 0)
        })
    }

    /// What `fsck.fat -n` has to say, as an error if it is anything at all.
    pub fn check(&self) -> Result<()> {
        let copy = tempfile::NamedTempFile::new()?;
        copy_sparse(&self.image, self.start * SECTOR, copy.path())?;
        let mut command = tool("fsck.fat")?;
        let done = command.args(["-n", "-v"]).arg(copy.path()).output()?;
        if !done.status.success() {
            let text = String::from_utf8_lossy(&done.stdout).into_owned();
            bail!("fsck.fat -n on {}: {}\n{text}", self.image.display(), done.status);
        }
        Ok(())
    }
}

/// Copies the image from a byte on, without its stretches of zeros.
fn copy_sparse(from: &Path, offset: u64, to: &Path) -> Result<()> {
    let mut source = File::open(from).with_context(|| from.display().to_string())?;
    let mut copy = OpenOptions::new().write(true).open(to)?;
    let length = source.metadata()?.len().saturating_sub(offset);
    copy.set_len(length)?;
    source.seek(SeekFrom::Start(offset))?;
    let mut block = vec![0; 1 << 16];
    let mut at = 0;
    loop {
        let count = source.read(&mut block)?;
        if count == 0 {
            return Ok(());
        }
        if block[..count].iter().any(|byte| *byte != 0) {
            copy.seek(SeekFrom::Start(at))?;
            copy.write_all(&block[..count])?;
        }
        at += count as u64;
    }
}

fn tool(name: &str) -> Result<Command> {
    let path = process::find(name).with_context(|| format!("{name} is not installed"))?;
    Ok(process::command(path))
}

/// The sample hard disk: made once, then kept with whatever users put on it.
pub fn sample(path: &Path) -> Result<()> {
    if path.is_file() {
        return Ok(());
    }
    eprintln!("making a sample hard disk: {}", path.display());
    let draft = path.with_extension("draft");
    let layout = Layout { fat: Fat::Fat16, megabytes: 128, partitioned: true, maker: Maker::Mkfs };
    let volume = make(&draft, layout)?;
    volume.mkdir(&["/PUB", "/PUB/INCOMING", "/INCOMING", "/TEXT"])?;
    volume.write("/README.TXT", README)?;
    volume.write("/PUB/WELCOME.TXT", WELCOME)?;
    let licence = crate::workspace::root().join("LICENSE-MIT");
    volume.write("/TEXT/LICENCE.TXT", &std::fs::read(licence)?)?;
    // Renamed when whole: a half-made disk is never taken for the kept one.
    std::fs::rename(&draft, path)?;
    Ok(())
}

const README: &[u8] = b"This is drive C: of the sample PC. It is kept between runs.\r\n\
Delete target/xtask/sample.img to get a fresh one.\r\n";
const WELCOME: &[u8] = b"Welcome. Anonymous users see this directory as /, \
and may upload to /INCOMING.\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chs_addresses_end_where_ten_bits_do() {
        assert_eq!(cylinder_head_sector(63), [1, 1, 0]);
        assert_eq!(cylinder_head_sector(16 * 63), [0, 1, 1]);
        assert_eq!(cylinder_head_sector(16 * 63 * 1023), [0, 0xC1, 0xFF]);
        assert_eq!(cylinder_head_sector(16 * 63 * 1024), [0xFE, 0xFF, 0xFF]);
    }

    #[test]
    fn every_layout_is_what_it_says_and_clean() -> Result<()> {
        if process::find("mkfs.fat").is_none() || process::find("mcopy").is_none() {
            // `cargo xtask test` installs them first; a bare `cargo test` does without.
            return Ok(());
        }
        let dir = tempfile::tempdir()?;
        for (fat, megabytes) in [(Fat::Fat12, 8), (Fat::Fat16, 40), (Fat::Fat32, 64)] {
            for maker in [Maker::Mkfs, Maker::Mtools] {
                for partitioned in [true, false] {
                    let layout = Layout { fat, megabytes, partitioned, maker };
                    let volume = make(&dir.path().join("disk.img"), layout)?;
                    volume.mkdir(&["/DIR"])?;
                    volume.write("/DIR/A.TXT", b"hello")?;
                    assert_eq!(volume.read("/DIR/A.TXT")?, b"hello");
                    assert_eq!(volume.list("/DIR")?, ["DIR/A.TXT"], "{layout:?}");
                    volume.check().with_context(|| format!("{layout:?}"))?;
                    marks_are_seen(&volume, fat).with_context(|| format!("{layout:?}"))?;
                    assert_eq!(width(&volume)?, fat, "{layout:?}");
                }
            }
        }
        Ok(())
    }

    /// A volume is closed until its state byte says otherwise.
    fn marks_are_seen(volume: &Volume, fat: Fat) -> Result<()> {
        assert!(volume.is_closed()?, "a fresh volume");
        let at = volume.start * SECTOR + if fat == Fat::Fat32 { 65 } else { 37 };
        let mut file = OpenOptions::new().write(true).open(&volume.image)?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&[1])?;
        assert!(!volume.is_closed()?, "marked as in use");
        Ok(())
    }

    /// The FAT's width by the count of clusters, the only thing that decides it.
    fn width(volume: &Volume) -> Result<Fat> {
        let mut boot = [0u8; 512];
        let mut file = File::open(&volume.image)?;
        file.seek(SeekFrom::Start(volume.start * SECTOR))?;
        file.read_exact(&mut boot)?;
        let half = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
        let word = |at: usize| half(at) | half(at + 2) << 16;
        let fat = if half(22) != 0 { half(22) } else { word(36) };
        let total = if half(19) != 0 { half(19) } else { word(32) };
        let data = total - half(14) - u64::from(boot[16]) * fat - half(17) * 32 / 512;
        Ok(match data / u64::from(boot[13]) {
            ..4085 => Fat::Fat12,
            4085..65525 => Fat::Fat16,
            _ => Fat::Fat32,
        })
    }
}
