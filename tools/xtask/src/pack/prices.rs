//! What symbols cost by the probabilities of a model.

use std::sync::LazyLock;

use super::model::{
    Coder, FIRST_ALIGNED_SLOT, Kind, LENGTH_CLASSES, LENGTHS, Model, Place, Probability, STATES,
    length_class, slot,
};

/// In 1024ths of a bit.
pub type Price = u64;
pub const BIT: Price = 1024;

/// The price of a 0, by its probability in 2048ths.
static BY_PROBABILITY: LazyLock<[Price; 2049]> = LazyLock::new(|| {
    std::array::from_fn(|probability| {
        let bits = 11.0 - (probability.max(1) as f64).log2();
        (bits * BIT as f64).round() as Price
    })
});

/// Adds up the price of what is coded. Probabilities stay as they are.
struct Counter {
    price: Price,
    by_probability: &'static [Price; 2049],
}

impl Coder for Counter {
    fn bit(&mut self, probability: &mut Probability, bit: bool) {
        let probability = usize::from(*probability);
        self.price += self.by_probability[if bit { 2048 - probability } else { probability }];
    }

    fn even_bits(&mut self, _: usize, count: u32) {
        self.price += BIT * Price::from(count);
    }
}

fn price(code: impl FnOnce(&mut Counter)) -> Price {
    let mut counter = Counter { price: 0, by_probability: &BY_PROBABILITY };
    code(&mut counter);
    counter.price
}

/// The largest of the distances whose slots have probabilities for all bits below.
const NEAR: usize = 128;
const SLOTS: usize = 64;

const KINDS: [Kind; 7] = [
    Kind::Literal,
    Kind::Match,
    Kind::Short,
    Kind::Repeat(0),
    Kind::Repeat(1),
    Kind::Repeat(2),
    Kind::Repeat(3),
];

/// What symbols cost by one model: a symbol's kind, and what belongs to that.
pub struct Prices<'c> {
    model: Model<'c>,
    /// By state, then as in [`KINDS`].
    kinds: [[Price; KINDS.len()]; STATES],
    /// By length.
    lengths: Vec<Price>,
    repeat_lengths: Vec<Price>,
    slots: [[Price; SLOTS]; LENGTH_CLASSES],
    /// What slots do not say: by distance less 1.
    near: [Price; NEAR],
    /// Likewise, for distances from [`NEAR`] on, by slot and the distance less 1's last four bits.
    far: [[Price; 16]; SLOTS],
}

impl<'c> Prices<'c> {
    pub fn new(mut model: Model<'c>) -> Self {
        let kinds = std::array::from_fn(|state| {
            KINDS.map(|kind| price(|counter| model.kind(counter, state, kind)))
        });
        let mut lengths = vec![0; LENGTHS.end() + 1];
        let mut repeat_lengths = lengths.clone();
        for length in LENGTHS {
            lengths[length] = price(|counter| model.lengths.code(counter, length));
            repeat_lengths[length] = price(|counter| model.repeat_lengths.code(counter, length));
        }
        let slots = std::array::from_fn(|class| {
            std::array::from_fn(|slot| price(|counter| model.slot(counter, 2 + class, slot)))
        });
        let mut below_slot =
            |slot, distance| price(|counter| model.below_slot(counter, slot, distance));
        let near = std::array::from_fn(|number| below_slot(slot(number + 1), number + 1));
        let far = std::array::from_fn(|slot| match slot {
            0..FIRST_ALIGNED_SLOT => [0; 16],
            _ => std::array::from_fn(|low| below_slot(slot, low + 1)),
        });
        Prices { model, kinds, lengths, repeat_lengths, slots, near, far }
    }

    pub fn kind(&self, state: usize, kind: Kind) -> Price {
        let index = match kind {
            Kind::Literal => 0,
            Kind::Match => 1,
            Kind::Short => 2,
            Kind::Repeat(index) => 3 + index,
        };
        self.kinds[state][index]
    }

    /// Of the byte at `place`.
    pub fn literal(&mut self, image: &[u8], place: &Place) -> Price {
        price(|counter| self.model.literal(counter, image, place))
    }

    /// Of a match's length.
    pub fn length(&self, length: usize) -> Price {
        self.lengths[length]
    }

    pub fn repeat_length(&self, length: usize) -> Price {
        self.repeat_lengths[length]
    }

    /// Of the distance of a match of `length` bytes.
    pub fn distance(&self, length: usize, distance: usize) -> Price {
        let slot = slot(distance);
        let number = distance - 1;
        let below_slot = self.near.get(number).unwrap_or(&self.far[slot][number % 16]);
        self.slots[length_class(length)][slot] + below_slot
    }
}
