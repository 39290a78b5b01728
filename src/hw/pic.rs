//! The AT's two 8259A interrupt controllers, to look at only: which lines ask for an interrupt.
//!
//! Source: Intel 8259A data sheet, "Operation Command Word 3". Masks and vectors are the kernel's business.

use super::ports::Ports;

/// The second one first: its lines are 8 to 15.
const CONTROLLERS: [u16; 2] = [0xA0, 0x20];
/// OCW3: the next reads give the interrupt request register.
const READ_REQUESTS: u8 = 0x0A;

/// Interrupt lines: bit n is IRQ n.
pub type Lines = u16;

/// The lines that ask, masked or not. A masked line's request is seen as long as its card keeps it up.
pub fn requests(ports: &mut impl Ports) -> Lines {
    CONTROLLERS.iter().fold(0, |lines, &controller| {
        ports.outb(controller, READ_REQUESTS);
        lines << 8 | Lines::from(ports.inb(controller))
    })
}
