//! NE2000 and NE1000 Ethernet cards and their clones: a DP8390 with 8 to 32 KB of memory of its own
//! (National Semiconductor DP8390D data sheet; Novell's cards; Realtek RTL8019AS and RTL8029AS).
//!
//! Polled. The card's memory is one or two transmit buffers of six pages, then the receive ring.
//! What always holds: BNRY is the page before `next`; frames lie from `next` up to CURR; a frame is
//! in transmission exactly while `sending` is not `None`.

mod chip;
mod probe;
mod receive;
mod transmit;

use crate::hw::pic::Lines;
use crate::hw::ports::Ports;
use crate::net::nic::{Class, DriverInfo, Nic, ReceiveMode, SendError, Statistics};
use chip::Chip;
pub use probe::{ISA_PORTS, NotFound};

/// Pages of 256 bytes that a transmit buffer takes.
const TRANSMIT_PAGES: u8 = 6;
/// Receive configuration: broadcasts besides the card's own address.
const RCR_BROADCAST: u8 = 0x04;
/// Receive configuration: monitor mode, nothing is stored.
const RCR_MONITOR: u8 = 0x20;
/// Transmit configuration: internal loopback, mode 1.
const TCR_LOOPBACK: u8 = 0x02;
/// The longest time that a frame on the wire takes the chip to end after a stop command.
const STOP_US: u32 = 1_600;

/// A driver with its card.
pub struct Ne2000<P> {
    chip: Chip<P>,
    name: &'static str,
    irq: Option<u8>,
    address: [u8; 6],
    statistics: Statistics,
    receive_config: u8,
    /// First page of the card's memory.
    memory: u8,
    /// First page of the receive ring.
    start: u8,
    /// Page after the last one of the ring.
    stop: u8,
    /// Page of the next frame to be taken.
    next: u8,
    /// CURR as last read.
    current: u8,
    /// The ring has overflowed: the chip is in loopback until the ring is empty. Holds whether the
    /// frame whose transmission the recovery cut off has to be sent again.
    recovery: Option<bool>,
    /// The frame on its way to the wire.
    sending: Option<transmit::Loaded>,
    /// A frame in the other transmit buffer, sent next.
    waiting: Option<transmit::Loaded>,
    /// First page of the transmit buffer that is filled next, counted from `memory`.
    buffer: u8,
    /// Polls since `sending` began.
    polls: u32,
}

impl<P: Ports> Ne2000<P> {
    /// Finds out which of `lines` the card's interrupt is, and raises it from now on.
    pub fn find_line(&mut self, lines: Lines) {
        self.irq = self.chip.find_line(lines);
        if self.irq.is_some() {
            self.chip.set(chip::INTERRUPT_MASK, receive::EVENTS);
        }
    }

    /// Puts the card to work: data sheet section 11, "Initialization sequence".
    fn initialize(&mut self) {
        self.chip.set(chip::COMMAND, chip::CR_STOP);
        let data_config = self.chip.data_config();
        self.chip.set(chip::DATA_CONFIG, data_config);
        self.chip.clear_remote();
        self.chip.set(chip::RECEIVE_CONFIG, RCR_MONITOR);
        self.chip.set(chip::TRANSMIT_CONFIG, TCR_LOOPBACK);
        self.chip.set(chip::PAGE_START, self.start);
        self.chip.set(chip::PAGE_STOP, self.stop);
        self.chip.set(chip::BOUNDARY, self.start);
        self.chip.set(chip::INTERRUPTS, 0xFF);
        self.chip.set(chip::INTERRUPT_MASK, if self.irq.is_some() { receive::EVENTS } else { 0 });
        self.chip.set(chip::COMMAND, chip::CR_STOP | chip::CR_PAGE1);
        for (register, byte) in (chip::STATION..).zip(self.address) {
            self.chip.set(register, byte);
        }
        for register in chip::MULTICAST..chip::MULTICAST + 8 {
            self.chip.set(register, 0);
        }
        self.next = self.start + 1;
        self.current = self.next;
        self.chip.set(chip::CURRENT, self.next);
        self.chip.set(chip::COMMAND, chip::CR_START);
        self.chip.set(chip::TRANSMIT_CONFIG, 0);
        self.chip.set(chip::RECEIVE_CONFIG, self.receive_config);
    }

    /// Stops the chip as the data sheet prescribes (section 7, "Buffer Ring Overflow", steps 1 to
    /// 5), and says whether the frame in transmission has to be sent again.
    fn halt(&mut self) -> bool {
        let transmitting = self.chip.get(chip::COMMAND) & chip::CR_TXP != 0;
        self.chip.set(chip::COMMAND, chip::CR_STOP);
        self.chip.delay_us(STOP_US);
        self.chip.clear_remote();
        let ended = chip::ISR_TRANSMITTED | chip::ISR_TRANSMIT_ERROR;
        let resend = transmitting && self.chip.get(chip::INTERRUPTS) & ended == 0;
        if !resend {
            self.end_transmission();
        }
        resend && self.sending.is_some()
    }

    /// Begins anew with an empty ring, after the ring or the chip was found in disorder.
    fn restart(&mut self) {
        let resend = match self.recovery.take() {
            Some(resend) => resend,
            None => self.halt(),
        };
        self.initialize();
        self.resume_transmission(resend);
    }
}

impl<P: Ports> Nic for Ne2000<P> {
    fn info(&self) -> DriverInfo {
        DriverInfo {
            name: self.name,
            class: Class::Ethernet,
            io: self.chip.base(),
            irq: self.irq,
            mtu: 1500,
            // One page of the ring always stays free; two are for small frames among the full ones.
            receive_frames: (self.stop - self.start - 3) / TRANSMIT_PAGES,
        }
    }

    fn address(&self) -> [u8; 6] {
        self.address
    }

    fn can_send(&mut self) -> bool {
        self.poll_transmitter();
        self.has_room()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        self.transmit(frame)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        self.take(buffer)
    }

    fn set_receive_mode(&mut self, mode: ReceiveMode) {
        self.receive_config = match mode {
            ReceiveMode::Broadcast => RCR_BROADCAST,
            ReceiveMode::Off => RCR_MONITOR,
        };
        self.chip.set(chip::RECEIVE_CONFIG, self.receive_config);
    }

    fn statistics(&self) -> Statistics {
        self.statistics
    }
}
