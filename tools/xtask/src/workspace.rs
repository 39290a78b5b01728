//! The places of the project on disk.

use std::path::PathBuf;

/// The project's top level.
pub fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).map_or(manifest.clone(), PathBuf::from)
}

/// The build's own directory, which may be deleted at any time.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// A directory below it for what xtask makes, created if need be.
pub fn scratch(name: &str) -> std::io::Result<PathBuf> {
    let dir = target().join("xtask").join(name);
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}
