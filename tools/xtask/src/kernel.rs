//! Builds the kernel for the 386 and takes its parts out of the ELF file: the boot sector, and what lies on
//! the disk as FTPSRV.SYS, packed.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

use crate::pack::{self, Piece};
use crate::{overlay, words};

/// Where the kernel is loaded and runs.
pub const FLAT_START: u64 = 0x8000;
/// Offsets of the header's fields in the file (src/metal/stage2.s).
const LENGTH_FIELD: usize = 8;
const BALANCE_FIELD: usize = 12;
const FIRST_FIELD: usize = 20;

/// The second stage asks how much conventional memory there is, and keeps it for the kernel:
/// `int $0x12; movzwl %ax, %eax; movw %ax, INFO_MEM12`.
const ASKS_FOR_MEMORY: [u8; 9] = [0xCD, 0x12, 0x66, 0x0F, 0xB7, 0xC0, 0xA3, 0x0A, 0x06];

/// The kernel's parts.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The ELF file, with symbols and lines.
    pub elf: PathBuf,
    /// What FTPSRV.SYS holds.
    pub file: Vec<u8>,
    /// The boot sector; the volume's BIOS parameter block comes over bytes 3 to 61.
    pub boot_sector: [u8; 512],
    /// Bytes of memory for code, static data and stack.
    pub memory: u32,
    /// Bytes of the start's code, whose place the service's code has later.
    pub start: u32,
    /// The address up to which it needs memory while it is unpacked.
    pub load_end: u32,
    /// Addresses of the stack.
    pub stack: Range<usize>,
}

impl Kernel {
    /// The same kernel, which, once it is unpacked, takes the PC for one with so many KB of conventional
    /// memory: no emulator can be told to have less than 640.
    ///
    /// # Errors
    /// The second stage asks for the memory in other words than expected.
    pub fn in_memory_of(&self, kilobytes: u16) -> Result<Kernel> {
        let mut kernel = self.clone();
        let windows = kernel.file.windows(ASKS_FOR_MEMORY.len());
        let found = windows.take(0x1000).position(|bytes| bytes == ASKS_FOR_MEMORY);
        let place = found.context("the second stage does not ask INT 12h")?;
        let [low, high] = kilobytes.to_le_bytes();
        // movw $kilobytes, INFO_MEM12; movw $640, %ax
        let told = [0xC7, 0x06, 0x0A, 0x06, low, high, 0xB8, 0x80, 0x02];
        kernel.file[place..place + told.len()].copy_from_slice(&told);
        kernel.file[BALANCE_FIELD..BALANCE_FIELD + 4].fill(0);
        balance(&mut kernel.file);
        Ok(kernel)
    }
}

/// Builds the kernel in the workspace `root` with `cargo`: the program of a toolchain that has the
/// core library's source, with its environment set for `-Z` options.
///
/// # Errors
/// What failed, for the user; cargo's own output goes to standard error.
pub fn build(root: &Path, cargo: Command) -> Result<Kernel> {
    build_with(root, cargo, "kernel")
}

/// As [`build`], with another feature of the kernel: `selftest` makes the kernel that tests itself on
/// the machine (src/metal/selftest.rs).
///
/// # Errors
/// As [`build`].
pub fn build_with(root: &Path, mut cargo: Command, feature: &str) -> Result<Kernel> {
    let target_dir = root.join("target").join(feature);
    cargo
        .current_dir(root)
        // Not the other packages: what they ask of shared dependencies would count for the kernel too.
        .args(["build", "--package", "ftpsrv", "--bin", "ftpsrv"])
        .args(["--profile", "kernel", "--features", feature])
        .args(["--target", "targets/i386-unknown-none-elf.json", "-Zjson-target-spec"])
        .args(["-Zbuild-std=core,compiler_builtins"])
        .args(["-Zbuild-std-features=compiler-builtins-mem,optimize_for_size"])
        .arg("--target-dir")
        .arg(&target_dir);
    let status = cargo.status().with_context(|| format!("starting {:?}", cargo.get_program()))?;
    ensure!(status.success(), "the kernel does not build ({status})");
    extract(&target_dir.join("i386-unknown-none-elf/kernel/ftpsrv"))
}

/// Takes boot sector and flat binary out of the linked file.
///
/// # Errors
/// What is wrong with the file.
pub fn extract(elf: &Path) -> Result<Kernel> {
    let mut data = std::fs::read(elf).with_context(|| elf.display().to_string())?;
    words::widen(&mut data).with_context(|| elf.display().to_string())?;
    let file = object::File::parse(&*data).with_context(|| elf.display().to_string())?;
    let boot_sector = file
        .section_by_name(".boot")
        .and_then(|section| section.data().ok())
        .and_then(|bytes| <[u8; 512]>::try_from(bytes).ok())
        .context("the kernel has no boot sector of 512 bytes")?;
    overlay::verify(&file)?;
    Ok(Kernel {
        elf: elf.into(),
        file: packed_file(&file)?,
        boot_sector,
        memory: address(&file, "_end")? - FLAT_START as u32 + address(&file, "_bss_end")?
            - address(&file, "stack_guard")?,
        start: address(&file, "_start_end")? - address(&file, "_overlay")?,
        load_end: address(&file, "kernel_load_end")?,
        stack: address(&file, "stack_bottom")? as usize..address(&file, "stack_top")? as usize,
    })
}

fn address(file: &object::File, name: &str) -> Result<u32> {
    let symbol = file.symbol_by_name(name);
    Ok(symbol.with_context(|| format!("the kernel has no symbol {name}"))?.address() as u32)
}

/// FTPSRV.SYS: the 16-bit code and the unpacker as they are, then the two archives.
fn packed_file(file: &object::File) -> Result<Vec<u8>> {
    let section = |name: &str| -> Result<&[u8]> {
        let section = file.section_by_name(name);
        Ok(section.with_context(|| format!("the kernel has no section {name}"))?.data()?)
    };
    let (text, overlay) = (address(file, "_text_start")?, address(file, "_overlay")?);
    let piece = |name: &str, at: u32| anyhow::Ok(Piece { code: section(name)?, offset: at - text });
    let constants = constants(file)?;
    let early = [piece(".text", text)?, piece(".start", overlay)?];
    let late = [piece(".service", overlay)?];
    // Each takes seconds.
    let (first, second) = thread::scope(|scope| {
        let second = scope.spawn(|| pack::pack(&[], &late));
        (pack::pack(&constants, &early), second.join())
    });
    let first = first?;
    let second = second.map_err(|_| anyhow!("the packer has a fault"))??;
    check_room(file, second.len() as u32)?;
    let mut packed = section(".stage2")?.to_vec();
    let pad = |bytes: &mut Vec<u8>| bytes.resize(bytes.len().next_multiple_of(4), 0);
    pad(&mut packed);
    ensure!(
        packed.len() as u32 + FLAT_START as u32 == address(file, "_loader_end")?,
        "the archives do not follow the 16-bit code"
    );
    let begin = packed.len();
    packed.extend(first);
    pad(&mut packed);
    let first_length = (packed.len() - begin) as u32;
    packed.extend(second);
    pad(&mut packed);
    let length = packed.len() as u32;
    for (field, value) in [(LENGTH_FIELD, length), (FIRST_FIELD, first_length)] {
        packed
            .get_mut(field..field + 4)
            .context("the kernel has no header")?
            .copy_from_slice(&value.to_le_bytes());
    }
    balance(&mut packed);
    Ok(packed)
}

/// Fails where the second archive, which waits at the end of the memory for unpacking, would be overwritten
/// before its turn: by what the first one comes out to, or by the start's code.
fn check_room(file: &object::File, second: u32) -> Result<()> {
    let waits = address(file, "unpack_end")?.saturating_sub(second.next_multiple_of(4));
    let (streams, margin) = (address(file, "start_streams_end")?, address(file, "UNPACK_MARGIN")?);
    ensure!(
        streams + margin <= waits,
        "the start's code leaves no room for the service's: {} bytes too much",
        streams + margin - waits
    );
    Ok(())
}

/// The kernel's constants with the tables of jumps, as they are in memory from the first archive's place on.
fn constants(file: &object::File) -> Result<Vec<u8>> {
    let (start, end) = (address(file, "_constants")?, address(file, "_data_end")?);
    let mut constants = vec![0; (end - start) as usize];
    for section in
        file.sections().filter(|section| section.kind() != SectionKind::UninitializedData)
    {
        if let Some(offset) = (section.address() as u32).checked_sub(start)
            && (section.address() as u32) < end
        {
            let (offset, data) = (offset as usize, section.data()?);
            let place = constants.get_mut(offset..offset + data.len());
            place
                .context("a section of constants that does not end with them")?
                .copy_from_slice(data);
        }
    }
    Ok(constants)
}

/// Writes the header's field that makes the sum of all double words 0.
fn balance(file: &mut [u8]) {
    let (words, _) = file.as_chunks();
    let sum = words.iter().fold(0u32, |sum, word| sum.wrapping_add(u32::from_le_bytes(*word)));
    file[BALANCE_FIELD..BALANCE_FIELD + 4].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
}
