//! A [`Provider`] without disks: drive C is a tree in memory. It passes the same contract test as FAT,
//! and can be told to answer "again" as often as a slow disk does, or to fail. The protocol engine's tests
//! and the fuzzer run on it.

mod preparing;

use ftpsrv::fat::Name83;
use ftpsrv::time::DateTime;
use ftpsrv::vfs::path::{Drive, DriveSet, ResolvedPath};
use ftpsrv::vfs::provider::{
    Attributes, DirEntry, DirHandle, FileHandle, FsError, Kind, OpenFlags, Provider, SetAttributes,
    Space,
};

struct Node {
    name: Name83,
    attributes: Attributes,
    content: Vec<u8>,
    children: Vec<usize>,
}

struct OpenFile {
    handle: u16,
    node: usize,
    flags: OpenFlags,
}

struct OpenDirectory {
    handle: u16,
    /// `None`: the root that holds the drive.
    node: Option<usize>,
    next: usize,
}

/// Files that can be open at once, and as many directories.
const HANDLES: usize = 24;

/// Drive C in memory.
pub struct MemoryProvider {
    nodes: Vec<Node>,
    files: Vec<OpenFile>,
    directories: Vec<OpenDirectory>,
    handles: u16,
    now: DateTime,
    /// Bytes that all files may hold together.
    pub capacity: u64,
    /// How often each call is first answered with [`FsError::Again`].
    pub patience: u32,
    /// Entries that a call lists, at most.
    pub entries: usize,
    waited: u32,
    /// What the next call that changes something fails with.
    pub failure: Option<FsError>,
    /// What the next [`Provider::close`] fails with.
    pub close_failure: Option<FsError>,
    /// Reading a file fails from this offset on.
    pub bad_from: Option<u32>,
    /// Offset and length of every read and write.
    pub accesses: Vec<(u32, usize)>,
}

const DIRECTORY: Attributes = Attributes {
    kind: Kind::Directory,
    size: 0,
    modified: DateTime::EPOCH,
    read_only: false,
    hidden: false,
    system: false,
};

impl Default for MemoryProvider {
    fn default() -> MemoryProvider {
        MemoryProvider::new()
    }
}

impl MemoryProvider {
    /// An empty drive of 1 GB.
    pub fn new() -> MemoryProvider {
        let name = Name83::from_raw(*b"DRIVE_C    ");
        let root = Node { name, attributes: DIRECTORY, content: Vec::new(), children: Vec::new() };
        MemoryProvider {
            nodes: vec![root],
            files: Vec::new(),
            directories: Vec::new(),
            handles: 0,
            now: DateTime::EPOCH,
            capacity: 1 << 30,
            patience: 0,
            entries: 50,
            waited: 0,
            failure: None,
            close_failure: None,
            bad_from: None,
            accesses: Vec::new(),
        }
    }

    fn wait(&mut self) -> Result<(), FsError> {
        if self.waited < self.patience {
            self.waited += 1;
            return Err(FsError::Again);
        }
        self.waited = 0;
        Ok(())
    }

    fn may_change(&mut self) -> Result<(), FsError> {
        self.failure.take().map_or(Ok(()), Err)
    }

    fn child(&self, directory: usize, name: &Name83) -> Option<usize> {
        let children = self.nodes[directory].children.iter().copied();
        children.into_iter().find(|&child| self.nodes[child].name == *name)
    }

    fn is_directory(&self, node: usize) -> bool {
        self.nodes[node].attributes.kind == Kind::Directory
    }

    fn walk(&self, names: &[Name83]) -> Result<usize, FsError> {
        names.iter().try_fold(0, |node, name| {
            if !self.is_directory(node) {
                return Err(FsError::NotADirectory);
            }
            self.child(node, name).ok_or(FsError::NotFound)
        })
    }

    /// The node of a path; `None`: the root that holds the drive.
    fn node(&self, path: &ResolvedPath) -> Result<Option<usize>, FsError> {
        match path.drive() {
            None => Ok(None),
            Some(drive) if drive.letter() == b'C' => self.walk(path.names()).map(Some),
            Some(_) => Err(FsError::NotFound),
        }
    }

    /// The directory that holds a path's last name; `None` for roots.
    fn above<'p>(&self, path: &'p ResolvedPath) -> Result<Option<(usize, &'p Name83)>, FsError> {
        match (path.drive(), path.split_last()) {
            (Some(drive), _) if drive.letter() != b'C' => Err(FsError::NotFound),
            (_, None) => Ok(None),
            (_, Some((name, above))) => {
                let directory = self.walk(above)?;
                if !self.is_directory(directory) {
                    return Err(FsError::NotADirectory);
                }
                Ok(Some((directory, name)))
            }
        }
    }

    fn add(&mut self, directory: usize, name: Name83, kind: Kind) -> usize {
        let attributes = Attributes { kind, modified: self.now, ..DIRECTORY };
        let node = self.nodes.len();
        self.nodes.push(Node { name, attributes, content: Vec::new(), children: Vec::new() });
        self.nodes[directory].children.push(node);
        node
    }

    fn detach(&mut self, directory: usize, node: usize) {
        self.nodes[directory].children.retain(|&child| child != node);
    }

    fn set(&mut self, node: usize, set: &SetAttributes) {
        let attributes = &mut self.nodes[node].attributes;
        attributes.read_only = set.read_only.unwrap_or(attributes.read_only);
        if let Some(time) = set.modified {
            attributes.modified = DateTime { second: time.second / 2 * 2, ..time };
        }
    }

    fn is_open(&self, node: usize) -> bool {
        self.files.iter().any(|open| open.node == node)
    }

    fn used(&self) -> u64 {
        self.nodes.iter().map(|node| node.content.len() as u64).sum()
    }

    fn handle(&mut self) -> u16 {
        self.handles = self.handles.wrapping_add(1);
        self.handles
    }

    fn opened(&self, file: FileHandle) -> Result<(usize, OpenFlags), FsError> {
        let open = self.files.iter().find(|open| open.handle == file.0);
        open.map(|open| (open.node, open.flags)).ok_or(FsError::BadHandle)
    }

    fn open_node(&mut self, path: &ResolvedPath, flags: OpenFlags) -> Result<usize, FsError> {
        let (directory, name) = self.above(path)?.ok_or(FsError::IsADirectory)?;
        let Some(node) = self.child(directory, name) else {
            if !flags.create {
                return Err(FsError::NotFound);
            }
            self.may_change()?;
            return Ok(self.add(directory, *name, Kind::File));
        };
        if self.is_directory(node) {
            return Err(FsError::IsADirectory);
        }
        // Whether a file that is being written stays is not known yet: it is busy, not there.
        let alone = flags.write && !flags.exclusive;
        let mut others = self.files.iter().filter(|open| open.node == node);
        if others.any(|open| open.flags.write || alone) {
            return Err(FsError::Busy);
        }
        if flags.exclusive {
            return Err(FsError::Exists);
        }
        if flags.write && self.nodes[node].attributes.read_only {
            return Err(FsError::ReadOnlyFile);
        }
        if flags.truncate {
            self.nodes[node].content.clear();
            self.nodes[node].attributes.modified = self.now;
        }
        Ok(node)
    }
}

impl MemoryProvider {
    fn next_entry(&mut self, dir: DirHandle) -> Result<Option<DirEntry>, FsError> {
        let found = self.directories.iter_mut().find(|open| open.handle == dir.0);
        let open = found.ok_or(FsError::BadHandle)?;
        let next = open.next;
        open.next += 1;
        let node = match open.node {
            None if next == 0 => 0,
            None => return Ok(None),
            Some(node) => match self.nodes[node].children.get(next) {
                Some(&child) => child,
                None => return Ok(None),
            },
        };
        let Node { name, attributes, content, .. } = &self.nodes[node];
        let attributes = Attributes { size: content.len() as u32, ..*attributes };
        Ok(Some(DirEntry { name: *name, attributes }))
    }
}

impl Provider for MemoryProvider {
    fn drives(&self) -> DriveSet {
        let mut set = DriveSet::EMPTY;
        set.insert(Drive::new(b'C').expect("a letter"));
        set
    }

    fn set_time(&mut self, now: DateTime) {
        self.now = DateTime { second: now.second / 2 * 2, ..now };
    }

    fn attributes(&mut self, path: &ResolvedPath) -> Result<Attributes, FsError> {
        self.wait()?;
        let Some(node) = self.node(path)? else { return Ok(DIRECTORY) };
        Ok(Attributes {
            size: self.nodes[node].content.len() as u32,
            ..self.nodes[node].attributes
        })
    }

    fn set_attributes(&mut self, path: &ResolvedPath, set: &SetAttributes) -> Result<(), FsError> {
        self.wait()?;
        let node = self.node(path)?.filter(|&node| node != 0).ok_or(FsError::NotAllowed)?;
        if self.is_open(node) {
            return Err(FsError::Busy);
        }
        self.may_change()?;
        self.set(node, set);
        Ok(())
    }

    fn open(&mut self, path: &ResolvedPath, flags: OpenFlags) -> Result<FileHandle, FsError> {
        let writes = flags.append || flags.create || flags.truncate;
        let idle = !flags.write && (!flags.read || writes);
        if idle || (flags.exclusive && !flags.create) {
            return Err(FsError::BadFlags);
        }
        self.wait()?;
        if self.files.len() == HANDLES {
            return Err(FsError::TooManyOpen);
        }
        let node = self.open_node(path, flags)?;
        let handle = self.handle();
        self.files.push(OpenFile { handle, node, flags });
        Ok(FileHandle(handle))
    }

    fn read(&mut self, file: FileHandle, offset: u32, buffer: &mut [u8]) -> Result<usize, FsError> {
        self.wait()?;
        let (node, flags) = self.opened(file)?;
        if !flags.read {
            return Err(FsError::BadHandle);
        }
        if self.bad_from.is_some_and(|bad| offset as usize + buffer.len() > bad as usize) {
            return Err(FsError::Io);
        }
        let rest = self.nodes[node].content.get(offset as usize..).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.accesses.push((offset, count));
        Ok(count)
    }

    fn write(&mut self, file: FileHandle, offset: u32, data: &[u8]) -> Result<usize, FsError> {
        self.wait()?;
        let (node, flags) = self.opened(file)?;
        if !flags.write {
            return Err(FsError::BadHandle);
        }
        let size = self.nodes[node].content.len();
        let offset = if flags.append { size } else { offset as usize };
        if offset > size {
            return Err(FsError::BadFlags);
        }
        self.may_change()?;
        let grows = (offset + data.len()).saturating_sub(size) as u64;
        let room = self.free().min(grows);
        let count = data.len() - (grows - room) as usize;
        if count == 0 && !data.is_empty() {
            return Err(FsError::DiskFull);
        }
        let content = &mut self.nodes[node].content;
        content.resize(size.max(offset + count), 0);
        content[offset..offset + count].copy_from_slice(&data[..count]);
        self.nodes[node].attributes.modified = self.now;
        self.accesses.push((offset as u32, count));
        Ok(count)
    }

    fn attributes_of(&mut self, file: FileHandle) -> Result<Attributes, FsError> {
        let (node, _) = self.opened(file)?;
        let size = self.nodes[node].content.len() as u32;
        Ok(Attributes { size, ..self.nodes[node].attributes })
    }

    fn set_attributes_of(&mut self, file: FileHandle, set: &SetAttributes) -> Result<(), FsError> {
        self.wait()?;
        let (node, flags) = self.opened(file)?;
        if !flags.write {
            return Err(FsError::BadHandle);
        }
        self.may_change()?;
        self.set(node, set);
        Ok(())
    }

    fn close(&mut self, file: FileHandle) -> Result<(), FsError> {
        self.opened(file)?;
        self.wait()?;
        self.files.retain(|open| open.handle != file.0);
        self.close_failure.take().map_or(Ok(()), Err)
    }

    fn open_dir(&mut self, path: &ResolvedPath) -> Result<DirHandle, FsError> {
        self.wait()?;
        let node = self.node(path)?;
        if node.is_some_and(|node| !self.is_directory(node)) {
            return Err(FsError::NotADirectory);
        }
        if self.directories.len() == HANDLES {
            return Err(FsError::TooManyOpen);
        }
        let handle = self.handle();
        self.directories.push(OpenDirectory { handle, node, next: 0 });
        Ok(DirHandle(handle))
    }

    fn list(
        &mut self,
        dir: DirHandle,
        show: &mut dyn FnMut(&DirEntry) -> bool,
    ) -> Result<bool, FsError> {
        self.wait()?;
        for _ in 0..self.entries {
            let Some(entry) = self.next_entry(dir)? else { return Ok(false) };
            if !show(&entry) {
                break;
            }
        }
        Ok(true)
    }

    fn close_dir(&mut self, dir: DirHandle) -> Result<(), FsError> {
        let before = self.directories.len();
        self.directories.retain(|open| open.handle != dir.0);
        if self.directories.len() == before { Err(FsError::BadHandle) } else { Ok(()) }
    }

    fn make_dir(&mut self, path: &ResolvedPath) -> Result<(), FsError> {
        self.wait()?;
        let (directory, name) = self.above(path)?.ok_or(FsError::Exists)?;
        if self.child(directory, name).is_some() {
            return Err(FsError::Exists);
        }
        self.may_change()?;
        self.add(directory, *name, Kind::Directory);
        Ok(())
    }

    fn remove_dir(&mut self, path: &ResolvedPath) -> Result<(), FsError> {
        self.wait()?;
        let (directory, name) = self.above(path)?.ok_or(FsError::NotAllowed)?;
        let node = self.child(directory, name).ok_or(FsError::NotFound)?;
        if !self.is_directory(node) {
            return Err(FsError::NotADirectory);
        }
        if self.nodes[node].attributes.read_only {
            return Err(FsError::ReadOnlyFile);
        }
        if self.directories.iter().any(|open| open.node == Some(node)) {
            return Err(FsError::Busy);
        }
        if !self.nodes[node].children.is_empty() {
            return Err(FsError::NotEmpty);
        }
        self.may_change()?;
        self.detach(directory, node);
        Ok(())
    }

    fn remove(&mut self, path: &ResolvedPath) -> Result<(), FsError> {
        self.wait()?;
        let (directory, name) = self.above(path)?.ok_or(FsError::IsADirectory)?;
        let node = self.child(directory, name).ok_or(FsError::NotFound)?;
        if self.is_directory(node) {
            return Err(FsError::IsADirectory);
        }
        if self.nodes[node].attributes.read_only {
            return Err(FsError::ReadOnlyFile);
        }
        if self.is_open(node) {
            return Err(FsError::Busy);
        }
        self.may_change()?;
        self.detach(directory, node);
        self.nodes[node].content.clear();
        Ok(())
    }

    fn rename(&mut self, from: &ResolvedPath, to: &ResolvedPath) -> Result<(), FsError> {
        self.wait()?;
        if from.drive() != to.drive() {
            return Err(FsError::OtherDrive);
        }
        let (source, name) = self.above(from)?.ok_or(FsError::NotAllowed)?;
        let node = self.child(source, name).ok_or(FsError::NotFound)?;
        if from == to {
            return Ok(());
        }
        if self.is_directory(node) && to.names().starts_with(from.names()) {
            return Err(FsError::NotAllowed);
        }
        let (target, new_name) = self.above(to)?.ok_or(FsError::NotAllowed)?;
        if self.child(target, new_name).is_some() {
            return Err(FsError::Exists);
        }
        if self.is_open(node) {
            return Err(FsError::Busy);
        }
        self.may_change()?;
        self.detach(source, node);
        self.nodes[target].children.push(node);
        self.nodes[node].name = *new_name;
        Ok(())
    }

    fn space(&mut self, drive: Drive) -> Result<Space, FsError> {
        self.wait()?;
        if !self.drives().contains(drive) {
            return Err(FsError::NotFound);
        }
        Ok(Space { free: self.free(), total: self.capacity })
    }

    fn work(&mut self) -> bool {
        false
    }

    fn flush(&mut self) -> Result<(), FsError> {
        Ok(())
    }
}
