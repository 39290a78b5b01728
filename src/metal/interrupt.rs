//! Interrupt lines that end a HLT, and the stack's guard.

use core::arch::asm;

use ftpsrv::hw::pic::Lines;
use ftpsrv::hw::ports::Ports;
use ftpsrv::hw::rtc;

use super::low;
use super::ports::IoPorts;

unsafe extern "C" {
    static rtc_ticks: u32;
    static mut our_masks: [u8; 2];
    static mut bios_masks: [u8; 2];
    static stack_guard: [u32; 128];
}

const PIC1_MASK: u16 = 0x21;
const PIC2_MASK: u16 = 0xA1;
/// The RTC's line, on the second PIC.
const RTC_IRQ: u8 = 8;
/// IRQ 3, 4, 5, 7 and 9 to 12.
pub const CARDS: Lines = 0x1EB8;
/// What entry.s fills the guard with.
const GUARD: u32 = 0x57AC_57AC;

/// Lets interrupts in.
pub fn enable() {
    // SAFETY: entry.s made the interrupt table.
    unsafe { asm!("sti", options(nomem, nostack)) };
}

/// Lines that may be a card's, and that the BIOS does not listen to. (The timer's, keyboard's, cascade's,
/// floppy's and disks' lines are the BIOS's.)
pub fn free_lines() -> Lines {
    // SAFETY: as in `open`.
    let [first, second] = unsafe { bios_masks };
    (Lines::from(second) << 8 | Lines::from(first)) & CARDS
}

/// Lets `irq` end a HLT; the BIOS does not see it. Only lines that nobody else serves: the RTC's,
/// network cards', disks' that the BIOS does not use.
pub fn open(irq: u8) {
    let (index, bit) = place(irq);
    // SAFETY: the masks are bytes that entry.s copies to the PICs; one thread of control.
    unsafe {
        our_masks[index] &= !bit;
        bios_masks[index] |= bit;
    }
    rearm();
}

/// Takes `irq` out of those that end a HLT.
pub fn close(irq: u8) {
    let (index, bit) = place(irq);
    // SAFETY: as in `open`.
    unsafe { our_masks[index] |= bit };
    rearm();
}

fn place(irq: u8) -> (usize, u8) {
    (usize::from(irq >> 3 & 1), 1 << (irq & 7))
}

/// Writes the masks to the PICs, and so opens lines that closed themselves when they came.
pub fn rearm() {
    // SAFETY: a copy of two bytes that only this thread of control writes.
    let masks = unsafe { our_masks };
    IoPorts.outb(PIC1_MASK, masks[0]);
    IoPorts.outb(PIC2_MASK, masks[1]);
}

/// Halts until an interrupt, unless a line came since the last call; gives the lines that came, as [`came`].
pub fn halt() -> Lines {
    // SAFETY: interrupts are on, and are again after the STI. The timer's comes 18 times a second at least.
    unsafe { asm!("cli", options(nomem, nostack)) };
    if closed() == 0 {
        // What came since the CLI is let in behind STI's shadow, by the HLT that it ends.
        // SAFETY: as above.
        unsafe { asm!("sti", "hlt", options(nomem, nostack)) };
    } else {
        // SAFETY: as above.
        unsafe { asm!("sti", options(nomem, nostack)) };
    }
    came()
}

/// Lines opened by [`open`] that came since the last call. They are open again.
pub fn came() -> Lines {
    let lines = closed();
    if lines != 0 {
        rearm();
    }
    lines
}

/// Open lines that closed themselves when they came.
fn closed() -> Lines {
    // SAFETY: as in `rearm`.
    let [first, second] = unsafe { our_masks };
    let open = Lines::from(second) << 8 | Lines::from(first);
    let masks = Lines::from(IoPorts.inb(PIC2_MASK)) << 8 | Lines::from(IoPorts.inb(PIC1_MASK));
    masks & !open
}

/// Starts the RTC's periodic interrupt; whether it comes.
pub fn start_rtc() -> bool {
    rtc::start_periodic(&mut IoPorts);
    open(RTC_IRQ);
    // SAFETY: a word that the handler counts up.
    let ticks = || unsafe { (&raw const rtc_ticks).read_volatile() };
    let (first, start) = (ticks(), low::read::<u32>(low::TICKS));
    while ticks().wrapping_sub(first) < 3 {
        // Three ticks of the timer are 110 ms at least: room for 28 interrupts.
        if low::read::<u32>(low::TICKS).wrapping_sub(start) > 3 {
            close(RTC_IRQ);
            rtc::stop_periodic(&mut IoPorts);
            return false;
        }
    }
    true
}

/// Stops with a message when the stack has run over into its guard. (Debug register 0 catches it
/// at the moment it happens, where the CPU has one.)
pub fn check_stack() {
    // SAFETY: the guard is memory of the kernel's that nobody writes.
    let last = unsafe { (&raw const stack_guard).cast::<u32>().add(126).read_volatile() };
    assert!(last == GUARD, "the stack has run over");
}
