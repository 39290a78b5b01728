//! Memory is carved once, at start, from what the machine has; what only the start needs is given back.
//!
//! The library cannot make memory (`forbid(unsafe_code)`, no heap): the kernel implements [`Memory`]
//! over the free ranges of the memory map, the host over `Box::leak`.

use core::fmt;

/// A piece of memory did not fit. One word: everything that takes memory can have it as its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory(pub &'static Shortage);

/// What did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// What the memory was for, in words for the user: "TCP buffers".
    pub purpose: &'static str,
    /// Bytes asked for.
    pub wanted: usize,
    /// Bytes that were left in the largest free range.
    pub available: usize,
}

const NOTHING: Shortage = Shortage { purpose: "nothing", wanted: 0, available: 0 };

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Not enough memory for {}: {} bytes needed, {} free. \
             Lower FTPSRV_CLIENTS, FTPSRV_FILEBUFFER_SIZE or FTPSRV_TCPBUFFER_SIZE in MTCP.CFG",
            self.0.purpose, self.0.wanted, self.0.available
        )
    }
}

/// Where start-up code gets memory that lives as long as the server.
pub trait Memory<'a> {
    /// `count` values of `T`, each made by `make(index)`.
    ///
    /// # Errors
    /// [`OutOfMemory`] when no free range holds them; nothing is taken then.
    fn slots<T: 'a>(
        &mut self,
        purpose: &'static str,
        count: usize,
        make: impl FnMut(usize) -> T,
    ) -> Result<&'a mut [T], OutOfMemory>;

    /// `len` zeroed bytes.
    ///
    /// # Errors
    /// As [`Memory::slots`].
    fn bytes(&mut self, purpose: &'static str, len: usize) -> Result<&'a mut [u8], OutOfMemory> {
        self.slots(purpose, len, |_| 0)
    }

    /// As [`Memory::bytes`], for what will be given back: so that it joins what is free beside it then.
    ///
    /// # Errors
    /// As [`Memory::slots`].
    fn bytes_for_now(
        &mut self,
        purpose: &'static str,
        len: usize,
    ) -> Result<&'a mut [u8], OutOfMemory> {
        self.bytes(purpose, len)
    }

    /// Puts one value where it stays as long as the server.
    ///
    /// # Errors
    /// [`OutOfMemory`]; the value is lost.
    fn place<T: 'a>(&mut self, purpose: &'static str, value: T) -> Result<&'a mut T, OutOfMemory> {
        let mut value = Some(value);
        let slot = self.slots(purpose, 1, |_| value.take())?;
        // There is one slot, with the value in it.
        slot.first_mut().and_then(Option::as_mut).ok_or(OutOfMemory(&NOTHING))
    }

    /// Takes back `bytes` of what it gave. Where memory is plenty it is lost.
    fn give_back(&mut self, bytes: &'a mut [u8]) {
        let _ = bytes;
    }

    /// Bytes left in all free ranges together.
    fn free(&self) -> usize;
}
