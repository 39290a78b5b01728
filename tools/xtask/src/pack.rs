//! Packs the kernel for its file. src/metal/unpack.s is the other side: what is done here and there must
//! stay the same.
//!
//! The code is sorted ([`crate::sort`]) and packed by LZMA, which brings it to half its size, with contexts of
//! our own for literals: what a byte is in an instruction says more about it than the byte before does.
//!
//! With those, symbols cost something else than LZMA's packers reckon with, so what to copy and from where is
//! found here too ([`parse`]): as is cheapest by what all cost when the image was packed before. The first
//! time nothing is copied.

mod encoder;
mod matches;
mod model;
mod parse;
mod prices;
#[cfg(test)]
mod unpacker;

use anyhow::Result;

use crate::sort;
pub use crate::sort::Piece;
use encoder::Encoder;
use model::{Model, Place, Symbol};

/// So often an image is packed. After 25 times, archives are less than 0.1 % smaller still.
const ROUNDS: usize = 10;

/// An archive of `data` and `code`, either of which may be empty. The image that comes out of it is the data and
/// what [`sort::sorted`] makes of the code.
///
/// # Errors
/// Code that ends within an instruction.
pub fn pack(data: &[u8], code: &[Piece]) -> Result<Vec<u8>> {
    let sorted = sort::sorted(code)?;
    let image = [data, &sorted].concat();
    let contexts = [vec![sort::OUTSIDE; data.len()], sort::contexts(&sorted)].concat();
    let matches = matches::find(&image);
    let mut attempt = encode(&vec![Symbol::Literal; image.len()], &image, &contexts);
    let mut smallest = attempt.packed.clone();
    for _ in 1..ROUNDS {
        let symbols = parse::parse(&image, &matches, &attempt.models);
        attempt = encode(&symbols, &image, &contexts);
        if attempt.packed.len() < smallest.len() {
            smallest.clone_from(&attempt.packed);
        }
    }
    Ok(smallest)
}

struct Attempt<'c> {
    packed: Vec<u8>,
    /// At the beginning of each piece of the image of [`parse::PIECE`] bytes.
    models: Vec<Model<'c>>,
}

/// The archive of `symbols`, of which `image` consists.
fn encode<'c>(symbols: &[Symbol], image: &[u8], contexts: &'c [u8]) -> Attempt<'c> {
    let mut model = Model::new(contexts);
    let mut models = Vec::new();
    let mut encoder = Encoder::new();
    let mut place = Place::START;
    for symbol in symbols {
        while models.len() * parse::PIECE <= place.at {
            models.push(model.clone());
        }
        model.code(&mut encoder, image, &place, *symbol);
        place = place.after(*symbol);
    }
    Attempt { packed: encoder.finish(), models }
}

#[cfg(test)]
mod tests {
    use super::{unpacker::unpack, *};

    /// Instructions, most of them like some before, and what is like nothing.
    fn code() -> Vec<u8> {
        let mut state = 1u32;
        let mut code: Vec<u8> = Vec::new();
        while code.len() < 30_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c, d] = state.to_be_bytes();
            match a % 8 {
                0 => code.extend([0x0F, 0xB6, b, c, d]),
                1 => code.extend([0x8B, 0x44, 0x24, b & 0x1C]),
                2 => code.extend([0x83, 0xC0 | b, c]),
                3 => code.extend([0xE8, b, 0, 0, 0, 0x85, 0xC0, 0x74, c]),
                4 => code.extend([0x66, 0x89, 0x45, b & 7]),
                5 => code.extend([b, c, d]),
                _ if code.len() > 4000 => {
                    let from = code.len() - 300 - usize::from(b) * 13;
                    code.extend_from_within(from..from + usize::from(c) + 2);
                }
                _ => code.push(0x90),
            }
        }
        // However an instruction began, it ends here.
        code.extend([0x90; 16]);
        code
    }

    #[test]
    fn what_was_packed_comes_out_as_it_was() {
        let code = code();
        // Long ones, far ones, and such as never were.
        let data = [&code[..2000], &[0; 1000], b"constants", &code[20_000..]].concat();
        for (code, data) in [(&code[..], &data[..]), (&[], &data), (&code, &[]), (&[], &[])] {
            let pieces = [Piece { code, offset: 0 }, Piece { code, offset: 0x8000 }];
            let packed = pack(data, &pieces).expect("packed");
            assert_eq!(packed[0], 0, "unpack.s skips the first byte");
            let expected = [data.to_vec(), sort::sorted(&pieces).expect("sorted")].concat();
            let image = unpack(&packed, expected.len(), data.len());
            assert!(image == expected, "{} {}", code.len(), data.len());
            assert!(packed.len() < expected.len());
        }
    }

    #[test]
    fn every_sort_of_symbol_comes_out() {
        use Symbol::{Literal, Match, Repeat, Short};
        // The table of code that begins with many opcodes.
        let sorted = sort::sorted(&[Piece { code: &[0x90; 300_000], offset: 0 }]).expect("sorted");
        let table = &sorted[..1248];
        let mut symbols = vec![Literal; table.len()];
        for seed in 0..4000_usize {
            let far = 1 + seed * seed % (1000 + 50 * seed);
            symbols.extend([
                Literal,
                Repeat { index: seed % 4, length: 2 + seed % 272 },
                Short,
                Literal,
                Match { distance: far, length: 2 + seed * 7 % 20 },
                Match { distance: 1 + seed % 130, length: 2 + seed % 5 },
                Literal,
                Short,
            ]);
        }
        let mut image = Vec::new();
        let mut place = Place::START;
        for symbol in &symbols {
            for _ in 0..symbol.length() {
                let at = image.len();
                image.push(match (*symbol, table.get(at)) {
                    (_, Some(byte)) => *byte,
                    (Literal, None) => (at * at % 251) as u8,
                    (Match { distance, .. }, None) => image[at - distance],
                    (Repeat { index, .. }, None) => image[at - place.distances[index]],
                    (Short, None) => image[at - place.distances[0]],
                });
            }
            place = place.after(*symbol);
        }
        assert!(image.len() > 301_248, "beyond the opcodes");
        let packed = encode(&symbols, &image, &sort::contexts(&image)).packed;
        assert!(unpack(&packed, image.len(), 0) == image);
    }
}
