//! What the guest sends out of COM1, line by line.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::Running;

/// More than this from one guest is a guest gone mad: the rest is read and dropped.
const LIMIT: usize = 100_000_000;

/// The lines of a running emulator's standard output.
pub struct Serial {
    lines: Receiver<String>,
}

impl Serial {
    /// Reads on in a thread of its own, so that the guest never waits for us.
    pub fn follow(running: &mut Running) -> Result<Serial> {
        let mut pipe = running.child().stdout.take().context("no pipe from the emulator")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut block = [0; 4096];
            let mut line = Vec::new();
            let mut total = 0;
            while let Ok(count @ 1..) = pipe.read(&mut block) {
                total += count;
                if total > LIMIT {
                    continue;
                }
                for byte in &block[..count] {
                    match byte {
                        b'\n' => {
                            let text = clean(&line);
                            line.clear();
                            // Nobody listens any more: read on all the same.
                            let _ = sender.send(text);
                        }
                        _ => line.push(*byte),
                    }
                }
            }
            if !line.is_empty() {
                let _ = sender.send(clean(&line));
            }
        });
        Ok(Serial { lines })
    }

    /// The next line, without its end.
    pub fn line(&self, limit: Duration) -> Result<String, RecvTimeoutError> {
        self.lines.recv_timeout(limit)
    }
}

/// Text for a terminal: what would steer it is left out.
fn clean(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.chars().filter(|character| !character.is_control() || *character == '\t').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_lose_their_escape() {
        assert_eq!(clean(b"a\x1b[2Jb\r"), "a[2Jb");
    }
}
