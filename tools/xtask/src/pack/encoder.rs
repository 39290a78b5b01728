//! LZMA's range encoder (LZMA specification, I. Pavlov, 2015, which has the decoder; the encoder's carry is
//! that of its author's program).

use super::model::{Coder, Probability};

/// The range is kept from here on.
const RANGE_MIN: u32 = 1 << 24;

pub struct Encoder {
    /// The lower end of what is left of the range. From bit 32 on it is a carry to bytes before.
    low: u64,
    range: u32,
    /// The last byte before, which a carry may change. At first that in front of everything: 0.
    held: u8,
    /// So many of 0xFF are behind it, to which a carry would go on.
    full: usize,
    packed: Vec<u8>,
}

impl Encoder {
    pub fn new() -> Self {
        Encoder { low: 0, range: u32::MAX, held: 0, full: 0, packed: Vec::new() }
    }

    /// All that was coded.
    pub fn finish(mut self) -> Vec<u8> {
        // What is held, and all of `low`.
        for _ in 0..5 {
            self.shift();
        }
        self.packed
    }

    fn normalise(&mut self) {
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.shift();
        }
    }

    /// Takes the highest byte off `low`.
    fn shift(&mut self) {
        if self.low >= 0xFF00_0000 && self.low <= u64::from(u32::MAX) {
            self.full += 1;
        } else {
            let carry = (self.low >> 32) as u8;
            self.packed.push(self.held.wrapping_add(carry));
            self.packed.extend(std::iter::repeat_n(0xFF_u8.wrapping_add(carry), self.full));
            self.full = 0;
            self.held = (self.low >> 24) as u8;
        }
        self.low = (self.low & 0x00FF_FFFF) << 8;
    }
}

impl Coder for Encoder {
    fn bit(&mut self, probability: &mut Probability, bit: bool) {
        // The part of the range that says 0.
        let bound = (self.range >> 11) * u32::from(*probability);
        // The probability moves by a 32nd of the way to what the bit was.
        if bit {
            self.low += u64::from(bound);
            self.range -= bound;
            *probability -= *probability >> 5;
        } else {
            self.range = bound;
            *probability += (2048 - *probability) >> 5;
        }
        self.normalise();
    }

    fn even_bits(&mut self, number: usize, count: u32) {
        for place in (0..count).rev() {
            self.range >>= 1;
            if number >> place & 1 != 0 {
                self.low += u64::from(self.range);
            }
            self.normalise();
        }
    }
}
