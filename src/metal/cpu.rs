//! Which CPU this is: by BSWAP, by the flag that says whether there is CPUID, then by CPUID.
//!
//! Source: Intel, "Processor Identification and the CPUID Instruction" (AP-485). Its test for a 386, the
//! AC flag, finds a 486 in emulators whose 386 lets that flag be changed.

use core::arch::asm;

/// EFLAGS.ID: CPUID is there.
const IDENTIFICATION: u32 = 1 << 21;

unsafe extern "C" {
    /// Set by entry.s when it carries out a BSWAP that the CPU lacks.
    static lacks_bswap: u8;
}

/// The CPU's class, for people: 386, 486, 586, 686 (and everything since).
// Not inlined: the check of the kernel's instructions lets CPUID stand here alone.
#[inline(never)]
pub fn class() -> u32 {
    // SAFETY: the exception handler carries it out where the CPU does not, and nobody writes to the flag
    // after that but the handler itself.
    let lacks = unsafe {
        asm!("bswap {0}", inout(reg) 0 => _);
        (&raw const lacks_bswap).read_volatile()
    };
    if lacks != 0 {
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
    // SAFETY: the flags are as before at the end; the flag has no effect in the kernel.
    unsafe {
        asm!(
            "pushfd", "pop {old}", "mov {new}, {old}", "xor {new}, {flag}", "push {new}", "popfd",
            "pushfd", "pop {new}", "push {old}", "popfd", "xor {new}, {old}",
            old = out(reg) _, new = out(reg) changed, flag = in(reg) flag,
        );
    }
    changed & flag != 0
}
