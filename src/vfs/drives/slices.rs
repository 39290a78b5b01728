//! Slices: every call gets the disks for one command, and comes back for more.
//!
//! A call that only reads starts anew each time, with more in the cache. Where others push out what it
//! read (a small cache, many clients), that might never end: so a call that has lost many slices becomes
//! the favourite, and until it is done the others get no commands. What needs more at once than the cache
//! holds gets more commands a slice in the end.

use heapless::Vec;
use heapless::vec::VecView;

use super::walk::Spot;
use super::{Drives, MOST_CLIENTS, Number, Underway};
use crate::fat::{File, Name83, Scan};
use crate::memory::{Memory, OutOfMemory};
use crate::vfs::path::ResolvedPath;
use crate::vfs::provider::{FsError, OpenFlags};

/// Slices without progress before a call becomes the favourite.
const PATIENCE: u16 = 8;

/// Slices without progress before the favourite gets more commands, one more for each as many.
const HARDSHIP: u16 = 32;

/// Calls of others, and seconds, after which a change is carried on without its owner, who must be gone: one who came
/// again later would have it made a second time.
const ABANDONED: u16 = 100;
const SILENCE: u32 = 3;

/// How far a search for a name is.
#[derive(Debug, Clone, Copy)]
struct Search {
    spot: Spot,
    scan: Scan,
}

/// A call that was told to come again.
#[derive(Debug, Clone, Copy)]
struct Turn {
    key: u32,
    /// How often.
    waited: u16,
    searches: [Option<Search>; 2],
}

/// Calls that were told to come again, and what they found out until then.
#[derive(Debug)]
pub(super) struct Turns<'a> {
    /// One of each client's, the log file's, and one of who is gone.
    waiting: &'a mut VecView<Turn>,
    /// The call that alone gets commands, and calls of others since its last.
    favourite: Option<(u32, u16)>,
    /// Of the call that is being served.
    searches: [Option<Search>; 2],
}

/// Bytes that [`Turns::take_memory`] takes at most.
pub(super) const WAITING: usize = size_of::<Vec<Turn, { MOST_CLIENTS + 2 }>>();

impl<'a> Turns<'a> {
    /// For the start, which makes one call after the other.
    pub(super) fn new(memory: &mut impl Memory<'a>) -> Result<Turns<'a>, OutOfMemory> {
        let waiting = memory.place("the drives", Vec::<_, 1>::new())?;
        Ok(Turns { waiting, favourite: None, searches: [None; 2] })
    }

    /// Takes the memory to serve `clients`; nobody waits.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub(super) fn take_memory(
        &mut self,
        memory: &mut impl Memory<'a>,
        clients: usize,
    ) -> Result<(), OutOfMemory> {
        self.waiting = if clients <= 2 {
            memory.place("the drives", Vec::<_, 4>::new())?
        } else {
            memory.place("the drives", Vec::<_, { MOST_CLIENTS + 2 }>::new())?
        };
        Ok(())
    }

    /// Takes up what is known of a call; the commands that it gets, more than one only in hardship.
    fn begin(&mut self, key: u32, changes: bool) -> u16 {
        if self.is_idle() {
            return 1;
        }
        let waited = match self.waiting.iter().find(|turn| turn.key == key) {
            Some(turn) => {
                self.searches = turn.searches;
                turn.waited
            }
            None => {
                // One by one: an array of two is copied, and mostly there is nothing to forget.
                let [first, second] = &mut self.searches;
                (*first, *second) = (None, None);
                0
            }
        };
        // The favourite may be waiting for the change under way.
        if !changes && self.is_shut(key) {
            return 0;
        }
        if waited >= PATIENCE && self.favourite.is_none() {
            self.favourite = Some((key, 0));
        }
        1 + waited / HARDSHIP
    }

    /// Whether nobody waits: mostly so, and nothing of a call is known then.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.favourite.is_none()
    }

    /// Whether another call than this one is the favourite. One that is gone is forgotten in time.
    fn is_shut(&mut self, key: u32) -> bool {
        match &mut self.favourite {
            Some((other, idle)) if *other != key && *idle < ABANDONED => {
                *idle += 1;
                true
            }
            Some(_) => {
                self.favourite = None;
                false
            }
            None => false,
        }
    }

    /// Ends a slice; `lost`: its commands went into what may have to be read again.
    fn end(&mut self, key: u32, again: bool, lost: bool) {
        if !again && self.is_idle() {
            self.searches.iter_mut().for_each(|search| *search = None);
            return;
        }
        let at = self.waiting.iter().position(|turn| turn.key == key);
        if !again && self.favourite.is_some_and(|(favourite, _)| favourite == key) {
            self.favourite = None;
        }
        match (again, at) {
            (true, Some(at)) => {
                let turn = &mut self.waiting[at];
                turn.waited = turn.waited.saturating_add(u16::from(lost));
                turn.searches = self.searches;
            }
            (true, None) => {
                if self.waiting.is_full() {
                    self.waiting.remove(0);
                }
                let searches = self.searches;
                let _ = self.waiting.push(Turn { key, waited: u16::from(lost), searches });
            }
            (false, Some(at)) => {
                self.waiting.swap_remove(at);
            }
            (false, None) => {}
        }
        self.searches = [None; 2];
    }

    /// How far the search for this name is.
    pub(super) fn scan(&self, spot: &Spot) -> Scan {
        let searches = self.searches.iter().flatten();
        let mut same = searches.filter(|search| search.spot == *spot);
        same.next().map_or(Scan::start(spot.directory), |search| search.scan)
    }

    /// Notes how far the search for this name is.
    pub(super) fn keep(&mut self, spot: &Spot, scan: Scan) {
        let search = Search { spot: *spot, scan };
        match self.searches.iter_mut().flatten().find(|search| search.spot == *spot) {
            Some(same) => *same = search,
            None => self.searches = [Some(search), self.searches[0]],
        }
    }

    /// Forgets searches of a directory that changes.
    pub(super) fn forget(&mut self, number: Number, directory: u32) {
        let waiting = self.waiting.iter_mut().flat_map(|turn| turn.searches.iter_mut());
        for search in waiting.chain(self.searches.iter_mut()) {
            let is_it = |search: &Search| {
                search.spot.number == number && search.spot.directory == directory
            };
            if search.as_ref().is_some_and(is_it) {
                *search = None;
            }
        }
    }

    /// Forgets all searches.
    pub(super) fn forget_all(&mut self) {
        self.searches = [None; 2];
        for turn in self.waiting.iter_mut() {
            turn.searches = [None; 2];
        }
    }
}

/// What tells a call with these arguments from others.
pub(super) fn of_path(call: u8, path: &ResolvedPath, other: Option<&ResolvedPath>) -> u32 {
    let mut key = mix(0x811C_9DC5, &[call]);
    for path in [Some(path), other].into_iter().flatten() {
        key = mix(key, &[path.drive().map_or(0, |drive| drive.letter())]);
        key = path.names().iter().map(Name83::as_raw).fold(key, |key, name| mix(key, name));
    }
    key
}

/// The same for a handle.
pub(super) fn of_handle(call: u8, handle: u16) -> u32 {
    mix(mix(0x811C_9DC5, &[call]), &handle.to_le_bytes())
}

fn mix(key: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(key, |key, &byte| (key ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Drives<'_> {
    /// Lets `call` have one slice.
    pub(super) fn slice<T>(
        &mut self,
        key: u32,
        call: impl FnOnce(&mut Self, u32) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let changes = self.underway.as_ref().is_some_and(|underway| underway.owner == key);
        match self.turns.begin(key, changes) {
            commands @ 0..=1 => self.cache.begin(commands),
            commands => self.cache.begin_urgent(commands),
        }
        let result = call(self, key);
        // Who waited, wrote, or got somewhere for good has not lost a slice.
        let progress = core::mem::take(&mut self.progress);
        let lost = self.cache.has_read() && !progress;
        self.turns.end(key, matches!(result, Err(FsError::Again)), lost);
        result
    }

    /// Carries on this call's change. `Ok(None)` when it has none; `Ok(Some(_))` when it is done.
    ///
    /// # Errors
    /// [`FsError::Again`] while it is under way, or another call's is; others as the change failed.
    pub(super) fn settle(&mut self, key: u32) -> Result<Option<Done>, FsError> {
        match &mut self.underway {
            None => Ok(None),
            Some(underway) if underway.owner == key => {
                (underway.idle, underway.asked_at) = (0, self.seconds);
                self.carry_on().map(Some)
            }
            Some(_) => {
                self.pass_by();
                Err(FsError::Again)
            }
        }
    }

    /// Notes that somebody else than the owner came by; carries the change on if the owner is gone.
    pub(super) fn pass_by(&mut self) {
        if let Some(underway) = &mut self.underway {
            underway.idle = underway.idle.saturating_add(1);
            let silent = self.seconds.wrapping_sub(underway.asked_at) >= SILENCE;
            if underway.idle > ABANDONED && silent {
                // Whoever wanted to know how it ended is gone.
                let _ = self.carry_on();
            }
        }
    }

    /// Begins a slice of background work.
    pub(super) fn begin_background(&mut self) {
        // No call has this key.
        let shut = self.turns.is_shut(0);
        self.cache.begin(u16::from(!shut));
    }

    pub(super) fn carry_on(&mut self) -> Result<Done, FsError> {
        let Some(underway) = &self.underway else { return Err(FsError::Again) };
        let number = underway.number;
        let Some(volume) = self.slots[usize::from(number)].volume.as_mut() else {
            self.underway = None;
            return Err(FsError::DiskChanged);
        };
        let before = self.change.position();
        let result = self.change.run(volume, &mut self.cache);
        self.progress |= self.change.position() != before;
        if let Some(chain) = self.change.freed.take() {
            self.discard(number, chain);
        }
        self.touch(number);
        match self.check(number, result) {
            Ok(()) => {
                let opens = self.underway.take().and_then(|underway| underway.opens);
                Ok(Done { number, opens })
            }
            Err(FsError::Again) => Err(FsError::Again),
            Err(error) => {
                self.underway = None;
                self.index.forget(number);
                self.known.clear();
                self.turns.forget_all();
                self.report_read_only(number);
                Err(error)
            }
        }
    }

    /// Starts the change that was planned, of which the first steps may be taken in this slice.
    pub(super) fn start(
        &mut self,
        key: u32,
        number: Number,
        opens: Option<(File, OpenFlags)>,
    ) -> Result<Done, FsError> {
        self.underway =
            Some(Underway { owner: key, number, opens, idle: 0, asked_at: self.seconds });
        self.carry_on()
    }
}

/// A change that is done.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) number: Number,
    pub(super) opens: Option<(File, OpenFlags)>,
}
