//! The log's last lines, kept in a piece of memory that the caller gives.
//!
//! The memory is a ring of bytes. A line is stored as its length, its text, its style and its length
//! again, so that it can be walked from both ends; the oldest lines give way to new ones.

use super::terminal::Style;

/// Bytes that a line costs beside its text.
const OVERHEAD: usize = 3;

/// A ring of lines.
pub struct Scrollback<'a> {
    memory: &'a mut [u8],
    /// Where the oldest line begins.
    start: usize,
    /// Bytes in use.
    used: usize,
    lines: usize,
}

/// A stored line: where it is.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Of its text.
    start: usize,
    length: usize,
    style: Style,
}

impl<'a> Scrollback<'a> {
    /// An empty one in `memory`. In 16 KB there is room for some 300 lines of average length.
    pub fn new(memory: &'a mut [u8]) -> Scrollback<'a> {
        Scrollback { memory, start: 0, used: 0, lines: 0 }
    }

    /// Lines that are stored.
    pub fn len(&self) -> usize {
        self.lines
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// Adds a line, of which at most 255 bytes are kept, and returns whether it fitted at all.
    pub fn push(&mut self, text: &[u8], style: Style) -> bool {
        let length = text.len().min(255);
        let text = text.get(..length).unwrap_or_default();
        if length + OVERHEAD > self.memory.len() {
            return false;
        }
        while self.used + length + OVERHEAD > self.memory.len() {
            let oldest = usize::from(self.at(self.start)) + OVERHEAD;
            self.start = self.wrap(self.start + oldest);
            self.used -= oldest;
            self.lines -= 1;
        }
        let frame = length as u8;
        self.append(&[frame]);
        self.append(text);
        self.append(&[style as u8, frame]);
        self.lines += 1;
        true
    }

    /// Puts bytes behind those in use; there is room for them.
    fn append(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = self.wrap(self.start + self.used);
            let place = self.memory.get_mut(end..).unwrap_or_default();
            let count = rest.len().min(place.len());
            place[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            self.used += count;
        }
    }

    /// Calls `show(index, text, style)` for up to `count` lines, newest last, of which the newest is the
    /// one before the last `skip`. Control bytes are `?` then. `index` is 0 for the oldest shown. Returns how many there were.
    pub fn view(
        &self,
        skip: usize,
        count: usize,
        show: &mut dyn FnMut(usize, &[u8], Style),
    ) -> usize {
        let shown = self.lines.saturating_sub(skip).min(count);
        let mut end = self.used;
        for back in 0..skip.min(self.lines) + shown {
            let place = self.line_before(end);
            end = end.saturating_sub(place.length + OVERHEAD);
            let Some(back) = back.checked_sub(skip) else { continue };
            let mut text = [0; 255];
            let text = &mut text[..place.length];
            let mut at = place.start;
            for byte in &mut *text {
                let kept = self.at(at);
                *byte = if kept < b' ' || kept == 0x7F { b'?' } else { kept };
                at = self.wrap(at + 1);
            }
            show(shown.saturating_sub(back + 1), text, place.style);
        }
        shown
    }

    /// The line that ends `end` bytes behind the start.
    fn line_before(&self, end: usize) -> Place {
        let last = self.wrap(self.start + end.saturating_sub(1));
        let length = usize::from(self.at(last));
        let start = self.wrap(self.start + end.saturating_sub(length + OVERHEAD - 1));
        let style = self.at(self.wrap(self.start + end.saturating_sub(2)));
        let style = [Style::Normal, Style::Bright, Style::Inverse]
            .into_iter()
            .find(|&known| known as u8 == style)
            .unwrap_or(Style::Normal);
        Place { start, length, style }
    }

    fn at(&self, index: usize) -> u8 {
        self.memory.get(index).copied().unwrap_or_default()
    }

    /// `index` is less than twice the memory's length.
    fn wrap(&self, index: usize) -> usize {
        if index >= self.memory.len() { index - self.memory.len() } else { index }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::VecDeque;
    use std::vec;
    use std::vec::Vec;

    fn view(ring: &Scrollback<'_>, skip: usize, count: usize) -> Vec<(Vec<u8>, Style)> {
        let mut lines = vec![(Vec::new(), Style::Normal); count];
        let shown = ring.view(skip, count, &mut |index, text, style| {
            lines[index] = (text.to_vec(), style);
        });
        lines.truncate(shown);
        lines
    }

    /// Random lines against a queue, through many turns of the ring, for memories of every small size.
    #[test]
    fn holds_the_newest_lines_that_fit() {
        let styles = [Style::Normal, Style::Bright, Style::Inverse];
        let mut seed = 7_u32;
        for size in [0, 2, 3, 4, 7, 50, 64, 300, 1000] {
            let mut memory = vec![0; size];
            let mut ring = Scrollback::new(&mut memory);
            let mut expected = VecDeque::new();
            for _ in 0..500 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let text = vec![b'a' + (seed >> 24) as u8 % 26; (seed >> 8) as usize % 90];
                let style = styles[(seed >> 16) as usize % 3];
                let fitted = ring.push(&text, style);
                assert_eq!(fitted, text.len() + OVERHEAD <= size);
                if fitted {
                    expected.push_back((text, style));
                }
                while expected.iter().map(|(text, _)| text.len() + OVERHEAD).sum::<usize>() > size {
                    expected.pop_front();
                }
                assert_eq!(ring.len(), expected.len());
            }
            let all: Vec<_> = expected.into_iter().collect();
            assert_eq!(view(&ring, 0, 1000), all);
            for skip in 0..all.len() + 2 {
                let end = all.len().saturating_sub(skip);
                assert_eq!(view(&ring, skip, 2), all[end.saturating_sub(2)..end]);
            }
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let mut memory = vec![0; 400];
        let mut ring = Scrollback::new(&mut memory);
        assert!(ring.push(&[b'x'; 300], Style::Bright));
        assert_eq!(view(&ring, 0, 1), [(vec![b'x'; 255], Style::Bright)]);
        assert!(!ring.is_empty());
    }
}
