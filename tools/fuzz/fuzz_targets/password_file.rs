//! The password file: whatever is in it, messages are plain text, and every user is one who could log in.
#![no_main]

use ftpsrv::config::{Severity, Users};
use ftpsrv::vfs::UserPath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let users = Users::new(data);
    let mut errors = 0;
    let result = users.check("FTPPASS.TXT", &mut |message| {
        errors += usize::from(message.severity == Severity::Error);
        assert!(message.to_string().bytes().all(|b| (b' '..=b'~').contains(&b)));
    });
    assert_eq!(result.is_err(), errors > 0);
    for user in users.iter() {
        assert!((1..=10).contains(&user.name.len()));
        assert!(users.find(user.name).is_some());
        let rights = users.rights(&user);
        let sandbox = users.sandbox(&rights);
        let root = sandbox.resolve(&UserPath::root()).expect("a sandbox is a place");
        if let Some(text) = user.incoming {
            let incoming = UserPath::root().join(text).expect("a path");
            let place = sandbox.resolve(&incoming).expect("an incoming directory is a place");
            assert!(root.drive().is_none() || place.drive() == root.drive());
            assert!(place.names().starts_with(root.names()));
        }
        user.password.admits(data);
    }
    users.find(data);
});
