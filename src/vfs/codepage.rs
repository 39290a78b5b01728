//! Code pages 437 and 850: the characters of a PC's high-bit bytes, for clients that speak UTF-8
//! (FTPSRV_CODEPAGE; RFC 2640 section 2.2).
//!
//! Only the upper half differs from ASCII. The pictures that a PC's screen has for control bytes are no
//! characters here: no name holds them.

/// A code page.
#[derive(Debug)]
pub struct CodePage {
    /// What the bytes from 0x80 on are in Unicode.
    high: [u16; 128],
    /// Latin letters with accents: small, capital.
    cases: &'static [(u8, u8)],
}

/// Why a text has no form in a code page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodePageError {
    /// It is not UTF-8.
    NotUtf8,
    /// It has a character that the code page has not.
    NoSuchCharacter,
    /// It does not fit.
    TooLong,
}

impl CodePage {
    /// The character that `byte` stands for.
    pub fn character(&self, byte: u8) -> char {
        let high = byte.checked_sub(0x80).and_then(|index| self.high.get(usize::from(index)));
        // Every entry is a character of the basic plane.
        high.map_or(char::from(byte), |&code| char::from_u32(u32::from(code)).unwrap_or('?'))
    }

    /// The byte that stands for `character`.
    pub fn byte(&self, character: char) -> Option<u8> {
        if character.is_ascii() {
            return u8::try_from(character).ok();
        }
        let code = u16::try_from(u32::from(character)).ok()?;
        let index = self.high.iter().position(|&high| high == code)?;
        u8::try_from(index + 0x80).ok()
    }

    /// From the disk to the wire: gives `sink` the UTF-8 of `bytes`.
    pub fn to_wire(&self, bytes: &[u8], sink: &mut dyn FnMut(&[u8])) {
        for &byte in bytes {
            let mut utf8 = [0; 4];
            sink(self.character(byte).encode_utf8(&mut utf8).as_bytes());
        }
    }

    /// From the wire to the disk: the bytes for a name in UTF-8, in `out`, which is best as long as
    /// `text`. Letters with accents become capitals, as all letters of 8.3 names are. A character that
    /// the code page has not becomes `substitute`, if there is one.
    ///
    /// # Errors
    /// [`CodePageError`].
    pub fn to_disk<'o>(
        &self,
        text: &[u8],
        substitute: Option<u8>,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], CodePageError> {
        let text = core::str::from_utf8(text).map_err(|_| CodePageError::NotUtf8)?;
        let mut length = 0;
        for character in text.chars() {
            let byte = self.byte(character).or(substitute).ok_or(CodePageError::NoSuchCharacter)?;
            *out.get_mut(length).ok_or(CodePageError::TooLong)? = self.capital(byte);
            length += 1;
        }
        Ok(out.get(..length).unwrap_or_default())
    }

    /// The capital of a letter with an accent; other bytes stay.
    fn capital(&self, byte: u8) -> u8 {
        self.cases.iter().find(|&&(small, _)| small == byte).map_or(byte, |&(_, capital)| capital)
    }
}

/// Code page 437, the PC's own.
pub static CP437: CodePage = CodePage {
    #[rustfmt::skip]
    high: [
        0x00C7, 0x00FC, 0x00E9, 0x00E2, 0x00E4, 0x00E0, 0x00E5, 0x00E7,
        0x00EA, 0x00EB, 0x00E8, 0x00EF, 0x00EE, 0x00EC, 0x00C4, 0x00C5,
        0x00C9, 0x00E6, 0x00C6, 0x00F4, 0x00F6, 0x00F2, 0x00FB, 0x00F9,
        0x00FF, 0x00D6, 0x00DC, 0x00A2, 0x00A3, 0x00A5, 0x20A7, 0x0192,
        0x00E1, 0x00ED, 0x00F3, 0x00FA, 0x00F1, 0x00D1, 0x00AA, 0x00BA,
        0x00BF, 0x2310, 0x00AC, 0x00BD, 0x00BC, 0x00A1, 0x00AB, 0x00BB,
        0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556,
        0x2555, 0x2563, 0x2551, 0x2557, 0x255D, 0x255C, 0x255B, 0x2510,
        0x2514, 0x2534, 0x252C, 0x251C, 0x2500, 0x253C, 0x255E, 0x255F,
        0x255A, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256C, 0x2567,
        0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256B,
        0x256A, 0x2518, 0x250C, 0x2588, 0x2584, 0x258C, 0x2590, 0x2580,
        0x03B1, 0x00DF, 0x0393, 0x03C0, 0x03A3, 0x03C3, 0x00B5, 0x03C4,
        0x03A6, 0x0398, 0x03A9, 0x03B4, 0x221E, 0x03C6, 0x03B5, 0x2229,
        0x2261, 0x00B1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00F7, 0x2248,
        0x00B0, 0x2219, 0x00B7, 0x221A, 0x207F, 0x00B2, 0x25A0, 0x00A0,
    ],
    #[rustfmt::skip]
    cases: &[
        (0x81, 0x9A), (0x82, 0x90), (0x84, 0x8E), (0x86, 0x8F), (0x87, 0x80), (0x91, 0x92), (0x94, 0x99), (0xA4, 0xA5),
    ],
};

/// Code page 850, Western Europe's.
pub static CP850: CodePage = CodePage {
    #[rustfmt::skip]
    high: [
        0x00C7, 0x00FC, 0x00E9, 0x00E2, 0x00E4, 0x00E0, 0x00E5, 0x00E7,
        0x00EA, 0x00EB, 0x00E8, 0x00EF, 0x00EE, 0x00EC, 0x00C4, 0x00C5,
        0x00C9, 0x00E6, 0x00C6, 0x00F4, 0x00F6, 0x00F2, 0x00FB, 0x00F9,
        0x00FF, 0x00D6, 0x00DC, 0x00F8, 0x00A3, 0x00D8, 0x00D7, 0x0192,
        0x00E1, 0x00ED, 0x00F3, 0x00FA, 0x00F1, 0x00D1, 0x00AA, 0x00BA,
        0x00BF, 0x00AE, 0x00AC, 0x00BD, 0x00BC, 0x00A1, 0x00AB, 0x00BB,
        0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x00C1, 0x00C2, 0x00C0,
        0x00A9, 0x2563, 0x2551, 0x2557, 0x255D, 0x00A2, 0x00A5, 0x2510,
        0x2514, 0x2534, 0x252C, 0x251C, 0x2500, 0x253C, 0x00E3, 0x00C3,
        0x255A, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256C, 0x00A4,
        0x00F0, 0x00D0, 0x00CA, 0x00CB, 0x00C8, 0x0131, 0x00CD, 0x00CE,
        0x00CF, 0x2518, 0x250C, 0x2588, 0x2584, 0x00A6, 0x00CC, 0x2580,
        0x00D3, 0x00DF, 0x00D4, 0x00D2, 0x00F5, 0x00D5, 0x00B5, 0x00FE,
        0x00DE, 0x00DA, 0x00DB, 0x00D9, 0x00FD, 0x00DD, 0x00AF, 0x00B4,
        0x00AD, 0x00B1, 0x2017, 0x00BE, 0x00B6, 0x00A7, 0x00F7, 0x00B8,
        0x00B0, 0x00A8, 0x00B7, 0x00B9, 0x00B3, 0x00B2, 0x25A0, 0x00A0,
    ],
    #[rustfmt::skip]
    cases: &[
        (0x81, 0x9A), (0x82, 0x90), (0x83, 0xB6), (0x84, 0x8E), (0x85, 0xB7), (0x86, 0x8F), (0x87, 0x80), (0x88, 0xD2), (0x89, 0xD3), (0x8A, 0xD4), (0x8B, 0xD8), (0x8C, 0xD7), (0x8D, 0xDE), (0x91, 0x92), (0x93, 0xE2), (0x94, 0x99), (0x95, 0xE3), (0x96, 0xEA), (0x97, 0xEB), (0x9B, 0x9D), (0xA0, 0xB5), (0xA1, 0xD6), (0xA2, 0xE0), (0xA3, 0xE9), (0xA4, 0xA5), (0xC6, 0xC7), (0xD0, 0xD1), (0xE4, 0xE5), (0xE7, 0xE8), (0xEC, 0xED),
    ],
};

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    fn utf8(page: &CodePage, bytes: &[u8]) -> String {
        let mut text = Vec::new();
        page.to_wire(bytes, &mut |bytes| text.extend_from_slice(bytes));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_byte_comes_back() {
        for page in [&CP437, &CP850] {
            for byte in 0..=255 {
                assert_eq!(page.byte(page.character(byte)), Some(byte), "{byte:#04x}");
            }
        }
    }

    /// A row of each as every description of the code pages prints it.
    #[test]
    fn characters_are_those_of_the_code_pages() {
        let row: Vec<u8> = (0x80..=0x8F).collect();
        assert_eq!(
            utf8(&CP437, &row),
            "\u{c7}\u{fc}\u{e9}\u{e2}\u{e4}\u{e0}\u{e5}\u{e7}\u{ea}\u{eb}\u{e8}\u{ef}\u{ee}\u{ec}\u{c4}\u{c5}"
        );
        assert_eq!(utf8(&CP850, &row), utf8(&CP437, &row));
        assert_eq!(
            utf8(&CP437, b"\xE1\xE3\xF1\xFB\xC4\xDB"),
            "\u{df}\u{3c0}\u{b1}\u{221a}\u{2500}\u{2588}"
        );
        assert_eq!(utf8(&CP850, b"\x9B\x9D\xB5\xE1\xD5"), "\u{f8}\u{d8}\u{c1}\u{df}\u{131}");
    }

    #[test]
    fn names_become_capitals() {
        let mut out = [0; 32];
        for (page, text, bytes) in [
            (&CP437, "\u{e4}rger.txt", &b"\x8Erger.txt"[..]),
            (&CP437, "\u{c4}", b"\x8E"),
            (&CP437, "\u{e9}t\u{e9}", b"\x90t\x90"),
            (&CP437, "\u{e0}", b"\x85"),
            (&CP850, "\u{e0}\u{f8}", b"\xB7\x9D"),
            (&CP437, "\u{df}", b"\xE1"),
        ] {
            assert_eq!(page.to_disk(text.as_bytes(), None, &mut out), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_has_no_form_is_refused_or_substituted() {
        let mut out = [0; 4];
        let mut convert =
            |text: &[u8], substitute| CP437.to_disk(text, substitute, &mut out).map(<[u8]>::to_vec);
        assert_eq!(convert(b"\xFF", None), Err(CodePageError::NotUtf8));
        assert_eq!(convert(b"\xC0\xAE", Some(b'_')), Err(CodePageError::NotUtf8));
        let snowman = "a\u{2603}\u{1f600}".as_bytes();
        assert_eq!(convert(snowman, None), Err(CodePageError::NoSuchCharacter));
        assert_eq!(convert(snowman, Some(b'_')), Ok(b"a__".to_vec()));
        assert_eq!(convert(b"abcde", None), Err(CodePageError::TooLong));
    }

    /// Capitals are capitals by Unicode's own rules, and no letter is left out.
    #[test]
    fn cases_are_unicodes() {
        for page in [&CP437, &CP850] {
            for byte in 0x80..=0xFF {
                let small = page.character(byte);
                let is_latin = ('\u{c0}'..'\u{180}').contains(&small);
                let mut upper = small.to_uppercase();
                let capital = match (upper.next(), upper.next()) {
                    (Some(capital), None) if is_latin && !capital.is_ascii() => page.byte(capital),
                    _ => None,
                };
                assert_eq!(page.capital(byte), capital.unwrap_or(byte), "{small}");
            }
        }
    }
}
