//! The `log` crate's lines, kept in a ring until the server takes them.

use core::cell::UnsafeCell;
use core::fmt::{self, Write};

use log::{LevelFilter, Log, Metadata, Record};

const CAPACITY: usize = 2048;

struct Ring {
    bytes: [u8; CAPACITY],
    start: usize,
    len: usize,
}

/// The one ring. There is one thread of control and interrupts never log.
struct Shared(UnsafeCell<Ring>);

// SAFETY: one thread of control.
unsafe impl Sync for Shared {}

static RING: Shared = Shared(UnsafeCell::new(Ring { bytes: [0; CAPACITY], start: 0, len: 0 }));

struct Logger;

impl Write for Ring {
    /// Drops what does not fit.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.len < CAPACITY {
                self.bytes[(self.start + self.len) % CAPACITY] = byte;
                self.len += 1;
            }
        }
        Ok(())
    }
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // SAFETY: one thread of control; formatting an argument does not log.
        let ring = unsafe { &mut *RING.0.get() };
        // Writing to the ring cannot fail.
        let _ = writeln!(ring, "{}", record.args());
    }

    fn flush(&self) {}
}

/// Makes the ring the target of `log::info!` and its like.
pub fn start() {
    // SAFETY: called once, by the only thread of control, before anything logs.
    let _ = unsafe { log::set_logger_racy(&Logger) };
    // SAFETY: as above.
    unsafe { log::set_max_level_racy(LevelFilter::Info) };
}

/// Takes the oldest line into `buffer`, cut to its length; `None` when there is none.
pub fn take(buffer: &mut [u8]) -> Option<&[u8]> {
    // SAFETY: one thread of control.
    let ring = unsafe { &mut *RING.0.get() };
    let mut length = 0;
    while ring.len > 0 {
        let byte = ring.bytes[ring.start];
        ring.start = (ring.start + 1) % CAPACITY;
        ring.len -= 1;
        if byte == b'\n' {
            return buffer.get(..length);
        }
        if let Some(slot) = buffer.get_mut(length) {
            *slot = byte;
            length += 1;
        }
    }
    // A line whose end did not fit in the ring.
    if length > 0 { buffer.get(..length) } else { None }
}
