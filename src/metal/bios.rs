//! BIOS calls: INT n in real mode with interrupts on, through the thunk of entry.s.

use super::low;

unsafe extern "C" {
    fn thunk_call(number: u32);
}

/// Carry flag in [`Registers::flags`].
const CARRY: u32 = 1;

/// What goes into a BIOS call, and comes out of it. The layout is entry.s's.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Registers {
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
    pub esi: u32,
    pub edi: u32,
    pub ebp: u32,
    pub ds: u16,
    pub es: u16,
    pub flags: u32,
}

impl Registers {
    /// AH and AL, the rest 0.
    pub fn ax(ax: u16) -> Registers {
        Registers { eax: u32::from(ax), ..Registers::default() }
    }

    /// AH.
    pub fn ah(&self) -> u8 {
        (self.eax >> 8) as u8
    }

    /// Calls interrupt `number`; whether carry came back clear.
    pub fn call(&mut self, number: u8) -> bool {
        self.flags = 0;
        low::write(low::REGISTERS, *self);
        // SAFETY: the thunk keeps what the C convention wants kept; what the BIOS does with the
        // registers is in the hands of this module's users, who pass low memory of their own.
        unsafe { thunk_call(u32::from(number)) };
        *self = low::read(low::REGISTERS);
        self.flags & CARRY == 0
    }
}
