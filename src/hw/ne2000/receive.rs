//! The receiving half: the ring, its headers, its overflow.

use super::{Ne2000, TCR_LOOPBACK, chip};
use crate::hw::ports::Ports;

/// What the driver looks for in the interrupt status; also what wakes a halted CPU.
pub(super) const EVENTS: u8 = chip::ISR_RECEIVED
    | chip::ISR_TRANSMITTED
    | chip::ISR_RECEIVE_ERROR
    | chip::ISR_TRANSMIT_ERROR
    | chip::ISR_OVERWRITE
    | chip::ISR_COUNTERS;
/// Receive status: the frame is intact.
const RSR_INTACT: u8 = 0x01;
/// Bytes of the header that the chip puts before a frame: status, next page, count.
const HEADER: u16 = 4;
/// Bytes of the shortest frame, which are read together with the header.
const SHORT: usize = 60;
/// Bytes that the count has more than the frame that is handed over (the FCS).
const FCS: u16 = 4;
/// Counts that a frame can have: a bare header to a full frame with a VLAN tag.
const COUNTS: core::ops::RangeInclusive<u16> = 14 + FCS..=1518 + FCS;

impl<P: Ports> Ne2000<P> {
    /// The next frame, as [`crate::net::nic::Nic::receive`] wants it. The chip is asked when all frames that
    /// it was known to hold are taken.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if self.next == self.current {
            self.poll_events();
        }
        while self.next != self.current {
            let taken = self.take_frame(buffer);
            if taken.is_some() {
                return taken;
            }
        }
        if self.recovery.is_some() {
            self.end_recovery();
        }
        None
    }

    /// One register read when nothing has happened.
    fn poll_events(&mut self) {
        if self.recovery.is_some() {
            return;
        }
        let events = self.chip.get(chip::INTERRUPTS) & EVENTS;
        if events == 0 {
            return;
        }
        let counted = chip::ISR_RECEIVE_ERROR | chip::ISR_COUNTERS | chip::ISR_OVERWRITE;
        if events & counted != 0 {
            self.read_tallies();
        }
        if events & chip::ISR_OVERWRITE != 0 {
            self.begin_recovery();
        } else {
            // Acknowledged before CURR is read: a frame that comes in between sets the bit again.
            self.chip.set(chip::INTERRUPTS, events);
            if events & (chip::ISR_TRANSMITTED | chip::ISR_TRANSMIT_ERROR) != 0 {
                self.poll_transmitter();
            }
        }
        if events & (chip::ISR_RECEIVED | chip::ISR_OVERWRITE) != 0 {
            self.read_current();
        }
    }

    fn read_current(&mut self) {
        let current = self.chip.current();
        if (self.start..self.stop).contains(&current) {
            self.current = current;
        } else {
            self.discard_ring();
        }
    }

    /// Tally counters: frame alignment errors, CRC errors, missed frames.
    fn read_tallies(&mut self) {
        let alignment = self.chip.get(chip::TALLY);
        let crc = self.chip.get(chip::TALLY + 1);
        let missed = self.chip.get(chip::TALLY + 2);
        let statistics = &mut self.statistics;
        statistics.errors_in =
            statistics.errors_in.wrapping_add(u32::from(alignment) + u32::from(crc));
        statistics.count_lost(u32::from(missed));
    }

    /// Ring overflow, data sheet steps 1 to 7. The ring is emptied in loopback, over as many calls as
    /// the caller likes, unless it has an answer to send: coming back after one frame would overflow
    /// again at once in a flood.
    fn begin_recovery(&mut self) {
        self.statistics.count_lost(1);
        let resend = self.halt();
        self.chip.set(chip::TRANSMIT_CONFIG, TCR_LOOPBACK);
        self.chip.set(chip::COMMAND, chip::CR_START);
        self.recovery = Some(resend);
    }

    /// Steps 9 to 11.
    pub(super) fn end_recovery(&mut self) {
        let resend = self.recovery.take().unwrap_or(false);
        self.chip.set(chip::INTERRUPTS, EVENTS);
        self.chip.set(chip::TRANSMIT_CONFIG, 0);
        self.resume_transmission(resend);
    }

    /// Reads the frame at `next`; `None` when it was dropped.
    fn take_frame(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let (start, rest) = buffer.split_at_mut_checked(SHORT).unwrap_or_default();
        let [status, following, low, high] = self.chip.read_page(self.next, start);
        let count = u16::from_le_bytes([low, high]);
        if !self.is_consistent(status, following, count) {
            self.discard_ring();
            return None;
        }
        let length = usize::from(count - FCS);
        let fits = if length <= SHORT {
            true
        } else if let Some(rest) = rest.get_mut(..length - SHORT) {
            let address = u16::from(self.next) << 8;
            self.chip.read_memory(address + HEADER + SHORT as u16, rest);
            true
        } else {
            false
        };
        self.next = following;
        let boundary = if following == self.start { self.stop - 1 } else { following - 1 };
        self.chip.set(chip::BOUNDARY, boundary);
        if fits {
            self.statistics.count_in(length);
        } else {
            self.statistics.count_lost(1);
        }
        fits.then_some(length)
    }

    /// Whether a header at `next` can be true: an intact frame of a possible length, whose pages
    /// end where the next begins, and that not beyond CURR. Chips differ by one page when the last
    /// bytes just fill one.
    fn is_consistent(&self, status: u8, following: u8, count: u16) -> bool {
        if status & RSR_INTACT == 0
            || !COUNTS.contains(&count)
            || !(self.start..self.stop).contains(&following)
        {
            return false;
        }
        let pages = self.distance(following);
        let (least, most) = ((count >> 8) + 1, (count + HEADER).div_ceil(256));
        (u16::from(pages) == least || u16::from(pages) == most)
            && pages <= self.distance(self.current)
    }

    /// Pages from `next` on to `page`, around the ring.
    fn distance(&self, page: u8) -> u8 {
        let ring = if page < self.next { self.stop - self.start } else { 0 };
        page.wrapping_sub(self.next).wrapping_add(ring)
    }

    /// Ring or header make no sense: everything in the ring is given up.
    fn discard_ring(&mut self) {
        self.statistics.count_lost(1);
        self.restart();
    }
}
