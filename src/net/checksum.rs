//! The Internet checksum (RFC 1071), written so that a 386 spends about 0.3 instructions a byte.
//!
//! Calls nothing. Sums are kept in the byte order of memory (RFC 1071 section 2 (B)): words are read
//! little-endian, and a finished checksum is stored little-endian, whatever the CPU is.

/// Bytes in one turn of the unrolled loop, a fifth of a full segment's data: LLVM makes one `add` and 72
/// `adc` of it.
const TURN: usize = 292;
/// Bytes of a smaller one.
const PIECE: usize = 16;
/// Bytes of an IPv4 header, and of a TCP header, without options.
pub const HEADER: usize = 20;

/// `a + b + carry` and the carry out of it; a chain of these becomes a chain of `adc`.
#[inline(always)]
fn add_with_carry(a: u32, b: u32, carry: bool) -> (u32, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(carry as u32);
    (sum, first | second)
}

/// Adds `N` words. Written out, because at opt-level "s" LLVM keeps a loop, and the carry does not survive
/// a loop's end in the CPU's carry flag.
macro_rules! adder {
    ($name:ident, $bytes:expr, $($index:literal)*) => {
        #[inline(always)]
        fn $name(mut sum: u32, data: &[u8; $bytes]) -> u32 {
            let mut carry = false;
            let (words, _) = data.as_chunks::<4>();
            $((sum, carry) = add_with_carry(sum, u32::from_le_bytes(words[$index]), carry);)*
            end_around(sum, carry)
        }
    };
}
adder!(add_turn, TURN, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72);
adder!(add_piece, PIECE, 0 1 2 3);
adder!(add_five, HEADER, 0 1 2 3 4);
adder!(add_addresses, 8, 0 1);

/// Adds `data`, padded with a zero byte to a whole word, to the one's complement sum `sum`.
///
/// Every piece of a sum but the last must have an even length.
pub fn add(mut sum: u32, data: &[u8]) -> u32 {
    let (turns, rest) = data.as_chunks::<TURN>();
    for turn in turns {
        sum = add_turn(sum, turn);
    }
    let (pieces, rest) = rest.as_chunks::<PIECE>();
    for piece in pieces {
        sum = add_piece(sum, piece);
    }
    let (words, tail) = rest.as_chunks::<4>();
    for word in words {
        let (next, carry) = sum.overflowing_add(u32::from_le_bytes(*word));
        sum = end_around(next, carry);
    }
    if tail.is_empty() {
        return sum;
    }
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    let (next, carry) = sum.overflowing_add(u32::from_le_bytes(last));
    end_around(next, carry)
}

/// As [`add`], a header without options.
pub fn add_header(sum: u32, header: &[u8; HEADER]) -> u32 {
    add_five(sum, header)
}

/// Adds a carry back in. A sum of two words that carried, and of a carry with them, is at most 2^32 - 2, and
/// in a chain of them as well; so this cannot carry again.
#[inline(always)]
fn end_around(sum: u32, carry: bool) -> u32 {
    sum + carry as u32
}

/// The sum as 16 bits.
pub fn fold(sum: u32) -> u16 {
    let sum = (sum >> 16) + (sum & 0xffff);
    ((sum >> 16) + (sum & 0xffff)) as u16
}

/// The sum of a TCP segment, which is `header` and `rest`, and its pseudo-header (RFC 9293 section 3.1), folded:
/// 0xffff when the segment carries its right checksum. `ip` is the packet's header, as far as it has no
/// options.
pub fn tcp(ip: &[u8; HEADER], header: &[u8; HEADER], rest: &[u8]) -> u16 {
    let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *ip;
    let [high, low] = ((HEADER + rest.len()) as u16).to_be_bytes();
    let sum = u32::from_le_bytes([0, 6, high, low]);
    let sum = add_header(add_addresses(sum, &[s0, s1, s2, s3, d0, d1, d2, d3]), header);
    fold(if rest.is_empty() { sum } else { add(sum, rest) })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// RFC 1071 section 4.1, as it is printed: 16-bit words in network order.
    fn by_the_book(data: &[u8]) -> u16 {
        let mut sum = 0u64;
        for pair in data.chunks(2) {
            sum += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
        }
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        sum as u16
    }

    #[test]
    fn equals_the_book_for_every_length_and_alignment() {
        let mut state = 1u32;
        let bytes: Vec<u8> = (0..2048)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        for start in 0..5 {
            for end in start..bytes.len() - 500 {
                let data = &bytes[start..end];
                assert_eq!(fold(add(0, data)).swap_bytes(), by_the_book(data), "{start}..{end}");
            }
        }
    }

    #[test]
    fn carries_are_never_lost() {
        for length in 0..300 {
            let data = std::vec![0xff; length];
            let sum = fold(add(0xffff_ffff, &data));
            assert_eq!(fold(add(sum.into(), &data)) == 0, by_the_book(&data) == 0 && sum == 0);
            assert_eq!(by_the_book(&data), fold(add(0, &data)).swap_bytes());
        }
    }

    #[test]
    fn a_known_segment_verifies_and_a_changed_one_does_not() {
        // A SYN from 192.168.69.1:1024 to .100:80, its checksum computed by hand from the RFC's rule.
        let mut segment = [0u8; 24];
        segment[..4].copy_from_slice(&[4, 0, 0, 80]);
        segment[12..16].copy_from_slice(&[0x60, 2, 0x10, 0]);
        segment[20..24].copy_from_slice(&[2, 4, 5, 0xb4]);
        let mut ip = [0; 20];
        ip[12..].copy_from_slice(&[192, 168, 69, 1, 192, 168, 69, 100]);
        let tcp = |segment: &[u8; 24]| {
            let (header, options) = segment.split_first_chunk().expect("20 bytes");
            super::tcp(&ip, header, options)
        };
        let sum = !tcp(&segment);
        segment[16..18].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(tcp(&segment), 0xffff);
        segment[15] ^= 1;
        assert_ne!(tcp(&segment), 0xffff);
    }
}
