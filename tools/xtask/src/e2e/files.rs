//! Files to send, and whether they came back the same.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

/// `size` bytes that repeat nowhere, so that a block lost, doubled or moved is seen. The same for
/// the same `seed`.
pub fn bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        // xorshift64 (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Makes such a file.
pub fn make(dir: &Path, name: &str, size: usize, seed: u64) -> Result<PathBuf> {
    let path = dir.join(name);
    fs::write(&path, bytes(size, seed))?;
    Ok(path)
}

/// A directory of `count` files F0000.DAT ... of sizes around those of sectors and clusters.
pub fn make_many(dir: &Path, count: usize) -> Result<()> {
    fs::create_dir_all(dir)?;
    for index in 0..count {
        let size = [0, 1, 511, 512, 513, 1460, 2048, 4095, 4097, 9000][index % 10];
        make(dir, &format!("F{index:04}.DAT"), size, index as u64)?;
    }
    Ok(())
}

/// The same content, by hash.
pub fn same(left: &Path, right: &Path) -> Result<()> {
    let hash = |file: &Path| -> Result<(usize, Vec<u8>)> {
        let bytes = fs::read(file).with_context(|| file.display().to_string())?;
        Ok((bytes.len(), Sha256::digest(&bytes).to_vec()))
    };
    let (one, other) = (hash(left)?, hash(right)?);
    let (left, right) = (left.display(), right.display());
    ensure!(one.0 == other.0, "{left} has {} bytes, {right} {}", one.0, other.0);
    ensure!(one.1 == other.1, "{left} and {right} differ in content");
    Ok(())
}

/// Two directories hold the same files, names compared in any case as on DOS.
pub fn same_directory(left: &Path, right: &Path) -> Result<()> {
    let (left, right) = (names(left)?, names(right)?);
    ensure!(left.len() == right.len(), "{} files against {}", left.len(), right.len());
    for (one, other) in left.iter().zip(&right) {
        ensure!(one.0 == other.0, "{} against {}", one.0, other.0);
        same(&one.1, &other.1)?;
    }
    Ok(())
}

fn names(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        names.push((entry.file_name().to_string_lossy().to_uppercase(), entry.path()));
    }
    names.sort();
    Ok(names)
}
