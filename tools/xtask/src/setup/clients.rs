//! FTP clients, and an emulator, that come from the registries of Python and Node, and an emulator that older
//! Debians have no package of: one version each, in target/xtask, made once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::packages;
use crate::process::{self, Running};
use crate::verify::Skipped;
use crate::workspace;

/// A registry that has not answered by then will not.
const LIMIT: Duration = Duration::from_secs(240);
const TWISTED: &str = "26.10.0";
const BASIC_FTP: &str = "6.2.3";
const V86: &str = "0.5.462";

const DEBIAN: &str = "13";

/// What pip, npm and apt say when they reach nobody, and what dosbox_x.sh and apt say where there is no Debian that
/// could be asked; in lower case.
const UNREACHABLE: [&str; 16] = [
    "failed to establish a new connection",
    "name resolution",
    "max retries exceeded",
    "newconnectionerror",
    "connecttimeouterror",
    "readtimeouterror",
    "read timed out",
    "enotfound",
    "econnrefused",
    "econnreset",
    "etimedout",
    "eai_again",
    "temporary failure resolving",
    "could not connect to",
    "no mirror of debian's",
    "is not signed",
];

/// The Python that the tests use: the system's, which has the system's packages.
pub fn python() -> Result<PathBuf> {
    process::find("/usr/bin/python3")
        .or_else(|| process::find("python3"))
        .context("python3 is not installed")
}

/// A directory for PYTHONPATH with Twisted in it.
///
/// # Errors
/// [`Skipped`] where the registry cannot be reached; else what went wrong.
pub fn twisted() -> Result<PathBuf> {
    let python = python()?;
    // A package with compiled parts is of one version of Python.
    let print = "import sys; print('%d.%d' % sys.version_info[:2])";
    let version = process::output(process::command(&python).args(["-c", print]))?;
    made_once(&format!("twisted-{TWISTED}-python{}", version.trim()), |draft| {
        packages::ensure(packages::PIP)?;
        let mut pip = process::command(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(["--retries", "2", "--timeout", "30", "--only-binary", ":all:", "--target"]);
        pip.arg(draft).arg(format!("twisted=={TWISTED}"));
        Ok(pip)
    })
}

/// A directory for NODE_PATH with basic-ftp in it.
///
/// # Errors
/// As of [`twisted`].
pub fn basic_ftp() -> Result<PathBuf> {
    let name = format!("basic-ftp-{BASIC_FTP}");
    let dir = made_once(&name, |draft| npm(draft, &format!("basic-ftp@{BASIC_FTP}")))?;
    Ok(dir.join("node_modules"))
}

/// The directory of the package v86, the emulator.
///
/// # Errors
/// As of [`twisted`].
pub fn v86() -> Result<PathBuf> {
    let dir = made_once(&format!("v86-{V86}"), |draft| npm(draft, &format!("v86@{V86}")))?;
    Ok(dir.join("node_modules/v86"))
}

/// DOSBox-X: this machine's, or Debian's in a directory of its own.
///
/// # Errors
/// [`Skipped`] where it is neither here nor to be had; else what went wrong.
pub fn dosbox_x() -> Result<PathBuf> {
    if let Some(program) = process::find("dosbox-x") {
        return Ok(program);
    }
    if process::find("apt-get").is_none() || process::find("dpkg-deb").is_none() {
        return Err(Skipped("dosbox-x is not installed on this machine".into()).into());
    }
    let dir = made_once(&format!("dosbox-x-debian{DEBIAN}"), |draft| {
        let mut shell = process::command("sh");
        shell.arg(workspace::root().join("tools/xtask/e2e/dosbox_x.sh")).arg(draft);
        Ok(shell)
    })?;
    Ok(dir.join("dosbox-x"))
}

/// The command that fills `draft` with a package of npm's.
fn npm(draft: &Path, package: &str) -> Result<Command> {
    packages::ensure(packages::NPM)?;
    let mut npm = process::command(process::find("npm").context("npm is not installed")?);
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--loglevel=error"]);
    npm.args(["--fetch-retries=2", "--fetch-timeout=30000", "--prefix"]).arg(draft).arg(package);
    Ok(npm)
}

/// The directory called `name`, filled by a command if it is not there yet. It gets its name when it is
/// whole.
fn made_once(name: &str, fill: impl FnOnce(&Path) -> Result<Command>) -> Result<PathBuf> {
    let clients = workspace::scratch("clients")?;
    let dir = clients.join(name);
    if dir.is_dir() {
        return Ok(dir);
    }
    let draft = clients.join(format!("{name}.draft-{}", std::process::id()));
    let _ = fs::remove_dir_all(&draft);
    fs::create_dir_all(&draft)?;
    let command = fill(&draft)?;
    eprintln!("set-up: fetching {name} ...");
    let fetched = fetch(&command, &clients.join(format!("{name}.log")));
    if let Err(error) = fetched {
        let _ = fs::remove_dir_all(&draft);
        return Err(error);
    }
    if let Err(error) = fs::rename(&draft, &dir) {
        // Another run may have been first.
        let _ = fs::remove_dir_all(&draft);
        if !dir.is_dir() {
            return Err(error.into());
        }
    }
    Ok(dir)
}

fn fetch(command: &Command, log: &Path) -> Result<()> {
    let (out, program) = (fs::File::create(log)?, Path::new(command.get_program()));
    let errors = out.try_clone()?;
    let mut running = Running::start(program, |started| {
        started.args(command.get_args()).stdin(Stdio::null());
        started.stdout(Stdio::from(out)).stderr(Stdio::from(errors));
    })?;
    let status = running.wait(LIMIT)?;
    running.stop();
    let said = String::from_utf8_lossy(&fs::read(log)?).into_owned();
    match status {
        Some(status) if status.success() => Ok(()),
        None => Err(Skipped(format!("the registry did not answer within {LIMIT:?}")).into()),
        Some(_) if is_unreachable(&said) => {
            let why = said.lines().last().unwrap_or_default();
            Err(Skipped(format!("the registry cannot be reached: {why}")).into())
        }
        Some(status) => bail!("{} ended with {status}\n{said}", process::line(command)),
    }
}

fn is_unreachable(said: &str) -> bool {
    let said = said.to_lowercase();
    UNREACHABLE.iter().any(|sign| said.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_out_of_reach_is_told_from_other_failures() {
        assert!(is_unreachable("npm error code ENOTFOUND\nnpm error network"));
        assert!(is_unreachable("Failed to establish a new connection: [Errno 111]"));
        assert!(is_unreachable(
            "E: Failed to fetch http://a/InRelease  Temporary failure resolving 'a'"
        ));
        assert!(is_unreachable("no mirror of Debian's in apt's sources: install dosbox-x"));
        assert!(!is_unreachable("E: Unable to locate package dosbox-x"));
        assert!(!is_unreachable("ERROR: No matching distribution found for twisted==0.0"));
        assert!(!is_unreachable("npm error code ETARGET"));
    }
}
