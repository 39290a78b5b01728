//! The sandbox is a type: it alone turns a user's path into a place on a disk.

use super::path::{PathError, ResolvedPath, UserPath};

/// What one user can see: all drives, or one directory and everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sandbox<'a> {
    /// The directory that the user sees as `/`, as one writes it who sees all drives.
    root: Option<&'a [u8]>,
}

impl<'a> Sandbox<'a> {
    /// No sandbox: the user's root holds all drives.
    pub const fn none() -> Sandbox<'a> {
        Sandbox { root: None }
    }

    /// A sandbox whose root is what `root` means, which begins with a drive (`/drive_c/ftp`); in another one there
    /// are no places. None without a root.
    pub const fn of(root: Option<&'a [u8]>) -> Sandbox<'a> {
        Sandbox { root }
    }

    /// Whether there is a sandbox at all.
    pub fn is_restricted(&self) -> bool {
        self.root.is_some()
    }

    /// The place on a disk that `path` means to this user.
    ///
    /// # Errors
    /// [`PathError`]: [`PathError::TooDeep`], or what is wrong with the sandbox's root.
    pub fn resolve(&self, path: &UserPath) -> Result<ResolvedPath, PathError> {
        let mut place = ResolvedPath::root();
        self.resolve_in(path, &mut place)?;
        Ok(place)
    }

    /// As [`Sandbox::resolve`], where the place is to be: it is large. After an error it is no place that is meant.
    ///
    /// # Errors
    /// As [`Sandbox::resolve`].
    #[inline(never)]
    pub fn resolve_in(&self, path: &UserPath, place: &mut ResolvedPath) -> Result<(), PathError> {
        place.set(self.root, path)
    }
}
