//! The way of a frame out of a card: how long the wire is busy with it.

/// Sends one frame at a time.
#[derive(Default)]
pub struct Transmitter {
    left_us: u32,
    /// Transmissions never end.
    pub stuck: bool,
}

impl Transmitter {
    /// Begins with a frame of so many bytes: preamble, frame, FCS and gap at so many Mbit/s.
    pub fn begin(&mut self, bytes: usize, megabits: u32) {
        self.left_us = (bytes as u32 + 8 + 4 + 12) * 8 / megabits;
    }

    /// Whether a frame is on the wire.
    pub fn is_busy(&self) -> bool {
        self.left_us > 0
    }

    /// Breaks off.
    pub fn reset(&mut self) {
        self.left_us = 0;
    }

    /// Lets the time pass that is left of `us`: `true` when a frame's end has come in it.
    pub fn elapse(&mut self, us: &mut u32) -> bool {
        if self.stuck || self.left_us == 0 {
            return false;
        }
        let spent = self.left_us.min(*us);
        *us -= spent;
        self.left_us -= spent;
        self.left_us == 0
    }
}
