//! Lets the kernel copy and clear by double words what LLVM has it copy and clear byte by byte.
//!
//! Where code is to be small (`opt-level = "z"`), LLVM copies what has a known length by REP MOVSB, and clears it by REP
//! STOSB. A 386 takes four clocks for each step, be it of a byte or of a double word. In the linked file a length that
//! is a multiple of four is divided by it, and MOVSB becomes MOVSD, STOSB STOSD: both have the same size, and nothing
//! else changes.

use std::collections::HashSet;
use std::ops::Range;

use anyhow::{Context, Result};
use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, OpAccess,
    OpKind, Register,
};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// Sections of 32-bit code. Those of the overlay have the same addresses.
const CODE: [&str; 3] = [".text", ".start", ".service"];
/// Instructions between a length and its use, at most.
const NEAR: usize = 16;
/// What MOVSD and STOSD have that MOVSB and STOSB have not.
const WIDE: u8 = 0x01;

/// What is done to bytes and could be done to double words.
#[derive(Debug, PartialEq, Eq)]
struct Narrow {
    /// Where the length is in the code, one byte or four.
    length: Range<usize>,
    /// Where the opcode behind REP is.
    opcode: usize,
}

/// Changes all of it in the linked file.
///
/// # Errors
/// What is wrong with the file.
pub fn widen(elf: &mut [u8]) -> Result<()> {
    for Narrow { length, opcode } in narrow(elf)? {
        let length = elf.get_mut(length).context("a length beyond the file")?;
        let mut number = [0; 4];
        number[..length.len()].copy_from_slice(length);
        let words = (u32::from_le_bytes(number) / 4).to_le_bytes();
        length.copy_from_slice(&words[..length.len()]);
        *elf.get_mut(opcode).context("an opcode beyond the file")? |= WIDE;
    }
    Ok(())
}

/// All of them, by places in the file.
fn narrow(elf: &[u8]) -> Result<Vec<Narrow>> {
    let file = object::File::parse(elf)?;
    let mut functions = Vec::new();
    // Wherever code may be come to other than from the instruction before.
    let mut targets = HashSet::new();
    for symbol in file.symbols() {
        targets.insert(symbol.address());
        let Some(section) = symbol.section_index() else { continue };
        let section = file.section_by_index(section)?;
        let is_code = section.name().is_ok_and(|name| CODE.contains(&name));
        if symbol.kind() != SymbolKind::Text || !is_code {
            continue;
        }
        let code = section.data_range(symbol.address(), symbol.size())?;
        let code = code.context("a function beyond its section")?;
        let place = section.file_range().context("a section without a place")?.0;
        let place = (place + symbol.address() - section.address()) as usize;
        let function = decoded(code, symbol.address());
        targets.extend(function.iter().filter_map(target));
        functions.push((function, place));
    }
    for section in file.sections() {
        for (at, _) in section.relocations() {
            // Those of a linked file are at addresses, and what they came to is there.
            if let Some(number) = section.data_range(at, 4)?.and_then(|bytes| bytes.first_chunk()) {
                targets.insert(u32::from_le_bytes(*number).into());
            }
        }
    }
    let found = functions.iter().flat_map(|(function, place)| find(function, *place, &targets));
    Ok(found.collect())
}

fn decoded(code: &[u8], address: u64) -> Vec<Instruction> {
    Decoder::with_ip(32, code, address, DecoderOptions::NONE).into_iter().collect()
}

/// Where a jump or a call leads.
fn target(instruction: &Instruction) -> Option<u64> {
    let is_near = instruction.op_count() > 0 && instruction.op0_kind() == OpKind::NearBranch32;
    is_near.then(|| instruction.near_branch_target())
}

/// Those of a function, which lies at `place`.
fn find(function: &[Instruction], place: usize, targets: &HashSet<u64>) -> Vec<Narrow> {
    let Some(start) = function.first().map(Instruction::ip) else { return Vec::new() };
    let at = |instruction: &Instruction| place + (instruction.ip() - start) as usize;
    let mut found = Vec::new();
    for (index, user) in function.iter().enumerate().filter(|(_, user)| user.has_rep_prefix()) {
        let path = Path { code: &function[..=index], targets };
        let is_narrow = match user.code() {
            Code::Movsb_m8_m8 => true,
            Code::Stosb_m8_AL => path.clears(),
            _ => false,
        };
        if is_narrow
            && user.len() == 2
            && let Some(setter) = path.length()
        {
            let length = at(setter) + 1..at(setter) + setter.len();
            found.push(Narrow { length, opcode: at(user) + 1 });
        }
    }
    found
}

/// What leads to the instruction that it ends with.
struct Path<'c> {
    code: &'c [Instruction],
    targets: &'c HashSet<u64>,
}

impl<'c> Path<'c> {
    /// The way back from the last instruction, as far as it is the only one: instructions with those before them.
    fn back(&self) -> impl Iterator<Item = (&'c Instruction, &'c [Instruction])> {
        let (code, targets) = (self.code, self.targets);
        let pairs = (1..code.len()).rev().take(NEAR).map(move |index| (index, &code[index - 1]));
        pairs
            .take_while(|(index, instruction)| {
                let leads_on = instruction.flow_control() == FlowControl::Next;
                leads_on && !targets.contains(&code[*index].ip())
            })
            .map(move |(index, instruction)| (instruction, &code[..index - 1]))
    }

    /// The instruction that has the last one's length, in ECX: one whose length nobody else uses, and of which a fourth
    /// can be had.
    fn length(&self) -> Option<&'c Instruction> {
        for (instruction, before) in self.back() {
            let is_ecx = instruction.op_count() > 0 && instruction.op0_register() == Register::ECX;
            let setter = match instruction.code() {
                Code::Mov_r32_imm32 if is_ecx => Some(instruction),
                // PUSH and POP are shorter.
                Code::Pop_r32 if is_ecx && !self.targets.contains(&instruction.ip()) => {
                    before.last().filter(|push| push.code() == Code::Pushd_imm8)
                }
                _ if uses(instruction, Register::ECX, |_| true) => return None,
                _ => continue,
            }?;
            let length = setter.immediate(setter.op_count() - 1);
            return (0 < length && length < 1 << 16 && length % 4 == 0).then_some(setter);
        }
        None
    }

    /// Whether EAX, of which the last instruction stores the lowest byte, is 0.
    fn clears(&self) -> bool {
        for (instruction, _) in self.back() {
            if matches!(instruction.code(), Code::Xor_r32_rm32 | Code::Xor_rm32_r32)
                && (instruction.op0_register(), instruction.op1_register())
                    == (Register::EAX, Register::EAX)
            {
                return true;
            }
            if uses(instruction, Register::EAX, |access| access != OpAccess::Read) {
                return false;
            }
        }
        false
    }
}

/// Whether an instruction uses `register`, or a part of it, in such a way.
fn uses(instruction: &Instruction, register: Register, way: fn(OpAccess) -> bool) -> bool {
    let mut info = InstructionInfoFactory::new();
    let mut used = info.info(instruction).used_registers().iter();
    used.any(|used| used.register().full_register32() == register && way(used.access()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x1000;

    fn found(code: &[u8], targets: &[u64]) -> Vec<Narrow> {
        find(&decoded(code, BASE), 0, &targets.iter().copied().collect())
    }

    /// push 54h; pop ecx; lea edi,[esp+8]; rep movsb
    const SHORT: [u8; 9] = [0x6A, 0x54, 0x59, 0x8D, 0x7C, 0x24, 0x08, 0xF3, 0xA4];
    /// mov ecx,90h; mov esi,eax; rep movsb
    const LONG: [u8; 9] = [0xB9, 0x90, 0, 0, 0, 0x89, 0xC6, 0xF3, 0xA4];

    #[test]
    fn a_length_in_fours_is_found_with_its_copy() {
        assert_eq!(found(&SHORT, &[]), [Narrow { length: 1..2, opcode: 8 }]);
        assert_eq!(found(&LONG, &[]), [Narrow { length: 1..5, opcode: 8 }]);
    }

    #[test]
    fn other_lengths_stay() {
        for length in [0x55, 0x56, 0x57, 0x00] {
            let mut code = SHORT;
            code[1] = length;
            assert_eq!(found(&code, &[]), [], "{length}");
        }
    }

    #[test]
    fn a_copy_that_other_code_leads_to_stays() {
        for inner in 2..8 {
            let is_start = [2, 3, 7].contains(&inner);
            assert_eq!(found(&SHORT, &[BASE + inner]).is_empty(), is_start, "{inner}");
        }
        assert!(!found(&SHORT, &[BASE]).is_empty());
    }

    #[test]
    fn a_length_that_is_used_or_changed_stays() {
        let between: [&[u8]; 5] = [
            &[0x89, 0x0F],       // mov [edi],ecx
            &[0x41],             // inc ecx
            &[0x80, 0xC1, 0x01], // add cl,1
            &[0x8B, 0x04, 0x8E], // mov eax,[esi+ecx*4]
            &[0xEB, 0x00],       // jmp on
        ];
        for other in between {
            let code = [&SHORT[..3], other, &SHORT[3..]].concat();
            assert_eq!(found(&code, &[]), [], "{other:X?}");
        }
        let code = [&SHORT[..3], &[0x50, 0x58], &SHORT[3..]].concat();
        assert_eq!(found(&code, &[]).len(), 1, "push eax; pop eax");
    }

    #[test]
    fn the_second_copy_has_no_length_of_its_own() {
        let code = [&SHORT[..], &[0xF3, 0xA4]].concat();
        assert_eq!(found(&code, &[]).len(), 1);
    }

    #[test]
    fn zeros_are_stored_by_double_words() {
        // push 3Ch; pop ecx; xor eax,eax; mov edi,esp; rep stosb
        let code = [0x6A, 0x3C, 0x59, 0x31, 0xC0, 0x89, 0xE7, 0xF3, 0xAA];
        assert_eq!(found(&code, &[]), [Narrow { length: 1..2, opcode: 8 }]);
        assert_eq!(found(&code, &[BASE + 5]), [], "EAX may be another there");
        let with = |place: usize, other: [u8; 2]| {
            let mut code = code;
            code[place..place + 2].copy_from_slice(&other);
            found(&code, &[]).len()
        };
        assert_eq!(with(3, [0x33, 0xC0]), 1, "xor eax,eax");
        assert_eq!(with(3, [0x30, 0xC0]), 0, "xor al,al");
        assert_eq!(with(3, [0xB0, 0x00]), 0, "mov al,0");
        assert_eq!(with(5, [0x04, 0x01]), 0, "add al,1");
        assert_eq!(with(5, [0x85, 0xC0]), 1, "test eax,eax");
    }
}
