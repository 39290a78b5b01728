//! What the start says of the PC itself, and, with FTPSRV_VERBOSE, of every probe of it.
//!
//! Called at the start alone.

use ftpsrv::config::Severity;
use ftpsrv::hw::ata::{Owner, Translation};
use ftpsrv::server::desk::Desk;

use super::disks::Probes;
use super::memory::Arena;
use super::pc::Pc;
use super::{cpu, low};

/// The server's name, CPU, memory and display.
pub fn pc(pc: &mut Pc, desk: &mut Desk<'static>, arena: &Arena) {
    let version = env!("CARGO_PKG_VERSION");
    let title = format_args!("FTPSRV {version}: an FTP server for PCs of the DOS era");
    desk.say(pc, title, Severity::Note);
    let (free, extended) = arena.sizes();
    let display = pc.display_name();
    desk.found(
        pc,
        format_args!(
            "CPU: {}. Memory: {} KB conventional, {} KB of it free; {} KB extended\nDisplay: {display}",
            cpu::class(),
            low::read::<u16>(low::CONVENTIONAL_KB),
            free / 1024,
            extended / 1024,
        ),
    );
}

/// What each probe of memory and IDE drives gave.
pub fn probes(pc: &mut Pc, desk: &mut Desk<'static>, drives: &Probes) {
    let word = low::read::<u16>;
    desk.say(
        pc,
        format_args!(
            "BIOS: memory INT 12h {} KB; INT 15h 88h {} KB, E801h {} KB + {} x 64 KB, E820h {} ranges; \
             display mode {:02X}h",
            word(low::CONVENTIONAL_KB),
            word(low::EXTENDED_KB_88),
            word(low::EXTENDED_KB_E801),
            word(low::EXTENDED_64K_E801),
            word(low::MAP_COUNT),
            low::read::<u8>(low::VIDEO_MODE)
        ),
        Severity::Note,
    );
    for (number, drive) in drives.iter().enumerate() {
        let port = if number < 2 { "1F0h" } else { "170h" };
        let Some((identity, owner, dma)) = drive else {
            let text = format_args!("IDE {port} drive {}: nothing", number & 1);
            desk.say(pc, text, Severity::Note);
            continue;
        };
        let way = if identity.translation == Translation::Lba { "LBA" } else { "CHS" };
        let owner = match owner {
            Owner::Nobody => "unknown to the BIOS",
            Owner::Proven(_) => "proven to be the BIOS's",
            Owner::Unproven => "left to the BIOS",
        };
        let dma = if *dma { ", DMA" } else { "" };
        desk.say(
            pc,
            format_args!(
                "IDE {port} drive {}: {} sectors, {way}, blocks of {}{dma}: {owner}",
                number & 1,
                identity.sectors,
                identity.multiple
            ),
            Severity::Note,
        );
    }
}
