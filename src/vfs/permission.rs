//! What a user may change (manual, "Permissions").

/// A command that must be granted. All others (directories, listings, downloads) are always allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Permission {
    /// Delete a file.
    Dele = 1,
    /// Create a directory.
    Mkd = 1 << 1,
    /// Remove a directory.
    Rmd = 1 << 2,
    /// Rename.
    Rnfr = 1 << 3,
    /// Store under the client's name.
    Stor = 1 << 4,
    /// Append to a file, or create one.
    Appe = 1 << 5,
    /// Store under a name that the server picks.
    Stou = 1 << 6,
}

impl Permission {
    /// All of them, in the manual's order.
    pub const ALL: [Permission; 7] = [
        Permission::Dele,
        Permission::Mkd,
        Permission::Rmd,
        Permission::Rnfr,
        Permission::Stor,
        Permission::Appe,
        Permission::Stou,
    ];

    /// The word for it in the password file, which is the command's name.
    pub const fn keyword(self) -> &'static str {
        match self {
            Permission::Dele => "dele",
            Permission::Mkd => "mkd",
            Permission::Rmd => "rmd",
            Permission::Rnfr => "rnfr",
            Permission::Stor => "stor",
            Permission::Appe => "appe",
            Permission::Stou => "stou",
        }
    }

    /// The inverse of [`Permission::keyword`], in any case of letters.
    pub fn from_keyword(word: &[u8]) -> Option<Permission> {
        Permission::ALL
            .into_iter()
            .find(|permission| word.eq_ignore_ascii_case(permission.keyword().as_bytes()))
    }
}

/// A set of [`Permission`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// May look and download, no more.
    pub const NONE: Permissions = Permissions(0);
    /// May do everything.
    pub const ALL: Permissions = Permissions(0x7F);

    /// Grants one more.
    pub const fn insert(&mut self, permission: Permission) {
        self.0 |= permission as u8;
    }

    /// Whether `permission` was granted.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission as u8 != 0
    }

    /// Whether the user can change nothing at all.
    pub const fn is_read_only(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_the_manuals_in_any_case() {
        for permission in Permission::ALL {
            assert_eq!(Permission::from_keyword(permission.keyword().as_bytes()), Some(permission));
        }
        assert_eq!(Permission::from_keyword(b"StOr"), Some(Permission::Stor));
        for word in [&b"retr"[..], b"rnto", b"", b"sto", b"stor,", b"all"] {
            assert_eq!(Permission::from_keyword(word), None);
        }
    }

    #[test]
    fn all_is_every_single_one_and_none_is_none() {
        let mut built = Permissions::NONE;
        for permission in Permission::ALL {
            assert!(!built.contains(permission), "{permission:?} shares a bit");
            assert!(!Permissions::NONE.contains(permission));
            built.insert(permission);
            assert!(built.contains(permission));
        }
        assert_eq!(built, Permissions::ALL);
        assert!(Permissions::NONE.is_read_only());
        assert!(!built.is_read_only());
    }
}
