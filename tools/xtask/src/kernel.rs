//! Builds the kernel for the 386 and takes its parts out of the ELF file: the boot sector, and what lies on
//! the disk as FTPSRV.SYS, packed.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol};

use crate::{pack, start_code};

/// Where the kernel is loaded and runs.
pub const FLAT_START: u64 = 0x8000;
/// Offsets of the header's fields in the file (src/metal/stage2.s).
const LENGTH_FIELD: usize = 8;
const BALANCE_FIELD: usize = 12;

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
    /// How many of them are given back after the start.
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
    let data = std::fs::read(elf).with_context(|| elf.display().to_string())?;
    let file = object::File::parse(&*data).with_context(|| elf.display().to_string())?;
    let boot_sector = file
        .section_by_name(".boot")
        .and_then(|section| section.data().ok())
        .and_then(|bytes| <[u8; 512]>::try_from(bytes).ok())
        .context("the kernel has no boot sector of 512 bytes")?;
    let address = |name: &str| -> Result<u64> {
        let symbol = file.symbol_by_name(name);
        Ok(symbol.with_context(|| format!("the kernel has no symbol {name}"))?.address())
    };
    let start = address("_start_begin")?..address("_start_end")?;
    start_code::verify(&file, start.clone())?;
    Ok(Kernel {
        elf: elf.into(),
        file: packed_file(&file)?,
        boot_sector,
        memory: (address("_end")? - FLAT_START) as u32,
        start: (start.end - start.start) as u32,
        load_end: address("kernel_load_end")? as u32,
        stack: address("stack_bottom")? as usize..address("stack_top")? as usize,
    })
}

/// FTPSRV.SYS: the 16-bit code and the unpacker as they are, then code and data, packed.
fn packed_file(file: &object::File) -> Result<Vec<u8>> {
    let flat = flat_binary(file)?;
    let address = |name: &str| {
        let symbol = file.symbol_by_name(name).with_context(|| format!("no symbol {name}"))?;
        anyhow::Ok((symbol.address() - FLAT_START) as usize)
    };
    let (start, end) = (address("_packed_start")?, address("_text_end")?);
    let data = address("_rodata_start")?;
    let (Some(head), Some(code), Some(data)) =
        (flat.get(..start), flat.get(start..end), flat.get(data..))
    else {
        bail!("the kernel ends before its code");
    };
    let mut packed = head.to_vec();
    packed.extend(pack::pack(code, data, address("unpack_streams")? as u32 + FLAT_START as u32)?);
    packed.resize(packed.len().next_multiple_of(4), 0);
    let length = (packed.len() as u32).to_le_bytes();
    packed
        .get_mut(LENGTH_FIELD..LENGTH_FIELD + 4)
        .context("the kernel has no header")?
        .copy_from_slice(&length);
    balance(&mut packed);
    Ok(packed)
}

/// The bytes of memory from [`FLAT_START`] on.
fn flat_binary(file: &object::File) -> Result<Vec<u8>> {
    let mut flat = Vec::new();
    for segment in file.segments().filter(|segment| segment.address() >= FLAT_START) {
        let bytes = segment.data()?;
        let start = (segment.address() - FLAT_START) as usize;
        if !bytes.is_empty() {
            flat.resize(flat.len().max(start + bytes.len()), 0);
            flat[start..start + bytes.len()].copy_from_slice(bytes);
        }
    }
    Ok(flat)
}

/// Writes the header's field that makes the sum of all double words 0.
fn balance(file: &mut [u8]) {
    let (words, _) = file.as_chunks();
    let sum = words.iter().fold(0u32, |sum, word| sum.wrapping_add(u32::from_le_bytes(*word)));
    file[BALANCE_FIELD..BALANCE_FIELD + 4].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
}
