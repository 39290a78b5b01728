//! 8.3 aliases for long names (FTPSRV_LONG_NAMES shorten): `My Pictures.jpeg` becomes `MYPICT~1.JPE`.
//!
//! The first four aliases of a name are those of Windows 95. Then, as Windows NT does, so that the 500
//! pictures of a folder do not each try all the others' names, the name's own checksum takes the place of
//! its middle: `MY1A2B~1.JPE`.

use heapless::Vec;

use crate::fat::Name83;

/// How many aliases are tried: `~1` to `~4`, then `~1` to `~9` with the checksum.
pub const CANDIDATES: u8 = 13;

/// The aliases that a long name can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alias {
    base: [u8; 6],
    base_length: u8,
    extension: [u8; 3],
    extension_length: u8,
    checksum: u16,
}

impl Alias {
    /// The aliases of `long`, one part of a path; bytes from 0x80 on are letters of the code page.
    /// `None` when nothing can be made of it: it has a character that no long name has either (control
    /// characters and `"*/:<>?\|`), or nothing but dots and spaces.
    pub fn new(long: &[u8]) -> Option<Alias> {
        let is_invalid = |b: &u8| {
            b.is_ascii_control()
                || matches!(b, b'"' | b'*' | b'/' | b':' | b'<' | b'>' | b'?' | b'\\' | b'|')
        };
        if long.iter().any(is_invalid) {
            return None;
        }
        let start = long.iter().position(|&b| !is_dot_or_space(b))?;
        let end = long.iter().rposition(|&b| !is_dot_or_space(b))? + 1;
        let name = long.get(start..end)?;
        let (base, extension) = match name.iter().rposition(|&b| b == b'.') {
            Some(dot) => (name.get(..dot)?, name.get(dot + 1..)?),
            None => (name, &[][..]),
        };
        let (base, base_length) = squeeze(base);
        let (extension, extension_length) = squeeze(extension);
        Some(Alias { base, base_length, extension, extension_length, checksum: checksum(long) })
    }

    /// The alias with this number, from 0; `None` from [`CANDIDATES`] on.
    pub fn candidate(&self, number: u8) -> Option<Name83> {
        let mut text = Vec::<u8, 12>::new();
        let base = self.base.get(..usize::from(self.base_length))?;
        let tail = if number < 4 {
            text.extend_from_slice(base).ok()?;
            number + 1
        } else if number < CANDIDATES {
            text.extend_from_slice(base.get(..2).unwrap_or(base)).ok()?;
            for shift in [12, 8, 4, 0] {
                let digit = usize::from(self.checksum >> shift & 0xF);
                text.push(*b"0123456789ABCDEF".get(digit)?).ok()?;
            }
            number - 3
        } else {
            return None;
        };
        text.push(b'~').ok()?;
        text.push(b'0' + tail).ok()?;
        text.push(b'.').ok()?;
        text.extend_from_slice(self.extension.get(..usize::from(self.extension_length))?).ok()?;
        Name83::parse(&text).ok()
    }

    /// The first alias that is not taken. (Where the question needs a disk that may answer later, ask for
    /// each [`Alias::candidate`].)
    pub fn free(&self, exists: &mut dyn FnMut(&Name83) -> bool) -> Option<Name83> {
        (0..CANDIDATES).filter_map(|number| self.candidate(number)).find(|name| !exists(name))
    }
}

const fn is_dot_or_space(byte: u8) -> bool {
    matches!(byte, b'.' | b' ')
}

/// The first characters of `text` in the form that 8.3 names have: without spaces and dots, capitals, `_`
/// for what only long names may have; and how many there are.
fn squeeze<const N: usize>(text: &[u8]) -> ([u8; N], u8) {
    let mut bytes = [b' '; N];
    let mut length = 0;
    let kept = text.iter().filter(|&&b| !is_dot_or_space(b));
    for (to, &byte) in bytes.iter_mut().zip(kept) {
        *to = if Name83::is_valid_character(byte) { byte.to_ascii_uppercase() } else { b'_' };
        length += 1;
    }
    (bytes, length)
}

/// A checksum over the whole name, the same in any case of letters: CRC-16/CCITT.
fn checksum(name: &[u8]) -> u16 {
    name.iter().fold(0xFFFF, |mut crc, byte| {
        crc ^= u16::from(byte.to_ascii_uppercase()) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        }
        crc
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::HashSet;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    fn first(long: &[u8]) -> Option<String> {
        Alias::new(long)?.free(&mut |_| false).map(|name| format!("{name}"))
    }

    #[test]
    fn the_first_alias_is_that_of_windows_95() {
        for (long, short) in [
            ("MyPicture.jpeg", "MYPICT~1.JPE"),
            ("My Picture.jpg", "MYPICT~1.JPG"),
            ("mypicture", "MYPICT~1"),
            ("a.b.c", "AB~1.C"),
            ("archive.tar.gz", "ARCHIV~1.GZ"),
            (".profile", "PROFIL~1"),
            ("..hidden.file.", "HIDDEN~1.FIL"),
            ("a+b,c;d=[e].txt", "A_B_C_~1.TXT"),
            ("x.html", "X~1.HTM"),
            ("con.text", "CON~1.TEX"),
            ("a b", "AB~1"),
            ("name.", "NAME~1"),
            ("trailing space ", "TRAILI~1"),
            ("x.a b", "X~1.AB"),
        ] {
            assert_eq!(first(long.as_bytes()).as_deref(), Some(short), "{long}");
        }
    }

    #[test]
    fn of_nothing_there_is_no_alias() {
        for long in [
            &b""[..],
            b".",
            "...".as_bytes(),
            b"   ",
            b". .",
            b"a*b",
            b"a/b",
            b"a\\b",
            b"C:",
            b"a\nb",
        ] {
            assert_eq!(Alias::new(long), None, "{long:?}");
        }
    }

    #[test]
    fn the_first_free_alias_is_taken() {
        let alias = Alias::new(b"holiday picture.jpg").unwrap();
        let mut taken = HashSet::new();
        let mut found = Vec::new();
        while let Some(name) = alias.free(&mut |name| taken.contains(name)) {
            assert!(taken.insert(name));
            found.push(format!("{name}"));
        }
        assert_eq!(found.len(), usize::from(CANDIDATES));
        assert_eq!(found[..4], ["HOLIDA~1.JPG", "HOLIDA~2.JPG", "HOLIDA~3.JPG", "HOLIDA~4.JPG"]);
        assert!(found[4].starts_with("HO") && found[4].ends_with("~1.JPG"), "{found:?}");
        assert_eq!((alias.candidate(CANDIDATES), alias.candidate(255)), (None, None));
        let short = Alias::new(b"a.long").unwrap().candidate(4).unwrap();
        assert!(format!("{short}").starts_with('A'));
    }

    /// 2,000 pictures of a camera find their names with few tries.
    #[test]
    fn a_folder_of_similar_names_fits() {
        let mut taken = HashSet::new();
        let mut tries = 0;
        for number in 0..2000 {
            let long = format!("DSC_{number:05} (Copy).jpeg");
            let mut exists = |name: &Name83| {
                tries += 1;
                taken.contains(name)
            };
            let name = Alias::new(long.as_bytes()).unwrap().free(&mut exists).unwrap();
            assert!(taken.insert(name));
        }
        assert!(tries < 2000 * 6, "{tries}");
    }

    #[test]
    fn case_and_bytes_of_the_code_page() {
        assert_eq!(Alias::new(b"Some Name.txt"), Alias::new(b"SOME NAME.TXT"));
        let name = Alias::new(b"\x8Eu\xDFere Namen").unwrap().candidate(0).unwrap();
        assert_eq!(&name.to_text()[..], b"\x8EU\xDFERE~1");
    }

    #[test]
    fn whatever_comes_out_is_an_83_name() {
        let mut seed = 5_u32;
        for _ in 0..20_000 {
            let mut long = Vec::new();
            for _ in 0..seed % 40 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                long.push((seed >> 24) as u8);
            }
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if let Some(alias) = Alias::new(&long) {
                for number in 0..CANDIDATES {
                    let name = alias.candidate(number);
                    let Some(name) = name else { panic!("{long:?} {number}") };
                    assert_eq!(Name83::parse(&name.to_text()), Ok(name));
                }
            }
        }
    }
}
