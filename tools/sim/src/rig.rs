//! Short ways for tests to use a [`Provider`]: texts for paths, and slices taken until a call is done.

use bumpalo::Bump;
use ftpsrv::memory::{Memory, OutOfMemory};
use ftpsrv::vfs::provider::{DirEntry, FileHandle, OpenFlags};
use ftpsrv::vfs::{FsError, Provider, ResolvedPath, Sandbox, UserPath};

/// Memory that goes when the test's arena goes.
pub struct Arena<'a>(pub &'a Bump);

impl<'a> Memory<'a> for Arena<'a> {
    fn slots<T: 'a>(
        &mut self,
        _: &'static str,
        count: usize,
        make: impl FnMut(usize) -> T,
    ) -> Result<&'a mut [T], OutOfMemory> {
        Ok(self.0.alloc_slice_fill_with(count, make))
    }

    fn free(&self) -> usize {
        usize::MAX
    }
}

/// Opens for reading.
pub const READ: OpenFlags = OpenFlags {
    read: true,
    write: false,
    append: false,
    create: false,
    truncate: false,
    exclusive: false,
    pinned: false,
};

/// Makes or overwrites.
pub const STORE: OpenFlags =
    OpenFlags { read: false, write: true, create: true, truncate: true, ..READ };

/// Makes or appends.
pub const APPEND: OpenFlags =
    OpenFlags { read: false, write: true, create: true, append: true, ..READ };

/// The place that `text` (`/drive_c/dir/file`) names.
pub fn path(text: &str) -> ResolvedPath {
    let path = UserPath::root().join(text.as_bytes()).expect("a path");
    Sandbox::none().resolve(&path).expect("a place")
}

/// Calls until it is no longer [`FsError::Again`].
pub fn finish<T>(mut call: impl FnMut() -> Result<T, FsError>) -> Result<T, FsError> {
    for _ in 0..50_000 {
        match call() {
            Err(FsError::Again) => {}
            other => return other,
        }
    }
    panic!("a call that never ends: {}", std::any::type_name_of_val(&call));
}

/// Writes a whole file in pieces of `piece` bytes.
pub fn store(
    files: &mut dyn Provider,
    name: &str,
    flags: OpenFlags,
    data: &[u8],
    piece: usize,
) -> Result<(), FsError> {
    let path = path(name);
    let file = finish(|| files.open(&path, flags))?;
    let base = finish(|| files.attributes_of(file))?.size;
    write_all(files, file, base, data, piece)
}

/// Writes into a file that is there, from `offset` on.
pub fn resume(
    files: &mut dyn Provider,
    name: &str,
    offset: u32,
    data: &[u8],
    piece: usize,
) -> Result<(), FsError> {
    let path = path(name);
    let flags = OpenFlags { write: true, ..OpenFlags::default() };
    let file = finish(|| files.open(&path, flags))?;
    write_all(files, file, offset, data, piece)
}

fn write_all(
    files: &mut dyn Provider,
    file: FileHandle,
    base: u32,
    data: &[u8],
    piece: usize,
) -> Result<(), FsError> {
    let mut done = 0;
    let mut result = Ok(());
    while done < data.len() {
        let end = data.len().min(done + piece);
        match finish(|| files.write(file, base + done as u32, &data[done..end])) {
            Ok(count) => done += count,
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    finish(|| files.close(file)).and(result)
}

/// Reads a whole file in pieces of `piece` bytes.
pub fn fetch(files: &mut dyn Provider, name: &str, piece: usize) -> Result<Vec<u8>, FsError> {
    let path = path(name);
    let file = finish(|| files.open(&path, READ))?;
    let (mut data, mut buffer) = (Vec::new(), vec![0; piece]);
    let result = loop {
        match finish(|| files.read(file, data.len() as u32, &mut buffer)) {
            Ok(0) => break Ok(()),
            Ok(count) => data.extend_from_slice(&buffer[..count]),
            Err(error) => break Err(error),
        }
    };
    finish(|| files.close(file))?;
    result.map(|()| data)
}

/// All entries of a directory.
pub fn list(files: &mut dyn Provider, name: &str) -> Result<Vec<DirEntry>, FsError> {
    let path = path(name);
    let directory = finish(|| files.open_dir(&path))?;
    let mut entries = Vec::new();
    let result = loop {
        let show = &mut |entry: &DirEntry| {
            entries.push(*entry);
            true
        };
        match finish(|| files.list(directory, show)) {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    files.close_dir(directory)?;
    result.map(|()| entries)
}

/// A [`Provider`] call with a path as text.
pub fn make_dir(files: &mut dyn Provider, name: &str) -> Result<(), FsError> {
    finish(|| files.make_dir(&path(name)))
}

/// As [`make_dir`].
pub fn remove_dir(files: &mut dyn Provider, name: &str) -> Result<(), FsError> {
    finish(|| files.remove_dir(&path(name)))
}

/// As [`make_dir`].
pub fn remove(files: &mut dyn Provider, name: &str) -> Result<(), FsError> {
    finish(|| files.remove(&path(name)))
}

/// As [`make_dir`].
pub fn rename(files: &mut dyn Provider, from: &str, to: &str) -> Result<(), FsError> {
    finish(|| files.rename(&path(from), &path(to)))
}

/// Numbers that look random and repeat with their seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }

    /// `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}
