//! How often the disks may be asked: so many commands in a slice, and so much time in a turn of the
//! server's loop.
//!
//! A command that is waited for cannot be broken off, and while it lasts nobody is served. So a turn begins
//! commands until they have taken [`SHARE`] milliseconds: on a slow disk that is one. After such a turn the
//! network comes first: until everything that arrived meanwhile is taken and answered, no other command begins.

use super::{Cache, CacheError, Owner, bit_of};
use crate::block::device::{DiskError, DiskId};

/// Milliseconds of commands after which a turn begins no other.
const SHARE: u32 = 2;
/// Turns that the network gets for itself after a slow command, at most: they take in more packets than a
/// card can hold.
const NETWORK: u8 = 4;

/// What was put off because a drive is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutOff {
    /// The disk.
    pub disk: DiskId,
    /// With the command of who was put off: the others wait for him.
    pub own: bool,
}

/// What this turn has had of the disks.
#[derive(Default)]
enum Turn {
    /// Turns are not counted: nobody is served yet.
    #[default]
    Unlimited,
    /// Commands that took so many milliseconds.
    Had(u32),
    /// All that it gets.
    Over,
}

/// Of the cache.
#[derive(Default)]
pub(super) struct Pace {
    /// Commands that the slice may still give.
    budget: u16,
    /// The slice gets its commands whatever the turn has had.
    urgent: bool,
    /// The slice has read into the cache.
    pub(super) read: bool,
    /// The slice was begun without any.
    idle: bool,
    turn: Turn,
    /// When the disks' time was counted last.
    counted: u32,
    network: u8,
    /// The last that was put off.
    put_off: Option<PutOff>,
}

impl Cache<'_> {
    /// Begins a slice that may give the disks `commands` commands, within the turn's time. Where it gets none,
    /// what it finds in the cache counts as untouched.
    pub fn begin(&mut self, commands: u16) {
        let pace = &mut self.pace;
        (pace.budget, pace.urgent, pace.read, pace.idle) = (commands, false, false, commands == 0);
    }

    /// Begins a slice that gets `commands` commands whatever the turn has had.
    pub fn begin_urgent(&mut self, commands: u16) {
        self.begin(commands);
        self.pace.urgent = true;
    }

    /// Begins a turn of the server's loop; `quiet`: nothing came from the network, and nothing was left to
    /// send.
    pub fn begin_turn(&mut self, quiet: bool) {
        let rests = self.is_spent() && !quiet && self.pace.network < NETWORK;
        self.pace.network = if rests { self.pace.network + 1 } else { 0 };
        self.pace.turn = if rests { Turn::Over } else { Turn::Had(0) };
    }

    /// Whether this turn gets no more commands.
    pub fn is_spent(&self) -> bool {
        match self.pace.turn {
            Turn::Unlimited => false,
            Turn::Had(time) => time >= SHARE,
            Turn::Over => true,
        }
    }

    /// Puts off what `owner` wants, or nobody.
    pub(super) fn put_off(&mut self, disk: DiskId, owner: Option<Owner>) -> CacheError {
        let whose = self.disks.under_way(disk).map(|(whose, _)| whose);
        self.pace.put_off = Some(PutOff { disk, own: owner.is_some() && owner == whose });
        CacheError::Again
    }

    /// What was put off since the last call because a drive is at work, whose interrupt comes.
    pub fn take_put_off(&mut self) -> Option<PutOff> {
        self.pace.put_off.take()
    }

    /// Whether what is put off for this disk would be put off again.
    pub fn is_at_work(&mut self, disk: DiskId) -> bool {
        self.disks.under_way(disk).is_some_and(|(_, works)| works)
    }

    /// Whether the slice has read something that others may push out of the cache again.
    pub fn has_read(&self) -> bool {
        self.pace.read
    }

    pub(super) fn may_touch(&self) -> bool {
        !self.pace.idle
    }

    /// Whether a command may still be given: to be asked before changing what must be written at once.
    ///
    /// # Errors
    /// [`CacheError::Again`] when not.
    pub fn may_command(&mut self, disk: DiskId) -> Result<(), CacheError> {
        self.may_transfer()?;
        // Who gets all the commands that there are waits for the disk: nobody else is served.
        let waits = self.pace.budget < u16::MAX / 2 && self.disks.engaged(disk, None);
        if waits { Err(self.put_off(disk, None)) } else { Ok(()) }
    }

    /// As [`Cache::may_command`], for what does not wait for the drive.
    fn may_transfer(&self) -> Result<(), CacheError> {
        let late = !self.pace.urgent && self.is_spent();
        if self.pace.budget == 0 || late { Err(CacheError::Again) } else { Ok(()) }
    }

    /// Takes a command from the budget. A disk whose medium was changed gets none until that is
    /// acknowledged, and while that is in doubt: nothing of the old medium may come to the new one.
    pub(super) fn charge(&mut self, disk: DiskId) -> Result<(), CacheError> {
        self.check_doubt(disk)?;
        self.charge_to_look(disk)
    }

    /// As [`Cache::charge`], for looking what medium it is.
    #[inline(never)]
    pub(super) fn charge_to_look(&mut self, disk: DiskId) -> Result<(), CacheError> {
        self.check_medium(disk)?;
        self.may_command(disk)?;
        self.take();
        Ok(())
    }

    /// As [`Cache::charge`], for a transfer that does not wait for the drive.
    pub(super) fn charge_transfer(&mut self, disk: DiskId) -> Result<(), CacheError> {
        self.check_doubt(disk)?;
        self.check_medium(disk)?;
        self.may_transfer()?;
        self.take();
        Ok(())
    }

    fn check_doubt(&self, disk: DiskId) -> Result<(), CacheError> {
        if self.doubted & bit_of(disk) == 0 { Ok(()) } else { Err(CacheError::Again) }
    }

    fn check_medium(&self, disk: DiskId) -> Result<(), CacheError> {
        let gone = self.gone & bit_of(disk) != 0;
        if gone { Err(CacheError::Disk(DiskError::Changed)) } else { Ok(()) }
    }

    fn take(&mut self) {
        self.pace.counted = self.disks.clock();
        self.pace.budget -= 1;
    }

    /// Counts the time that a command has taken since it was charged.
    pub(super) fn count(&mut self) {
        if let Turn::Had(time) = &mut self.pace.turn {
            let now = self.disks.clock();
            // The clock is set back at midnight.
            let took = now.wrapping_sub(self.pace.counted).cast_signed().max(0);
            *time = time.saturating_add_signed(took);
            self.pace.counted = now;
        }
    }

    /// Asks a drive whether its medium may have been changed ([`super::Disks::changed`]), as a command. If
    /// so, only [`Cache::peek`] and its like reach the disk until [`Cache::trust`].
    ///
    /// # Errors
    /// [`CacheError::Again`].
    pub fn ask_changed(&mut self, disk: DiskId) -> Result<bool, CacheError> {
        self.may_transfer()?;
        self.take();
        let changed = self.disks.changed(disk);
        self.count();
        if changed {
            self.doubted |= bit_of(disk);
        }
        Ok(changed)
    }

    /// Ends the doubt: it is the medium that it was, or everything of that is forgotten.
    pub fn trust(&mut self, disk: DiskId) {
        self.doubted &= !bit_of(disk);
    }
}
