//! The first 32 KB: the BIOS data area, and what the second stage left (targets/kernel.ld).

use core::ptr;

/// Timer ticks since midnight, 18.2 a second, double word.
pub const TICKS: usize = 0x46C;
/// Ticks in a day, by the BIOS's count.
pub const TICKS_A_DAY: u32 = 0x18_00B0;
/// Ticks until the floppy motors go off, byte.
pub const MOTOR_COUNT: usize = 0x440;
/// Current display mode, byte.
pub const VIDEO_MODE: usize = 0x449;
/// Offset of the visible page in text memory, word.
pub const VIDEO_PAGE_START: usize = 0x44E;
/// Bit 7: Ctrl-Break was pressed, byte.
pub const BREAK: usize = 0x471;
/// 1234h lets the restart skip the memory test, word.
pub const RESET_FLAG: usize = 0x472;
/// Number of hard disks, byte.
pub const HARD_DISKS: usize = 0x475;
/// Text rows less one (EGA and later), byte.
pub const ROWS: usize = 0x484;
/// Keyboard buffer: offsets in segment 40h of its next word to read, of its next free word, of its
/// start, of its end; words.
pub const KEYS_HEAD: usize = 0x41A;
pub const KEYS_TAIL: usize = 0x41C;
pub const KEYS_START: usize = 0x480;
pub const KEYS_END: usize = 0x482;

/// The drive that the PC was started from, by the BIOS's number, byte: in the boot sector's parameter
/// block, where boot.s puts it.
pub const BOOT_DRIVE: usize = 0x7C24;

/// What the BIOS told the second stage of memory (stage2.s).
pub const CONVENTIONAL_KB: usize = 0x60A;
pub const EXTENDED_KB_88: usize = 0x60C;
pub const EXTENDED_KB_E801: usize = 0x60E;
pub const EXTENDED_64K_E801: usize = 0x610;
pub const MAP_COUNT: usize = 0x612;
/// Entries of 20 bytes: base, length, type.
pub const MAP: usize = 0x800;
/// Registers of a BIOS call.
pub const REGISTERS: usize = 0x700;
/// Buffer of BIOS disk calls, and its length: that where only few calls need it, and the longest.
pub const BOUNCE: usize = 0x1000;
pub const BOUNCE_LEAST: usize = 0x400;
pub const BOUNCE_MOST: usize = 0x2E00;
/// To here from [`BOUNCE`] on the unpacker keeps its probabilities (unpack.s), twice: before the start, and
/// between it and the service.
pub const UNPACK_END: usize = 0x3000;
/// Up to here, where the kernel's stack begins (targets/kernel.ld), memory behind the buffer is nobody's; and from the
/// kernel's zeroed data to here.
pub const SPARE_END: usize = 0x3E00;
pub const MORE_SPARE_END: usize = 0x7000;
/// The buffer's length, double word: the arena's choice.
const BOUNCE_LEN: usize = 0x614;

/// The boot sector's end.
pub const BOOT_END: usize = 0x7E00;
/// The kernel begins there.
pub const END: usize = 0x8000;

/// Reads a value of the memory below the kernel.
pub fn read<T: Copy>(address: usize) -> T {
    assert!(address + size_of::<T>() <= END);
    // SAFETY: below 32 KB there is memory on every PC, none of it an object of Rust's. Integers only.
    unsafe { ptr::read_volatile(ptr::with_exposed_provenance(address)) }
}

/// Writes a value to the memory below the kernel.
pub fn write<T: Copy>(address: usize, value: T) {
    assert!((0x400..END).contains(&address) && address + size_of::<T>() <= END);
    // SAFETY: as in `read`; the interrupt vectors are left alone.
    unsafe { ptr::write_volatile(ptr::with_exposed_provenance_mut(address), value) }
}

/// Length of the bounce buffer, bytes.
pub fn bounce_len() -> usize {
    read(BOUNCE_LEN)
}

/// Shortens the bounce buffer to `len`; what is behind it up to [`SPARE_END`] is free then.
pub fn set_bounce_len(len: usize) {
    write(BOUNCE_LEN, len);
}

/// The first `len` bytes of the bounce buffer.
pub fn bounce<'a>(len: usize) -> &'a mut [u8] {
    assert!(len <= bounce_len());
    // SAFETY: nothing else lies there. Users hold the slice for one copy only, never across a BIOS
    // call, and there is one thread of control.
    unsafe { core::slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(BOUNCE), len) }
}
