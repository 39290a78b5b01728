//! Finds the symbols of which an image is made at the lowest price.
//!
//! Which symbols are cheap depends on the probabilities, and these on the symbols before. So prices are those
//! of the image as it was packed before, piece by piece.

use super::{
    matches::{Match, common},
    model::{Kind, LENGTHS, Model, Place, Symbol},
    prices::{BIT, Price, Prices},
};

/// So many bytes of the image have the same prices. With 256, archives are 0.1 % larger.
pub const PIECE: usize = 64;
/// And those are prices as they were so many pieces on, as what is used here becomes cheaper by that. With
/// those of the piece's own beginning, archives are 0.2 % larger.
const AHEAD: usize = 2;
/// So many ways to each place are kept, as a dearer one may have distances that pay later. With one alone,
/// archives are 1 % larger; with eight, 0.1 % smaller, in twice the time.
const WAYS: usize = 4;

/// Ways that cost so much more than the cheapest are given up.
const MARGIN: Price = 8 * BIT;

/// The symbols of `image`, by its `matches` and by models at the beginnings of its pieces of [`PIECE`] bytes.
pub fn parse(image: &[u8], matches: &[Vec<Match>], models: &[Model]) -> Vec<Symbol> {
    let mut ways = Ways::new(image.len());
    for (piece, matches) in matches.chunks(PIECE).enumerate() {
        let Some(model) = models.get(piece + AHEAD).or(models.last()) else {
            break;
        };
        let mut prices = Prices::new(model.clone());
        for (at, matches) in (piece * PIECE..).zip(matches) {
            ways.go_on(at, image, matches, &mut prices);
        }
    }
    ways.cheapest()
}

/// A way to a place of the image.
struct Way {
    price: Price,
    place: Place,
    /// Its last symbol, and which of the ways to where that begins it goes on.
    last: Symbol,
    from: usize,
}

/// To each place of the image and to its end, the cheapest first.
struct Ways(Vec<Vec<Way>>);

impl Ways {
    fn new(len: usize) -> Ways {
        let start = Way { price: 0, place: Place::START, last: Symbol::Literal, from: 0 };
        let mut ways = vec![vec![start]];
        ways.resize_with(len + 1, Vec::new);
        Ways(ways)
    }

    /// Adds all ways that go on from those to `at` with one symbol.
    fn go_on(&mut self, at: usize, image: &[u8], matches: &[Match], prices: &mut Prices) {
        let matches = cheapest(matches, prices);
        let here = std::mem::take(&mut self.0[at]);
        let limit = here.first().map_or(0, |way| way.price) + MARGIN;
        for (from, way) in here.iter().enumerate().take_while(|(_, way)| way.price < limit) {
            let mut add = |price, symbol| self.add(way, from, price, symbol);
            let kind = |kind| prices.kind(way.place.state, kind);
            for (price, symbol) in &matches {
                add(kind(Kind::Match) + price, *symbol);
            }
            for (index, distance) in way.place.distances.into_iter().enumerate() {
                let longest = at.checked_sub(distance).map_or(0, |from| common(image, from, at));
                if index == 0 && longest > 0 {
                    add(kind(Kind::Short), Symbol::Short);
                }
                let kind = kind(Kind::Repeat(index));
                for length in *LENGTHS.start()..=longest {
                    add(kind + prices.repeat_length(length), Symbol::Repeat { index, length });
                }
            }
            let kind = kind(Kind::Literal);
            add(kind + prices.literal(image, &way.place), Symbol::Literal);
        }
        self.0[at] = here;
    }

    /// Adds `way`, which is number `from` of those to where it leads, with `symbol` behind it for `price`; if
    /// it is among the cheapest.
    fn add(&mut self, way: &Way, from: usize, price: Price, symbol: Symbol) {
        let price = way.price + price;
        let ways = &mut self.0[way.place.at + symbol.length()];
        if ways.get(WAYS - 1).is_some_and(|dearest| dearest.price <= price) {
            return;
        }
        let place = way.place.after(symbol);
        // All goes on alike from the same place.
        if let Some(same) = ways.iter().position(|other| other.place == place) {
            if ways[same].price <= price {
                return;
            }
            ways.remove(same);
        }
        ways.truncate(WAYS - 1);
        let index = ways.partition_point(|other| other.price <= price);
        ways.insert(index, Way { price, place, last: symbol, from });
    }

    /// The symbols of the cheapest way to the end.
    fn cheapest(&self) -> Vec<Symbol> {
        let mut symbols = Vec::new();
        let (mut at, mut index) = (self.0.len() - 1, 0);
        while at > 0 {
            let way = &self.0[at][index];
            symbols.push(way.last);
            at -= way.last.length();
            index = way.from;
        }
        symbols.reverse();
        symbols
    }
}

/// The cheapest match of each length, and its price without its kind's.
fn cheapest(matches: &[Match], prices: &Prices) -> Vec<(Price, Symbol)> {
    let longest = matches.last().map_or(1, |last| last.length);
    let mut cheapest = Vec::with_capacity(longest);
    for length in *LENGTHS.start()..=longest {
        let fitting = matches.iter().filter(|found| found.length >= length);
        let prices = fitting.map(|found| {
            let price = prices.length(length) + prices.distance(length, found.distance);
            (price, found.distance)
        });
        let found = prices.min();
        cheapest.extend(found.map(|(price, distance)| (price, Symbol::Match { distance, length })));
    }
    cheapest
}
