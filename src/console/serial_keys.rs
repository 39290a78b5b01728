//! Keys from a terminal on COM1: what a VT100 and its descendants send for the console's keys.

use super::terminal::Key;

/// Turns a terminal's bytes into keys. Alt is Escape before the letter, as terminals send it; a person
/// can type it so as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SerialKeys {
    /// Nothing is begun.
    #[default]
    Ground,
    /// Escape came.
    Escape,
    /// `ESC [` came, and the first digit of a parameter, if any.
    Sequence(u8),
}

impl SerialKeys {
    /// The key that `byte` completes.
    pub fn push(&mut self, byte: u8) -> Option<Key> {
        let (next, key) = match (*self, byte) {
            (_, 0x03) => (SerialKeys::Ground, Some(Key::Exit)),
            (_, 0x1B) => (SerialKeys::Escape, None),
            (SerialKeys::Escape, b'[') => (SerialKeys::Sequence(0), None),
            (SerialKeys::Escape, letter) => (SerialKeys::Ground, Some(alt(letter))),
            (SerialKeys::Sequence(0), digit @ b'0'..=b'9') => (SerialKeys::Sequence(digit), None),
            // Further parameters.
            (SerialKeys::Sequence(_), b'0'..=b'?') => (SerialKeys::Sequence(b'?'), None),
            (SerialKeys::Sequence(digit), last) => {
                (SerialKeys::Ground, Some(sequence(digit, last)))
            }
            (SerialKeys::Ground, _) => (SerialKeys::Ground, Some(Key::Other)),
        };
        *self = next;
        key
    }
}

fn alt(letter: u8) -> Key {
    match letter.to_ascii_lowercase() {
        b'b' => Key::Beeper,
        b'h' => Key::Help,
        b's' => Key::Statistics,
        b'u' => Key::Users,
        b'x' => Key::Exit,
        _ => Key::Other,
    }
}

fn sequence(digit: u8, last: u8) -> Key {
    match (digit, last) {
        (b'5', b'~') => Key::PageUp,
        (b'6', b'~') => Key::PageDown,
        _ => Key::Other,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = SerialKeys::default();
        bytes.iter().filter_map(|&byte| decoder.push(byte)).collect()
    }

    #[test]
    fn terminals_keys_are_the_consoles() {
        use Key::{Beeper, Exit, Help, Other, PageDown, PageUp, Statistics, Users};
        assert_eq!(keys(b"\x1bb\x1bH\x1bs\x1bu\x1bx"), [Beeper, Help, Statistics, Users, Exit]);
        assert_eq!(keys(b"\x1b[5~\x1b[6~\x03"), [PageUp, PageDown, Exit]);
        // Page up with shift, an arrow, a letter, two escapes.
        assert_eq!(keys(b"\x1b[5;2~"), [Other]);
        assert_eq!(keys(b"\x1b[Aq\x1b\x1bh"), [Other, Other, Help]);
        // A sequence that is cut by Ctrl-C does not swallow it.
        assert_eq!(keys(b"\x1b[\x03"), [Exit]);
    }
}
