//! Instructions that the server spends on a byte, a list and a login, counted on the host: the whole server on models of
//! an NE2000 and an IDE drive (tools/sim/examples/instructions), under valgrind's callgrind.
//!
//! What it stands for: the code is built by the kernel's profile, without vector instructions, and
//! copies with the kernel's `rep movs`; but for a CPU with twice the registers, each of 64 bits. The
//! kernel's own count (`--profile`) was 6 % more for a download and 4 % less for an upload when both were
//! taken of the same code. Every run of the same code counts the same.

use std::path::{Path, PathBuf};

use super::callgrind;
use super::layers::{Counts, Layer};
use super::transfer::Transfer;
use crate::{process, setup, verify, workspace};
use anyhow::{Context, Result, ensure};

/// Most instructions a byte that each layer may take for a download and for an upload. They are what
/// was counted last and some 5 % for another compiler; who makes the server faster lowers them.
const CEILINGS: [(&str, [f64; 2]); 17] = [
    ("card's ports", [0.29, 0.29]),
    ("disk's ports", [0.54, 0.55]),
    ("either's ports", [0.00, 0.00]),
    ("checksum", [0.36, 0.36]),
    ("copies", [0.29, 0.31]),
    ("card driver", [0.26, 0.27]),
    ("disk driver", [0.13, 0.20]),
    ("smoltcp", [0.24, 0.38]),
    ("net", [0.20, 0.44]),
    ("FTP", [0.05, 0.08]),
    ("vfs", [0.02, 0.09]),
    ("FAT", [0.03, 0.15]),
    ("sector cache", [0.03, 0.14]),
    ("server's loop", [0.03, 0.07]),
    ("clock, keys, BIOS", [0.00, 0.00]),
    ("slices, numbers", [0.10, 0.14]),
    ("all", [2.42, 3.39]),
];

/// Most instructions for a LIST of 200 files, and for a login: as above.
const WHOLE: [f64; 2] = [335_000.0, 66_500.0];

/// Counts a download and an upload of 1 MB, a LIST and a login.
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
    ["RETR", "STOR", "LIST", "login"].into_iter().map(|verb| measure(&program, verb)).collect()
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
    let text = std::fs::read_to_string(&output)?;
    let (profile, elsewhere) = callgrind::parse(&text, &program.to_string_lossy());
    let mut counts = Counts::of(program, &profile)?;
    ensure!(counts.total() > 0, "callgrind counted nothing");
    counts.add(Layer::Core, "the host's libraries", elsewhere);
    // Elements that passed a port. In the kernel each is an instruction; here they are the simulation's.
    counts.add(Layer::CardPorts, "IN and OUT", number("card")?);
    counts.add(Layer::DiskPorts, "IN and OUT", number("disk")?);
    let bytes = number("bytes")?;
    let turns = if bytes > 1 { Some(number("turns")?) } else { None };
    Ok(Transfer { verb, bytes, turns, counts })
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
    ensure!(over.is_empty(), "too many instructions: {}", over.join("; "));
    Ok(())
}

/// What a row of the table may come to at most, for a download (0), an upload (1), a LIST (2) or a login (3).
pub fn ceiling(name: &str, verb: usize) -> Option<f64> {
    match verb.checked_sub(2) {
        None => CEILINGS.iter().find(|(row, _)| *row == name).map(|(_, ceilings)| ceilings[verb]),
        Some(whole) => WHOLE.get(whole).copied().filter(|_| name == "all"),
    }
}
