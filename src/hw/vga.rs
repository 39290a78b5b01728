//! Text memory of MDA, CGA, EGA and VGA as a [`TextScreen`].
//!
//! Source: IBM PC Technical Reference, "Monochrome display adapter", "Color/graphics adapter": a
//! cell is a word, character low, attribute high. A CGA of 80 columns shows snow when the CPU meets its fetch:
//! there only cells that change are written, in the retrace ([`Retrace`]), and text memory is not read back. All
//! other adapters need no copy of what they show.

use super::ports::Ports;
use crate::console::TextScreen;
use crate::console::terminal::Style;

/// First port of the display controller (6845 or what stands for it): of MDA, of all others.
pub const MONO_CRTC: u16 = 0x3B4;
/// See [`MONO_CRTC`].
pub const COLOUR_CRTC: u16 = 0x3D4;
/// CGA: status.
const STATUS: u16 = 0x3DA;
/// Nothing is fetched from text memory: the beam is on its way back, or above or below the text.
const BLANK: u8 = 0x01;
/// The vertical retrace pulse; text begins 22 lines after it.
const VERTICAL: u8 = 0x08;
/// Reads of the status, about a microsecond each, in which a CGA must have begun a line's retrace: its
/// frames have 16.7 ms, of which 4 are blank.
const PATIENCE: u32 = 8_000;
/// Cells that surely fit in the 19 microseconds between two lines' fetches, over an 8-bit bus.
const CELLS_A_LINE: u8 = 2;

/// Whether there is a display controller at `crtc`: its cursor register keeps what is written.
pub fn has_controller(ports: &mut impl Ports, crtc: u16) -> bool {
    const CURSOR_LOW: u8 = 0x0F;
    ports.outb(crtc, CURSOR_LOW);
    let before = ports.inb(crtc + 1);
    ports.outb(crtc + 1, 0x5A);
    let kept = ports.inb(crtc + 1) == 0x5A;
    ports.outb(crtc + 1, before);
    kept
}

/// When text memory of a CGA may be written without snow.
pub struct Retrace<P> {
    ports: P,
    /// Cells that may still be written in this line's retrace, at once.
    left: u8,
}

impl<P: Ports> Retrace<P> {
    /// The CGA's.
    pub fn new(ports: P) -> Retrace<P> {
        Retrace { ports, left: 0 }
    }

    /// Returns when a cell may be written; `false`: the adapter has no retrace that could be waited for.
    fn wait(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return true;
        }
        // The beginning of the retrace: how long one that is on will last, nobody knows.
        let mut fetched = false;
        for _ in 0..PATIENCE {
            let status = self.ports.inb(STATUS);
            if status & VERTICAL != 0 {
                return true;
            }
            if status & BLANK == 0 {
                fetched = true;
            } else if fetched {
                self.left = CELLS_A_LINE - 1;
                return true;
            }
        }
        false
    }
}

/// How attributes are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// MDA and Hercules: normal, bright, inverse.
    Mono,
    /// Everything else.
    Colour,
}

/// The visible page of text memory.
pub struct TextMemory<'a, P> {
    cells: &'a mut [u16],
    columns: usize,
    palette: Palette,
    snow: Option<Snow<'a, P>>,
}

/// What a CGA needs.
pub struct Snow<'a, P> {
    /// A copy of what is shown: as long as text memory.
    pub shadow: &'a mut [u16],
    /// When cells are written; `None`: at any time, because the adapter has no retrace after all.
    pub retrace: Option<Retrace<P>>,
}

impl<'a, P: Ports> TextMemory<'a, P> {
    /// A cleared screen of `columns` on `cells`, the adapter's memory. `snow` is a CGA's, `None` for adapters
    /// that show none.
    pub fn new(
        cells: &'a mut [u16],
        columns: usize,
        palette: Palette,
        mut snow: Option<Snow<'a, P>>,
    ) -> TextMemory<'a, P> {
        if let Some(snow) = &mut snow {
            // What no cell is.
            snow.shadow.fill(0);
        }
        let mut screen = TextMemory { cells, columns: columns.max(1), palette, snow };
        let last = screen.rows().saturating_sub(1);
        screen.scroll(0, last, last + 1);
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
}

impl<P: Ports> Snow<'_, P> {
    fn put(&mut self, cells: &mut [u16], index: usize, value: u16) {
        if let (Some(cell), Some(shown)) = (cells.get_mut(index), self.shadow.get_mut(index))
            && *shown != value
        {
            if let Some(retrace) = &mut self.retrace
                && !retrace.wait()
            {
                self.retrace = None;
            }
            *shown = value;
            *cell = value;
        } else {
            self.pause();
        }
    }

    /// Time passes between two cells: the retrace may be over.
    fn pause(&mut self) {
        if let Some(retrace) = &mut self.retrace {
            retrace.left = 0;
        }
    }
}

impl<P: Ports> TextScreen for TextMemory<'_, P> {
    fn columns(&self) -> usize {
        self.columns
    }

    fn rows(&self) -> usize {
        self.cells.len() / self.columns
    }

    fn write(&mut self, row: usize, column: usize, text: &[u8], style: Style) {
        if row >= self.rows() {
            return;
        }
        let (start, [_, attribute]) =
            (row * self.columns + column, self.cell(0, style).to_le_bytes());
        let text = &text[..text.len().min(self.columns.saturating_sub(column))];
        let values = text.iter().map(|&character| u16::from_le_bytes([character, attribute]));
        if let Some(snow) = &mut self.snow {
            snow.pause();
            for (index, value) in (start..).zip(values) {
                snow.put(self.cells, index, value);
            }
        } else if let Some(cells) = self.cells.get_mut(start..) {
            cells.iter_mut().zip(values).for_each(|(cell, value)| *cell = value);
        }
    }

    fn scroll(&mut self, top: usize, bottom: usize, count: usize) {
        let bottom = bottom.min(self.rows().saturating_sub(1));
        let blank = self.cell(b' ', Style::Normal);
        let way = count * self.columns;
        let area = top * self.columns..(bottom + 1) * self.columns;
        if let Some(snow) = &mut self.snow {
            snow.pause();
            for index in area.clone() {
                let value = match snow.shadow.get(index + way) {
                    Some(&value) if index + way < area.end => value,
                    _ => blank,
                };
                snow.put(self.cells, index, value);
            }
        } else if let Some(cells) = self.cells.get_mut(area) {
            let kept = cells.len().saturating_sub(way);
            cells.copy_within(cells.len() - kept.., 0);
            cells.iter_mut().skip(kept).for_each(|cell| *cell = blank);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use core::cell::Cell;
    use std::rc::Rc;
    use std::vec::Vec;

    /// A CGA's beam: 262 lines of 912 dots, text in the first 640 dots of the first 200 lines, the pulse
    /// from line 224 on for 16; a dot has 70 ns, a read of a port 12 dots.
    #[derive(Clone, Default)]
    struct Beam(Rc<Cell<u32>>);

    const LINE: u32 = 912;
    const FRAME: u32 = 262 * LINE;
    /// Two bytes over a bus of 8 bits with the CGA's wait states.
    const CELL: u32 = 40;

    impl Beam {
        fn pass(&self, dots: u32) {
            self.0.set((self.0.get() + dots) % FRAME);
        }

        fn fetches(&self) -> bool {
            self.0.get() / LINE < 200 && self.0.get() % LINE < 640
        }
    }

    impl Ports for Beam {
        fn inb(&mut self, port: u16) -> u8 {
            assert_eq!(port, STATUS);
            self.pass(12);
            let pulse = (224..240).contains(&(self.0.get() / LINE));
            u8::from(!self.fetches()) | u8::from(pulse) << 3
        }
        fn outb(&mut self, _: u16, _: u8) {}
        fn inw(&mut self, _: u16) -> u16 {
            0
        }
        fn outw(&mut self, _: u16, _: u16) {}
        fn inl(&mut self, _: u16) -> u32 {
            0
        }
        fn outl(&mut self, _: u16, _: u32) {}
        fn delay_us(&mut self, _: u32) {}
    }

    #[test]
    fn no_cell_of_a_cga_is_written_while_the_beam_fetches() {
        let beam = Beam::default();
        let mut retrace = Retrace::new(beam.clone());
        let mut frames = 0;
        for cell in 0..20_000 {
            let before = beam.0.get();
            assert!(retrace.wait());
            assert!(!beam.fetches(), "cell {cell} begins at dot {}", beam.0.get() % LINE);
            beam.pass(CELL);
            assert!(!beam.fetches(), "cell {cell} ends at dot {}", beam.0.get() % LINE);
            frames += u32::from(beam.0.get() < before);
            if retrace.left == 0 {
                // The caller's own work, of all lengths.
                beam.pass(cell * 37 % 5000);
            }
        }
        assert!(frames < 300, "{frames} frames for ten screens");
    }

    #[test]
    fn a_screen_full_takes_three_frames_at_most() {
        let beam = Beam::default();
        let mut retrace = Retrace::new(beam.clone());
        let mut dots = 0;
        for _ in 0..2000 {
            let before = beam.0.get();
            assert!(retrace.wait());
            beam.pass(CELL);
            dots += (beam.0.get() + FRAME - before) % FRAME;
        }
        assert!(dots < 4 * FRAME, "{} lines", dots / LINE);
    }

    /// A port that always says the same, and how often it was asked.
    #[derive(Clone, Default)]
    struct Dead(Rc<Cell<u32>>, u8);

    impl Ports for Dead {
        fn inb(&mut self, _: u16) -> u8 {
            self.0.set(self.0.get() + 1);
            self.1
        }
        fn outb(&mut self, _: u16, _: u8) {}
        fn inw(&mut self, _: u16) -> u16 {
            0
        }
        fn outw(&mut self, _: u16, _: u16) {}
        fn inl(&mut self, _: u16) -> u32 {
            0
        }
        fn outl(&mut self, _: u16, _: u32) {}
        fn delay_us(&mut self, _: u32) {}
    }

    #[test]
    fn an_adapter_without_retrace_is_waited_for_once() {
        for says in [0, BLANK, 0xF7] {
            let port = Dead(Rc::default(), says);
            let (mut cells, mut shadow) = ([0; 12], [0; 12]);
            let retrace = Some(Retrace::new(port.clone()));
            let snow = Some(Snow { shadow: &mut shadow, retrace });
            let mut screen = TextMemory::new(&mut cells, 4, Palette::Colour, snow);
            screen.write(0, 0, b"head", Style::Normal);
            assert_eq!(&text(&cells), b"head        ");
            assert_eq!(port.0.get(), PATIENCE);
        }
        assert!(!has_controller(&mut Dead(Rc::default(), 0xFF), COLOUR_CRTC));
        assert!(has_controller(&mut Dead(Rc::default(), 0x5A), COLOUR_CRTC));
    }

    fn text(cells: &[u16]) -> Vec<u8> {
        cells.iter().map(|&cell| cell as u8).collect()
    }

    /// With a copy, as a CGA, and without one.
    #[test]
    fn writes_are_cut_at_the_rows_end_and_scroll_moves_rows() {
        for copied in [true, false] {
            let (mut cells, mut shadow) = ([0x0141; 12], [0; 12]);
            let snow = copied.then_some(Snow { shadow: &mut shadow, retrace: None });
            let mut screen = TextMemory::<Dead>::new(&mut cells, 4, Palette::Mono, snow);
            assert_eq!(screen.cells, [0x0720; 12]);
            screen.write(0, 0, b"head", Style::Inverse);
            screen.write(1, 2, b"one", Style::Normal);
            screen.write(2, 0, b"two", Style::Bright);
            screen.write(3, 0, b"off", Style::Bright);
            screen.write(2, 9, b"off", Style::Bright);
            screen.scroll(1, 2, 1);
            assert_eq!(&text(screen.cells), b"headtwo     ");
            assert_eq!((screen.cells[0] >> 8, screen.cells[4] >> 8), (0x70, 0x0F));
            screen.scroll(1, 9, 2);
            assert_eq!(&text(screen.cells), b"head        ");
            assert_eq!(screen.cells[4..], [0x0720; 8]);
        }
    }
}
