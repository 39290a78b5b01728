//! A bootable hard disk or CompactFlash image: one active FAT16 partition with FTPSRV.SYS, our boot
//! sector in it and our code in the master boot record. It is served as C:.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::disk::{self, Fat, Layout, Maker, SECTOR, Volume};
use crate::kernel::Kernel;
use crate::{floppy, mtcp_cfg};

/// What every PC from the first IDE disks on takes, and CompactFlash cards hold.
const LAYOUT: Layout =
    Layout { fat: Fat::Fat16, megabytes: 64, partitioned: true, maker: Maker::Mkfs };

/// Code of the master boot record, 16 bit, for any BIOS.
#[rustfmt::skip]
const BOOT_CODE: &[u8] = &[
    // Set up segments and stack, and move to 0:0600h.
    0xFA, // cli
    0x31, 0xC0, // xorw %ax,%ax
    0x8E, 0xD0, // movw %ax,%ss
    0xBC, 0x00, 0x7C, // movw $0x7c00,%sp
    0x8E, 0xD8, // movw %ax,%ds
    0x8E, 0xC0, // movw %ax,%es
    0xFB, // sti
    0xFC, // cld
    0xBE, 0x00, 0x7C, // movw $0x7c00,%si
    0xBF, 0x00, 0x06, // movw $0x600,%di
    0xB9, 0x00, 0x01, // movw $0x100,%cx
    0xF3, 0xA5, // rep movsw %ds:(%si),%es:(%di)
    0xEA, 0x1E, 0x06, 0x00, 0x00, // ljmpw $0x0,$0x61e
    // Find the active partition.
    0xBE, 0xBE, 0x07, // movw $0x7be,%si
    0xB9, 0x04, 0x00, // movw $0x4,%cx
    0xF6, 0x04, 0x80, // testb $0x80,(%si)
    0x75, 0x1C, // jne 45
    0x83, 0xC6, 0x10, // addw $0x10,%si
    0xE2, 0xF6, // loopw 24
    // Say that there is none, wait for a key, let the BIOS go on.
    0xBE, 0x9E, 0x06, // movw $0x69e,%si
    0xAC, // lodsb %ds:(%si),%al
    0x84, 0xC0, // testb %al,%al
    0x74, 0x09, // je 3f
    0xB4, 0x0E, // movb $0xe,%ah
    0xBB, 0x07, 0x00, // movw $0x7,%bx
    0xCD, 0x10, // int $0x10
    0xEB, 0xF2, // jmp 31
    0x31, 0xC0, // xorw %ax,%ax
    0xCD, 0x16, // int $0x16
    0xCD, 0x19, // int $0x19
    // Read its boot sector by LBA where the BIOS can (function 42h).
    0x52, // pushw %dx
    0x56, // pushw %si
    0xBB, 0xAA, 0x55, // movw $0x55aa,%bx
    0xB4, 0x41, // movb $0x41,%ah
    0xCD, 0x13, // int $0x13
    0x5E, // popw %si
    0x5A, // popw %dx
    0x72, 0x2F, // jb 81
    0x81, 0xFB, 0x55, 0xAA, // cmpw $0xaa55,%bx
    0x75, 0x29, // jne 81
    0xF6, 0xC1, 0x01, // testb $0x1,%cl
    0x74, 0x24, // je 81
    0x1E, // pushw %ds
    0x1E, // pushw %ds
    0xFF, 0x74, 0x0A, // pushw 0xa(%si)
    0xFF, 0x74, 0x08, // pushw 0x8(%si)
    0x1E, // pushw %ds
    0x68, 0x00, 0x7C, // pushw $0x7c00
    0x6A, 0x01, // pushw $0x1
    0x6A, 0x10, // pushw $0x10
    0xB4, 0x42, // movb $0x42,%ah
    0x89, 0xF7, // movw %si,%di
    0x89, 0xE6, // movw %sp,%si
    0xCD, 0x13, // int $0x13
    0x89, 0xFE, // movw %di,%si
    0x5B, // popw %bx
    0x5B, // popw %bx
    0x5B, // popw %bx
    0x5B, // popw %bx
    0x5B, // popw %bx
    0x5B, // popw %bx
    0x5B, // popw %bx
    0x5B, // popw %bx
    0x73, 0x10, // jae 91
    // By the table's cylinder, head and sector where it cannot.
    0x8A, 0x74, 0x01, // movb 0x1(%si),%dh
    0x8B, 0x4C, 0x02, // movw 0x2(%si),%cx
    0xB8, 0x01, 0x02, // movw $0x201,%ax
    0xBB, 0x00, 0x7C, // movw $0x7c00,%bx
    0xCD, 0x13, // int $0x13
    0x72, 0x9D, // jb 2e
    // Start it, DL still being the drive.
    0x81, 0x3E, 0xFE, 0x7D, 0x55, 0xAA, // cmpw $0xaa55,0x7dfe
    0x75, 0x95, // jne 2e
    0xEA, 0x00, 0x7C, 0x00, 0x00, // ljmpw $0x0,$0x7c00
];
/// What the code says; it follows it.
const MESSAGE: &[u8] = b"No bootable partition. Press key\0";

/// Makes the image, with the two text files in its root.
pub fn make(kernel: &Kernel, image: &Path, config: &[u8], passwords: &[u8]) -> Result<Volume> {
    let volume = disk::make(image, LAYOUT)?;
    volume.write("/FTPSRV.SYS", &kernel.file)?;
    volume.write("/MTCP.CFG", &on_drive_c(config))?;
    volume.write("/FTPPASS.TXT", passwords)?;
    let mut file = OpenOptions::new().read(true).write(true).open(image)?;
    file.write_all(BOOT_CODE)?;
    file.write_all(MESSAGE)?;
    let mut sector = sector(&mut file, volume.start)?;
    floppy::make_bootable(&mut sector, kernel);
    file.seek(SeekFrom::Start(volume.start * SECTOR))?;
    file.write_all(&sector)?;
    Ok(volume)
}

fn sector(file: &mut File, number: u64) -> Result<[u8; 512]> {
    let mut sector = [0; 512];
    file.seek(SeekFrom::Start(number * SECTOR))?;
    file.read_exact(&mut sector).context("reading the fresh boot sector")?;
    Ok(sector)
}

/// What a floppy's config names on A: is on C: here.
fn on_drive_c(config: &[u8]) -> Vec<u8> {
    let names = ["FTPSRV_PASSWORD_FILE", "FTPSRV_LOG_FILE", "FTPSRV_MOTD_FILE"];
    let moved: Vec<(&str, String)> = names
        .into_iter()
        .filter_map(|name| {
            let file = mtcp_cfg::value(config, name)?;
            let rest = file.strip_prefix("A:").or(file.strip_prefix("a:"))?;
            Some((name, format!("C:{rest}")))
        })
        .collect();
    mtcp_cfg::overlay(config, &moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_leaves_room_for_the_table_and_points_at_its_message() {
        assert!(BOOT_CODE.len() + MESSAGE.len() <= 446);
        let address = 0x600 + BOOT_CODE.len() as u16;
        assert!(BOOT_CODE.windows(2).any(|pair| pair == address.to_le_bytes()));
    }

    #[test]
    fn files_move_to_the_drive_that_is_booted() {
        let text = on_drive_c(b"FTPSRV_PASSWORD_FILE A:\\FTPPASS.TXT\r\nFTPSRV_LOG_FILE D:\\L\r\n");
        assert_eq!(text, b"FTPSRV_PASSWORD_FILE C:\\FTPPASS.TXT\r\nFTPSRV_LOG_FILE D:\\L\r\n");
    }
}
