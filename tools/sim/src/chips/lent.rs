//! The server's own memory, as far as drivers have lent it to bus masters.

use std::cell::RefCell;
use std::rc::Rc;

/// Pieces that are remembered: more than bus masters work with at a time.
const PIECES: usize = 16;

#[derive(Clone, Copy)]
struct Piece {
    address: u32,
    start: *const u8,
    length: usize,
}

/// Physical addresses are the low half of the host's.
#[derive(Clone, Default)]
pub struct Lent(Rc<RefCell<Vec<Piece>>>);

impl Lent {
    /// Lends `length` bytes from `start` on: their physical address.
    pub fn lend(&self, start: *const u8, length: usize) -> u32 {
        let mut pieces = self.0.borrow_mut();
        if pieces.len() == PIECES {
            pieces.remove(0);
        }
        let address = start.addr() as u32;
        pieces.push(Piece { address, start, length });
        address
    }

    /// Where `length` bytes at a physical address are. Panics where nobody has lent any, where a bus master would
    /// wreck the PC.
    fn find(&self, address: u32, length: usize) -> *const u8 {
        let pieces = self.0.borrow();
        let inside = |piece: &&Piece| {
            let at = address.wrapping_sub(piece.address) as usize;
            at.saturating_add(length) <= piece.length
        };
        let piece = pieces.iter().rev().find(inside).unwrap_or_else(|| {
            panic!("a bus master reaches for {length} bytes at {address:X}h, which nobody has lent")
        });
        piece.start.wrapping_add(address.wrapping_sub(piece.address) as usize)
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
