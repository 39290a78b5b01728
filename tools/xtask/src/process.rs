//! Other programs: finding them, starting them in a clean environment, ending them.
//!
//! Calls nothing of xtask. What is started here never outlives xtask where the system can see to it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Where system administration tools are that an ordinary user's PATH does not name.
const EXTRA_PATH: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// The full path of a program, from PATH or the system directories; a name with a slash is itself.
pub fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Path::new(program).is_file().then(|| PathBuf::from(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(EXTRA_PATH.iter().map(PathBuf::from))
        .map(|dir| dir.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)))
        .find(|file| file.is_file())
}

/// A command without what `cargo run` put into our environment: the variables that pin a toolchain
/// and its library path would mislead another toolchain's cargo and rustc.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let kept = [
            "CARGO_HOME",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_JOBS",
            "CARGO_NET_",
            "CARGO_HTTP_",
            "CARGO_REGISTR",
            "CARGO_TERM_",
        ];
        let cargo = text == "CARGO"
            || text.starts_with("CARGO_") && !kept.iter().any(|prefix| text.starts_with(prefix));
        let pinned = ["RUSTC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "RUST_RECURSION_COUNT"];
        if cargo || pinned.contains(&text) || text.ends_with("LD_LIBRARY_PATH") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs to the end with its output shown; an error when it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    check(command, status, "")
}

/// Runs to the end and gives its standard output; an error with its standard error when it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let done = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", line(command)))?;
    let errors =
        String::from_utf8_lossy(&done.stderr).into_owned() + &String::from_utf8_lossy(&done.stdout);
    check(command, done.status, &errors)?;
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn check(command: &Command, status: ExitStatus, errors: &str) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    bail!("{} ended with {status}\n{}", line(command), errors.trim_end())
}

/// The command as one would type it, for messages.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// A program that is ended when this is dropped.
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts `program`. On Linux it also ends when xtask is killed, and a Ctrl-C at the terminal
    /// reaches xtask alone, which then ends it in order.
    pub fn start(program: &Path, set: impl FnOnce(&mut Command)) -> Result<Running> {
        let mut command = match find("setpriv") {
            Some(setpriv) if cfg!(target_os = "linux") => {
                let mut command = self::command(setpriv);
                command.args(["--pdeathsig", "TERM", "--"]).arg(program);
                command
            }
            _ => self::command(program),
        };
        set(&mut command);
        own_group(&mut command);
        let child =
            command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Running { child })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The pipes that it was started with.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            if start.elapsed() > limit {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to end, and kills it when it has not within five seconds.
    pub fn stop(&mut self) {
        if matches!(self.ended(), Ok(Some(_))) {
            return;
        }
        terminate(&self.child);
        if !matches!(self.wait(Duration::from_secs(5)), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

/// SIGTERM: an emulator writes its disks back on it.
#[cfg(unix)]
fn terminate(child: &Child) {
    let _ = command("kill").args(["-TERM", &child.id().to_string()]).stderr(Stdio::null()).status();
}

#[cfg(not(unix))]
fn terminate(_: &Child) {}
