//! TYPE A: text with CRLF at the end of each line on the wire (RFC 959 section 3.1.1.1), which is DOS's own
//! form. A LF without CR, as Unix writes it, becomes CRLF on its way in either direction; everything
//! else stays as it is, so that text with DOS's line ends is never changed.
//!
//! Calls nothing.

/// Spreads the `length` bytes at `start` over `buffer` from its beginning, with CRLF for each bare LF, and
/// returns the length of the result. `true` beside it: its last byte is a CR whose LF did not fit and is
/// still to be sent. `after_cr`: whether the byte before was a CR; updated.
///
/// `start` is half of the buffer's length, rounded down, so that what is written never meets what is not
/// read yet.
pub fn spread(
    buffer: &mut [u8],
    start: usize,
    length: usize,
    after_cr: &mut bool,
) -> (usize, bool) {
    let mut out = 0;
    for index in start..start + length {
        let Some(&byte) = buffer.get(index) else { break };
        if byte == b'\n' && !*after_cr {
            put(buffer, &mut out, b'\r');
            if out == buffer.len() {
                *after_cr = false;
                return (out, true);
            }
        }
        put(buffer, &mut out, byte);
        *after_cr = byte == b'\r';
    }
    (out, false)
}

fn put(buffer: &mut [u8], out: &mut usize, byte: u8) {
    if let Some(place) = buffer.get_mut(*out) {
        *place = byte;
        *out += 1;
    }
}

/// How many of `text`'s first bytes can be stored as they are: up to the first bare LF.
pub fn storable(text: &[u8], after_cr: bool) -> usize {
    let mut after_cr = after_cr;
    for (index, &byte) in text.iter().enumerate() {
        if byte == b'\n' && !after_cr {
            return index;
        }
        after_cr = byte == b'\r';
    }
    text.len()
}

/// How many bytes longer `text` gets on its way: its bare LFs. `after_cr` as in [`spread`].
pub fn growth(text: &[u8], after_cr: &mut bool) -> u32 {
    let mut count = 0;
    for &byte in text {
        count += u32::from(byte == b'\n' && !*after_cr);
        *after_cr = byte == b'\r';
    }
    count
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// What goes over the wire when each send buffer has `room` bytes.
    fn sent(mut file: &[u8], room: usize) -> Vec<u8> {
        let (mut wire, mut after_cr, mut carry) = (vec![], false, false);
        while !file.is_empty() || carry {
            if carry {
                wire.push(b'\n');
                carry = false;
                continue;
            }
            let mut buffer = vec![0; room];
            let start = room / 2;
            let length = file.len().min(room - start);
            buffer[start..start + length].copy_from_slice(&file[..length]);
            file = &file[length..];
            let (filled, owes) = spread(&mut buffer, start, length, &mut after_cr);
            wire.extend_from_slice(&buffer[..filled]);
            carry = owes;
        }
        wire
    }

    fn expected(file: &[u8]) -> Vec<u8> {
        let mut wire = vec![];
        for (index, &byte) in file.iter().enumerate() {
            if byte == b'\n' && (index == 0 || file[index - 1] != b'\r') {
                wire.push(b'\r');
            }
            wire.push(byte);
        }
        wire
    }

    #[test]
    fn every_split_gives_the_same_text() {
        let files: [&[u8]; 6] = [
            b"",
            b"one\r\ntwo\nthree\r\n\n\n\r\r\n\rend\r",
            b"\n",
            b"\n\n\n\n\n\n\n\n\n",
            b"\r\n\r\n\r\n",
            b"no end",
        ];
        for file in files {
            let right = expected(file);
            for room in 1..40 {
                assert_eq!(sent(file, room), right, "{file:?} by {room}");
            }
            let mut after_cr = false;
            assert_eq!(file.len() + growth(file, &mut after_cr) as usize, right.len());
        }
    }

    #[test]
    fn uploads_stop_at_bare_line_feeds_only() {
        assert_eq!(storable(b"a\r\nb\nc", false), 4);
        assert_eq!(storable(b"\nx", false), 0);
        assert_eq!(storable(b"\nx", true), 2);
        assert_eq!(storable(b"a\r", false), 2);
    }
}
