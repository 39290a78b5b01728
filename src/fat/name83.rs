//! 8.3 names as a directory entry holds them.

use core::fmt;

/// A file name of up to 8 characters and an extension of up to 3, upper case, padded with spaces:
/// the first 11 bytes of a FAT directory entry (Microsoft FAT specification 1.03, section 6).
///
/// The bytes are in the PC's code page; only ASCII letters are folded to upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name83([u8; 11]);

/// Why some bytes are not an 8.3 name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// No characters before the dot, or none at all.
    Empty,
    /// More than 8 characters, more than 3 behind the dot, or a second dot.
    NotEightDotThree,
    /// A character that DOS does not take in a name (space, control, `"*+,/:;<=>?[\]|`).
    InvalidCharacter,
    /// A DOS device (CON, NUL, COM1 ...), with or without extension.
    Device,
}

/// Names that DOS opens as devices in every directory, whatever the extension.
const DEVICES: [&[u8]; 14] = [
    b"CON", b"PRN", b"AUX", b"NUL", b"CLOCK$", b"COM1", b"COM2", b"COM3", b"COM4", b"LPT1",
    b"LPT2", b"LPT3", b"LPT4", b"CONFIG$",
];

impl Name83 {
    /// Parses a name as a user or a file gives it: letters of either case, at most one dot.
    /// `.` and `..` are not names.
    ///
    /// # Errors
    /// [`NameError`]; nothing is cut or replaced to make a name fit.
    pub fn parse(text: &[u8]) -> Result<Name83, NameError> {
        let mut bytes = [b' '; 11];
        let (base, extension) = match text.iter().position(|&b| b == b'.') {
            Some(dot) => (&text[..dot], &text[dot + 1..]),
            None => (text, &[][..]),
        };
        if text.iter().any(|&b| !Self::is_valid_character(b) && b != b'.') {
            return Err(NameError::InvalidCharacter);
        }
        if base.is_empty() {
            return Err(NameError::Empty);
        }
        if base.len() > 8 || extension.len() > 3 || extension.contains(&b'.') {
            return Err(NameError::NotEightDotThree);
        }
        for (to, from) in bytes.iter_mut().zip(base) {
            *to = from.to_ascii_uppercase();
        }
        for (to, from) in bytes[8..].iter_mut().zip(extension) {
            *to = from.to_ascii_uppercase();
        }
        let name = Name83(bytes);
        if DEVICES.contains(&name.base()) {
            return Err(NameError::Device);
        }
        Ok(name)
    }

    /// The name in a directory entry's first 11 bytes, unchecked: what is on a disk may be anything.
    pub const fn from_raw(bytes: [u8; 11]) -> Name83 {
        Name83(bytes)
    }

    /// The 11 padded bytes.
    pub const fn as_raw(&self) -> &[u8; 11] {
        &self.0
    }

    /// The part before the dot, without padding.
    pub fn base(&self) -> &[u8] {
        trim(&self.0[..8])
    }

    /// The part behind the dot, without padding; may be empty.
    pub fn extension(&self) -> &[u8] {
        trim(&self.0[8..])
    }

    /// `NAME.EXT`, or `NAME` where there is no extension: 1 to 12 bytes.
    pub fn to_text(&self) -> heapless::Vec<u8, 12> {
        let mut text = [0; 12];
        let length = self.write_text(&mut text);
        let mut text = heapless::Vec::from_array(text);
        text.truncate(length);
        text
    }

    /// Writes the same; how many bytes it has. What is behind them is any.
    pub fn write_text(&self, text: &mut [u8; 12]) -> usize {
        let (base, extension) = (self.base().len(), self.extension().len());
        text[..8].copy_from_slice(&self.0[..8]);
        if extension == 0 {
            return base;
        }
        text[base] = b'.';
        text[base + 1..base + 4].copy_from_slice(&self.0[8..]);
        base + 1 + extension
    }

    /// Whether DOS takes `byte` in a name: letters, digits, the manual's punctuation and all high-bit
    /// characters ("DOS filesystem limitations").
    pub const fn is_valid_character(byte: u8) -> bool {
        !matches!(
            byte,
            0..=b' '
                | b'"'
                | b'*'
                | b'+'
                | b','
                | b'.'
                | b'/'
                | b':'
                | b';'
                | b'<'
                | b'='
                | b'>'
                | b'?'
                | b'['
                | b'\\'
                | b']'
                | b'|'
                | 0x7F
        )
    }
}

fn trim(padded: &[u8]) -> &[u8] {
    let end = padded.iter().rposition(|&b| b != b' ').map_or(0, |last| last + 1);
    &padded[..end]
}

/// High-bit and control bytes print as `?`: for messages, not for the wire.
impl fmt::Display for Name83 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in &self.to_text() {
            let shown = if byte.is_ascii_graphic() { byte } else { b'?' };
            write!(f, "{}", char::from(shown))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name83 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name83({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_dos_takes() {
        assert_eq!(Name83::parse(b"autoexec.bat").unwrap().as_raw(), b"AUTOEXECBAT");
        assert_eq!(Name83::parse(b"a").unwrap().as_raw(), b"A          ");
        assert_eq!(&Name83::parse(b"A.").unwrap().to_text(), b"A");
        assert_eq!(&Name83::parse(b"x~1.c").unwrap().to_text(), b"X~1.C");
    }

    #[test]
    fn refuses_what_dos_does_not() {
        for (text, error) in [
            (&b""[..], NameError::Empty),
            (b".", NameError::Empty),
            (b"..", NameError::Empty),
            (b".profile", NameError::Empty),
            (b"ninechars", NameError::NotEightDotThree),
            (b"a.html", NameError::NotEightDotThree),
            (b"a.b.c", NameError::NotEightDotThree),
            (b"a b", NameError::InvalidCharacter),
            (b"a ", NameError::InvalidCharacter),
            (b"a\x1b", NameError::InvalidCharacter),
            (b"a*", NameError::InvalidCharacter),
            (b"con", NameError::Device),
            (b"NUL.TXT", NameError::Device),
            (b"com1.x", NameError::Device),
        ] {
            assert_eq!(Name83::parse(text), Err(error), "{text:?}");
        }
    }
}
