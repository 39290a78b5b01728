//! What tests put into the tree and find in it, past the provider's calls.

use ftpsrv::fat::Name83;
use ftpsrv::time::DateTime;
use ftpsrv::vfs::provider::{Attributes, Kind};

use super::MemoryProvider;

impl MemoryProvider {
    /// The node of `path`, which begins below the drive (`PUB/A.TXT`).
    fn node_at(&self, path: &str) -> Option<usize> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        let names: Option<Vec<_>> = parts.map(|part| Name83::parse(part.as_bytes()).ok()).collect();
        self.walk(&names?).ok()
    }

    fn add_at(&mut self, path: &str, kind: Kind) -> usize {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let directory = self.node_at(above).expect("a directory");
        self.add(directory, Name83::parse(name.as_bytes()).expect("a name"), kind)
    }

    /// Makes a directory.
    pub fn add_dir(&mut self, path: &str) {
        self.add_at(path, Kind::Directory);
    }

    /// Makes a file, or gives it another content.
    pub fn add_file(&mut self, path: &str, content: &[u8]) {
        let node = self.node_at(path).unwrap_or_else(|| self.add_at(path, Kind::File));
        self.nodes[node].content = content.to_vec();
    }

    /// Sets the time of a file or directory.
    pub fn set_modified(&mut self, path: &str, modified: DateTime) {
        let node = self.node_at(path).expect("a file");
        self.nodes[node].attributes.modified = modified;
    }

    /// A file's content.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        self.node_at(path).map(|node| self.nodes[node].content.clone())
    }

    /// Attributes of what is there.
    pub fn attributes_at(&self, path: &str) -> Attributes {
        self.nodes[self.node_at(path).expect("a file")].attributes
    }

    /// Names in a directory, sorted.
    pub fn names(&self, path: &str) -> Vec<String> {
        let children = &self.nodes[self.node_at(path).expect("a directory")].children;
        let mut names: Vec<_> =
            children.iter().map(|&child| self.nodes[child].name.to_string()).collect();
        names.sort_unstable();
        names
    }

    /// Handles that nobody has closed.
    pub fn handles(&self) -> usize {
        self.files.len() + self.directories.len()
    }

    /// Bytes that still fit.
    pub fn free(&self) -> u64 {
        self.capacity.saturating_sub(self.used())
    }

    /// Leaves room for so many more bytes.
    pub fn set_free(&mut self, bytes: u64) {
        self.capacity = self.used() + bytes;
    }
}
