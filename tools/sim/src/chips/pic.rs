//! The two 8259A interrupt controllers as a program sees them that only reads the request registers: all lines
//! are masked, so that a request lasts as long as the card keeps it up.

use std::cell::RefCell;
use std::rc::Rc;

use super::Device;

/// A card with an interrupt line.
pub trait Interrupting {
    /// Whether it asks for an interrupt now.
    fn asks(&self) -> bool;
}

/// Both controllers, and who is on their lines.
#[derive(Default)]
pub struct Pic {
    lines: Vec<(u8, Rc<RefCell<dyn Interrupting>>)>,
    /// Lines that somebody else asks on all the time.
    pub held: u16,
}

impl Pic {
    /// Puts a card on a line.
    pub fn connect(&mut self, irq: u8, card: &Rc<RefCell<impl Interrupting + 'static>>) {
        self.lines.push((irq, card.clone()));
    }

    fn requests(&self) -> u16 {
        let asking = self.lines.iter().filter(|(_, card)| card.borrow().asks());
        asking.fold(self.held, |lines, (irq, _)| lines | 1 << irq)
    }
}

impl Device for Pic {
    fn decodes(&self, port: u16) -> bool {
        matches!(port, 0x20 | 0xA0)
    }

    fn read(&mut self, port: u16, _: u8) -> u32 {
        u32::from(self.requests() >> if port == 0xA0 { 8 } else { 0 } & 0xFF)
    }

    fn write(&mut self, port: u16, _: u8, value: u32) {
        assert_eq!(value, 0x0A, "a command to the controller at {port:X}h");
    }
}
