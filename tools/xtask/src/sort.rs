//! Sorts the kernel's code before it is packed: what is alike in instructions (opcodes, displacements, targets
//! of calls) packs better side by side. src/metal/unpack.s puts it together again.
//!
//! Each sort of bytes makes a stream. An instruction's opcode says which streams the bytes behind it are in.
//! Numbers of 32 bits are stored with the highest byte first, and targets of jumps and calls as offsets from
//! the code's start, so that those of one function are the same wherever they are.

use anyhow::{Context, Result, ensure};

/// What belongs to an opcode, in the order in which it follows.
mod class {
    /// A byte that names registers, or an address in memory with what belongs to that.
    pub const OPERAND: u8 = 0x01;
    /// An address of 32 bits.
    pub const ADDRESS: u8 = 0x02;
    /// A number of 8 bits.
    pub const SHORT: u8 = 0x04;
    /// A number of 16 bits.
    pub const HALF: u8 = 0x08;
    /// A number of 32 bits, or of 16 behind [`super::SIZE_PREFIX`].
    pub const LONG: u8 = 0x10;
    /// A jump's displacement of 8 bits.
    pub const NEAR: u8 = 0x20;
    /// A jump's displacement of 32 bits.
    pub const JUMP: u8 = 0x40;
    /// A call's.
    pub const CALL: u8 = 0x80;
}

/// Makes numbers of 32 bits ones of 16.
const SIZE_PREFIX: u8 = 0x66;
/// The opcode's second byte follows.
const TWO_BYTES: u8 = 0x0F;
/// This and the next one are TEST, NOT, NEG, MUL and more: of these TEST alone has a number, and 0 or 1 in
/// its operand byte's bits 3 to 5.
const TEST: u8 = 0xF6;
/// An operand's second byte that names the stack pointer alone.
const STACK: u8 = 0x24;

/// Streams, in this order. Opcodes with prefixes and operands' first bytes.
const OPCODES: usize = 0;
/// Operands' second bytes: index and base register.
const INDEXES: usize = 1;
/// Displacements of 8 bits.
const SMALL: usize = 2;
/// Displacements of 8 bits from the stack pointer.
const ON_STACK: usize = 3;
const SHORTS: usize = 4;
const HALVES: usize = 5;
const NEARS: usize = 6;
/// With displacements of 32 bits.
const ADDRESSES: usize = 7;
const LONGS: usize = 8;
const JUMPS: usize = 9;
const CALLS: usize = 10;
const STREAMS: usize = 11;

/// The class of each opcode, and of each behind [`TWO_BYTES`] (Intel 80386 Programmer's Reference Manual,
/// appendix A). What is rare in a kernel, and prefixes, count as bytes by themselves: what follows them is
/// taken for an instruction then, here and there alike.
fn classes() -> [u8; 512] {
    use class::*;
    let mut classes = [0; 512];
    for (opcode, class) in classes.iter_mut().enumerate() {
        *class = match opcode {
            0x0F | 0x26 | 0x2E | 0x36 | 0x3E => 0,
            // ADD, OR, ADC, SBB, AND, SUB, XOR, CMP
            0x00..=0x3F => match opcode & 7 {
                0..=3 => OPERAND,
                4 => SHORT,
                5 => LONG,
                _ => 0,
            },
            0x84..=0x8F | 0xD0..=0xD3 | 0xFE | 0xFF => OPERAND,
            0x69 | 0x81 | 0xC7 | 0xF7 => OPERAND | LONG,
            0x6B | 0x80 | 0x83 | 0xC0 | 0xC1 | 0xC6 | 0xF6 => OPERAND | SHORT,
            0x68 | 0xA9 | 0xB8..=0xBF => LONG,
            0x6A | 0xA8 | 0xB0..=0xB7 | 0xCD | 0xE4..=0xE7 => SHORT,
            0xA0..=0xA3 => ADDRESS,
            0xC2 => HALF,
            0x70..=0x7F | 0xE0..=0xE3 | 0xEB => NEAR,
            0xE8 => CALL,
            0xE9 | 0x180..=0x18F => JUMP,
            // SHLD, SHRD; BT and the like
            0x1A4 | 0x1AC | 0x1BA => OPERAND | SHORT,
            // LGDT and the like, control registers, SETcc, MOVZX and the like
            0x100..=0x103 | 0x120..=0x123 | 0x190..=0x19F | 0x1A3..=0x1BF => OPERAND,
            _ => 0,
        };
    }
    classes
}

/// `code` as unpack.s finds it at the address `start`: the streams, and behind them the table: classes, each
/// stream's address, and each one's end.
///
/// # Errors
/// The last instruction must be whole.
pub fn sorted(code: &[u8], start: u32) -> Result<Vec<u8>> {
    let classes = classes();
    let mut sorter = Sorter { code, at: 0, streams: Default::default() };
    while sorter.at < code.len() {
        sorter.instruction(&classes).context("code that ends within an instruction")?;
    }
    let mut sorted = sorter.streams.concat();
    ensure!(sorted.len() == code.len(), "code that was not sorted whole");
    sorted.extend(classes);
    let mut address = start;
    let mut ends = Vec::new();
    for stream in &sorter.streams {
        sorted.extend(address.to_le_bytes());
        address += stream.len() as u32;
        ends.extend(address.to_le_bytes());
    }
    sorted.extend(ends);
    Ok(sorted)
}

struct Sorter<'c> {
    code: &'c [u8],
    at: usize,
    streams: [Vec<u8>; STREAMS],
}

impl Sorter<'_> {
    /// Sorts the next one in. `None` where the code ends too early.
    fn instruction(&mut self, classes: &[u8; 512]) -> Option<()> {
        let mut opcode = usize::from(self.byte(OPCODES)?);
        let is_short = opcode == usize::from(SIZE_PREFIX);
        if is_short {
            opcode = usize::from(self.byte(OPCODES)?);
        }
        if opcode == usize::from(TWO_BYTES) {
            opcode = 0x100 | usize::from(self.byte(OPCODES)?);
        }
        let mut class = classes[opcode];
        if class & class::OPERAND != 0 {
            let operand = self.byte(OPCODES)?;
            if opcode & !1 == usize::from(TEST) && operand & 0x30 != 0 {
                class = class::OPERAND;
            }
            self.displacement(operand)?;
        }
        let has = |bit| class & bit != 0;
        if has(class::ADDRESS) {
            self.long(ADDRESSES, false)?;
        }
        if has(class::SHORT) {
            self.byte(SHORTS)?;
        }
        if has(class::HALF) || has(class::LONG) && is_short {
            self.byte(HALVES)?;
            self.byte(HALVES)?;
        } else if has(class::LONG) {
            self.long(LONGS, false)?;
        }
        if has(class::NEAR) {
            self.byte(NEARS)?;
        }
        if has(class::JUMP) {
            self.long(JUMPS, true)?;
        }
        if has(class::CALL) {
            self.long(CALLS, true)?;
        }
        Some(())
    }

    /// What an operand's first byte is followed by.
    fn displacement(&mut self, operand: u8) -> Option<()> {
        let mode = operand >> 6;
        let mut base = operand & 7;
        if mode == 3 {
            return Some(());
        }
        if base == 4 {
            base = self.byte(INDEXES)?;
        }
        match mode {
            1 => self.byte(if base == STACK { ON_STACK } else { SMALL }).map(drop),
            2 => self.long(ADDRESSES, false),
            _ if base & 7 == 5 => self.long(ADDRESSES, false),
            _ => Some(()),
        }
    }

    fn byte(&mut self, stream: usize) -> Option<u8> {
        let byte = *self.code.get(self.at)?;
        self.at += 1;
        self.streams[stream].push(byte);
        Some(byte)
    }

    fn long(&mut self, stream: usize, is_target: bool) -> Option<()> {
        let number = u32::from_le_bytes(*self.code.get(self.at..)?.first_chunk()?);
        self.at += 4;
        let from = if is_target { self.at as u32 } else { 0 };
        self.streams[stream].extend(number.wrapping_add(from).to_be_bytes());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u32 = 0x4_4000;

    /// What unpack.s does.
    fn put_together(sorted: &[u8], len: usize) -> Vec<u8> {
        let (classes, addresses) = sorted[len..].split_at(512);
        let mut places: Vec<usize> = addresses[..4 * STREAMS]
            .chunks_exact(4)
            .map(|bytes| u32::from_le_bytes(bytes.try_into().expect("4 bytes")) - START)
            .map(|place| place as usize)
            .collect();
        let mut code = Vec::new();
        while code.len() < len {
            let mut byte = |code: &mut Vec<u8>, stream: usize| {
                let byte = sorted[places[stream]];
                places[stream] += 1;
                code.push(byte);
                byte
            };
            let mut opcode = usize::from(byte(&mut code, OPCODES));
            let is_short = opcode == 0x66;
            if is_short {
                opcode = usize::from(byte(&mut code, OPCODES));
            }
            if opcode == 0x0F {
                opcode = 256 + usize::from(byte(&mut code, OPCODES));
            }
            let mut class = classes[opcode];
            let mut address = false;
            if class & class::OPERAND != 0 {
                let operand = byte(&mut code, OPCODES);
                if matches!(opcode, 0xF6 | 0xF7) && operand >> 3 & 7 > 1 {
                    class = 0;
                }
                let mut base = operand & 7;
                if operand < 0xC0 && base == 4 {
                    base = byte(&mut code, INDEXES);
                }
                if operand >> 6 == 1 {
                    byte(&mut code, if base == 0x24 { ON_STACK } else { SMALL });
                }
                address = operand >> 6 == 2 || operand >> 6 == 0 && base & 7 == 5;
            }
            let long = |bit, stream| if class & bit != 0 { Some(stream) } else { None };
            let longs = [
                if address { Some(ADDRESSES) } else { long(class::ADDRESS, ADDRESSES) },
                long(class::LONG, LONGS).filter(|_| !is_short),
                long(class::JUMP, JUMPS),
                long(class::CALL, CALLS),
            ];
            for stream in longs.into_iter().flatten() {
                let mut number = [0; 4].map(|_: u8| byte(&mut Vec::new(), stream));
                if matches!(stream, JUMPS | CALLS) {
                    let offset = u32::from_be_bytes(number);
                    number = offset.wrapping_sub(code.len() as u32 + 4).to_be_bytes();
                }
                code.extend(number.iter().rev());
            }
            if class & class::SHORT != 0 {
                byte(&mut code, SHORTS);
            }
            if class & class::HALF != 0 || class & class::LONG != 0 && is_short {
                byte(&mut code, HALVES);
                byte(&mut code, HALVES);
            }
            if class & class::NEAR != 0 {
                byte(&mut code, NEARS);
            }
        }
        code
    }

    #[test]
    fn what_was_sorted_is_put_together_as_it_was() {
        let mut state = 1u32;
        for len in [0, 1, 100, 50_000] {
            let mut code: Vec<u8> = Vec::new();
            while code.len() < len {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                code.extend((state >> 8).to_le_bytes());
            }
            // However an instruction began, it ends here.
            code.extend([0x90; 16]);
            let sorted = sorted(&code, START).expect("sorted");
            assert!(put_together(&sorted, code.len()) == code, "{len}");
        }
    }

    #[test]
    fn an_instruction_that_is_cut_off_is_an_error() {
        assert!(sorted(&[0x90, 0xE8, 1, 2, 3], START).is_err());
    }

    #[test]
    fn instructions_are_taken_apart() {
        // call 44; mov eax, 12345678h; mov [esp+8], ax; add ecx, [ebp+8]; test byte [ebx], 1; not eax;
        // jne 0; mov cx, 1234h
        let code: Vec<u8> = [
            &[0xE8, 39, 0, 0, 0][..],
            &[0xB8, 0x78, 0x56, 0x34, 0x12],
            &[0x66, 0x89, 0x44, 0x24, 8],
            &[0x03, 0x4D, 9],
            &[0xF6, 0x03, 1],
            &[0xF7, 0xD0],
            &[0x0F, 0x85, 0xE3, 0xFF, 0xFF, 0xFF],
            &[0x66, 0xB9, 0x34, 0x12],
        ]
        .concat();
        let sorted = sorted(&code, START).expect("sorted");
        let streams: [&[u8]; STREAMS] = [
            b"\xE8\xB8\x66\x89\x44\x03\x4D\xF6\x03\xF7\xD0\x0F\x85\x66\xB9",
            &[0x24],
            &[9],
            &[8],
            &[1],
            &[0x34, 0x12],
            &[],
            &[],
            &[0x12, 0x34, 0x56, 0x78],
            &[0, 0, 0, 0],
            &[0, 0, 0, 44],
        ];
        assert_eq!(sorted[..code.len()], streams.concat());
        assert_eq!(sorted.len(), code.len() + 600, "targets/kernel.ld says so");
    }
}
