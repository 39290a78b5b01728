//! A directory entry's 32 bytes (Microsoft FAT specification 1.03, sections 6 and 7): fields,
//! timestamps, and what is needed of long-name entries.
//!
//! Calls nothing but names and time.

use super::name83::Name83;
use crate::time::DateTime;

/// Bytes of an entry.
pub const ENTRY: usize = 32;

/// Attribute bits.
pub mod attribute {
    /// R
    pub const READ_ONLY: u8 = 0x01;
    /// H
    pub const HIDDEN: u8 = 0x02;
    /// S
    pub const SYSTEM: u8 = 0x04;
    /// Volume label.
    pub const LABEL: u8 = 0x08;
    /// Directory.
    pub const DIRECTORY: u8 = 0x10;
    /// A: changed since the last backup.
    pub const ARCHIVE: u8 = 0x20;
    /// All of R, H, S and label together: a piece of a long name.
    pub const LONG_NAME: u8 = 0x0F;
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Never used, nor any behind it.
    End,
    /// Deleted.
    Free,
    /// Piece of a long name, with the checksum of the short name that it belongs to.
    LongName(u8),
    /// Volume label.
    Label,
    /// `.` or `..`
    Dot,
    /// A file.
    File,
    /// A directory.
    Directory,
}

/// An entry's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dirent(pub [u8; ENTRY]);

/// An entry's bytes where they lie.
#[derive(Debug, Clone, Copy)]
pub struct View<'a>(pub &'a [u8; ENTRY]);

impl View<'_> {
    fn word(self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    /// The name; 05h in the first byte stands for E5h, which would mean "deleted".
    pub fn name(self) -> Name83 {
        let mut bytes = [b' '; 11];
        bytes.copy_from_slice(&self.0[..11]);
        if bytes[0] == 0x05 {
            bytes[0] = 0xE5;
        }
        Name83::from_raw(bytes)
    }

    /// Attribute bits.
    pub fn attributes(self) -> u8 {
        self.0[11]
    }

    /// Bytes of a file.
    pub fn size(self) -> u32 {
        u32::from(self.word(28)) | u32::from(self.word(30)) << 16
    }

    /// Time of the last change; [`DateTime::EPOCH`] for what is no time.
    pub fn modified(self) -> DateTime {
        let (date, time) = (self.word(24), self.word(22));
        let stamp = DateTime {
            year: 1980 + (date >> 9),
            month: (date >> 5 & 15) as u8,
            day: (date & 31) as u8,
            hour: (time >> 11) as u8,
            minute: (time >> 5 & 63) as u8,
            second: (time & 31) as u8 * 2,
        };
        if stamp.is_valid() { stamp } else { DateTime::EPOCH }
    }
}

impl Dirent {
    /// The entry at the start of `bytes`; an end mark when they are too few.
    pub fn read(bytes: &[u8]) -> Dirent {
        Dirent(bytes.get(..ENTRY).and_then(|b| b.try_into().ok()).unwrap_or([0; ENTRY]))
    }

    /// A fresh entry of `attributes`, made and changed `now`.
    pub fn new(name: &Name83, attributes: u8, now: DateTime) -> Dirent {
        let mut entry = Dirent([0; ENTRY]);
        entry.set_name(name);
        entry.0[11] = attributes;
        let (date, time) = stamp(now);
        // Hundredths of the creation time: DOS time has 2-second steps, this byte the odd second.
        entry.0[13] = if now.second % 2 == 1 { 100 } else { 0 };
        entry.set_word(14, time);
        entry.set_word(16, date);
        entry.set_modified(now);
        entry
    }

    /// What is only read.
    pub fn view(&self) -> View<'_> {
        View(&self.0)
    }

    fn set_word(&mut self, at: usize, value: u16) {
        self.0[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    /// What it is.
    pub fn kind(&self) -> EntryKind {
        kind_of(self.0[0], self.attributes(), self.0[13])
    }

    /// See [`View::name`].
    pub fn name(&self) -> Name83 {
        self.view().name()
    }

    /// Sets the name.
    pub fn set_name(&mut self, name: &Name83) {
        self.0[..11].copy_from_slice(name.as_raw());
        if self.0[0] == 0xE5 {
            self.0[0] = 0x05;
        }
        // Windows NT keeps the case of a short name here; ours are upper case.
        self.0[12] = 0;
    }

    /// Attribute bits.
    pub fn attributes(&self) -> u8 {
        self.0[11]
    }

    /// Sets the attribute bits.
    pub fn set_attributes(&mut self, bits: u8) {
        self.0[11] = bits;
    }

    /// First cluster; 0: none. The upper half counts on FAT32 only.
    pub fn cluster(&self, wide: bool) -> u32 {
        let high = if wide { u32::from(self.view().word(20)) << 16 } else { 0 };
        high | u32::from(self.view().word(26))
    }

    /// Sets the first cluster; the upper half on FAT32 only.
    pub fn set_cluster(&mut self, cluster: u32, wide: bool) {
        self.set_word(26, cluster as u16);
        if wide {
            self.set_word(20, (cluster >> 16) as u16);
        }
    }

    /// Bytes of a file.
    pub fn size(&self) -> u32 {
        self.view().size()
    }

    /// Sets the size.
    pub fn set_size(&mut self, size: u32) {
        self.0[28..32].copy_from_slice(&size.to_le_bytes());
    }

    /// See [`View::modified`].
    pub fn modified(&self) -> DateTime {
        self.view().modified()
    }

    /// Sets the time of the last change, and the date of the last access to the same day.
    pub fn set_modified(&mut self, time: DateTime) {
        let (date, time) = stamp(time);
        self.set_word(18, date);
        self.set_word(22, time);
        self.set_word(24, date);
    }
}

/// What an entry is, by its bytes 0, 11 (attributes) and 13 (a long name's checksum).
pub fn kind_of(first: u8, attributes: u8, sum: u8) -> EntryKind {
    match (first, attributes & 0x3F) {
        (0, _) => EntryKind::End,
        (0xE5, _) => EntryKind::Free,
        (_, attribute::LONG_NAME) => EntryKind::LongName(sum),
        (_, bits) if bits & attribute::LABEL != 0 => EntryKind::Label,
        (b'.', _) => EntryKind::Dot,
        (_, bits) if bits & attribute::DIRECTORY != 0 => EntryKind::Directory,
        _ => EntryKind::File,
    }
}

/// FAT date and time; seconds in steps of 2.
fn stamp(time: DateTime) -> (u16, u16) {
    let date = time.year.saturating_sub(1980).min(127) << 9
        | u16::from(time.month & 15) << 5
        | u16::from(time.day & 31);
    let time = u16::from(time.hour & 31) << 11
        | u16::from(time.minute & 63) << 5
        | u16::from(time.second / 2);
    (date, time)
}

/// The checksum in long-name entries of the short name that they belong to.
pub fn checksum(raw_name: &[u8]) -> u8 {
    raw_name.iter().fold(0u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip_in_steps_of_two_seconds() {
        let time = DateTime { year: 1999, month: 12, day: 31, hour: 23, minute: 59, second: 59 };
        let entry = Dirent::new(&Name83::parse(b"a.b").unwrap(), attribute::ARCHIVE, time);
        assert_eq!(entry.modified(), DateTime { second: 58, ..time });
        assert_eq!(Dirent([0xFF; 32]).modified(), DateTime::EPOCH);
    }

    #[test]
    fn a_name_that_begins_with_e5_is_no_deleted_entry() {
        let name = Name83::from_raw(*b"\xE5BC     TXT");
        let entry = Dirent::new(&name, 0, DateTime::EPOCH);
        assert_eq!(entry.0[0], 5);
        assert_eq!(entry.kind(), EntryKind::File);
        assert_eq!(entry.name(), name);
    }

    #[test]
    fn checksum_of_the_specification() {
        assert_eq!(checksum(b"FILENA~1TXT"), {
            let mut sum = 0u8;
            for byte in b"FILENA~1TXT" {
                sum = (if sum & 1 != 0 { 0x80u8 } else { 0 })
                    .wrapping_add(sum >> 1)
                    .wrapping_add(*byte);
            }
            sum
        });
    }
}
