//! Port I/O, the only contact of a driver with its chip.
//!
//! The kernel implements it with the CPU's IN and OUT instructions, tools/sim with models of chips.

/// The I/O space of the PC, 64 K ports.
///
/// Drivers take it by value (`P: Ports`): the kernel's is a zero-sized `Copy` type and every call
/// becomes one instruction; a simulation's is a handle to its chip model.
pub trait Ports {
    /// Reads a byte (IN AL, DX).
    fn inb(&mut self, port: u16) -> u8;
    /// Writes a byte (OUT DX, AL).
    fn outb(&mut self, port: u16, value: u8);
    /// Reads a word (IN AX, DX).
    fn inw(&mut self, port: u16) -> u16;
    /// Writes a word (OUT DX, AX).
    fn outw(&mut self, port: u16, value: u16);
    /// Reads a double word (IN EAX, DX).
    fn inl(&mut self, port: u16) -> u32;
    /// Writes a double word (OUT DX, EAX).
    fn outl(&mut self, port: u16, value: u32);

    /// Fills `buffer` byte by byte from one port (REP INSB).
    fn read_bytes(&mut self, port: u16, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.inb(port);
        }
    }

    /// Writes all of `data` to one port, byte by byte (REP OUTSB).
    fn write_bytes(&mut self, port: u16, data: &[u8]) {
        for &byte in data {
            self.outb(port, byte);
        }
    }

    /// Fills `buffer` from one port by words, low byte first (REP INSW); of an odd last word only
    /// the low byte is kept.
    fn read_words(&mut self, port: u16, buffer: &mut [u8]) {
        for pair in buffer.chunks_mut(2) {
            let word = self.inw(port).to_le_bytes();
            pair.copy_from_slice(&word[..pair.len()]);
        }
    }

    /// Writes all of `data` to one port by words, low byte first (REP OUTSW); an odd last byte goes
    /// out with a zero above it.
    fn write_words(&mut self, port: u16, data: &[u8]) {
        for pair in data.chunks(2) {
            self.outw(port, u16::from_le_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        }
    }

    /// As [`Ports::read_words`], by double words (REP INSD); the length is a multiple of 4.
    fn read_dwords(&mut self, port: u16, buffer: &mut [u8]) {
        for group in buffer.chunks_mut(4) {
            let dword = self.inl(port).to_le_bytes();
            group.copy_from_slice(&dword[..group.len()]);
        }
    }

    /// As [`Ports::write_words`], by double words (REP OUTSD); the length is a multiple of 4.
    fn write_dwords(&mut self, port: u16, data: &[u8]) {
        for group in data.chunks(4) {
            let mut bytes = [0; 4];
            bytes[..group.len()].copy_from_slice(group);
            self.outl(port, u32::from_le_bytes(bytes));
        }
    }

    /// Lends `length` bytes from `start` on to a bus master, until [`Ports::reclaim`]: their physical address.
    /// What was written to them before reaches it. `None`: no bus master reaches them.
    fn lend(&mut self, start: *const u8, length: usize) -> Option<u32> {
        let _ = (start, length);
        None
    }

    /// What bus masters have written to memory that was lent is there from now on.
    fn reclaim(&mut self) {}

    /// Waits at least `us` microseconds, up to 10 000; for resets and settling times only.
    fn delay_us(&mut self, us: u32);

    /// Waits until an interrupt comes (HLT), which the timer's does 18 times a second; whether line `irq` came since
    /// the last call, and about how many microseconds it took. Where interrupts are not to be had it waits 20 us.
    fn rest(&mut self, irq: u8) -> (bool, u32) {
        let _ = irq;
        self.delay_us(20);
        (true, 20)
    }
}
