//! What only the start needs, and what only the service that follows it needs: both have the same place in
//! memory, one after the other.
//!
//! `cargo xtask` is the linker that cargo calls for the kernel. It looks for the functions that [`START`]
//! cannot come to, neither by calls nor by pointers, and for those that [`SERVICE`] cannot, names them and their
//! tables of jumps for the linker script to include, and runs the real linker. [`verify`] looks at what was
//! linked.
//!
//! So are found, too: constants of the start, whose place is free when it is done; and the code of each driver of a
//! network card, of which the service needs one.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use object::elf::{EM_386, EM_IAMCU};
use object::{
    Object, ObjectSection, ObjectSymbol, Relocation, RelocationKind, RelocationTarget, SectionIndex,
};

use crate::process;

/// Names the real linker to the xtask that cargo calls in its place.
pub const LINKER: &str = "FTPSRV_LINKER";
/// What the kernel begins with (src/metal/entry.s), and what it goes on with and never returns from (src/main.rs). Unpacking leads from one to the other (src/metal/unpack.s), no call or pointer does.
const START: &str = "protected_mode_entry";
const SERVICE: &str = "kernel_run";
/// Bytes of a sentence, at least.
const SENTENCE: usize = 40;
/// In the name of a driver's function, which has its table of functions in a pointer to the card: `Nic::receive`.
const DRIVER: &str = "3net3nic3Nic7receive";
/// And in that of the function which tells where that is, and keeps no pointer to it: `Nic::code`.
const TELLS_DRIVER: &str = "3net3nic3Nic4code";
/// Where an ELF header names the machine.
const E_MACHINE: usize = 18;
/// The assembly that interrupts, exceptions and BIOS calls need.
const ALWAYS: [&str; 2] = [".text", ".thunk16"];
/// Sections of the kernel that lead to the overlay's, which nothing else does. Constants have pointers to the
/// service's functions that the service alone comes to.
const OVERLAY: [(&str, [&str; 3]); 3] = [
    (".start", [".start", ".start_tables", ""]),
    (".start_tables", [".start", ".start_tables", ""]),
    (".service", [".service", ".service_tables", ".rodata"]),
];

/// Links: `arguments` are the real `linker`'s.
pub fn link(linker: &OsStr, arguments: &[OsString]) -> Result<ExitCode> {
    let output = arguments.iter().position(|argument| argument == "-o");
    let output = output.and_then(|place| arguments.get(place + 1)).context("no -o")?;
    let dir = Path::new(output).parent().context("-o names no file")?;
    let mut parts = Parts::default();
    for object in arguments.iter().filter(|argument| is_object(argument.as_os_str())) {
        let mut data = fs::read(object)?;
        name_machine(&mut data)?;
        parts.add(&data)?;
    }
    // Tables of jumps lie in sections that are named for their function.
    let tables = |names: &str| names.replace(".text.", ".rodata.");
    let numbered = || parts.cards.iter().enumerate();
    let cards: String = numbered().map(|(n, names)| format!("_card_{n} = .;\n{names}")).collect();
    let places: String = numbered().map(|(n, _)| format!("LONG(_card_{n})\n")).collect();
    for (name, text) in [
        ("text.ld", &parts.common),
        ("start_tables.ld", &(tables(&parts.start) + &parts.constants)),
        ("start.ld", &parts.start),
        ("service_tables.ld", &tables(&parts.service)),
        ("service.ld", &parts.service),
        ("cards.ld", &cards),
        ("card_places.ld", &places),
    ] {
        fs::write(dir.join(name), text)?;
    }
    let mut command = process::command(linker);
    // The relocations stay in the file, for `verify`; nothing of them is loaded.
    let status = command.arg("--emit-relocs").arg("-L").arg(dir).args(arguments).status()?;
    if !status.success() {
        return Ok(ExitCode::FAILURE);
    }
    let mut linked = fs::read(output)?;
    name_machine(&mut linked)?;
    fs::write(output, linked)?;
    Ok(ExitCode::SUCCESS)
}

/// Says in an ELF file that its code is a 386's. It is, and debuggers and disassemblers know it by no other name: the
/// Intel MCU, whose calling convention the kernel has (targets/i386-unknown-none-elf.json), is only told apart
/// so that nobody links both.
fn name_machine(elf: &mut [u8]) -> Result<()> {
    let machine = elf.get_mut(E_MACHINE..E_MACHINE + 2).context("no ELF file")?;
    if machine == EM_IAMCU.to_le_bytes() {
        machine.copy_from_slice(&EM_386.to_le_bytes());
    }
    Ok(())
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
    /// Constants that the start alone needs.
    constants: String,
    /// What both need, if it is the driver of the PC's network card: an item for each driver.
    cards: Vec<String>,
}

impl Parts {
    /// An object file's. The start may leave a pointer for the service, so what it has one to is needed by both.
    fn add(&mut self, data: &[u8]) -> Result<()> {
        let file = object::File::parse(data)?;
        let graph = Graph::of(&file)?;
        let start = graph.reachable(roots(&file, START), &HashSet::new());
        let mut left: Vec<SectionIndex> = roots(&file, SERVICE);
        left.extend(start.iter().filter_map(|section| graph.points_to.get(section)).flatten());
        let service = graph.reachable(left, &HashSet::new());
        let cards = graph.cards(&file, &start)?;
        self.cards.resize(self.cards.len().max(cards.len()), String::new());
        for section in file.sections() {
            let (index, name) = (section.index(), section.name()?);
            let card = cards.iter().position(|card| card.contains(&index));
            let part = match (start.contains(&index), service.contains(&index)) {
                _ if ALWAYS.contains(&name) => &mut self.common,
                (true, false) if graph.is_starts_alone(&section, &service)? => &mut self.constants,
                _ if !name.starts_with(".text.") => continue,
                (true, false) => &mut self.start,
                (false, true) => &mut self.service,
                (true, true) if let Some(card) = card => &mut self.cards[card],
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
    /// Those that lead to a function.
    calls: HashSet<SectionIndex>,
    /// Those that a constant leads to.
    held: HashSet<SectionIndex>,
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
                if code {
                    graph.calls.insert(section.index());
                }
                if !section.name()?.starts_with(".text.") {
                    graph.held.insert(target);
                }
                if code
                    && !section.name()?.contains(TELLS_DRIVER)
                    && !is_lent(file.section_by_index(target)?.name()?)
                    && relocation.kind() == RelocationKind::Absolute
                    && offset(file, &section, at, &relocation)? == 0
                {
                    graph.points_to.entry(section.index()).or_default().insert(target);
                }
            }
        }
        Ok(graph)
    }

    /// All that `needed` can come to without what is `barred`, and themselves.
    fn reachable(
        &self,
        mut needed: Vec<SectionIndex>,
        barred: &HashSet<SectionIndex>,
    ) -> HashSet<SectionIndex> {
        let mut seen = HashSet::new();
        while let Some(section) = needed.pop() {
            if !barred.contains(&section) && seen.insert(section) {
                needed.extend(self.leads_to.get(&section).into_iter().flatten());
            }
        }
        seen
    }
}

impl Graph {
    /// Whether a constant that the start alone comes to is not needed when it is done: a table of functions that are
    /// not needed either, or a sentence, which was said. A shorter text may be a name that the start leaves behind,
    /// a table of something else, and what such a one leads to, may be looked up later.
    fn is_starts_alone(
        &self,
        section: &object::Section,
        service: &HashSet<SectionIndex>,
    ) -> Result<bool> {
        if !section.name()?.starts_with(".rodata..L") || self.held.contains(&section.index()) {
            return Ok(false);
        }
        if let Some(targets) = self.leads_to.get(&section.index()) {
            return Ok(self.calls.contains(&section.index()) && targets.is_disjoint(service));
        }
        let data = section.data()?;
        let letters = data.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte == b' ');
        Ok(data.len() >= SENTENCE && letters.count() * 4 >= data.len() * 3)
    }

    /// For each driver of a network card what the service can come to by the card's table of functions alone.
    fn cards(
        &self,
        file: &object::File,
        start: &HashSet<SectionIndex>,
    ) -> Result<Vec<HashSet<SectionIndex>>> {
        let mut tables = Vec::new();
        for section in file.sections().filter(|s| s.name().is_ok_and(|n| n.starts_with(".rodata")))
        {
            for target in self.points_to.get(&section.index()).into_iter().flatten() {
                if file.section_by_index(*target)?.name()?.contains(DRIVER) {
                    tables.push(section.index());
                }
            }
        }
        let barred: HashSet<SectionIndex> = tables.iter().copied().collect();
        let mut left = roots(file, SERVICE);
        let others = start.iter().filter(|section| !barred.contains(section));
        left.extend(others.filter_map(|section| self.points_to.get(section)).flatten());
        let without = self.reachable(left, &barred);
        let all: Vec<HashSet<SectionIndex>> =
            tables.iter().map(|table| self.reachable(vec![*table], &HashSet::new())).collect();
        let alone = |index: usize| {
            let others = || all.iter().enumerate().filter(move |(other, _)| *other != index);
            let needed = |section: &SectionIndex| {
                without.contains(section) || others().any(|(_, o)| o.contains(section))
            };
            let mut alone = all[index].clone();
            alone.retain(|section| !needed(section));
            // By this one the kernel knows which driver it has (`Nic::code`).
            let is_known = |section: &SectionIndex| {
                let section = file.section_by_index(*section);
                section.is_ok_and(|section| section.name().is_ok_and(|name| name.contains(DRIVER)))
            };
            if alone.iter().any(is_known) { alone } else { HashSet::new() }
        };
        let mut cards: Vec<HashSet<SectionIndex>> = (0..all.len()).map(alone).collect();
        // The largest one at the end, so that without the others one piece of memory becomes free.
        let size = |card: &HashSet<SectionIndex>| -> u64 {
            card.iter().filter_map(|&at| file.section_by_index(at).ok()).map(|s| s.size()).sum()
        };
        cards.sort_by_key(size);
        Ok(cards)
    }
}

/// Whether pointers to a function are lent for a call and never kept: a closure's, and those that show a value.
/// (Neither `dyn Fn`s nor `dyn Display`s nor `fmt::Arguments` stand in any structure.)
fn is_lent(function: &str) -> bool {
    function.starts_with(".text._RNC")
        || function.contains("4core3fmt") && function.ends_with("3fmt")
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

/// Where the linked kernel has the drivers of network cards, addresses.
fn drivers(file: &object::File) -> Result<Vec<Range<u64>>> {
    let end = file.symbol_by_name("_cards_end").context("the kernel has no symbol _cards_end")?;
    let starts = file.symbols().filter(|symbol| {
        let number = symbol.name().ok().and_then(|name| name.strip_prefix("_card_"));
        number.is_some_and(|number| number.parse::<u8>().is_ok())
    });
    let mut starts: Vec<u64> = starts.map(|symbol| symbol.address()).collect();
    starts.push(end.address());
    starts.sort_unstable();
    Ok(starts.windows(2).map(|ends| ends[0]..ends[1]).collect())
}

/// The address that a relocation of the linked kernel leads to, which is made already; 0 for 16-bit code's.
fn led_to(section: &object::Section, address: u64, relocation: &Relocation) -> Result<u64> {
    if relocation.size() != 32 {
        return Ok(0);
    }
    let made = word(section, address - section.address())?;
    Ok(match relocation.kind() {
        RelocationKind::Absolute => u64::from(made),
        _ => u64::from((address as u32).wrapping_add(4).wrapping_add(made)),
    })
}

/// Fails when anything of the linked kernel leads to a part of the overlay that need not be there then, or the service
/// to a driver otherwise than by its table of functions.
pub fn verify(file: &object::File) -> Result<()> {
    let mut looked_at = 0;
    let cards = drivers(file)?;
    for section in file.sections() {
        let name = section.name()?;
        if !is_loaded(name) {
            continue;
        }
        for (address, relocation) in section.relocations() {
            looked_at += 1;
            let to = led_to(&section, address, &relocation)?;
            if let Some(card) = cards.iter().find(|card| card.contains(&to)) {
                let within = name == ".text" && card.contains(&address);
                ensure!(
                    within || name == ".start" || name.starts_with(".rodata"),
                    "{name} leads to a driver from {address:X}h, which need not be in memory then"
                );
            }
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
