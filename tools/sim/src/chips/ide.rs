//! An IDE channel: two places for drives on one set of registers.
//!
//! Source: ATA/ATAPI-6 (T13 1410D) sections 7 (registers), 9.2 (software reset), 9.16 (what device 0
//! answers for an absent device 1).

mod drive;
mod master;

pub use drive::{Faults, IdeDrive, Kind, Model};
pub use master::Master;

use ftpsrv::block::SECTOR;

use super::bus::Device;

const DATA: u16 = 0;
const COUNT: u16 = 2;
const DEVICE: u16 = 6;
const STATUS: u16 = 7;
const SOFT_RESET: u8 = 0x04;
const NO_INTERRUPTS: u8 = 0x02;

/// What answers for a drive 1 that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Absent {
    /// Status 0, as the standard has it.
    #[default]
    Silent,
    /// Drive 0's status, and no command is carried out.
    Echo,
    /// Drive 0 itself, which does not look at its number.
    Ghost,
}

/// A channel. Where it has no drive at all, nothing drives the bus.
#[derive(Default)]
pub struct IdeChannel {
    base: u16,
    control_port: u16,
    drives: [Option<IdeDrive>; 2],
    pub absent: Absent,
    /// A double word is two words of data; otherwise its upper half is for the sector count register, as on
    /// ISA.
    pub on_pci: bool,
    master: Option<Master>,
    device: u8,
    control: u8,
    /// What a host must not do and did.
    pub violations: Vec<String>,
    /// Interrupt requests that reached the PC.
    pub interrupts: u32,
    /// Software resets.
    pub resets: u32,
}

impl IdeChannel {
    /// The channel at 1F0h.
    pub fn primary() -> IdeChannel {
        IdeChannel { base: 0x1F0, control_port: 0x3F6, ..IdeChannel::default() }
    }

    /// The channel at 170h.
    pub fn secondary() -> IdeChannel {
        IdeChannel { base: 0x170, control_port: 0x376, ..IdeChannel::default() }
    }

    /// On a controller that takes double words.
    pub fn on_pci(self) -> IdeChannel {
        IdeChannel { on_pci: true, ..self }
    }

    /// With a bus master.
    pub fn with_master(self, master: Master) -> IdeChannel {
        IdeChannel { master: Some(master), on_pci: true, ..self }
    }

    /// Connects a drive as number 0 or 1.
    pub fn connect(mut self, number: usize, model: Model) -> IdeChannel {
        self.drives[number] = Some(IdeDrive::new(model));
        self
    }

    /// The drive with that number.
    pub fn drive(&mut self, number: usize) -> &mut IdeDrive {
        self.drives[number].as_mut().expect("a drive of that number")
    }

    /// Whether the drives' interrupt is on.
    pub fn interrupts_on(&self) -> bool {
        self.control & NO_INTERRUPTS == 0
    }

    fn number(&self) -> usize {
        usize::from(self.device >> 4 & 1)
    }

    /// The drive that answers now, and whether it is the one that is selected.
    fn answering(&mut self) -> Option<(&mut IdeDrive, bool)> {
        let number = self.number();
        if self.drives[number].is_some() {
            return self.drives[number].as_mut().map(|drive| (drive, true));
        }
        let selected = self.absent == Absent::Ghost;
        if number == 1 { self.drives[0].as_mut().map(|drive| (drive, selected)) } else { None }
    }

    fn status(&mut self, main: bool) -> u8 {
        let absent = self.absent;
        match self.answering() {
            None => 0x7F,
            Some((drive, true)) => drive.status(main),
            Some((drive, false)) if absent == Absent::Echo => drive.status(false),
            Some(_) => 0,
        }
    }

    fn reset(&mut self) {
        self.resets += 1;
        self.device = 0;
        for drive in self.drives.iter_mut().flatten() {
            drive.reset();
        }
    }

    fn read_data(&mut self, size: u8) -> u32 {
        let mut word = || match self.answering() {
            Some((drive, true)) => u32::from(drive.read_data()),
            _ => 0xFFFF,
        };
        let low = word();
        match size {
            4 if self.on_pci => low | self.read_data(2) << 16,
            4 => match self.answering() {
                Some((drive, _)) => low | u32::from(drive.read_register(COUNT)) << 16,
                None => low | 0xFFFF_0000,
            },
            _ => low,
        }
    }

    fn write_data(&mut self, size: u8, value: u32) {
        if let Some((drive, true)) = self.answering() {
            drive.write_data(value as u16);
        }
        match size {
            4 if self.on_pci => self.write_data(2, value >> 16),
            4 => self.write_register(COUNT, (value >> 16) as u8),
            _ => {}
        }
    }

    fn write_control(&mut self, value: u8) {
        if self.control & SOFT_RESET == 0 && value & SOFT_RESET != 0 {
            self.reset();
        }
        self.control = value;
    }

    /// Every drive takes a write to a register; a command only the selected one.
    fn write_register(&mut self, register: u16, value: u8) {
        if self.drives.iter_mut().flatten().any(|drive| drive.occupied()) {
            self.violations.push(format!("register {register} written to a busy drive"));
        }
        if register == DEVICE {
            self.device = value;
        }
        if register == STATUS {
            if let Some((drive, true)) = self.answering() {
                drive.command(value);
            }
            return;
        }
        for drive in self.drives.iter_mut().flatten() {
            drive.write_register(register, value);
        }
    }

    fn after(&mut self) {
        if let Some(master) = &mut self.master {
            for drive in self.drives.iter_mut().flatten() {
                drive.move_by_dma(master);
            }
            self.violations.append(&mut master.violations);
        }
        for drive in self.drives.iter_mut().flatten() {
            self.violations.append(&mut drive.violations);
            if std::mem::take(&mut drive.interrupt) && self.control & NO_INTERRUPTS == 0 {
                self.interrupts += 1;
                if let Some(master) = &mut self.master {
                    master.interrupt();
                }
            }
        }
    }
}

impl Device for IdeChannel {
    fn decodes(&self, port: u16) -> bool {
        let connected = self.drives.iter().any(Option::is_some);
        let by_master = self.master.as_ref().is_some_and(|master| master.decodes(port));
        let own = (self.base..self.base + 8).contains(&port) || port == self.control_port;
        connected && own || by_master
    }

    fn read(&mut self, port: u16, size: u8) -> u32 {
        if let Some(master) = self.master.as_ref().filter(|master| master.decodes(port)) {
            return u32::from(master.read(port));
        }
        if port == self.control_port {
            return u32::from(self.status(false));
        }
        let value = match port - self.base {
            DATA if size >= 2 => self.read_data(size),
            STATUS => u32::from(self.status(true)),
            register => match self.answering() {
                Some((drive, _)) => u32::from(drive.read_register(register)),
                None => 0xFF,
            },
        };
        self.after();
        value
    }

    fn write(&mut self, port: u16, size: u8, value: u32) {
        match port {
            _ if self.master.as_ref().is_some_and(|master| master.decodes(port)) => {
                if let Some(master) = &mut self.master {
                    master.write(port, size, value);
                }
            }
            _ if port == self.control_port => self.write_control(value as u8),
            _ if port == self.base + DATA && size >= 2 => self.write_data(size, value),
            _ => self.write_register(port - self.base, value as u8),
        }
        self.after();
    }

    fn elapse(&mut self, us: u32) {
        if self.control & SOFT_RESET != 0 {
            return;
        }
        for drive in self.drives.iter_mut().flatten() {
            drive.elapse(us);
        }
        self.after();
    }

    fn interrupts(&self) -> Option<(u8, u64)> {
        Some((if self.base == 0x170 { 15 } else { 14 }, self.interrupts as u64))
    }
}

/// What a test writes to a sector, told apart by `version`.
pub fn pattern(lba: u32, version: u32) -> [u8; SECTOR] {
    let mut state = lba.wrapping_mul(0x9E37_79B9) ^ version;
    std::array::from_fn(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
}

/// The same for `count` sectors.
pub fn patterns(lba: u32, count: u32, version: u32) -> Vec<u8> {
    (lba..lba + count).flat_map(|lba| pattern(lba, version)).collect()
}
