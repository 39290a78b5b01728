//! Memory that a bus master card and its driver share.
//!
//! May call `memory`. The library cannot make such memory (`forbid(unsafe_code)`): the kernel does, and a
//! simulation of a card can.

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

    /// `len` zeroed bytes below 16 MB or wherever the card reaches with 32 address bits.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn dma(&mut self, purpose: &'static str, len: usize) -> Result<Self::Region, OutOfMemory>;
}
