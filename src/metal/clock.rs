//! Time since the start: the BIOS's tick count, which our IRQ 0 and the BIOS's own both advance,
//! and within a tick the timer's counter.

use core::cell::Cell;

use ftpsrv::hw::pit;
use ftpsrv::time::Millis;

use super::low;
use super::ports::IoPorts;

/// Timer counts in a thousand milliseconds; a count is 1000 parts of it.
const PARTS_A_MS: u32 = pit::HERTZ;

/// Where the clock stood when it was read last.
#[derive(Clone, Copy)]
struct Reading {
    tick: u32,
    count: u32,
    ms: u64,
    /// Thousandths of timer counts that do not make a millisecond yet.
    parts: u32,
}

/// The clock.
pub struct Clock {
    last: Cell<Reading>,
}

impl Clock {
    /// Programs the timer and starts at 0.
    pub fn start() -> Clock {
        pit::start_clock(&mut IoPorts);
        let (tick, count) = sample();
        Clock { last: Cell::new(Reading { tick, count, ms: 0, parts: 0 }) }
    }

    /// Milliseconds since [`Clock::start`]. To be called once a day at least.
    pub fn now(&self) -> Millis {
        let mut last = self.last.get();
        let (tick, count) = sample();
        let ticks = if tick >= last.tick {
            tick - last.tick
        } else {
            // Midnight, where the count starts from 0.
            (tick + low::TICKS_A_DAY).saturating_sub(last.tick)
        };
        if ticks == 0 && count < last.count {
            // The counter began anew and its interrupt is not served yet.
            return Millis(last.ms);
        }
        // A tick's counts are far from u32's end for the first 65535 ticks, an hour.
        let counts =
            u64::from(ticks) * u64::from(pit::TICK) + u64::from(count) - u64::from(last.count);
        match u32::try_from(counts).ok().and_then(|counts| counts.checked_mul(1000)) {
            Some(parts) if parts <= u32::MAX - PARTS_A_MS => {
                let parts = parts + last.parts;
                last.ms += u64::from(parts / PARTS_A_MS);
                last.parts = parts % PARTS_A_MS;
            }
            _ => {
                let parts = counts * 1000 + u64::from(last.parts);
                last.ms += parts / u64::from(PARTS_A_MS);
                last.parts = (parts % u64::from(PARTS_A_MS)) as u32;
            }
        }
        (last.tick, last.count) = (tick, count);
        self.last.set(last);
        Millis(last.ms)
    }
}

/// Milliseconds since midnight, wrong by one or two now and then, for timing what is short.
#[inline(never)]
pub fn rough() -> u32 {
    let (tick, count) = sample();
    tick.wrapping_mul(55).wrapping_add(count / (PARTS_A_MS / 1000))
}

/// Tick and count of one moment.
fn sample() -> (u32, u32) {
    loop {
        let before: u32 = low::read(low::TICKS);
        let count = pit::elapsed(&mut IoPorts);
        if low::read::<u32>(low::TICKS) == before {
            return (before, count);
        }
    }
}
