//! `cargo xtask`: set-up, run, test, image and bench.

mod floppy;
mod kernel;

use std::path::Path;
use std::process::Command;

/// Builds the kernel with the toolchain that has the core library's source, and makes floppies of
/// every size in target/.
fn main() -> anyhow::Result<()> {
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    let kernel = kernel::build(Path::new("."), cargo)?;
    println!("{}: {} bytes of memory", kernel.elf.display(), kernel.memory);
    for size in floppy::FloppySize::ALL {
        let image =
            floppy::make(&kernel, size, &[("FTPPASS.TXT", &std::fs::read("ftppass.txt")?)])?;
        std::fs::write(format!("target/ftpsrv-{}.img", size.name()), image)?;
    }
    Ok(())
}
