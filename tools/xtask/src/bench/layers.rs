//! Which layer of the server an instruction belongs to, by the lines that the compiler notes in the
//! program.
//!
//! What is inlined belongs to the layer that it was written in; what comes from the core library, to
//! the layer that it was inlined into.

use std::collections::BTreeMap;
use std::path::Path;

use addr2line::Loader;
use anyhow::{Result, anyhow};
use object::{Object, ObjectSymbol};

/// What a file belongs to: the first row with a part of its path decides.
const FILES: &[(&str, Place)] = &[
    ("tools/sim/", Place::Outside),
    ("src/metal/ports.rs", Place::Ports),
    ("src/metal/", Place::In(Layer::Pc)),
    ("src/net/checksum.rs", Place::In(Layer::Checksum)),
    ("src/net/", Place::In(Layer::Net)),
    ("src/ftp/", Place::In(Layer::Ftp)),
    ("src/vfs/", Place::In(Layer::Vfs)),
    ("src/fat/", Place::In(Layer::Fat)),
    ("src/block/", Place::In(Layer::Block)),
    ("src/hw/ata", Place::In(Layer::DiskDriver)),
    ("src/hw/ports.rs", Place::Ports),
    ("src/hw/ne2000", Place::In(Layer::CardDriver)),
    ("src/hw/", Place::In(Layer::Pc)),
    ("src/server/", Place::In(Layer::Server)),
    ("src/console/", Place::In(Layer::Server)),
    ("src/main.rs", Place::In(Layer::Server)),
    ("/smoltcp-", Place::In(Layer::Smoltcp)),
    ("/managed-", Place::In(Layer::Smoltcp)),
    ("/byteorder-", Place::In(Layer::Smoltcp)),
];

/// Functions in assembly, and those that the compiler calls by itself.
const COPIES: [&str; 4] = ["memcpy", "memmove", "memset", "memcmp"];

/// The symbol behind the kernel's last byte.
const END: &str = "_end";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    In(Layer),
    /// Port I/O, of the driver that it is inlined into.
    Ports,
    /// Not of the server.
    Outside,
}

/// A part of the server that is counted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    CardPorts,
    DiskPorts,
    /// Of functions that serve both.
    Ports,
    Checksum,
    Copies,
    CardDriver,
    DiskDriver,
    Smoltcp,
    Net,
    Ftp,
    Vfs,
    Fat,
    Block,
    Server,
    Pc,
    Core,
}

impl Layer {
    /// All, in the order of the table.
    pub const ALL: [Layer; 16] = [
        Layer::CardPorts,
        Layer::DiskPorts,
        Layer::Ports,
        Layer::Checksum,
        Layer::Copies,
        Layer::CardDriver,
        Layer::DiskDriver,
        Layer::Smoltcp,
        Layer::Net,
        Layer::Ftp,
        Layer::Vfs,
        Layer::Fat,
        Layer::Block,
        Layer::Server,
        Layer::Pc,
        Layer::Core,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Layer::CardPorts => "card's ports",
            Layer::DiskPorts => "disk's ports",
            Layer::Ports => "either's ports",
            Layer::Checksum => "checksum",
            Layer::Copies => "copies",
            Layer::CardDriver => "card driver",
            Layer::DiskDriver => "disk driver",
            Layer::Smoltcp => "smoltcp",
            Layer::Net => "net",
            Layer::Ftp => "FTP",
            Layer::Vfs => "vfs",
            Layer::Fat => "FAT",
            Layer::Block => "sector cache",
            Layer::Server => "server's loop",
            Layer::Pc => "clock, keys, BIOS",
            Layer::Core => "slices, numbers",
        }
    }
}

/// How often the instruction at an address was carried out.
pub type Profile = BTreeMap<u64, u64>;

/// Instructions by layer, and by function with its layer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub layers: BTreeMap<Layer, u64>,
    pub functions: BTreeMap<(Layer, String), u64>,
}

impl Counts {
    /// Sorts a program's profile by its layers.
    pub fn of(program: &Path, profile: &Profile) -> Result<Counts> {
        let lines = Loader::new(program)
            .map_err(|error| anyhow!("{}: no lines of code: {error}", program.display()))?;
        let symbols = symbols(program)?;
        let mut counts = Counts::default();
        for (address, count) in profile {
            // The BIOS has none.
            let symbol = symbols.range(..=address).next_back().map(|(_, name)| name.as_str());
            let symbol = symbol.filter(|name| *name != END).unwrap_or("?");
            if let Some((layer, function)) = place(&lines, symbol, *address) {
                counts.add(layer, &function, *count);
            }
        }
        Ok(counts)
    }

    /// Counts instructions of a function.
    pub fn add(&mut self, layer: Layer, function: &str, count: u64) {
        *self.layers.entry(layer).or_default() += count;
        *self.functions.entry((layer, function.to_owned())).or_default() += count;
    }

    /// All instructions.
    pub fn total(&self) -> u64 {
        self.layers.values().sum()
    }
}

/// All functions, those in assembly too, by their addresses.
fn symbols(program: &Path) -> Result<BTreeMap<u64, String>> {
    let data = std::fs::read(program)?;
    let file = object::File::parse(&*data)?;
    let mut symbols = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| !symbol.is_undefined() && symbol.address() > 0) {
        if let Ok(name) = symbol.name()
            && !name.is_empty()
        {
            let name = addr2line::demangle_auto(name.into(), None).into_owned();
            symbols.insert(symbol.address(), name);
        }
    }
    Ok(symbols)
}

/// The layer of the instruction at `address`, and the function as it was written; `None` where it is not
/// of the server.
fn place(lines: &Loader, symbol: &str, address: u64) -> Option<(Layer, String)> {
    if COPIES.contains(&symbol) {
        return Some((Layer::Copies, symbol.to_owned()));
    }
    let mut found: Option<(Place, String)> = None;
    let mut inner = None;
    let mut frames = lines.find_frames(address).ok();
    while let Some(frame) = frames.as_mut().and_then(|frames| frames.next().ok().flatten()) {
        let demangled = frame.function.as_ref().and_then(|name| name.demangle().ok());
        let file = frame.location.and_then(|location| location.file).unwrap_or_default();
        let name = written(file, demangled.as_deref().unwrap_or(symbol));
        let here = FILES.iter().find(|(part, _)| file.contains(part)).map(|(_, place)| *place);
        let here =
            if name.contains("checksum::") { Some(Place::In(Layer::Checksum)) } else { here };
        match (&found, here) {
            (None, Some(place)) => found = Some((place, name)),
            // Who reads or writes the port.
            (Some((Place::Ports, access)), Some(Place::In(driver))) => {
                let access = access.clone();
                let disk = driver == Layer::DiskDriver;
                return Some((if disk { Layer::DiskPorts } else { Layer::CardPorts }, access));
            }
            _ => inner = inner.or(Some(name)),
        }
    }
    match found {
        Some((Place::In(layer), name)) => Some((layer, name)),
        Some((Place::Outside, _)) => None,
        Some((Place::Ports, name)) => Some((Layer::Ports, name)),
        None => {
            let name = inner.unwrap_or_else(|| symbol.to_owned());
            let layer = if name == "?" { Layer::Pc } else { Layer::Core };
            Some((layer, name))
        }
    }
}

/// A function by its module: `/p/src/net/data.rs` and `receive<u8>` are `net::data::receive`.
fn written(file: &str, function: &str) -> String {
    let path = file.rsplit_once("/src/").map_or(file, |(_, path)| path);
    let module = path.trim_end_matches(".rs").replace('/', "::");
    let function = function.split(['<', '{']).next().unwrap_or_default();
    format!("{}::{function}", module.trim_end_matches("::mod"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_by_their_modules() {
        let name = written("/p/src/net/data.rs", "receive<u8>");
        assert_eq!(name, "net::data::receive");
        let name = written("/r/smoltcp-0.14.0/src/iface/mod.rs", "{closure#0}");
        assert_eq!(name, "iface::");
    }

    #[test]
    fn every_layer_has_a_row_of_its_own() {
        let names: std::collections::BTreeSet<_> = Layer::ALL.iter().map(|l| l.name()).collect();
        assert_eq!(names.len(), Layer::ALL.len());
    }
}
