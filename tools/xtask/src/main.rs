//! `cargo xtask`: set-up, run, test, image and bench of the FTP server.
//!
//! Reading order: `workspace`, `process` (where things are, how others' programs are started);
//! `setup` (what a machine needs); `kernel`, `pack`, `floppy`, `disk`, `hard_disk`, `mtcp_cfg` (what is made);
//! `emulator`, `serial`, `slip`, `qmp` (the PC); then the commands `image`, `run`, `verify` with `gate` and
//! `e2e`, `bench` and `screenshot`.

mod bench;
mod disk;
mod e2e;
mod emulator;
mod floppy;
mod gate;
mod hard_disk;
mod image;
mod kernel;
mod mtcp_cfg;
mod overlay;
mod pack;
mod process;
mod qmp;
mod run;
mod screenshot;
mod serial;
mod setup;
mod slip;
mod sort;
mod verify;
mod words;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set-up, run, test, image and bench of the FTP server
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(Box<run::Options>),
    Test(verify::Options),
    Bench(bench::Options),
    Image(image::Options),
    Screenshot(screenshot::Options),
}

fn main() -> ExitCode {
    let done = match std::env::var_os(overlay::LINKER) {
        Some(linker) => overlay::link(&linker, &std::env::args_os().skip(1).collect::<Vec<_>>()),
        None => run(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run(options) => options.run(),
        Command::Test(options) => options.run(),
        Command::Bench(options) => options.run().map(|()| ExitCode::SUCCESS),
        Command::Image(options) => options.run().map(|()| ExitCode::SUCCESS),
        Command::Screenshot(options) => options.run().map(|()| ExitCode::SUCCESS),
    }
}
