//! The kernel in QEMU, serving disks that other tools made, driven by other people's FTP clients.
//!
//! Each scenario boots a PC of its own, on free ports, with everything in a directory that is kept
//! when it fails. Every wait has an end.

pub mod clients;
pub mod files;
pub mod guest;
mod ports;
mod scenarios;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Result;

use crate::kernel::Kernel;
use crate::verify::Tally;
use crate::workspace;

/// What all scenarios share.
pub struct Stage {
    /// What is tested.
    pub kernel: Kernel,
    /// Where scenarios keep their files.
    pub dir: PathBuf,
}

impl Stage {
    /// Makes the directory.
    pub fn set(kernel: &Kernel, name: &str) -> Result<Stage> {
        Ok(Stage { kernel: kernel.clone(), dir: workspace::scratch(name)? })
    }
}

/// What a test does on the stage, under its name.
type Play = Box<dyn Fn(&Stage, &str) -> Result<()> + Send + Sync>;

/// A test.
struct Scenario {
    name: String,
    run: Play,
}

impl Scenario {
    fn new(
        name: impl Into<String>,
        run: impl Fn(&Stage, &str) -> Result<()> + Send + Sync + 'static,
    ) -> Scenario {
        Scenario { name: format!("e2e: {}", name.into()), run: Box::new(run) }
    }
}

/// Runs the scenarios whose name contains `filter`, two at a time: each QEMU takes a core.
pub fn run(kernel: &Kernel, filter: Option<&str>) -> Result<Tally> {
    let wanted = |scenario: &Scenario| filter.is_none_or(|part| scenario.name.contains(part));
    let scenarios: Vec<Scenario> = scenarios::all().into_iter().filter(wanted).collect();
    if scenarios.is_empty() {
        return Ok(Tally::default());
    }
    let stage = Stage::set(kernel, "e2e")?;
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let result = (scenario.run)(&stage, &scenario.name);
                    let seconds = start.elapsed().as_secs_f32();
                    let mut tally = tally.lock().unwrap_or_else(|poison| poison.into_inner());
                    tally.count(&format!("{} ({seconds:.1} s)", scenario.name), result);
                }
            });
        }
    });
    Ok(tally.into_inner().unwrap_or_else(|poison| poison.into_inner()))
}
