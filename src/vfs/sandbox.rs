//! The sandbox is a type: it alone turns a user's path into a place on a disk.

use super::path::{Drive, PathError, ResolvedPath, UserPath};

/// What one user can see: all drives, or one directory and everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sandbox {
    /// The directory that the user sees as `/`, in the names of a user without sandbox.
    root: UserPath,
}

impl Sandbox {
    /// No sandbox: the user's root holds all drives.
    pub const fn none() -> Sandbox {
        Sandbox { root: UserPath::root() }
    }

    /// A sandbox whose root is `root`, which begins with a drive (`/drive_c/ftp`).
    ///
    /// # Errors
    /// [`PathError::NoSuchDrive`] when it does not.
    pub fn new(root: UserPath) -> Result<Sandbox, PathError> {
        match root.names().first().and_then(Drive::from_directory) {
            Some(_) => Ok(Sandbox { root }),
            None => Err(PathError::NoSuchDrive),
        }
    }

    /// As [`Sandbox::new`] from the text of its root; none without one.
    ///
    /// # Errors
    /// As [`Sandbox::new`] and [`UserPath::join`].
    pub fn of(root: Option<&[u8]>) -> Result<Sandbox, PathError> {
        let mut sandbox = Sandbox::none();
        if let Some(text) = root {
            sandbox.root.go(text)?;
            let first = sandbox.root.names().first();
            first.and_then(Drive::from_directory).ok_or(PathError::NoSuchDrive)?;
        }
        Ok(sandbox)
    }

    /// Whether there is a sandbox at all.
    pub fn is_restricted(&self) -> bool {
        !self.root.is_root()
    }

    /// The directory that the user sees as `/`. For the administrator's eyes: what a user is told is
    /// made of the user's own paths alone.
    pub fn root(&self) -> &UserPath {
        &self.root
    }

    /// The place on a disk that `path` means to this user.
    ///
    /// # Errors
    /// [`PathError::NoSuchDrive`] and [`PathError::TooDeep`].
    pub fn resolve(&self, path: &UserPath) -> Result<ResolvedPath, PathError> {
        ResolvedPath::new(self.root.clone(), path)
    }

    /// As [`Sandbox::of`] and [`Sandbox::resolve`], with one path less on the stack.
    ///
    /// # Errors
    /// Theirs.
    pub fn resolve_in(root: Option<&[u8]>, path: &UserPath) -> Result<ResolvedPath, PathError> {
        let mut all = UserPath::root();
        if let Some(text) = root {
            all.go(text)?;
            all.names().first().ok_or(PathError::NoSuchDrive)?;
        }
        ResolvedPath::new(all, path)
    }
}
