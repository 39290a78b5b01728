//! Intel 8254 programmable interval timer: channel 0 as the PC's clock.
//!
//! Source: Intel 8254 data sheet (231164), "Mode 2: rate generator", "Counter latch command".

use super::ports::Ports;

/// Counts of the timer in a second, times 1 (14.31818 MHz / 12).
pub const HERTZ: u32 = 1_193_182;
/// Counts in a tick of IRQ 0 at the full divisor, some 54.9 ms.
pub const TICK: u32 = 0x1_0000;

const CHANNEL0: u16 = 0x40;
const CONTROL: u16 = 0x43;
/// Channel 0, low and high byte, mode 2, binary.
const CLOCK_MODE: u8 = 0x34;
const LATCH0: u8 = 0x00;

/// Lets channel 0 count down from 65536 by ones. (Most BIOSes choose mode 3, which counts by twos
/// and so tells only half of a tick.) The rate of IRQ 0 stays the BIOS's 18.2 Hz.
pub fn start_clock(ports: &mut impl Ports) {
    ports.outb(CONTROL, CLOCK_MODE);
    ports.outb(CHANNEL0, 0);
    ports.outb(CHANNEL0, 0);
}

/// Counts since the last tick: 0 to 65535.
pub fn elapsed(ports: &mut impl Ports) -> u32 {
    ports.outb(CONTROL, LATCH0);
    let count = u16::from_le_bytes([ports.inb(CHANNEL0), ports.inb(CHANNEL0)]);
    u32::from(count.wrapping_neg())
}
