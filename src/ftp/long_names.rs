//! Long names and the aliases that they got in this session (FTPSRV_LONG_NAMES shorten).
//!
//! May call `vfs`. The disk keeps aliases alone, so a long name is known to the session that gave it, and
//! means its alias there until that is deleted or renamed. What is kept is a hash of the directory and the
//! long name, in any case of letters, and the alias's number. Of [`REMEMBERED`] names the oldest file's
//! goes when another comes, and directories' names only when there are no others: clients go back to
//! directories, but seldom to files of long ago. What another session deletes, renames or replaces is
//! forgotten too ([`Gone`]): its alias may be another file's from then on. A name that is forgotten is one that
//! was never given: it names nothing that is there, and stored again it gets another alias.

use heapless::Vec;

use super::reply::Refusal;
use crate::vfs::alias::Alias;
use crate::vfs::path::{PathError, ResolvedPath};
use crate::vfs::{FsError, Name83, UserPath};

/// Long names that a session knows at once.
pub const REMEMBERED: usize = 32;

/// A name that got its alias.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Of the directory and the long name.
    long: u32,
    /// Of the directory and the alias, but for the lowest five bits: the alias's number, and whether it is
    /// a directory's.
    short: u32,
}

const NUMBER: u32 = 15;
const DIRECTORY: u32 = 16;

/// What is no more what it was, for all sessions: the last ones' [`Known::short`].
#[derive(Debug, Clone, Default)]
pub struct Gone {
    last: [u32; 16],
    /// How many there were; wraps.
    count: u32,
}

/// A name that is to get an alias.
#[derive(Debug, Clone, Copy)]
struct New {
    long: u32,
    alias: Alias,
    number: u8,
}

/// What a session knows of long names.
#[derive(Debug)]
pub struct LongNames {
    /// FTPSRV_LONG_NAMES says shorten.
    pub(super) on: bool,
    /// The last part of the last path was a long name.
    pub(super) shortened: bool,
    /// The last one used first.
    known: Vec<Known, REMEMBERED>,
    /// The last path's last part, when it is not known yet.
    new: Option<New>,
    /// How much of [`Gone`] was heeded.
    seen: u32,
}

impl LongNames {
    /// Nothing.
    pub(super) const fn new() -> LongNames {
        LongNames { on: false, shortened: false, known: Vec::new(), new: None, seen: 0 }
    }

    /// Has `path` go where `text` leads from `here`, with aliases for the long names in `text`. `make`: the last
    /// part may be new, and then it gets the first alias, or the one that [`LongNames::next`] came to for the same
    /// path.
    ///
    /// # Errors
    /// The path's; [`FsError::NotFound`] for a long name that is not known, and [`FsError::Exists`] when all its
    /// aliases are taken.
    pub(super) fn join(
        &mut self,
        path: &mut UserPath,
        here: &UserPath,
        text: &[u8],
        make: bool,
    ) -> Result<(), Refusal> {
        let last = self.new.take();
        self.shortened = false;
        path.clone_from(here);
        match path.go(text) {
            Err(PathError::Name(_)) if self.on => {}
            gone => return Ok(gone?),
        }
        let is_slash = |&b: &u8| matches!(b, b'/' | b'\\');
        path.clone_from(here);
        if text.first().is_some_and(is_slash) {
            path.clear();
        }
        let mut parts = text.split(is_slash).filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            match path.go(part) {
                Err(error @ PathError::Name(_)) => {
                    let alias = Alias::new(part).ok_or(error)?;
                    let long = hash(path.names(), part);
                    self.shortened = parts.peek().is_none();
                    let name = self.alias(alias, long, make && self.shortened, last)?;
                    path.enter(name)?;
                }
                gone => gone?,
            }
        }
        Ok(())
    }

    fn alias(
        &mut self,
        alias: Alias,
        long: u32,
        make: bool,
        last: Option<New>,
    ) -> Result<Name83, Refusal> {
        let number = match self.known.iter().position(|known| known.long == long) {
            Some(at) => {
                let known = self.known.remove(at);
                // There is room for what was there.
                let _ = self.known.insert(0, known);
                (known.short & NUMBER) as u8
            }
            None if make => {
                let new = last.filter(|last| last.long == long);
                let new = new.unwrap_or(New { long, alias, number: 0 });
                self.new = Some(new);
                new.number
            }
            None => return Err(FsError::NotFound.into()),
        };
        Ok(alias.candidate(number).ok_or(FsError::Exists)?)
    }

    /// Whether the last path is a new name's.
    pub(super) fn is_new(&self) -> bool {
        self.new.is_some()
    }

    /// The last path's alias is taken: the next one, if there is one.
    pub(super) fn next(&mut self) -> Option<Name83> {
        let mut new = self.new.take()?;
        new.number += 1;
        let name = new.alias.candidate(new.number)?;
        self.new = Some(new);
        Some(name)
    }

    /// The last path's `place` was made: if its name was new, it is known from now on.
    pub(super) fn keep(&mut self, place: &ResolvedPath, is_directory: bool) {
        let Some(new) = self.new.take() else { return };
        self.forget(hash_of_short(place));
        if self.known.is_full() {
            let file = self.known.iter().rposition(|known| known.short & DIRECTORY == 0);
            self.known.remove(file.unwrap_or(REMEMBERED - 1));
        }
        let kind = if is_directory { DIRECTORY } else { 0 };
        let short = hash_of_short(place) | u32::from(new.number) | kind;
        let _ = self.known.insert(0, Known { long: new.long, short });
    }

    fn forget(&mut self, short: u32) {
        self.known.retain(|known| known.short & !(NUMBER | DIRECTORY) != short);
    }

    /// Forgets what other sessions did away with.
    pub(super) fn heed(&mut self, gone: &Gone) {
        let missed = gone.count.wrapping_sub(self.seen);
        self.seen = gone.count;
        if missed > gone.last.len() as u32 {
            self.known.clear();
        }
        for back in 1..=missed.min(gone.last.len() as u32) {
            self.forget(gone.last[gone.count.wrapping_sub(back) as usize % gone.last.len()]);
        }
    }

    /// `place` is no more what it was: every session is to forget it.
    pub(super) fn lose(&mut self, gone: &mut Gone, place: &ResolvedPath) {
        self.forget(hash_of_short(place));
        self.others_lose(gone, place);
    }

    /// The same for all other sessions: this one has replaced it.
    pub(super) fn others_lose(&mut self, gone: &mut Gone, place: &ResolvedPath) {
        self.heed(gone);
        gone.last[gone.count as usize % gone.last.len()] = hash_of_short(place);
        gone.count = gone.count.wrapping_add(1);
        self.seen = gone.count;
    }

    /// A directory has another name, and nothing in it is where it was: every session is to forget all.
    pub(super) fn lose_all(&mut self, gone: &mut Gone) {
        gone.count = gone.count.wrapping_add(gone.last.len() as u32 + 1);
        self.heed(gone);
    }
}

fn hash_of_short(place: &ResolvedPath) -> u32 {
    let drive = place.drive().map_or(0, |drive| drive.letter());
    hash(place.names(), &[drive]) & !(NUMBER | DIRECTORY)
}

/// FNV-1a.
fn hash(directory: &[Name83], name: &[u8]) -> u32 {
    let parts = directory.iter().flat_map(|name| name.as_raw());
    parts.chain(name).fold(0x811C_9DC5, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_uppercase())).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::vfs::Sandbox;
    use std::format;
    use std::string::{String, ToString};

    fn names() -> LongNames {
        LongNames { on: true, ..LongNames::new() }
    }

    fn place(path: &UserPath) -> ResolvedPath {
        Sandbox::of(Some(b"/drive_c")).resolve(path).unwrap()
    }

    fn join(names: &mut LongNames, text: &str, make: bool) -> Result<UserPath, Refusal> {
        // Whatever it was before.
        let mut path = UserPath::root().join(b"/drive_a/before").unwrap();
        names.join(&mut path, &UserPath::root(), text.as_bytes(), make)?;
        Ok(path)
    }

    fn make(names: &mut LongNames, text: &str, is_directory: bool) -> String {
        let path = join(names, text, true).unwrap();
        names.keep(&place(&path), is_directory);
        path.to_string()
    }

    fn find(names: &mut LongNames, text: &str) -> Result<String, Refusal> {
        Ok(join(names, text, false)?.to_string())
    }

    #[test]
    fn a_name_is_found_in_any_case_and_in_its_directory_alone() {
        let mut names = names();
        assert_eq!(make(&mut names, "My Folder", true), "/MYFOLD~1");
        assert_eq!(make(&mut names, "/my folder/some file.text", false), "/MYFOLD~1/SOMEFI~1.TEX");
        assert_eq!(
            find(&mut names, "MY FOLDER\\Some File.text").unwrap(),
            "/MYFOLD~1/SOMEFI~1.TEX"
        );
        assert_eq!(
            find(&mut names, "my folder/../MYFOLD~1/some file.text").unwrap(),
            "/MYFOLD~1/SOMEFI~1.TEX"
        );
        assert_eq!(find(&mut names, "some file.text"), Err(FsError::NotFound.into()));
        assert_eq!(find(&mut names, "other folder/x"), Err(FsError::NotFound.into()));
        let folder = UserPath::root().join(b"MYFOLD~1").unwrap();
        names.lose(&mut Gone::default(), &place(&folder));
        assert_eq!(find(&mut names, "My Folder"), Err(FsError::NotFound.into()));
    }

    #[test]
    fn taken_aliases_are_passed_over_and_end() {
        let mut names = names();
        let mut tries = 1;
        join(&mut names, "long name.txt", true).unwrap();
        while names.next().is_some() {
            tries += 1;
            join(&mut names, "long name.txt", true).unwrap();
        }
        assert_eq!(tries, crate::vfs::alias::CANDIDATES);
        join(&mut names, "long name.txt", true).unwrap();
        names.next();
        // Another path begins anew, and so does the first one after it.
        assert_eq!(make(&mut names, "other name.txt", false), "/OTHERN~1.TXT");
        assert_eq!(make(&mut names, "long name.txt", false), "/LONGNA~1.TXT");
    }

    #[test]
    fn files_are_forgotten_before_directories() {
        let mut names = names();
        make(&mut names, "the directory", true);
        for number in 0..200 {
            make(&mut names, &format!("{number} is the file's number"), false);
        }
        assert!(find(&mut names, "the directory").is_ok());
        assert!(find(&mut names, "199 is the file's number").is_ok());
        assert!(find(&mut names, "0 is the file's number").is_err());
        assert_eq!(names.known.len(), REMEMBERED);
        for number in 0..200 {
            make(&mut names, &format!("{number} is the directory's"), true);
        }
        assert!(find(&mut names, "199 is the directory's").is_ok());
        assert!(find(&mut names, "199 is the file's number").is_err());
    }

    /// The same alias may be given again when its file is gone; its first name must not lead there then.
    #[test]
    fn an_alias_belongs_to_one_name() {
        let mut names = names();
        assert_eq!(make(&mut names, "a picture.jpg", false), "/APICTU~1.JPG");
        assert_eq!(make(&mut names, "a picture of me.jpg", false), "/APICTU~1.JPG");
        assert_eq!(find(&mut names, "a picture.jpg"), Err(FsError::NotFound.into()));
        assert_eq!(find(&mut names, "a picture of me.jpg").unwrap(), "/APICTU~1.JPG");
    }

    #[test]
    fn without_the_setting_nothing_is_shortened() {
        let mut names = LongNames::new();
        let refused = join(&mut names, "long name.txt", true);
        assert!(matches!(refused, Err(Refusal::Path(PathError::Name(_)))), "{refused:?}");
        assert!(names.on || !names.is_new());
    }
}
