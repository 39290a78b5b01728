//! What the administrator or the hardware got wrong is said on the console, with what to do.

use std::time::Duration;

use anyhow::Result;

use super::super::guest::{CONFIG, Guest, Setup};
use super::super::{Scenario, Stage};
use super::{DISK, directories};

/// A machine, and the words that one line of its console must have.
type Case = (&'static str, fn() -> Result<Setup>, &'static [&'static str]);

pub fn all() -> Vec<Scenario> {
    let cases: [Case; 5] = [
        ("a wrong value in MTCP.CFG", wrong_value, &["MTCP.CFG", "line 4", "FTPSRV_CLIENTS", "11"]),
        ("no password file", no_passwords, &["FTPPASS.TXT"]),
        ("a wrong line in the password file", wrong_user, &["FTPPASS.TXT", "line 2"]),
        ("no network card", no_card, &["network card"]),
        ("no disk", no_disk, &["no hard disk", "fdisk", "floppies"]),
    ];
    let scenario = |(name, setup, words): Case| {
        Scenario::new(format!("says what is wrong: {name}"), move |stage: &Stage, name: &str| {
            says(stage, name, &setup()?, words)
        })
    };
    cases.into_iter().map(scenario).collect()
}

fn says(stage: &Stage, name: &str, setup: &Setup, words: &[&str]) -> Result<()> {
    let guest = Guest::start(stage, name, setup, directories)?;
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let has_all = |line: &str| {
        let line = line.to_lowercase();
        lower.iter().all(|word| line.contains(word))
    };
    guest.expect(&format!("line with {words:?}"), has_all, Duration::from_secs(40))?;
    guest.finish()
}

fn wrong_value() -> Result<Setup> {
    let config = CONFIG.replace("FTPSRV_CLIENTS 10", "# ten are the most\r\nFTPSRV_CLIENTS 11");
    Ok(Setup { config, ..Setup::with_disks(&[DISK])? })
}

fn no_passwords() -> Result<Setup> {
    Ok(Setup { passwords: None, ..Setup::with_disks(&[DISK])? })
}

fn wrong_user() -> Result<Setup> {
    let passwords = b"# mine\r\nme secret [none] [any] fly\r\n".to_vec();
    Ok(Setup { passwords: Some(passwords), ..Setup::with_disks(&[DISK])? })
}

fn no_card() -> Result<Setup> {
    Ok(Setup { nic: "none", ..Setup::with_disks(&[DISK])? })
}

fn no_disk() -> Result<Setup> {
    Setup::with_disks(&[])
}
