//! What goes into a drive's command registers: addresses and command codes.
//!
//! Source: ATA/ATAPI-6 (T13 1410D) sections 7 and 8; ATA-1 (X3.221-1994) section 7.

/// Command codes.
pub mod command {
    pub const READ_SECTORS: u8 = 0x20;
    pub const WRITE_SECTORS: u8 = 0x30;
    pub const INITIALIZE_DEVICE_PARAMETERS: u8 = 0x91;
    pub const READ_MULTIPLE: u8 = 0xC4;
    pub const WRITE_MULTIPLE: u8 = 0xC5;
    pub const SET_MULTIPLE_MODE: u8 = 0xC6;
    pub const READ_DMA: u8 = 0xC8;
    pub const WRITE_DMA: u8 = 0xCA;
    pub const FLUSH_CACHE: u8 = 0xE7;
    pub const IDENTIFY_DEVICE: u8 = 0xEC;
    pub const SET_FEATURES: u8 = 0xEF;
}

/// Subcommand of SET FEATURES: no write cache.
pub const WRITE_CACHE_OFF: u8 = 0x82;

/// Bits 7 and 5 of the device register, always 1 on old drives.
const FIXED: u8 = 0xA0;
const BY_LBA: u8 = 0x40;

/// How the sectors of a drive are addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Translation {
    /// By 28-bit block address.
    Lba,
    /// By cylinder, head and sector.
    Chs {
        /// 1 to 16.
        heads: u8,
        /// 1 to 255.
        sectors_per_track: u8,
    },
}

/// One command's registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taskfile {
    pub features: u8,
    /// Sectors, 0 for 256.
    pub count: u8,
    /// Sector number, or the lowest byte of a block address.
    pub number: u8,
    pub cylinder: u16,
    /// Device and head.
    pub device: u8,
    pub command: u8,
}

impl Taskfile {
    /// A command to drive 0 or 1 of a channel that needs no address.
    pub fn plain(device: u8, command: u8) -> Taskfile {
        let device = select(device);
        Taskfile { features: 0, count: 0, number: 0, cylinder: 0, device, command }
    }

    /// A command for `count` sectors (1 to 256) from `lba` on, which lie on the drive.
    pub fn sectors(
        device: u8,
        command: u8,
        translation: Translation,
        lba: u32,
        count: u32,
    ) -> Taskfile {
        let registers = Taskfile { count: count as u8, ..Taskfile::plain(device, command) };
        match translation {
            Translation::Lba => Taskfile {
                number: lba as u8,
                cylinder: (lba >> 8) as u16,
                device: registers.device | BY_LBA | (lba >> 24 & 0x0F) as u8,
                ..registers
            },
            Translation::Chs { heads, sectors_per_track } => {
                let per_track = u32::from(sectors_per_track.max(1));
                let (track, heads) = (lba / per_track, u32::from(heads.max(1)));
                Taskfile {
                    number: (lba % per_track + 1) as u8,
                    cylinder: (track / heads) as u16,
                    device: registers.device | (track % heads) as u8 & 0x0F,
                    ..registers
                }
            }
        }
    }
}

/// The device register that selects drive 0 or 1 of a channel.
pub fn select(device: u8) -> u8 {
    FIXED | (device & 1) << 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_block_of_28_bits() {
        let last = Taskfile::sectors(1, command::READ_SECTORS, Translation::Lba, (1 << 28) - 1, 1);
        assert_eq!((last.number, last.cylinder, last.device), (0xFF, 0xFFFF, 0xFF));
    }

    #[test]
    fn cylinder_head_and_sector_count_as_int_13h_does() {
        let by = Translation::Chs { heads: 5, sectors_per_track: 17 };
        let at = |lba| {
            let registers = Taskfile::sectors(0, command::READ_SECTORS, by, lba, 256);
            (registers.cylinder, registers.device & 0x0F, registers.number, registers.count)
        };
        assert_eq!(at(0), (0, 0, 1, 0));
        assert_eq!(at(16), (0, 0, 17, 0));
        assert_eq!(at(17), (0, 1, 1, 0));
        assert_eq!(at(85), (1, 0, 1, 0));
        assert_eq!(at(83_299), (979, 4, 17, 0));
    }
}
