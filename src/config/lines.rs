//! Text files as DOS editors and others write them: lines and the words in them.

/// The lines of a text that say something: without comments (`#` as the first character), blank lines
/// and space around. Lines end in CRLF, LF or CR; Ctrl-Z (DOS's end of a text file) ends the text, and a
/// UTF-8 byte order mark, which Windows editors put in front, is skipped.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    rest: &'a [u8],
    number: u16,
}

/// A text without mark and without what is behind its end.
pub fn content(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    text.split(|&b| b == 0x1A).next().unwrap_or(text)
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// From 1; stays at 65535 in longer texts.
    pub number: u16,
    /// What it says; not empty.
    pub text: &'a [u8],
}

impl<'a> Lines<'a> {
    /// The lines of `text`.
    pub fn new(text: &'a [u8]) -> Lines<'a> {
        Lines::from(content(text), 0, 0)
    }

    /// The lines of what [`content`] returned, from the byte at `start` on, before which `number` lines end.
    pub fn from(content: &'a [u8], start: u16, number: u16) -> Lines<'a> {
        Lines { rest: content.get(start.into()..).unwrap_or_default(), number }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        while !self.rest.is_empty() {
            let end = self
                .rest
                .iter()
                .position(|&b| matches!(b, b'\r' | b'\n'))
                .unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest
                .strip_prefix(b"\r\n")
                .or_else(|| rest.split_first().map(|(_, after)| after))
                .unwrap_or_default();
            self.number = self.number.saturating_add(1);
            let text = text.trim_ascii();
            if text.first().is_some_and(|&first| first != b'#') {
                return Some(Line { number: self.number, text });
            }
        }
        None
    }
}

/// The words of a line, separated by spaces and tabs.
pub fn words(line: &[u8]) -> Words<'_> {
    Words { rest: line }
}

/// See [`words`].
#[derive(Clone)]
pub struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.trim_ascii_start();
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.rest = rest;
        Some(word).filter(|word| !word.is_empty())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn lines(text: &[u8]) -> Vec<(u16, &[u8])> {
        Lines::new(text).map(|line| (line.number, line.text)).collect()
    }

    #[test]
    fn every_line_end_counts_once() {
        let expected: Vec<(u16, &[u8])> = std::vec![(1, b"a"), (3, b"b"), (4, b"c")];
        for text in [&b"a\r\n\r\nb\r\nc\r\n"[..], b"a\n\nb\nc", b"a\r\rb\rc\r", b" a\t\n \n\tb\nc "]
        {
            assert_eq!(lines(text), expected, "{text:?}");
        }
    }

    #[test]
    fn comments_marks_and_the_end_of_file_say_nothing() {
        assert_eq!(lines(b"\xEF\xBB\xBF# x\r\n  # y\r\na#b\r\n\x1Ac\r\n"), [(3, &b"a#b"[..])]);
        assert_eq!(lines(b"a\x1A\x1A"), [(1, &b"a"[..])]);
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"#"), []);
    }

    #[test]
    fn words_are_separated_by_any_run_of_blanks() {
        assert_eq!(words(b"a \t b\tc").collect::<Vec<_>>(), [b"a", b"b", b"c"]);
    }
}
