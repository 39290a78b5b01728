//! The arena: what conventional memory the kernel leaves, and all extended memory that the BIOS
//! tells of (E820h; else E801h; else 88h).

use core::mem::MaybeUninit;
use core::slice;

use ftpsrv::hw::dma::DmaMemory;
use ftpsrv::memory::{Memory, OutOfMemory, Shortage};

use super::dma::SharedMemory;
use super::low;

/// Bytes that an emulator looks at together: it writes slowly to those that have code.
const PAGE: usize = 4096;
/// Where less is free everything goes where it fits best, also beside code.
const LITTLE: usize = 16 * 1024;
const MEGABYTE: u64 = 0x10_0000;
const RANGES: usize = 18;

// Of the linker script.
unsafe extern "C" {
    static _end: u8;
    static _bss_end: u8;
    static _loader_begin: u8;
    static _unpack_begin: u8;
    static _start_constants_end: u8;
    static unpack_end: u8;
    /// Where the code of each driver of a network card begins; where the last one's ends.
    static _cards: u32;
    static _cards_table_end: u32;
}

/// Free memory from `next` to `end`, addresses.
#[derive(Clone, Copy)]
struct Range {
    next: usize,
    end: usize,
}

/// All free memory.
pub struct Arena {
    ranges: [Range; RANGES],
    count: usize,
    /// What is taken now will hardly be written: it may lie beside code, even if there is room elsewhere.
    pub is_cold: bool,
    /// What is taken now will be given back.
    is_for_now: bool,
}

impl Arena {
    /// The machine's memory, but for what the service's unpacking needs. Called once: a second arena would give
    /// out the same memory again.
    ///
    /// # Safety
    /// Nobody else uses memory from `unpack_end` to the top of conventional memory, above 1 MB, where the loader
    /// was, from the bounce buffer's end to [`low::SPARE_END`], or from `_bss_end` to [`low::MORE_SPARE_END`].
    pub unsafe fn new() -> Arena {
        let ranges = [Range { next: 0, end: 0 }; RANGES];
        let mut arena = Arena { ranges, count: 0, is_cold: false, is_for_now: false };
        arena.add(&raw const _loader_begin as u64, &raw const _unpack_begin as u64);
        let conventional = usize::from(low::read::<u16>(low::CONVENTIONAL_KB)) * 1024;
        arena.add(&raw const unpack_end as u64, conventional as u64);
        arena.add_map();
        if arena.count < 3 {
            arena.add_sizes();
        }
        // BIOS disk calls take what is in conventional memory from its place, but for what lies across a
        // 64 KB line. (The map has put its ranges behind the conventional one.)
        let is_all = arena.count < 3;
        low::set_bounce_len(if is_all { low::BOUNCE_LEAST } else { low::BOUNCE_MOST });
        let spare = (low::BOUNCE + low::bounce_len()).max(low::UNPACK_END);
        arena.add(spare as u64, low::SPARE_END as u64);
        arena.add(&raw const _bss_end as u64, low::MORE_SPARE_END as u64);
        // The map was read, and of the boot sector only its parameter block is asked for later.
        arena.add(low::MAP as u64, low::BOUNCE as u64);
        arena.add(low::BOOT_END as u64, low::END as u64);
        arena
    }

    /// Takes over what the start and the service's unpacking needed, and the code of all drivers of network cards but
    /// the one that has code at the address `driver`.
    ///
    /// # Safety
    /// The service is unpacked, and has that driver alone. Called once.
    pub unsafe fn take_starts(&mut self, driver: usize) {
        let address = |symbol: *const u8| symbol as u64;
        let bounce_end = (low::BOUNCE + low::bounce_len()) as u64;
        for (start, end) in [
            (address(&raw const _unpack_begin), address(&raw const _start_constants_end)),
            (address(&raw const _end), address(&raw const unpack_end)),
            (bounce_end, low::UNPACK_END as u64),
        ] {
            self.add(start, end);
        }
        // The last one first: what lies before a range becomes part of it.
        for card in cards().windows(2).rev() {
            if let [start, end] = card
                && !(*start as usize..*end as usize).contains(&driver)
            {
                self.add(u64::from(*start), u64::from(*end));
            }
        }
    }

    /// Extended memory, from the map of INT 15h function E820h.
    fn add_map(&mut self) {
        let entries = usize::from(low::read::<u16>(low::MAP_COUNT)).min(32);
        for entry in (0..entries).map(|index| low::MAP + index * 20) {
            let base: u64 = low::read(entry);
            let length: u64 = low::read(entry + 8);
            let usable = low::read::<u32>(entry + 16) == 1;
            if usable {
                self.add(base.max(MEGABYTE), base.saturating_add(length));
            }
        }
    }

    /// Extended memory, from the sizes that functions E801h and 88h give.
    fn add_sizes(&mut self) {
        let below_16m = u64::from(low::read::<u16>(low::EXTENDED_KB_E801));
        let above_16m = u64::from(low::read::<u16>(low::EXTENDED_64K_E801));
        let simple = u64::from(low::read::<u16>(low::EXTENDED_KB_88));
        let first = if below_16m > 0 { below_16m } else { simple };
        self.add(MEGABYTE, MEGABYTE + first * 1024);
        self.add(16 * MEGABYTE, 16 * MEGABYTE + above_16m * 0x1_0000);
    }

    #[inline(never)]
    fn add(&mut self, start: u64, end: u64) {
        let end = end.min(0xFFFF_F000);
        for range in self.ranges.iter_mut().take(self.count).filter(|_| start < end) {
            if range.next as u64 == end {
                range.next = start as usize;
                return;
            }
            if range.end as u64 == start {
                range.end = end as usize;
                return;
            }
        }
        if let Some(range) = self.ranges.get_mut(self.count)
            && end > start
        {
            *range = Range { next: start as usize, end: end as usize };
            self.count += 1;
        }
    }

    /// Bytes of free conventional and of free extended memory.
    pub fn sizes(&self) -> (usize, usize) {
        self.ranges.iter().fold((0, 0), |(low, high), range| {
            let size = range.end - range.next;
            if (range.end as u64) < MEGABYTE { (low + size, high) } else { (low, high + size) }
        })
    }
}

impl Arena {
    /// The address of `bytes` that nobody else has. One function for all types: the search is code.
    #[inline(never)]
    fn take(
        &mut self,
        purpose: &'static str,
        wanted: usize,
        align: usize,
    ) -> Result<usize, OutOfMemory> {
        let align = align.max(4);
        if wanted == 0 {
            // Nothing lies there, but a reference is never null.
            return Ok(align);
        }
        let (mut best, mut least, mut available) = (None, usize::MAX, 0);
        let loader = &raw const _loader_begin as usize..&raw const _start_constants_end as usize;
        let page = |address: Option<&u32>| address.map_or(0, |address| *address as usize / PAGE);
        let drivers = page(cards().first())..=page(cards().last());
        let code_end = &raw const _end as usize;
        let is_cold = self.is_cold || self.free() < LITTLE;
        for range in &mut self.ranges {
            // What stays is taken from the end, so that what is left can grow together with what comes free before
            // it.
            let room = range.end.saturating_sub(range.next.next_multiple_of(align));
            available = available.max(room);
            // The smallest that serves, so that large ones stay for what is large; those with code in their
            // first page last.
            let has_code = loader.contains(&range.next)
                || range.next / PAGE == low::BOOT_END / PAGE
                || drivers.contains(&(range.next / PAGE))
                || range.next / PAGE == code_end / PAGE;
            let is_slow = has_code && !is_cold;
            let cost = if is_slow { usize::MAX - 1 } else { room };
            if wanted <= room && cost < least {
                (best, least) = (Some(range), cost);
            }
        }
        let Some(range) = best else {
            return Err(shortage(Shortage { purpose, wanted, available }));
        };
        // No lower than the range's first aligned address, from which on there is room.
        let start = (range.end - wanted) & !(align - 1);
        if self.is_for_now {
            let start = range.next.next_multiple_of(align);
            range.next = start + wanted;
            return Ok(start);
        }
        range.end = start;
        Ok(start)
    }
}

/// Where the code of each driver begins, and behind these where the last one's ends.
fn cards() -> &'static [u32] {
    let (begin, end) = (&raw const _cards, &raw const _cards_table_end);
    // SAFETY: the linker script makes the table, which nobody writes to.
    unsafe { slice::from_raw_parts(begin, (end as usize - begin as usize) / size_of::<u32>()) }
}

/// Keeps what did not fit, to be said: the server does not start then.
fn shortage(what: Shortage) -> OutOfMemory {
    static mut SHORTAGE: Shortage = Shortage { purpose: "", wanted: 0, available: 0 };
    // SAFETY: one thread of control, and nobody looks at an earlier one any more.
    unsafe {
        SHORTAGE = what;
        OutOfMemory(&*&raw const SHORTAGE)
    }
}

impl Memory<'static> for Arena {
    fn slots<T: 'static>(
        &mut self,
        purpose: &'static str,
        count: usize,
        mut make: impl FnMut(usize) -> T,
    ) -> Result<&'static mut [T], OutOfMemory> {
        let wanted = count.saturating_mul(size_of::<T>());
        let start = self.take(purpose, wanted, align_of::<T>())?;
        let first = core::ptr::with_exposed_provenance_mut::<MaybeUninit<T>>(start);
        // SAFETY: the range is memory that nobody else has (`Arena::new`), aligned, `count` values
        // long, and given out once.
        let slots = unsafe { slice::from_raw_parts_mut(first, count) };
        for (index, slot) in slots.iter_mut().enumerate() {
            slot.write(make(index));
        }
        // SAFETY: every slot was written above.
        Ok(unsafe { slice::from_raw_parts_mut(first.cast(), count) })
    }

    fn place<T: 'static>(
        &mut self,
        purpose: &'static str,
        value: T,
    ) -> Result<&'static mut T, OutOfMemory> {
        let start = self.take(purpose, size_of::<T>(), align_of::<T>())?;
        let place = core::ptr::with_exposed_provenance_mut::<MaybeUninit<T>>(start);
        // SAFETY: as in `slots`.
        Ok(unsafe { &mut *place }.write(value))
    }

    fn bytes_for_now(
        &mut self,
        purpose: &'static str,
        len: usize,
    ) -> Result<&'static mut [u8], OutOfMemory> {
        self.is_for_now = true;
        let bytes = self.bytes(purpose, len);
        self.is_for_now = false;
        bytes
    }

    fn give_back(&mut self, bytes: &'static mut [u8]) {
        let start = bytes.as_mut_ptr().expose_provenance() as u64;
        self.add(start, start + bytes.len() as u64);
    }

    fn free(&self) -> usize {
        let (low, high) = self.sizes();
        low + high
    }
}

impl DmaMemory<'static> for Arena {
    type Region = SharedMemory;

    fn dma(&mut self, purpose: &'static str, len: usize) -> Result<SharedMemory, OutOfMemory> {
        let bytes = self.bytes(purpose, len.saturating_add(SharedMemory::ALIGN))?;
        Ok(SharedMemory::new(bytes))
    }
}
