//! The scenarios, by what they show.

mod boot;
mod disks;
mod manual;
mod memory;
mod mistakes;
mod selftest;
mod sessions;
mod tools;

use std::path::Path;

use anyhow::Result;

use super::Scenario;
use crate::disk::{Fat, Layout, Maker, Volume};

/// Every scenario, the long ones first so that none is left alone at the end.
pub fn all() -> Vec<Scenario> {
    let short = [selftest::all(), boot::all(), memory::all(), manual::all(), mistakes::all()];
    [disks::all(), sessions::all(), tools::all()].into_iter().chain(short).flatten().collect()
}

/// The disk of most scenarios: as a PC of the time had it.
const DISK: Layout =
    Layout { fat: Fat::Fat16, megabytes: 40, partitioned: true, maker: Maker::Mkfs };

/// Makes the directories that the sample password file names.
fn directories(disks: &[Volume], _: &Path) -> Result<()> {
    disks.iter().try_for_each(|disk| disk.mkdir(&["/PUB", "/PUB/INCOMING", "/INCOMING"]))
}
