//! Instructions that the server spends on a byte, counted on the host: the whole server on models of
//! an NE2000 and an IDE drive (tools/sim/examples/instructions), under valgrind's callgrind.
//!
//! What it stands for: the code is built by the kernel's profile, without vector instructions, and
//! copies with the kernel's `rep movs`; but for a CPU with twice the registers, each of 64 bits. A 386
//! needs more instructions for the same work, so a figure here is compared with itself of yesterday,
//! not with the PC's: `--profile` counts those. Every run of the same code counts the same.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::callgrind::{Counts, Layer};
use crate::{process, setup, verify, workspace};

/// Most instructions a byte that each layer may take for a download and for an upload. They are what
/// was counted last and some 5 % for another compiler; who makes the server faster lowers them.
const CEILINGS: [(&str, [f64; 2]); 15] = [
    ("card's ports", [0.31, 0.33]),
    ("disk's ports", [0.54, 0.54]),
    ("checksum", [0.69, 0.96]),
    ("copies", [0.47, 0.62]),
    ("card driver", [0.45, 0.77]),
    ("disk driver", [0.10, 0.12]),
    ("smoltcp", [2.41, 4.02]),
    ("net", [0.61, 1.02]),
    ("FTP", [0.50, 0.68]),
    ("vfs", [0.13, 0.19]),
    ("FAT", [0.18, 0.79]),
    ("sector cache", [0.12, 0.88]),
    ("server's loop", [0.25, 0.33]),
    ("slices and numbers", [0.63, 0.98]),
    ("all", [7.25, 12.11]),
];

/// A transfer's count.
pub struct Transfer {
    /// RETR or STOR.
    pub verb: &'static str,
    /// Turns of the server's loop.
    turns: u64,
    bytes: u64,
    /// Elements that passed a port, of the card and of the disk. In the kernel each is an instruction;
    /// here they are the simulation's.
    ports: [u64; 2],
    counts: Counts,
}

impl Transfer {
    /// Instructions a byte, by the names of [`CEILINGS`].
    fn rows(&self) -> Vec<(&'static str, f64)> {
        let per_byte = |count: u64| count as f64 / self.bytes as f64;
        let layers = Layer::ALL.map(|layer| {
            (layer.name(), per_byte(self.counts.layers.get(&layer).copied().unwrap_or(0)))
        });
        let ports = [("card's ports", self.ports[0]), ("disk's ports", self.ports[1])];
        let all = self.counts.total() + self.ports.iter().sum::<u64>();
        let mut rows = ports.map(|(name, count)| (name, per_byte(count))).to_vec();
        rows.extend(layers);
        rows.push(("all", per_byte(all)));
        rows
    }
}

/// Counts a download and an upload of 1 MB.
///
/// # Errors
/// [`verify::Skipped`] where callgrind and the count's few lines of assembly do not run.
pub fn count() -> Result<Vec<Transfer>> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(verify::Skipped("counts on x86-64 Linux only".into()).into());
    }
    setup::programs(setup::DISK_TOOLS)?;
    setup::programs(&[setup::VALGRIND])?;
    let program = build()?;
    ["RETR", "STOR"].into_iter().map(|verb| measure(&program, verb)).collect()
}

fn build() -> Result<PathBuf> {
    let target = workspace::target().join("instructions");
    let mut cargo = verify::host_cargo();
    cargo.args(["build", "--quiet", "--package", "sim", "--example", "instructions"]);
    cargo.args(["--profile", "kernel"]).arg("--target-dir").arg(&target);
    cargo.env("RUSTFLAGS", "-Cno-vectorize-loops -Cno-vectorize-slp");
    process::run(&mut cargo)?;
    Ok(target.join("kernel/examples/instructions"))
}

fn measure(program: &Path, verb: &'static str) -> Result<Transfer> {
    let output = workspace::scratch("instructions")?.join(verb);
    let mut file = std::ffi::OsString::from("--callgrind-out-file=");
    file.push(&output);
    let mut valgrind = process::command("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind", "--collect-atstart=no", "--dump-instr=yes"]);
    valgrind.args(["--compress-strings=no", "--compress-pos=no"]).arg(file).arg(program).arg(verb);
    let said = process::output(&mut valgrind)?;
    let number = |name: &str| -> Result<u64> {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        Ok(line.with_context(|| format!("no {name} in: {said}"))?.trim().parse()?)
    };
    let counts = Counts::parse(&std::fs::read_to_string(&output)?);
    ensure!(counts.total() > 0, "callgrind counted nothing");
    Ok(Transfer {
        verb,
        turns: number("turns")?,
        bytes: number("bytes")?,
        ports: [number("card")?, number("disk")?],
        counts,
    })
}

/// What is over its ceiling, as an error.
pub fn check(transfers: &[Transfer]) -> Result<()> {
    let over: Vec<String> = transfers
        .iter()
        .enumerate()
        .flat_map(|(index, transfer)| {
            transfer.rows().into_iter().filter_map(move |(name, value)| {
                let ceiling = ceiling(name, index)?;
                (value > ceiling).then(|| {
                    format!("{}, {name}: {value:.3} of at most {ceiling:.3}", transfer.verb)
                })
            })
        })
        .collect();
    ensure!(over.is_empty(), "too many instructions a byte: {}", over.join("; "));
    Ok(())
}

fn ceiling(name: &str, verb: usize) -> Option<f64> {
    CEILINGS.iter().find(|(row, _)| *row == name).map(|(_, ceilings)| ceilings[verb])
}

/// A table for people, with the `top` functions that take most.
pub fn table(transfers: &[Transfer], top: usize) -> String {
    let mut text = format!("{:24}", "instructions a byte");
    for transfer in transfers {
        text += &format!("{:>10} {:>8}", transfer.verb, "ceiling");
    }
    text.push('\n');
    for (row, (name, _)) in CEILINGS.iter().enumerate() {
        text += &format!("{name:24}");
        for (index, transfer) in transfers.iter().enumerate() {
            let value = transfer.rows().get(row).map_or(f64::NAN, |(_, value)| *value);
            text += &format!("{value:>10.3} {:>8.2}", ceiling(name, index).unwrap_or(f64::NAN));
        }
        text.push('\n');
    }
    text += &format!("{:24}", "bytes a turn");
    for transfer in transfers {
        text += &format!("{:>10} {:>8}", transfer.bytes / transfer.turns.max(1), "");
    }
    text.push('\n');
    for transfer in transfers {
        let mut functions: Vec<_> = transfer.counts.functions.iter().collect();
        functions.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for ((layer, function), count) in functions.into_iter().take(top) {
            let share = *count as f64 / transfer.bytes as f64;
            text += &format!("{} {share:7.3} {:18} {function}\n", transfer.verb, layer.name());
        }
    }
    text
}

/// The same for programs.
pub fn json(transfers: &[Transfer]) -> Value {
    let transfer = |transfer: &Transfer| {
        let rows = transfer.rows().into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
        json!({
            "verb": transfer.verb, "bytes": transfer.bytes, "turns": transfer.turns,
            "instructions_a_byte": Value::Object(rows.collect()),
        })
    };
    Value::Array(transfers.iter().map(transfer).collect())
}
