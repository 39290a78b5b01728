//! What a line of a listing looks like: LIST as `ls -l` writes it, NLST, MLSD and MLST (RFC 3659
//! section 7).
//!
//! May call `vfs`. Calls for no file; [`super::lister`] walks the directory.

use heapless::Vec;

use super::client::{Context, Login};
use super::reply::{Line, Refusal, write_number};
use crate::time::{DateTime, Zone, two_digits};
use crate::vfs::provider::{Attributes, DirEntry, DirHandle, Kind};
use crate::vfs::{Name83, Pattern, Permission, Permissions, UserPath};

/// How entries are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// LIST, STAT.
    Long,
    /// NLST.
    Names,
    /// MLSD.
    Facts,
}

/// Bytes of a directory before a pattern: DOS's longest, and a little for `../`.
const MAX_PREFIX: usize = 72;

/// A listing that is asked for, or under way.
#[derive(Debug, Clone)]
pub struct Listing {
    pub(super) format: Format,
    /// It goes over the control connection (STAT with a path).
    pub(super) on_control: bool,
    /// The directory that is being read.
    pub(super) dir: Option<DirHandle>,
    /// Which entries are shown; `None`: all.
    pub(super) pattern: Option<Pattern>,
    /// NLST with a pattern: the directory before it, as given. The names are for commands that come next,
    /// so they must lead there from the working directory.
    prefix: Vec<u8, MAX_PREFIX>,
}

impl Listing {
    /// A listing of nothing, for transfers that are none.
    pub(super) const NONE: Listing = Listing {
        format: Format::Long,
        on_control: false,
        dir: None,
        pattern: None,
        prefix: Vec::new(),
    };

    /// The listing that `argument` asks for; `path`, which is where it is given, goes to what is to be looked at.
    ///
    /// # Errors
    /// The path's, and 501 for a pattern behind a longer path than DOS has.
    pub(super) fn parse(
        format: Format,
        path: &mut UserPath,
        argument: &[u8],
    ) -> Result<Listing, Refusal> {
        let mut listing = Listing { format, ..Listing::NONE };
        if format == Format::Facts {
            path.go(argument)?;
            return Ok(listing);
        }
        let pattern = Pattern::locate(path, argument)?;
        if pattern.is_some() && format == Format::Names {
            let slash = argument.iter().rposition(|&b| b == b'/' || b == b'\\');
            let prefix = slash.and_then(|slash| argument.get(..=slash)).unwrap_or_default();
            listing.prefix = Vec::from_slice(prefix)
                .map_err(|_| Refusal::Reply(&(501, "That path is too long for a pattern")))?;
        }
        listing.pattern = pattern;
        Ok(listing)
    }

    /// Whether an entry is to be shown.
    pub(super) fn shows(&self, entry: &DirEntry) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&entry.name))
    }

    /// Writes an entry's line, without a line end.
    pub(super) fn write(&self, line: &mut Line, entry: &DirEntry, view: &View) {
        match self.format {
            Format::Long => write_long(line, entry, view.now),
            Format::Names => {
                line.bytes(&self.prefix).name(&entry.name);
            }
            Format::Facts => {
                write_facts(line, &entry.attributes, view);
                line.name(&entry.name);
            }
        }
    }
}

/// What an entry's line depends on besides the entry.
pub struct View {
    /// Local time.
    pub now: DateTime,
    /// For times in UTC.
    pub zone: Zone,
    /// What the user may do, for the perm fact.
    pub permissions: Permissions,
    /// Files may be stored beside the entry, for the perm fact.
    pub incoming: bool,
    /// Uploads may overwrite, for the perm fact.
    pub clobber: bool,
    /// Which facts to give.
    pub facts: Facts,
}

/// What is listed, and to whom.
pub(super) struct Place<'a> {
    /// A directory, or a file alone.
    pub(super) path: &'a UserPath,
    pub(super) login: &'a Login,
    /// Which facts to give.
    pub(super) facts: Facts,
}

impl View {
    /// What the client sees now of what is in the directory.
    ///
    /// # Errors
    /// 530: nobody has logged in.
    pub(super) fn of(
        login: &Login,
        directory: &[Name83],
        facts: Facts,
        cx: &Context<'_, '_>,
    ) -> Result<View, Refusal> {
        let rights = login.rights()?;
        Ok(View {
            now: cx.time,
            zone: cx.shared.settings.zone,
            permissions: rights.permissions,
            incoming: cx.shared.users.admits(rights, directory),
            clobber: cx.shared.settings.clobber_files,
            facts,
        })
    }
}

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// A line of LIST up to its name, over which its fields are written.
const LONG: &[u8; 57] = b"-rw-rw-rw-   1 ftp      ftp               0 Jan 01 00:00 ";

/// `-rw-rw-rw-   1 ftp      ftp           12345 Nov 21 07:02 NAME.EXT`
fn write_long(line: &mut Line, entry: &DirEntry, now: DateTime) {
    let attributes = &entry.attributes;
    let Some(text) = line.bytes(LONG).last_mut() else { return };
    let _: &mut [u8; LONG.len()] = text;
    text[..10].copy_from_slice(match (attributes.kind, attributes.read_only) {
        (Kind::Directory, false) => b"drwxrwxrwx",
        (Kind::Directory, true) => b"dr-xr-xr-x",
        (Kind::File, false) => b"-rw-rw-rw-",
        (Kind::File, true) => b"-r--r--r--",
    });
    write_number(&mut text[..43], attributes.size.into());
    let time = &attributes.modified;
    let month = usize::from(time.month.clamp(1, 12) - 1) * 3;
    text[44..47].copy_from_slice(&MONTHS[month..month + 3]);
    [text[48], text[49]] = two_digits(time.day);
    // A client takes a time without year for one in the past.
    if time.year == now.year && *time <= now {
        [text[51], text[52]] = two_digits(time.hour);
        [text[54], text[55]] = two_digits(time.minute);
    } else {
        text[51] = b' ';
        write_number(&mut text[..56], time.year.into());
    }
    line.name(&entry.name);
}

/// A set of facts (RFC 3659 section 7.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts(u8);

impl Facts {
    /// All that there are, in the order in which they are given.
    pub const NAMES: [&'static str; 4] = ["type", "size", "modify", "perm"];
    /// Every fact: what a client gets that has not chosen.
    pub const ALL: Facts = Facts(0x0F);

    /// The facts of a list like `type;size;`, in any case; unknown ones are left out (RFC 3659 section
    /// 7.9).
    pub fn parse(list: &[u8]) -> Facts {
        let mut facts = Facts(0);
        for word in list.split(|&b| b == b';') {
            for (index, name) in Facts::NAMES.iter().enumerate() {
                if word.eq_ignore_ascii_case(name.as_bytes()) {
                    facts.0 |= 1 << index;
                }
            }
        }
        facts
    }

    /// Whether the fact with this place in [`Facts::NAMES`] is in the set.
    pub const fn has(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }
}

/// `type=file;size=12345;modify=20261121070200;perm=rwd; `, with the space before the name.
pub(super) fn write_facts(line: &mut Line, attributes: &Attributes, view: &View) {
    let is_file = attributes.kind == Kind::File;
    if view.facts.has(0) {
        line.text(if is_file { "type=file;" } else { "type=dir;" });
    }
    if view.facts.has(1) && is_file {
        line.text("size=").number(attributes.size.into()).text(";");
    }
    if view.facts.has(2) {
        write_utc(line.text("modify="), attributes.modified, view.zone);
        line.text(";");
    }
    if view.facts.has(3) {
        write_perm(line.text("perm="), attributes, view);
        line.text(";");
    }
    line.text(" ");
}

/// A local time as `YYYYMMDDhhmmss` in UTC (RFC 3659 section 2.3).
pub(super) fn write_utc(line: &mut Line, local: DateTime, zone: Zone) {
    let time = zone.to_utc(local);
    let (century, year) = ((time.year / 100) as u8, (time.year % 100) as u8);
    let parts = [century, year, time.month, time.day, time.hour, time.minute, time.second];
    line.bytes(parts.map(two_digits).as_flattened());
}

/// What the user may do with the entry (RFC 3659 section 7.5.5).
fn write_perm(line: &mut Line, attributes: &Attributes, view: &View) {
    let may = |permission| view.permissions.contains(permission);
    let incoming = view.incoming;
    let writable = !attributes.read_only;
    let letters = match attributes.kind {
        Kind::File => [
            (true, b'r'),
            (writable && incoming && may(Permission::Appe), b'a'),
            (writable && incoming && view.clobber && may(Permission::Stor), b'w'),
            (writable && may(Permission::Dele), b'd'),
            (may(Permission::Rnfr), b'f'),
            (false, 0),
            (false, 0),
        ],
        Kind::Directory => [
            (true, b'e'),
            (true, b'l'),
            (may(Permission::Stor), b'c'),
            (may(Permission::Mkd), b'm'),
            (may(Permission::Dele), b'p'),
            (writable && may(Permission::Rmd), b'd'),
            (may(Permission::Rnfr), b'f'),
        ],
    };
    let mut perm = [0; 7];
    let mut length = 0;
    for (granted, letter) in letters {
        if granted {
            perm[length] = letter;
            length += 1;
        }
    }
    line.bytes(&perm[..length]);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::vfs::Name83;
    use std::string::String;

    const NOW: DateTime =
        DateTime { year: 2026, month: 11, day: 21, hour: 7, minute: 2, second: 0 };

    fn entry(name: &[u8], kind: Kind, size: u32, modified: DateTime, read_only: bool) -> DirEntry {
        let attributes =
            Attributes { kind, size, modified, read_only, hidden: false, system: false };
        DirEntry { name: Name83::parse(name).unwrap(), attributes }
    }

    fn long(entry: &DirEntry) -> String {
        let mut line = Line::new();
        write_long(&mut line, entry, NOW);
        String::from_utf8(line.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn long_lines_look_like_ls() {
        let this_year = DateTime { month: 2, day: 3, ..NOW };
        let cases = [
            (
                entry(b"a.txt", Kind::File, 1234, this_year, false),
                "-rw-rw-rw-   1 ftp      ftp            1234 Feb 03 07:02 A.TXT",
            ),
            (
                entry(b"old", Kind::File, u32::MAX, DateTime::EPOCH, true),
                "-r--r--r--   1 ftp      ftp      4294967295 Jan 01  1980 OLD",
            ),
            (
                entry(b"dir", Kind::Directory, 0, DateTime { month: 12, ..NOW }, false),
                "drwxrwxrwx   1 ftp      ftp               0 Dec 21  2026 DIR",
            ),
        ];
        for (entry, expected) in cases {
            assert_eq!(long(&entry), expected);
        }
    }

    #[test]
    fn names_behind_a_pattern_lead_there_from_here() {
        let here = UserPath::root().join(b"/drive_c").unwrap();
        for (argument, path, prefix) in [
            (&b""[..], &b""[..], &b""[..]),
            (b"dir", b"dir", b""),
            (b"*.txt", b"", b""),
            (b"../a/x?.c", b"../a", b"../a/"),
        ] {
            let mut found = here.clone();
            let listing = Listing::parse(Format::Names, &mut found, argument).unwrap();
            assert_eq!((found, &listing.prefix[..]), (here.join(path).unwrap(), prefix));
            assert_eq!(listing.pattern.is_some(), Pattern::is_pattern(argument));
        }
        let long = [&b"./".repeat(40)[..], b"*"].concat();
        assert!(Listing::parse(Format::Names, &mut here.clone(), &long).is_err());
        assert!(Listing::parse(Format::Long, &mut here.clone(), &long).is_ok());
    }

    #[test]
    fn facts_are_chosen_in_any_case() {
        let facts = Facts::parse(b"Size;MODIFY;unknown;");
        assert_eq!([0, 1, 2, 3].map(|index| facts.has(index)), [false, true, true, false]);
        assert_eq!(Facts::parse(b""), Facts(0));
    }
}
