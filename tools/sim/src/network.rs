//! A simulated Ethernet segment: the server's card on one end, hosts on the other, faults between them by
//! a seeded generator, and simulated time.
//!
//! A hub: what one station sends, all others get, after the latency. Faults act on every copy by itself.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use ftpsrv::net::nic::{Class, DriverInfo, Nic, ReceiveMode, SendError, Statistics};
use ftpsrv::time::Millis;

/// A small generator (xorshift64*) whose sequence depends on its seed alone.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Any seed.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// 0 to `end` - 1.
    pub fn below(&mut self, end: usize) -> usize {
        ((self.number() >> 33) as usize) % end.max(1)
    }

    /// True in `permille` of 1000 cases.
    pub fn chance(&mut self, permille: u16) -> bool {
        self.below(1000) < usize::from(permille)
    }

    /// `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.number() >> 32) as u8).collect()
    }
}

/// What the wire does to frames; each a number of 1000.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Lost.
    pub loss: u16,
    /// Delivered twice.
    pub duplicate: u16,
    /// Delayed by up to 20 ms more, so that later frames overtake it.
    pub reorder: u16,
    /// One bit of an IPv4 packet changed, as by a bus or a buffer: damage on the wire is caught by the FCS,
    /// and never gets here.
    pub corrupt: u16,
}

struct Flight {
    at: u64,
    frame: Vec<u8>,
}

#[derive(Default)]
struct Station {
    inbox: Vec<Flight>,
    connected: bool,
    /// Frames that the station holds before it drops.
    capacity: usize,
    statistics: Statistics,
}

struct Segment {
    now: u64,
    /// Milliseconds that what is sent leaves later.
    lag: u64,
    latency: u64,
    faults: Faults,
    random: Random,
    stations: Vec<Station>,
    log: Option<Vec<(usize, Vec<u8>)>>,
}

impl Segment {
    fn send(&mut self, from: usize, frame: &[u8]) {
        if let Some(log) = &mut self.log {
            log.push((from, frame.to_vec()));
        }
        self.stations[from].statistics.packets_out += 1;
        self.stations[from].statistics.bytes_out += frame.len() as u32;
        if !self.stations[from].connected {
            return;
        }
        for to in (0..self.stations.len()).filter(|to| *to != from) {
            let copies = 1 + usize::from(self.random.chance(self.faults.duplicate));
            for _ in 0..copies {
                self.deliver(to, frame);
            }
        }
    }

    fn deliver(&mut self, to: usize, frame: &[u8]) {
        if !self.stations[to].connected || self.random.chance(self.faults.loss) {
            return;
        }
        let mut frame = frame.to_vec();
        if frame.get(12..14) == Some(&[8, 0]) && self.random.chance(self.faults.corrupt) {
            let index = 14 + self.random.below(frame.len() - 14);
            frame[index] ^= 1 << self.random.below(8);
        }
        let mut at = self.now + self.lag + self.latency;
        if self.random.chance(self.faults.reorder) {
            at += 1 + self.random.below(20) as u64;
        }
        let station = &mut self.stations[to];
        let arrived = station.inbox.iter().filter(|flight| flight.at <= self.now).count();
        if arrived >= station.capacity {
            station.statistics.lost += 1;
            return;
        }
        station.inbox.push(Flight { at, frame });
    }

    fn receive(&mut self, station: usize) -> Option<Vec<u8>> {
        let now = self.now;
        let station = &mut self.stations[station];
        let first = station
            .inbox
            .iter()
            .enumerate()
            .filter(|(_, flight)| flight.at <= now)
            .min_by_key(|(_, flight)| flight.at)?
            .0;
        let frame = station.inbox.remove(first).frame;
        station.statistics.packets_in += 1;
        station.statistics.bytes_in += frame.len() as u32;
        Some(frame)
    }
}

/// The segment.
#[derive(Clone)]
pub struct Network(Rc<RefCell<Segment>>);

impl Network {
    /// A segment without faults and with a latency of 1 ms.
    pub fn new(seed: u64) -> Network {
        Network(Rc::new(RefCell::new(Segment {
            now: 0,
            lag: 0,
            latency: 1,
            faults: Faults::default(),
            random: Random::new(seed),
            stations: Vec::new(),
            log: None,
        })))
    }

    /// Simulated time.
    pub fn now(&self) -> Millis {
        Millis(self.0.borrow().now)
    }

    /// Lets `ms` milliseconds pass.
    pub fn advance(&self, ms: u64) {
        self.0.borrow_mut().now += ms;
    }

    /// What is sent from now on leaves so much later: its sender is busy in the middle of a turn.
    pub fn set_lag(&self, ms: u64) {
        self.0.borrow_mut().lag = ms;
    }

    /// What the wire does from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.borrow_mut().faults = faults;
    }

    /// Milliseconds from station to station, from now on.
    pub fn set_latency(&self, ms: u64) {
        self.0.borrow_mut().latency = ms;
    }

    /// Begins to record what is sent.
    pub fn record(&self) {
        self.0.borrow_mut().log = Some(Vec::new());
    }

    /// What was sent since [`Network::record`] or the last call, each with its station's number.
    pub fn take_recorded(&self) -> Vec<(usize, Vec<u8>)> {
        self.0.borrow_mut().log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// A new station, whose plug holds `capacity` frames.
    pub fn attach(&self, capacity: usize) -> Plug {
        let mut segment = self.0.borrow_mut();
        let station = Station { connected: true, capacity, ..Station::default() };
        segment.stations.push(station);
        Plug { network: self.clone(), station: segment.stations.len() - 1 }
    }
}

/// A station's connection to the segment.
pub struct Plug {
    network: Network,
    station: usize,
}

impl Plug {
    /// The station's number.
    pub fn station(&self) -> usize {
        self.station
    }

    /// Puts a frame on the wire.
    pub fn send(&self, frame: &[u8]) {
        self.network.0.borrow_mut().send(self.station, frame);
    }

    /// Takes the next frame that has arrived.
    pub fn receive(&self) -> Option<Vec<u8>> {
        self.network.0.borrow_mut().receive(self.station)
    }

    /// Pulls the plug, or puts it back. What is under way to it is lost.
    pub fn set_connected(&self, connected: bool) {
        let mut segment = self.network.0.borrow_mut();
        let station = &mut segment.stations[self.station];
        station.connected = connected;
        station.inbox.clear();
    }

    /// Counters since the start.
    pub fn statistics(&self) -> Statistics {
        self.network.0.borrow().stations[self.station].statistics
    }
}

/// A card on the segment, with the buffer of an NE2000; or the end of a SLIP line.
pub struct SimNic {
    plug: Plug,
    address: [u8; 6],
    class: Class,
    /// Frames that the transmitter takes in one millisecond; `None`: any number.
    pub transmit_rate: Option<u32>,
    sent: VecDeque<u64>,
}

/// The simulated card's station address.
pub const STATION: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

/// Full-size frames in the receive ring of a card with 16 KB.
const RING: usize = 8;

impl SimNic {
    /// An Ethernet card.
    pub fn new(network: &Network) -> SimNic {
        // The ring counts full-size frames; small ones take less of it. The wire counts frames.
        let plug = network.attach(RING * 4);
        SimNic {
            plug,
            address: STATION,
            class: Class::Ethernet,
            transmit_rate: None,
            sent: VecDeque::new(),
        }
    }

    /// The same wire carrying bare IP packets.
    pub fn slip(network: &Network) -> SimNic {
        SimNic { class: Class::Slip, address: [0; 6], ..SimNic::new(network) }
    }

    /// The station's number.
    pub fn station(&self) -> usize {
        self.plug.station()
    }
}

impl Nic for SimNic {
    fn info(&self) -> DriverInfo {
        DriverInfo {
            name: "simulated",
            class: self.class,
            io: 0x300,
            irq: Some(9),
            mtu: 1500,
            receive_frames: RING as u8,
        }
    }

    fn address(&self) -> [u8; 6] {
        self.address
    }

    fn can_send(&mut self) -> bool {
        let Some(rate) = self.transmit_rate else { return true };
        let now = self.plug.network.now().0;
        self.sent.retain(|at| *at == now);
        self.sent.len() < rate as usize
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        if !self.can_send() {
            return Err(SendError::Busy);
        }
        if self.class == Class::Ethernet && !(14..=1514).contains(&frame.len()) {
            return Err(SendError::BadLength);
        }
        self.sent.push_back(self.plug.network.now().0);
        if self.transmit_rate.is_none() {
            self.sent.clear();
        }
        let mut frame = frame.to_vec();
        if self.class == Class::Ethernet && frame.len() < 60 {
            frame.resize(60, 0);
        }
        self.plug.send(&frame);
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let frame = self.plug.receive()?;
        buffer.get_mut(..frame.len())?.copy_from_slice(&frame);
        Some(frame.len())
    }

    fn set_receive_mode(&mut self, _: ReceiveMode) {}

    fn statistics(&self) -> Statistics {
        self.plug.statistics()
    }
}
