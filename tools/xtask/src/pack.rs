//! Packs the kernel for its file. src/metal/unpack.s is the other side: what is done here and there must
//! stay the same.
//!
//! LZMA, whose unpacker is small and which brings code to half its size, by the crate lzma-rust2. Before it,
//! targets of branches become absolute: calls of one function then look alike wherever they are.

use std::io::Write;

use anyhow::{Context, Result};
use lzma_rust2::{LzmaOptions, LzmaWriter};

/// `image` packed, whose first `code` bytes are the code.
///
/// # Errors
/// What the packer says.
pub fn pack(image: &[u8], code: usize) -> Result<Vec<u8>> {
    let mut image = image.to_vec();
    make_targets_absolute(image.get_mut(..code).context("less than its code")?);
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options(), false)?;
    writer.write_all(&image)?;
    Ok(writer.finish()?)
}

/// unpack.s knows no other.
fn options() -> LzmaOptions {
    LzmaOptions {
        lc: 3,
        lp: 0,
        pb: 0,
        nice_len: LzmaOptions::NICE_LEN_MAX,
        ..LzmaOptions::with_preset(9)
    }
}

/// A branch with a displacement of 32 bits ends with `byte`, which follows `before`: E8h (call), E9h
/// (jump), 0Fh 80h to 0Fh 8Fh (conditional jumps).
fn is_branch(before: u8, byte: u8) -> bool {
    byte & 0xFE == 0xE8 || before == 0x0F && byte & 0xF0 == 0x80
}

/// Replaces displacements by offsets from the code's start, highest byte first. What is no branch but
/// looks like one is changed too, in a way that can be told from its result: a displacement that leads
/// out of the code stays, and those whose place is taken wrap around.
fn make_targets_absolute(code: &mut [u8]) {
    each_target(code, |displacement, end, size| {
        if !(-end..size).contains(&displacement) {
            displacement
        } else if displacement < size - end {
            displacement + end
        } else {
            displacement - size
        }
    });
}

/// Calls `change(displacement, offset of the instruction's end, bytes of code)` for each branch; the result
/// is stored with its bytes reversed.
fn each_target(code: &mut [u8], change: impl Fn(i32, i32, i32) -> i32) {
    let size = code.len() as i32;
    let (mut before, mut at) = (0, 0);
    while at + 5 < code.len() {
        let byte = code[at];
        at += 1;
        if is_branch(before, byte)
            && let Some(field) = code[at..].first_chunk_mut()
        {
            at += 4;
            *field = change(i32::from_le_bytes(*field), at as i32, size).to_be_bytes();
            before = 0;
        } else {
            before = byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use lzma_rust2::LzmaReader;

    use super::*;

    /// What unpack.s does.
    fn unpack(packed: &[u8], len: usize, code: usize) -> Vec<u8> {
        let mut image = vec![0; len];
        LzmaReader::new(packed, len as u64, 3, 0, 0, 1 << 20, None)
            .and_then(|mut reader| reader.read_exact(&mut image))
            .expect("what LZMA packed");
        each_target(&mut image[..code], |stored, end, size| {
            let stored = stored.swap_bytes();
            let displacement = if stored >= size {
                stored
            } else if stored >= 0 {
                stored - end
            } else if stored + end >= 0 {
                stored + size
            } else {
                stored
            };
            displacement.swap_bytes()
        });
        image
    }

    /// Bytes among which every sort of displacement follows what looks like a branch.
    fn sample(len: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut sample = Vec::new();
        while sample.len() < len {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let displacement = match state >> 28 {
                0..8 => (state & 0xFFFF) as i32 - 0x8000,
                8..12 => (state % (2 * len as u32)) as i32 - len as i32,
                _ => state as i32,
            };
            let opcode: &[u8] = [&[0xE8][..], &[0xE9], &[0x0F, 0x84], &[0x0F], &[0x90, 0x0F]]
                [(state >> 16) as usize % 5];
            sample.extend(opcode);
            sample.extend(displacement.to_le_bytes());
        }
        sample.truncate(len);
        sample
    }

    #[test]
    fn what_was_packed_comes_out_as_it_was() {
        for (len, code) in [(100_000, 90_000), (40_001, 40_001), (300, 4), (7, 7), (16, 0)] {
            let image = sample(len);
            let packed = pack(&image, code).expect("packed");
            assert_eq!(packed[0], 0, "unpack.s skips the first byte");
            assert!(unpack(&packed, len, code) == image, "{len} {code}");
        }
    }

    #[test]
    fn calls_of_one_function_become_alike() {
        let mut code = [0x90; 64];
        for at in [3usize, 20, 41] {
            code[at] = 0xE8;
            code[at + 1..at + 5].copy_from_slice(&(33 - (at as i32 + 5)).to_le_bytes());
        }
        make_targets_absolute(&mut code);
        for at in [3, 20, 41] {
            assert_eq!(code[at + 1..at + 5], [0, 0, 0, 33]);
        }
    }
}
