//! Text memory of MDA, CGA, EGA and VGA as a [`TextScreen`].
//!
//! Source: IBM PC Technical Reference, "Monochrome display adapter", "Color/graphics adapter": a
//! cell is a word, character low, attribute high. A CGA of 80 columns shows snow when the CPU
//! meets its fetch, so that only cells that change are written, and text memory is not read back.

use crate::console::TextScreen;
use crate::console::terminal::Style;

/// How attributes are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// MDA and Hercules: normal, bright, inverse.
    Mono,
    /// Everything else.
    Colour,
}

/// The visible page of text memory.
pub struct TextMemory<'a> {
    cells: &'a mut [u16],
    shadow: &'a mut [u16],
    columns: usize,
    palette: Palette,
}

impl<'a> TextMemory<'a> {
    /// A cleared screen of `columns` on `cells`, the adapter's memory; `shadow` is as long and
    /// holds what is shown.
    pub fn new(
        cells: &'a mut [u16],
        shadow: &'a mut [u16],
        columns: usize,
        palette: Palette,
    ) -> TextMemory<'a> {
        let screen = TextMemory { cells, shadow, columns: columns.max(1), palette };
        let blank = screen.cell(b' ', Style::Normal);
        screen.shadow.fill(blank);
        for (cell, &shown) in screen.cells.iter_mut().zip(screen.shadow.iter()) {
            *cell = shown;
        }
        screen
    }

    fn cell(&self, character: u8, style: Style) -> u16 {
        let attribute = match (self.palette, style) {
            (_, Style::Normal) => 0x07,
            (_, Style::Bright) => 0x0F,
            (Palette::Mono, Style::Inverse) => 0x70,
            (Palette::Colour, Style::Inverse) => 0x1F,
        };
        u16::from_le_bytes([character, attribute])
    }

    fn put(&mut self, index: usize, value: u16) {
        if let (Some(cell), Some(shown)) = (self.cells.get_mut(index), self.shadow.get_mut(index))
            && *shown != value
        {
            *shown = value;
            *cell = value;
        }
    }
}

impl TextScreen for TextMemory<'_> {
    fn columns(&self) -> usize {
        self.columns
    }

    fn rows(&self) -> usize {
        self.shadow.len() / self.columns
    }

    fn write(&mut self, row: usize, column: usize, text: &[u8], style: Style) {
        if row >= self.rows() {
            return;
        }
        for (column, &character) in (column..self.columns).zip(text) {
            self.put(row * self.columns + column, self.cell(character, style));
        }
    }

    fn scroll(&mut self, top: usize, bottom: usize) {
        let bottom = bottom.min(self.rows().saturating_sub(1));
        let blank = self.cell(b' ', Style::Normal);
        for index in top * self.columns..(bottom + 1) * self.columns {
            let below = index + self.columns;
            let value = match self.shadow.get(below) {
                Some(&value) if below < (bottom + 1) * self.columns => value,
                _ => blank,
            };
            self.put(index, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(cells: &[u16; 12]) -> [u8; 12] {
        cells.map(|cell| cell as u8)
    }

    #[test]
    fn writes_are_cut_at_the_rows_end_and_scroll_moves_rows() {
        let (mut cells, mut shadow) = ([0; 12], [0; 12]);
        let mut screen = TextMemory::new(&mut cells, &mut shadow, 4, Palette::Mono);
        screen.write(0, 0, b"head", Style::Inverse);
        screen.write(1, 2, b"one", Style::Normal);
        screen.write(2, 0, b"two", Style::Bright);
        screen.write(3, 0, b"off", Style::Bright);
        screen.scroll(1, 2);
        assert_eq!(&text(&cells), b"headtwo     ");
        assert_eq!(cells[0] >> 8, 0x70);
        assert_eq!(cells[4] >> 8, 0x0F);
    }
}
