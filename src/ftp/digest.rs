//! MD5 (RFC 1321), SHA-1 and SHA-256 (FIPS 180-4) in little code: one buffer for the three, and rounds in
//! loops. The crates made for it unroll them, which takes 6 KB more of the kernel; the tests hold this to
//! their results.

/// Bytes of a block.
const BLOCK: usize = 64;

/// Which sum is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RFC 1321.
    Md5,
    /// FIPS 180-4, section 6.1.
    Sha1,
    /// FIPS 180-4, section 6.2.
    Sha256,
}

/// A sum that is being computed.
#[derive(Clone)]
pub struct Digest {
    kind: Kind,
    state: [u32; 8],
    block: [u8; BLOCK],
    /// Bytes so far; those of the last block, when it is not full, are in `block`.
    length: u64,
}

impl Digest {
    /// Of no bytes yet.
    pub const fn new(kind: Kind) -> Digest {
        let state = match kind {
            Kind::Md5 | Kind::Sha1 => {
                [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0, 0, 0, 0]
            }
            Kind::Sha256 => SHA256_START,
        };
        Digest { kind, state, block: [0; BLOCK], length: 0 }
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.push(byte);
        }
    }

    fn push(&mut self, byte: u8) {
        let at = self.length as usize % BLOCK;
        self.block[at] = byte;
        self.length = self.length.wrapping_add(1);
        if at == BLOCK - 1 {
            self.compress();
        }
    }

    /// The sum.
    pub fn finish(mut self) -> Sum {
        let bits = self.length.wrapping_mul(8);
        self.push(0x80);
        while self.length as usize % BLOCK != BLOCK - 8 {
            self.push(0);
        }
        let is_md5 = self.kind == Kind::Md5;
        self.update(&if is_md5 { bits.to_le_bytes() } else { bits.to_be_bytes() });
        let mut bytes = [0; 32];
        for (out, word) in bytes.chunks_exact_mut(4).zip(self.state) {
            out.copy_from_slice(&if is_md5 { word.to_le_bytes() } else { word.to_be_bytes() });
        }
        let len = match self.kind {
            Kind::Md5 => 16,
            Kind::Sha1 => 20,
            Kind::Sha256 => 32,
        };
        Sum { bytes, len }
    }

    fn compress(&mut self) {
        let mut words = [0; 16];
        for (word, bytes) in words.iter_mut().zip(self.block.as_chunks().0) {
            *word = match self.kind {
                Kind::Md5 => u32::from_le_bytes(*bytes),
                _ => u32::from_be_bytes(*bytes),
            };
        }
        let mut next = self.state;
        match self.kind {
            Kind::Md5 => md5(&mut next, &words),
            Kind::Sha1 => sha1(&mut next, &mut words),
            Kind::Sha256 => sha256(&mut next, &mut words),
        }
        for (word, next) in self.state.iter_mut().zip(next) {
            *word = word.wrapping_add(next);
        }
    }
}

/// A finished sum.
pub struct Sum {
    bytes: [u8; 32],
    len: usize,
}

impl AsRef<[u8]> for Sum {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

fn md5(state: &mut [u32; 8], words: &[u32; 16]) {
    static ROTATIONS: [u8; 16] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
    let [mut a, mut b, mut c, mut d, ..] = *state;
    for (at, &constant) in MD5.iter().enumerate() {
        let (mixed, word) = match at / 16 {
            0 => (d ^ b & (c ^ d), at),
            1 => (c ^ d & (b ^ c), 5 * at + 1),
            2 => (b ^ c ^ d, 3 * at + 5),
            _ => (c ^ (b | !d), 7 * at),
        };
        let sum = a.wrapping_add(mixed).wrapping_add(constant).wrapping_add(words[word % 16]);
        let by = u32::from(ROTATIONS[at / 16 * 4 + at % 4]);
        (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(by)));
    }
    (state[0], state[1], state[2], state[3]) = (a, b, c, d);
}

fn sha1(state: &mut [u32; 8], words: &mut [u32; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, ..] = *state;
    for at in 0..80 {
        if at >= 16 {
            let mixed = words[(at + 13) % 16] ^ words[(at + 8) % 16] ^ words[(at + 2) % 16];
            words[at % 16] = (words[at % 16] ^ mixed).rotate_left(1);
        }
        let (mixed, constant) = match at / 20 {
            0 => (d ^ b & (c ^ d), 0x5A82_7999),
            1 => (b ^ c ^ d, 0x6ED9_EBA1),
            2 => (b & c | d & (b | c), 0x8F1B_BCDC),
            _ => (b ^ c ^ d, 0xCA62_C1D6u32),
        };
        let sum = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e);
        let sum = sum.wrapping_add(constant).wrapping_add(words[at % 16]);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, sum);
    }
    (state[0], state[1], state[2], state[3], state[4]) = (a, b, c, d, e);
}

fn sha256(state: &mut [u32; 8], words: &mut [u32; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    let three = |word: u32, [x, y, z]: [u32; 3]| {
        word.rotate_right(x) ^ word.rotate_right(y) ^ word.rotate_right(z)
    };
    for (at, &constant) in SHA256.iter().enumerate() {
        if at >= 16 {
            let (old, new) = (words[(at + 1) % 16], words[(at + 14) % 16]);
            let old = old.rotate_right(7) ^ old.rotate_right(18) ^ old >> 3;
            let new = new.rotate_right(17) ^ new.rotate_right(19) ^ new >> 10;
            let sum = words[at % 16].wrapping_add(old).wrapping_add(words[(at + 9) % 16]);
            words[at % 16] = sum.wrapping_add(new);
        }
        let sum = h.wrapping_add(three(e, [6, 11, 25])).wrapping_add(g ^ e & (f ^ g));
        let sum = sum.wrapping_add(constant).wrapping_add(words[at % 16]);
        let second = three(a, [2, 13, 22]).wrapping_add(a & b | c & (a | b));
        (h, g, f, e) = (g, f, e, d.wrapping_add(sum));
        (d, c, b, a) = (c, b, a, sum.wrapping_add(second));
    }
    *state = [a, b, c, d, e, f, g, h];
}

/// The sines of 1 to 64, times 2^32 (RFC 1321 section 3.4).
static MD5: [u32; 64] = [
    0xD76A_A478,
    0xE8C7_B756,
    0x2420_70DB,
    0xC1BD_CEEE,
    0xF57C_0FAF,
    0x4787_C62A,
    0xA830_4613,
    0xFD46_9501,
    0x6980_98D8,
    0x8B44_F7AF,
    0xFFFF_5BB1,
    0x895C_D7BE,
    0x6B90_1122,
    0xFD98_7193,
    0xA679_438E,
    0x49B4_0821,
    0xF61E_2562,
    0xC040_B340,
    0x265E_5A51,
    0xE9B6_C7AA,
    0xD62F_105D,
    0x0244_1453,
    0xD8A1_E681,
    0xE7D3_FBC8,
    0x21E1_CDE6,
    0xC337_07D6,
    0xF4D5_0D87,
    0x455A_14ED,
    0xA9E3_E905,
    0xFCEF_A3F8,
    0x676F_02D9,
    0x8D2A_4C8A,
    0xFFFA_3942,
    0x8771_F681,
    0x6D9D_6122,
    0xFDE5_380C,
    0xA4BE_EA44,
    0x4BDE_CFA9,
    0xF6BB_4B60,
    0xBEBF_BC70,
    0x289B_7EC6,
    0xEAA1_27FA,
    0xD4EF_3085,
    0x0488_1D05,
    0xD9D4_D039,
    0xE6DB_99E5,
    0x1FA2_7CF8,
    0xC4AC_5665,
    0xF429_2244,
    0x432A_FF97,
    0xAB94_23A7,
    0xFC93_A039,
    0x655B_59C3,
    0x8F0C_CC92,
    0xFFEF_F47D,
    0x8584_5DD1,
    0x6FA8_7E4F,
    0xFE2C_E6E0,
    0xA301_4314,
    0x4E08_11A1,
    0xF753_7E82,
    0xBD3A_F235,
    0x2AD7_D2BB,
    0xEB86_D391,
];

/// The square roots of the first 8 primes: 32 bits behind the point (FIPS 180-4 section 5.3.3).
const SHA256_START: [u32; 8] = [
    0x6A09_E667,
    0xBB67_AE85,
    0x3C6E_F372,
    0xA54F_F53A,
    0x510E_527F,
    0x9B05_688C,
    0x1F83_D9AB,
    0x5BE0_CD19,
];

/// The cube roots of the first 64 primes: 32 bits behind the point (FIPS 180-4 section 4.2.2).
static SHA256: [u32; 64] = [
    0x428A_2F98,
    0x7137_4491,
    0xB5C0_FBCF,
    0xE9B5_DBA5,
    0x3956_C25B,
    0x59F1_11F1,
    0x923F_82A4,
    0xAB1C_5ED5,
    0xD807_AA98,
    0x1283_5B01,
    0x2431_85BE,
    0x550C_7DC3,
    0x72BE_5D74,
    0x80DE_B1FE,
    0x9BDC_06A7,
    0xC19B_F174,
    0xE49B_69C1,
    0xEFBE_4786,
    0x0FC1_9DC6,
    0x240C_A1CC,
    0x2DE9_2C6F,
    0x4A74_84AA,
    0x5CB0_A9DC,
    0x76F9_88DA,
    0x983E_5152,
    0xA831_C66D,
    0xB003_27C8,
    0xBF59_7FC7,
    0xC6E0_0BF3,
    0xD5A7_9147,
    0x06CA_6351,
    0x1429_2967,
    0x27B7_0A85,
    0x2E1B_2138,
    0x4D2C_6DFC,
    0x5338_0D13,
    0x650A_7354,
    0x766A_0ABB,
    0x81C2_C92E,
    0x9272_2C85,
    0xA2BF_E8A1,
    0xA81A_664B,
    0xC24B_8B70,
    0xC76C_51A3,
    0xD192_E819,
    0xD699_0624,
    0xF40E_3585,
    0x106A_A070,
    0x19A4_C116,
    0x1E37_6C08,
    0x2748_774C,
    0x34B0_BCB5,
    0x391C_0CB3,
    0x4ED8_AA4A,
    0x5B9C_CA4F,
    0x682E_6FF3,
    0x748F_82EE,
    0x78A5_636F,
    0x84C8_7814,
    0x8CC7_0208,
    0x90BE_FFFA,
    0xA450_6CEB,
    0xBEF9_A3F7,
    0xC671_78F2,
];

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use sha2::Digest as _;

    use super::*;

    /// Around the ends of blocks, in pieces of many sizes.
    #[test]
    fn sums_are_those_of_the_crates() {
        let bytes: Vec<u8> = (0..700u32).map(|at| ((at * 37) >> 3) as u8).collect();
        for len in (0..200).chain([512, 700]) {
            let bytes = &bytes[..len];
            let of = |kind| {
                let mut digest = Digest::new(kind);
                for piece in bytes.chunks(len % 67 + 1) {
                    digest.update(piece);
                }
                digest.finish()
            };
            assert_eq!(of(Kind::Md5).as_ref(), &md5::Md5::digest(bytes)[..], "{len}");
            assert_eq!(of(Kind::Sha1).as_ref(), &sha1::Sha1::digest(bytes)[..], "{len}");
            assert_eq!(of(Kind::Sha256).as_ref(), &sha2::Sha256::digest(bytes)[..], "{len}");
        }
    }
}
