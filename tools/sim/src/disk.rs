//! Disks made of memory: they count commands and sectors, fail where told, lose power in the middle
//! of a write, and may have a write cache that loses what was not flushed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;

use ftpsrv::block::{Access, DiskError, DiskId, DiskInfo, DiskKind, Disks, Lba, SECTOR};

const CHUNK: u32 = 64;
const CHUNK_BYTES: usize = CHUNK as usize * SECTOR;

/// A medium: sectors that are zero until written.
#[derive(Clone, Default)]
pub struct Medium {
    sectors: u32,
    chunks: HashMap<u32, Box<[u8]>>,
    /// Commands that would write are refused.
    pub write_protected: bool,
}

impl Medium {
    /// An empty medium.
    pub fn new(sectors: u32) -> Medium {
        Medium { sectors, ..Medium::default() }
    }

    /// The content of an image file.
    pub fn load(path: &Path) -> std::io::Result<Medium> {
        Medium::load_start(path, u32::MAX)
    }

    /// The content of an image file that has nothing but zeros behind its first `sectors`.
    pub fn load_start(path: &Path, sectors: u32) -> std::io::Result<Medium> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        let mut medium = Medium::new((length / SECTOR as u64) as u32);
        let mut chunk = vec![0; CHUNK_BYTES];
        for number in 0..medium.sectors.min(sectors).div_ceil(CHUNK) {
            let bytes = CHUNK_BYTES.min((length - u64::from(number) * CHUNK_BYTES as u64) as usize);
            file.read_exact(&mut chunk[..bytes])?;
            if chunk[..bytes].iter().any(|&byte| byte != 0) {
                chunk[bytes..].fill(0);
                medium.chunks.insert(number, chunk.clone().into_boxed_slice());
            }
        }
        Ok(medium)
    }

    /// Writes an image file, with holes where there are only zeros.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        let mut file = std::fs::File::create(path)?;
        let length = u64::from(self.sectors) * SECTOR as u64;
        file.set_len(length)?;
        for (&number, chunk) in &self.chunks {
            let start = u64::from(number) * CHUNK_BYTES as u64;
            file.seek(SeekFrom::Start(start))?;
            file.write_all(&chunk[..CHUNK_BYTES.min((length - start) as usize)])?;
        }
        Ok(())
    }

    /// Number of sectors.
    pub fn sectors(&self) -> u32 {
        self.sectors
    }

    /// A sector's bytes.
    pub fn sector(&self, lba: u32) -> [u8; SECTOR] {
        let at = (lba % CHUNK) as usize * SECTOR;
        let mut sector = [0; SECTOR];
        if let Some(chunk) = self.chunks.get(&(lba / CHUNK)) {
            sector.copy_from_slice(&chunk[at..at + SECTOR]);
        }
        sector
    }

    /// Sets a sector's bytes.
    pub fn set_sector(&mut self, lba: u32, bytes: &[u8]) {
        assert!(lba < self.sectors, "write past the end of the medium");
        let at = (lba % CHUNK) as usize * SECTOR;
        let chunk = self
            .chunks
            .entry(lba / CHUNK)
            .or_insert_with(|| vec![0; CHUNK_BYTES].into_boxed_slice());
        chunk[at..at + SECTOR].copy_from_slice(bytes);
    }

    /// All bytes, for other implementations to read.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.sectors as usize * SECTOR];
        for (&number, chunk) in &self.chunks {
            let at = number as usize * CHUNK_BYTES;
            let end = bytes.len().min(at + CHUNK_BYTES);
            bytes[at..end].copy_from_slice(&chunk[..end - at]);
        }
        bytes
    }
}

/// What a disk was asked to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Read commands.
    pub reads: u64,
    /// Write commands.
    pub writes: u64,
    /// Flush commands.
    pub flushes: u64,
    /// Sectors read.
    pub sectors_read: u64,
    /// Sectors written.
    pub sectors_written: u64,
}

impl Counters {
    /// Commands of all kinds.
    pub fn commands(&self) -> u64 {
        self.reads + self.writes + self.flushes
    }

    /// Sectors in both directions.
    pub fn sectors(&self) -> u64 {
        self.sectors_read + self.sectors_written
    }
}

/// A drive with a medium in it.
pub struct SimDisk {
    /// What it tells of itself; `sectors` follows the medium.
    pub kind: DiskKind,
    /// The medium, if there is one.
    pub medium: Option<Medium>,
    /// What it was asked to do.
    pub counters: Counters,
    /// Sectors that cannot be read.
    pub bad_reads: HashSet<u32>,
    /// Sectors that cannot be written.
    pub bad_writes: HashSet<u32>,
    /// Sectors that were written.
    pub written: BTreeSet<u32>,
    /// The power goes right after this many more sectors were written, before any other command.
    pub cut_after: Option<u64>,
    /// Milliseconds that a command takes, added up in `busy_ms`.
    pub latency_ms: u64,
    /// Time that commands took.
    pub busy_ms: u64,
    /// Is told what each command takes.
    pub on_busy: Option<Rc<dyn Fn(u64)>>,
    /// Sectors in the drive's write cache, with all their versions since the last flush; `None`: the drive
    /// has no cache.
    write_cache: Option<BTreeMap<u32, Vec<[u8; SECTOR]>>>,
    changed: bool,
    dead: bool,
}

impl SimDisk {
    /// A drive with this medium.
    pub fn new(kind: DiskKind, medium: Option<Medium>) -> SimDisk {
        SimDisk {
            kind,
            medium,
            counters: Counters::default(),
            bad_reads: HashSet::new(),
            bad_writes: HashSet::new(),
            written: BTreeSet::new(),
            cut_after: None,
            latency_ms: 0,
            busy_ms: 0,
            on_busy: None,
            write_cache: None,
            changed: false,
            dead: false,
        }
    }

    /// Gives the drive a write cache that a power cut empties by chance.
    pub fn with_write_cache(mut self) -> SimDisk {
        self.write_cache = Some(BTreeMap::new());
        self
    }

    /// Takes the medium out and puts another one in.
    pub fn change_medium(&mut self, medium: Option<Medium>) -> Option<Medium> {
        self.changed = true;
        std::mem::replace(&mut self.medium, medium)
    }

    /// Whether the power is gone.
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// What is on the medium when the power is cut now: of each sector in the write cache any version
    /// since the last flush, as `choose` (a number below its argument) says.
    pub fn after_cut(&self, mut choose: impl FnMut(usize) -> usize) -> Medium {
        let mut medium = self.medium.clone().expect("a medium");
        for (&lba, versions) in self.write_cache.iter().flatten() {
            let version = choose(versions.len() + 1);
            if version > 0 {
                medium.set_sector(lba, &versions[version - 1]);
            }
        }
        medium
    }

    /// A command begins and takes its time.
    fn busy(&mut self) {
        self.busy_ms += self.latency_ms;
        if let Some(told) = &self.on_busy {
            told(self.latency_ms);
        }
    }

    fn ready(&mut self, lba: u32, sectors: usize) -> Result<(), DiskError> {
        self.dead |= self.cut_after == Some(0);
        if self.dead {
            return Err(DiskError::NotReady);
        }
        self.busy();
        let medium = self.medium.as_ref().ok_or(DiskError::NotReady)?;
        if std::mem::take(&mut self.changed) {
            return Err(DiskError::Changed);
        }
        let end = u64::from(lba) + sectors as u64;
        if end > u64::from(medium.sectors) { Err(DiskError::OutOfRange) } else { Ok(()) }
    }

    fn read(&mut self, lba: u32, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.counters.reads += 1;
        self.ready(lba, buffer.len() / SECTOR)?;
        for (lba, bytes) in (lba..).zip(buffer.chunks_exact_mut(SECTOR)) {
            self.counters.sectors_read += 1;
            if self.bad_reads.contains(&lba) {
                return Err(DiskError::Failed { code: 0x10 });
            }
            let cached = self.write_cache.as_ref().and_then(|cache| cache.get(&lba)?.last());
            match (cached, &self.medium) {
                (Some(newest), _) => bytes.copy_from_slice(newest),
                (None, Some(medium)) => bytes.copy_from_slice(&medium.sector(lba)),
                (None, None) => return Err(DiskError::NotReady),
            }
        }
        Ok(())
    }

    fn write(&mut self, lba: u32, data: &[u8]) -> Result<(), DiskError> {
        self.counters.writes += 1;
        self.ready(lba, data.len() / SECTOR)?;
        let medium = self.medium.as_mut().ok_or(DiskError::NotReady)?;
        if medium.write_protected {
            return Err(DiskError::WriteProtected);
        }
        for (lba, bytes) in (lba..).zip(data.chunks_exact(SECTOR)) {
            match &mut self.cut_after {
                Some(0) => {
                    self.dead = true;
                    return Err(DiskError::NotReady);
                }
                Some(left) => *left -= 1,
                None => {}
            }
            self.counters.sectors_written += 1;
            self.written.insert(lba);
            if self.bad_writes.contains(&lba) {
                return Err(DiskError::Failed { code: 0x10 });
            }
            match &mut self.write_cache {
                None => medium.set_sector(lba, bytes),
                Some(cache) => {
                    cache.entry(lba).or_default().push(bytes.try_into().expect("a sector"));
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.counters.flushes += 1;
        self.dead |= self.cut_after == Some(0);
        if self.dead {
            return Err(DiskError::NotReady);
        }
        self.busy();
        if let (Some(cache), Some(medium)) = (&mut self.write_cache, &mut self.medium) {
            for (lba, versions) in std::mem::take(cache) {
                medium.set_sector(lba, versions.last().expect("a version"));
            }
        }
        Ok(())
    }
}

/// All disks of a simulated PC. Clones are the same disks: one for the server, one for the test.
#[derive(Clone, Default)]
pub struct SimDisks(Rc<RefCell<Vec<SimDisk>>>);

impl SimDisks {
    /// These drives; floppies first.
    pub fn new(disks: Vec<SimDisk>) -> SimDisks {
        SimDisks(Rc::new(RefCell::new(disks)))
    }

    /// Does something with a drive.
    pub fn with<T>(&self, disk: usize, act: impl FnOnce(&mut SimDisk) -> T) -> T {
        act(&mut self.0.borrow_mut()[disk])
    }

    /// What a drive was asked to do until now.
    pub fn counters(&self, disk: usize) -> Counters {
        self.0.borrow()[disk].counters
    }

    /// A copy of a drive's medium.
    pub fn medium(&self, disk: usize) -> Medium {
        self.0.borrow()[disk].medium.clone().expect("a medium")
    }
}

impl Disks for SimDisks {
    fn count(&self) -> u8 {
        self.0.borrow().len() as u8
    }

    fn info(&self, disk: DiskId) -> Option<DiskInfo> {
        let disks = self.0.borrow();
        let found = disks.get(usize::from(disk.0))?;
        let before = disks.iter().take(usize::from(disk.0));
        let same = before.filter(|other| other.kind == found.kind).count() as u8;
        let base = if found.kind == DiskKind::Hard { 0x80 } else { 0 };
        let sectors = found.medium.as_ref().map_or(0, Medium::sectors);
        Some(DiskInfo {
            kind: found.kind,
            sectors,
            capacity: sectors,
            access: Access::Simulated,
            bios_number: base + same,
        })
    }

    fn read(&mut self, disk: DiskId, lba: Lba, buffer: &mut [u8]) -> Result<(), DiskError> {
        let mut disks = self.0.borrow_mut();
        disks.get_mut(usize::from(disk.0)).ok_or(DiskError::NotReady)?.read(lba.0, buffer)
    }

    fn write(&mut self, disk: DiskId, lba: Lba, data: &[u8]) -> Result<(), DiskError> {
        let mut disks = self.0.borrow_mut();
        disks.get_mut(usize::from(disk.0)).ok_or(DiskError::NotReady)?.write(lba.0, data)
    }

    fn flush(&mut self, disk: DiskId) -> Result<(), DiskError> {
        let mut disks = self.0.borrow_mut();
        disks.get_mut(usize::from(disk.0)).ok_or(DiskError::NotReady)?.flush()
    }

    /// The time that all disks were busy.
    fn clock(&self) -> u32 {
        self.0.borrow().iter().map(|disk| disk.busy_ms).sum::<u64>() as u32
    }

    fn changed(&mut self, disk: DiskId) -> bool {
        let mut disks = self.0.borrow_mut();
        match disks.get_mut(usize::from(disk.0)) {
            Some(disk) => std::mem::take(&mut disk.changed),
            None => false,
        }
    }
}
