//! Time as every layer sees it: milliseconds since start, and the calendar of the PC's own clock.
//!
//! Calls nothing. Local time is what the RTC says; [`Zone`] turns it into the UTC that MDTM and
//! MLSD want (RFC 3659 section 2.3).

use core::fmt;

/// Milliseconds since the kernel started. Never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Millis(pub u64);

impl Millis {
    /// Milliseconds from `earlier` to `self`; 0 when `earlier` is later.
    pub const fn since(self, earlier: Millis) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `ms` milliseconds after `self`.
    pub const fn plus(self, ms: u64) -> Millis {
        Millis(self.0.saturating_add(ms))
    }
}

/// A date and time of day without zone, as the RTC and FAT directory entries keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime {
    /// 1980 to 2107, the range of a FAT timestamp.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

impl DateTime {
    /// 1980-01-01 00:00:00, the first moment that FAT can express; stands in for a clock that is not set.
    pub const EPOCH: DateTime =
        DateTime { year: 1980, month: 1, day: 1, hour: 0, minute: 0, second: 0 };

    /// Days in `month` (1-12) of `year`.
    pub const fn days_in_month(year: u16, month: u8) -> u8 {
        match month {
            4 | 6 | 9 | 11 => 30,
            2 if year.is_multiple_of(4)
                && (!year.is_multiple_of(100) || year.is_multiple_of(400)) =>
            {
                29
            }
            2 => 28,
            _ => 31,
        }
    }

    /// The time of day as `hh:mm:ss`.
    pub fn clock(&self) -> [u8; 8] {
        let ([a, b], [c, d], [e, f]) =
            (two_digits(self.hour), two_digits(self.minute), two_digits(self.second));
        [a, b, b':', c, d, b':', e, f]
    }

    /// Whether every field is within its range.
    pub const fn is_valid(&self) -> bool {
        self.year >= 1980
            && self.year <= 2107
            && self.month >= 1
            && self.month <= 12
            && self.day >= 1
            && (self.day <= 28 || self.day <= Self::days_in_month(self.year, self.month))
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
    }

    /// Seconds since [`DateTime::EPOCH`].
    pub fn to_seconds(self) -> u32 {
        let years = u32::from(self.year.saturating_sub(1980));
        let mut days = first_day(years) + u32::from(self.day) - 1;
        for month in 1..self.month {
            days += u32::from(Self::days_in_month(self.year, month));
        }
        if self.year > 2100 {
            days -= 1;
        }
        ((days * 24 + u32::from(self.hour)) * 60 + u32::from(self.minute)) * 60
            + u32::from(self.second)
    }

    /// The inverse of [`DateTime::to_seconds`]; saturates at the end of 2107.
    pub fn from_seconds(seconds: u32) -> DateTime {
        let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
        if days >= first_day(121) - 1 {
            days += 1;
        }
        let years = days * 4 / 1461;
        let year = 1980 + years as u16;
        if year > 2107 {
            return DateTime { year: 2107, month: 12, day: 31, hour: 23, minute: 59, second: 59 };
        }
        days -= first_day(years);
        let mut month = 1;
        loop {
            let length = u32::from(Self::days_in_month(year, month));
            if days < length {
                break;
            }
            days -= length;
            month += 1;
        }
        let minutes = rest / 60;
        DateTime {
            year,
            month,
            day: days as u8 + 1,
            hour: (minutes / 60) as u8,
            minute: (minutes % 60) as u8,
            second: (rest % 60) as u8,
        }
    }
}

/// The day from 1980 on with which the year `years` after it begins, as if 2100 were a leap year.
const fn first_day(years: u32) -> u32 {
    years * 365 + years.div_ceil(4)
}

/// `YYYY-MM-DD HH:MM:SS`
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )
    }
}

/// Of a number below 100.
pub fn two_digits(number: u8) -> [u8; 2] {
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

/// Minutes that local time is ahead of UTC: -720 to 840.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zone(pub i16);

impl Zone {
    /// Local time to UTC; saturates at the ends of FAT's calendar.
    pub fn to_utc(self, local: DateTime) -> DateTime {
        self.shift(local, -i32::from(self.0))
    }

    /// UTC to local time; saturates at the ends of FAT's calendar.
    pub fn to_local(self, utc: DateTime) -> DateTime {
        self.shift(utc, i32::from(self.0))
    }

    fn shift(self, time: DateTime, minutes: i32) -> DateTime {
        if minutes == 0 {
            return time;
        }
        DateTime::from_seconds(time.to_seconds().saturating_add_signed(minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_trip_over_the_whole_calendar() {
        for seconds in (0..4_039_286_400u32).step_by(86_399 * 3) {
            let time = DateTime::from_seconds(seconds);
            assert!(time.is_valid());
            assert_eq!(time.to_seconds(), seconds);
        }
    }

    #[test]
    fn the_clock_has_two_digits_each() {
        let time = DateTime { hour: 7, minute: 0, second: 59, ..DateTime::EPOCH };
        assert_eq!(&time.clock(), b"07:00:59");
    }

    #[test]
    fn leap_years_count_and_2100_is_none() {
        let date = |year, month, day| DateTime { year, month, day, ..DateTime::EPOCH };
        for (time, days) in [
            (date(1980, 12, 31), 365),
            (date(1981, 1, 1), 366),
            (date(2000, 1, 1), 7305),
            (date(2100, 2, 28), 43_888),
            (date(2100, 3, 1), 43_889),
            (date(2101, 1, 1), 44_195),
            (date(2107, 12, 31), 46_750),
        ] {
            assert_eq!(time.to_seconds(), days * 86_400, "{time}");
            assert_eq!(DateTime::from_seconds(days * 86_400), time);
        }
        assert_eq!(DateTime::from_seconds(u32::MAX).year, 2107);
    }

    #[test]
    fn zones_cross_midnight_and_new_year() {
        let local = DateTime { year: 2000, month: 1, day: 1, hour: 0, minute: 30, second: 0 };
        let utc = Zone(60).to_utc(local);
        assert_eq!(
            utc,
            DateTime { year: 1999, month: 12, day: 31, hour: 23, minute: 30, second: 0 }
        );
        assert_eq!(Zone(60).to_local(utc), local);
    }
}
