//! What the server needs of the PC besides disks and network card. The kernel implements it on the
//! hardware, tools/sim on the host.

use crate::console::{Key, TextScreen};
use crate::time::{DateTime, Millis};

/// The PC around the server.
pub trait Machine {
    /// Time since the start. Goes on during BIOS calls.
    fn now(&self) -> Millis;

    /// The RTC's date and time.
    fn date_time(&mut self) -> DateTime;

    /// The next key, if one was pressed.
    fn key(&mut self) -> Option<Key>;

    /// The screen; `None` on a PC without display.
    fn screen(&mut self) -> Option<&mut dyn TextScreen>;

    /// Queues bytes for COM1, and drops what does not fit; never waits.
    fn serial(&mut self, bytes: &[u8]);

    /// Moves queued bytes on to COM1, as many as it takes without waiting.
    fn poll(&mut self);

    /// Sounds the speaker at `hertz`, or silences it with 0. Returns at once.
    fn tone(&mut self, hertz: u16);

    /// Halts the CPU until something may have happened: an interrupt of timer, keyboard or network card; at
    /// most a few milliseconds. `rested`: milliseconds since there was something to do last. While they are few
    /// and nothing ends the halt when a packet comes, or with `disk` when a drive has done its work, returns at
    /// once.
    fn idle(&mut self, rested: u64, disk: bool);

    /// A number that differs from start to start: RTC and timer.
    fn entropy(&mut self) -> u64;

    /// Restarts the PC.
    fn restart(&mut self) -> !;
}
