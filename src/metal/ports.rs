//! The CPU's IN and OUT instructions.

use core::arch::asm;

use ftpsrv::hw::pit;
use ftpsrv::hw::ports::Ports;

use super::{clock, interrupt};

/// The PC's I/O space.
#[derive(Clone, Copy)]
pub struct IoPorts;

// SAFETY, for every block below: port I/O of the drivers in `hw` changes no memory that Rust knows
// of (bus masters are given SharedMemory, which no reference points into, and memory that their driver lends
// them); the string forms stay within the slice they are given.
// ESI is the compiler's own on this target, so that OUTS borrows it.
impl Ports for IoPorts {
    fn inb(&mut self, port: u16) -> u8 {
        let value;
        // SAFETY: above.
        unsafe {
            asm!("in al, dx", out("al") value, in("dx") port, options(nomem, nostack, preserves_flags))
        };
        value
    }

    fn outb(&mut self, port: u16, value: u8) {
        // SAFETY: above.
        unsafe {
            asm!("out dx, al", in("al") value, in("dx") port, options(nomem, nostack, preserves_flags))
        };
    }

    fn inw(&mut self, port: u16) -> u16 {
        let value;
        // SAFETY: above.
        unsafe {
            asm!("in ax, dx", out("ax") value, in("dx") port, options(nomem, nostack, preserves_flags))
        };
        value
    }

    fn outw(&mut self, port: u16, value: u16) {
        // SAFETY: above.
        unsafe {
            asm!("out dx, ax", in("ax") value, in("dx") port, options(nomem, nostack, preserves_flags))
        };
    }

    fn inl(&mut self, port: u16) -> u32 {
        let value;
        // SAFETY: above.
        unsafe {
            asm!("in eax, dx", out("eax") value, in("dx") port, options(nomem, nostack, preserves_flags))
        };
        value
    }

    fn outl(&mut self, port: u16, value: u32) {
        // SAFETY: above.
        unsafe {
            asm!("out dx, eax", in("eax") value, in("dx") port, options(nomem, nostack, preserves_flags))
        };
    }

    fn read_bytes(&mut self, port: u16, buffer: &mut [u8]) {
        // SAFETY: above.
        unsafe {
            asm!("rep insb", in("dx") port, inout("ecx") buffer.len() => _,
                inout("edi") buffer.as_mut_ptr() => _, options(nostack, preserves_flags));
        }
    }

    fn write_bytes(&mut self, port: u16, data: &[u8]) {
        // SAFETY: above.
        unsafe {
            asm!("xchg esi, {data}", "rep outsb", "mov esi, {data}", data = inout(reg) data.as_ptr() => _,
                in("dx") port, inout("ecx") data.len() => _, options(nostack, preserves_flags));
        }
    }

    fn read_words(&mut self, port: u16, buffer: &mut [u8]) {
        // SAFETY: above.
        unsafe {
            asm!("rep insw", in("dx") port, inout("ecx") buffer.len() / 2 => _,
                inout("edi") buffer.as_mut_ptr() => _, options(nostack, preserves_flags));
        }
        if let (1, [.., last]) = (buffer.len() % 2, buffer) {
            [*last, _] = self.inw(port).to_le_bytes();
        }
    }

    fn write_words(&mut self, port: u16, data: &[u8]) {
        // SAFETY: above.
        unsafe {
            asm!("xchg esi, {data}", "rep outsw", "mov esi, {data}", data = inout(reg) data.as_ptr() => _,
                in("dx") port, inout("ecx") data.len() / 2 => _, options(nostack, preserves_flags));
        }
        if let ([.., last], 1) = (data, data.len() % 2) {
            self.outw(port, u16::from(*last));
        }
    }

    fn read_dwords(&mut self, port: u16, buffer: &mut [u8]) {
        // SAFETY: above.
        unsafe {
            asm!("rep insd", in("dx") port, inout("ecx") buffer.len() / 4 => _,
                inout("edi") buffer.as_mut_ptr() => _, options(nostack, preserves_flags));
        }
    }

    fn write_dwords(&mut self, port: u16, data: &[u8]) {
        // SAFETY: above.
        unsafe {
            asm!("xchg esi, {data}", "rep outsd", "mov esi, {data}", data = inout(reg) data.as_ptr() => _,
                in("dx") port, inout("ecx") data.len() / 4 => _, options(nostack, preserves_flags));
        }
    }

    fn lend(&mut self, start: *const u8, _: usize) -> Option<u32> {
        // SAFETY: no instruction; the compiler takes it for one that reads and writes any memory.
        unsafe { asm!("/* {0} */", in(reg) start, options(nostack, preserves_flags)) };
        Some(start as u32)
    }

    fn reclaim(&mut self) {
        // SAFETY: as above.
        unsafe { asm!("", options(nostack, preserves_flags)) };
    }

    fn delay_us(&mut self, us: u32) {
        // 1.2 counts a microsecond, and one for the count that had begun.
        let counts = us.min(10_000) * 6 / 5 + 1;
        let start = pit::elapsed(self);
        let mut pause = 4u32;
        // Each look comes after twice the time of the one before: while the CPU accesses ports, an emulator's devices
        // wait, and a drive that is waited for is one of them.
        while pit::elapsed(self).wrapping_sub(start) & 0xFFFF < counts {
            for count in 0..pause {
                core::hint::black_box(count);
            }
            pause = pause.saturating_mul(2);
        }
    }

    fn rest(&mut self, irq: u8) -> (bool, u32) {
        let start = clock::rough();
        let lines = interrupt::halt();
        // It is 55 ms at most; at midnight the clock is set back.
        let ms = clock::rough().wrapping_sub(start).min(55);
        (lines >> irq & 1 != 0, (ms * 1000).max(20))
    }
}
