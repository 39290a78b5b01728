//! Packs the kernel for its file. src/metal/unpack.s is the other side: what is done here and there must
//! stay the same.
//!
//! LZMA, whose unpacker is small and which brings code to half its size, by the crate lzma-rust2. Before it
//! the code is sorted ([`crate::sort`]), which saves another tenth.

use std::io::Write;

use anyhow::Result;
use lzma_rust2::{LzmaOptions, LzmaWriter};

use crate::sort;

/// `code` and `data`, packed: sorted code with its table, which comes out at the address `start`, and data.
///
/// # Errors
/// What the packer says; code that ends within an instruction.
pub fn pack(code: &[u8], data: &[u8], start: u32) -> Result<Vec<u8>> {
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options(), false)?;
    writer.write_all(&sort::sorted(code, start)?)?;
    writer.write_all(data)?;
    Ok(writer.finish()?)
}

/// unpack.s knows no other.
fn options() -> LzmaOptions {
    LzmaOptions {
        lc: 2,
        lp: 0,
        pb: 0,
        nice_len: LzmaOptions::NICE_LEN_MAX,
        ..LzmaOptions::with_preset(9)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use lzma_rust2::LzmaReader;

    use super::*;

    #[test]
    fn what_was_packed_comes_out_as_it_was() {
        let (code, data) = ([0x90; 1000], b"constants");
        let packed = pack(&code, data, 0xA000).expect("packed");
        assert_eq!(packed[0], 0, "unpack.s skips the first byte");
        let expected = [sort::sorted(&code, 0xA000).expect("sorted"), data.to_vec()].concat();
        let mut image = vec![0; expected.len()];
        LzmaReader::new(&*packed, image.len() as u64, 2, 0, 0, 1 << 20, None)
            .and_then(|mut reader| reader.read_exact(&mut image))
            .expect("what LZMA packed");
        assert!(image == expected);
    }
}
