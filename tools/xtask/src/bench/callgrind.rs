//! What callgrind counted, by layer of the server and by function.
//!
//! Callgrind names the source file of every instruction, also of inlined ones. An instruction that
//! comes from the core library counts for the layer of the one before it in the same function.
//!
//! Format: valgrind manual, "Callgrind Format Specification", uncompressed, with `--dump-instr=yes`.

use std::collections::BTreeMap;

/// What a file belongs to: the first row with a part of its path decides.
const FILES: &[(&str, Option<Layer>)] = &[
    ("tools/sim/", None),
    ("src/net/checksum.rs", Some(Layer::Checksum)),
    ("src/net/", Some(Layer::Net)),
    ("src/ftp/", Some(Layer::Ftp)),
    ("src/vfs/", Some(Layer::Vfs)),
    ("src/fat/", Some(Layer::Fat)),
    ("src/block/", Some(Layer::Block)),
    ("src/hw/ata", Some(Layer::DiskDriver)),
    ("src/hw/", Some(Layer::CardDriver)),
    ("src/server/", Some(Layer::Server)),
    ("src/console/", Some(Layer::Server)),
    ("/smoltcp-", Some(Layer::Smoltcp)),
    ("/managed-", Some(Layer::Smoltcp)),
    ("/byteorder-", Some(Layer::Smoltcp)),
    ("/heapless-", Some(Layer::Smoltcp)),
];

/// The same for a function that has no instruction from any of those files.
const FUNCTIONS: &[(&str, Option<Layer>)] = &[
    ("instructions::", None),
    ("sim::", None),
    ("memcpy", Some(Layer::Copies)),
    ("memmove", Some(Layer::Copies)),
    ("memset", Some(Layer::Copies)),
    ("smoltcp::", Some(Layer::Smoltcp)),
    ("byteorder::", Some(Layer::Smoltcp)),
];

/// A part of the server that is counted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
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
    Core,
}

impl Layer {
    /// All, in the order of the table.
    pub const ALL: [Layer; 12] = [
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
        Layer::Core,
    ];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
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
            Layer::Core => "slices and numbers",
        }
    }
}

/// Instructions by layer, and by function with its layer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub layers: BTreeMap<Layer, u64>,
    pub functions: BTreeMap<(Layer, String), u64>,
}

impl Counts {
    /// Reads callgrind's output.
    pub fn parse(text: &str) -> Counts {
        let mut counts = Counts::default();
        let (mut file, mut function) = (None, "");
        // The layer of the instruction before, in this function.
        let mut last = None;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            match line.split_once('=') {
                Some(("fl" | "fi" | "fe", name)) => file = find(FILES, name),
                Some(("fn", name)) => {
                    function = name;
                    last = find(FUNCTIONS, name);
                }
                // What a call costs in all is on the next line, and counted where it is spent.
                Some(("calls", _)) => drop(lines.next()),
                None if line.starts_with("0x") => {
                    let is_checksum = function.contains("checksum");
                    let whole = match find(FUNCTIONS, function) {
                        Some(Some(Layer::Copies)) => Some(Some(Layer::Copies)),
                        _ if is_checksum => Some(Some(Layer::Checksum)),
                        Some(None) => Some(None),
                        _ => None,
                    };
                    last = file.or(last);
                    let Some(layer) = whole.or(last).unwrap_or(Some(Layer::Core)) else { continue };
                    let cost = line.rsplit(' ').next().and_then(|cost| cost.parse().ok());
                    counts.add(layer, function, cost.unwrap_or(0));
                }
                _ => (),
            }
        }
        counts
    }

    fn add(&mut self, layer: Layer, function: &str, count: u64) {
        *self.layers.entry(layer).or_default() += count;
        *self.functions.entry((layer, function.to_owned())).or_default() += count;
    }

    /// All instructions.
    pub fn total(&self) -> u64 {
        self.layers.values().sum()
    }
}

fn find(table: &[(&str, Option<Layer>)], name: &str) -> Option<Option<Layer>> {
    table.iter().find(|(part, _)| name.contains(part)).map(|(_, layer)| *layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_counts_for_the_layer_it_was_written_in() {
        let text = "\
events: Ir\nsummary: 1000\n\nfl=/p/src/ftp/transfer.rs\nfn=ftpsrv::server::Server<M>::step\n\
0x10 1 5\nfi=/lib/core/src/option.rs\n0x14 2 7\nfi=/p/src/net/data.rs\n0x18 3 11\n\
cfn=memcpy\ncalls=3 0x99 0\n0x1c 3 600\n\n\
fl=/p/tools/sim/src/pc.rs\nfn=sim::pc::now\n0x30 1 13\nfi=/lib/core/src/cell.rs\n0x34 1 13\n\n\
fl=???\nfn=memcpy\n0x99 0 600\n\n\
fl=/r/smoltcp-0.14.0/src/wire/ip.rs\nfn=smoltcp::wire::ip::checksum::data\n0xa0 1 17\n";
        let counts = Counts::parse(text);
        let layers =
            [(Layer::Checksum, 17), (Layer::Copies, 600), (Layer::Net, 11), (Layer::Ftp, 12)];
        assert_eq!(counts.layers, BTreeMap::from(layers));
        assert_eq!(counts.total(), 640);
        assert_eq!(counts.functions[&(Layer::Copies, "memcpy".into())], 600);
    }
}
