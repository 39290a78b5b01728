//! What calls leave behind: chains to be freed, free clusters to be counted, volumes to be closed.

use super::{Drives, Number};
use crate::fat::{Chain, FatError};
use crate::vfs::provider::FsError;

/// Seconds without a change after which a volume is closed.
const QUIET: u32 = 2;

impl Drives<'_> {
    /// Notes a change of a drive.
    pub(super) fn touch(&mut self, number: Number) {
        let slot = &mut self.slots[usize::from(number)];
        (slot.changed_at, slot.used_at) = (self.seconds, self.seconds);
    }

    /// Leaves a chain to be freed. When there are too many the clusters stay lost until CHKDSK.
    pub(super) fn discard(&mut self, number: Number, chain: Chain) {
        let _ = self.chains.push_back((number, chain));
    }

    /// Makes sure that [`Drives::discard`] has room.
    pub(super) fn room_for_chain(&mut self) -> Result<(), FsError> {
        // Changes under way and files that are open may each leave one behind.
        if self.chains.len() < super::CHAINS / 2 {
            return Ok(());
        }
        self.free_next();
        Err(FsError::Again)
    }

    /// Frees a part of what waits on this drive; `false` when nothing does.
    pub(super) fn free_some(&mut self, number: Number) -> bool {
        if !self.chains.iter().any(|chain| chain.0 == number) {
            return false;
        }
        self.free_next();
        true
    }

    /// Frees a part of the chain that has waited longest.
    fn free_next(&mut self) {
        let Some((number, mut chain)) = self.chains.pop_front() else { return };
        let slot = &mut self.slots[usize::from(number)];
        let Some(volume) = &mut slot.volume else { return };
        if volume.read_only.is_some() {
            return;
        }
        let result = volume.free_chain(&mut self.cache, &mut chain);
        self.touch(number);
        match self.check(number, result) {
            Err(FsError::Again) => {
                let _ = self.chains.push_back((number, chain));
            }
            Err(_) => self.report_read_only(number),
            Ok(()) => {}
        }
    }

    /// One slice of work; `false` when nothing is left.
    pub(super) fn background(&mut self) -> bool {
        self.cache.begin(1);
        if self.underway.is_some() {
            self.pass_by();
            return true;
        }
        if !self.chains.is_empty() {
            self.free_next();
            return true;
        }
        for number in 0..self.slots.len() as Number {
            if self.close_quiet(number) || self.count(number) {
                return true;
            }
        }
        false
    }

    fn count(&mut self, number: Number) -> bool {
        let slot = &mut self.slots[usize::from(number)];
        let Some(volume) = slot.volume.as_mut().filter(|volume| volume.free_clusters().is_none())
        else {
            return false;
        };
        match volume.count_free(&mut self.cache) {
            Ok(_) | Err(FatError::Again) => true,
            Err(error) => {
                volume.give_up_counting();
                self.failed(number, error);
                true
            }
        }
    }

    /// Closes a volume that nobody has written for a while, by one slice.
    fn close_quiet(&mut self, number: Number) -> bool {
        let slot = &mut self.slots[usize::from(number)];
        let Some(volume) = slot.volume.as_mut().filter(|volume| volume.is_in_use()) else {
            return false;
        };
        let quiet = self.seconds.wrapping_sub(slot.changed_at) >= QUIET;
        let written = self.files.iter().filter_map(|place| place.item.as_ref());
        let in_use = written
            .into_iter()
            .any(|open| open.number == number && open.flags.write && open.file.is_changed());
        if !quiet || in_use || volume.read_only.is_some() {
            return false;
        }
        match volume.close(&mut self.cache) {
            Ok(()) => {}
            Err(FatError::Again) => {}
            Err(error) => {
                crate::fat::change::write_failed(volume, error);
                self.failed(number, error);
                self.report_read_only(number);
            }
        }
        true
    }

    /// Everything to the disks, now.
    pub(super) fn flush_all(&mut self) -> Result<(), FsError> {
        let mut worst = Ok(());
        while self.underway.is_some() {
            self.cache.begin(u16::MAX);
            if let Some(underway) = &mut self.underway {
                underway.idle = u16::MAX;
            }
            self.pass_by();
        }
        while !self.chains.is_empty() {
            self.cache.begin(u16::MAX);
            self.free_next();
        }
        for place in 0..self.files.len() {
            let Some(open) = self.files[place].item.as_ref() else { continue };
            if !open.file.is_changed() || open.lost {
                continue;
            }
            let number = open.number;
            let handle = u16::from(self.files[place].serial) << 8 | place as u16;
            loop {
                self.cache.begin(u16::MAX);
                match self.finish_file(crate::vfs::provider::FileHandle(handle), number) {
                    Err(FsError::Again) => {}
                    Err(error) => {
                        worst = Err(error);
                        break;
                    }
                    Ok(()) => break,
                }
            }
        }
        for number in 0..self.slots.len() as Number {
            let Some(volume) = self.slots[usize::from(number)].volume.as_mut() else { continue };
            self.cache.begin(u16::MAX);
            let result = volume.close(&mut self.cache);
            if let Err(error) = self.check(number, result) {
                worst = Err(error);
            }
        }
        worst
    }
}
