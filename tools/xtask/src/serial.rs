//! What the guest sends out of COM1, line by line.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::emulator::Com1;
use crate::process::Running;
use crate::slip::Gateway;

/// More than this from one guest is a guest gone mad: the rest is read and dropped.
const LIMIT: usize = 100_000_000;

/// The lines of a running emulator's COM1.
pub struct Serial {
    lines: Receiver<String>,
}

impl Serial {
    /// Follows an emulator's COM1; `log` gets a copy.
    pub fn open(running: &mut Running, com1: Com1, log: Option<File>) -> Result<Serial> {
        let source: Box<dyn Read + Send> = match com1 {
            Com1::Output => {
                Box::new(running.child().stdout.take().context("no pipe from the emulator")?)
            }
            Com1::File(path) => Box::new(Tail(File::open(path)?)),
            Com1::Socket(listener) => Box::new(Late { listener, stream: None }),
            Com1::Slip(gateway) => return Ok(Serial::forward(gateway)),
        };
        Ok(Serial::read(source, log))
    }

    /// Forwards ports over the line in a thread of its own.
    fn forward(gateway: Gateway) -> Serial {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            if let Err(error) = gateway.run(sender.clone()) {
                let _ = sender.send(format!("The serial line ends: {error:#}"));
            }
        });
        Serial { lines }
    }

    /// Reads on in a thread of its own, so that the guest never waits for us.
    fn read(mut source: Box<dyn Read + Send>, mut log: Option<File>) -> Serial {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut block = [0; 4096];
            let mut line = Vec::new();
            let mut total = 0;
            while let Ok(count @ 1..) = source.read(&mut block) {
                total += count;
                if total > LIMIT {
                    continue;
                }
                if let Some(log) = &mut log {
                    // A full disk is not the guest's fault.
                    let _ = log.write_all(&block[..count]);
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
        Serial { lines }
    }

    /// The next line, without its end.
    pub fn line(&self, limit: Duration) -> Result<String, RecvTimeoutError> {
        self.lines.recv_timeout(limit)
    }
}

/// A file that another program appends to: its end is not the end. The thread that reads it ends with
/// xtask.
struct Tail(File);

impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer)? {
                0 => std::thread::sleep(Duration::from_millis(50)),
                count => return Ok(count),
            }
        }
    }
}

/// A connection that is still to come.
struct Late {
    listener: std::net::TcpListener,
    stream: Option<std::net::TcpStream>,
}

impl Read for Late {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stream.is_none() {
            self.stream = Some(self.listener.accept()?.0);
        }
        self.stream.as_mut().map_or(Ok(0), |stream| stream.read(buffer))
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
