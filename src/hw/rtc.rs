//! Motorola MC146818 real-time clock: date and time, and the periodic interrupt that ends a HLT.
//!
//! Source: MC146818 data sheet; IBM PC/AT Technical Reference, "Real-time clock" (register 32h
//! holds the century). A PC/XT has none: every read gives `None` there.

use super::ports::Ports;
use crate::time::DateTime;

const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;

const SECOND: u8 = 0x00;
const MINUTE: u8 = 0x02;
const HOUR: u8 = 0x04;
const DAY: u8 = 0x07;
const MONTH: u8 = 0x08;
const YEAR: u8 = 0x09;
const STATUS_A: u8 = 0x0A;
const STATUS_B: u8 = 0x0B;
const STATUS_C: u8 = 0x0C;
const CENTURY: u8 = 0x32;

const UPDATE_IN_PROGRESS: u8 = 0x80;
const PERIODIC: u8 = 0x40;
const BINARY: u8 = 0x04;
const HOURS_24: u8 = 0x02;
const PM: u8 = 0x80;
/// Rate selection for 256 Hz with a 32.768 kHz time base.
const RATE_256: u8 = 0x08;

fn read(ports: &mut impl Ports, register: u8) -> u8 {
    ports.outb(INDEX, register);
    ports.inb(DATA)
}

fn write(ports: &mut impl Ports, register: u8, value: u8) {
    ports.outb(INDEX, register);
    ports.outb(DATA, value);
}

/// Date and time; `None` without a clock, or when what it says is no date. Waits for the end of an
/// update, at most some 3 ms.
pub fn date_time(ports: &mut impl Ports) -> Option<DateTime> {
    let mut before = fields(ports)?;
    for _ in 0..4 {
        let after = fields(ports)?;
        if after == before {
            let format = read(ports, STATUS_B);
            return decode(after, format);
        }
        before = after;
    }
    None
}

/// Second, minute, hour, day, month, year, century as the registers have them.
fn fields(ports: &mut impl Ports) -> Option<[u8; 7]> {
    let mut waits = 0;
    while read(ports, STATUS_A) & UPDATE_IN_PROGRESS != 0 {
        waits += 1;
        if waits > 300 {
            return None;
        }
        ports.delay_us(10);
    }
    Some([SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, CENTURY].map(|register| read(ports, register)))
}

fn decode(fields: [u8; 7], format: u8) -> Option<DateTime> {
    let [second, minute, hour, day, month, year, century] = fields;
    let number = |value: u8| match format & BINARY {
        0 => (value >> 4).checked_mul(10)?.checked_add(value & 0x0F),
        _ => Some(value),
    };
    let mut hours = number(if format & HOURS_24 == 0 { hour & !PM } else { hour })?;
    if format & HOURS_24 == 0 {
        hours = hours % 12 + if hour & PM != 0 { 12 } else { 0 };
    }
    let year = u16::from(number(year)?);
    // The century's register is BCD on nearly all PCs, and something else on a few.
    let century = match century {
        0x19 | 19 => 1900,
        0x20 | 20 => 2000,
        0x21 | 21 => 2100,
        _ if year < 80 => 2000,
        _ => 1900,
    };
    let time = DateTime {
        year: century + year,
        month: number(month)?,
        day: number(day)?,
        hour: hours,
        minute: number(minute)?,
        second: number(second)?,
    };
    time.is_valid().then_some(time)
}

/// Starts the periodic interrupt (IRQ 8) at 256 Hz.
pub fn start_periodic(ports: &mut impl Ports) {
    let rate = read(ports, STATUS_A);
    write(ports, STATUS_A, rate & 0x70 | RATE_256);
    let control = read(ports, STATUS_B);
    write(ports, STATUS_B, control | PERIODIC);
    // An interrupt that waits from before would be the last one: register C has to be read.
    read(ports, STATUS_C);
}

/// Stops the periodic interrupt.
pub fn stop_periodic(ports: &mut impl Ports) {
    let control = read(ports, STATUS_B);
    write(ports, STATUS_B, control & !PERIODIC);
    read(ports, STATUS_C);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YEARS_EVE: DateTime =
        DateTime { year: 1999, month: 12, day: 31, hour: 23, minute: 59, second: 58 };

    #[test]
    fn bcd_and_binary_and_both_hour_formats() {
        let bcd24 = [0x58, 0x59, 0x23, 0x31, 0x12, 0x99, 0x19];
        assert_eq!(decode(bcd24, HOURS_24), Some(NEW_YEARS_EVE));
        let bcd12 = [0x58, 0x59, 0x11 | PM, 0x31, 0x12, 0x99, 0x19];
        assert_eq!(decode(bcd12, 0), Some(NEW_YEARS_EVE));
        let binary24 = [58, 59, 23, 31, 12, 99, 0x19];
        assert_eq!(decode(binary24, BINARY | HOURS_24), Some(NEW_YEARS_EVE));
        let binary12 = [58, 59, 11 | PM, 31, 12, 99, 19];
        assert_eq!(decode(binary12, BINARY), Some(NEW_YEARS_EVE));
    }

    #[test]
    fn midnight_and_noon_of_a_12_hour_clock() {
        let at = |hour| decode([0, 0, hour, 1, 1, 0x24, 0x20], 0).map(|time| time.hour);
        assert_eq!(at(0x12), Some(0));
        assert_eq!(at(0x12 | PM), Some(12));
        assert_eq!(at(0x01 | PM), Some(13));
    }

    #[test]
    fn a_missing_century_is_guessed_from_the_year() {
        let year = |year| decode([0, 0, 0, 1, 1, year, 0xFF], HOURS_24).map(|time| time.year);
        assert_eq!(year(0x79), Some(2079));
        assert_eq!(year(0x80), Some(1980));
    }

    #[test]
    fn no_clock_is_no_date() {
        assert_eq!(decode([0xFF; 7], 0xFF), None);
        assert_eq!(decode([0; 7], 0), None);
    }
}
