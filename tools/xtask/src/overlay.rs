//! What only the start needs, and what only the service that follows it needs: both have the same place in
//! memory, one after the other.
//!
//! `cargo xtask` is the linker that cargo calls for the kernel. It looks for the functions that [`START`]
//! cannot come to, neither by calls nor by pointers, and for those that [`SERVICE`] cannot, names them and their
//! tables of jumps for the linker script to include, and runs the real linker. [`verify`] looks at what was
//! linked.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use object::{
    Object, ObjectSection, ObjectSymbol, Relocation, RelocationKind, RelocationTarget, SectionIndex,
};

use crate::process;

/// Names the real linker to the xtask that cargo calls in its place.
pub const LINKER: &str = "FTPSRV_LINKER";
/// What the kernel begins with (src/metal/entry.s), and what it goes on with and never returns from (src/main.rs). Unpacking leads from one to the other (src/metal/unpack.s), no call or pointer does.
const START: &str = "protected_mode_entry";
const SERVICE: &str = "kernel_run";
/// The assembly that interrupts, exceptions and BIOS calls need.
const ALWAYS: [&str; 2] = [".text", ".thunk16"];
/// Sections of the kernel that lead to the overlay's, which nothing else does. Constants have pointers to the
/// service's functions that the service alone comes to.
const OVERLAY: [(&str, [&str; 3]); 2] = [
    (".start", [".start", ".start_tables", ""]),
    (".service", [".service", ".service_tables", ".rodata"]),
];

/// Links: `arguments` are the real `linker`'s.
pub fn link(linker: &OsStr, arguments: &[OsString]) -> Result<ExitCode> {
    let output = arguments.iter().position(|argument| argument == "-o");
    let output = output.and_then(|place| arguments.get(place + 1)).context("no -o")?;
    let dir = Path::new(output).parent().context("-o names no file")?;
    let mut parts = Parts::default();
    for object in arguments.iter().filter(|argument| is_object(argument.as_os_str())) {
        parts.add(&fs::read(object)?)?;
    }
    // Tables of jumps lie in sections that are named for their function.
    let tables = |names: &str| names.replace(".text.", ".rodata.");
    fs::write(dir.join("text.ld"), parts.common)?;
    fs::write(dir.join("start_tables.ld"), tables(&parts.start))?;
    fs::write(dir.join("start.ld"), parts.start)?;
    fs::write(dir.join("service_tables.ld"), tables(&parts.service))?;
    fs::write(dir.join("service.ld"), parts.service)?;
    let mut command = process::command(linker);
    // The relocations stay in the file, for `verify`; nothing of them is loaded.
    let status = command.arg("--emit-relocs").arg("-L").arg(dir).args(arguments).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_object(argument: &OsStr) -> bool {
    Path::new(argument).extension().is_some_and(|extension| extension == "o")
}

/// Input sections by what needs them, as the linker script includes them.
#[derive(Default)]
struct Parts {
    common: String,
    start: String,
    service: String,
}

impl Parts {
    /// An object file's. The start may leave a pointer for the service, so what it has one to is needed by both.
    fn add(&mut self, data: &[u8]) -> Result<()> {
        let file = object::File::parse(data)?;
        let graph = Graph::of(&file)?;
        let start = graph.reachable(roots(&file, START));
        let mut left: Vec<SectionIndex> = roots(&file, SERVICE);
        left.extend(start.iter().filter_map(|section| graph.points_to.get(section)).flatten());
        let service = graph.reachable(left);
        for section in file.sections() {
            let name = section.name()?;
            let part = match (start.contains(&section.index()), service.contains(&section.index()))
            {
                _ if ALWAYS.contains(&name) => &mut self.common,
                _ if !name.starts_with(".text.") => continue,
                (true, false) => &mut self.start,
                (false, true) => &mut self.service,
                // What neither comes to is called from elsewhere, if at all.
                (true, true) | (false, false) => &mut self.common,
            };
            if name != ".thunk16" {
                *part += &format!("*({name})\n");
            }
        }
        Ok(())
    }
}

/// The function `name` and the assembly: their sections.
fn roots(file: &object::File, name: &str) -> Vec<SectionIndex> {
    let function = file.symbols().filter(|symbol| symbol.name() == Ok(name));
    let always = file.sections().filter(|s| s.name().is_ok_and(|name| ALWAYS.contains(&name)));
    function
        .filter_map(|symbol| symbol.section_index())
        .chain(always.map(|section| section.index()))
        .collect()
}

/// Which sections of an object file lead to which, and which functions pointers in them lead to.
#[derive(Default)]
struct Graph {
    leads_to: HashMap<SectionIndex, HashSet<SectionIndex>>,
    points_to: HashMap<SectionIndex, HashSet<SectionIndex>>,
}

impl Graph {
    fn of(file: &object::File) -> Result<Graph> {
        let mut graph = Graph::default();
        for section in file.sections().filter(|section| section.name().is_ok_and(is_loaded)) {
            for (at, relocation) in section.relocations() {
                let Some(target) = target(file, &relocation)? else { continue };
                graph.leads_to.entry(section.index()).or_default().insert(target);
                let code = file.section_by_index(target)?.name()?.starts_with(".text.");
                // What leads into the middle of a function is a table of jumps, which is the function's own.
                if code
                    && relocation.kind() == RelocationKind::Absolute
                    && offset(file, &section, at, &relocation)? == 0
                {
                    graph.points_to.entry(section.index()).or_default().insert(target);
                }
            }
        }
        Ok(graph)
    }

    /// All that `needed` can come to, and themselves.
    fn reachable(&self, mut needed: Vec<SectionIndex>) -> HashSet<SectionIndex> {
        let mut seen = HashSet::new();
        while let Some(section) = needed.pop() {
            if seen.insert(section) {
                needed.extend(self.leads_to.get(&section).into_iter().flatten());
            }
        }
        seen
    }
}

/// Whether a section is in memory when the kernel runs.
fn is_loaded(name: &str) -> bool {
    let kinds = [".text", ".rodata", ".data", ".thunk16", ".start", ".service"];
    kinds.iter().any(|kind| name.starts_with(kind))
}

/// The section that a relocation leads to; `None`: another file's, or no section's.
fn target(file: &object::File, relocation: &Relocation) -> Result<Option<SectionIndex>> {
    Ok(match relocation.target() {
        RelocationTarget::Symbol(symbol) => file.symbol_by_index(symbol)?.section_index(),
        RelocationTarget::Section(section) => Some(section),
        _ => None,
    })
}

/// Where in its target's section a relocation leads to.
fn offset(
    file: &object::File,
    section: &object::Section,
    at: u64,
    relocation: &Relocation,
) -> Result<u64> {
    let start = match relocation.target() {
        RelocationTarget::Symbol(symbol) => file.symbol_by_index(symbol)?.address(),
        _ => 0,
    };
    // The addend; 16-bit code has pointers of 16 bits.
    let addend = if relocation.size() == 32 { word(section, at)? } else { 0 };
    Ok(u64::from((start as u32).wrapping_add(addend)))
}

/// The double word at `offset` of a section.
fn word(section: &object::Section, offset: u64) -> Result<u32> {
    let bytes = section.data()?.get(offset as usize..).and_then(|bytes| bytes.first_chunk());
    Ok(u32::from_le_bytes(*bytes.context("a relocation outside its section")?))
}

/// Fails when anything of the linked kernel leads to a part of the overlay that need not be there then.
pub fn verify(file: &object::File) -> Result<()> {
    let mut looked_at = 0;
    for section in file.sections() {
        let name = section.name()?;
        if !is_loaded(name) {
            continue;
        }
        for (address, relocation) in section.relocations() {
            looked_at += 1;
            let Some(target) = target(file, &relocation)? else { continue };
            let target = file.section_by_index(target)?;
            let target = target.name()?;
            let allowed = OVERLAY.iter().find(|(part, _)| *part == target);
            ensure!(
                allowed.is_none_or(|(_, from)| from.contains(&name)),
                "{name} leads to {target} from {address:X}h, which need not be in memory then"
            );
        }
    }
    ensure!(looked_at > 1000, "the kernel was linked without its relocations");
    Ok(())
}
