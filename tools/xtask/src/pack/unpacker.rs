//! What unpack.s does, for tests: LZMA's decoder (LZMA specification, I. Pavlov, 2015) but for literals.

struct Unpacker<'p> {
    packed: &'p [u8],
    range: u32,
    code: u32,
    probabilities: Vec<u16>,
    image: Vec<u8>,
    /// Where the table begins in it.
    table: usize,
    context: usize,
}

/// Words from the first probability. 12 states each at first.
const IS_MATCH: usize = 0;
const IS_REPEAT: usize = 12;
const IS_OLDER: usize = 24;
const IS_OLDER_1: usize = 36;
const IS_OLDER_2: usize = 48;
const IS_LONG: usize = 60;
/// Two choices, trees of 8, 8 and 256.
const LENGTH: usize = 72;
const REPEAT_LENGTH: usize = LENGTH + 274;
const SLOT: usize = REPEAT_LENGTH + 274;
const DISTANCE: usize = SLOT + 4 * 64;
const ALIGNMENT: usize = DISTANCE + 116;
const LITERAL: usize = ALIGNMENT + 16;
const MATCHED: usize = LITERAL + 9 * 256;
const PROBABILITIES: usize = MATCHED + 512;

impl Unpacker<'_> {
    fn byte(&mut self) -> u32 {
        let (byte, rest) = self.packed.split_first().expect("a byte");
        self.packed = rest;
        u32::from(*byte)
    }

    fn normalise(&mut self) {
        if self.range < 0x100_0000 {
            self.range <<= 8;
            self.code = self.code << 8 | self.byte();
        }
    }

    fn bit(&mut self, index: usize) -> usize {
        self.normalise();
        let probability = u32::from(self.probabilities[index]);
        let bound = self.range / 2048 * probability;
        if self.code < bound {
            self.range = bound;
            self.probabilities[index] += ((2048 - probability) / 32) as u16;
            0
        } else {
            self.range -= bound;
            self.code -= bound;
            self.probabilities[index] -= (probability / 32) as u16;
            1
        }
    }

    fn tree(&mut self, index: usize, mut node: usize, end: usize) -> usize {
        while node < end {
            node = 2 * node + self.bit(index + node);
        }
        node - end
    }

    fn reverse(&mut self, index: usize, count: usize) -> usize {
        let (mut node, mut number) = (1, 0);
        for place in 0..count {
            let bit = self.bit(index + node);
            node = 2 * node + bit;
            number += bit << place;
        }
        number
    }

    fn length(&mut self, index: usize) -> usize {
        if self.bit(index) == 0 {
            2 + self.tree(index + 2, 1, 8)
        } else if self.bit(index + 1) == 0 {
            10 + self.tree(index + 10, 1, 8)
        } else {
            18 + self.tree(index + 18, 1, 256)
        }
    }

    fn distance(&mut self, length: usize) -> usize {
        let slot = self.tree(SLOT + 64 * (length.min(5) - 2), 1, 64);
        if slot < 4 {
            return slot;
        }
        let count = slot / 2 - 1;
        let base = (2 + slot % 2) << count;
        if slot < 14 {
            return base + self.reverse(DISTANCE + base - slot, count);
        }
        let mut middle = 0;
        for _ in 4..count {
            self.normalise();
            self.range /= 2;
            let bit = u32::from(self.code >= self.range);
            self.code -= bit * self.range;
            middle = 2 * middle + bit as usize;
        }
        base + 16 * middle + self.reverse(ALIGNMENT, 4)
    }

    fn literal(&mut self, after_match: Option<u8>) -> u8 {
        let mut node = 1;
        if let Some(expected) = after_match {
            let mut expected = usize::from(expected);
            while node < 256 {
                expected *= 2;
                let other = expected & 256;
                let bit = self.bit(MATCHED + other + node);
                node = 2 * node + bit;
                if bit != other / 256 {
                    break;
                }
            }
        }
        self.tree(LITERAL + 256 * self.context, node, 256) as u8
    }

    fn put(&mut self, byte: u8) {
        self.image.push(byte);
        let follow = |index: usize| usize::from(self.image[self.table + index]);
        let next = match self.context {
            0 => follow(usize::from(byte)),
            1 => follow(256 + usize::from(byte)),
            _ => 0,
        };
        let opcodes = self
            .image
            .get(self.table + 1024..self.table + 1028)
            .map_or(0, |length| u32::from_le_bytes(length.try_into().expect("4 bytes")) as usize);
        let begin = self.table + 1248;
        self.context = match self.image.len() {
            at if at < begin || at >= begin + opcodes => 8,
            at if at == begin => 0,
            _ => next,
        };
    }

    /// All `len` bytes.
    fn unpack(mut self, len: usize) -> Vec<u8> {
        assert_eq!(self.byte(), 0);
        for _ in 0..4 {
            self.code = self.code << 8 | self.byte();
        }
        let mut state = 0;
        let mut distances = [0; 4];
        while self.image.len() < len {
            let back = |image: &[u8], distance: usize| image[image.len() - 1 - distance];
            if self.bit(IS_MATCH + state) == 0 {
                let expected = (state >= 7).then(|| back(&self.image, distances[0]));
                let byte = self.literal(expected);
                self.put(byte);
                state = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5][state];
                continue;
            }
            let after_literal = state < 7;
            let length = if self.bit(IS_REPEAT + state) == 0 {
                state = if after_literal { 7 } else { 10 };
                let length = self.length(LENGTH);
                distances = [self.distance(length), distances[0], distances[1], distances[2]];
                length
            } else {
                let is_long = if self.bit(IS_OLDER + state) == 0 {
                    self.bit(IS_LONG + state) == 1
                } else {
                    let [a, b, c, d] = distances;
                    distances = if self.bit(IS_OLDER_1 + state) == 0 {
                        [b, a, c, d]
                    } else if self.bit(IS_OLDER_2 + state) == 0 {
                        [c, a, b, d]
                    } else {
                        [d, a, b, c]
                    };
                    true
                };
                state = match (is_long, after_literal) {
                    (_, false) => 11,
                    (true, true) => 8,
                    (false, true) => 9,
                };
                if is_long { self.length(REPEAT_LENGTH) } else { 1 }
            };
            for _ in 0..length {
                self.put(back(&self.image, distances[0]));
            }
        }
        assert_eq!(self.image.len(), len);
        self.image
    }
}

/// The image of `len` bytes that `packed` is an archive of, with the table at `table`.
pub fn unpack(packed: &[u8], len: usize, table: usize) -> Vec<u8> {
    let probabilities = vec![1024; PROBABILITIES];
    let image = Vec::new();
    Unpacker { packed, range: u32::MAX, code: 0, probabilities, image, table, context: 8 }
        .unpack(len)
}
