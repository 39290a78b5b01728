//! What the drivers of bus masters have in common: the memory that card and driver share, and the bus.
//!
//! May call `memory`. The library cannot make such memory (`forbid(unsafe_code)`): the kernel does, and a
//! simulation of a card can.

use super::ports::Ports;
use crate::memory::{Memory, OutOfMemory};

/// A piece of memory at a fixed physical address, aligned to 16 bytes. The card may change it at any
/// time, so that it is read and written by copy. What lies beyond its end is ignored, and reads as zero.
pub trait DmaRegion {
    /// Physical address, for the card.
    fn address(&self) -> u32;

    /// The double word at `offset`, a multiple of 4. Nothing is read ahead of it.
    fn get(&self, offset: usize) -> u32;

    /// Writes the double word at `offset`, a multiple of 4, after everything that was written before.
    fn set(&mut self, offset: usize, value: u32);

    /// Copies bytes from `offset` on into `buffer`.
    fn read(&self, offset: usize, buffer: &mut [u8]);

    /// Copies `data` to `offset` and on.
    fn write(&mut self, offset: usize, data: &[u8]);
}

/// Memory of which some can be shared with cards.
pub trait DmaMemory<'a>: Memory<'a> {
    /// What is shared.
    type Region: DmaRegion + 'a;

    /// `len` zeroed bytes, aligned to 16. Cards on ISA reach the first 16 MB alone.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn dma(&mut self, purpose: &'static str, len: usize) -> Result<Self::Region, OutOfMemory>;
}

/// The station address that a card shows in its first six ports.
pub fn station_address(ports: &mut impl Ports, io: u16) -> [u8; 6] {
    let mut address = [0; 6];
    for (byte, register) in address.iter_mut().zip(io..) {
        *byte = ports.inb(register);
    }
    address
}

/// Lets a bus master on ISA have the bus by DMA `channel` (3, 5, 6 or 7): cascade mode, unmasked (Intel 8237A
/// data sheet). It stays so: another card that uses the channel in the same way goes on. `false` when
/// somebody asks for the bus there already; the PC would halt.
pub fn cascade(ports: &mut impl Ports, channel: u8) -> bool {
    const CASCADE: u8 = 0xC0;
    let (status, mask, mode) = if channel < 4 { (0x08, 0x0A, 0x0B) } else { (0xD0, 0xD4, 0xD6) };
    let line = channel & 3;
    if ports.inb(status) & 0x10 << line != 0 {
        return false;
    }
    ports.outb(mode, CASCADE | line);
    ports.outb(mask, line);
    true
}
