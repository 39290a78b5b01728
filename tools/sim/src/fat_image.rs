//! Volumes made and checked by other people's tools: mkfs.fat, fsck.fat, mtools.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::disk::Medium;

/// A file in the system's temporary directory that goes with its owner.
pub struct TempFile(PathBuf);

impl TempFile {
    /// A path that nobody else has.
    pub fn new() -> TempFile {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ftpsrv-{}-{number}.img", std::process::id());
        TempFile(std::env::temp_dir().join(name))
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Default for TempFile {
    fn default() -> TempFile {
        TempFile::new()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn run(program: &str, arguments: &[&str]) -> Output {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("MTOOLS_SKIP_CHECK", "1")
        .output()
        .unwrap_or_else(|error| panic!("{program} must be installed: {error}"))
}

/// A volume without partition table of `sectors` sectors, made by mkfs.fat with these further options.
pub fn mkfs(sectors: u32, options: &[&str]) -> Medium {
    let file = TempFile::new();
    Medium::new(sectors).save(file.path()).expect("an image");
    let mut arguments = options.to_vec();
    let path = file.path().to_str().expect("a path");
    arguments.push(path);
    let output = run("mkfs.fat", &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // It writes tables and root directory alone.
    Medium::load_start(file.path(), 128 << 10).expect("an image")
}

/// What fsck.fat finds, without changing anything; empty when it finds nothing.
pub fn fsck(medium: &Medium) -> Vec<String> {
    let file = TempFile::new();
    medium.save(file.path()).expect("an image");
    let output = run("fsck.fat", &["-n", file.path().to_str().expect("a path")]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let noise = |line: &str| {
        line.starts_with("fsck.fat ") || line.contains(" files, ") || line.trim().is_empty()
    };
    let lines: Vec<String> = text.lines().filter(|line| !noise(line)).map(str::to_owned).collect();
    if output.status.success() {
        Vec::new()
    } else {
        [lines, vec![format!("exit status {}", output.status)]].concat()
    }
}

/// Runs an mtools program on an image (`-i` is added) and gives the image back.
pub fn mtools(medium: &Medium, program: &str, arguments: &[&str]) -> (Medium, Vec<u8>) {
    let file = TempFile::new();
    medium.save(file.path()).expect("an image");
    let image = file.path().to_str().expect("a path");
    let output = run(program, &[&["-i", image], arguments].concat());
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    (Medium::load(file.path()).expect("an image"), output.stdout)
}
