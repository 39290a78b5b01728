//! AMD PCnet cards: on ISA the Am79C960, Am79C961 and their kin, on PCI the Am79C970, Am79C970A, Am79C973.
//!
//! Source: AMD Am79C960 (16907) and Am79C970A (19436) data sheets. Polled, in the 16-bit software style that
//! all of them have (style 0, the LANCE's), word I/O. Frames go through two rings of descriptors; a
//! descriptor and its buffer are the chip's exactly while its OWN bit is set. What always holds: register 0
//! is selected; the chip fills receive descriptors in order, `receive` being the next one to come back;
//! `filled` is the next transmit descriptor to be handed over, `ended` the oldest whose outcome was not
//! looked at, `busy` how many lie between them.

use super::dma::{self, DmaRegion, station_address};
use super::ports::Ports;
use crate::net::nic::{Class, DriverInfo, Nic, ReceiveMode, SendError, Statistics};

/// Base ports at which cards on ISA are looked for.
pub const ISA_PORTS: [u16; 4] = [0x300, 0x320, 0x340, 0x360];
/// In the last two bytes of the address PROM.
const SIGNATURE: u8 = b'W';
/// DMA channels to which a card on ISA may be set.
const CHANNELS: [u8; 4] = [5, 6, 7, 3];

const REGISTER_DATA: u16 = 0x10;
const REGISTER_ADDRESS: u16 = 0x12;
const RESET: u16 = 0x14;
const BUS_DATA: u16 = 0x16;
/// The reset port where somebody left a chip on PCI in double word I/O.
const RESET_DWORD: u16 = 0x18;

/// Bits of CSR0.
const INIT: u16 = 0x0001;
const START: u16 = 0x0002;
const STOP: u16 = 0x0004;
const DEMAND: u16 = 0x0008;
/// Receiver and transmitter are on; an underflow or a bus that was not granted turns them off.
const BOTH_ON: u16 = 0x0030;
const INTERRUPTS_ON: u16 = 0x0040;
const INITIALIZED: u16 = 0x0100;
const BUS_ERROR: u16 = 0x0800;
const EVENTS: u16 = 0x7F00;
const MISSED: u16 = 0x1000;
/// CSR3: all interrupts but the receiver's masked; where the chip can, transmission goes on after an
/// underflow.
const MASKS: u16 = 0x5B40;
/// CSR4: short frames are padded; counters and jabber raise no interrupt.
const FEATURES: u16 = 0x0915;
/// BCR2: the chip chooses between twisted pair and AUI.
const AUTO_SELECT: u16 = 0x0002;
/// CSR88, the low half of the chip's number: AMD, and the lowest bits of the part.
const CHIP: u16 = 88;
const AMD: u16 = 0x003;

const OWN: u32 = 1 << 31;
const ERROR: u32 = 1 << 30;
/// First and last buffer of a frame.
const WHOLE: u32 = 3 << 24;
const ONES: u32 = 0xF000;
/// What addresses have in descriptors; PCI chips take the rest from CSR2.
const LOW_24: u32 = 0x00FF_FFFF;

const RECEIVERS: usize = 8;
const TRANSMITTERS: usize = 4;
/// Bytes of a descriptor: address and flags; buffer size and length of the frame.
const DESCRIPTOR: usize = 8;
const FRAME: usize = 1536;
const INIT_BLOCK: usize = 0;
const RECEIVE_RING: usize = 32;
const TRANSMIT_RING: usize = RECEIVE_RING + RECEIVERS * DESCRIPTOR;
const RECEIVE_BUFFERS: usize = TRANSMIT_RING + TRANSMITTERS * DESCRIPTOR;
const TRANSMIT_BUFFERS: usize = RECEIVE_BUFFERS + RECEIVERS * FRAME;
/// Bytes of memory that the driver shares with the card.
pub const MEMORY: usize = TRANSMIT_BUFFERS + TRANSMITTERS * FRAME;
/// Logarithms of the ring sizes, where the initialization block has them.
const EIGHT: u32 = 3 << 29;
const FOUR: u32 = 2 << 29;
const LONGEST: usize = 1514;
/// Polls until the transmitter counts as stuck: most of a second at least.
const FULL_POLLS: u32 = 200_000;

/// Where the card is plugged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// It asks for the bus by a DMA channel.
    Isa,
    /// It has the bus by itself.
    Pci,
}

/// A driver with its card.
pub struct Pcnet<P, R> {
    ports: P,
    io: u16,
    irq: Option<u8>,
    slot: Slot,
    region: R,
    address: [u8; 6],
    statistics: Statistics,
    listening: bool,
    receive: usize,
    filled: usize,
    ended: usize,
    busy: usize,
    /// Calls in a row that found no room.
    full: u32,
}

/// Whether a card on ISA may be at `io`. Reads two bytes of its address PROM, which are counters of an NE2000.
pub fn is_likely<P: Ports>(ports: &mut P, io: u16) -> bool {
    ports.inb(io + 14) == SIGNATURE && ports.inb(io + 15) == SIGNATURE
}

impl<P: Ports, R: DmaRegion> Pcnet<P, R> {
    /// The card at `io`, with [`MEMORY`] bytes in `region`. `None` when it does not come out of reset, or
    /// does not reach the memory.
    pub fn new(mut ports: P, io: u16, irq: Option<u8>, slot: Slot, region: R) -> Option<Self> {
        let pci = slot == Slot::Pci;
        let (first, last) = (region.address(), region.address().wrapping_add(MEMORY as u32));
        if first >> 24 != last >> 24 || !pci && first >> 24 != 0 {
            return None;
        }
        if pci {
            ports.inl(io + RESET_DWORD);
        }
        ports.inw(io + RESET);
        ports.delay_us(1_000);
        let address = station_address(&mut ports, io);
        let mut card = Pcnet {
            ports,
            io,
            irq,
            slot,
            region,
            address,
            statistics: Statistics::default(),
            listening: true,
            receive: 0,
            filled: 0,
            ended: 0,
            busy: 0,
            full: 0,
        };
        if pci {
            // A reset leaves the software style as somebody set it.
            card.select(20);
            card.ports.outw(io + BUS_DATA, 0);
        }
        card.select(CHIP);
        let number = card.ports.inw(io + REGISTER_DATA);
        card.select(0);
        let there = number & 0xFFF == AMD && card.status() == STOP && card.get_the_bus();
        there.then(|| {
            card.run();
            card
        })
    }

    fn select(&mut self, register: u16) {
        self.ports.outw(self.io + REGISTER_ADDRESS, register);
    }

    fn set(&mut self, register: u16, value: u16) {
        self.select(register);
        self.ports.outw(self.io + REGISTER_DATA, value);
    }

    fn status(&mut self) -> u16 {
        self.ports.inw(self.io + REGISTER_DATA)
    }

    /// Writes CSR0: acknowledges events and gives commands; bits of zero change nothing.
    fn command(&mut self, bits: u16) {
        let interrupts = if self.irq.is_some() { INTERRUPTS_ON } else { 0 };
        self.ports.outw(self.io + REGISTER_DATA, bits | interrupts);
    }

    /// Initializes the chip, on ISA by the DMA channel that its jumpers say: the one by which it gets the
    /// bus. Whether there is one.
    fn get_the_bus(&mut self) -> bool {
        match self.slot {
            Slot::Pci => self.initialize(),
            Slot::Isa => CHANNELS
                .into_iter()
                .any(|channel| dma::cascade(&mut self.ports, channel) && self.initialize()),
        }
    }

    /// Lays out rings and initialization block, and has the chip read them; whether it could.
    fn initialize(&mut self) -> bool {
        let base = self.region.address();
        let at = |offset: usize| base.wrapping_add(offset as u32) & LOW_24;
        (self.receive, self.filled, self.ended, self.busy) = (0, 0, 0, 0);
        for index in 0..RECEIVERS {
            self.offer(index);
        }
        for index in 0..TRANSMITTERS {
            self.region.set(TRANSMIT_RING + index * DESCRIPTOR, 0);
        }
        let [a, b, c, d, e, f] = self.address;
        let block = [
            // Mode 0; no multicasts.
            u32::from_le_bytes([0, 0, a, b]),
            u32::from_le_bytes([c, d, e, f]),
            0,
            0,
            at(RECEIVE_RING) | EIGHT,
            at(TRANSMIT_RING) | FOUR,
        ];
        for (index, value) in block.into_iter().enumerate() {
            self.region.set(INIT_BLOCK + index * 4, value);
        }
        self.set(0, EVENTS | STOP);
        self.select(2);
        let select = self.ports.inw(self.io + BUS_DATA);
        self.ports.outw(self.io + BUS_DATA, select | AUTO_SELECT);
        self.set(1, base as u16);
        self.set(2, (base >> 16) as u16);
        self.set(3, MASKS);
        self.set(4, FEATURES);
        self.set(0, INIT);
        let ended = (0..100).find_map(|_| {
            self.ports.delay_us(100);
            Some(self.status() & (INITIALIZED | BUS_ERROR)).filter(|&ended| ended != 0)
        });
        if ended != Some(INITIALIZED) {
            // It stops asking for the bus.
            self.command(STOP);
        }
        ended == Some(INITIALIZED)
    }

    fn run(&mut self) {
        self.command(EVENTS | START);
    }

    /// Gives a receive descriptor to the chip.
    fn offer(&mut self, index: usize) {
        let buffer = self.region.address().wrapping_add((RECEIVE_BUFFERS + index * FRAME) as u32);
        let descriptor = RECEIVE_RING + index * DESCRIPTOR;
        self.region.set(descriptor + 4, ONES | (FRAME as u32).wrapping_neg() & 0xFFF);
        self.region.set(descriptor, OWN | buffer & LOW_24);
    }

    /// Counts how frames ended that the chip has sent.
    fn settle(&mut self) {
        while self.busy > 0 {
            let status = self.region.get(TRANSMIT_RING + self.ended * DESCRIPTOR);
            if status & OWN != 0 {
                return;
            }
            if status & ERROR != 0 {
                self.statistics.count_error_out();
            }
            self.ended = (self.ended + 1) % TRANSMITTERS;
            self.busy -= 1;
        }
    }

    /// Acknowledges what happened, counts frames that found no descriptor, and puts a chip that has stopped
    /// back to work.
    fn acknowledge(&mut self) {
        let status = self.status();
        if status & MISSED != 0 {
            self.statistics.count_lost(1);
        }
        if status & BOTH_ON != BOTH_ON || self.full >= FULL_POLLS {
            self.full = 0;
            // What was on its way is lost, as on a wire.
            self.settle();
            self.statistics.errors_out = self.statistics.errors_out.wrapping_add(self.busy as u32);
            self.initialize();
            self.run();
        } else if status & EVENTS != 0 {
            self.command(status & EVENTS);
        }
    }

    /// Takes the frame of a descriptor that came back.
    fn take(&mut self, status: u32, buffer: &mut [u8]) -> Option<usize> {
        let descriptor = RECEIVE_RING + self.receive * DESCRIPTOR;
        // The count is of the frame check sequence, too.
        let length = (self.region.get(descriptor + 4) >> 16 & 0xFFF) as usize;
        let length = length.wrapping_sub(4);
        if status & ERROR != 0 || status & WHOLE != WHOLE || !(14..=LONGEST + 4).contains(&length) {
            self.statistics.count_error_in();
            return None;
        }
        if !self.listening {
            return None;
        }
        let Some(buffer) = buffer.get_mut(..length) else {
            self.statistics.count_lost(1);
            return None;
        };
        self.region.read(RECEIVE_BUFFERS + self.receive * FRAME, buffer);
        self.statistics.count_in(length);
        Some(length)
    }
}

impl<P: Ports, R: DmaRegion> Nic for Pcnet<P, R> {
    fn info(&self) -> DriverInfo {
        DriverInfo {
            name: match self.slot {
                Slot::Isa => "AMD PCnet (ISA)",
                Slot::Pci => "AMD PCnet",
            },
            class: Class::Ethernet,
            io: self.io,
            irq: self.irq,
            mtu: 1500,
            // Two are for small frames among the full ones.
            receive_frames: RECEIVERS as u8 - 2,
        }
    }

    fn address(&self) -> [u8; 6] {
        self.address
    }

    fn can_send(&mut self) -> bool {
        self.settle();
        if self.busy == TRANSMITTERS {
            self.full += 1;
            self.acknowledge();
        } else {
            self.full = 0;
        }
        self.busy < TRANSMITTERS
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        if !(14..=LONGEST).contains(&frame.len()) {
            return Err(SendError::BadLength);
        }
        if !self.can_send() {
            return Err(SendError::Busy);
        }
        let buffer = TRANSMIT_BUFFERS + self.filled * FRAME;
        self.region.write(buffer, frame);
        let descriptor = TRANSMIT_RING + self.filled * DESCRIPTOR;
        self.region.set(descriptor + 4, ONES | (frame.len() as u32).wrapping_neg() & 0xFFF);
        let address = self.region.address().wrapping_add(buffer as u32) & LOW_24;
        self.region.set(descriptor, OWN | WHOLE | address);
        self.command(DEMAND);
        self.filled = (self.filled + 1) % TRANSMITTERS;
        self.busy += 1;
        self.statistics.count_out(frame.len());
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        // Bounded: frames with errors go by, at most a ring of them in a call.
        for _ in 0..RECEIVERS {
            let mut status = self.region.get(RECEIVE_RING + self.receive * DESCRIPTOR);
            if status & OWN != 0 {
                self.acknowledge();
                // What came before the acknowledgement raises no further interrupt.
                status = self.region.get(RECEIVE_RING + self.receive * DESCRIPTOR);
                if status & OWN != 0 {
                    return None;
                }
            }
            let taken = self.take(status, buffer);
            self.offer(self.receive);
            self.receive = (self.receive + 1) % RECEIVERS;
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    fn set_receive_mode(&mut self, mode: ReceiveMode) {
        self.listening = mode != ReceiveMode::Off;
    }

    fn statistics(&self) -> Statistics {
        self.statistics
    }
}
