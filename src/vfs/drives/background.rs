//! What calls leave behind: chains to be freed, volumes to be surveyed and closed.

use super::{Drives, Medium, Notice, Number};
use crate::fat::{Chain, FatError, Volume};
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
        self.free_or_survey();
        Err(FsError::Again)
    }

    /// Frees a part of what waits on this drive; `false` when nothing does.
    pub(super) fn free_some(&mut self, number: Number) -> bool {
        self.chains.iter().any(|chain| chain.0 == number) && self.free_or_survey()
    }

    /// Frees a part of a chain, or takes a step of the survey that it waits for.
    fn free_or_survey(&mut self) -> bool {
        let Some(&(number, _)) = self.chains.front() else { return false };
        self.free_next() || self.survey_some(number)
    }

    /// Frees a part of the chain that has waited longest of those whose volume is surveyed; `false` when there
    /// is none.
    fn free_next(&mut self) -> bool {
        for _ in 0..self.chains.len() {
            let Some((number, mut chain)) = self.chains.pop_front() else { break };
            let Some(volume) = &mut self.slots[usize::from(number)].volume else { return true };
            if volume.read_only.is_some() {
                return true;
            }
            if !volume.is_surveyed() {
                let _ = self.chains.push_back((number, chain));
                continue;
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
            return true;
        }
        false
    }

    /// One slice of work; `false` when nothing is left.
    pub(super) fn background(&mut self) -> bool {
        self.begin_background();
        if self.underway.is_some() {
            self.pass_by();
            return true;
        }
        if self.free_next() {
            return true;
        }
        // Tables before directories: somebody may be about to write.
        let mut next: Option<(bool, Number)> = None;
        for number in 0..self.slots.len() as Number {
            let slot = &self.slots[usize::from(number)];
            let Some(volume) = slot.volume.as_ref().filter(|volume| volume.is_mounted()) else {
                continue;
            };
            if volume.needs_survey() && !self.excluded.contains(slot.letter) {
                let this = (volume.is_vouched(), number);
                next = Some(next.map_or(this, |other| other.min(this)));
            }
            if slot.medium == Medium::Changed {
                // Whoever wanted to know may be gone; those who write wait for it.
                let _ = self.ask_floppy(number);
                return true;
            }
            if self.close_quiet(number) {
                return true;
            }
        }
        next.is_some_and(|(_, number)| self.survey_some(number))
    }

    /// One slice of a drive's survey; `false` when it needs none. Where another drive's is under way that one is
    /// carried on instead, unless only this drive's table is not known yet.
    pub(super) fn survey_some(&mut self, number: Number) -> bool {
        let volume = |number: Number| self.slots.get(usize::from(number))?.volume.as_ref();
        let vouched = |number| volume(number).is_some_and(Volume::is_vouched);
        let others = self.survey.volume().filter(|&other| {
            volume(other).is_some_and(Volume::needs_survey) && (vouched(number) || !vouched(other))
        });
        let number = others.unwrap_or(number);
        let slot = &mut self.slots[usize::from(number)];
        let ready = self.survey.has_memory();
        let needed = |volume: &&mut Volume| ready && volume.needs_survey();
        let Some(volume) = slot.volume.as_mut().filter(needed) else { return false };
        let was_read_only = volume.read_only.is_some();
        let result = self.survey.step(number, volume, &mut self.cache);
        self.progress |= result != Err(FatError::Again);
        let news = volume.read_only.is_some() && !was_read_only;
        let culprit = volume.culprit.filter(|_| news);
        match result {
            Ok(true) => self.tell(number, Notice::CopiesDiffered),
            Ok(false) | Err(FatError::Again) => {}
            Err(_) if news => {}
            Err(error) => {
                volume.give_up_survey(error);
                self.failed(number, error);
            }
        }
        if let Some(name) = culprit {
            self.tell(number, Notice::Culprit(name));
        }
        if !was_read_only {
            self.report_read_only(number);
        }
        true
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

    fn free_all(&mut self) {
        while !self.chains.is_empty() {
            self.cache.begin_urgent(u16::MAX);
            if !self.free_or_survey() {
                break;
            }
        }
    }

    /// Everything to the disks, now.
    pub(super) fn flush_all(&mut self) -> Result<(), FsError> {
        let mut worst = Ok(());
        while self.underway.is_some() {
            self.cache.begin_urgent(u16::MAX);
            // Whoever wanted to know how it ends is told nothing any more.
            let _ = self.carry_on();
        }
        self.free_all();
        for place in 0..self.files.len() {
            let Some(open) = self.files[place].item.as_ref() else { continue };
            if !open.file.is_changed() || open.lost {
                continue;
            }
            let number = open.number;
            let handle = u16::from(self.files[place].serial) << 8 | place as u16;
            loop {
                self.cache.begin_urgent(u16::MAX);
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
        self.free_all();
        for number in 0..self.slots.len() as Number {
            let Some(volume) = self.slots[usize::from(number)].volume.as_mut() else { continue };
            self.cache.begin_urgent(u16::MAX);
            let result = volume.close(&mut self.cache);
            if let Err(error) = self.check(number, result) {
                worst = Err(error);
            }
        }
        worst
    }
}
