//! A host on the simulated segment with smoltcp's TCP/IP of its own: client and server connections as
//! byte queues, ping, and a DHCP server.
//!
//! Tests write what a person with telnet would do: connect, send, expect. Time passes in
//! [`Host::poll`] alone, which the test calls in turn with the server.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::*;

use crate::network::{Network, Plug};

/// Milliseconds of silence after which a FIN is sent again.
const FIN_AGAIN: u64 = 3_000;

/// One connection of a [`Host`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Connection(usize);

struct Stream {
    handle: SocketHandle,
    outgoing: VecDeque<u8>,
    incoming: Vec<u8>,
    /// Close once `outgoing` is empty.
    closing: bool,
    /// Whether received bytes are left in the socket, so that its window closes.
    paused: bool,
    /// Whether it ever was established.
    opened: bool,
    /// What the peer has acknowledged last, what it may be sent in return, and since when.
    heard: Option<(u32, u32, u64)>,
}

/// What a [`Host`] does as DHCP server.
#[derive(Debug, Clone, Copy)]
pub struct DhcpServer {
    /// The address that is given out.
    pub address: Ipv4Addr,
    /// Its mask.
    pub netmask: Ipv4Addr,
    /// The router.
    pub router: Option<Ipv4Addr>,
    /// Seconds that the lease lasts.
    pub lease: u32,
    /// Whether requests are refused.
    pub refuse: bool,
    /// Whether nothing is answered.
    pub silent: bool,
    /// Requests seen, renewals among them.
    pub requests: usize,
    /// Option 12 of the last request.
    pub hostname: [u8; 16],
}

impl DhcpServer {
    /// Gives out `address` of a /24, for `lease` seconds.
    pub fn new(address: Ipv4Addr, lease: u32) -> DhcpServer {
        DhcpServer {
            address,
            netmask: Ipv4Addr::new(255, 255, 255, 0),
            router: None,
            lease,
            refuse: false,
            silent: false,
            requests: 0,
            hostname: [0; 16],
        }
    }
}

struct Wire {
    plug: Plug,
    medium: Medium,
    mtu: usize,
    next: Option<Vec<u8>>,
}

struct Frame(Vec<u8>);
struct Transmit<'a>(&'a Plug);

impl RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.send(&frame);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Frame, Transmit<'_>)> {
        self.next.take().map(|frame| (Frame(frame), Transmit(&self.plug)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Transmit<'_>> {
        Some(Transmit(&self.plug))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        let header = if self.medium == Medium::Ethernet { 14 } else { 0 };
        capabilities.max_transmission_unit = self.mtu + header;
        capabilities.checksum.tcp = Checksum::Both;
        capabilities
    }
}

/// A host with TCP/IP.
pub struct Host {
    network: Network,
    wire: Wire,
    interface: Interface,
    sockets: SocketSet<'static>,
    streams: BTreeMap<usize, Stream>,
    next_stream: usize,
    station: EthernetAddress,
    ip: Ipv4Addr,
    next_port: u16,
    pongs: usize,
    /// The DHCP server, if the host is one.
    pub dhcp: Option<DhcpServer>,
}

impl Host {
    /// A host with address `ip` in a /24 on `network`, with a router at .1 should it need one.
    pub fn new(network: &Network, ip: Ipv4Addr) -> Host {
        Host::on(network, ip, Medium::Ethernet, 1500)
    }

    /// One that sends and takes IP packets of up to `mtu` bytes.
    pub fn with_mtu(network: &Network, ip: Ipv4Addr, mtu: usize) -> Host {
        Host::on(network, ip, Medium::Ethernet, mtu)
    }

    /// The other end of a SLIP line.
    pub fn slip(network: &Network, ip: Ipv4Addr) -> Host {
        Host::on(network, ip, Medium::Ip, 1500)
    }

    fn on(network: &Network, ip: Ipv4Addr, medium: Medium, mtu: usize) -> Host {
        let plug = network.attach(4096);
        let station = EthernetAddress([2, 0, 0, 0, ip.octets()[2], ip.octets()[3]]);
        let mut wire = Wire { plug, medium, mtu, next: None };
        let mut config = Config::new(match medium {
            Medium::Ethernet => HardwareAddress::Ethernet(station),
            Medium::Ip => HardwareAddress::Ip,
        });
        config.random_seed = u64::from(u32::from(ip));
        let mut interface = Interface::new(config, &mut wire, Instant::from_millis(0));
        interface.update_ip_addrs(|list| {
            list.push(IpCidr::Ipv4(Ipv4Cidr::new(ip, 24))).unwrap();
        });
        Host {
            network: network.clone(),
            wire,
            interface,
            sockets: SocketSet::new(Vec::new()),
            streams: BTreeMap::new(),
            next_stream: 0,
            station,
            ip,
            next_port: 40_000,
            pongs: 0,
            dhcp: None,
        }
    }

    /// The host's address.
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// The host's station address.
    pub fn station(&self) -> [u8; 6] {
        self.station.0
    }

    /// The number of the host's plug in [`Network::take_recorded`].
    pub fn plug(&self) -> usize {
        self.wire.plug.station()
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.network.now().0 as i64)
    }

    fn add(&mut self, socket: tcp::Socket<'static>) -> Connection {
        let handle = self.sockets.add(socket);
        let stream = Stream {
            handle,
            outgoing: VecDeque::new(),
            incoming: Vec::new(),
            closing: false,
            paused: false,
            opened: false,
            heard: None,
        };
        self.next_stream += 1;
        self.streams.insert(self.next_stream, stream);
        Connection(self.next_stream)
    }

    fn stream(&mut self, connection: Connection) -> &mut Stream {
        self.streams.get_mut(&connection.0).expect("a connection that was not forgotten")
    }

    /// Forgets a connection without a packet: what still comes for it is answered with RST.
    pub fn forget(&mut self, connection: Connection) {
        if let Some(stream) = self.streams.remove(&connection.0) {
            self.sockets.remove(stream.handle);
        }
    }

    fn socket(&mut self, connection: Connection) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.streams[&connection.0].handle)
    }

    fn fresh() -> tcp::Socket<'static> {
        let buffer = || tcp::SocketBuffer::new(vec![0; 32 * 1024]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        // After a third duplicate acknowledgement smoltcp 0.14 sends nothing again by itself when its window
        // is full, which no other host does.
        socket.set_keep_alive(Some(smoltcp::time::Duration::from_secs(5)));
        socket
    }

    /// Begins a connection to `to`, from a port of our own.
    pub fn connect(&mut self, to: SocketAddrV4) -> Connection {
        self.next_port = if self.next_port < 65_000 { self.next_port + 1 } else { 40_001 };
        self.connect_from(self.next_port, to)
    }

    /// Begins a connection to `to` from `port`.
    pub fn connect_from(&mut self, port: u16, to: SocketAddrV4) -> Connection {
        let connection = self.add(Host::fresh());
        let handle = self.streams[&connection.0].handle;
        let remote = (IpAddress::Ipv4(*to.ip()), to.port());
        let socket = self.sockets.get_mut::<tcp::Socket>(handle);
        socket.connect(self.interface.context(), remote, port).unwrap();
        connection
    }

    /// Waits for one connection on `port`.
    pub fn listen(&mut self, port: u16) -> Connection {
        let mut socket = Host::fresh();
        socket.listen(port).unwrap();
        self.add(socket)
    }

    /// Queues bytes.
    pub fn send(&mut self, connection: Connection, bytes: &[u8]) {
        self.stream(connection).outgoing.extend(bytes);
    }

    /// Bytes queued that the other end has not acknowledged.
    pub fn unsent(&mut self, connection: Connection) -> usize {
        self.streams[&connection.0].outgoing.len() + self.socket(connection).send_queue()
    }

    /// All bytes received and not taken.
    pub fn received(&self, connection: Connection) -> &[u8] {
        &self.streams[&connection.0].incoming
    }

    /// Takes the bytes received.
    pub fn take(&mut self, connection: Connection) -> Vec<u8> {
        std::mem::take(&mut self.stream(connection).incoming)
    }

    /// Takes the first line received, without its CRLF.
    pub fn take_line(&mut self, connection: Connection) -> Option<String> {
        let incoming = &mut self.stream(connection).incoming;
        let end = incoming.windows(2).position(|pair| pair == b"\r\n")?;
        let line: Vec<u8> = incoming.drain(..end + 2).take(end).collect();
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    /// When the last segment came, milliseconds since the start.
    pub fn last_heard(&self, connection: Connection) -> Option<u64> {
        self.streams[&connection.0].heard.map(|(_, _, since)| since)
    }

    /// Leaves received bytes in the socket, so that its window closes; or takes them again.
    pub fn pause(&mut self, connection: Connection, paused: bool) {
        self.stream(connection).paused = paused;
    }

    /// Sends full segments only while any is unacknowledged (RFC 896), as hosts do with a file.
    pub fn fill_segments(&mut self, connection: Connection) {
        self.socket(connection).set_nagle_enabled(true);
    }

    /// Sends FIN once all is sent.
    pub fn close(&mut self, connection: Connection) {
        self.stream(connection).closing = true;
    }

    /// Sends RST.
    pub fn abort(&mut self, connection: Connection) {
        self.socket(connection).abort();
    }

    /// Pulls the plug, or puts it back.
    pub fn set_connected(&self, connected: bool) {
        self.wire.plug.set_connected(connected);
    }

    /// The state of the connection's TCP.
    pub fn state(&mut self, connection: Connection) -> tcp::State {
        self.socket(connection).state()
    }

    /// Whether it is or was established.
    pub fn was_open(&self, connection: Connection) -> bool {
        self.streams[&connection.0].opened
    }

    /// Whether it is established, both ways.
    pub fn is_open(&mut self, connection: Connection) -> bool {
        self.state(connection) == tcp::State::Established
    }

    /// Whether the other end has sent FIN or RST, or the connection never came about.
    pub fn is_over(&mut self, connection: Connection) -> bool {
        !self.socket(connection).may_recv() && self.state(connection) != tcp::State::SynSent
    }

    /// Where the connection comes from.
    pub fn local(&mut self, connection: Connection) -> Option<u16> {
        self.socket(connection).local_endpoint().map(|endpoint| endpoint.port)
    }

    /// Where the connection goes.
    pub fn peer(&mut self, connection: Connection) -> Option<SocketAddrV4> {
        self.socket(connection).remote_endpoint().map(|endpoint| {
            let IpAddress::Ipv4(ip) = endpoint.addr;
            SocketAddrV4::new(ip, endpoint.port)
        })
    }

    /// Puts a frame on the wire as it is.
    pub fn inject(&self, frame: &[u8]) {
        self.wire.plug.send(frame);
    }

    /// Answers to [`Host::ping`] received.
    pub fn pongs(&self) -> usize {
        self.pongs
    }

    /// Sends an echo request with `length` bytes to a neighbour.
    pub fn ping(&self, to: Ipv4Addr, station: [u8; 6], length: usize) {
        let data: Vec<u8> = (0..length).map(|index| index as u8).collect();
        let request = Icmpv4Repr::EchoRequest { ident: 7, seq_no: 1, data: &data };
        let mut payload = vec![0; request.buffer_len()];
        request.emit(&mut Icmpv4Packet::new_unchecked(&mut payload[..]), &Default::default());
        self.inject(&self.packet(to, station, IpProtocol::Icmp, &payload));
    }

    /// A frame with an IPv4 packet from this host.
    pub fn packet(
        &self,
        to: Ipv4Addr,
        station: [u8; 6],
        protocol: IpProtocol,
        payload: &[u8],
    ) -> Vec<u8> {
        packet(self.station.0, station, self.ip, to, protocol, payload)
    }

    /// Receives, lets timers act, and moves bytes between queues and sockets.
    pub fn poll(&mut self) {
        let now = self.now();
        while let Some(frame) = self.wire.plug.receive() {
            if self.answer_dhcp(&frame) {
                continue;
            }
            self.count_pong(&frame);
            self.hear(&frame);
            self.wire.next = Some(frame);
            self.interface.poll_ingress_single(now, &mut self.wire, &mut self.sockets);
        }
        for stream in self.streams.values_mut() {
            let socket = self.sockets.get_mut::<tcp::Socket>(stream.handle);
            stream.opened |= socket.may_send();
            while !stream.paused
                && socket.recv(|bytes| (bytes.len(), bytes.to_vec())).is_ok_and(|bytes| {
                    stream.incoming.extend(&bytes);
                    !bytes.is_empty()
                })
            {}
            if socket.may_send() {
                let sent = socket.send_slice(stream.outgoing.make_contiguous()).unwrap();
                stream.outgoing.drain(..sent);
                if stream.outgoing.is_empty() && stream.closing {
                    socket.close();
                }
            }
        }
        if self.wire.medium == Medium::Ethernet {
            self.repeat_fins();
        }
        for _ in 0..64 {
            let sockets = &mut self.sockets;
            if self.interface.poll_egress(now, &mut self.wire, sockets)
                == smoltcp::iface::PollResult::None
            {
                break;
            }
        }
    }

    /// Notes where the peer of a connection is.
    fn hear(&mut self, frame: &[u8]) {
        let payload = frame.get(14..).unwrap_or_default();
        let Ok(ip) = Ipv4Packet::new_checked(payload) else { return };
        if ip.next_header() != IpProtocol::Tcp || !ip.verify_checksum() {
            return;
        }
        let Ok(tcp) = TcpPacket::new_checked(ip.payload()) else { return };
        if !tcp.verify_checksum(&ip.src_addr().into(), &ip.dst_addr().into()) || tcp.rst() {
            return;
        }
        let now = self.network.now().0;
        for stream in self.streams.values_mut() {
            let socket = self.sockets.get::<tcp::Socket>(stream.handle);
            let ports = (socket.local_endpoint(), socket.remote_endpoint());
            if let (Some(local), Some(remote)) = ports
                && (local.port, remote.port) == (tcp.dst_port(), tcp.src_port())
            {
                let next = tcp.seq_number() + tcp.segment_len();
                stream.heard = Some((tcp.ack_number().0 as u32, next.0 as u32, now));
            }
        }
    }

    /// Sends a FIN again that was lost: after duplicate acknowledgements smoltcp 0.14 never does, when no
    /// data is left that would go with it. Every host that users have does.
    fn repeat_fins(&mut self) {
        let now = self.network.now().0;
        let mut frames = Vec::new();
        for stream in self.streams.values_mut() {
            let socket = self.sockets.get::<tcp::Socket>(stream.handle);
            let waits = matches!(
                socket.state(),
                tcp::State::FinWait1 | tcp::State::Closing | tcp::State::LastAck
            );
            if !waits || socket.send_queue() > 0 {
                continue;
            }
            let Some((acknowledged, next, since)) = &mut stream.heard else { continue };
            if now < *since + FIN_AGAIN {
                continue;
            }
            *since = now;
            if let (Some(local), Some(remote)) = (socket.local_endpoint(), socket.remote_endpoint())
            {
                let IpAddress::Ipv4(peer) = remote.addr;
                let from = SocketAddrV4::new(self.ip, local.port);
                let to = SocketAddrV4::new(peer, remote.port);
                let fin = segment(from, to, TcpControl::Fin, *acknowledged, Some(*next));
                frames.push((peer, fin));
            }
        }
        for (peer, fin) in frames {
            // The simulated servers have one station.
            self.inject(&self.packet(peer, crate::network::STATION, IpProtocol::Tcp, &fin));
        }
    }

    fn count_pong(&mut self, frame: &[u8]) {
        let payload = frame.get(14..).unwrap_or_default();
        let Ok(ip) = Ipv4Packet::new_checked(payload) else { return };
        if ip.next_header() != IpProtocol::Icmp || ip.dst_addr() != self.ip {
            return;
        }
        let Ok(icmp) = Icmpv4Packet::new_checked(ip.payload()) else { return };
        if let Ok(Icmpv4Repr::EchoReply { data, .. }) =
            Icmpv4Repr::parse(&icmp, &Default::default())
        {
            let whole = data.iter().enumerate().all(|(index, byte)| *byte == index as u8);
            self.pongs += usize::from(whole);
        }
    }

    /// Answers as DHCP server; whether the frame was for it.
    fn answer_dhcp(&mut self, frame: &[u8]) -> bool {
        let Some(server) = &mut self.dhcp else { return false };
        let payload = frame.get(14..).unwrap_or_default();
        let Ok(ip) = Ipv4Packet::new_checked(payload) else { return false };
        if ip.next_header() != IpProtocol::Udp {
            return false;
        }
        let Ok(udp) = UdpPacket::new_checked(ip.payload()) else { return false };
        if udp.dst_port() != 67 {
            return false;
        }
        let Ok(request) = DhcpPacket::new_checked(udp.payload()) else { return false };
        for option in request.options().filter(|option| option.kind == 12) {
            server.hostname = [0; 16];
            server.hostname[..option.data.len()].copy_from_slice(option.data);
        }
        let Ok(request) = DhcpRepr::parse(&request) else { return false };
        let message_type = match request.message_type {
            DhcpMessageType::Discover => DhcpMessageType::Offer,
            _ if server.refuse => DhcpMessageType::Nak,
            _ => DhcpMessageType::Ack,
        };
        server.requests += usize::from(request.message_type == DhcpMessageType::Request);
        if server.silent {
            return true;
        }
        let reply = DhcpRepr {
            message_type,
            transaction_id: request.transaction_id,
            your_ip: server.address,
            server_ip: self.ip,
            router: server.router,
            subnet_mask: Some(server.netmask),
            server_identifier: Some(self.ip),
            lease_duration: Some(server.lease),
            requested_ip: None,
            client_identifier: None,
            parameter_request_list: None,
            max_size: None,
            additional_options: &[],
            ..request
        };
        let mut udp = vec![0; 8 + reply.buffer_len()];
        UdpRepr { src_port: 67, dst_port: 68 }.emit(
            &mut UdpPacket::new_unchecked(&mut udp[..]),
            &self.ip.into(),
            &server.address.into(),
            reply.buffer_len(),
            |payload| reply.emit(&mut DhcpPacket::new_unchecked(payload)).unwrap(),
            &Default::default(),
        );
        let to = request.client_hardware_address.0;
        let address = server.address;
        let answer = packet(self.station.0, to, self.ip, address, IpProtocol::Udp, &udp);
        self.inject(&answer);
        true
    }
}

/// An Ethernet frame with an IPv4 packet, its header checksum right.
pub fn packet(
    from_station: [u8; 6],
    to_station: [u8; 6],
    from: Ipv4Addr,
    to: Ipv4Addr,
    protocol: IpProtocol,
    payload: &[u8],
) -> Vec<u8> {
    let repr = Ipv4Repr {
        src_addr: from,
        dst_addr: to,
        next_header: protocol,
        payload_len: payload.len(),
        hop_limit: 64,
    };
    let mut frame = vec![0; 34 + payload.len()];
    frame[..6].copy_from_slice(&to_station);
    frame[6..12].copy_from_slice(&from_station);
    frame[12..14].copy_from_slice(&[8, 0]);
    repr.emit(&mut Ipv4Packet::new_unchecked(&mut frame[14..]), &Default::default());
    frame[34..].copy_from_slice(payload);
    frame
}

/// A TCP segment without data, its checksum right: for what no well-behaved host sends.
pub fn segment(
    from: SocketAddrV4,
    to: SocketAddrV4,
    control: TcpControl,
    seq: u32,
    ack: Option<u32>,
) -> Vec<u8> {
    let repr = TcpRepr {
        src_port: from.port(),
        dst_port: to.port(),
        control,
        seq_number: TcpSeqNumber(seq as i32),
        ack_number: ack.map(|ack| TcpSeqNumber(ack as i32)),
        window_len: 8192,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let mut bytes = vec![0; repr.buffer_len()];
    repr.emit(
        &mut TcpPacket::new_unchecked(&mut bytes[..]),
        &(*from.ip()).into(),
        &(*to.ip()).into(),
        &Default::default(),
    );
    bytes
}
