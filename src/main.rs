//! The kernel's entry.
#![no_std]
#![no_main]

mod metal;

use ftpsrv::block::Disks;
use ftpsrv::console::terminal::Style;
use ftpsrv::memory::Memory;
use ftpsrv::server::Machine;
use log::info;

use metal::bios_disk::BiosDisks;
use metal::memory::Arena;
use metal::pc::Pc;

/// Runs the server on the PC, from the moment that protected mode, stack and interrupts stand.
#[unsafe(no_mangle)]
extern "C" fn kernel_main() -> ! {
    metal::log::start();
    // SAFETY: the only arena; entry.s and the second stage use no memory that it gives out.
    let mut arena = unsafe { Arena::new() };
    let mut pc = Pc::new(metal::display::find(&mut arena));
    let mut disks = BiosDisks::find();
    report(&mut pc, &arena, &mut disks);
    #[cfg(feature = "selftest")]
    metal::selftest::run(&mut pc, &mut arena, &mut disks);
    #[cfg(not(feature = "selftest"))]
    serve(&mut pc)
}

/// Shows log and keys.
#[cfg(not(feature = "selftest"))]
fn serve(pc: &mut Pc) -> ! {
    let mut row = 0;
    loop {
        show_log(pc, &mut row);
        if let Some(key) = pc.key() {
            info!("key {key:?} at {} ms, {}", pc.now().0, pc.date_time());
        }
        pc.poll();
        pc.idle();
    }
}

/// What was found.
fn report(pc: &mut Pc, arena: &Arena, disks: &mut BiosDisks) {
    let (low, high) = arena.sizes();
    info!("Memory: {} KB conventional and {} KB extended free", low / 1024, high / 1024);
    info!("Display: {}; {}", pc.display_name(), pc.date_time());
    for disk in (0..disks.count()).map(ftpsrv::block::DiskId) {
        disks.changed(disk);
        if let Some(info) = disks.info(disk) {
            info!("Disk {:02X}h: {} sectors, {}", info.bios_number, info.sectors, info.access);
        }
    }
    info!("{} bytes free; ready after {} ms", arena.free(), pc.now().0);
}

/// Moves log lines to the screen and COM1.
fn show_log(pc: &mut Pc, row: &mut usize) {
    let mut buffer = [0; 128];
    while let Some(line) = metal::log::take(&mut buffer) {
        pc.serial(line);
        pc.serial(b"\r\n");
        if let Some(screen) = pc.screen() {
            if *row >= screen.rows() {
                *row = screen.rows() - 1;
                screen.scroll(0, *row);
            }
            screen.write(*row, 0, line, Style::Normal);
            *row += 1;
        }
    }
}
