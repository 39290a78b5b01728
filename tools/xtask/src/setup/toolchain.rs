//! A Rust toolchain that can build core for the 386: one that has the library's source.
//!
//! Stable does it with RUSTC_BOOTSTRAP=1. Tried in turn: the toolchain in use, Debian's packages if
//! they are there, `rustup component add rust-src`, and installing Debian's packages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::packages;
use crate::{overlay, process};

/// The oldest release whose cargo has `-Zjson-target-spec`, and which the code needs anyway.
const OLDEST: (u32, u32) = (1, 95);

/// A cargo and rustc of one version, with core's source, and a linker for the 386.
pub struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    linker: PathBuf,
}

impl Toolchain {
    /// Its cargo, ready for `-Zbuild-std`: unstable options allowed, the environment clean, and the
    /// linker set for targets/i386-unknown-none-elf.json: ourselves, before the real one.
    pub fn cargo(&self) -> Command {
        let mut command = process::command(&self.cargo);
        command.env("RUSTC", &self.rustc).env("RUSTC_BOOTSTRAP", "1");
        command.env("CARGO_TARGET_I386_UNKNOWN_NONE_ELF_LINKER", ourselves());
        command.env(overlay::LINKER, &self.linker);
        command
    }

    /// The sibling of the linker that is called `name`: objdump.
    pub fn binutil(&self, name: &str) -> PathBuf {
        let file = self.linker.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let prefix = file.strip_suffix("ld.bfd").or(file.strip_suffix("ld")).unwrap_or_default();
        self.linker.with_file_name(format!("{prefix}{name}"))
    }
}

/// The file of this program. One that was built anew meanwhile serves too: Linux then says "(deleted)".
fn ourselves() -> PathBuf {
    let file = std::env::current_exe().unwrap_or_default();
    let name = file.to_string_lossy();
    name.strip_suffix(" (deleted)").map(PathBuf::from).unwrap_or(file.clone())
}

/// The toolchain of these two programs, if it has what it takes.
fn whole(cargo: PathBuf, rustc: PathBuf, linker: &Path) -> Option<Toolchain> {
    if !cargo.is_file() || !rustc.is_file() {
        return None;
    }
    let sysroot = process::output(process::command(&rustc).args(["--print", "sysroot"])).ok()?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
    // Cargo resolves the library's own dependencies from its lock file.
    let complete = source.join("core/src/lib.rs").is_file() && source.join("Cargo.lock").is_file();
    let version = process::output(process::command(&rustc).arg("--version")).ok()?;
    let serves = complete && release(&version)? >= OLDEST;
    serves.then(|| Toolchain { cargo, rustc, linker: linker.to_owned() })
}

/// `rustc 1.96.0 (...)` is (1, 96).
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Finds a toolchain, or installs what lacks.
pub fn ensure() -> Result<Toolchain> {
    let linker = linker()?;
    if let Some(found) = in_use(&linker).or_else(|| debian(&linker)) {
        return Ok(found);
    }
    if let Some(rustup) = process::find("rustup") {
        eprintln!("set-up: adding the library's source (rustup component add rust-src) ...");
        let mut add = process::command(rustup);
        add.args(["component", "add", "rust-src"]).stdout(Stdio::from(std::io::stderr()));
        if process::run(&mut add).is_ok()
            && let Some(found) = in_use(&linker)
        {
            return Ok(found);
        }
        eprintln!("set-up: rustup could not add it");
    }
    if packages::can_apt()
        && packages::apt_install(&packages::DEBIAN_RUST).is_ok()
        && let Some(found) = debian(&linker)
    {
        return Ok(found);
    }
    bail!(
        "no Rust toolchain {}.{} or later with the source of its core library.\n\
         To get it: rustup update stable && rustup component add rust-src\n\
         or, on Debian: apt-get install {}",
        OLDEST.0,
        OLDEST.1,
        packages::DEBIAN_RUST.join(" ")
    )
}

/// The toolchain that runs xtask. `rustc` tells its own sysroot, and the cargo beside that rustc is
/// the real one, not a proxy that would choose again.
fn in_use(linker: &Path) -> Option<Toolchain> {
    let mut print = process::command("rustc");
    if let Some(pinned) = std::env::var_os("RUSTUP_TOOLCHAIN") {
        print.env("RUSTUP_TOOLCHAIN", pinned);
    }
    let sysroot = process::output(print.args(["--print", "sysroot"])).ok()?;
    let bin = Path::new(sysroot.trim()).join("bin");
    let (cargo, rustc) = (bin.join("cargo"), bin.join("rustc"));
    whole(cargo, rustc, linker)
}

fn debian(linker: &Path) -> Option<Toolchain> {
    whole("/usr/bin/cargo".into(), "/usr/bin/rustc".into(), linker)
}

/// A GNU ld that knows elf_i386.
fn linker() -> Result<PathBuf> {
    let names = ["ld.bfd", "ld", "i686-linux-gnu-ld", "i686-elf-ld", "i386-elf-ld"];
    for program in names.iter().filter_map(|name| process::find(name)) {
        let emulations = process::output(process::command(&program).arg("-V"));
        if emulations.is_ok_and(|text| text.contains("elf_i386")) {
            return Ok(program);
        }
    }
    bail!("no GNU ld for elf_i386 among {}; install GNU binutils for i386", names.join(", "))
}
