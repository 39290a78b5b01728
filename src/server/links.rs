//! Puts the network's sockets behind the protocol engine's links: `ftp` never names `net`, and `net`
//! never names `ftp`.

use core::net::{Ipv4Addr, SocketAddrV4};

use crate::ftp::link::{ControlLink, DataLink, DataState, LinkError};
use crate::net::{self, ControlPort, DataPort, PortError};

/// A session's control connection over its socket.
pub struct Control<'p, 'a>(pub ControlPort<'p, 'a>);

impl ControlLink for Control<'_, '_> {
    fn peer(&self) -> SocketAddrV4 {
        self.0.peer()
    }

    fn local(&self) -> SocketAddrV4 {
        self.0.local()
    }

    fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> usize) {
        self.0.receive(take);
    }

    fn room(&self) -> usize {
        self.0.room()
    }

    fn send(&mut self, data: &[u8]) -> usize {
        self.0.send(data)
    }

    fn doubt(&mut self) {
        self.0.doubt();
    }

    fn is_drained(&self) -> bool {
        self.0.is_drained()
    }

    fn may_receive(&self) -> bool {
        self.0.may_receive()
    }

    fn is_dead(&self) -> bool {
        self.0.is_dead()
    }

    fn close(&mut self) {
        self.0.close();
    }

    fn abort(&mut self) {
        self.0.abort();
    }
}

/// A session's data connection over its socket.
pub struct Data<'p, 'a>(pub DataPort<'p, 'a>);

fn link_error(error: PortError) -> LinkError {
    match error {
        PortError::Again => LinkError::Again,
        PortError::Unusable => LinkError::Unusable,
    }
}

impl DataLink for Data<'_, '_> {
    fn listen(&mut self, port: u16, owner: Ipv4Addr) -> Result<(), LinkError> {
        self.0.listen(port, owner).map_err(link_error)
    }

    fn connect(&mut self, to: SocketAddrV4, from: u16) -> Result<(), LinkError> {
        self.0.connect(to, from).map_err(link_error)
    }

    fn state(&self) -> DataState {
        match self.0.state() {
            net::DataState::Idle => DataState::Idle,
            net::DataState::Closing => DataState::Closing,
            net::DataState::Listening => DataState::Listening,
            net::DataState::Connecting => DataState::Connecting,
            net::DataState::Open => DataState::Open,
            net::DataState::PeerClosed => DataState::PeerClosed,
            net::DataState::Dead => DataState::Dead,
        }
    }

    fn send(&mut self, fill: &mut dyn FnMut(&mut [u8]) -> usize) {
        self.0.send(fill);
    }

    fn room(&self) -> usize {
        self.0.room()
    }

    fn send_capacity(&self) -> usize {
        self.0.send_capacity()
    }

    fn unacknowledged(&self) -> usize {
        self.0.unacknowledged()
    }

    fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> usize) {
        self.0.receive(take);
    }

    fn waiting(&self) -> usize {
        self.0.waiting()
    }

    fn worth_taking(&self) -> usize {
        self.0.worth_taking()
    }

    fn close(&mut self) {
        self.0.close();
    }

    fn abort(&mut self) {
        self.0.abort();
    }
}
