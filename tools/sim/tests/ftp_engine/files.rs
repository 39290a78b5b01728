//! Files in memory for tests of the protocol engine, with the faults that a disk can have.

use std::collections::{BTreeMap, HashMap};

use ftpsrv::fat::Name83;
use ftpsrv::time::DateTime;
use ftpsrv::vfs::path::DriveSet;
use ftpsrv::vfs::provider::*;
use ftpsrv::vfs::{Drive, FsError, Provider, ResolvedPath};

type Key = (u8, Vec<Name83>);

#[derive(Clone)]
struct Node {
    attributes: Attributes,
    data: Vec<u8>,
}

struct Open {
    key: Key,
    flags: OpenFlags,
}

pub struct Files {
    nodes: BTreeMap<Key, Node>,
    open: HashMap<u16, Open>,
    listing: HashMap<u16, Vec<DirEntry>>,
    next: u16,
    now: DateTime,
    /// Each call says `Again` this many times before it does anything.
    pub laziness: u32,
    patience: u32,
    /// Bytes that still fit on the disk.
    pub free: u64,
    /// Reading a file fails from this offset on.
    pub bad_from: Option<u32>,
    /// The next `close` fails.
    pub close_fails: Option<FsError>,
    /// Every offset and length of a read or a write.
    pub accesses: Vec<(u32, usize)>,
}

impl Files {
    /// Drive C with a few files.
    pub fn new(now: DateTime) -> Files {
        let mut files = Files {
            nodes: BTreeMap::new(),
            open: HashMap::new(),
            listing: HashMap::new(),
            next: 1,
            now,
            laziness: 0,
            patience: 0,
            free: 10_000_000,
            bad_from: None,
            close_fails: None,
            accesses: Vec::new(),
        };
        for path in ["", "PUB", "PUB/SUB", "PUB/INCOMING", "INCOMING", "SECRET"] {
            files.add_dir(path);
        }
        files.add("README.TXT", b"hello\r\n");
        files.add("PUB/A.TXT", b"alpha");
        files.add("PUB/B.BIN", &[7; 3000]);
        files.add("SECRET/KEY.TXT", b"secret");
        files
    }

    fn key_of(path: &str) -> Key {
        let parts = path.split('/').filter(|part| !part.is_empty());
        (b'C', parts.map(|part| Name83::parse(part.as_bytes()).unwrap()).collect())
    }

    fn node(&self, kind: Kind, data: Vec<u8>) -> Node {
        let attributes = Attributes {
            kind,
            size: 0,
            modified: self.now,
            read_only: false,
            hidden: false,
            system: false,
        };
        Node { attributes, data }
    }

    pub fn add_dir(&mut self, path: &str) {
        let node = self.node(Kind::Directory, Vec::new());
        self.nodes.insert(Files::key_of(path), node);
    }

    pub fn add(&mut self, path: &str, data: &[u8]) {
        let node = self.node(Kind::File, data.to_vec());
        self.nodes.insert(Files::key_of(path), node);
    }

    pub fn set_modified(&mut self, path: &str, modified: DateTime) {
        self.nodes.get_mut(&Files::key_of(path)).unwrap().attributes.modified = modified;
    }

    /// A file's content.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        self.nodes.get(&Files::key_of(path)).map(|node| node.data.clone())
    }

    pub fn attributes_at(&self, path: &str) -> Attributes {
        self.nodes[&Files::key_of(path)].attributes
    }

    pub fn exists(&self, path: &str) -> bool {
        self.nodes.contains_key(&Files::key_of(path))
    }

    /// Handles that nobody has closed.
    pub fn handles(&self) -> usize {
        self.open.len() + self.listing.len()
    }

    /// Names in a directory.
    pub fn names(&self, path: &str) -> Vec<String> {
        let key = Files::key_of(path);
        self.children(&key).iter().map(|(name, _)| format!("{name}")).collect()
    }

    fn children(&self, key: &Key) -> Vec<(Name83, &Node)> {
        self.nodes
            .iter()
            .filter(|((drive, names), _)| {
                *drive == key.0 && names.len() == key.1.len() + 1 && names.starts_with(&key.1)
            })
            .map(|((_, names), node)| (*names.last().unwrap(), node))
            .collect()
    }

    fn slice(&mut self) -> Result<(), FsError> {
        if self.patience < self.laziness {
            self.patience += 1;
            return Err(FsError::Again);
        }
        self.patience = 0;
        Ok(())
    }

    fn key(&self, path: &ResolvedPath) -> Result<Key, FsError> {
        let drive = path.drive().ok_or(FsError::NotAllowed)?;
        Ok((drive.letter(), path.names().to_vec()))
    }

    fn find(&self, key: &Key) -> Result<&Node, FsError> {
        for length in 0..key.1.len() {
            let above = (key.0, key.1[..length].to_vec());
            match self.nodes.get(&above) {
                None => return Err(FsError::NotFound),
                Some(node) if node.attributes.kind == Kind::File => {
                    return Err(FsError::NotADirectory);
                }
                Some(_) => {}
            }
        }
        self.nodes.get(key).ok_or(FsError::NotFound)
    }

    fn check_parent(&self, key: &Key) -> Result<(), FsError> {
        let (_, above) = key.1.split_last().ok_or(FsError::NotAllowed)?;
        match self.find(&(key.0, above.to_vec()))?.attributes.kind {
            Kind::Directory => Ok(()),
            Kind::File => Err(FsError::NotADirectory),
        }
    }

    fn is_busy(&self, key: &Key, writing: bool) -> bool {
        self.open.values().any(|open| open.key == *key && (writing || open.flags.write))
    }

    fn handle(&mut self) -> u16 {
        self.next += 1;
        self.next
    }

    fn shown(node: &Node) -> Attributes {
        let size = if node.attributes.kind == Kind::File { node.data.len() as u32 } else { 0 };
        Attributes { size, ..node.attributes }
    }
}

impl Provider for Files {
    fn drives(&self) -> DriveSet {
        let mut drives = DriveSet::EMPTY;
        drives.insert(Drive::new(b'C').unwrap());
        drives
    }

    fn set_time(&mut self, now: DateTime) {
        self.now = now;
    }

    fn attributes(&mut self, path: &ResolvedPath) -> Result<Attributes, FsError> {
        self.slice()?;
        if path.drive().is_none() {
            return Ok(self.node(Kind::Directory, Vec::new()).attributes);
        }
        Ok(Files::shown(self.find(&self.key(path)?)?))
    }

    fn set_attributes(&mut self, path: &ResolvedPath, set: &SetAttributes) -> Result<(), FsError> {
        self.slice()?;
        let key = self.key(path)?;
        self.find(&key)?;
        let attributes = &mut self.nodes.get_mut(&key).unwrap().attributes;
        attributes.modified = set.modified.unwrap_or(attributes.modified);
        attributes.read_only = set.read_only.unwrap_or(attributes.read_only);
        Ok(())
    }

    fn open(&mut self, path: &ResolvedPath, flags: OpenFlags) -> Result<FileHandle, FsError> {
        self.slice()?;
        let key = self.key(path)?;
        match self.find(&key) {
            Err(FsError::NotFound) if flags.create => {
                self.check_parent(&key)?;
                let node = self.node(Kind::File, Vec::new());
                self.nodes.insert(key.clone(), node);
            }
            Err(error) => return Err(error),
            Ok(_) if flags.exclusive => return Err(FsError::Exists),
            Ok(node) if node.attributes.kind == Kind::Directory => {
                return Err(FsError::IsADirectory);
            }
            Ok(node) if flags.write && node.attributes.read_only => {
                return Err(FsError::ReadOnlyFile);
            }
            Ok(_) => {}
        }
        if self.is_busy(&key, flags.write) {
            return Err(FsError::Busy);
        }
        if flags.truncate {
            self.nodes.get_mut(&key).unwrap().data.clear();
        }
        let handle = self.handle();
        self.open.insert(handle, Open { key, flags });
        Ok(FileHandle(handle))
    }

    fn read(&mut self, file: FileHandle, offset: u32, buffer: &mut [u8]) -> Result<usize, FsError> {
        self.slice()?;
        let open = self.open.get(&file.0).filter(|o| o.flags.read).ok_or(FsError::BadHandle)?;
        let data = &self.nodes[&open.key].data;
        if self.bad_from.is_some_and(|bad| offset + buffer.len() as u32 > bad) {
            return Err(FsError::Io);
        }
        let rest = data.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.accesses.push((offset, length));
        Ok(length)
    }

    fn write(&mut self, file: FileHandle, offset: u32, data: &[u8]) -> Result<usize, FsError> {
        self.slice()?;
        let open = self.open.get(&file.0).filter(|o| o.flags.write).ok_or(FsError::BadHandle)?;
        let content = &mut self.nodes.get_mut(&open.key).unwrap().data;
        let at = if open.flags.append { content.len() } else { offset as usize };
        assert!(at <= content.len(), "a hole");
        let length = data.len().min(self.free as usize);
        if length == 0 {
            return Err(FsError::DiskFull);
        }
        self.free -= length as u64;
        content.resize(content.len().max(at + length), 0);
        content[at..at + length].copy_from_slice(&data[..length]);
        self.accesses.push((offset, length));
        Ok(length)
    }

    fn attributes_of(&mut self, file: FileHandle) -> Result<Attributes, FsError> {
        self.slice()?;
        let open = self.open.get(&file.0).ok_or(FsError::BadHandle)?;
        Ok(Files::shown(&self.nodes[&open.key]))
    }

    fn close(&mut self, file: FileHandle) -> Result<(), FsError> {
        self.slice()?;
        self.open.remove(&file.0).ok_or(FsError::BadHandle)?;
        self.close_fails.take().map_or(Ok(()), Err)
    }

    fn open_dir(&mut self, path: &ResolvedPath) -> Result<DirHandle, FsError> {
        self.slice()?;
        let entries = match path.drive() {
            None => {
                let attributes = self.node(Kind::Directory, Vec::new()).attributes;
                let entry = |drive: Drive| DirEntry { name: drive.directory(), attributes };
                self.drives().iter().map(entry).collect()
            }
            Some(_) => {
                let key = self.key(path)?;
                if self.find(&key)?.attributes.kind == Kind::File {
                    return Err(FsError::NotADirectory);
                }
                let entry = |(name, node): (Name83, &Node)| DirEntry {
                    name,
                    attributes: Files::shown(node),
                };
                self.children(&key).into_iter().rev().map(entry).collect()
            }
        };
        let handle = self.handle();
        self.listing.insert(handle, entries);
        Ok(DirHandle(handle))
    }

    fn read_dir(&mut self, dir: DirHandle) -> Result<Option<DirEntry>, FsError> {
        self.slice()?;
        Ok(self.listing.get_mut(&dir.0).ok_or(FsError::BadHandle)?.pop())
    }

    fn close_dir(&mut self, dir: DirHandle) -> Result<(), FsError> {
        self.slice()?;
        self.listing.remove(&dir.0).map(|_| ()).ok_or(FsError::BadHandle)
    }

    fn make_dir(&mut self, path: &ResolvedPath) -> Result<(), FsError> {
        self.slice()?;
        let key = self.key(path)?;
        if self.nodes.contains_key(&key) {
            return Err(FsError::Exists);
        }
        self.check_parent(&key)?;
        let node = self.node(Kind::Directory, Vec::new());
        self.nodes.insert(key, node);
        Ok(())
    }

    fn remove_dir(&mut self, path: &ResolvedPath) -> Result<(), FsError> {
        self.slice()?;
        let key = self.key(path)?;
        if key.1.is_empty() {
            return Err(FsError::NotAllowed);
        }
        if self.find(&key)?.attributes.kind == Kind::File {
            return Err(FsError::NotADirectory);
        }
        if !self.children(&key).is_empty() {
            return Err(FsError::NotEmpty);
        }
        self.nodes.remove(&key);
        Ok(())
    }

    fn remove(&mut self, path: &ResolvedPath) -> Result<(), FsError> {
        self.slice()?;
        let key = self.key(path)?;
        let node = self.find(&key)?;
        if node.attributes.kind == Kind::Directory {
            return Err(FsError::IsADirectory);
        }
        if node.attributes.read_only {
            return Err(FsError::ReadOnlyFile);
        }
        if self.is_busy(&key, true) {
            return Err(FsError::Busy);
        }
        self.nodes.remove(&key);
        Ok(())
    }

    fn rename(&mut self, from: &ResolvedPath, to: &ResolvedPath) -> Result<(), FsError> {
        self.slice()?;
        let (from, to) = (self.key(from)?, self.key(to)?);
        self.find(&from)?;
        self.check_parent(&to)?;
        if from != to && self.nodes.contains_key(&to) {
            return Err(FsError::Exists);
        }
        let moved: Vec<Key> = self
            .nodes
            .keys()
            .filter(|key| key.0 == from.0 && key.1.starts_with(&from.1))
            .cloned()
            .collect();
        for key in moved {
            let node = self.nodes.remove(&key).unwrap();
            let names = [&to.1[..], &key.1[from.1.len()..]].concat();
            self.nodes.insert((to.0, names), node);
        }
        Ok(())
    }

    fn space(&mut self, drive: Drive) -> Result<Space, FsError> {
        self.slice()?;
        if drive.letter() != b'C' {
            return Err(FsError::NotFound);
        }
        Ok(Space { free: self.free, total: 20_000_000 })
    }

    fn work(&mut self) -> bool {
        false
    }

    fn flush(&mut self) -> Result<(), FsError> {
        Ok(())
    }
}
