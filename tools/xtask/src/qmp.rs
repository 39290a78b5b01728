//! QEMU's machine protocol: keys, screen dumps.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use std::os::unix::net::UnixStream;

/// A connection to the socket of a running QEMU.
pub struct Qmp {
    lines: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects; QEMU may take a moment to make the socket.
    pub fn connect(socket: &Path) -> Result<Qmp> {
        let start = Instant::now();
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) if start.elapsed() > Duration::from_secs(10) => {
                    return Err(error).context("QEMU's control socket");
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut qmp = Qmp { lines: BufReader::new(stream) };
        qmp.read()?;
        qmp.command("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Carries out a command and gives what it returns.
    pub fn command(&mut self, name: &str, arguments: Value) -> Result<Value> {
        let request = json!({ "execute": name, "arguments": arguments });
        writeln!(self.lines.get_mut(), "{request}")?;
        loop {
            let mut answer = self.read()?;
            if let Some(error) = answer.get("error") {
                bail!("{name}: {error}");
            }
            // Events come in between.
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    /// Presses keys together, by QEMU's names for them: alt, h.
    pub fn keys(&mut self, keys: &[&str]) -> Result<()> {
        let keys: Vec<Value> =
            keys.iter().map(|key| json!({ "type": "qcode", "data": key })).collect();
        self.command("send-key", json!({ "keys": keys })).map(drop)
    }

    /// Writes the screen to `file`, a PPM.
    pub fn screen(&mut self, file: &Path) -> Result<()> {
        self.command("screendump", json!({ "filename": file })).map(drop)
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            bail!("QEMU has gone");
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Qmp {
    fn drop(&mut self) {
        let _ = self.lines.get_ref().shutdown(Shutdown::Both);
    }
}
