//! An FTP client that does nothing but what is measured.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// No answer takes longer, at any speed that is measured.
const LIMIT: Duration = Duration::from_secs(120);

/// A session, in passive mode and TYPE I.
pub struct Session {
    lines: BufReader<TcpStream>,
}

impl Session {
    /// Logs in.
    pub fn open(port: u16, user: &str, password: &str) -> Result<Session> {
        let mut session = Session::log_in(port, user, password)?;
        session.command("TYPE I", 200)?;
        Ok(session)
    }

    /// Logs in, and no more than that.
    pub fn log_in(port: u16, user: &str, password: &str) -> Result<Session> {
        let mut session = Session { lines: BufReader::new(connect(port)?) };
        session.expect(220)?;
        session.command(&format!("USER {user}"), 331)?;
        session.command(&format!("PASS {password}"), 230)?;
        Ok(session)
    }

    /// Sends a command whose reply must have this code; gives the reply's last line.
    pub fn command(&mut self, line: &str, code: u16) -> Result<String> {
        self.send(line)?;
        self.expect(code).with_context(|| line.to_owned())
    }

    /// Downloads whatever `command` sends.
    pub fn download(&mut self, command: &str) -> Result<Vec<u8>> {
        let mut data = self.passive()?;
        self.command(command, 150)?;
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes)?;
        drop(data);
        self.expect(226)?;
        Ok(bytes)
    }

    /// Downloads whatever `command` sends into memory that the client already has, as the limits' client: what the
    /// host takes to find some is no time of the server's. Gives the number of bytes, of which those beyond
    /// `buffer` are lost.
    pub fn download_into(&mut self, command: &str, buffer: &mut [u8]) -> Result<usize> {
        let mut data = self.passive()?;
        self.command(command, 150)?;
        let mut length = 0;
        while let Some(room) = buffer.get_mut(length..).filter(|room| !room.is_empty()) {
            match data.read(room)? {
                0 => break,
                count => length += count,
            }
        }
        length += std::io::copy(&mut data, &mut std::io::sink())? as usize;
        drop(data);
        self.expect(226)?;
        Ok(length)
    }

    /// Uploads to a name.
    pub fn upload(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut data = self.passive()?;
        self.command(&format!("STOR {name}"), 150)?;
        data.write_all(bytes)?;
        drop(data);
        self.expect(226)?;
        Ok(())
    }

    fn send(&mut self, line: &str) -> Result<()> {
        Ok(self.lines.get_mut().write_all(format!("{line}\r\n").as_bytes())?)
    }

    fn passive(&mut self) -> Result<TcpStream> {
        let reply = self.command("PASV", 227)?;
        let numbers: Vec<u16> = reply
            .split(['(', ')'])
            .nth(1)
            .context("PASV's reply")?
            .split(',')
            .map(|number| Ok(number.trim().parse::<u8>()?.into()))
            .collect::<Result<_>>()?;
        ensure!(numbers.len() == 6, "PASV's reply: {reply}");
        connect(numbers[4] << 8 | numbers[5])
    }

    fn expect(&mut self, code: u16) -> Result<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line)? == 0 {
                bail!("the server closed the connection");
            }
            // A reply's last line has a blank behind its code.
            let (start, rest) = line.split_at_checked(3).unwrap_or_default();
            if rest.starts_with(' ') && start.bytes().all(|byte| byte.is_ascii_digit()) {
                ensure!(start == code.to_string(), "{}", line.trim_end());
                return Ok(line);
            }
        }
    }
}

/// A connection to a port of this machine that sends everything at once.
pub fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}
