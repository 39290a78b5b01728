//! PCI configuration space by configuration mechanism 1.
//!
//! Source: PCI Local Bus Specification 2.1, section 3.7.4.1 (mechanism), chapter 6 (header). Mechanism 2,
//! of a few chip sets of 1993, is not served.

use super::ports::Ports;

const ADDRESS: u16 = 0xCF8;
const DATA: u16 = 0xCFC;
const ENABLE: u32 = 0x8000_0000;

const COMMAND: u8 = 0x04;
/// Class code in the high three bytes.
const CLASS: u8 = 0x08;
const HEADER: u8 = 0x0C;
const BASE: u8 = 0x10;
/// The fifth base address: an IDE controller's bus master.
const MASTER_BASE: u8 = 0x20;
const INTERRUPT: u8 = 0x3C;
const MULTIFUNCTION: u32 = 0x0080_0000;
const IO_SPACE: u32 = 0x01;
const BUS_MASTER: u32 = 0x04;
/// PCs with more buses have no cards on them that are older than they are.
const BUSES: u32 = 16;

/// A function of a device: bits 8 to 23 of the configuration address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function(u32);

impl Function {
    fn read(self, ports: &mut impl Ports, register: u8) -> u32 {
        ports.outl(ADDRESS, ENABLE | self.0 | u32::from(register));
        ports.inl(DATA)
    }

    fn write(self, ports: &mut impl Ports, register: u8, value: u32) {
        ports.outl(ADDRESS, ENABLE | self.0 | u32::from(register));
        ports.outl(DATA, value);
    }

    /// Vendor in the low word, device in the high one; `None` where nothing is.
    fn id(self, ports: &mut impl Ports) -> Option<u32> {
        let id = self.read(ports, 0);
        (id & 0xFFFF != 0xFFFF && id != 0).then_some(id)
    }

    /// Its I/O ports, from its first base address; `None` when the BIOS gave it none.
    pub fn io(self, ports: &mut impl Ports) -> Option<u16> {
        self.ports_at(ports, BASE)
    }

    fn ports_at(self, ports: &mut impl Ports, register: u8) -> Option<u16> {
        let base = self.read(ports, register);
        u16::try_from(base & !3).ok().filter(|&io| base & 1 != 0 && io != 0)
    }

    /// Class, subclass and programming interface, from the high byte of 24 down.
    fn class(self, ports: &mut impl Ports) -> u32 {
        self.read(ports, CLASS) >> 8
    }

    /// The interrupt line that the BIOS routed it to.
    pub fn irq(self, ports: &mut impl Ports) -> u8 {
        self.read(ports, INTERRUPT) as u8
    }

    /// Lets it answer at its ports and read and write memory.
    pub fn enable(self, ports: &mut impl Ports) {
        // The status half is written as zero, which changes none of its bits.
        let command = self.read(ports, COMMAND) & 0xFFFF;
        self.write(ports, COMMAND, command | IO_SPACE | BUS_MASTER);
    }
}

/// Whether the PC has PCI with mechanism 1.
pub fn is_present(ports: &mut impl Ports) -> bool {
    ports.outl(ADDRESS, ENABLE);
    let there = ports.inl(ADDRESS) == ENABLE;
    ports.outl(ADDRESS, 0);
    there
}

/// How a PCI controller serves an IDE channel at the AT's ports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IdeChannel {
    /// One does.
    pub served: bool,
    /// First port of the channel's bus master; 0: there is none that is known to work.
    pub master: u16,
}

/// What serves the two IDE channels at the AT's ports (1F0h, 170h): PCI IDE Controller Specification 1.0,
/// section 2, programming interface; Programming Interface for Bus Master IDE Controller 1.0, section 2.
pub fn ide_channels<P: Ports>(ports: &mut P) -> [IdeChannel; 2] {
    /// Mass storage, IDE.
    const IDE: u32 = 0x0101;
    const HAS_MASTER: u32 = 0x80;
    /// Bus masters of other makers need to be known one by one: some of the first lose data.
    const INTEL: u32 = 0x8086;
    let mut channels = [IdeChannel::default(); 2];
    scan(ports, &mut |ports, function, id| {
        let class = function.class(ports);
        let on = function.read(ports, COMMAND) & IO_SPACE != 0;
        if class >> 8 == IDE && on {
            let master = match function.ports_at(ports, MASTER_BASE) {
                Some(base) if class & HAS_MASTER != 0 && id & 0xFFFF == INTEL => {
                    function.enable(ports);
                    base
                }
                _ => 0,
            };
            for (index, channel) in channels.iter_mut().enumerate() {
                // Bits 0 and 2: the channel is at ports of its own.
                if class >> (index * 2) & 1 == 0 {
                    // A channel's registers are 8 ports; a base is a multiple of 16.
                    let master = if master == 0 { 0 } else { master | (index as u16) << 3 };
                    *channel = IdeChannel { served: true, master };
                }
            }
        }
        false
    });
    channels
}

/// Calls `visit` with each function and its vendor and device numbers (device in the high word), until it
/// returns `true`. Whether there is PCI.
pub fn scan<P: Ports>(ports: &mut P, visit: &mut dyn FnMut(&mut P, Function, u32) -> bool) -> bool {
    if !is_present(ports) {
        return false;
    }
    for device in 0..BUSES * 32 {
        for number in 0..8 {
            let function = Function(device << 11 | number << 8);
            match function.id(ports) {
                Some(id) if visit(ports, function, id) => return true,
                None if number == 0 => break,
                _ => {}
            }
            if number == 0 && function.read(ports, HEADER) & MULTIFUNCTION == 0 {
                break;
            }
        }
    }
    true
}
