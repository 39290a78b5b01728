//! What only the start needs: a section of its own in the kernel, whose memory is given back before the
//! server runs.
//!
//! `cargo xtask` is the linker that cargo calls for the kernel. It looks for the functions that
//! [`RESIDENT`] cannot come to, neither by calls nor by pointers, names them and their tables of jumps for the
//! linker script to include, and runs the real linker. [`verify`] looks at what was linked.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use object::{
    Object, ObjectSection, ObjectSymbol, Relocation, RelocationKind, RelocationTarget, SectionIndex,
};

use crate::process;

/// Names the real linker to the xtask that cargo calls in its place.
pub const LINKER: &str = "FTPSRV_LINKER";
/// Runs the server and never returns (src/main.rs).
const RESIDENT: &str = "kernel_run";
/// The assembly that interrupts, exceptions and BIOS calls need.
const ALWAYS: [&str; 2] = [".text", ".thunk16"];

/// Links: `arguments` are the real `linker`'s.
pub fn link(linker: &OsStr, arguments: &[OsString]) -> Result<ExitCode> {
    let output = arguments.iter().position(|argument| argument == "-o");
    let output = output.and_then(|place| arguments.get(place + 1)).context("no -o")?;
    let dir = Path::new(output).parent().context("-o names no file")?;
    let (mut code, mut tables) = (String::new(), String::new());
    for object in arguments.iter().filter(|argument| is_object(argument.as_os_str())) {
        for section in start_only(&fs::read(object)?)? {
            code += &format!("*({section})\n");
            // Tables of jumps lie in sections that are named for their function.
            tables += &format!("*({})\n", section.replacen(".text.", ".rodata.", 1));
        }
    }
    fs::write(dir.join("start.ld"), code)?;
    fs::write(dir.join("start_tables.ld"), tables)?;
    let mut command = process::command(linker);
    // The relocations stay in the file, for `verify`; nothing of them is loaded.
    let status = command.arg("--emit-relocs").arg("-L").arg(dir).args(arguments).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_object(argument: &OsStr) -> bool {
    Path::new(argument).extension().is_some_and(|extension| extension == "o")
}

/// The sections of an object file that only the start needs. A function that a pointer leads to is not one
/// of them, wherever the pointer is.
fn start_only(data: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(data)?;
    let Some(resident) = file.symbols().find(|symbol| symbol.name() == Ok(RESIDENT)) else {
        // A kernel that does not serve.
        return Ok(Vec::new());
    };
    let mut code = HashMap::new();
    let mut needed: Vec<SectionIndex> = resident.section_index().into_iter().collect();
    for section in file.sections() {
        let name = section.name()?;
        if ALWAYS.contains(&name) {
            needed.push(section.index());
        } else if name.starts_with(".text.") {
            code.insert(section.index(), name.to_owned());
        }
    }
    let mut leads_to: HashMap<SectionIndex, HashSet<SectionIndex>> = HashMap::new();
    for section in file.sections().filter(|section| section.name().is_ok_and(is_loaded)) {
        for (at, relocation) in section.relocations() {
            let Some((target, offset)) = target(&file, &section, at, &relocation)? else {
                continue;
            };
            let called = relocation.kind() != RelocationKind::Absolute;
            if called || !code.contains_key(&target) {
                leads_to.entry(section.index()).or_default().insert(target);
            } else if offset == 0 {
                needed.push(target);
            }
            // Else it leads into the middle of a function: a table of jumps, which is the function's own.
        }
    }
    let mut seen: HashSet<SectionIndex> = HashSet::new();
    while let Some(section) = needed.pop() {
        if seen.insert(section) {
            needed.extend(leads_to.get(&section).into_iter().flatten());
        }
    }
    code.retain(|section, _| !seen.contains(section));
    let mut sections: Vec<String> = code.into_values().collect();
    sections.sort();
    Ok(sections)
}

/// Whether a section is in memory when the kernel has started.
fn is_loaded(name: &str) -> bool {
    let kinds = [".text", ".rodata", ".data", ".thunk16"];
    kinds.iter().any(|kind| name.starts_with(kind))
}

/// The section that a relocation leads to, and where in it; `None`: another file's.
fn target(
    file: &object::File,
    section: &object::Section,
    at: u64,
    relocation: &Relocation,
) -> Result<Option<(SectionIndex, u64)>> {
    let (index, start) = match relocation.target() {
        RelocationTarget::Symbol(symbol) => {
            let symbol = file.symbol_by_index(symbol)?;
            (symbol.section_index(), symbol.address())
        }
        RelocationTarget::Section(section) => (Some(section), 0),
        _ => (None, 0),
    };
    let Some(index) = index else { return Ok(None) };
    // 16-bit code has pointers of 16 bits.
    let addend = if relocation.size() == 32 { word(section, at)? } else { 0 };
    Ok(Some((index, u64::from((start as u32).wrapping_add(addend)))))
}

/// The double word at `offset` of a section.
fn word(section: &object::Section, offset: u64) -> Result<u32> {
    let bytes = section.data()?.get(offset as usize..).and_then(|bytes| bytes.first_chunk());
    Ok(u32::from_le_bytes(*bytes.context("a relocation outside its section")?))
}

/// Fails when anything of the linked kernel that stays leads to the addresses `start`, which are given back;
/// beyond the first double word, which is there to be named by who gives it back.
pub fn verify(file: &object::File, start: Range<u64>) -> Result<()> {
    let (given_back, mut looked_at) = (start.start + 4..start.end, 0);
    for section in file.sections() {
        let name = section.name()?;
        if !is_loaded(name) {
            continue;
        }
        for (address, relocation) in section.relocations() {
            let Some(offset) = address.checked_sub(section.address()) else { continue };
            if relocation.size() != 32 {
                continue;
            }
            // Relocated: displacements count from the instruction's end.
            let value = word(&section, offset)?;
            let target = match relocation.kind() {
                RelocationKind::Absolute => value,
                _ => value.wrapping_add(address as u32).wrapping_add(4),
            };
            looked_at += 1;
            ensure!(
                !given_back.contains(&u64::from(target)),
                "{name} leads from {address:X}h to {target:X}h, which is given back after the start"
            );
        }
    }
    ensure!(looked_at > 1000, "the kernel was linked without its relocations");
    Ok(())
}
