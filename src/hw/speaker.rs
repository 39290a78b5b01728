//! The PC speaker: channel 2 of the 8254, gated by port 61h.
//!
//! Source: IBM PC/AT Technical Reference, "System timers"; Intel 8254 data sheet, mode 3.

use super::pit;
use super::ports::Ports;

const CHANNEL2: u16 = 0x42;
const CONTROL: u16 = 0x43;
const GATE: u16 = 0x61;
/// Channel 2, low and high byte, mode 3 (square wave), binary.
const SQUARE_WAVE: u8 = 0xB6;
/// Bits of port 61h: channel 2's gate, and its output to the speaker.
const ON: u8 = 0x03;

/// Sounds the speaker at `hertz` until the next call; 0, and what is too low for the timer, is silence.
pub fn tone(ports: &mut impl Ports, hertz: u16) {
    let gate = ports.inb(GATE);
    let divisor = pit::HERTZ.checked_div(u32::from(hertz)).unwrap_or(u32::MAX);
    match u16::try_from(divisor) {
        Ok(divisor) => {
            let [low, high] = divisor.to_le_bytes();
            ports.outb(CONTROL, SQUARE_WAVE);
            ports.outb(CHANNEL2, low);
            ports.outb(CHANNEL2, high);
            ports.outb(GATE, gate | ON);
        }
        Err(_) => ports.outb(GATE, gate & !ON),
    }
}
