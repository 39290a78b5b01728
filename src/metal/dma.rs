//! Memory that bus master cards reach: physical addresses are the kernel's own, and a PC's caches follow
//! what a bus master does.

use core::ptr;
use core::sync::atomic::{Ordering, compiler_fence};

use ftpsrv::hw::dma::DmaRegion;

/// A piece of the arena that a card may change at any time. No reference to it exists.
pub struct SharedMemory {
    start: *mut u8,
    len: usize,
}

impl SharedMemory {
    /// What the start is aligned to, bytes.
    pub const ALIGN: usize = 16;

    /// Gives `bytes` up to cards and driver.
    pub fn new(bytes: &'static mut [u8]) -> SharedMemory {
        let skip = bytes.as_ptr().align_offset(SharedMemory::ALIGN);
        let rest = bytes.get_mut(skip..).unwrap_or_default();
        SharedMemory { start: rest.as_mut_ptr(), len: rest.len() }
    }

    /// Where `offset` is, with `len` bytes behind it.
    fn at(&self, offset: usize, len: usize) -> Option<*mut u8> {
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len);
        inside.then(|| self.start.wrapping_add(offset))
    }
}

impl DmaRegion for SharedMemory {
    fn address(&self) -> u32 {
        self.start as u32
    }

    fn get(&self, offset: usize) -> u32 {
        let Some(place) = self.at(offset, 4) else { return 0 };
        // SAFETY: within the region, which is this value's alone; any bytes are a number.
        let value = unsafe { ptr::read_volatile(place.cast::<u32>()) };
        compiler_fence(Ordering::SeqCst);
        value
    }

    fn set(&mut self, offset: usize, value: u32) {
        compiler_fence(Ordering::SeqCst);
        if let Some(place) = self.at(offset, 4) {
            // SAFETY: as above.
            unsafe { ptr::write_volatile(place.cast::<u32>(), value) };
        }
        compiler_fence(Ordering::SeqCst);
    }

    fn read(&self, offset: usize, buffer: &mut [u8]) {
        compiler_fence(Ordering::SeqCst);
        if let Some(place) = self.at(offset, buffer.len()) {
            // SAFETY: within the region; `buffer` is memory of somebody else. What the card owns is
            // not copied, and if it were, bytes are bytes.
            unsafe { ptr::copy_nonoverlapping(place, buffer.as_mut_ptr(), buffer.len()) };
        }
        compiler_fence(Ordering::SeqCst);
    }

    fn write(&mut self, offset: usize, data: &[u8]) {
        if let Some(place) = self.at(offset, data.len()) {
            // SAFETY: as above.
            unsafe { ptr::copy_nonoverlapping(data.as_ptr(), place, data.len()) };
        }
        compiler_fence(Ordering::SeqCst);
    }
}
