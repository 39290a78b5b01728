//! Memory is carved once, at start, from what the machine has, and never given back.
//!
//! The library cannot make memory (`forbid(unsafe_code)`, no heap): the kernel implements [`Memory`]
//! over the free ranges of the memory map, the host over `Box::leak`.

use core::fmt;

/// A piece of memory did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory {
    /// What the memory was for, in words for the user: "TCP buffers".
    pub purpose: &'static str,
    /// Bytes asked for.
    pub wanted: usize,
    /// Bytes that were left in the largest free range.
    pub available: usize,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Not enough memory for {}: {} bytes needed, {} free. \
             Lower FTPSRV_CLIENTS, FTPSRV_FILEBUFFER_SIZE or FTPSRV_TCPBUFFER_SIZE in MTCP.CFG",
            self.purpose, self.wanted, self.available
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

    /// Puts one value where it stays as long as the server.
    ///
    /// # Errors
    /// [`OutOfMemory`]; the value is lost.
    fn place<T: 'a>(&mut self, purpose: &'static str, value: T) -> Result<&'a mut T, OutOfMemory> {
        let mut value = Some(value);
        let slot = self.slots(purpose, 1, |_| value.take())?;
        let lost = OutOfMemory { purpose, wanted: size_of::<T>(), available: 0 };
        slot.first_mut().and_then(Option::as_mut).ok_or(lost)
    }

    /// Bytes left in all free ranges together.
    fn free(&self) -> usize;
}
