//! What the machine can do without a server: the kernel's feature `limits` (src/metal/limits.rs), on the
//! same virtual PC.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::figures::{Figures, median};
use super::ftp::connect;
use super::workload::{BIG, rate};
use super::{CONFIG, DISK, Pace};
use crate::e2e::Stage;
use crate::e2e::guest::{Guest, Setup};
use crate::{kernel, setup, workspace};

/// How long the start may take, with the disk read several times.
const LIMIT: Duration = Duration::from_secs(120);

/// Names of the figures, for the shares.
pub const SOURCE: &str = "raw TCP source";
pub const SINK: &str = "raw TCP sink";
const READ: &str = "raw disk read";

/// Builds the kernel, and a floppy with it.
pub fn stage() -> Result<Stage> {
    let kernel = kernel::build_with(&workspace::root(), setup::build()?.cargo(), "limits")?;
    Stage::set(&kernel, "bench-limits")
}

/// Boots, reads the disk, sends and receives as much as a file has. To be called shortly before what is compared with
/// it: the host's own speed changes within minutes.
pub fn measure(stage: &Stage, pace: &Pace, figures: &mut Figures) -> Result<()> {
    let setup = Setup { speed: pace.speed, config: CONFIG.into(), ..Setup::with_disks(&[DISK])? };
    let guest = Guest::start(stage, pace.title, &setup, |_, _| Ok(()))?;
    let lines = RefCell::new(Vec::new());
    let note = |line: &str| {
        lines.borrow_mut().push(line.to_owned());
        line.starts_with("LIMITS READY")
    };
    guest.expect("LIMITS READY", note, LIMIT)?;
    let lines = lines.into_inner();
    let mut reads = Vec::new();
    for line in lines.iter().filter_map(|line| line.strip_prefix("LIMITS disk: ")) {
        let numbers = numbers(line);
        let [bytes, ms, errors] = numbers[..] else { continue };
        ensure!(errors == 0, "the disk's read failed: {line}");
        reads.push(bytes as f64 / 1e3 / ms.max(1) as f64);
    }
    figures.add(READ, "MB/s", median(&reads));
    let ready = numbers(lines.last().map_or("", String::as_str));
    let [source, sink] = ready[..] else { anyhow::bail!("no ports in {lines:?}") };
    let mut buffer = vec![0; 256 * 1024];
    let (mut down, mut up) = (vec![], vec![]);
    for _ in 0..pace.passes {
        let start = Instant::now();
        let mut stream = connect(source as u16)?;
        let mut left = BIG;
        while left > 0 {
            let count = stream.read(&mut buffer)?;
            ensure!(count > 0, "the source ended");
            left = left.saturating_sub(count);
        }
        down.push(rate(BIG, start));
        drop(stream);
        let bytes = vec![0x5A; BIG];
        let start = Instant::now();
        let mut stream = connect(sink as u16)?;
        stream.write_all(&bytes)?;
        stream.shutdown(Shutdown::Write)?;
        // It closes when it has everything.
        let rest = stream.read(&mut buffer).context("the sink's end")?;
        ensure!(rest == 0, "the sink sent something");
        up.push(rate(BIG, start));
    }
    figures.add(SOURCE, "MB/s", median(&down));
    figures.add(SINK, "MB/s", median(&up));
    Ok(())
}

fn numbers(line: &str) -> Vec<u64> {
    line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
}
