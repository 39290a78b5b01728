//! From a card's model to the simulated network, and from there back.

use std::cell::RefCell;
use std::rc::Rc;

use super::PortBus;
use crate::network::{Network, Plug};

/// A network card's model as the wire sees it.
pub trait Station {
    /// A frame (without FCS) comes in from the wire; says whether it was stored.
    fn arrive(&mut self, frame: &[u8]) -> bool;

    /// The next frame that went out.
    fn depart(&mut self) -> Option<Vec<u8>>;
}

/// Joins a card on a bus to a network.
pub struct Cable {
    bus: PortBus,
    plug: Plug,
    card: Rc<RefCell<dyn Station>>,
}

impl Cable {
    /// Plugs the card in.
    pub fn new(network: &Network, bus: &PortBus, card: Rc<RefCell<dyn Station>>) -> Cable {
        // The card drops what it has no room for; the plug does not.
        Cable { bus: bus.clone(), plug: network.attach(1_000), card }
    }

    /// Lets `us` microseconds pass on the bus, and moves frames.
    pub fn run(&self, us: u32) {
        while let Some(frame) = self.plug.receive() {
            self.card.borrow_mut().arrive(&frame);
        }
        self.bus.elapse(us);
        while let Some(frame) = self.card.borrow_mut().depart() {
            self.plug.send(&frame);
        }
    }
}
