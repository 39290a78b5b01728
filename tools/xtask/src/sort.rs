//! Sorts the kernel's code before it is packed: what is alike in instructions (opcodes, displacements, targets
//! of calls) packs better side by side. src/metal/unpack.s puts it together again.
//!
//! Each sort of bytes makes a stream. An instruction's opcode says which streams the bytes behind it are in.
//! Numbers of 32 bits are stored with the highest byte first, and targets of jumps and calls as offsets from
//! the kernel's first code, so that those of one function are the same wherever they are.
//!
//! A table precedes the streams: what the packer may expect in the stream of opcodes ([`contexts`]), the
//! classes of opcodes, and each stream's length.

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
/// Adds a number of 8 bits to 32, subtracts or compares it, and the like.
const ARITHMETIC: u8 = 0x83;
/// An operand's second byte that names the stack pointer alone.
const STACK: u8 = 0x24;

/// The streams, in this order. Opcodes with prefixes and operands' first bytes.
const OPCODES: usize = 0;
/// Operands' second bytes (index and base register), by bits 6 and 7 of the first: three streams.
const INDEXES: usize = 1;
/// Displacements of 8 bits.
const SMALL: usize = 4;
/// Displacements of 8 bits from the stack pointer.
const SMALL_ON_STACK: usize = 5;
/// Numbers of 16 bits.
const HALVES: usize = 6;
const NEARS: usize = 7;
const JUMPS: usize = 8;
const CALLS: usize = 9;
/// Displacements of 32 bits from a register.
const LARGE: usize = 10;
/// Displacements of 32 bits from the stack pointer.
const LARGE_ON_STACK: usize = 11;
/// Addresses, also with an index register.
const ADDRESSES: usize = 12;
/// Numbers of 8 bits, by bits 4 to 7 of the opcode: 16 streams, behind three without use.
const SHORTS: usize = 16;
/// Numbers of 8 bits of [`ARITHMETIC`], by what it does, which its operand says: 8 streams.
const SUMMANDS: usize = 32;
/// Numbers of 32 bits, by bits 4 to 7 of the opcode: 16 streams.
const LONGS: usize = 40;
const STREAMS: usize = 56;

/// The table in bytes: contexts that follow, classes, lengths of the streams.
const TABLE: usize = 512 + 512 + 4 * STREAMS;

/// Contexts: what a byte may be, for the packer. An opcode's first byte, or a prefix.
const FIRST: u8 = 0;
/// An opcode's second byte.
const SECOND: u8 = 1;
/// An operand's first byte, by groups of opcodes whose operands are alike.
mod operand {
    pub const OTHER: u8 = 2;
    /// From memory to a register.
    pub const LOAD: u8 = 3;
    /// To memory.
    pub const STORE: u8 = 4;
    pub const ARITHMETIC: u8 = 5;
    pub const TWO_BYTES: u8 = 6;
    /// Tests a register, or sets it to 0: both operands are mostly the same.
    pub const SAME: u8 = 7;
}
/// A byte that is not in the stream of opcodes.
pub const OUTSIDE: u8 = 8;
/// How many contexts there are.
pub const CONTEXTS: usize = 9;

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

/// The context of what follows each opcode's first byte, and each second one, in the stream of opcodes.
fn follow(classes: &[u8; 512]) -> [u8; 512] {
    let mut follow = [FIRST; 512];
    for (opcode, context) in follow.iter_mut().enumerate() {
        *context = match opcode {
            0x0F => SECOND,
            _ if classes[opcode] & class::OPERAND == 0 => FIRST,
            0x8A | 0x8B | 0x8D => operand::LOAD,
            0x80 | 0x88 | 0x89 | 0xC7 => operand::STORE,
            0x83 => operand::ARITHMETIC,
            0x31 | 0x85 => operand::SAME,
            0x100.. => operand::TWO_BYTES,
            _ => operand::OTHER,
        };
    }
    follow
}

/// The contexts of all bytes of what [`sorted`] returned: below [`CONTEXTS`] each.
///
/// They depend on the bytes before alone, as unpack.s counts with them while it unpacks those; what it
/// takes for an opcode behind a prefix need not be one, if only it is the same here.
pub fn contexts(sorted: &[u8]) -> Vec<u8> {
    let mut contexts = vec![OUTSIDE; sorted.len()];
    let length = sorted.get(TABLE - 4 * STREAMS..).and_then(|lengths| lengths.first_chunk());
    let length = length.map_or(0, |length| u32::from_le_bytes(*length) as usize);
    let mut context = FIRST;
    for (place, byte) in sorted.iter().enumerate().skip(TABLE).take(length) {
        contexts[place] = context;
        context = match context {
            FIRST => sorted[usize::from(*byte)],
            SECOND => sorted[0x100 | usize::from(*byte)],
            _ => FIRST,
        };
    }
    contexts
}

/// Code that lies together, so many bytes behind the kernel's first code.
#[derive(Clone, Copy)]
pub struct Piece<'c> {
    pub code: &'c [u8],
    pub offset: u32,
}

/// `code` as unpack.s finds it: the table and the streams of all pieces.
///
/// # Errors
/// The last instruction of each must be whole.
pub fn sorted(code: &[Piece]) -> Result<Vec<u8>> {
    let classes = classes();
    let mut streams = [const { Vec::new() }; STREAMS];
    for piece in code {
        let mut sorter = Sorter { piece: *piece, at: 0, streams: &mut streams };
        while sorter.at < piece.code.len() {
            sorter.instruction(&classes).context("code that ends within an instruction")?;
        }
    }
    let length: usize = code.iter().map(|piece| piece.code.len()).sum();
    let mut sorted = [follow(&classes), classes].concat();
    for stream in &streams {
        sorted.extend((stream.len() as u32).to_le_bytes());
    }
    sorted.extend(streams.concat());
    ensure!(sorted.len() == TABLE + length, "code that was not sorted whole");
    Ok(sorted)
}

struct Sorter<'c> {
    piece: Piece<'c>,
    at: usize,
    streams: &'c mut [Vec<u8>; STREAMS],
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
        let family = opcode >> 4 & 15;
        let mut shorts = SHORTS + family;
        let mut class = classes[opcode];
        if class & class::OPERAND != 0 {
            let operand = self.byte(OPCODES)?;
            if opcode & !1 == usize::from(TEST) && operand & 0x30 != 0 {
                class = class::OPERAND;
            }
            if opcode == usize::from(ARITHMETIC) {
                shorts = SUMMANDS + usize::from(operand >> 3 & 7);
            }
            self.displacement(operand)?;
        }
        let has = |bit| class & bit != 0;
        if has(class::ADDRESS) {
            self.long(ADDRESSES, false)?;
        }
        if has(class::SHORT) {
            self.byte(shorts)?;
        }
        if has(class::HALF) || has(class::LONG) && is_short {
            self.byte(HALVES)?;
            self.byte(HALVES)?;
        } else if has(class::LONG) {
            self.long(LONGS + family, false)?;
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
            base = self.byte(INDEXES + usize::from(mode))?;
        }
        let on_stack = base == STACK;
        match mode {
            1 => self.byte(if on_stack { SMALL_ON_STACK } else { SMALL }).map(drop),
            2 => self.long(if on_stack { LARGE_ON_STACK } else { LARGE }, false),
            _ if base & 7 == 5 => self.long(ADDRESSES, false),
            _ => Some(()),
        }
    }

    fn byte(&mut self, stream: usize) -> Option<u8> {
        let byte = *self.piece.code.get(self.at)?;
        self.at += 1;
        self.streams[stream].push(byte);
        Some(byte)
    }

    fn long(&mut self, stream: usize, is_target: bool) -> Option<()> {
        let number = u32::from_le_bytes(*self.piece.code.get(self.at..)?.first_chunk()?);
        self.at += 4;
        let from = if is_target { self.piece.offset.wrapping_add(self.at as u32) } else { 0 };
        self.streams[stream].extend(number.wrapping_add(from).to_be_bytes());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted_alone(code: &[u8]) -> Result<Vec<u8>> {
        sorted(&[Piece { code, offset: 0 }])
    }

    /// The streams and the classes.
    fn parts(sorted: &[u8]) -> (Vec<&[u8]>, &[u8]) {
        let mut rest = &sorted[TABLE..];
        let streams = sorted[1024..TABLE]
            .chunks_exact(4)
            .map(|length| u32::from_le_bytes(length.try_into().expect("4 bytes")) as usize)
            .map(|length| {
                let (stream, behind) = rest.split_at(length);
                rest = behind;
                stream
            })
            .collect();
        assert!(rest.is_empty());
        (streams, &sorted[512..1024])
    }

    /// What unpack.s does.
    fn put_together(sorted: &[u8]) -> Vec<u8> {
        let (mut streams, classes) = parts(sorted);
        let len = sorted.len() - TABLE;
        let mut code = Vec::new();
        while code.len() < len {
            let mut byte = |code: &mut Vec<u8>, stream: usize| {
                let (byte, rest) = streams[stream].split_first().expect("a byte");
                streams[stream] = rest;
                code.push(*byte);
                *byte
            };
            let mut opcode = usize::from(byte(&mut code, 0));
            let is_short = opcode == 0x66;
            if is_short {
                opcode = usize::from(byte(&mut code, 0));
            }
            if opcode == 0x0F {
                opcode = 256 + usize::from(byte(&mut code, 0));
            }
            let family = opcode % 256 / 16;
            let mut class = classes[opcode];
            let mut address = None;
            let mut shorts = 16 + family;
            if class & class::OPERAND != 0 {
                let operand = byte(&mut code, 0);
                let register = operand >> 3 & 7;
                if matches!(opcode, 0xF6 | 0xF7) && register > 1 {
                    class = 0;
                }
                if opcode == 0x83 {
                    shorts = 32 + usize::from(register);
                }
                let mode = operand >> 6;
                let mut base = operand & 7;
                if mode < 3 && base == 4 {
                    base = byte(&mut code, 1 + usize::from(mode));
                }
                match (mode, base) {
                    (1, 0x24) => drop(byte(&mut code, 5)),
                    (1, _) => drop(byte(&mut code, 4)),
                    (2, 0x24) => address = Some(11),
                    (2, _) => address = Some(10),
                    (0, _) if base & 7 == 5 => address = Some(12),
                    _ => {}
                }
            }
            let long = |bit, stream| if class & bit != 0 { Some(stream) } else { None };
            let longs = [
                address.or(long(class::ADDRESS, 12)),
                long(class::LONG, 40 + family).filter(|_| !is_short),
                long(class::JUMP, 8),
                long(class::CALL, 9),
            ];
            for stream in longs.into_iter().flatten() {
                let mut number = [0; 4].map(|_: u8| byte(&mut Vec::new(), stream));
                if matches!(stream, 8 | 9) {
                    let offset = u32::from_be_bytes(number);
                    number = offset.wrapping_sub(code.len() as u32 + 4).to_be_bytes();
                }
                code.extend(number.iter().rev());
            }
            if class & class::SHORT != 0 {
                byte(&mut code, shorts);
            }
            if class & class::HALF != 0 || class & class::LONG != 0 && is_short {
                byte(&mut code, 6);
                byte(&mut code, 6);
            }
            if class & class::NEAR != 0 {
                byte(&mut code, 7);
            }
        }
        assert!(streams.iter().all(|stream| stream.is_empty()));
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
            let sorted = sorted_alone(&code).expect("sorted");
            assert!(put_together(&sorted) == code, "{len}");
        }
    }

    #[test]
    fn an_instruction_that_is_cut_off_is_an_error() {
        assert!(sorted_alone(&[0x90, 0xE8, 1, 2, 3]).is_err());
        // However much follows it elsewhere.
        let pieces = [&[0x90, 0xE8, 1][..], &[0x90; 100]];
        assert!(sorted(&pieces.map(|code| Piece { code, offset: 0 })).is_err());
    }

    #[test]
    fn a_call_s_target_is_the_same_number_from_everywhere() {
        // nop; call 105h, and call 105h at 200h: 5 bytes each
        let first = Piece { code: &[0x90, 0xE8, 0xFF, 0, 0, 0], offset: 0 };
        let second = Piece { code: &[0xE8, 0, 0xFF, 0xFF, 0xFF], offset: 0x200 };
        let sorted = sorted(&[first, second]).expect("sorted");
        assert_eq!(parts(&sorted).0[9], [0, 0, 1, 5, 0, 0, 1, 5]);
    }

    /// call 44; mov eax, 12345678h; mov [esp+8], ax; add ecx, [ebp+9]; test byte [ebx], 1; not eax;
    /// jne 0; mov cx, 1234h; sub esp, 16; mov eax, [esp+12345678h]; mov eax, [eax+1000h];
    /// lea ecx, [ecx*4+1002h]; mov eax, [1001h]; movzx eax, byte [1003h]; add al, 7; mov al, [edi+ebp]; jmp 81;
    /// ret 4
    const CODE: [&[u8]; 18] = [
        &[0xE8, 39, 0, 0, 0],
        &[0xB8, 0x78, 0x56, 0x34, 0x12],
        &[0x66, 0x89, 0x44, 0x24, 8],
        &[0x03, 0x4D, 9],
        &[0xF6, 0x03, 1],
        &[0xF7, 0xD0],
        &[0x0F, 0x85, 0xE3, 0xFF, 0xFF, 0xFF],
        &[0x66, 0xB9, 0x34, 0x12],
        &[0x83, 0xEC, 16],
        &[0x8B, 0x84, 0x24, 0x78, 0x56, 0x34, 0x12],
        &[0x8B, 0x80, 0, 0x10, 0, 0],
        &[0x8D, 0x0C, 0x8D, 2, 0x10, 0, 0],
        &[0xA1, 1, 0x10, 0, 0],
        &[0x0F, 0xB6, 0x05, 3, 0x10, 0, 0],
        &[0x04, 7],
        &[0x8A, 0x04, 0x2F],
        &[0xEB, 5],
        &[0xC2, 4, 0],
    ];

    #[test]
    fn instructions_are_taken_apart() {
        let code = CODE.concat();
        let sorted = sorted_alone(&code).expect("sorted");
        let opcodes = [
            &b"\xE8\xB8\x66\x89\x44\x03\x4D\xF6\x03\xF7\xD0\x0F\x85\x66\xB9\x83\xEC\x8B\x84\x8B\x80"[..],
            b"\x8D\x0C\xA1\x0F\xB6\x05\x04\x8A\x04\xEB\xC2",
        ]
        .concat();
        let mut streams: [&[u8]; 56] = [&[]; 56];
        streams[0] = &opcodes;
        streams[1] = &[0x8D, 0x2F];
        streams[2] = &[0x24];
        streams[3] = &[0x24];
        streams[4] = &[9];
        streams[5] = &[8];
        streams[6] = &[0x34, 0x12, 4, 0];
        streams[7] = &[5];
        streams[8] = &[0, 0, 0, 0];
        streams[9] = &[0, 0, 0, 44];
        streams[10] = &[0, 0, 0x10, 0];
        streams[11] = &[0x12, 0x34, 0x56, 0x78];
        streams[12] = &[0, 0, 0x10, 2, 0, 0, 0x10, 1, 0, 0, 0x10, 3];
        streams[16] = &[7];
        streams[31] = &[1];
        streams[37] = &[16];
        streams[51] = &[0x12, 0x34, 0x56, 0x78];
        assert_eq!(parts(&sorted).0, streams);
        assert_eq!(sorted.len(), code.len() + 1248, "targets/kernel.ld says so");
    }

    #[test]
    fn opcodes_say_what_follows_them() {
        let sorted = sorted_alone(&CODE.concat()).expect("sorted");
        let contexts = contexts(&sorted);
        let opcodes = [
            0, 0, 0, 0, 4, 0, 2, 0, 2, 0, 2, 0, 1, 0, 0, 0, 5, 0, 3, 0, 3, // up to A1h
            0, 3, 0, 0, 1, 6, 0, 0, 3, 0, 0,
        ];
        let (streams, _) = parts(&sorted);
        assert_eq!(streams[0].len(), opcodes.len());
        assert_eq!(contexts[1248..][..opcodes.len()], opcodes);
        assert!(contexts[..1248].iter().all(|context| *context == 8));
        assert!(contexts[1248 + opcodes.len()..].iter().all(|context| *context == 8));
        assert_eq!(contexts.len(), sorted.len());
    }
}
