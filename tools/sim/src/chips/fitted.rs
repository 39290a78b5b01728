//! A card that is fitted and driven: what a test of a driver does with it.

use std::cell::RefCell;
use std::rc::Rc;

use ftpsrv::net::nic::Nic;

use super::{PortBus, Station};

/// A driver on its chip.
pub struct Fitted<C, N> {
    /// What both are on.
    pub bus: PortBus,
    /// The model.
    pub chip: Rc<RefCell<C>>,
    /// The driver.
    pub nic: N,
}

impl<C: Station, N: Nic> Fitted<C, N> {
    /// A frame comes in from the wire; whether the card stored it.
    pub fn arrive(&self, frame: &[u8]) -> bool {
        self.chip.borrow_mut().arrive(frame)
    }

    /// The next frame that the card sent.
    pub fn depart(&self) -> Option<Vec<u8>> {
        self.chip.borrow_mut().depart()
    }

    /// The next frame that the driver hands up.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        receive(&mut self.nic)
    }
}

/// The next frame that a driver hands up.
pub fn receive(nic: &mut impl Nic) -> Option<Vec<u8>> {
    let mut buffer = [0xEE; 1536];
    nic.receive(&mut buffer).map(|length| buffer[..length].to_vec())
}

/// A frame to a card, its content told apart by `number`.
pub fn frame(to: [u8; 6], number: u32, length: usize) -> Vec<u8> {
    let mut frame = to.to_vec();
    frame.extend([2, 0, 0, 0, 0, 1, 8, 0]);
    frame.extend((0..length as u32 - 14).map(|i| (i * 7 + number * 31) as u8));
    frame
}
