//! Other people's FTP clients, each run with an end to its time.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::guest::Guest;
use crate::process::{self, Running};
use crate::{setup, workspace};

/// Longer than any client takes for anything here, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(90);

/// A user of the sample password file who may do everything.
pub const USER: &str = "brutman";
/// His password.
pub const PASSWORD: &str = "passw0rd";

/// A program with its arguments.
pub struct Client<'a> {
    guest: &'a Guest,
    program: PathBuf,
    arguments: Vec<String>,
    input: String,
    variables: Vec<(&'static str, PathBuf)>,
}

/// The program called `name`, about to talk to `guest`.
pub fn client<'a>(guest: &'a Guest, name: &str) -> Result<Client<'a>> {
    let program = process::find(name).with_context(|| format!("{name} is not installed"))?;
    Ok(Client {
        guest,
        program,
        arguments: Vec::new(),
        input: String::new(),
        variables: Vec::new(),
    })
}

impl Client<'_> {
    /// Adds arguments.
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds the guest's address and the user's login.
    fn login(self) -> Self {
        let port = self.guest.port.to_string();
        self.args(["127.0.0.1", &port, USER, PASSWORD])
    }

    /// Adds a variable to its environment.
    fn env(mut self, name: &'static str, value: PathBuf) -> Self {
        self.variables.push((name, value));
        self
    }

    /// What it reads from standard input.
    pub fn input(mut self, text: &str) -> Self {
        self.input = text.to_owned();
        self
    }

    /// Runs it in the guest's directory; gives what it printed, an error if it failed.
    pub fn run(self) -> Result<String> {
        let what = format!("{} {}", self.program.display(), self.arguments.join(" "));
        let (ok, text) = self.run_any()?;
        ensure!(ok, "{what} failed:\n{text}");
        Ok(text)
    }

    /// Runs it; tells whether it succeeded, and what it printed.
    pub fn run_any(self) -> Result<(bool, String)> {
        let dir = self.guest.dir();
        let input = dir.join("client.in");
        fs::write(&input, &self.input)?;
        let (input, output) = (fs::File::open(&input)?, dir.join("client.out"));
        let out = fs::File::create(&output)?;
        let errors = out.try_clone()?;
        let mut running = Running::start(&self.program, |command| {
            command.args(&self.arguments).current_dir(dir).env("HOME", dir).env("TZ", "UTC");
            command.env("LC_ALL", "C").env_remove("http_proxy").env_remove("ftp_proxy");
            command.envs(self.variables.iter().map(|(name, value)| (name, value)));
            command.stdin(Stdio::from(input)).stdout(Stdio::from(out)).stderr(Stdio::from(errors));
        })?;
        let status = running.wait(LIMIT)?;
        let text = String::from_utf8_lossy(&fs::read(&output)?).into_owned();
        let Some(status) = status else {
            bail!("{} did not end within {LIMIT:?}:\n{text}", self.program.display());
        };
        Ok((status.success(), text))
    }
}

/// An ftp:// address on the guest.
pub fn url(guest: &Guest, path: &str) -> String {
    format!("ftp://127.0.0.1:{}{path}", guest.port)
}

/// curl, logged in.
pub fn curl(guest: &Guest, arguments: &[&str]) -> Result<String> {
    let login = format!("{USER}:{PASSWORD}");
    let common = ["-sS", "-m", "80", "-u", &login];
    client(guest, "curl")?.args(common.iter().chain(arguments).copied()).run()
}

/// lftp, logged in, with commands that must all succeed.
pub fn lftp(guest: &Guest, commands: &str) -> Result<String> {
    let settings = "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 15;";
    let open = format!("open -u {USER},{PASSWORD} ftp://127.0.0.1:{}", guest.port);
    client(guest, "lftp")?.args(["-c", &format!("{settings} {open}; {commands}")]).run()
}

/// One of the scripts of tools/xtask/e2e.
fn script(name: &str) -> String {
    workspace::root().join("tools/xtask/e2e").join(name).to_string_lossy().into_owned()
}

/// A Python script of tools/xtask/e2e with its arguments: host, port, user, password, then the given ones.
pub fn python(guest: &Guest, name: &str, arguments: &[&str]) -> Result<String> {
    let interpreter = setup::clients::python()?.to_string_lossy().into_owned();
    client(guest, &interpreter)?.args([script(name)]).login().args(arguments.iter().copied()).run()
}

/// The script of Twisted's client.
pub fn twisted(guest: &Guest) -> Result<String> {
    let packages = setup::clients::twisted()?;
    let interpreter = setup::clients::python()?.to_string_lossy().into_owned();
    let client = client(guest, &interpreter)?.env("PYTHONPATH", packages);
    client.args([script("twisted_client.py")]).login().run()
}

/// The script of Node's client.
pub fn basic_ftp(guest: &Guest) -> Result<String> {
    let packages = setup::clients::basic_ftp()?;
    let client = client(guest, "node")?.env("NODE_PATH", packages);
    client.args([script("basic_ftp.cjs")]).login().run()
}

/// The program made of e2e/suppaftp.rs, which stands beside xtask's own.
pub fn suppaftp(guest: &Guest) -> Result<String> {
    let own = std::env::current_exe()?;
    let program = own.with_file_name("examples").join("with_suppaftp");
    client(guest, &program.to_string_lossy())?.login().run()
}
