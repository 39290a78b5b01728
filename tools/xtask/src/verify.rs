//! `cargo xtask test`: everything that CI runs, from formatting to clients against the kernel.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::bench::{instructions, transfer};
use crate::kernel::Kernel;
use crate::setup::Toolchain;
use crate::{e2e, gate, kernel, process, setup, workspace};

/// Run everything that CI runs
#[derive(Args)]
pub struct Options {
    /// Only this part; repeatable
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// Only tests whose name contains this
    filter: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Formatting and lints
    Lint,
    /// Unit tests, and the server on simulated hardware
    Unit,
    /// The kernel's build, its instructions and its size
    Kernel,
    /// Instructions that the server spends on a byte
    Instructions,
    /// FTP clients against the kernel in QEMU
    E2e,
}

/// Why a test could not be run: what it needs cannot be had just now, through no fault of ours.
#[derive(Debug)]
pub struct Skipped(pub String);

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// How many tests ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    /// Counts one, and says how it ended.
    pub fn count(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("ok      {name}");
            }
            Err(error) if error.is::<Skipped>() => {
                self.skipped += 1;
                println!("skipped {name}: {error:#}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED  {name}: {error:#}");
            }
        }
    }

    fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Options {
    /// Runs the parts in turn; each goes on where another failed.
    pub fn run(&self) -> Result<ExitCode> {
        let mut total = Tally::default();
        let wants = |part| self.only.is_empty() || self.only.contains(&part);
        let named = self.filter.is_some();
        // First, because a machine that lacks something should say so before minutes have passed.
        let toolchain = if wants(Part::Kernel) || wants(Part::E2e) {
            setup::programs(setup::DISK_TOOLS)?;
            setup::programs(&[setup::QEMU, setup::DOSBOX])?;
            setup::programs(setup::TEST_TOOLS)?;
            Some(setup::build()?)
        } else {
            None
        };
        if wants(Part::Lint) && !named {
            total.add(lint());
        }
        if wants(Part::Unit) {
            total.add(unit(self.filter.as_deref())?);
        }
        if wants(Part::Instructions) && !named {
            total.count("instructions: a byte's, by layer", instructions());
        }
        if let Some(toolchain) = &toolchain {
            let built = kernel::build(&workspace::root(), toolchain.cargo());
            if wants(Part::Kernel) && !named {
                total.add(kernel_gates(toolchain, &built));
            }
            match built {
                Ok(kernel) if wants(Part::E2e) => {
                    // The client that is a crate; `cargo test` makes it too.
                    let example = ["build", "--quiet", "--package", "xtask", "--examples"];
                    process::run(host_cargo().args(example))?;
                    total.add(e2e::run(&kernel, self.filter.as_deref())?);
                }
                Ok(_) => (),
                Err(error) => total.count("e2e: kernel", Err(error)),
            }
        }
        if total == Tally::default() {
            bail!("no test has {:?} in its name", self.filter.as_deref().unwrap_or_default());
        }
        if total.skipped > 0 {
            println!("\n{} skipped", total.skipped);
        }
        println!("\n{} passed, {} failed", total.passed, total.failed);
        Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn instructions() -> Result<()> {
    let transfers = instructions::count()?;
    print!("{}", transfer::table(&transfers, Some(instructions::ceiling), 0));
    instructions::check(&transfers)
}

fn kernel_gates(toolchain: &Toolchain, built: &Result<Kernel>) -> Tally {
    let mut tally = Tally::default();
    if let Ok(kernel) = built {
        tally.count("kernel: only instructions of a 386", gate::instructions(toolchain, kernel));
        tally.count("kernel: size", gate::size(kernel));
        // The bench's, which nothing else here makes.
        let limits = kernel::build_with(&workspace::root(), toolchain.cargo(), "limits");
        tally.count("kernel: that of the limits", limits.map(drop));
    }
    tally
}

/// The cargo that runs us, on the toolchain that the user chose.
pub fn host_cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = process::command(cargo);
    if let Some(pinned) = std::env::var_os("RUSTUP_TOOLCHAIN") {
        command.env("RUSTUP_TOOLCHAIN", pinned);
    }
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

fn lint() -> Tally {
    add_lint_tools();
    let mut tally = Tally::default();
    let format = process::run(host_cargo().args(["fmt", "--all", "--check"]));
    tally.count("lint: cargo fmt", format);
    let words = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    tally.count("lint: cargo clippy", process::run(host_cargo().args(words)));
    tally
}

/// rustup's minimal profile lacks both.
fn add_lint_tools() {
    let has = |tool: &str| process::output(host_cargo().args([tool, "--version"])).is_ok();
    let missing: Vec<&str> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter_map(|(tool, component)| (!has(tool)).then_some(component))
        .collect();
    if let (false, Some(rustup)) = (missing.is_empty(), process::find("rustup")) {
        eprintln!("set-up: adding {} (rustup component add) ...", missing.join(", "));
        let mut add = process::command(rustup);
        // Where it fails, the lints fail and name what lacks.
        let _ = process::run(add.args(["component", "add"]).args(missing));
    }
}

/// `cargo test`, its output shown and its results counted.
fn unit(filter: Option<&str>) -> Result<Tally> {
    let mut command = host_cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]);
    command.args(filter).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start cargo test")?;
    let pipe = child.stdout.take().context("no pipe from cargo test")?;
    let mut tally = Tally::default();
    for line in BufReader::new(pipe).lines() {
        let line = line?;
        println!("{line}");
        if let Some(counted) = results(&line) {
            tally.add(counted);
        }
    }
    let status = child.wait()?;
    if !status.success() && tally.failed == 0 {
        tally.count("unit: cargo test", Err(anyhow::anyhow!("{status}")));
    }
    Ok(tally)
}

/// The counts of `test result: ok. 3 passed; 0 failed; ...`.
fn results(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |name: &str| {
        let part = counts.split(';').find_map(|part| part.trim().strip_suffix(name))?;
        part.trim().parse().ok()
    };
    Some(Tally { passed: count("passed")?, failed: count("failed")?, skipped: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_run_is_no_failure() {
        let mut tally = Tally::default();
        tally.count("a", Err(Skipped("no registry".into()).into()));
        tally.count("b", Err(anyhow::anyhow!("wrong")));
        tally.count("c", Ok(()));
        assert_eq!(tally, Tally { passed: 1, failed: 1, skipped: 1 });
    }

    #[test]
    fn results_of_a_test_binary_are_read() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(results(line), Some(Tally { passed: 12, failed: 3, skipped: 0 }));
        assert_eq!(results("running 3 tests"), None);
    }
}
