//! Programs and the packages that bring them, by system.
//!
//! On Debian-likes missing ones are installed by apt-get, as root or through sudo; elsewhere the
//! error says which packages to install.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;

/// A program, with the packages that bring it.
#[derive(Clone, Copy)]
pub struct Need {
    /// Any of these programs (or files, given by full path) serves.
    programs: &'static [&'static str],
    debian: &'static str,
    fedora: &'static str,
    arch: &'static str,
    brew: &'static str,
}

const fn need(program: &'static [&'static str], package: &'static str) -> Need {
    Need { programs: program, debian: package, fedora: package, arch: package, brew: package }
}

pub const LINKER: Need = if cfg!(target_arch = "x86_64") || cfg!(target_arch = "x86") {
    Need { brew: "i686-elf-binutils", ..need(&["i686-elf-ld", "ld.bfd"], "binutils") }
} else {
    Need {
        programs: &["i686-linux-gnu-ld", "i686-elf-ld"],
        debian: "binutils-i686-linux-gnu",
        fedora: "binutils-i686-linux-gnu",
        arch: "i686-elf-binutils",
        brew: "i686-elf-binutils",
    }
};
pub const QEMU: Need = Need {
    programs: &["qemu-system-i386"],
    debian: "qemu-system-x86",
    fedora: "qemu-system-x86",
    arch: "qemu-system-x86",
    brew: "qemu",
};
pub const DOSFSTOOLS: Need = need(&["mkfs.fat"], "dosfstools");
pub const MTOOLS: Need = need(&["mcopy"], "mtools");
pub const VALGRIND: Need = need(&["valgrind"], "valgrind");
pub const DOSBOX: Need = need(&["dosbox"], "dosbox");
pub const BOCHS: Need = need(&["bochs"], "bochs");
pub const BOCHS_BIOS: Need = need(
    &["/usr/share/bochs/BIOS-bochs-latest", "/opt/homebrew/share/bochs/BIOS-bochs-latest"],
    "bochsbios",
);
pub const BOCHS_VGA: Need = need(
    &["/usr/share/bochs/VGABIOS-lgpl-latest", "/opt/homebrew/share/bochs/VGABIOS-lgpl-latest"],
    "vgabios",
);
pub const TEST_TOOLS: &[Need] = &[
    need(&["curl"], "curl"),
    need(&["lftp"], "lftp"),
    need(&["wget"], "wget"),
    need(&["ncftpget"], "ncftp"),
    need(&["tnftp"], "tnftp"),
    need(&["inetutils-ftp"], "inetutils-ftp"),
    need(&["rclone"], "rclone"),
    need(&["python3"], "python3"),
];
/// The installers of `clients`.
pub const PIP: &[Need] = &[Need {
    programs: &["/usr/bin/pip3", "pip3"],
    arch: "python-pip",
    brew: "python",
    ..need(&[], "python3-pip")
}];
pub const NPM: &[Need] = &[
    Need { brew: "node", ..need(&["node"], "nodejs") },
    Need { brew: "node", ..need(&["npm"], "npm") },
];

/// The Debian packages of a compiler with core's source. They are one set of one version.
pub const DEBIAN_RUST: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

fn present(need: &Need) -> bool {
    need.programs.iter().any(|program| process::find(program).is_some())
}

/// Installs what is missing, and fails with what to do when it cannot.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !present(need)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if can_apt() {
        let packages: Vec<&str> = missing.iter().map(|need| need.debian).collect();
        apt_install(&packages).with_context(|| by_hand(&missing))?;
    }
    let missing: Vec<&Need> = missing.into_iter().filter(|need| !present(need)).collect();
    if missing.is_empty() { Ok(()) } else { bail!(by_hand(&missing)) }
}

fn by_hand(missing: &[&Need]) -> String {
    let names = missing.iter().map(|need| need.programs.join(" or ")).collect::<Vec<_>>();
    let list = |package: fn(&Need) -> &'static str| {
        let mut names: Vec<&str> = missing.iter().map(|need| package(need)).collect();
        names.dedup();
        names.join(" ")
    };
    let command = if cfg!(target_os = "macos") {
        format!("brew install {}", list(|need| need.brew))
    } else if process::find("apt-get").is_some() {
        format!("apt-get install {}   (as root)", list(|need| need.debian))
    } else if process::find("dnf").is_some() {
        format!("dnf install {}   (as root)", list(|need| need.fedora))
    } else if process::find("pacman").is_some() {
        format!("pacman -S {}   (as root)", list(|need| need.arch))
    } else {
        format!("install the packages {}", list(|need| need.debian))
    };
    format!("not found on this machine: {}\nTo get it: {command}", names.join(", "))
}

/// Whether this is a Debian-like whose packages we may install.
pub fn can_apt() -> bool {
    process::find("apt-get").is_some() && (is_root() || process::find("sudo").is_some())
}

fn is_root() -> bool {
    let id = process::output(process::command("id").arg("-u"));
    id.is_ok_and(|id| id.trim() == "0")
}

/// Installs Debian packages; apt-get's own progress is shown.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    eprintln!("set-up: installing {} (apt-get) ...", packages.join(", "));
    // The lists of a fresh machine are empty or old; without them apt-get finds nothing.
    process::run(&mut apt(&["update"]))?;
    process::run(apt(&["install", "-y", "--no-install-recommends"]).args(packages))
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = if is_root() {
        process::command("env")
    } else {
        let mut command = process::command("sudo");
        // Nobody can type a password where there is no terminal: fail rather than hang.
        if !Path::new("/dev/tty").exists() || std::fs::File::open("/dev/tty").is_err() {
            command.arg("-n");
        }
        command.arg("env");
        command
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o"]);
    command.arg("DPkg::Lock::Timeout=300").args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::from(std::io::stderr()));
    command
}
