//! Drive letters in DOS's order: floppies A and B; the first primary partition of each hard disk, the
//! active one where there is one; the logical drives of each; the other primaries of each.

use heapless::{Deque, Vec};

use super::{Message, Notice, Slot};
use crate::block::partition::{self, Partition, Partitions, Place};
use crate::block::{Cache, CacheError, DiskError, DiskId, DiskKind};
use crate::memory::{Memory, OutOfMemory};
use crate::vfs::path::Drive;

/// Index of the first hard disk's letter: C.
const HARD: u8 = 2;

/// Adds a message; the oldest is lost when there are too many.
pub(super) fn push(messages: &mut Deque<Message, 16>, message: Message) {
    if messages.is_full() {
        messages.pop_front();
    }
    let _ = messages.push_back(message);
}

/// A slot for everything that has a letter. A frame of its own: partition tables take much of a stack.
#[inline(never)]
pub(super) fn slots<'a>(
    cache: &mut Cache<'_>,
    messages: &mut Deque<Message, 16>,
    memory: &mut impl Memory<'a>,
) -> Result<&'a mut [Slot], OutOfMemory> {
    let found = assign(cache, messages);
    memory.slots("the drives", found.len(), |at| {
        let (letter, disk, partition) = found[at];
        let mut slot = Slot::new(letter, disk);
        slot.floppy = partition.is_none();
        if let Some(partition) = partition {
            (slot.partition, slot.start) = (partition.kind, partition.start);
            slot.sectors = partition.sectors;
        }
        slot
    })
}

/// A letter and what it stands for; `None`: a floppy drive.
type Letter = (Drive, DiskId, Option<Partition>);

/// Letters for everything that the disks have.
fn assign(cache: &mut Cache<'_>, messages: &mut Deque<Message, 16>) -> Vec<Letter, 26> {
    let mut slots = Vec::new();
    floppies(cache, &mut slots);
    let mut all = Vec::<Partition, 40>::new();
    let count = cache.disks_ref().count();
    for disk in (0..count).map(DiskId) {
        let info = cache.disks_ref().info(disk);
        let Some(info) = info.filter(|info| info.kind == DiskKind::Hard) else { continue };
        cache.begin_urgent(64);
        let problem = match partition::scan(cache, disk, info.sectors) {
            Ok((mut found, problem)) => {
                choose_first(&mut found);
                for partition in found {
                    let _ = all.push(partition);
                }
                problem.map(Notice::Table)
            }
            Err(CacheError::Disk(error)) => Some(Notice::Unreadable(error)),
            Err(CacheError::Again) => Some(Notice::Unreadable(DiskError::NotReady)),
        };
        if let Some(what) = problem {
            push(messages, Message { drive: None, disk, what });
        }
    }
    let mut letter = HARD;
    for rank in 0..3 {
        for partition in all.iter().filter(|partition| rank_of(partition) == rank) {
            let Some(drive) = Drive::from_index(letter) else { break };
            let _ = slots.push((drive, partition.disk, Some(*partition)));
            letter += 1;
        }
    }
    slots
}

fn floppies(cache: &mut Cache<'_>, slots: &mut Vec<Letter, 26>) {
    let disks = cache.disks_ref();
    let is_floppy =
        |&disk: &DiskId| disks.info(disk).is_some_and(|info| info.kind == DiskKind::Floppy);
    for (index, disk) in (0..disks.count()).map(DiskId).filter(is_floppy).take(2).enumerate() {
        if let Some(letter) = Drive::from_index(index as u8) {
            let _ = slots.push((letter, disk, None));
        }
    }
}

/// Marks as active only the primary partition that gets its disk's first letter.
fn choose_first(found: &mut Partitions) {
    let is_primary = |partition: &Partition| matches!(partition.place, Place::Primary { .. });
    let active = found.iter().position(|p| p.place == Place::Primary { active: true });
    let first = active.or_else(|| found.iter().position(is_primary));
    for (at, partition) in found.iter_mut().enumerate() {
        if is_primary(partition) {
            partition.place = Place::Primary { active: Some(at) == first };
        }
    }
}

fn rank_of(partition: &Partition) -> u8 {
    match partition.place {
        Place::Whole | Place::Primary { active: true } => 0,
        Place::Logical => 1,
        Place::Primary { active: false } => 2,
    }
}
