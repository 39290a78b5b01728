//! The server's own memory, as far as drivers have lent it to bus masters.

use std::cell::RefCell;
use std::rc::Rc;

/// Pieces that are remembered: more than bus masters work with at a time.
const PIECES: usize = 16;

/// Physical addresses are the low half of the host's.
#[derive(Clone, Default)]
pub struct Lent(Rc<RefCell<Vec<(u32, *const u8, usize)>>>);

impl Lent {
    /// Lends `length` bytes from `start` on: their physical address.
    pub fn lend(&self, start: *const u8, length: usize) -> u32 {
        let mut pieces = self.0.borrow_mut();
        if pieces.len() == PIECES {
            pieces.remove(0);
        }
        let address = start.addr() as u32;
        pieces.push((address, start, length));
        address
    }

    /// Where `length` bytes at a physical address are. Panics where nobody has lent any, where a bus master would
    /// wreck the PC.
    fn find(&self, address: u32, length: usize) -> *const u8 {
        let pieces = self.0.borrow();
        let inside = |&(start, _, size): &(u32, *const u8, usize)| {
            (address.wrapping_sub(start) as usize).saturating_add(length) <= size
        };
        let (start, pointer, _) = pieces.iter().rev().copied().find(inside).unwrap_or_else(|| {
            panic!("a bus master reaches for {length} bytes at {address:X}h, which nobody has lent")
        });
        pointer.wrapping_add(address.wrapping_sub(start) as usize)
    }

    /// `length` bytes at a physical address.
    pub fn read(&self, address: u32, length: usize) -> Vec<u8> {
        let start = self.find(address, length);
        // SAFETY: who lends memory keeps it in place until the bus master has done with it.
        (0..length).map(|at| unsafe { start.add(at).read_volatile() }).collect()
    }

    /// As [`Lent::read`], for writing.
    pub fn write(&self, address: u32, data: &[u8]) {
        let start = self.find(address, data.len()).cast_mut();
        for (at, &byte) in data.iter().enumerate() {
            // SAFETY: as above; for a command that reads, what was lent may be written.
            unsafe { start.add(at).write_volatile(byte) };
        }
    }
}
