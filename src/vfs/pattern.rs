//! Wildcards for listings: `*` and `?` against 8.3 names.
//!
//! They mean what they mean to `ls`: `*` is any run of characters, also over the dot, and `?` is exactly
//! one. Two habits of DOS are kept, because nothing else can be meant by them: `NAME.*` (and so `*.*`)
//! also matches names without extension, and `*.` matches these alone. Case makes no difference.

use heapless::Vec;

use super::path::{PathError, UserPath};
use crate::fat::Name83;
use crate::fat::name83::NameError;

/// 12 characters of a name, and a star before, between and behind them: more can match nothing.
const MAX_LENGTH: usize = 25;

/// A pattern for the names of one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Vec<u8, MAX_LENGTH>,
}

impl Pattern {
    /// Whether `text` has a wildcard in it.
    pub fn is_pattern(text: &[u8]) -> bool {
        text.iter().any(|&b| is_wildcard(b))
    }

    /// The pattern in `text`, which is one part of a path.
    ///
    /// # Errors
    /// [`PathError::Name`] when no 8.3 name could match it.
    pub fn parse(text: &[u8]) -> Result<Pattern, PathError> {
        let mut pattern = Vec::new();
        for &byte in text {
            if !Name83::is_valid_character(byte) && !is_wildcard(byte) && byte != b'.' {
                return Err(PathError::Name(NameError::InvalidCharacter));
            }
            // A run of stars is one star.
            if byte == b'*' && pattern.last() == Some(&b'*') {
                continue;
            }
            pattern
                .push(byte.to_ascii_uppercase())
                .map_err(|_| PathError::Name(NameError::NotEightDotThree))?;
        }
        if pattern.is_empty() {
            return Err(PathError::Name(NameError::Empty));
        }
        Ok(Pattern { text: pattern })
    }

    /// Has `path` go where `text` leads from there when its last part may be a pattern: to the directory before the
    /// pattern, or, without wildcards, to all of it.
    ///
    /// # Errors
    /// As [`UserPath::go`]; wildcards before the last slash are [`NameError::InvalidCharacter`].
    pub fn locate(path: &mut UserPath, text: &[u8]) -> Result<Option<Pattern>, PathError> {
        let last =
            text.iter().rposition(|b| matches!(b, b'/' | b'\\')).map_or(0, |slash| slash + 1);
        let (directory, name) = text.split_at_checked(last).unwrap_or((text, &[]));
        if Pattern::is_pattern(name) {
            path.go(directory)?;
            Pattern::parse(name).map(Some)
        } else {
            path.go(text).map(|()| None)
        }
    }

    /// Whether `name` matches.
    pub fn matches(&self, name: &Name83) -> bool {
        let text = name.to_text();
        let without_extension = name.extension().is_empty();
        match self.text.as_slice() {
            [base @ .., b'.', b'*'] if without_extension => glob(base, &text),
            [base @ .., b'.'] => without_extension && glob(base, &text),
            pattern => glob(pattern, &text),
        }
    }
}

const fn is_wildcard(byte: u8) -> bool {
    matches!(byte, b'*' | b'?')
}

/// Whether all of `text` matches all of `pattern`. Both are short: the worst case is their product.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut rest, mut left) = (pattern, text);
    // Where to go on when what follows the last star does not match: behind that star, one character on.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (rest, left) {
            ([b'*', after @ ..], _) => {
                retry = Some((after, left));
                rest = after;
            }
            ([p, after @ ..], [t, following @ ..])
                if *p == b'?' || *p == t.to_ascii_uppercase() =>
            {
                (rest, left) = (after, following);
            }
            ([], []) => return true,
            _ => match retry {
                Some((after, [_, following @ ..])) => {
                    retry = Some((after, following));
                    (rest, left) = (after, following);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern.as_bytes())
            .unwrap()
            .matches(&Name83::parse(name.as_bytes()).unwrap())
    }

    #[test]
    fn wildcards_mean_what_users_of_ls_and_dos_mean() {
        for (pattern, yes, no) in [
            ("*", &["A", "A.B", "ABCDEFGH.IJK"][..], &[][..]),
            ("*.*", &["A", "A.B", "ABCDEFGH.IJK"], &[]),
            ("**.**", &["A", "A.B"], &[]),
            ("*.txt", &["A.TXT", "READ.TXT"], &["TXT", "A.TX", "A.TXB"]),
            ("read*", &["READ", "README.TXT"], &["AREAD"]),
            ("readme.*", &["README", "README.TXT"], &["README1", "README1.TXT"]),
            ("*.", &["README"], &["README.TXT"]),
            ("a?c.txt", &["ABC.TXT"], &["AC.TXT", "ABBC.TXT"]),
            ("?", &["A"], &["AB", "A.B"]),
            ("*a*a*", &["AA", "BAXA.C", "BA.A"], &["BA", "B.A"]),
            ("*.?", &["A.B"], &["A", "A.BC"]),
            ("*c.*", &["ABC", "CC.D"], &["CD", "CD.C"]),
            ("a.b", &["A.B"], &["A.C", "AB"]),
            ("*.*.*", &[], &["A.B", "A"]),
            ("????????.???", &["ABCDEFGH.IJK"], &["ABCDEFG.IJK"]),
        ] {
            for name in yes {
                assert!(matches(pattern, name), "{pattern} {name}");
            }
            for name in no {
                assert!(!matches(pattern, name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn high_bit_characters_are_characters() {
        let name = Name83::parse(b"\x84RGER.TXT").unwrap();
        assert!(Pattern::parse(b"?rger.*").unwrap().matches(&name));
        assert!(Pattern::parse(b"\x84*").unwrap().matches(&name));
        assert!(!Pattern::parse(b"\x8E*").unwrap().matches(&name));
    }

    #[test]
    fn what_can_match_nothing_is_refused() {
        let error = |error| Err(PathError::Name(error));
        assert_eq!(Pattern::parse(b""), error(NameError::Empty));
        assert_eq!(Pattern::parse(b"a b*"), error(NameError::InvalidCharacter));
        assert_eq!(Pattern::parse(b"*/x"), error(NameError::InvalidCharacter));
        assert_eq!(Pattern::parse(&[b'?'; 26]), error(NameError::NotEightDotThree));
        assert!(Pattern::parse(&[b'*'; 500]).is_ok());
        assert!(Pattern::parse(b"*a*b*c*d*e*f*g*h*.*i*j*k*").is_ok());
    }

    #[test]
    fn only_the_last_part_may_be_a_pattern() {
        let path = |text: &[u8]| UserPath::root().join(text).unwrap();
        let here = path(b"/drive_c/pub");
        let star = Some(Pattern::parse(b"*.txt").unwrap());
        let locate = |text: &[u8]| {
            let mut path = here.clone();
            Pattern::locate(&mut path, text).map(|pattern| (path, pattern))
        };
        for (text, directory) in [
            (&b"*.txt"[..], &b"/drive_c/pub"[..]),
            (b"../*.txt", b"/drive_c"),
            (b"/*.txt", b"/"),
            (b"a\\b\\*.txt", b"/drive_c/pub/a/b"),
        ] {
            assert_eq!(locate(text), Ok((path(directory), star.clone())));
        }
        assert_eq!(locate(b"a/b"), Ok((path(b"/drive_c/pub/a/b"), None)));
        assert_eq!(locate(b""), Ok((here.clone(), None)));
        assert_eq!(locate(b"*/b"), Err(PathError::Name(NameError::InvalidCharacter)));
    }

    /// The fast matcher against the definition.
    #[test]
    fn glob_agrees_with_its_definition() {
        fn definition(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern, text) {
                ([], []) => true,
                ([b'*', rest @ ..], _) => {
                    (0..=text.len()).any(|taken| definition(rest, &text[taken..]))
                }
                ([p, rest @ ..], [t, left @ ..]) => {
                    (*p == b'?' || p == t) && definition(rest, left)
                }
                _ => false,
            }
        }
        let word = |mut number: usize, letters: &[u8], out: &mut [u8; 5]| {
            let mut length = 0;
            while number > 0 {
                out[length] = letters[(number - 1) % letters.len()];
                number = (number - 1) / letters.len();
                length += 1;
            }
            length
        };
        let (mut pattern, mut text) = ([0; 5], [0; 5]);
        for p in 0..1365 {
            let p = word(p, b"A.*?", &mut pattern);
            for t in 0..63 {
                let t = word(t, b"A.", &mut text);
                let (pattern, text) = (&pattern[..p], &text[..t]);
                assert_eq!(glob(pattern, text), definition(pattern, text), "{pattern:?} {text:?}");
            }
        }
    }
}
