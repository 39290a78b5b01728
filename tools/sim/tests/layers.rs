//! Calls go one way: each layer of the library names only the layers that the table in src/lib.rs allows it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a layer may name, besides itself.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("text", &[]),
    ("time", &[]),
    ("memory", &[]),
    ("block", &["time", "memory"]),
    ("fat", &["block", "time", "memory"]),
    ("vfs", &["fat", "block", "time", "memory", "text"]),
    ("config", &["vfs", "time", "text"]),
    ("ftp", &["vfs", "config", "time", "text"]),
    ("net", &["time", "memory"]),
    ("hw", &["block", "net", "console", "time", "memory", "text"]),
    ("console", &["time"]),
    (
        "server",
        &["block", "fat", "vfs", "config", "ftp", "net", "hw", "console", "time", "memory", "text"],
    ),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The layers that a source names by `crate::`, without its comments and its tests.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut names = BTreeSet::new();
    for line in code {
        for (at, prefix) in line.match_indices("crate::") {
            let rest = &line[at + prefix.len()..];
            let name = rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap();
            names.insert(name.to_owned());
        }
    }
    names
}

#[test]
fn every_layer_names_only_those_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 50, "only {} sources found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let layer = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let layer = layer.trim_end_matches(".rs");
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == layer) else {
            assert!(matches!(layer, "lib" | "main" | "metal"), "{layer} is in no layer");
            continue;
        };
        let is_test = inside.file_stem().is_some_and(|stem| {
            let stem = stem.to_string_lossy();
            stem == "tests" || stem.ends_with("_tests")
        });
        let names =
            if is_test { BTreeSet::new() } else { named(&fs::read_to_string(&file).unwrap()) };
        for name in names {
            let known = ALLOWED.iter().any(|(layer, _)| *layer == name);
            if known && name != layer && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{} names {name}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "calls against the layers: {wrong:#?}");
}

#[test]
fn smoltcp_is_named_in_net_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files {
        let inside = file.strip_prefix(&root).unwrap().to_owned();
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            inside.starts_with("net") || !text.contains("use smoltcp"),
            "{} uses smoltcp",
            inside.display()
        );
    }
}
