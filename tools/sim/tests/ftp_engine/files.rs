//! The files that tests of the protocol engine begin with, in memory.

use ftpsrv::time::DateTime;
use ftpsrv::vfs::Provider;
use sim::memory_provider::MemoryProvider;

/// Drive C of 20 MB with a few files.
pub fn sample(now: DateTime) -> MemoryProvider {
    let mut files = MemoryProvider::new();
    files.capacity = 20_000_000;
    files.set_time(now);
    files.add_dir("INCOMING");
    files.add_dir("PUB");
    files.add_file("PUB/A.TXT", b"alpha");
    files.add_file("PUB/B.BIN", &[7; 3000]);
    files.add_dir("PUB/INCOMING");
    files.add_dir("PUB/SUB");
    files.add_file("README.TXT", b"hello\r\n");
    files.add_dir("SECRET");
    files.add_file("SECRET/KEY.TXT", b"secret");
    files
}
