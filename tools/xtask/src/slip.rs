//! The other end of the guest's serial line: SLIP (RFC 1055) and a TCP/IP stack, which forward ports of
//! this machine to the guest as an emulator's NAT does.
//!
//! Passive data connections alone: the guest reaches nobody. What COM1 says before the line carries IP,
//! and what is no IP packet later, is shown as lines of text.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::{Context, Result};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr};

use crate::emulator::Emulator;
use crate::run::READY;

/// The guest's address unless its config says another.
pub const GUEST: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);
/// Ours.
pub const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);
/// Largest packet either way.
const MTU: usize = 1006;
const BUFFER: usize = 16 * 1024;
const END: u8 = 0xC0;
const ESC: u8 = 0xDB;
const ESC_END: u8 = 0xDC;
const ESC_ESC: u8 = 0xDD;

/// What MTCP.CFG must say of a PC of this emulator with this card, unless it says otherwise: where the
/// gateway here is its network.
pub fn settings(emulator: Emulator, nic: &str) -> Vec<(&'static str, String)> {
    let mut settings = match emulator {
        // It has a card, and a program that makes the line of it.
        Emulator::V86 => Vec::new(),
        _ if nic == "slip" => vec![("FTPSRV_NIC", "slip com1 115200".into())],
        _ => return Vec::new(),
    };
    settings.extend([
        ("IPADDR", GUEST.to_string()),
        ("NETMASK", "255.255.255.0".into()),
        ("GATEWAY", HOST.to_string()),
    ]);
    settings
}

/// What is forwarded over the line that an emulator connects to.
pub struct Gateway {
    /// Where the emulator's COM1 comes in.
    pub listener: TcpListener,
    /// The guest's address.
    pub guest: Ipv4Addr,
    /// Ports of 127.0.0.1 and of the guest; the first is FTP's.
    pub forwards: Vec<(u16, u16)>,
}

/// The line's two directions, as a device of smoltcp's.
#[derive(Default)]
struct Line {
    received: VecDeque<Vec<u8>>,
    /// Encoded bytes on their way out.
    out: Vec<u8>,
    packet: Vec<u8>,
    escape: bool,
}

impl Line {
    /// Takes a byte from the guest; a text line that it completed.
    fn accept(&mut self, byte: u8) -> Option<String> {
        match (byte, std::mem::take(&mut self.escape)) {
            (END, _) => {
                let packet = std::mem::take(&mut self.packet);
                if is_ip(&packet) {
                    self.received.push_back(packet);
                    return None;
                }
                return text(&packet);
            }
            (ESC, _) => self.escape = true,
            (ESC_END, true) => self.packet.push(END),
            (ESC_ESC, true) => self.packet.push(ESC),
            (b'\n', _) if self.packet.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\r')) => {
                return text(&std::mem::take(&mut self.packet));
            }
            (byte, _) => self.packet.push(byte),
        }
        None
    }

    fn encode(&mut self, packet: &[u8]) {
        self.out.push(END);
        for &byte in packet {
            match byte {
                END => self.out.extend([ESC, ESC_END]),
                ESC => self.out.extend([ESC, ESC_ESC]),
                _ => self.out.push(byte),
            }
        }
        self.out.push(END);
    }
}

/// An IPv4 packet of the length that it says.
fn is_ip(packet: &[u8]) -> bool {
    let length =
        packet.get(2..4).map(|length| usize::from(length[0]) << 8 | usize::from(length[1]));
    packet.first().is_some_and(|first| first >> 4 == 4) && length == Some(packet.len())
}

fn text(bytes: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(bytes).trim_end().to_owned();
    (!line.is_empty()).then_some(line)
}

struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

struct Room<'l>(&'l mut Line);

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut packet = vec![0; length];
        let result = f(&mut packet);
        self.0.encode(&packet);
        result
    }
}

impl Device for Line {
    type RxToken<'l> = Received;
    type TxToken<'l> = Room<'l>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Room<'_>)> {
        let packet = self.received.pop_front()?;
        Some((Received(packet), Room(self)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        // A line is slow: what waits here is not yet sent, and must not be much.
        (self.out.len() < 2 * MTU).then_some(Room(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

/// A connection of this machine's and the one to the guest that carries it.
struct Bridge {
    stream: TcpStream,
    socket: SocketHandle,
    /// Bytes from the stream that the socket has not taken yet.
    to_guest: Vec<u8>,
    stream_ended: bool,
    guest_ended: bool,
}

impl Bridge {
    /// Moves bytes both ways; whether there were any, or `None` at the connection's end.
    fn pump(&mut self, socket: &mut Socket<'_>) -> Option<bool> {
        let mut busy = false;
        if self.to_guest.is_empty() && !self.stream_ended && socket.may_send() {
            let mut block = [0; 2048];
            match self.stream.read(&mut block) {
                Ok(0) => self.stream_ended = true,
                Ok(count) => self.to_guest.extend(&block[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => {
                    socket.abort();
                    return None;
                }
            }
        }
        if !self.to_guest.is_empty() && socket.can_send() {
            let sent = socket.send_slice(&self.to_guest).unwrap_or(0);
            self.to_guest.drain(..sent);
            busy = true;
        }
        if self.stream_ended && self.to_guest.is_empty() {
            socket.close();
        }
        if socket.can_recv() {
            let stream = &mut self.stream;
            let taken = socket.recv(|bytes| {
                let count = stream.write(bytes);
                (*count.as_ref().unwrap_or(&0), count)
            });
            match taken {
                Ok(Ok(_)) => busy = true,
                Ok(Err(error)) if error.kind() == ErrorKind::WouldBlock => {}
                _ => {
                    socket.abort();
                    return None;
                }
            }
        }
        if !socket.may_recv() && !socket.can_recv() && socket.state() != State::SynSent {
            if !self.guest_ended {
                self.guest_ended = true;
                // The other side may have gone already.
                let _ = self.stream.shutdown(Shutdown::Write);
            }
            if !socket.is_active() || socket.state() == State::TimeWait {
                return None;
            }
        }
        Some(busy)
    }
}

/// Everything that runs.
struct Running {
    line: Line,
    serial: TcpStream,
    interface: Interface,
    sockets: SocketSet<'static>,
    bridges: Vec<Bridge>,
    listeners: Vec<(TcpListener, u16)>,
    guest: Ipv4Addr,
    port: u16,
    lines: Sender<String>,
}

impl Gateway {
    /// Forwards until the emulator ends; text and READY go to `lines`.
    ///
    /// # Errors
    /// A port that is taken, or an emulator that does not come.
    pub fn run(self, lines: Sender<String>) -> Result<()> {
        let mut listeners = Vec::new();
        for (own, port) in &self.forwards {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *own))
                .with_context(|| format!("port {own} of 127.0.0.1"))?;
            listener.set_nonblocking(true)?;
            listeners.push((listener, *port));
        }
        let serial = self.listener.accept()?.0;
        serial.set_nonblocking(true)?;
        serial.set_nodelay(true)?;
        let mut line = Line::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = u64::from(std::process::id());
        let mut interface = Interface::new(config, &mut line, Instant::now());
        interface.update_ip_addrs(|addresses| {
            // The first address always fits.
            let _ = addresses.push(IpCidr::new(HOST.into(), 24));
        });
        let mut running = Running {
            line,
            serial,
            interface,
            sockets: SocketSet::new(Vec::new()),
            bridges: Vec::new(),
            listeners,
            guest: self.guest,
            port: 49_152,
            lines,
        };
        running.wait_for_server(self.forwards.first().map_or(21, |forward| forward.1));
        while let Some(busy) = running.turn() {
            if !busy {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }
}

impl Running {
    /// Begins a connection to the guest.
    fn connect(&mut self, port: u16) -> Option<SocketHandle> {
        let buffer = || SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = Socket::new(buffer(), buffer());
        self.port = if self.port == u16::MAX { 49_152 } else { self.port + 1 };
        socket.connect(self.interface.context(), (self.guest, port), self.port).ok()?;
        Some(self.sockets.add(socket))
    }

    /// Knocks at the server's port until it opens, and says so as the server would.
    fn wait_for_server(&mut self, port: u16) {
        loop {
            let Some(handle) = self.connect(port) else { return };
            let start = std::time::Instant::now();
            let mut open = false;
            while !open && start.elapsed() < Duration::from_secs(2) {
                if self.exchange().is_none() {
                    return;
                }
                open = self.sockets.get::<Socket<'_>>(handle).may_send();
                std::thread::sleep(Duration::from_millis(1));
            }
            self.sockets.get_mut::<Socket<'_>>(handle).abort();
            if self.exchange().is_none() {
                return;
            }
            self.sockets.remove(handle);
            if open {
                // Nobody listens any more: that is his affair.
                let _ = self.lines.send(format!("{READY}{}:{port}", self.guest));
                return;
            }
        }
    }

    /// Moves bytes between the line and the stack; whether there were any, `None` at the line's end.
    fn exchange(&mut self) -> Option<bool> {
        let mut block = [0; 4096];
        let mut busy = false;
        match self.serial.read(&mut block) {
            Ok(0) => return None,
            Ok(count) => {
                busy = true;
                for &byte in &block[..count] {
                    if let Some(text) = self.line.accept(byte) {
                        let _ = self.lines.send(text);
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
        self.interface.poll(Instant::now(), &mut self.line, &mut self.sockets);
        if !self.line.out.is_empty() {
            match self.serial.write(&self.line.out) {
                Ok(count) => {
                    self.line.out.drain(..count);
                    busy = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
        }
        Some(busy)
    }

    /// One turn of everything.
    fn turn(&mut self) -> Option<bool> {
        let mut busy = self.exchange()?;
        for index in 0..self.listeners.len() {
            let (listener, port) = &self.listeners[index];
            let Ok((stream, _)) = listener.accept() else { continue };
            let port = *port;
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            if let Some(socket) = self.connect(port) {
                self.bridges.push(Bridge {
                    stream,
                    socket,
                    to_guest: Vec::new(),
                    stream_ended: false,
                    guest_ended: false,
                });
            }
        }
        let sockets = &mut self.sockets;
        let mut ended = Vec::new();
        self.bridges.retain_mut(|bridge| {
            match bridge.pump(sockets.get_mut::<Socket<'_>>(bridge.socket)) {
                Some(moved) => {
                    busy |= moved;
                    true
                }
                None => {
                    ended.push(bridge.socket);
                    false
                }
            }
        });
        if !ended.is_empty() {
            // A reset leaves with the next poll.
            busy |= self.exchange()?;
            for handle in ended {
                self.sockets.remove(handle);
            }
        }
        Some(busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_and_text_are_told_apart() {
        let mut packet = vec![0x45, 0, 0, 22, END, ESC, b'\n'];
        packet.resize(22, 7);
        let mut line = Line::default();
        line.encode(&packet);
        let mut bytes = b"Disk 80h\r\nEnd".to_vec();
        bytes.append(&mut line.out);
        let said: Vec<String> = bytes.iter().filter_map(|&byte| line.accept(byte)).collect();
        assert_eq!(said, ["Disk 80h", "End"]);
        assert_eq!(line.received, [packet]);
    }
}
