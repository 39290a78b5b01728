//! Set-up: finds what a command needs on this machine, and installs what it can.
//!
//! Every check looks at the thing itself (a program on disk, the library's source), so it is quick,
//! needs no memory of earlier runs and cannot be out of date. All messages go to standard error.

pub mod clients;
mod packages;
mod toolchain;

use anyhow::Result;

pub use packages::Need;
pub use toolchain::Toolchain;

/// What building the kernel needs: a compiler with core's source, and a linker for the 386.
pub fn build() -> Result<Toolchain> {
    packages::ensure(&[packages::LINKER])?;
    toolchain::ensure()
}

/// Makes sure of `needs`; an error names exactly what to install by hand.
pub fn programs(needs: &[Need]) -> Result<()> {
    packages::ensure(needs)
}

/// Disk images: made and read with mkfs.fat and mtools.
pub const DISK_TOOLS: &[Need] = &[packages::DOSFSTOOLS, packages::MTOOLS];

/// The emulator of `run` and of the tests.
pub const QEMU: Need = packages::QEMU;
/// The only true 386 among the emulators.
pub const DOSBOX: Need = packages::DOSBOX;
/// A second BIOS and disk model.
pub const BOCHS: &[Need] = &[packages::BOCHS, packages::BOCHS_BIOS, packages::BOCHS_VGA];

/// v86 is a package of Node's.
pub const NODE: &[Need] = packages::NPM;

/// Counts the instructions of a program.
pub const VALGRIND: Need = packages::VALGRIND;

/// What the tests drive the server with, and a disassembler for the instruction gate.
pub const TEST_TOOLS: &[Need] = packages::TEST_TOOLS;
