//! The values that settings have, and what is said of those that are wrong.

use core::fmt;
use core::net::Ipv4Addr;

use super::file_name;
use super::settings::FileName;
use crate::vfs::Drive;
use crate::vfs::path::{DriveSet, PathError};

/// Why a value is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadValue {
    /// There is none.
    Missing,
    /// Not a number in this range.
    Range {
        min: u16,
        max: u16,
        /// What holds when the line is left out.
        default: u16,
    },
    /// Not what this setting takes, which is named.
    Expected(&'static str),
    /// Not the name of a file.
    File(PathError),
    /// More characters than this.
    TooLong(usize),
}

/// The range and what to do.
impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadValue::Missing => {
                f.write_str("the value is missing. Write it behind the name, or remove the line")
            }
            BadValue::Range { min, max, default } => write!(
                f,
                "the range is {min} to {max}. Choose a value in it, or remove the line for the \
                 default, {default}"
            ),
            BadValue::Expected(what) => write!(f, "it must be {what}. Correct the line"),
            BadValue::File(PathError::NoSuchDrive) => {
                f.write_str("it must name a file, like C:\\MTCP\\FTP.TXT. Correct the line")
            }
            BadValue::File(why) => write!(f, "{why}. Correct the line"),
            BadValue::TooLong(max) => write!(f, "it may have {max} characters. Shorten it"),
        }
    }
}

/// A whole number from `min` to `max`.
pub(super) fn number(text: &[u8], min: u16, max: u16, default: u16) -> Result<u16, BadValue> {
    decimal(text)
        .and_then(|value| u16::try_from(value).ok())
        .filter(|value| (min..=max).contains(value))
        .ok_or(BadValue::Range { min, max, default })
}

/// A buffer's size: `8`, `8K`, `8KB` or `8192`; in bytes.
pub(super) fn buffer_size(text: &[u8]) -> Result<usize, BadValue> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (count, unit) = text.split_at_checked(digits).unwrap_or((text, &[]));
    let is_kilo = [&b""[..], b"K", b"KB"].iter().any(|kilo| unit.eq_ignore_ascii_case(kilo));
    let kilobytes = match decimal(count) {
        Some(value @ 4..=16) if is_kilo => Some(value),
        Some(bytes @ 4096..=16384) if unit.is_empty() && bytes % 1024 == 0 => Some(bytes / 1024),
        _ => None,
    };
    kilobytes.and_then(|kilobytes| usize::try_from(kilobytes * 1024).ok()).ok_or(BadValue::Range {
        min: 4,
        max: 16,
        default: 8,
    })
}

/// `true` or `false`, or another usual pair.
pub(super) fn boolean(text: &[u8]) -> Result<bool, BadValue> {
    let is = |words: [&[u8]; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is([b"true", b"yes", b"on", b"1"]) {
        Ok(true)
    } else if is([b"false", b"no", b"off", b"0"]) {
        Ok(false)
    } else {
        Err(BadValue::Expected("true or false"))
    }
}

/// Four numbers with dots between them.
pub(super) fn address(text: &[u8]) -> Result<Ipv4Addr, BadValue> {
    let mut octets = [0u8; 4];
    let mut parts = text.split(|&b| b == b'.');
    for octet in &mut octets {
        *octet = parts
            .next()
            .filter(|part| part.len() <= 3)
            .and_then(decimal)
            .and_then(|value| u8::try_from(value).ok())
            .ok_or(BadValue::Expected(ADDRESS))?;
    }
    match parts.next() {
        None => Ok(octets.into()),
        Some(_) => Err(BadValue::Expected(ADDRESS)),
    }
}

const ADDRESS: &str = "four numbers of 0 to 255 with dots between them, like 192.168.2.100";

/// An address that clients are told to connect to. It may be their own machine's (127.0.0.1), which
/// forwards to this one: an emulator does.
pub(super) fn external_address(text: &[u8]) -> Result<Ipv4Addr, BadValue> {
    let address = address(text)?;
    if address.is_loopback() { Ok(address) } else { host_address(text) }
}

/// An address that one host can have.
pub(super) fn host_address(text: &[u8]) -> Result<Ipv4Addr, BadValue> {
    address(text).and_then(|address| match address.octets()[0] {
        0 | 127 | 224..=255 => Err(BadValue::Expected("the address of a host, like 192.168.2.100")),
        _ => Ok(address),
    })
}

/// A netmask: ones, then zeros.
pub(super) fn netmask(text: &[u8]) -> Result<Ipv4Addr, BadValue> {
    let mask = address(text)?;
    let bits = u32::from(mask);
    if bits != 0 && bits.leading_ones() + bits.trailing_zeros() == 32 {
        Ok(mask)
    } else {
        Err(BadValue::Expected("a netmask, like 255.255.255.0"))
    }
}

/// The name of a file, kept as written.
pub(super) fn file(text: &[u8]) -> Result<FileName, BadValue> {
    // Any drive serves to see whether it is a name at all.
    let any = Drive::from_index(0).ok_or(BadValue::Missing)?;
    file_name::locate(text, any).map_err(BadValue::File)?;
    FileName::from_slice(text).map_err(|_| BadValue::TooLong(80))
}

/// Drive letters, with or without colons, commas and blanks between them.
pub(super) fn drives(text: &[u8]) -> Result<DriveSet, BadValue> {
    let mut drives = DriveSet::EMPTY;
    for &byte in text.iter().filter(|b| !matches!(b, b':' | b',' | b' ' | b'\t')) {
        drives.insert(Drive::new(byte).ok_or(BadValue::Expected("drive letters, like AB"))?);
    }
    Ok(drives)
}

/// A host's name (RFC 1123 section 2.1; underscores are taken too, because DOS users have them).
pub(super) fn host_name(text: &[u8]) -> Result<heapless::String<32>, BadValue> {
    let is_valid = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !text.iter().all(is_valid) {
        return Err(BadValue::Expected("letters, digits and hyphens"));
    }
    string(text)
}

/// A network card's driver, perhaps with its parameters, which the driver looks at.
pub(super) fn card(text: &[u8]) -> Result<heapless::String<32>, BadValue> {
    let drivers = ["ne2000", "ne1000", "3c509", "rtl8029", "rtl8139", "pcnet", "slip"];
    let first = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    if !drivers.iter().any(|driver| first.eq_ignore_ascii_case(driver.as_bytes())) {
        return Err(BadValue::Expected(
            "ne2000, 3c509, rtl8029, rtl8139 or pcnet, perhaps with port and IRQ (ne2000 300 10), or slip com1 115200",
        ));
    }
    string(text)
}

/// Printable text of up to 32 characters.
fn string(text: &[u8]) -> Result<heapless::String<32>, BadValue> {
    if !text.iter().all(|b| matches!(b, b' '..=b'~')) {
        return Err(BadValue::Expected("plain text"));
    }
    let text = core::str::from_utf8(text).unwrap_or_default();
    heapless::String::try_from(text).map_err(|_| BadValue::TooLong(32))
}

/// The value of decimal digits, if there are any and it fits.
fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u32, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}
