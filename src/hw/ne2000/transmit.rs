//! The sending half: two buffers where the memory allows, so that one fills while the other is on
//! the wire.

use super::{Ne2000, TRANSMIT_PAGES, chip};
use crate::hw::ports::Ports;
use crate::net::nic::SendError;

/// Shortest frame on the wire without FCS; shorter ones are padded with zeros.
const MINIMUM: usize = 60;
/// A header alone, and the longest frame without FCS.
const LENGTHS: core::ops::RangeInclusive<usize> = 14..=1514;
/// Transmit status: aborted after 16 collisions; FIFO underrun.
const TSR_FAILED: u8 = 0x08 | 0x20;
/// A transmission that lasts this many polls is stuck: a poll takes a microsecond or more, all
/// retries after collisions together less than half a second.
const STUCK_POLLS: u32 = 1_000_000;

/// A frame in a transmit buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loaded {
    page: u8,
    length: u16,
}

impl<P: Ports> Ne2000<P> {
    /// Whether two transmit buffers lie before the ring, not one.
    fn has_two_buffers(&self) -> bool {
        self.start - self.memory > TRANSMIT_PAGES
    }

    /// Whether a transmit buffer is free and the chip on the air.
    pub(super) fn has_room(&self) -> bool {
        self.recovery.is_none()
            && (self.sending.is_none() || self.waiting.is_none() && self.has_two_buffers())
    }

    pub(super) fn transmit(&mut self, frame: &[u8]) -> Result<(), SendError> {
        if !LENGTHS.contains(&frame.len()) {
            return Err(SendError::BadLength);
        }
        if self.sending.is_some() || self.recovery.is_some() {
            self.poll_transmitter();
            if !self.has_room() {
                return Err(SendError::Busy);
            }
        }
        let page = self.memory + self.buffer;
        let address = u16::from(page) << 8;
        let written = if frame.len() < MINIMUM {
            let mut padded = [0; MINIMUM];
            padded[..frame.len()].copy_from_slice(frame);
            self.chip.write_memory(address, &padded)
        } else {
            self.chip.write_memory(address, frame)
        };
        if written.is_err() {
            self.statistics.count_error_out();
            self.restart();
            return Err(SendError::Failed);
        }
        let loaded = Loaded { page, length: frame.len().max(MINIMUM) as u16 };
        if self.has_two_buffers() {
            self.buffer = TRANSMIT_PAGES - self.buffer;
        }
        if self.sending.is_some() {
            self.waiting = Some(loaded);
        } else {
            self.start_transmission(loaded);
        }
        Ok(())
    }

    fn start_transmission(&mut self, frame: Loaded) {
        let length = frame.length.to_le_bytes();
        self.chip.set(chip::TRANSMIT_PAGE, frame.page);
        self.chip.set(chip::TRANSMIT_COUNT, length[0]);
        self.chip.set(chip::TRANSMIT_COUNT + 1, length[1]);
        self.chip.set(chip::COMMAND, chip::CR_TRANSMIT);
        self.sending = Some(frame);
        self.polls = 0;
    }

    /// Looks whether the frame on the wire is out, and sends the next one. Ends a recovery: whoever wants to
    /// send may take no more frames until it can, and one was taken since the overflow.
    pub(super) fn poll_transmitter(&mut self) {
        if self.recovery.is_some() {
            self.end_recovery();
        }
        if self.sending.is_none() {
            return;
        }
        if self.chip.get(chip::COMMAND) & chip::CR_TXP == 0 {
            self.end_transmission();
            if let Some(frame) = self.waiting.take() {
                self.start_transmission(frame);
            }
            return;
        }
        self.polls += 1;
        if self.polls >= STUCK_POLLS {
            self.sending = None;
            self.statistics.count_error_out();
            self.restart();
        }
    }

    /// Counts the frame that was in transmission.
    #[inline(always)]
    pub(super) fn end_transmission(&mut self) {
        let Some(frame) = self.sending.take() else { return };
        let statistics = &mut self.statistics;
        if self.chip.get(chip::TRANSMIT_STATUS) & TSR_FAILED != 0 {
            statistics.count_error_out();
        } else {
            statistics.count_out(frame.length.into());
        }
    }

    /// Sends what is waiting; with `again`, the frame that a stop cut off comes first.
    pub(super) fn resume_transmission(&mut self, again: bool) {
        let frame = if again { self.sending } else { None };
        if let Some(frame) = frame {
            self.start_transmission(frame);
        } else if self.sending.is_none()
            && let Some(frame) = self.waiting.take()
        {
            self.start_transmission(frame);
        }
    }
}
