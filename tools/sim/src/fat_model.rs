//! What a volume should hold, as a plain map, and what it does hold, as an independent implementation
//! of FAT (the crate fatfs) reads it.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};

use ftpsrv::block::SECTOR;
use ftpsrv::vfs::{FsError, Provider};

use crate::disk::Medium;
use crate::rig::{APPEND, Random, STORE, make_dir, remove, remove_dir, rename, resume, store};

/// Paths from the drive's root (`SUB/FILE.TXT`) and files' contents; `None`: a directory.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// Something that a session does to a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Stores a file, over an old one if there is one, in pieces of so many bytes.
    Store(String, Vec<u8>, usize),
    /// Appends, or stores.
    Append(String, Vec<u8>, usize),
    /// Writes from an offset on, as an upload does that goes on where it broke off; nothing is cut.
    Resume(String, u32, Vec<u8>, usize),
    /// Deletes a file.
    Remove(String),
    /// Renames or moves.
    Rename(String, String),
    /// Makes a directory.
    MakeDir(String),
    /// Removes one.
    RemoveDir(String),
}

impl Op {
    /// Does it to a real provider, in the drive whose root is `root`.
    ///
    /// # Errors
    /// The provider's.
    pub fn run(&self, files: &mut dyn Provider, root: &str) -> Result<(), FsError> {
        let full = |name: &str| format!("{root}/{name}");
        match self {
            Op::Store(name, data, piece) => store(files, &full(name), STORE, data, *piece),
            Op::Append(name, data, piece) => store(files, &full(name), APPEND, data, *piece),
            Op::Resume(name, offset, data, piece) => {
                resume(files, &full(name), *offset, data, *piece)
            }
            Op::Remove(name) => remove(files, &full(name)),
            Op::Rename(from, to) => rename(files, &full(from), &full(to)),
            Op::MakeDir(name) => make_dir(files, &full(name)),
            Op::RemoveDir(name) => remove_dir(files, &full(name)),
        }
    }

    /// Does it to a model, and says what a provider should have said.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn apply(&self, tree: &mut Tree) -> Result<(), FsError> {
        match self {
            Op::Store(name, data, _) => {
                may_write(tree, name)?;
                tree.insert(name.clone(), Some(data.clone()));
            }
            Op::Append(name, data, _) => {
                may_write(tree, name)?;
                let file = tree.entry(name.clone()).or_insert_with(|| Some(Vec::new()));
                file.as_mut().expect("a file").extend_from_slice(data);
            }
            Op::Resume(name, offset, data, _) => {
                let file = lookup(tree, name)?.as_ref().ok_or(FsError::IsADirectory)?;
                let start = *offset as usize;
                let mut content = file.clone();
                if data.is_empty() {
                    return Ok(());
                }
                if start > content.len() {
                    return Err(FsError::BadFlags);
                }
                content.resize(content.len().max(start + data.len()), 0);
                content[start..start + data.len()].copy_from_slice(data);
                tree.insert(name.clone(), Some(content));
            }
            Op::Remove(name) => match lookup(tree, name)? {
                None => return Err(FsError::IsADirectory),
                Some(_) => drop(tree.remove(name)),
            },
            Op::Rename(from, to) => return rename_in(tree, from, to),
            Op::MakeDir(name) => {
                parent(tree, name)?;
                if tree.contains_key(name) {
                    return Err(FsError::Exists);
                }
                tree.insert(name.clone(), None);
            }
            Op::RemoveDir(name) => {
                if lookup(tree, name)?.is_some() {
                    return Err(FsError::NotADirectory);
                }
                if tree.keys().any(|key| key.starts_with(&format!("{name}/"))) {
                    return Err(FsError::NotEmpty);
                }
                tree.remove(name);
            }
        }
        Ok(())
    }

    /// Whether it renames into another directory.
    pub fn is_move(&self) -> bool {
        let above = |path: &str| path.rsplit_once('/').map(|(above, _)| above.to_owned());
        matches!(self, Op::Rename(from, to) if above(from) != above(to))
    }

    /// The paths that it may change.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Op::Rename(from, to) => vec![from, to],
            Op::Store(name, ..) | Op::Append(name, ..) | Op::Resume(name, ..) => vec![name],
            Op::Remove(name) | Op::MakeDir(name) | Op::RemoveDir(name) => vec![name],
        }
    }

    /// One of the things that may be done with a few names.
    pub fn random(random: &mut Random, longest: usize) -> Op {
        let directories = ["", "A/", "B/", "A/C/", "A/C/D/"];
        let files = ["ONE", "TWO.TXT", "THREE.B", "FOUR", "A", "B", "C", "D"];
        let mut name = || {
            let directory = directories[random.below(directories.len())];
            format!("{directory}{}", files[random.below(files.len())])
        };
        let (first, second) = (name(), name());
        let piece = [100, 512, 1000, 4096, 16_384][random.below(5)];
        let length = random.below(longest);
        let length = if random.below(8) == 0 { length / 512 * 512 } else { length };
        match random.below(13) {
            0..4 => Op::Store(first, random.bytes(length), piece),
            4 | 5 => Op::Append(first, random.bytes(length), piece),
            12 => Op::Resume(first, random.below(longest) as u32, random.bytes(length), piece),
            6 | 7 => Op::Remove(first),
            8 | 9 => Op::Rename(first, second),
            10 => Op::MakeDir(first),
            _ => Op::RemoveDir(first),
        }
    }
}

fn parent(tree: &Tree, name: &str) -> Result<(), FsError> {
    match name.rsplit_once('/') {
        None => Ok(()),
        Some((above, _)) => match lookup(tree, above)? {
            None => Ok(()),
            Some(_) => Err(FsError::NotADirectory),
        },
    }
}

fn lookup<'t>(tree: &'t Tree, name: &str) -> Result<&'t Option<Vec<u8>>, FsError> {
    parent(tree, name)?;
    tree.get(name).ok_or(FsError::NotFound)
}

fn may_write(tree: &Tree, name: &str) -> Result<(), FsError> {
    parent(tree, name)?;
    if tree.get(name) == Some(&None) { Err(FsError::IsADirectory) } else { Ok(()) }
}

fn rename_in(tree: &mut Tree, from: &str, to: &str) -> Result<(), FsError> {
    lookup(tree, from)?;
    if from == to {
        return Ok(());
    }
    if tree[from].is_none() && to.starts_with(&format!("{from}/")) {
        return Err(FsError::NotAllowed);
    }
    parent(tree, to)?;
    if tree.contains_key(to) {
        return Err(FsError::Exists);
    }
    let below = format!("{from}/");
    let moved: Vec<String> =
        tree.keys().filter(|key| *key == from || key.starts_with(&below)).cloned().collect();
    for key in moved {
        let value = tree.remove(&key).expect("a key");
        tree.insert(format!("{to}{}", &key[from.len()..]), value);
    }
    Ok(())
}

/// A medium as the standard library's traits want it.
struct Image<'m> {
    medium: &'m mut Medium,
    at: u64,
}

impl Image<'_> {
    fn room(&self, wanted: usize) -> usize {
        let inside = self.at as usize % SECTOR;
        let left = u64::from(self.medium.sectors()) * SECTOR as u64 - self.at;
        wanted.min(SECTOR - inside).min(left as usize)
    }
}

impl Read for Image<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.room(buffer.len());
        if count > 0 {
            let inside = self.at as usize % SECTOR;
            let sector = self.medium.sector((self.at / SECTOR as u64) as u32);
            buffer[..count].copy_from_slice(&sector[inside..inside + count]);
            self.at += count as u64;
        }
        Ok(count)
    }
}

impl Write for Image<'_> {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        let count = self.room(data.len());
        if count > 0 {
            let (lba, inside) = ((self.at / SECTOR as u64) as u32, self.at as usize % SECTOR);
            let mut sector = self.medium.sector(lba);
            sector[inside..inside + count].copy_from_slice(&data[..count]);
            self.medium.set_sector(lba, &sector);
            self.at += count as u64;
        }
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Image<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let size = u64::from(self.medium.sectors()) * SECTOR as u64;
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(by) => size.wrapping_add_signed(by),
            SeekFrom::Current(by) => self.at.wrapping_add_signed(by),
        };
        Ok(self.at)
    }
}

/// What fatfs finds on a volume without partition table.
///
/// # Errors
/// What it does not like.
pub fn read_tree(medium: &Medium) -> std::io::Result<Tree> {
    let mut medium = medium.clone();
    let image = Image { medium: &mut medium, at: 0 };
    let system = fatfs::FileSystem::new(image, fatfs::FsOptions::new())?;
    let mut tree = Tree::new();
    let mut waiting = vec![(String::new(), system.root_dir())];
    while let Some((prefix, directory)) = waiting.pop() {
        for entry in directory.iter() {
            let entry = entry?;
            let short = String::from_utf8_lossy(entry.short_file_name_as_bytes()).into_owned();
            if short.starts_with('.') {
                continue;
            }
            let name = format!("{prefix}{short}");
            if entry.is_dir() {
                waiting.push((format!("{name}/"), entry.to_dir()));
                tree.insert(name, None);
            } else {
                let mut content = Vec::new();
                entry.to_file().read_to_end(&mut content)?;
                if content.len() as u64 != entry.len() {
                    return Err(std::io::Error::other(format!("{name} is shorter than it says")));
                }
                tree.insert(name, Some(content));
            }
        }
    }
    Ok(tree)
}
