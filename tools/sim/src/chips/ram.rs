//! Memory that a bus master reaches, and the memory of a PC whose drivers share some with cards.

use std::cell::RefCell;
use std::rc::Rc;

use ftpsrv::hw::dma::{DmaMemory, DmaRegion};
use ftpsrv::memory::{Memory, OutOfMemory, Shortage};

use crate::memory::HostMemory;

/// Bytes of it.
const SIZE: u32 = 128 * 1024;

/// The memory, from a physical address on; clones are the same.
#[derive(Clone)]
pub struct Ram {
    start: u32,
    bytes: Rc<RefCell<Vec<u8>>>,
}

impl Ram {
    /// 128 KB from `start` on.
    pub fn new(start: u32) -> Ram {
        Ram { start, bytes: Rc::new(RefCell::new(vec![0; SIZE as usize])) }
    }

    fn offset(&self, address: u32, length: usize) -> usize {
        let offset = address.wrapping_sub(self.start) as usize;
        assert!(offset + length <= SIZE as usize, "a card reaches for {address:X}h");
        offset
    }

    /// `length` bytes at a physical address. Panics outside, where a card would wreck the PC.
    pub fn read(&self, address: u32, length: usize) -> Vec<u8> {
        let offset = self.offset(address, length);
        self.bytes.borrow()[offset..offset + length].to_vec()
    }

    /// As [`Ram::read`], for writing.
    pub fn write(&self, address: u32, data: &[u8]) {
        let offset = self.offset(address, data.len());
        self.bytes.borrow_mut()[offset..offset + data.len()].copy_from_slice(data);
    }

    /// The double word at a physical address.
    pub fn dword(&self, address: u32) -> u32 {
        u32::from_le_bytes(self.read(address, 4).try_into().unwrap())
    }

    /// The word at a physical address.
    pub fn word(&self, address: u32) -> u16 {
        u16::from_le_bytes(self.read(address, 2).try_into().unwrap())
    }
}

/// A piece of it, as a driver has it.
pub struct Shared {
    ram: Ram,
    offset: usize,
    length: usize,
}

impl DmaRegion for Shared {
    fn address(&self) -> u32 {
        self.ram.start + self.offset as u32
    }

    fn get(&self, offset: usize) -> u32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.length);
        self.ram.dword(self.address() + offset as u32)
    }

    fn set(&mut self, offset: usize, value: u32) {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.length);
        self.ram.write(self.address() + offset as u32, &value.to_le_bytes());
    }

    fn read(&self, offset: usize, buffer: &mut [u8]) {
        assert!(offset + buffer.len() <= self.length);
        buffer.copy_from_slice(&self.ram.read(self.address() + offset as u32, buffer.len()));
    }

    fn write(&mut self, offset: usize, data: &[u8]) {
        assert!(offset + data.len() <= self.length);
        self.ram.write(self.address() + offset as u32, data);
    }
}

/// The memory of a PC with a card that reaches [`Ram`].
pub struct CardMemory {
    host: HostMemory,
    ram: Ram,
    next: usize,
}

impl CardMemory {
    /// `size` bytes for the server, and `ram` for cards.
    pub fn new(size: usize, ram: &Ram) -> CardMemory {
        CardMemory { host: HostMemory::new(size), ram: ram.clone(), next: 0 }
    }
}

impl Memory<'static> for CardMemory {
    fn slots<T: 'static>(
        &mut self,
        purpose: &'static str,
        count: usize,
        make: impl FnMut(usize) -> T,
    ) -> Result<&'static mut [T], OutOfMemory> {
        self.host.slots(purpose, count, make)
    }

    fn free(&self) -> usize {
        self.host.free()
    }
}

impl DmaMemory<'static> for CardMemory {
    type Region = Shared;

    fn dma(&mut self, purpose: &'static str, length: usize) -> Result<Shared, OutOfMemory> {
        let available = SIZE as usize - self.next;
        if length > available {
            let what = Shortage { purpose, wanted: length, available };
            return Err(OutOfMemory(Box::leak(Box::new(what))));
        }
        let offset = self.next;
        self.next = (offset + length).next_multiple_of(16);
        Ok(Shared { ram: self.ram.clone(), offset, length })
    }
}
