//! Paths with sandboxes: walks of a user's texts, one a line, never end outside of the sandbox. The first
//! line names the sandbox. Patterns, aliases and code pages see the same texts.
#![no_main]

use ftpsrv::fat::Name83;
use ftpsrv::vfs::alias::Alias;
use ftpsrv::vfs::codepage::{CP437, CP850};
use ftpsrv::vfs::{Pattern, Sandbox, UserPath};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|&b| b == b'\n');
    let root = lines.next().unwrap_or_default();
    if Sandbox::of(Some(root)).resolve(&UserPath::root()).is_err() {
        return;
    }
    let mut here = UserPath::root();
    for line in lines {
        if let Ok(there) = here.join(line) {
            check(root, &there);
            here = there;
        }
        let mut directory = here.clone();
        if let Ok(pattern) = Pattern::locate(&mut directory, line) {
            check(root, &directory);
            let name = here.names().last();
            if let (Some(pattern), Some(name)) = (pattern, name) {
                pattern.matches(name);
            }
        }
        if let Some(alias) = Alias::new(line) {
            let name = alias.free(&mut |_| false).expect("a long name has an alias");
            assert_eq!(Name83::parse(&name.to_text()), Ok(name));
        }
        for page in [&CP437, &CP850] {
            let mut disk = vec![0; line.len()];
            if let Ok(bytes) = page.to_disk(line, None, &mut disk) {
                let mut wire = Vec::new();
                page.to_wire(bytes, &mut |utf8| wire.extend_from_slice(utf8));
                let text = std::str::from_utf8(&wire).expect("UTF-8");
                assert_eq!(text.chars().count(), bytes.len());
            }
        }
    }
});

fn check(root: &[u8], path: &UserPath) {
    let Ok(place) = Sandbox::of(Some(root)).resolve(path) else { return };
    let root = UserPath::root().join(root).expect("a sandbox is a path");
    let (drive, below) = root.names().split_first().expect("a sandbox has a drive");
    assert_eq!(place.drive().map(|drive| drive.directory()), Some(*drive));
    assert!(place.names().starts_with(below));
    for name in place.names() {
        assert_eq!(Name83::parse(&name.to_text()).as_ref(), Ok(name));
    }
}
