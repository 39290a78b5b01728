//! [`Memory`] over the host's heap: leaked, because the server's memory lives as long as the server.

use ftpsrv::memory::{Memory, OutOfMemory, Shortage};

/// Memory of a PC with a given size.
pub struct HostMemory {
    free: usize,
}

impl HostMemory {
    /// `size` bytes.
    pub fn new(size: usize) -> HostMemory {
        HostMemory { free: size }
    }
}

impl Memory<'static> for HostMemory {
    fn slots<T: 'static>(
        &mut self,
        purpose: &'static str,
        count: usize,
        make: impl FnMut(usize) -> T,
    ) -> Result<&'static mut [T], OutOfMemory> {
        let wanted = count * size_of::<T>();
        if wanted > self.free {
            let what = Shortage { purpose, wanted, available: self.free };
            return Err(OutOfMemory(Box::leak(Box::new(what))));
        }
        self.free -= wanted;
        Ok(Box::leak((0..count).map(make).collect::<Box<[T]>>()))
    }

    fn give_back(&mut self, bytes: &'static mut [u8]) {
        self.free += bytes.len();
    }

    fn free(&self) -> usize {
        self.free
    }
}
