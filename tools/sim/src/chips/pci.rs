//! Configuration space by mechanism 1, with one function, a network card or an IDE controller: device 3 of bus 0.

use super::Device;

const DEVICE: u32 = 3 << 11;
const ENABLE: u32 = 1 << 31;

/// The bridge to it, and the function's registers.
pub struct Pci {
    address: u32,
    registers: [u32; 64],
}

impl Pci {
    /// A function with vendor (low word) and device number (high word) whose ports the BIOS put at `io`, but
    /// which it left switched off.
    pub fn new(id: u32, io: u16) -> Pci {
        let mut registers = [0; 64];
        registers[0] = id;
        registers[4] = u32::from(io) | 1;
        registers[15] = 0x010B;
        Pci { address: 0, registers }
    }

    /// An IDE controller of Intel's for the channels at the AT's ports, with bus masters at `master`.
    pub fn ide(master: u16) -> Pci {
        let mut registers = [0; 64];
        (registers[0], registers[1], registers[2]) = (0x7010_8086, 1, 0x0101_8000);
        registers[8] = u32::from(master) | 1;
        Pci { address: 0, registers }
    }

    /// The same of another maker's.
    pub fn of(mut self, vendor: u16) -> Pci {
        self.registers[0] = self.registers[0] & 0xFFFF_0000 | u32::from(vendor);
        self
    }

    /// Whether the function answers at its ports and may be a bus master.
    pub fn is_enabled(&self) -> bool {
        self.registers[1] & 5 == 5
    }
}

impl Device for Pci {
    fn decodes(&self, port: u16) -> bool {
        (0xCF8..0xD00).contains(&port)
    }

    fn read(&mut self, port: u16, _: u8) -> u32 {
        match port {
            0xCF8 => self.address,
            0xCFC if self.address & (ENABLE | 0x00FF_FF00) == ENABLE | DEVICE => {
                self.registers[(self.address >> 2 & 0x3F) as usize]
            }
            _ => u32::MAX,
        }
    }

    fn write(&mut self, port: u16, _: u8, value: u32) {
        match port {
            0xCF8 => self.address = value,
            0xCFC if self.address & (ENABLE | 0x00FF_FF00) == ENABLE | DEVICE => {
                self.registers[(self.address >> 2 & 0x3F) as usize] = value;
            }
            _ => {}
        }
    }
}
