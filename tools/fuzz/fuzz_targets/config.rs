//! MTCP.CFG: whatever is in it, messages are plain text, and settings are within their ranges.
#![no_main]

use ftpsrv::config::{Settings, Severity, file_name};
use ftpsrv::vfs::Drive;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut errors = 0;
    let result = Settings::parse(data, "MTCP.CFG", &mut |message| {
        errors += usize::from(message.severity == Severity::Error);
        assert!(message.to_string().bytes().all(|b| (b' '..=b'~').contains(&b)));
    });
    assert_eq!(result.is_err(), errors > 0);
    let Ok(settings) = result else { return };
    assert!((1..=10).contains(&settings.clients));
    assert!((1..=settings.clients).contains(&settings.clients_per_address()));
    assert!((60..=7200).contains(&settings.session_timeout_s));
    assert!((1024..=32767).contains(&settings.pasv_base));
    assert!((10..=10240).contains(&settings.pasv_ports));
    assert_eq!(settings.pasv_last() - settings.pasv_base, settings.pasv_ports - 1);
    assert!(!(settings.pasv_base..=settings.pasv_last()).contains(&settings.control_port));
    assert!((46..=1500).contains(&settings.mtu));
    for size in [settings.file_buffer, settings.tcp_buffer] {
        assert!((4096..=16384).contains(&size) && size % 1024 == 0);
    }
    assert!((-720..=840).contains(&settings.zone.0));
    let boot = Drive::new(b'A').expect("a letter");
    let others = [&settings.log_file, &settings.motd_file];
    for name in others.into_iter().flatten().chain([&settings.password_file]) {
        file_name::locate(name, boot).expect("a checked name is a path");
    }
});
