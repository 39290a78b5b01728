//! The trait of a network card, shaped like the packet driver specification (PC/TCP Packet Driver
//! Specification 1.09): driver info, address, send, receive, receive mode, statistics.

/// What travels on the medium (packet driver classes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// DIX Ethernet, class 1: frames with a 14-byte header, without FCS.
    Ethernet,
    /// Serial line IP, class 6: bare IP packets, no addresses.
    Slip,
}

/// What a driver says of itself and its card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriverInfo {
    /// The card's name for users: "NE2000".
    pub name: &'static str,
    /// What travels on its medium.
    pub class: Class,
    /// First I/O port.
    pub io: u16,
    /// Interrupt line, where it is known; it only ends the CPU's HLT.
    pub irq: Option<u8>,
    /// Largest IP packet, bytes (Ethernet: 1500).
    pub mtu: u16,
    /// Full-size frames that the card can hold while nobody polls it. What TCP advertises must fit.
    pub receive_frames: u8,
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The transmitter is at work; try again in a later turn.
    Busy,
    /// The frame is longer or shorter than the medium takes.
    BadLength,
    /// The card does not answer, or has lost its link.
    Failed,
}

/// Which frames the card hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiveMode {
    /// To this card and broadcasts (packet driver mode 3).
    Broadcast,
    /// Nothing (mode 1).
    Off,
}

/// Counters since the start; they wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Frames received.
    pub packets_in: u32,
    /// Frames sent.
    pub packets_out: u32,
    /// Bytes received.
    pub bytes_in: u32,
    /// Bytes sent.
    pub bytes_out: u32,
    /// Frames received with errors (CRC, alignment, overrun).
    pub errors_in: u32,
    /// Frames not sent (collisions, no carrier, time-out).
    pub errors_out: u32,
    /// Frames that the card or its driver dropped (ring overflow).
    pub lost: u32,
}

impl Statistics {
    /// Counts a frame of `bytes` that was received.
    pub fn count_in(&mut self, bytes: usize) {
        self.packets_in = self.packets_in.wrapping_add(1);
        self.bytes_in = self.bytes_in.wrapping_add(bytes as u32);
    }

    /// Counts a frame of `bytes` that was sent.
    pub fn count_out(&mut self, bytes: usize) {
        self.packets_out = self.packets_out.wrapping_add(1);
        self.bytes_out = self.bytes_out.wrapping_add(bytes as u32);
    }

    /// Counts a frame that came in damaged.
    pub fn count_error_in(&mut self) {
        self.errors_in = self.errors_in.wrapping_add(1);
    }

    /// Counts a frame that did not go out.
    pub fn count_error_out(&mut self) {
        self.errors_out = self.errors_out.wrapping_add(1);
    }

    /// Counts `frames` dropped ones.
    pub fn count_lost(&mut self, frames: u32) {
        self.lost = self.lost.wrapping_add(frames);
    }
}

/// A network card, polled.
pub trait Nic {
    /// What driver and card are.
    fn info(&self) -> DriverInfo;

    /// The station address; zeroes for SLIP.
    fn address(&self) -> [u8; 6];

    /// Whether [`Nic::send`] would take a frame now.
    fn can_send(&mut self) -> bool;

    /// Hands a frame to the card, which sends it while the caller goes on. Short frames are padded.
    ///
    /// # Errors
    /// [`SendError`]; the frame was not sent.
    fn send(&mut self, frame: &[u8]) -> Result<(), SendError>;

    /// Takes the next received frame into `buffer` and returns its length; `None` when there is none.
    /// A frame longer than the buffer is dropped and counted as lost. Recovers the card from
    /// overflow. `buffer` holds at least 1536 bytes.
    fn receive(&mut self, buffer: &mut [u8]) -> Option<usize>;

    /// Chooses which frames are received.
    fn set_receive_mode(&mut self, mode: ReceiveMode);

    /// Counters since the start.
    fn statistics(&self) -> Statistics;

    /// Where in memory the driver has code, so that all others' can be given up.
    fn code(&self) -> usize {
        Self::receive as fn(&mut Self, &mut [u8]) -> Option<usize> as usize
    }
}
