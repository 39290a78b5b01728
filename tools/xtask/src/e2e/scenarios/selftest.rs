//! The kernel that tests itself on the machine (src/metal/selftest.rs).

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::super::guest::{Guest, Setup};
use super::super::{Scenario, Stage};
use super::DISK;
use crate::{kernel, setup, workspace};

/// It watches clocks for seconds.
const LIMIT: Duration = Duration::from_secs(60);
/// What the kernel takes a scratch disk by.
const MARK: &[u8] = b"FTPSRV SCRATCH";

pub fn all() -> Vec<Scenario> {
    vec![Scenario::new("the kernel tests itself", tests_itself)]
}

/// All of its tests, and what it says when its stack runs over, and when it panics.
fn tests_itself(stage: &Stage, name: &str) -> Result<()> {
    let cargo = setup::build()?.cargo();
    let kernel = kernel::build_with(&workspace::root(), cargo, "selftest")?;
    let stage = Stage { kernel, dir: stage.dir.clone() };
    stops(&stage, &format!("{name} overflow"), &["alt", "s"], "stack overflow (01h)")?;
    stops(&stage, &format!("{name} panic"), &["alt", "u"], "internal error (06h)")
}

fn stops(stage: &Stage, name: &str, keys: &[&str], stopped: &str) -> Result<()> {
    let guest = Guest::start(stage, name, &Setup::with_disks(&[DISK])?, |disks, _| {
        for disk in disks {
            File::options().write(true).open(&disk.image)?.write_all(MARK)?;
        }
        Ok(())
    })?;
    guest.expect("the end of the self-test", |line| line.ends_with("SELFTEST end: ok"), LIMIT)?;
    let said = guest.said();
    let passed = said.matches(": ok").count();
    ensure!(!said.contains("FAILED") && said.contains("buffers at") && passed == 8, "{said}");
    guest.qmp()?.keys(keys)?;
    let text = format!("FTPSRV stopped: {stopped} at ");
    guest.expect(stopped, |line| line.contains(&text), LIMIT)?;
    let dir = guest.dir().to_owned();
    drop(guest);
    Ok(std::fs::remove_dir_all(dir)?)
}
