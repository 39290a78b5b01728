//! The kernel's entry: from a PC in protected mode to a server in its loop.
//!
//! What cannot be served ends on the screen and COM1 with what is wrong and what to do; the PC waits
//! for a key then and restarts.
#![no_std]
#![no_main]
// The self-test and the limits take the server's place.
#![cfg_attr(
    any(feature = "selftest", feature = "limits"),
    allow(dead_code, unused_imports, unused_mut, unused_variables, unreachable_code)
)]

mod metal;

use core::fmt;

use ftpsrv::block::{DiskId, Disks};
use ftpsrv::config::{ConsoleDevice, Settings, Severity};
use ftpsrv::hw::{nic, uart};
use ftpsrv::memory::{Memory, OutOfMemory};
use ftpsrv::net::nic::Nic;
use ftpsrv::server::desk::Desk;
use ftpsrv::server::start::{self, CannotStart, Start};
use ftpsrv::server::{Machine, Server, Turn, found};
use ftpsrv::vfs::drives::{Drives, DrivesSize};
use ftpsrv::vfs::{Drive, Provider};

use metal::disks::PcDisks;
use metal::memory::Arena;
use metal::pc::Pc;
use metal::ports::IoPorts;
use metal::{interrupt, low};

/// Memory for sectors and directories: a sixteenth of what there is, within these bounds; where that is little, a
/// sixth, up to a small cache.
const LEAST_CACHE: usize = 5632;
const SMALL_CACHE: usize = 7 * 1024;
const MOST_CACHE: usize = 64 * 1024;

/// Runs the server on the PC, from the moment that protected mode, stack and interrupts stand.
#[unsafe(no_mangle)]
extern "C" fn kernel_main() -> ! {
    // SAFETY: the only arena; entry.s and the second stage use no memory that it gives out.
    let mut arena = unsafe { Arena::new() };
    match begin(&mut arena) {
        Ok((pc, desk)) => serve(pc, desk, &mut arena),
        Err(error) => metal::fault::stop(&error),
    }
}

/// The PC and its operator's screen. As all of the start, it is not inlined: large values pass over the
/// stack once, and it is short.
#[inline(never)]
fn begin(arena: &mut Arena) -> Result<(&'static mut Pc, &'static mut Desk<'static>), OutOfMemory> {
    let display = metal::display::find(arena);
    let pc = arena.place("the PC", Pc::new(display))?;
    #[cfg(feature = "selftest")]
    {
        let mut disks = metal::bios_disk::BiosDisks::find(arena)?;
        metal::selftest::run(pc, arena, &mut disks)
    }
    arena.is_cold = true;
    let desk = Desk::new(pc, arena)?;
    arena.is_cold = false;
    let desk = arena.place("the screen", desk)?;
    Ok((pc, desk))
}

/// Finds everything, and runs the server.
fn serve(pc: &mut Pc, desk: &mut Desk<'static>, arena: &mut Arena) -> ! {
    metal::report::pc(pc, desk, arena);
    let Ok(parts) = prepare(pc, desk, arena) else { stop(pc, desk) };
    #[cfg(feature = "limits")]
    metal::limits::run(pc, desk, parts.2, &parts.0.settings, arena);
    run(pc, desk, parts, arena)
}

/// Builds the server and hands it to the service. A frame of its own: it is large, and runs where it is built.
#[inline(never)]
fn run(pc: &mut Pc, desk: &mut Desk<'static>, parts: Parts, arena: &mut Arena) -> ! {
    let driver = parts.2.code();
    let failure = match &mut build(pc, desk, parts, arena) {
        // SAFETY: what is handed over lies on this stack as long as the server runs.
        Ok(server) => unsafe { enter_service(&Handover { server, arena, driver }) },
        Err(error) => *error,
    };
    desk.say(pc, format_args!("ERROR: {failure}"), Severity::Error);
    stop(pc, desk)
}

#[inline(never)]
fn build<'m>(
    pc: &'m mut Pc,
    desk: &'m mut Desk<'static>,
    (start, files, card): Parts,
    arena: &mut Arena,
) -> Result<Server<'static, 'm, Pc>, OutOfMemory> {
    Server::new(pc, desk, card, files, start, arena)
}

/// What the start leaves to the service.
struct Handover<'h, 'm> {
    server: &'h mut Server<'static, 'm, Pc>,
    arena: &'h mut Arena,
    /// Of the network card: an address in its code.
    driver: usize,
}

// unpack.s. What the address is of is Rust's alone.
#[allow(improper_ctypes)]
unsafe extern "C" {
    /// Unpacks the code of the service over that of the start, and runs [`kernel_run`].
    fn enter_service(handover: *const Handover<'_, '_>) -> !;
}

/// Runs the server to its end, then waits for a key and restarts the PC. What this cannot come to is the start's
/// alone, and its code no longer there (tools/xtask/src/overlay.rs).
#[unsafe(no_mangle)]
#[allow(improper_ctypes_definitions)]
extern "C" fn kernel_run(handover: *const Handover<'_, '_>) -> ! {
    // SAFETY: what it was given by the start, which does not use it any more.
    let Handover { server, arena, driver } = unsafe { handover.read() };
    // SAFETY: this is the service.
    unsafe { arena.take_starts(driver) };
    let furnished = server.furnish(arena);
    while furnished.is_ok() && server.step() == Turn::Running {}
    let (pc, desk) = server.surroundings();
    if let Err(error) = furnished {
        desk.say(pc, format_args!("ERROR: {error}"), Severity::Error);
        stop(pc, desk)
    }
    restart_at_key(pc)
}

/// What a server is built on.
type Parts = (&'static Start<'static>, &'static mut Drives<'static>, &'static mut dyn Nic);

/// Disks, settings, network card.
#[inline(never)]
fn prepare(pc: &mut Pc, desk: &mut Desk<'static>, arena: &mut Arena) -> Result<Parts, CannotStart> {
    let disks = PcDisks::find(arena).map_err(|error| fail(pc, desk, &error))?;
    disks.assign();
    found::disks(desk, pc, disks);
    pc.wake_on_disks(disks.use_interrupts());
    let probes = disks.probes();
    let boot_disk = disk_of(disks, low::read(low::BOOT_DRIVE));
    let drives = mount(disks, arena).map_err(|error| fail(pc, desk, &error))?;
    drives.set_time(pc.date_time());
    found::drives(desk, pc, drives);
    let boot = letter_of(drives, boot_disk);
    let start = read(drives, boot, pc, desk, arena)?;
    found::messages(desk, pc, drives);
    if start.settings.verbose {
        metal::report::probes(pc, desk, &probes);
    }
    drives.exclude(start.settings.excluded_drives);
    let card = find_card(pc, desk, arena, &start.settings)?;
    Ok((start, drives, card))
}

#[inline(never)]
fn mount(
    disks: &'static mut PcDisks,
    arena: &mut Arena,
) -> Result<&'static mut Drives<'static>, OutOfMemory> {
    let free = arena.free();
    let least = (free / 6).clamp(LEAST_CACHE, SMALL_CACHE);
    let size = DrivesSize::of((free / 16).clamp(least, MOST_CACHE));
    Drives::placed(disks, arena, size)
}

/// What the administrator's files say.
#[inline(never)]
fn read(
    drives: &mut Drives<'static>,
    boot: Drive,
    pc: &mut Pc,
    desk: &mut Desk<'static>,
    arena: &mut Arena,
) -> Result<&'static Start<'static>, CannotStart> {
    arena.is_cold = true;
    let start = start::read(drives, boot, arena, &mut |text, how| desk.say(pc, text, how));
    arena.is_cold = false;
    start
}

/// The network card, or the reason that there is none.
#[inline(never)]
fn find_card(
    pc: &mut Pc,
    desk: &mut Desk<'static>,
    arena: &mut Arena,
    settings: &Settings,
) -> Result<&'static mut dyn Nic, CannotStart> {
    let fixed = settings.fixed_address.is_some();
    let verbose = settings.verbose;
    if settings.console == ConsoleDevice::Serial {
        pc.listen_to_serial();
        desk.show_pages_on_serial();
    }
    if nic::is_serial(&settings.nic) {
        pc.drain_serial();
    }
    let mut say = |text: fmt::Arguments<'_>| {
        if verbose {
            desk.say(pc, text, Severity::Note);
        }
    };
    let card = nic::find(IoPorts, &settings.nic, fixed, interrupt::free_lines(), arena, &mut say)
        .map_err(|error| fail(pc, desk, &error))?;
    found::card(desk, pc, card);
    let info = card.info();
    if info.io == uart::COM1 {
        pc.give_up_serial();
    }
    if let Some(irq) = info.irq {
        pc.wake_on(irq);
    }
    Ok(card)
}

/// Says what is in the way.
fn fail(pc: &mut Pc, desk: &mut Desk<'static>, error: &dyn fmt::Display) -> CannotStart {
    desk.say(pc, format_args!("ERROR: {error}"), Severity::Error);
    CannotStart
}

/// The disk that the BIOS knows by `number`.
fn disk_of(disks: &dyn Disks, number: u8) -> Option<DiskId> {
    let mut ids = (0..disks.count()).map(DiskId);
    ids.find(|&disk| disks.info(disk).is_some_and(|info| info.bios_number == number))
}

/// The first drive on the disk that the PC was started from; A where none is.
fn letter_of(drives: &Drives<'_>, disk: Option<DiskId>) -> Drive {
    let letters = || (0..26).filter_map(Drive::from_index);
    letters()
        .find(|&drive| drives.info(drive).is_some_and(|info| Some(info.disk) == disk))
        .unwrap_or(Drive::A)
}

/// The end of a start that failed: the reasons are on the screen.
fn stop(pc: &mut Pc, desk: &mut Desk<'static>) -> ! {
    desk.say(
        pc,
        format_args!(
            "The server cannot start. Mend what is said above, then press a key to restart"
        ),
        Severity::Error,
    );
    restart_at_key(pc)
}

fn restart_at_key(pc: &mut Pc) -> ! {
    while pc.key().is_none() {
        pc.poll();
        pc.idle(u64::MAX, false);
    }
    pc.restart()
}
