//! Links for tests of the protocol engine: the client's end is a script that puts bytes in and takes
//! bytes out, so that every split, delay, reset and full buffer can be played.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

use ftpsrv::ftp::link::{ControlLink, DataLink, DataState, LinkError};

/// The control connection; clones are the same connection.
#[derive(Clone)]
pub struct ScriptedControl(Rc<RefCell<Control>>);

struct Control {
    peer: SocketAddrV4,
    local: SocketAddrV4,
    /// From the client, not received yet.
    incoming: VecDeque<u8>,
    /// Most bytes that one `receive` shows.
    piece: usize,
    /// To the client, not taken yet.
    outgoing: Vec<u8>,
    capacity: usize,
    client_closed: bool,
    dead: bool,
    doubted: bool,
    closed: bool,
    aborted: bool,
}

impl ScriptedControl {
    /// A connection from `peer`; its send buffer holds 2048 bytes until the script takes them.
    pub fn new(peer: SocketAddrV4) -> ScriptedControl {
        ScriptedControl(Rc::new(RefCell::new(Control {
            peer,
            local: SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 1), 21),
            incoming: VecDeque::new(),
            piece: usize::MAX,
            outgoing: Vec::new(),
            capacity: 2048,
            client_closed: false,
            dead: false,
            doubted: false,
            closed: false,
            aborted: false,
        })))
    }

    /// The client sends.
    pub fn put(&self, bytes: &[u8]) {
        self.0.borrow_mut().incoming.extend(bytes);
    }

    /// From now on the server sees at most `piece` bytes at once.
    pub fn split(&self, piece: usize) {
        self.0.borrow_mut().piece = piece;
    }

    /// The client takes everything that was sent to it.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().outgoing)
    }

    /// The client sends FIN.
    pub fn close_client(&self) {
        self.0.borrow_mut().client_closed = true;
    }

    /// The client sends RST, or is gone for TCP's patience.
    pub fn kill(&self) {
        self.0.borrow_mut().dead = true;
    }

    /// Whether the server has asked for a quick sign of life.
    pub fn is_doubted(&self) -> bool {
        self.0.borrow().doubted
    }

    /// Bytes that the server has not received yet.
    pub fn unread(&self) -> usize {
        self.0.borrow().incoming.len()
    }

    /// Whether the server has closed.
    pub fn is_closed(&self) -> bool {
        let link = self.0.borrow();
        link.closed || link.aborted
    }
}

impl ControlLink for ScriptedControl {
    fn peer(&self) -> SocketAddrV4 {
        self.0.borrow().peer
    }

    fn local(&self) -> SocketAddrV4 {
        self.0.borrow().local
    }

    fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> usize) {
        let mut link = self.0.borrow_mut();
        let length = link.incoming.len().min(link.piece);
        if length == 0 || link.dead {
            return;
        }
        let shown: Vec<u8> = link.incoming.iter().take(length).copied().collect();
        let taken = take(&shown);
        assert!(taken <= length, "took more than there was");
        link.incoming.drain(..taken);
    }

    fn room(&self) -> usize {
        let link = self.0.borrow();
        if link.dead { 0 } else { link.capacity - link.outgoing.len() }
    }

    fn send(&mut self, data: &[u8]) -> usize {
        let length = data.len().min(self.room());
        let mut link = self.0.borrow_mut();
        assert!(!link.closed, "sent behind its own FIN");
        link.outgoing.extend_from_slice(&data[..length]);
        length
    }

    fn doubt(&mut self) {
        self.0.borrow_mut().doubted = true;
    }

    fn is_drained(&self) -> bool {
        self.0.borrow().outgoing.is_empty()
    }

    fn may_receive(&self) -> bool {
        let link = self.0.borrow();
        !(link.dead || link.client_closed && link.incoming.is_empty())
    }

    fn is_dead(&self) -> bool {
        self.0.borrow().dead
    }

    fn close(&mut self) {
        self.0.borrow_mut().closed = true;
    }

    fn abort(&mut self) {
        self.0.borrow_mut().aborted = true;
    }
}

/// The data connection; clones are the same.
#[derive(Clone)]
pub struct ScriptedData(Rc<RefCell<Data>>);

struct Data {
    state: DataState,
    /// What [`DataLink::listen`] or [`DataLink::connect`] last asked for.
    listening: Option<(u16, Ipv4Addr)>,
    connecting: Option<(SocketAddrV4, u16)>,
    /// Ring buffers: `piece` is where they wrap.
    to_client: VecDeque<u8>,
    from_client: VecDeque<u8>,
    capacity: usize,
    sent: usize,
    received: usize,
    /// The client has sent FIN, and so has the server.
    client_closed: bool,
    server_closed: bool,
    /// The client takes everything at once, and acknowledges it.
    flowing: bool,
    taken: Vec<u8>,
    resets: usize,
}

impl ScriptedData {
    /// No connection; buffers of `capacity` bytes each, which are rings.
    pub fn new(capacity: usize) -> ScriptedData {
        ScriptedData(Rc::new(RefCell::new(Data {
            state: DataState::Idle,
            listening: None,
            connecting: None,
            to_client: VecDeque::new(),
            from_client: VecDeque::new(),
            capacity,
            sent: 0,
            received: 0,
            client_closed: false,
            server_closed: false,
            flowing: true,
            taken: Vec::new(),
            resets: 0,
        })))
    }

    /// The port on which the server listens, and for whom.
    pub fn listening(&self) -> Option<(u16, Ipv4Addr)> {
        let link = self.0.borrow();
        link.listening.filter(|_| link.state == DataState::Listening)
    }

    /// Where the server has connected to, or tries to, and from which port.
    pub fn connecting(&self) -> Option<(SocketAddrV4, u16)> {
        self.0.borrow().connecting
    }

    /// The connection is established, from whichever side.
    pub fn establish(&self) {
        let mut link = self.0.borrow_mut();
        assert!(matches!(link.state, DataState::Listening | DataState::Connecting));
        link.state = DataState::Open;
    }

    /// Whether it could be established now.
    pub fn can_establish(&self) -> bool {
        matches!(self.0.borrow().state, DataState::Listening | DataState::Connecting)
    }

    /// The client sends as much of `bytes` as the server's window allows, and returns how much.
    pub fn put(&self, bytes: &[u8]) -> usize {
        let mut link = self.0.borrow_mut();
        if !matches!(link.state, DataState::Open) || link.client_closed {
            return 0;
        }
        let length = bytes.len().min(link.capacity - link.from_client.len());
        link.from_client.extend(&bytes[..length]);
        length
    }

    /// The client sends FIN.
    pub fn close_client(&self) {
        let mut link = self.0.borrow_mut();
        link.client_closed = true;
        if link.state == DataState::Open {
            link.state = DataState::PeerClosed;
        }
        link.settle();
    }

    /// The client sends RST, or refuses the connection.
    pub fn kill(&self) {
        let mut link = self.0.borrow_mut();
        link.from_client.clear();
        link.to_client.clear();
        link.state = DataState::Dead;
    }

    /// Whether the client takes what it gets; a stalled one acknowledges nothing.
    pub fn flow(&self, flowing: bool) {
        let mut link = self.0.borrow_mut();
        link.flowing = flowing;
        link.settle();
    }

    /// Everything that the client got since the last call.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().taken)
    }

    /// How often the server has dropped a connection or a port instead of closing it.
    pub fn resets(&self) -> usize {
        self.0.borrow().resets
    }

    /// Whether the server has closed its side, or there is no connection any more.
    pub fn is_closed(&self) -> bool {
        let link = self.0.borrow();
        link.server_closed || matches!(link.state, DataState::Idle | DataState::Dead)
    }
}

impl Data {
    /// Moves what flows, and ends what is over.
    fn settle(&mut self) {
        if self.flowing {
            self.taken.extend(self.to_client.drain(..));
        }
        let over = self.server_closed && self.client_closed && self.to_client.is_empty();
        if over && matches!(self.state, DataState::Closing | DataState::PeerClosed) {
            self.reset();
        }
    }

    fn reset(&mut self) {
        self.state = DataState::Idle;
        self.to_client.clear();
        self.from_client.clear();
        self.client_closed = false;
        self.server_closed = false;
        self.sent = 0;
        self.received = 0;
    }
}

impl DataLink for ScriptedData {
    fn listen(&mut self, port: u16, owner: Ipv4Addr) -> Result<(), LinkError> {
        let mut link = self.0.borrow_mut();
        if link.state != DataState::Idle {
            return Err(LinkError::Again);
        }
        link.reset();
        link.listening = Some((port, owner));
        link.state = DataState::Listening;
        Ok(())
    }

    fn connect(&mut self, to: SocketAddrV4, from: u16) -> Result<(), LinkError> {
        let mut link = self.0.borrow_mut();
        if link.state != DataState::Idle {
            return Err(LinkError::Again);
        }
        link.reset();
        link.connecting = Some((to, from));
        link.state = DataState::Connecting;
        Ok(())
    }

    fn state(&self) -> DataState {
        self.0.borrow().state
    }

    fn send(&mut self, fill: &mut dyn FnMut(&mut [u8]) -> usize) {
        let mut link = self.0.borrow_mut();
        let to_end = link.capacity - link.sent % link.capacity;
        let free = (link.capacity - link.to_client.len()).min(to_end);
        if free == 0 {
            return;
        }
        // Not zeroes, so that a piece that was not filled shows.
        let mut piece = vec![0xEE; free];
        let filled = fill(&mut piece);
        assert!(filled <= free, "filled more than there was room");
        link.to_client.extend(&piece[..filled]);
        link.sent += filled;
        link.settle();
    }

    fn room(&self) -> usize {
        let link = self.0.borrow();
        link.capacity - link.to_client.len()
    }

    fn send_capacity(&self) -> usize {
        self.0.borrow().capacity
    }

    fn unacknowledged(&self) -> usize {
        self.0.borrow().to_client.len()
    }

    fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> usize) {
        let mut link = self.0.borrow_mut();
        let to_end = link.capacity - link.received % link.capacity;
        let length = link.from_client.len().min(to_end);
        if length == 0 {
            return;
        }
        let shown: Vec<u8> = link.from_client.iter().take(length).copied().collect();
        let taken = take(&shown);
        assert!(taken <= length, "took more than there was");
        link.from_client.drain(..taken);
        link.received += taken;
    }

    fn waiting(&self) -> usize {
        self.0.borrow().from_client.len()
    }

    fn worth_taking(&self) -> usize {
        self.0.borrow().capacity / 2
    }

    fn close(&mut self) {
        let mut link = self.0.borrow_mut();
        link.server_closed = true;
        if matches!(link.state, DataState::Open | DataState::PeerClosed) {
            link.state = DataState::Closing;
        }
        link.settle();
    }

    fn abort(&mut self) {
        let mut link = self.0.borrow_mut();
        link.resets += usize::from(link.state != DataState::Idle);
        link.reset();
    }
}
