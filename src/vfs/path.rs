//! Paths: what a user writes, where a user is, and what a disk is asked for.
//!
//! A user's text becomes a [`UserPath`] by [`UserPath::join`], which knows `.`, `..`, both kinds of
//! slash and nothing else; a [`super::Sandbox`] makes a [`ResolvedPath`] of that. No text reaches a
//! disk any other way, so there is nothing to escape with.

use core::fmt;

use heapless::Vec;

use crate::fat::Name83;
use crate::fat::name83::NameError;

/// Directories below a drive's root that a path can name: 63 characters of DOS path (manual, "DOS
/// filesystem limitations") hold no more one-letter names.
pub const MAX_DEPTH: usize = 32;

/// Characters of a DOS path between the drive's colon and the file's name, with the backslashes at both
/// ends (manual, "DOS filesystem limitations": 2 + 63 + 13 = 78 characters in all).
pub const MAX_DOS_PATH: usize = 63;

/// A drive letter, `A` to `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Drive(u8);

impl Drive {
    /// The first floppy drive.
    pub const A: Drive = Drive(b'A');

    /// The drive of `letter`, in either case.
    pub const fn new(letter: u8) -> Option<Drive> {
        match letter.to_ascii_uppercase() {
            upper @ b'A'..=b'Z' => Some(Drive(upper)),
            _ => None,
        }
    }

    /// The drive with this number: 0 is A.
    pub const fn from_index(index: u8) -> Option<Drive> {
        if index < 26 { Some(Drive(b'A' + index)) } else { None }
    }

    /// `b'A'` to `b'Z'`.
    pub const fn letter(self) -> u8 {
        self.0
    }

    /// 0 for A.
    pub const fn index(self) -> u8 {
        self.0 - b'A'
    }

    /// The name of the directory that stands for it: `DRIVE_C`.
    pub const fn directory(self) -> Name83 {
        let mut bytes = *b"DRIVE_?    ";
        bytes[6] = self.0;
        Name83::from_raw(bytes)
    }

    /// The inverse of [`Drive::directory`].
    pub fn from_directory(name: &Name83) -> Option<Drive> {
        match name.as_raw() {
            [b'D', b'R', b'I', b'V', b'E', b'_', letter, b' ', b' ', b' ', b' '] => {
                Drive::new(*letter)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Drive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(self.0))
    }
}

/// A set of drive letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DriveSet(u32);

impl DriveSet {
    /// No drive.
    pub const EMPTY: DriveSet = DriveSet(0);

    /// Adds a drive.
    pub const fn insert(&mut self, drive: Drive) {
        self.0 |= 1 << drive.index();
    }

    /// Takes a drive out.
    pub const fn remove(&mut self, drive: Drive) {
        self.0 &= !(1 << drive.index());
    }

    /// Whether the drive is in the set.
    pub const fn contains(self, drive: Drive) -> bool {
        self.0 & (1 << drive.index()) != 0
    }

    /// The drives, A first.
    pub fn iter(self) -> impl Iterator<Item = Drive> {
        (0..26).filter_map(Drive::from_index).filter(move |&drive| self.contains(drive))
    }
}

/// Why a text is not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// A part is not an 8.3 name.
    Name(NameError),
    /// More than [`MAX_DEPTH`] directories, or longer than DOS can name.
    TooDeep,
    /// The first part is not a drive that is served, where a drive is needed.
    NoSuchDrive,
}

/// What is wrong, in words that follow the path and a colon.
impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathError::Name(NameError::Empty) => "a name has no characters before its dot",
            PathError::Name(NameError::NotEightDotThree) => {
                "a name is longer than 8 characters, a dot and 3 more"
            }
            PathError::Name(NameError::InvalidCharacter) => {
                "a name has a character that DOS does not allow"
            }
            PathError::Name(NameError::Device) => "a name is that of a DOS device",
            PathError::TooDeep => "the path is too long for DOS",
            PathError::NoSuchDrive => "it does not begin with a drive",
        })
    }
}

/// An absolute path as one user sees it; the root is the user's own. Large: to be changed where it is rather than
/// moved or copied, each of which takes its size of stack.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct UserPath {
    names: Vec<Name83, { MAX_DEPTH + 1 }>,
}

impl Clone for UserPath {
    fn clone(&self) -> UserPath {
        let mut path = UserPath::root();
        path.clone_from(self);
        path
    }

    fn clone_from(&mut self, other: &UserPath) {
        self.names.clear();
        // There is as much room.
        let _ = self.names.extend_from_slice(&other.names);
    }
}

impl UserPath {
    /// `/`
    pub const fn root() -> UserPath {
        UserPath { names: Vec::new() }
    }

    /// Where `text` leads from here. A leading slash starts at the root; `\` is a slash too, empty
    /// parts and `.` mean nothing, `..` goes up and stops at the root.
    ///
    /// # Errors
    /// [`PathError::Name`] for a part that is no 8.3 name (a drive letter with a colon is none), and
    /// [`PathError::TooDeep`].
    pub fn join(&self, text: &[u8]) -> Result<UserPath, PathError> {
        let mut path = self.clone();
        path.go(text)?;
        Ok(path)
    }

    /// Goes where `text` leads from here, as [`UserPath::join`].
    ///
    /// # Errors
    /// As [`UserPath::join`]; the path has gone as far as it could then.
    #[inline(never)]
    pub fn go(&mut self, text: &[u8]) -> Result<(), PathError> {
        let is_slash = |&b: &u8| b == b'/' || b == b'\\';
        if text.first().is_some_and(is_slash) {
            self.names.clear();
        }
        for part in text.split(is_slash) {
            match part {
                b"" | b"." => {}
                b".." => {
                    self.names.pop();
                }
                name => self.enter(Name83::parse(name).map_err(PathError::Name)?)?,
            }
        }
        Ok(())
    }

    /// Goes to the entry `name` of this directory.
    ///
    /// # Errors
    /// [`PathError::TooDeep`].
    pub fn enter(&mut self, name: Name83) -> Result<(), PathError> {
        self.names.push(name).map_err(|_| PathError::TooDeep)
    }

    /// Goes up; the root stays.
    pub fn leave(&mut self) {
        self.names.pop();
    }

    /// Becomes the entry `name` of the same directory.
    ///
    /// # Errors
    /// [`PathError::TooDeep`].
    pub fn replace_last(&mut self, name: Name83) -> Result<(), PathError> {
        self.names.pop();
        self.enter(name)
    }

    /// Becomes the same path from `top` on instead of from the root.
    ///
    /// # Errors
    /// [`PathError::TooDeep`].
    pub fn move_below(&mut self, top: Name83) -> Result<(), PathError> {
        self.names.insert(0, top).map_err(|_| PathError::TooDeep)
    }

    /// Gives `sink` the path as the wire carries it: `/DRIVE_C/DIR/FILE.EXT`, `/` for the root, in the
    /// disk's own bytes. Quotes are not doubled.
    pub fn write_to(&self, sink: &mut dyn FnMut(&[u8])) {
        if self.is_root() {
            sink(b"/");
        }
        for name in &self.names {
            sink(b"/");
            sink(&name.to_text());
        }
    }

    /// The parts, from the root on.
    pub fn names(&self) -> &[Name83] {
        &self.names
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.names.is_empty()
    }

    /// The parts of the directory above; the root's is the root.
    pub fn above(&self) -> &[Name83] {
        self.names.split_last().map_or(&[], |(_, above)| above)
    }

    /// Whether `self` is `directory` or lies anywhere below it.
    pub fn is_within(&self, directory: &UserPath) -> bool {
        self.names.starts_with(&directory.names)
    }

    /// Becomes the root.
    pub fn clear(&mut self) {
        self.names.clear();
    }
}

/// `/DRIVE_C/DIR/FILE.EXT`; high-bit and control bytes as `?`, so for messages, not for the wire.
impl fmt::Display for UserPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str("/");
        }
        self.names.iter().try_for_each(|name| write!(f, "/{name}"))
    }
}

/// A place on a drive, or the root that holds the drives. Only a [`super::Sandbox`] makes another than that. Large, as
/// a [`UserPath`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolvedPath {
    drive: Option<Drive>,
    /// As one sees it who has no sandbox: of a drive the first name is the drive's.
    path: UserPath,
}

impl ResolvedPath {
    /// The root that holds the drives.
    pub const fn root() -> ResolvedPath {
        ResolvedPath { drive: None, path: UserPath::root() }
    }

    /// Becomes the place that `path` names from `root` on, which begins with a drive where there is one.
    pub(super) fn set(&mut self, root: Option<&[u8]>, path: &UserPath) -> Result<(), PathError> {
        self.drive = None;
        self.path.clear();
        if let Some(text) = root {
            self.path.go(text)?;
            self.path.names.first().ok_or(PathError::NoSuchDrive)?;
        }
        self.path.names.extend_from_slice(&path.names).map_err(|_| PathError::TooDeep)?;
        if let Some(first) = self.path.names.first() {
            self.drive = Some(Drive::from_directory(first).ok_or(PathError::NoSuchDrive)?);
        }
        Ok(())
    }

    /// The drive; `None` for the root that holds the drives.
    pub fn drive(&self) -> Option<Drive> {
        self.drive
    }

    /// The parts below the drive's root.
    pub fn names(&self) -> &[Name83] {
        self.path.names.get(1..).unwrap_or_default()
    }

    /// Whether DOS could name a file here: a path of up to [`MAX_DOS_PATH`] characters from the drive's
    /// root to the file's directory. What is longer may exist, made by other systems, and may be used,
    /// but must not be made.
    pub fn is_file_in_reach_of_dos(&self) -> bool {
        self.names().split_last().is_some_and(|(_, above)| dos_length(above) <= MAX_DOS_PATH)
    }

    /// Whether DOS could enter a directory here; as [`ResolvedPath::is_file_in_reach_of_dos`].
    pub fn is_directory_in_reach_of_dos(&self) -> bool {
        dos_length(self.names()) <= MAX_DOS_PATH
    }

    /// The last part and the parts before it; `None` for roots.
    pub fn split_last(&self) -> Option<(&Name83, &[Name83])> {
        self.names().split_last()
    }
}

/// Characters of `\A\B\`: a backslash before each name, and one behind the last.
fn dos_length(names: &[Name83]) -> usize {
    1 + names.iter().map(|name| name.to_text().len() + 1).sum::<usize>()
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
