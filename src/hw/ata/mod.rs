//! IDE disks by programmed I/O: both channels of a PC/AT, two drives each, without the BIOS.
//!
//! Source: ATA/ATAPI-6 (T13 1410D) and, for what drives of the 386's time do, ATA-1
//! (X3.221-1994). Packet devices (CD-ROM, Zip) are not disks here.
//!
//! What always holds: until a drive's first read, write or flush, nothing is changed that the BIOS
//! relies on (block size, translation, interrupt), so that a channel can be left to it; from then on
//! the channel is ours, because a reset takes both of its drives.

mod channel;
mod dma;
mod identity;
mod owner;
mod pending;
mod taskfile;
mod transfer;

use channel::{Channel, Fault, Limit};
pub use identity::Identity;
pub use owner::{Owner, owners};
use pending::Traffic;
pub use taskfile::Translation;
use taskfile::{Taskfile, command};

use super::pci;
use super::ports::Ports;
use crate::block::{Lba, SECTOR};

/// Drives that there can be: 0 and 1 on the first channel, 2 and 3 on the second.
pub const MAX_DRIVES: u8 = 4;

/// First port, and device control.
const CHANNELS: [(u16, u16); 2] = [(0x1F0, 0x3F6), (0x170, 0x376)];

/// Interrupt line of the first channel; the second one's follows.
const FIRST_IRQ: u8 = 14;

/// For a drive that the BIOS has left idle to take a command.
const PRESENT: Limit = Limit::ms(500);
/// For drive 1 of a channel without drive 0.
const ALONE: Limit = Limit::ms(50);
/// For a drive to begin with IDENTIFY DEVICE. What answers for an absent one never does.
const SIGN: Limit = Limit::ms(30);
const IDENTIFY: Limit = Limit::ms(1_000);
/// For a read that only compares.
const PROBE: Limit = Limit::ms(2_000);

#[derive(Clone, Copy)]
struct Drive {
    identity: Identity,
    /// Translation, block size and write cache are as this driver wants them.
    prepared: bool,
    /// Sectors in a block, once prepared.
    block: u8,
    /// Its controller's bus master moves its data.
    dma: bool,
    /// Something was written since the last FLUSH CACHE.
    unflushed: bool,
    /// It did not answer the last time.
    hung: bool,
    /// Why a flush failed of whose end nobody has heard.
    lost: Option<Fault>,
}

/// Whose registers a command of somebody else's went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Of none of the drives here.
    None,
    /// This drive's.
    Drive(u8),
    /// It cannot be told.
    Unclear,
}

/// The IDE drives of the PC.
pub struct Ata<P> {
    channels: [Channel<P>; 2],
    drives: [Option<Drive>; MAX_DRIVES as usize],
    /// Marked by [`Ata::mark`], and the mark could be read.
    marked: [bool; 2],
    traffic: [Traffic; 2],
    /// Bit n: owner n keeps his memory in place.
    pinned: u32,
}

impl<P: Ports + Clone> Ata<P> {
    /// Looks for drives: microseconds where there is none, at most some 3 s where the hardware is
    /// broken.
    pub fn find(ports: P) -> Ata<P> {
        let mut ata = Ata::unknown(ports.clone());
        ata.look(ports);
        ata
    }

    /// Two channels that nobody has looked at.
    pub fn unknown(ports: P) -> Ata<P> {
        let channels = CHANNELS.map(|(base, control)| Channel::new(ports.clone(), base, control));
        Ata {
            channels,
            drives: [None; MAX_DRIVES as usize],
            marked: [false; 2],
            traffic: [Traffic::default(); 2],
            pinned: 0,
        }
    }

    /// Looks for drives, as [`Ata::find`].
    pub fn look(&mut self, mut ports: P) {
        let on_pci = pci::ide_channels(&mut ports);
        for first in [0, 2] {
            let master = self.identify(first, PRESENT);
            let slave = self.identify(first + 1, if master.is_some() { PRESENT } else { ALONE });
            // A drive that answers to both numbers must not be served as two.
            let ghost = matches!((&master, &slave), (Some(a), Some(b)) if a.same_drive(b));
            self.enter(first, master);
            self.enter(first + 1, slave.filter(|_| !ghost));
            let Some(on_pci) = on_pci.get(usize::from(first / 2)) else { continue };
            if on_pci.served {
                self.try_double_words(first);
            }
            if let Some(channel) = self.channel(first) {
                channel.use_master(on_pci.master);
            }
        }
    }
}

impl<P: Ports> Ata<P> {
    /// Has a channel of a PCI controller move double words, if what its drives say of themselves is the same
    /// by them. (On ISA and the local bus half of a double word can end up in the sector count register.)
    fn try_double_words(&mut self, first: u8) {
        let mut alike = true;
        for drive in [first, first + 1] {
            let [mut by_words, mut by_double_words] = [[0; SECTOR]; 2];
            if self.identity(drive).is_some() && alike {
                self.use_double_words(drive, false);
                let words = self.ask(drive, PRESENT, &mut by_words);
                self.use_double_words(drive, true);
                let double_words = self.ask(drive, PRESENT, &mut by_double_words);
                alike = words && double_words && by_words == by_double_words;
            }
        }
        self.use_double_words(first, alike);
    }

    fn use_double_words(&mut self, drive: u8, on: bool) {
        if let Some(channel) = self.channel(drive) {
            channel.use_double_words(on);
        }
    }

    fn identify(&mut self, drive: u8, limit: Limit) -> Option<Identity> {
        let mut answer = [0; SECTOR];
        self.ask(drive, limit, &mut answer).then(|| Identity::parse(&answer))?
    }

    /// IDENTIFY DEVICE; whether it was answered.
    fn ask(&mut self, drive: u8, limit: Limit, answer: &mut [u8; SECTOR]) -> bool {
        let device = drive & 1;
        let Some(channel) = self.channel(drive) else { return false };
        if !channel.present(device, limit) {
            return false;
        }
        let registers = Taskfile::plain(device, command::IDENTIFY_DEVICE);
        channel.interrupts(false);
        let result = channel.inquire(&registers, SIGN, IDENTIFY, answer);
        channel.interrupts(true);
        result.is_ok()
    }

    fn enter(&mut self, drive: u8, identity: Option<Identity>) {
        if let Some(slot) = self.drives.get_mut(usize::from(drive)) {
            *slot = identity.map(|identity| Drive {
                identity,
                prepared: false,
                block: 1,
                dma: false,
                unflushed: false,
                hung: false,
                lost: None,
            });
        }
    }

    /// What is known of a drive; `None` when there is no such drive.
    pub fn identity(&self, drive: u8) -> Option<&Identity> {
        self.drives.get(usize::from(drive))?.as_ref().map(|drive| &drive.identity)
    }

    /// The drives that there are.
    pub fn drives(&self) -> impl Iterator<Item = u8> + '_ {
        (0..MAX_DRIVES).filter(|&drive| self.identity(drive).is_some())
    }

    /// Has the drives of a channel, 0 or 1, raise their interrupt (IRQ 14 or 15) when they want to be asked
    /// again, and its bus master move their data where that works; for a channel that the BIOS does not use.
    pub fn use_interrupt(&mut self, channel: usize) {
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.use_interrupt();
        }
        for drive in [channel as u8 * 2, channel as u8 * 2 + 1] {
            self.try_dma(drive);
        }
        if let Some(ours) = self.channels.get_mut(channel) {
            ours.rest_until(FIRST_IRQ + channel as u8);
        }
    }

    /// Leaves a mark in the registers of every drive's channel, for [`Ata::trace`].
    pub fn mark(&mut self) {
        for (index, first) in [(0, 0), (1, 2)] {
            let drive = (first..first + 2).find(|&drive| self.identity(drive).is_some());
            let marked = drive.is_some_and(|drive| {
                self.channel(drive).is_some_and(|channel| channel.mark(drive & 1))
            });
            if let Some(slot) = self.marked.get_mut(index) {
                *slot = marked;
            }
        }
    }

    /// Where the command went that somebody else (the BIOS) gave since [`Ata::mark`]: a drive's
    /// registers keep the mark until a command is written to them.
    pub fn trace(&mut self) -> Trace {
        let mut found = Trace::None;
        for (index, first) in [(0, 0), (1, 2)] {
            if self.identity(first).is_none() && self.identity(first + 1).is_none() {
                continue;
            }
            let (Some(true), Some(channel)) =
                (self.marked.get(index).copied(), self.channels.get_mut(index))
            else {
                return Trace::Unclear;
            };
            if !channel.marked() {
                let drive = first + channel.selected();
                found = match found {
                    Trace::None if self.identity(drive).is_some() => Trace::Drive(drive),
                    _ => return Trace::Unclear,
                };
            }
        }
        found
    }

    /// Reads one sector in the mildest way, once, and changes nothing that the BIOS relies on.
    /// `false` when that fails, or when the drive's translation is not known.
    pub fn probe(&mut self, drive: u8, lba: Lba, sector: &mut [u8; SECTOR]) -> bool {
        let Some(&identity) = self.identity(drive) else { return false };
        if !identity.translates || lba.0 >= identity.sectors {
            return false;
        }
        let Some(channel) = self.channel(drive) else { return false };
        let translation = identity.translation;
        let registers = Taskfile::sectors(drive & 1, command::READ_SECTORS, translation, lba.0, 1);
        channel.interrupts(false);
        let result = channel
            .issue(&registers, PROBE)
            .and_then(|()| channel.read(SECTOR, sector, &mut 0, PROBE));
        channel.interrupts(true);
        result.is_ok()
    }

    /// Finishes what is pending, and says that the BIOS may have set up the drives its own way from now on: they
    /// are set up again before their next command.
    pub fn lost_control(&mut self) {
        self.settle(0);
        self.settle(2);
        for drive in self.drives.iter_mut().flatten() {
            drive.prepared = false;
        }
    }

    fn channel(&mut self, drive: u8) -> Option<&mut Channel<P>> {
        self.channels.get_mut(usize::from(drive / 2))
    }
}
