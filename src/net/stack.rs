//! The TCP/IP stack: built once from a card, a plan and memory; polled from the server's loop.
//!
//! May call everything in `net`. A round of [`Stack::poll`] does a bounded amount of work: at most
//! [`MOST_FRAMES`] in, [`BURST`] out. Sockets that nothing happened to are looked at every [`TICK`]
//! or [`SLOW_TICK`] milliseconds, when their timers may be due.

use core::net::Ipv4Addr;

use smoltcp::iface::{Config, Interface, PollResult, SocketHandle};
use smoltcp::socket::dhcpv4;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{DhcpOption, EthernetAddress, HardwareAddress};

use super::address::{self, Address, AddressPlan, Event};
use super::control::{self, ControlPool, ControlPort};
use super::data::{DataPool, DataPort, Route};
use super::device::NicDevice;
use super::flow::{Flow, Step};
use super::nic::{self, Class, Nic, ReceiveMode};
use super::packet::{self, Identity, Packet, Reject, Segment};
use crate::memory::{Memory, OutOfMemory};
use crate::time::Millis;

/// Frames taken in before something is sent: more than a card of 16 KB holds of full ones.
const MOST_FRAMES: usize = 24;
/// Packets of data sockets sent before the card is looked at again. Their acknowledgements fit in its ring.
const BURST: usize = 4;
/// Bytes of data that one packet of smoltcp's carries at most, to be cut into segments.
const PIECE: usize = 16384;
/// Milliseconds between looks at the timers of the data sockets, and of all others, where nothing is urgent:
/// a bare acknowledgement may take five times as long (RFC 1122 section 4.2.3.2).
const TICK: u64 = 30;
const SLOW_TICK: u64 = 100;
/// Milliseconds that pass for connections between two turns at most. A disk command may keep the server
/// away from the wire for longer, which is no silence of its clients.
const LONGEST_TURN: u64 = 1_000;
/// Rounds of egress on a control socket in one turn: a reply is rarely more than one packet.
const CONTROL_ROUNDS: usize = 4;
/// Milliseconds between reports of an address conflict, which an attacker could make by the thousand.
const CONFLICTS: u64 = 60_000;
/// Option 12 of RFC 2132.
const HOST_NAME: u8 = 12;
/// DHCP's first message is sent again after so many seconds (RFC 2131 section 4.1 says 4).
const DISCOVER: Duration = Duration::from_secs(4);

/// What the stack is built for.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// Where our address comes from.
    pub address: AddressPlan<'a>,
    /// Largest IP packet, 576 to 1500; the card's limit holds too.
    pub mtu: u16,
    /// The port of the control connections.
    pub control_port: u16,
    /// Sockets of the control port: one for each client, and one to three more, on which the server refuses
    /// clients and others wait.
    pub control_sockets: usize,
    /// Receive and send buffer of each control socket, bytes.
    pub control_buffers: (usize, usize),
    /// Data sockets: one for each client.
    pub data_sockets: usize,
    /// Receive and send buffer of each data socket, bytes; where memory is short they are smaller, 4 KB at
    /// least. For speed at least 2 * 1460.
    pub data_buffers: (usize, usize),
    /// Bytes of memory that others take before [`Stack::furnish`].
    pub kept: usize,
    /// Control connections from one address at most; further ones wait in the client's TCP. Where a NAT
    /// makes all clients look like one, as many as there are control sockets.
    pub per_address: usize,
    /// Makes sequence numbers and DHCP transactions differ from start to start.
    pub seed: u64,
}

/// What a call of [`Stack::poll`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activity {
    /// Frames taken from the card.
    pub received: usize,
    /// Frames given to the card.
    pub sent: usize,
    /// Something came for the control connections, or for none.
    pub control: bool,
    /// Data sockets that something happened to, a bit for each.
    data: u16,
}

impl Activity {
    /// Whether nothing happened, so that the CPU may rest until the next interrupt.
    pub fn is_idle(&self) -> bool {
        self.received == 0 && self.sent == 0
    }

    /// Whether something happened to any data socket.
    pub fn has_any_data(&self) -> bool {
        self.data != 0
    }

    /// Data sockets that something happened to, a bit for each.
    pub fn data(&self) -> u16 {
        self.data
    }
}

/// Counters since the start; they wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// The card's own.
    pub nic: nic::Statistics,
    /// Frames of other protocols or to other stations.
    pub not_for_us: u32,
    /// Frames that contradict themselves, and fragments.
    pub malformed: u32,
    /// Frames from senders that cannot exist.
    pub spoofed: u32,
    /// IP packets and TCP segments that were damaged on the way.
    pub bad_checksum: u32,
    /// TCP segments for us.
    pub segments_in: u32,
    /// SYNs to the control port that found no socket, or came from an address with too many.
    pub refused: u32,
    /// Segments to a passive port from another address than its owner's.
    pub strangers: u32,
    /// Control connections that were established.
    pub accepted: u32,
    /// Echo requests answered.
    pub pings: u32,
}

/// The TCP/IP stack with all its sockets.
pub struct Stack<'a> {
    device: NicDevice<'a>,
    interface: Interface,
    identity: Identity,
    address: Option<Address>,
    dhcp: Option<SocketHandle>,
    event: Option<Event>,
    control: ControlPool<'a>,
    /// Sizes of a control connection's buffers for receiving and sending, bytes.
    control_buffers: (usize, usize),
    data: DataPool<'a>,
    counters: Statistics,
    /// When the last turn was.
    polled: Millis,
    /// The connections' clock.
    now: Millis,
    next_tick: Millis,
    next_slow_tick: Millis,
    next_conflict: Millis,
    /// What is for a data socket, in the device's keeping until the frame behind it is seen.
    held: Option<Held>,
    /// The frames of which that is made.
    flow: Flow,
}

/// Whose sockets a frame is for: those of an index among the control connections', or the data sockets'.
#[derive(Clone, Copy)]
enum Whose {
    Control(usize),
    Data(usize),
}

/// What is held for the data socket of this index.
#[derive(Clone, Copy)]
struct Held {
    index: usize,
    /// It is more than one frame.
    more: bool,
}

fn instant(now: Millis) -> Instant {
    Instant::from_millis(now.0 as i64)
}

impl<'a> Stack<'a> {
    /// Builds the stack on `nic` and begins to listen. A fixed address that cannot work
    /// ([`Address::is_usable`]) is not taken: [`Stack::address`] says so.
    ///
    /// # Errors
    /// [`OutOfMemory`] with what did not fit.
    // A frame of its own: it passes over the stack once.
    #[inline(never)]
    pub fn new<M: Memory<'a>>(
        nic: &'a mut (dyn Nic + 'a),
        plan: &Plan<'a>,
        memory: &mut M,
        now: Millis,
    ) -> Result<&'a mut Stack<'a>, OutOfMemory> {
        nic.set_receive_mode(ReceiveMode::Broadcast);
        let (class, mut station) = (nic.info().class, nic.address());
        // A station address is unicast; a card whose PROM says otherwise still works without that bit.
        station[0] &= !1;
        let mut config = Config::new(match class {
            Class::Ethernet => HardwareAddress::Ethernet(EthernetAddress(station)),
            Class::Slip => HardwareAddress::Ip,
        });
        config.random_seed = plan.seed;
        let mut control =
            ControlPool::new(plan.control_port, plan.control_sockets, plan.per_address, memory)?;
        let (receive, send) = plan.control_buffers;
        let data = DataPool::new(
            plan.control_port,
            plan.data_sockets,
            plan.data_buffers,
            plan.kept + plan.control_sockets * (receive + send),
            plan.seed,
            memory,
        )?;
        let piece = (data.buffers().1 / 2).min(PIECE);
        let mut device = NicDevice::new(nic, plan.mtu, plan.control_port, piece);
        let interface = Interface::new(config, &mut device, instant(now));
        let dhcp = match plan.address {
            AddressPlan::Dhcp { hostname } if class == Class::Ethernet => {
                Some(control.others.add(dhcp_client(hostname, memory)?))
            }
            _ => None,
        };
        let identity = Identity {
            class,
            station,
            address: None,
            broadcast: Ipv4Addr::BROADCAST,
            dhcp: dhcp.is_some(),
        };
        let stack = Stack {
            device,
            interface,
            identity,
            address: None,
            dhcp,
            event: None,
            control,
            control_buffers: plan.control_buffers,
            data,
            counters: Statistics::default(),
            polled: now,
            now,
            next_tick: now,
            next_slow_tick: now,
            next_conflict: now,
            held: None,
            flow: Flow::default(),
        };
        let stack = memory.place("the network", stack)?;
        if let AddressPlan::Fixed(address) = plan.address {
            stack.use_address(Some(address).filter(Address::is_usable));
        }
        Ok(stack)
    }

    /// Takes the memory for what is sent and received, before anything is. It need not be there while the
    /// stack is made.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn furnish(&mut self, memory: &mut impl Memory<'a>) -> Result<(), OutOfMemory> {
        // The largest first.
        self.data.furnish(memory)?;
        self.device.furnish(memory)?;
        self.control.furnish(self.control_buffers, memory)
    }

    /// Sizes of a data connection's buffers for receiving and sending, bytes.
    pub fn data_buffers(&self) -> (usize, usize) {
        self.data.buffers()
    }

    fn use_address(&mut self, address: Option<Address>) {
        self.address = address;
        self.identity.address = address.map(|address| address.ip);
        self.identity.broadcast =
            address.map_or(Ipv4Addr::BROADCAST, |address| address.broadcast());
        address::assign(&mut self.interface, address);
    }

    /// Lets timers act, and does up to `rounds` rounds of taking in what the card holds and sending what
    /// there is to send; at least one, and none after one in which nothing happened.
    pub fn poll(&mut self, polled: Millis, rounds: usize) -> Activity {
        let now = self.now.plus(polled.since(self.polled).min(LONGEST_TURN));
        (self.polled, self.now) = (polled, now);
        let mut activity = Activity::default();
        if now >= self.next_slow_tick {
            self.next_slow_tick = now.plus(SLOW_TICK);
            self.control.look_at_all();
        }
        if now >= self.next_tick {
            self.next_tick = now.plus(TICK);
            self.data.look_at_all();
        }
        for _ in 0..rounds.max(1) {
            let received = self.take_in();
            if self.control.dirty != 0 {
                activity.control |= received > 0;
                self.follow_lease();
                self.control.settle(now);
                self.send_replies();
            }
            self.send_data(received == 0);
            let sent = self.device.take_sent();
            activity.received += received;
            activity.sent += sent;
            if received == 0 && sent == 0 {
                break;
            }
        }
        activity.data = self.data.take_news();
        activity
    }

    /// Receives what the card holds, [`MOST_FRAMES`] at most; how many frames that were.
    fn take_in(&mut self) -> usize {
        let mut received = 0;
        while received < MOST_FRAMES && self.receive() {
            received += 1;
        }
        self.deliver_held();
        received
    }

    /// Sends a burst of the data sockets' packets; `quiet`: nothing was received.
    fn send_data(&mut self, quiet: bool) {
        let (now, ring) = (self.now, self.device.ring());
        let (interface, device) = (&mut self.interface, &mut self.device);
        self.data.egress(now, BURST, (ring, quiet), &mut |set, window| {
            device.is_ready().then(|| {
                device.announce(window);
                let sent = interface.poll_egress(instant(now), device, set);
                (sent == PollResult::SocketStateChanged).then(|| device.last_sent())
            })
        });
    }

    /// Receives one frame; whether there was one.
    fn receive(&mut self) -> bool {
        let Some(frame) = self.device.fetch() else { return false };
        // No connection has seen anything since what is held was found to be for its own.
        if let Some(held) = &mut self.held
            && let Some(step) = self.flow.follow(frame)
        {
            held.more = true;
            bump(&mut self.counters.segments_in);
            match step {
                Step::Acknowledgement => self.device.hold(),
                Step::Data(length) => {
                    if self.device.join(length, self.flow.last()) {
                        self.deliver_held();
                    }
                }
            }
            return true;
        }
        match packet::classify(frame, &self.identity) {
            Ok(packet) => self.deliver(packet),
            Err(Reject::NotForUs) => bump(&mut self.counters.not_for_us),
            Err(Reject::Malformed) => bump(&mut self.counters.malformed),
            Err(Reject::Spoofed) => bump(&mut self.counters.spoofed),
            Err(Reject::Checksum) => bump(&mut self.counters.bad_checksum),
        }
        true
    }

    /// Gives the fetched frame to the socket that it is for, or to nobody.
    fn deliver(&mut self, packet: Packet) {
        match packet {
            Packet::Conflict(station) => {
                if self.now >= self.next_conflict {
                    self.next_conflict = self.now.plus(CONFLICTS);
                    self.event.get_or_insert(Event::Conflict(station));
                }
            }
            Packet::Ping => {
                bump(&mut self.counters.pings);
                self.hand_over(Whose::Control(control::OTHERS));
            }
            Packet::Arp | Packet::Dhcp => {
                // A neighbour who answers may be one that a connection waits for.
                self.control.look_at_all();
                self.hand_over(Whose::Control(control::OTHERS));
            }
            Packet::Tcp(segment) if segment.port == self.control.port => {
                bump(&mut self.counters.segments_in);
                match self.control.route(&segment, self.now) {
                    Some(index) => self.hand_over(Whose::Control(index)),
                    None => bump(&mut self.counters.refused),
                }
            }
            Packet::Tcp(segment) => {
                bump(&mut self.counters.segments_in);
                self.deliver_held();
                match self.data.route(&segment) {
                    Route::Slot(index) => self.deliver_data(index, segment),
                    Route::Stranger => bump(&mut self.counters.strangers),
                    Route::Elsewhere => self.hand_over(Whose::Control(control::OTHERS)),
                }
            }
        }
    }

    /// Gives the fetched frame to a data socket. A bare acknowledgement waits for the frame behind it: where
    /// that is one of the same connection which says more, TCP need not look at both. Data waits for data
    /// that continues it: TCP's work for a packet costs more than its data.
    fn deliver_data(&mut self, index: usize, segment: Segment) {
        if segment.is_syn() {
            let mss = self.device.take_mss();
            self.data.note_mss(index, mss);
        }
        if let Some(headers) = self.device.headers() {
            self.flow.begin(headers, &segment);
            if segment.only_acknowledges() && self.device.can_hold() {
                self.device.hold();
                self.held = Some(Held { index, more: false });
                return;
            }
            if segment.is_plain_data() && self.device.begin_run(&segment) {
                self.held = Some(Held { index, more: false });
                return;
            }
        }
        self.hand_over(Whose::Data(index));
    }

    /// Gives what waits to its socket.
    fn deliver_held(&mut self) {
        let Some(held) = self.held.take() else { return };
        if held.more {
            self.data.follow(held.index, self.flow.last(), true);
        }
        self.device.show_held();
        self.hand_over(Whose::Data(held.index));
        self.device.show_fetched();
    }

    /// Shows smoltcp the fetched frame, and the sockets that it is for.
    fn hand_over(&mut self, whose: Whose) {
        let set = match whose {
            Whose::Control(index) => self.control.set(index),
            Whose::Data(index) => match self.data.set(index) {
                Some(set) => set,
                None => return,
            },
        };
        self.interface.poll_ingress_single(instant(self.now), &mut self.device, set);
    }

    /// Sends what the control sockets and the DHCP client have that are to be looked at, as far as the card
    /// takes it.
    pub fn send_replies(&mut self) {
        let mut left = self.control.dirty;
        while let Some(index) = control::take_lowest(&mut left) {
            for _ in 0..CONTROL_ROUNDS {
                if !self.device.is_ready() {
                    return;
                }
                let (now, set) = (instant(self.now), self.control.set(index));
                if self.interface.poll_egress(now, &mut self.device, set) == PollResult::None {
                    self.control.dirty &= !control::bit(index);
                    break;
                }
            }
        }
    }

    /// Whether there may be something to be sent on the data connections since the last [`Stack::poll`].
    pub fn has_news_to_send(&self) -> bool {
        self.data.touched
    }

    /// Takes over what the DHCP client learned.
    fn follow_lease(&mut self) {
        let Some(handle) = self.dhcp else { return };
        match self.control.others.get_mut::<dhcpv4::Socket>(handle).poll() {
            Some(dhcpv4::Event::Configured(lease)) => {
                let (address, server) = (address::of_lease(&lease), lease.server.identifier);
                if address != self.address {
                    self.use_address(address);
                    self.event = address.map(|address| Event::Configured { address, server });
                }
            }
            Some(dhcpv4::Event::Deconfigured) if self.address.is_some() => {
                self.use_address(None);
                self.event = Some(Event::LeaseLost);
            }
            _ => {}
        }
    }

    /// Our address; `None` while DHCP has none, or when the fixed one cannot work.
    pub fn address(&self) -> Option<Address> {
        self.address
    }

    /// Whether `other` is on our own network, and not beyond the gateway.
    pub fn is_local(&self, other: Ipv4Addr) -> bool {
        self.address.is_some_and(|address| address.contains(other))
    }

    /// What happened to our address since the last call; of several things the last.
    pub fn event(&mut self) -> Option<Event> {
        self.event.take()
    }

    /// Counters since the start.
    pub fn statistics(&self) -> Statistics {
        Statistics { nic: self.device.nic().statistics(), ..self.counters }
    }

    /// The driver and its card.
    pub fn driver(&self) -> nic::DriverInfo {
        self.device.nic().info()
    }

    /// The control socket of a client that has just connected. Its index is the server's until
    /// [`Stack::release`]; any index may be any client's, and has nothing to do with the index of the
    /// data socket that the server gives it.
    pub fn accept(&mut self) -> Option<usize> {
        let index = self.control.accept()?;
        bump(&mut self.counters.accepted);
        Some(index)
    }

    /// Gives a control socket back: what is queued is sent, then FIN; the socket listens again when the
    /// client has closed too, or has not for 5 seconds.
    pub fn release(&mut self, control: usize) {
        self.control.release(control, self.now);
    }

    /// A control socket that [`Stack::accept`] returned.
    pub fn control(&mut self, control: usize) -> Option<ControlPort<'_, 'a>> {
        self.control.port(control)
    }

    /// A data socket, 0 to [`Plan::data_sockets`] - 1.
    pub fn data(&mut self, data: usize) -> Option<DataPort<'_, 'a>> {
        self.data.port(data, &mut self.interface)
    }

    /// A session's two sockets together; `None` when either index is not one.
    pub fn ports(
        &mut self,
        control: usize,
        data: usize,
    ) -> Option<(ControlPort<'_, 'a>, DataPort<'_, 'a>)> {
        Some((self.control.port(control)?, self.data.port(data, &mut self.interface)?))
    }

    /// Whether a data socket has `port`, so that another cannot listen on it.
    pub fn has_data_port(&self, port: u16) -> bool {
        self.data.has_port(port)
    }
}

fn bump(counter: &mut u32) {
    *counter = counter.wrapping_add(1);
}

/// A DHCP client that tells the server `hostname`.
fn dhcp_client<'a, M: Memory<'a>>(
    hostname: &'a str,
    memory: &mut M,
) -> Result<dhcpv4::Socket<'a>, OutOfMemory> {
    let mut client = dhcpv4::Socket::new();
    let mut retries = client.get_retry_config();
    retries.discover_timeout = DISCOVER;
    client.set_retry_config(retries);
    let name = hostname.as_bytes();
    if let Some(name) = name.get(..name.len().min(63)).filter(|name| !name.is_empty()) {
        let options =
            memory.slots("DHCP options", 1, |_| DhcpOption { kind: HOST_NAME, data: name })?;
        client.set_outgoing_options(options);
    }
    Ok(client)
}
