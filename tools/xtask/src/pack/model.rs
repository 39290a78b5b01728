//! The symbols of which LZMA makes an archive, and the probabilities of their bits (LZMA specification,
//! I. Pavlov, 2015; lp and pb are 0), but for literals: those have a context of 256 probabilities each, and
//! all together 512 more for after matches.

use crate::sort::CONTEXTS;

/// What an archive consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// A byte.
    Literal,
    /// So many bytes as they were so many bytes before: 1 is the one just before.
    Match { distance: usize, length: usize },
    /// So many from a distance used before; 0 is the last one.
    Repeat { index: usize, length: usize },
    /// One byte from the last distance.
    Short,
}

impl Symbol {
    pub fn kind(self) -> Kind {
        match self {
            Symbol::Literal => Kind::Literal,
            Symbol::Match { .. } => Kind::Match,
            Symbol::Repeat { index, .. } => Kind::Repeat(index),
            Symbol::Short => Kind::Short,
        }
    }

    /// How many bytes come of it.
    pub fn length(self) -> usize {
        match self {
            Symbol::Literal | Symbol::Short => 1,
            Symbol::Match { length, .. } | Symbol::Repeat { length, .. } => length,
        }
    }
}

/// What a symbol is, without what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Literal,
    Match,
    /// With the index.
    Repeat(usize),
    Short,
}

/// Lengths of matches and repeats, in bytes.
pub const LENGTHS: std::ops::RangeInclusive<usize> = 2..=273;

/// States: which kinds the last symbols were of.
pub const STATES: usize = 12;
/// From this one on, the last symbol was no literal.
const AFTER_MATCH: usize = 7;

/// Where an image is packed, and what the symbols so far leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The offset in the image.
    pub at: usize,
    /// Below [`STATES`].
    pub state: usize,
    /// The last ones used, the last one first.
    pub distances: [usize; 4],
}

impl Place {
    pub const START: Place = Place { at: 0, state: 0, distances: [1; 4] };

    /// Where `symbol` leads from here.
    pub fn after(mut self, symbol: Symbol) -> Place {
        let is_after_match = self.state >= AFTER_MATCH;
        self.at += symbol.length();
        self.state = match symbol {
            Symbol::Literal => match self.state {
                0..4 => 0,
                4..10 => self.state - 3,
                _ => self.state - 6,
            },
            Symbol::Match { .. } if is_after_match => 10,
            Symbol::Match { .. } => 7,
            _ if is_after_match => 11,
            Symbol::Repeat { .. } => 8,
            Symbol::Short => 9,
        };
        match symbol {
            Symbol::Match { distance, .. } => {
                self.distances.rotate_right(1);
                self.distances[0] = distance;
            }
            Symbol::Repeat { index, .. } => self.distances[..=index].rotate_right(1),
            Symbol::Literal | Symbol::Short => {}
        }
        self
    }

    /// The byte of `image` with which the last match would go on; directly after one alone.
    pub fn expected(&self, image: &[u8]) -> Option<u8> {
        (self.state >= AFTER_MATCH).then(|| image[self.at - self.distances[0]])
    }
}

/// A bit's probability of being 0, in 2048ths.
pub type Probability = u16;
/// Before anything is known.
const HALF: Probability = 1024;

/// Takes the bits of symbols, one after another.
pub trait Coder {
    /// A bit, which is 0 with this probability.
    fn bit(&mut self, probability: &mut Probability, bit: bool);

    /// The lowest bits of `number`, the highest of them first, which are as probably 0 as 1.
    fn even_bits(&mut self, number: usize, count: u32);
}

/// The lowest bits of `number`, the highest of them first, each by the probability that those before it name.
fn tree(coder: &mut impl Coder, probabilities: &mut [Probability], number: usize, count: u32) {
    let mut node = 1;
    for place in (0..count).rev() {
        let bit = number >> place & 1;
        coder.bit(&mut probabilities[node], bit != 0);
        node = node << 1 | bit;
    }
}

/// Likewise with the lowest bit first.
fn reverse_tree(
    coder: &mut impl Coder,
    probabilities: &mut [Probability],
    number: usize,
    count: u32,
) {
    let mut node = 1;
    for place in 0..count {
        let bit = number >> place & 1;
        coder.bit(&mut probabilities[node], bit != 0);
        node = node << 1 | bit;
    }
}

/// The probabilities of lengths.
#[derive(Clone)]
pub struct Lengths {
    /// Not below 10; not below 18.
    choices: [Probability; 2],
    low: [Probability; 8],
    middle: [Probability; 8],
    high: [Probability; 256],
}

impl Lengths {
    const NEW: Lengths =
        Lengths { choices: [HALF; 2], low: [HALF; 8], middle: [HALF; 8], high: [HALF; 256] };

    pub fn code(&mut self, coder: &mut impl Coder, length: usize) {
        coder.bit(&mut self.choices[0], length >= 10);
        if length < 10 {
            return tree(coder, &mut self.low, length - 2, 3);
        }
        coder.bit(&mut self.choices[1], length >= 18);
        if length < 18 {
            return tree(coder, &mut self.middle, length - 10, 3);
        }
        tree(coder, &mut self.high, length - 18, 8);
    }
}

/// Distances less 1 have a slot each: up to 3 themselves, above by their two highest bits. Below this slot,
/// each has probabilities of its own for the bits that follow; from it on, only the last four have some.
pub const FIRST_ALIGNED_SLOT: usize = 14;
const ALIGNED_BITS: u32 = 4;

/// All probabilities.
#[derive(Clone)]
pub struct Model<'c> {
    /// Those of literals, for all places of the image: below [`CONTEXTS`].
    contexts: &'c [u8],
    literals: [[Probability; 256]; CONTEXTS],
    /// Literals directly after matches, up to the first bit that differs from the byte with which the match
    /// would go on: by that one's bit, and the bits before.
    matched: [Probability; 512],
    is_match: [Probability; STATES],
    is_repeat: [Probability; STATES],
    /// Not the last distance.
    is_older: [Probability; STATES],
    /// Nor the last but one.
    is_older_1: [Probability; STATES],
    is_older_2: [Probability; STATES],
    /// More than a byte from the last distance.
    is_long: [Probability; STATES],
    pub lengths: Lengths,
    pub repeat_lengths: Lengths,
    /// By length: 2, 3, 4, more.
    slots: [[Probability; 64]; LENGTH_CLASSES],
    /// Of bits below those that the slot says, each slot's behind the one's before.
    distances: [Probability; 115],
    alignment: [Probability; 1 << ALIGNED_BITS],
}

impl<'c> Model<'c> {
    pub fn new(contexts: &'c [u8]) -> Self {
        Model {
            contexts,
            literals: [[HALF; 256]; CONTEXTS],
            matched: [HALF; 512],
            is_match: [HALF; STATES],
            is_repeat: [HALF; STATES],
            is_older: [HALF; STATES],
            is_older_1: [HALF; STATES],
            is_older_2: [HALF; STATES],
            is_long: [HALF; STATES],
            lengths: Lengths::NEW,
            repeat_lengths: Lengths::NEW,
            slots: [[HALF; 64]; LENGTH_CLASSES],
            distances: [HALF; 115],
            alignment: [HALF; 1 << ALIGNED_BITS],
        }
    }

    /// The symbol at `place` of `image`.
    pub fn code(&mut self, coder: &mut impl Coder, image: &[u8], place: &Place, symbol: Symbol) {
        self.kind(coder, place.state, symbol.kind());
        match symbol {
            Symbol::Literal => self.literal(coder, image, place),
            Symbol::Match { distance, length } => {
                self.lengths.code(coder, length);
                let slot = slot(distance);
                self.slot(coder, length, slot);
                self.below_slot(coder, slot, distance);
            }
            Symbol::Repeat { length, .. } => self.repeat_lengths.code(coder, length),
            Symbol::Short => {}
        }
    }

    /// Of which kind a symbol is, after others that led to `state`.
    pub fn kind(&mut self, coder: &mut impl Coder, state: usize, kind: Kind) {
        coder.bit(&mut self.is_match[state], kind != Kind::Literal);
        if kind == Kind::Literal {
            return;
        }
        coder.bit(&mut self.is_repeat[state], kind != Kind::Match);
        if kind == Kind::Match {
            return;
        }
        let index = if let Kind::Repeat(index) = kind { index } else { 0 };
        coder.bit(&mut self.is_older[state], index > 0);
        if index == 0 {
            return coder.bit(&mut self.is_long[state], kind != Kind::Short);
        }
        coder.bit(&mut self.is_older_1[state], index > 1);
        if index > 1 {
            coder.bit(&mut self.is_older_2[state], index > 2);
        }
    }

    /// The byte at `place`.
    pub fn literal(&mut self, coder: &mut impl Coder, image: &[u8], place: &Place) {
        let tree = &mut self.literals[usize::from(self.contexts[place.at])];
        let byte = usize::from(image[place.at]);
        let mut expected = place.expected(image).map(usize::from);
        for bits in (0..8).rev() {
            let node = (0x100 | byte) >> (bits + 1);
            let bit = byte >> bits & 1;
            if let Some(other) = expected.map(|expected| expected >> bits & 1) {
                coder.bit(&mut self.matched[other << 8 | node], bit != 0);
                expected = expected.filter(|_| bit == other);
            } else {
                coder.bit(&mut tree[node], bit != 0);
            }
        }
    }

    /// The slot of a match of `length` bytes.
    pub fn slot(&mut self, coder: &mut impl Coder, length: usize, slot: usize) {
        tree(coder, &mut self.slots[length_class(length)], slot, 6);
    }

    /// What `slot` does not say of a distance.
    pub fn below_slot(&mut self, coder: &mut impl Coder, slot: usize, distance: usize) {
        let Some(count) = (slot / 2).checked_sub(1).filter(|count| *count > 0) else {
            return;
        };
        let number = distance - 1;
        let count = count as u32;
        if slot < FIRST_ALIGNED_SLOT {
            let base = (2 | slot & 1) << count;
            reverse_tree(coder, &mut self.distances[base - slot..], number, count);
        } else {
            coder.even_bits(number >> ALIGNED_BITS, count - ALIGNED_BITS);
            reverse_tree(coder, &mut self.alignment, number, ALIGNED_BITS);
        }
    }
}

/// Slots of lengths that have the same class have the same probabilities.
pub const LENGTH_CLASSES: usize = 4;

pub fn length_class(length: usize) -> usize {
    (length - 2).min(LENGTH_CLASSES - 1)
}

/// Of a distance.
pub fn slot(distance: usize) -> usize {
    let number = distance - 1;
    if number < 4 {
        return number;
    }
    let highest = number.ilog2() as usize;
    highest << 1 | number >> (highest - 1) & 1
}
