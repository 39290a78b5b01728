//! What the linked kernel must not have: an instruction that a 386 lacks, or too many bytes.
//!
//! The instructions are compared with a list of those that a 386 has (Intel 386 programmer's
//! reference manual, chapter 17), so that one nobody thought of is found too.

use anyhow::{Result, ensure};

use crate::kernel::Kernel;
use crate::process;
use crate::setup::Toolchain;

/// Bytes that the kernel's file may have.
const FILE_LIMIT: usize = 122 * 1024;
/// Bytes of code, static data and stack that are taken while the server runs.
const MEMORY_LIMIT: u32 = 209 * 1024;
/// Bytes of the start's code, whose place the service's has later, at least.
const START_LEAST: u32 = 32 * 1024;

/// The conventional memory of a PC that serves so many clients with buffers of so many KB, in KB: all of it, from
/// the BIOS's data on, at the start or later, with an NE2000 and a disk of 40 MB. The end-to-end tests serve
/// them from this.
#[derive(Clone, Copy)]
pub struct Need {
    pub clients: u32,
    pub buffers: u32,
    pub kilobytes: u16,
}

pub const ONE_CLIENT: Need = Need { clients: 1, buffers: 4, kilobytes: 240 };
pub const TEN_CLIENTS: Need = Need { clients: 10, buffers: 8, kilobytes: 360 };

/// Every mnemonic of a 386 that a compiler or we use, in objdump's Intel spelling.
const I386: &str = "aaa aad aam aas adc add and arpl bound bsf bsr bt btc btr bts call cbw cdq clc cld \
    cli clts cmc cmp cmps cwd cwde daa das dec div enter hlt idiv imul in inc ins int int3 into iret \
    iretw jmp lahf lar lds lea leave les lfs lgdt lgdtd lgs lidt lidtd lldt lmsw lods loop loope loopne \
    lsl lss ltr mov movs movsx movzx mul neg nop not or out outs pop popa popaw popf popfw push pusha \
    pushaw pushf pushfw rcl rcr ret retf rol ror sahf sal sar sbb scas sgdt sgdtd shl shld shr shrd \
    sidt sidtd sldt smsw stc std sti stos str sub test verr verw xchg xlat xor \
    jo jno jb jc jnae jae jnb jnc je jz jne jnz jbe jna ja jnbe js jns jp jpe jnp jpo jl jnge jge jnl \
    jle jng jg jnle jcxz jecxz \
    seto setno setb setc setnae setae setnb setnc sete setz setne setnz setbe setna seta setnbe sets \
    setns setp setpe setnp setpo setl setnge setge setnl setle setng setg setnle";
/// No instruction of a 386, and meant: BSWAP is emulated by the invalid-opcode handler, UD2 is there
/// to raise that exception, PAUSE is NOP with a prefix that a 386 ignores.
const ALLOWED: [&str; 3] = ["bswap", "ud2", "pause"];
const PREFIXES: &str = "rep repz repe repnz repne lock data16 addr16 cs ds es fs gs ss";

/// Fails when .text of the kernel has an instruction that a 386 lacks. CPUID may stand in functions
/// that are about the CPU, which ask first whether there is one.
pub fn instructions(toolchain: &Toolchain, kernel: &Kernel) -> Result<()> {
    let elf = &kernel.elf;
    let mut objdump = process::command(toolchain.binutil("objdump"));
    objdump
        .args([
            "-d",
            "-C",
            "-M",
            "intel,i386",
            "--no-show-raw-insn",
            "-j",
            ".start",
            "-j",
            ".service",
            "-j",
            ".text",
        ])
        .arg(elf);
    let text = process::output(&mut objdump)?;
    let found = beyond_386(&text);
    let bswaps = text.lines().filter(|line| line.contains("bswap")).count();
    let total = text.lines().filter(|line| line.contains(":\t")).count();
    ensure!(total > 1000, "objdump found {total} instructions in {}", elf.display());
    ensure!(
        found.is_empty(),
        "{} instructions that a 386 lacks:\n{}",
        found.len(),
        found.join("\n")
    );
    println!("        {total} instructions, of which {bswaps} BSWAP (emulated on a 386)");
    Ok(())
}

fn beyond_386(disassembly: &str) -> Vec<String> {
    let mut function = "";
    let mut found = Vec::new();
    for line in disassembly.lines() {
        if let Some(name) = line.strip_suffix(">:") {
            function = name;
        } else if let Some((_, instruction)) = line.split_once(":\t")
            && !is_386(instruction, function)
        {
            found.push(format!("{}  in {function}>", line.trim()));
        }
    }
    found
}

fn is_386(instruction: &str, function: &str) -> bool {
    let mut words = instruction
        .split_whitespace()
        .skip_while(|word| PREFIXES.split_whitespace().any(|prefix| prefix == *word));
    // A prefix alone on its line belongs to the next.
    let Some(mnemonic) = words.next() else { return true };
    let operands: String = words.collect();
    let known = I386.split_whitespace().any(|known| known == mnemonic);
    let long_nop = mnemonic == "nop" && !operands.is_empty();
    let control = mnemonic == "mov" && operands.contains("cr4");
    let cpuid = mnemonic == "cpuid" && function.contains("cpu");
    (known || ALLOWED.contains(&mnemonic) || cpuid) && !long_nop && !control
}

/// Fails when the kernel's file or its place in memory is too large.
pub fn size(kernel: &Kernel) -> Result<()> {
    let (file, memory) = (kernel.file.len(), kernel.memory);
    for line in figures(kernel) {
        println!("        {line}");
    }
    ensure!(file <= FILE_LIMIT, "the kernel's file has {file} bytes, over {FILE_LIMIT}");
    ensure!(memory <= MEMORY_LIMIT, "the kernel takes {memory} bytes, over {MEMORY_LIMIT}");
    let (unpacking, least) = (kernel.load_end.div_ceil(1024), u32::from(ONE_CLIENT.kilobytes));
    ensure!(unpacking <= least, "it takes {unpacking} KB to unpack the kernel, over {least}");
    let start = kernel.start;
    ensure!(
        start >= START_LEAST,
        "the start has {start} bytes of code for itself, fewer than {START_LEAST}"
    );
    Ok(())
}

/// Lines that say how large the kernel is and how much memory it needs.
pub fn figures(kernel: &Kernel) -> Vec<String> {
    let (file, start) = (kernel.file.len(), kernel.start);
    let memory = kernel.memory;
    let mut lines = vec![
        format!("{file} bytes of file (limit {FILE_LIMIT})"),
        format!(
            "{memory} bytes of memory for code, static data and stack (limit {MEMORY_LIMIT}); {start} of \
             code are the start's until the service's has their place"
        ),
    ];
    let unpacking = kernel.load_end.div_ceil(1024);
    lines.push(format!("{unpacking} KB of conventional memory to unpack it"));
    lines.extend([ONE_CLIENT, TEN_CLIENTS].map(|Need { clients, buffers, kilobytes }| {
        let clients = if clients == 1 { "1 client".into() } else { format!("{clients} clients") };
        format!(
            "a PC with {kilobytes} KB of conventional memory serves {clients}, all counted from address 0 on, \
             also the BIOS's data and what its calls take; of {buffers} KB of buffers asked for 4 are had there \
             at least"
        )
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_newer_than_the_386_are_named_with_their_function() {
        let text = "00008000 <kernel::main>:\n    8000:\tpush   ebp\n    8001:\tlock cmpxchg DWORD PTR [eax],ecx\n\
                    \n00008010 <other>:\n    8010:\tcmove  eax,ecx\n    8013:\tfld1\n    8015:\trep movs DWORD PTR es:[edi],DWORD PTR ds:[esi]\n";
        let found = beyond_386(text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("cmpxchg") && found[0].contains("kernel::main"));
    }

    #[test]
    fn what_runs_on_a_386_passes() {
        for line in ["bswap  eax", "pause", "ud2", "xchg   ax,ax", "nop", "mov    eax,cr0", "cs"] {
            assert!(is_386(line, "f"), "{line}");
        }
        for line in
            ["nop    DWORD PTR [eax+0x0]", "mov    eax,cr4", "cpuid", "xadd   eax,ecx", "(bad)"]
        {
            assert!(!is_386(line, "f"), "{line}");
        }
        assert!(is_386("cpuid", "0000 <ftpsrv::metal::cpu::class"));
    }
}
