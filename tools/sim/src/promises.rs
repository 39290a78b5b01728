//! Tables of promises in the head of a test file, and the tests that show them.

use std::path::Path;

/// What shows a promise: a row's last cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// A test: its file, from the repository's top, and its name.
    Test(&'static str, &'static str),
    /// A check of the same test file.
    Check(&'static str),
    /// Nothing; the reason why.
    Reason(&'static str),
}

/// The rows of the tables at the start of a test file.
///
/// # Panics
/// Where a row's last cell is none of [`Shown`].
pub fn table(source: &'static str) -> Vec<(&'static str, Shown)> {
    let head = source.lines().take_while(|line| line.starts_with("//!"));
    let rows = head.filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"));
    let rows = rows.filter_map(|row| row.rsplit_once(" | "));
    rows.filter(|(promise, _)| *promise != "promise")
        .map(|(promise, cell)| {
            let shown = match (cell.strip_prefix("none: "), cell.split_once(' ')) {
                (Some(reason), _) => Shown::Reason(reason),
                (None, None) => Shown::Check(cell),
                (None, Some((file, name))) if !name.contains(' ') => Shown::Test(file, name),
                _ => panic!("{promise}: {cell}"),
            };
            (promise, shown)
        })
        .collect()
}

/// # Panics
/// When there is no test `name` in `file`.
pub fn expect_test(file: &str, name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let source =
        std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(has_test(&source, name), "{file} has no test {name}");
}

/// Whether a test function `name` is in `source`.
pub fn has_test(source: &str, name: &str) -> bool {
    source.match_indices("#[test]").any(|(start, attribute)| {
        let after = source[start + attribute.len()..].trim_start();
        after
            .strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with("()"))
    })
}
