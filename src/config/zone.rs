//! FTPSRV_TIMEZONE: how far the PC's clock is ahead of UTC.
//!
//! Two forms are taken:
//! - ISO 8601: `+01:00`, `-0330`, `+1`, `5`, `Z`: ahead of UTC is plus.
//! - POSIX, as DOS programs have it in their TZ variable: `EST5EDT`, `CET-1CEST`, `IST-5:30`: a name of
//!   three letters or more, and the hours that it is behind UTC, so that west is plus.
//!
//! Daylight time is not switched by itself: what follows the offset in the POSIX form is ignored, and who
//! sets the PC's clock for the summer writes the summer's offset. `UTC+1` and `GMT+1` are refused, because
//! people mean by them the opposite of what POSIX says.

use crate::time::Zone;

/// The zones that there are: west of Samoa to Kiribati, in minutes.
const RANGE: core::ops::RangeInclusive<i16> = -720..=840;

/// The zone that `text` means; `None` when it has neither form, or is out of range.
pub fn parse(text: &[u8]) -> Option<Zone> {
    let letters = text.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let (name, rest) = text.split_at_checked(letters)?;
    let minutes = match name.len() {
        0 => offset(rest, true)?,
        _ if is_utc(name) && rest.is_empty() => 0,
        1 | 2 => return None,
        _ => {
            let west = offset(rest, false)?;
            if is_utc(name) && west != 0 {
                return None;
            }
            -west
        }
    };
    RANGE.contains(&minutes).then_some(Zone(minutes))
}

fn is_utc(name: &[u8]) -> bool {
    [&b"Z"[..], b"UTC", b"GMT"].iter().any(|utc| name.eq_ignore_ascii_case(utc))
}

/// `[+-]H`, `HH`, `HH:MM` or (only where `whole`) `HHMM`, in minutes. What follows must be nothing where
/// `whole`, and otherwise the name of the summer time.
fn offset(text: &[u8], whole: bool) -> Option<i16> {
    let (sign, text) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    let (digits, mut rest) = split_digits(text);
    let (hours, mut minutes) = match digits.len() {
        1 | 2 => (number(digits), 0),
        4 if whole => (number(digits) / 100, number(digits) % 100),
        _ => return None,
    };
    if let [b':', after @ ..] = rest
        && digits.len() <= 2
    {
        let (digits, after) = split_digits(after);
        if digits.len() != 2 {
            return None;
        }
        (minutes, rest) = (number(digits), after);
    }
    let ends_well = match rest.first() {
        None => true,
        Some(next) => !whole && next.is_ascii_alphabetic(),
    };
    (ends_well && hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    text.split_at_checked(count).unwrap_or((text, &[]))
}

/// The value of up to four digits.
fn number(digits: &[u8]) -> i16 {
    digits.iter().fold(0, |value, digit| value * 10 + i16::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_offsets_are_ahead_of_utc() {
        for (text, minutes) in [
            (&b"+01:00"[..], 60),
            (b"-0330", -210),
            (b"+1", 60),
            (b"5", 300),
            (b"-12:00", -720),
            (b"+14:00", 840),
            (b"5:45", 345),
            (b"0", 0),
            (b"z", 0),
            (b"UTC", 0),
        ] {
            assert_eq!(parse(text), Some(Zone(minutes)), "{text:?}");
        }
    }

    #[test]
    fn posix_offsets_are_behind_utc() {
        for (text, minutes) in [
            (&b"EST5EDT"[..], -300),
            (b"CET-1CEST", 60),
            (b"est5", -300),
            (b"IST-5:30", 330),
            (b"NST3:30NDT", -210),
            (b"GMT0BST", 0),
            (b"EST5EDT,M3.2.0,M11.1.0", -300),
            (b"NZST-12NZDT", 720),
        ] {
            assert_eq!(parse(text), Some(Zone(minutes)), "{text:?}");
        }
    }

    #[test]
    fn the_rest_is_refused() {
        for text in [
            &b""[..],
            b"+",
            b"UTC+1",
            b"GMT-2",
            b"CET",
            b"15",
            b"-12:30",
            b"+14:01",
            b"+1:5",
            b"+1:60",
            b"+123",
            b"1x",
            b"EST0500",
            b"AB5",
            b"5.5",
            b"+01:00:00",
            b"99999",
            b"EST5!",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
