//! Which CPU this is: by the flags that can be changed, then by CPUID.
//!
//! Source: Intel, "Processor Identification and the CPUID Instruction" (AP-485).

use core::arch::asm;

/// EFLAGS.AC, which a 386 does not have.
const ALIGNMENT_CHECK: u32 = 1 << 18;
/// EFLAGS.ID: CPUID is there.
const IDENTIFICATION: u32 = 1 << 21;

/// The CPU's class, for people: 386, 486, 586, 686 (and everything since).
// Not inlined: the check of the kernel's instructions lets CPUID stand here alone.
#[inline(never)]
pub fn class() -> u32 {
    if !changes(ALIGNMENT_CHECK) {
        return 386;
    }
    if !changes(IDENTIFICATION) {
        return 486;
    }
    let version: u32;
    // SAFETY: the CPU has CPUID; it changes registers alone, and EBX, which the compiler keeps for
    // itself, is put back.
    unsafe {
        asm!("push ebx", "cpuid", "pop ebx", inout("eax") 1 => version, out("ecx") _, out("edx") _);
    }
    (version >> 8 & 0xF).clamp(4, 6) * 100 + 86
}

/// Whether a flag can be changed.
fn changes(flag: u32) -> bool {
    let changed: u32;
    // SAFETY: the flags are as before at the end; neither flag has an effect in the kernel.
    unsafe {
        asm!(
            "pushfd", "pop {old}", "mov {new}, {old}", "xor {new}, {flag}", "push {new}", "popfd",
            "pushfd", "pop {new}", "push {old}", "popfd", "xor {new}, {old}",
            old = out(reg) _, new = out(reg) changed, flag = in(reg) flag,
        );
    }
    changed & flag != 0
}
