//! Tests of the parser of MTCP.CFG.
extern crate std;

use std::format;
use std::string::String;
use std::vec::Vec;

use super::*;
use crate::time::Zone;
use crate::vfs::Drive;

/// What every file needs.
const MINIMUM: &str =
    "FTPSRV_PASSWORD_FILE C:\\MTCP\\FTPPASS.TXT\nFTPSRV_LOG_FILE C:\\MTCP\\FTP.LOG\n";

fn parse(text: &[u8]) -> (Result<Settings, Invalid>, Vec<String>) {
    let mut messages = Vec::new();
    let result = Settings::parse(text, "MTCP.CFG", &mut |m| messages.push(format!("{m}")));
    (result, messages)
}

/// Settings of the minimum and some lines more, which give no message.
fn settings(lines: &str) -> Settings {
    let (result, messages) = parse(format!("{MINIMUM}{lines}").as_bytes());
    assert_eq!(messages, Vec::<String>::new(), "{lines}");
    result.unwrap()
}

/// The one message about line 3, behind the minimum.
fn message(line: &str) -> (bool, String) {
    let (result, messages) = parse(format!("{MINIMUM}{line}").as_bytes());
    assert_eq!(messages.len(), 1, "{line}: {messages:?}");
    (result.is_ok(), messages[0].clone())
}

#[test]
fn defaults_are_the_manuals() {
    let s = settings("");
    assert_eq!(s.password_file, b"C:\\MTCP\\FTPPASS.TXT");
    assert_eq!(s.log_file.as_deref(), Some(&b"C:\\MTCP\\FTP.LOG"[..]));
    assert_eq!((s.session_timeout_s, s.control_port, s.clients), (180, 21, 3));
    assert_eq!((s.pasv_base, s.pasv_last()), (2048, 3071));
    assert_eq!((s.file_buffer, s.tcp_buffer, s.packets_per_poll), (8192, 8192, 1));
    assert_eq!((&s.motd_file, s.external_address, s.fixed_address), (&None, None, None));
    assert!(!s.clobber_files && !s.nat && !s.verbose);
    assert_eq!((s.excluded_drives, s.zone, s.mtu), (Default::default(), Zone(0), 1500));
    assert_eq!(s.clients_per_address(), 3);
}

#[test]
fn each_setting_is_read() {
    let s = settings(
        "IPADDR 192.168.2.100\nNETMASK 255.255.255.0\nGATEWAY 192.168.2.1\nNAMESERVER 8.8.8.8\n\
         HOSTNAME dos-box\nMTU 576\nFTPSRV_MOTD_FILE /drive_d/motd.txt\nFTPSRV_SESSION_TIMEOUT 120\n\
         FTPSRV_CONTROL_PORT 2021\nFTPSRV_EXT_IPADDR 8.8.4.4\nFTPSRV_PASV_BASE 5000\n\
         FTPSRV_PASV_PORTS 256\nFTPSRV_CLIENTS 10\nFTPSRV_CLIENTS_PER_ADDRESS 2\n\
         FTPSRV_FILEBUFFER_SIZE 16\nFTPSRV_TCPBUFFER_SIZE 4\nFTPSRV_PACKETS_PER_POLL 10\n\
         FTPSRV_EXCLUDE_DRIVES AB\nFTPSRV_CLOBBER_FILES true\nFTPSRV_NAT yes\n\
         FTPSRV_TIMEZONE EST5EDT\nFTPSRV_LONG_NAMES shorten\nFTPSRV_CODEPAGE 850\n\
         FTPSRV_NIC slip com1 115200\nFTPSRV_VERBOSE on\nFTPSRV_CONSOLE serial\n",
    );
    let address = Ipv4Addr::new;
    assert_eq!(
        s.fixed_address,
        Some(FixedAddress {
            address: address(192, 168, 2, 100),
            netmask: address(255, 255, 255, 0),
            gateway: Some(address(192, 168, 2, 1)),
        })
    );
    assert_eq!(s.nameserver, Some(address(8, 8, 8, 8)));
    assert_eq!((s.hostname.as_str(), s.mtu), ("dos-box", 576));
    assert_eq!(s.motd_file.as_deref(), Some(&b"/drive_d/motd.txt"[..]));
    assert_eq!((s.session_timeout_s, s.control_port), (120, 2021));
    assert_eq!(s.external_address, Some(address(8, 8, 4, 4)));
    assert_eq!((s.pasv_base, s.pasv_last()), (5000, 5255));
    assert_eq!((s.clients, s.clients_per_address()), (10, 2));
    assert_eq!((s.file_buffer, s.tcp_buffer, s.packets_per_poll), (16384, 4096, 10));
    let excluded: Vec<_> = s.excluded_drives.iter().map(Drive::letter).collect();
    assert_eq!(excluded, b"AB");
    assert!(s.clobber_files && s.nat && s.verbose);
    assert_eq!(s.zone, Zone(-300));
    assert_eq!((s.long_names, s.code_page), (LongNames::Shorten, CodePage::Cp850));
    assert_eq!(s.nic.as_str(), "slip com1 115200");
    assert_eq!(s.console, ConsoleDevice::Serial);
}

/// `min` and `max` are taken; one below and one above stop the start with value and range.
#[test]
fn ranges_end_where_the_manual_says() {
    for (name, min, max) in [
        ("MTU", 46, 1500),
        ("FTPSRV_SESSION_TIMEOUT", 60, 7200),
        ("FTPSRV_CONTROL_PORT", 1, 65535),
        ("FTPSRV_PASV_BASE", 1024, 32767),
        ("FTPSRV_PASV_PORTS", 10, 10240),
        ("FTPSRV_CLIENTS", 1, 10),
        ("FTPSRV_CLIENTS_PER_ADDRESS", 1, 10),
        ("FTPSRV_FILEBUFFER_SIZE", 4, 16),
        ("FTPSRV_TCPBUFFER_SIZE", 4, 16),
        ("FTPSRV_PACKETS_PER_POLL", 1, 10),
    ] {
        settings(&format!("{name} {min}"));
        settings(&format!("{name} {max}"));
        for wrong in [format!("{}", min - 1), format!("{}", max + 1), "x".into(), "5k0".into()] {
            let (started, message) = message(&format!("{name} {wrong}"));
            assert!(!started);
            let expected = format!(
                "ERROR: MTCP.CFG line 3: {name} {wrong}: the range is {min} to {max}. Choose"
            );
            assert!(message.starts_with(&expected), "{message}");
        }
    }
}

#[test]
fn buffer_sizes_may_be_written_in_kilobytes_or_bytes() {
    for text in ["8", "8K", "8kb", "8192"] {
        assert_eq!(settings(&format!("FTPSRV_TCPBUFFER_SIZE {text}")).tcp_buffer, 8192, "{text}");
    }
    for text in ["4097", "8192K", "K", "17", "20480", "-8"] {
        assert!(!message(&format!("FTPSRV_TCPBUFFER_SIZE {text}")).0, "{text}");
    }
}

#[test]
fn wrong_values_are_named_with_what_would_be_right() {
    for (line, text) in [
        ("FTPSRV_CLIENTS", "FTPSRV_CLIENTS: the value is missing"),
        ("FTPSRV_CLIENTS # 3", "FTPSRV_CLIENTS #: the range is 1 to 10"),
        ("IPADDR 192.168.2", "IPADDR 192.168.2: it must be four numbers of 0 to 255"),
        ("IPADDR 192.168.2.256", "it must be four numbers"),
        ("IPADDR 1.2.3.4.5", "it must be four numbers"),
        ("IPADDR 127.0.0.1", "the address of a host"),
        ("FTPSRV_EXT_IPADDR 0.0.0.0", "the address of a host"),
        ("FTPSRV_EXT_IPADDR 239.1.2.3", "the address of a host"),
        ("NETMASK 255.0.255.0", "it must be a netmask, like 255.255.255.0"),
        ("NETMASK 0.0.0.0", "it must be a netmask"),
        ("HOSTNAME dos!", "HOSTNAME dos!: it must be letters, digits and hyphens"),
        ("HOSTNAME abcdefghijklmnopqrstuvwxyz0123456", "it may have 32 characters"),
        ("FTPSRV_MOTD_FILE C:\\MTCP\\WELCOME.TEXT", "a name is longer than 8 characters"),
        ("FTPSRV_MOTD_FILE C:\\", "it must name a file, like C:\\MTCP\\FTP.TXT"),
        ("FTPSRV_MOTD_FILE C:\\NUL", "a name is that of a DOS device"),
        ("FTPSRV_EXCLUDE_DRIVES A1", "it must be drive letters"),
        ("FTPSRV_CLOBBER_FILES maybe", "it must be true or false"),
        ("FTPSRV_TIMEZONE CET", "the time ahead of UTC from -12:00 to +14:00"),
        ("FTPSRV_LONG_NAMES long", "it must be refuse or shorten"),
        ("FTPSRV_CODEPAGE 852", "it must be raw, 437 or 850"),
        ("FTPSRV_CONSOLE com9", "it must be screen or serial"),
        ("FTPSRV_NIC ne2000 \x1b[2J", "FTPSRV_NIC ne2000 ?[2J: it must be plain text"),
        (
            "FTPSRV_NIC 3c905 300",
            "FTPSRV_NIC 3c905 300: it must be ne2000, 3c509, rtl8029, rtl8139 or pcnet",
        ),
        ("IPADDR 10.0.0.1", "IPADDR 10.0.0.1 needs a netmask. Add a line like NETMASK"),
        ("IPADDR 10.0.0.0\nNETMASK 255.255.255.0", "is the network itself"),
        ("IPADDR 10.0.0.255\nNETMASK 255.255.255.0", "is the network itself or all of it"),
        ("FTPSRV_CONTROL_PORT 2100", "is one of the passive ports, 2048 to 3071"),
    ] {
        let (started, message) = message(line);
        assert!(!started, "{line}");
        assert!(message.starts_with("ERROR: MTCP.CFG line 3: "), "{message}");
        assert!(message.contains(text), "{line}: {message}");
    }
}

#[test]
fn what_stays_usable_is_a_warning() {
    for (line, text) in [
        (
            "FTPSRV_CLINETS 3",
            "FTPSRV_CLINETS is no setting of this server; skipped. Check its spelling",
        ),
        ("FTPSRV_CLIENTS 5\nftpsrv_clients 6", "FTPSRV_CLIENTS is in line 3 already, which counts"),
        ("FTPSRV_CLIENTS 5 6", "FTPSRV_CLIENTS is 5; 6 and what follows it is ignored"),
        ("FTPSRV_NAT true", "FTPSRV_NAT has no address to tell clients. Add FTPSRV_EXT_IPADDR"),
        (
            "IPADDR 10.0.0.1\nNETMASK 255.0.0.0\nGATEWAY 11.0.0.1",
            "GATEWAY 11.0.0.1 cannot be reached",
        ),
    ] {
        let (started, message) = message(line);
        assert!(started && message.starts_with("Warning: MTCP.CFG"), "{line}: {message}");
        assert!(message.contains(text), "{line}: {message}");
    }
}

#[test]
fn lines_of_other_programs_are_noted_and_skipped() {
    for (line, text) in [
        ("PACKETINT 0x60", "MTCP.CFG line 3: PACKETINT is not needed"),
        ("IRCJR_NICK me", "MTCP.CFG line 3: IRCJR_NICK is not for this server; skipped"),
        ("FTP_TCP_BUFFER 8192", "is not for this server"),
        ("\x1b[2J", "MTCP.CFG line 3: ?[2J is not for this server"),
    ] {
        let (started, message) = message(line);
        assert!(started);
        assert!(message.starts_with("MTCP.CFG") && message.contains(text), "{line}: {message}");
    }
}

#[test]
fn the_dhcp_clients_lines_are_known() {
    settings(
        "DHCPVER DHCP Client version Jul 10 2011\nTIMESTAMP ( 1321916573 ) Mon Nov 21\nLEASE_TIME 86400",
    );
    let (started, message) = message(
        "DHCPVER DHCP Client version Jul 10 2011\nTIMESTAMP ( 1321916573 ) Mon Nov 21\n\
         IPADDR 10.0.2.15\nNETMASK 255.255.255.0\nGATEWAY 10.0.2.2\nLEASE_TIME 86400",
    );
    assert!(started);
    assert!(message.contains("line 5: mTCP's DHCP client wrote IPADDR 10.0.2.15"), "{message}");
}

#[test]
fn form_of_the_file_makes_no_difference() {
    let plain = settings("FTPSRV_CLIENTS 5\nHOSTNAME x\n");
    for text in [
        "\u{FEFF}# comment\r\nftpsrv_password_file\tC:\\MTCP\\FTPPASS.TXT\r\n\r\n  \
         FtpSrv_Log_File   C:\\MTCP\\FTP.LOG  \r\nftpsrv_clients 5\r\nhostname x\r\n\x1Agarbage",
        "ftpsrv_password_file C:\\MTCP\\FTPPASS.TXT\nftpsrv_log_file C:\\MTCP\\FTP.LOG\n\
         \tFTPSRV_CLIENTS 5 # five\nHOSTNAME x ; dos\x1A",
    ] {
        assert_eq!(parse(text.as_bytes()), (Ok(plain.clone()), Vec::new()), "{text}");
    }
}

#[test]
fn a_missing_password_file_stops_the_start() {
    for text in ["", "FTPSRV_LOG_FILE C:\\X\n", "# FTPSRV_PASSWORD_FILE C:\\X\n"] {
        let (result, messages) = parse(text.as_bytes());
        assert_eq!(result, Err(Invalid));
        assert!(
            messages
                .iter()
                .any(|m| m.starts_with("ERROR: MTCP.CFG: FTPSRV_PASSWORD_FILE is missing")),
            "{messages:?}"
        );
    }
}

#[test]
fn all_errors_are_reported_at_once() {
    let (result, messages) = parse(b"MTU 1\nMTU 2\nFTPSRV_CLIENTS 0\n");
    assert_eq!(result, Err(Invalid));
    let starts: Vec<_> = messages.iter().map(|m| m.split(':').next().unwrap()).collect();
    assert_eq!(starts, ["ERROR", "Warning", "ERROR", "ERROR", "MTCP.CFG"]);
}

#[test]
fn dhcp_may_be_asked_for_by_name_and_no_gateway_by_zeros() {
    assert_eq!(settings("IPADDR dhcp").fixed_address, None);
    assert_eq!(settings("NETMASK 255.0.0.0\nGATEWAY 10.0.0.1").fixed_address, None);
    let s = settings("IPADDR 10.1.2.3\nNETMASK 255.0.0.0\nGATEWAY 0.0.0.0\nNAMESERVER 0.0.0.0");
    assert_eq!((s.fixed_address.unwrap().gateway, s.nameserver), (None, None));
}

#[test]
fn no_text_breaks_the_parser() {
    let mut seed = 0x9E37_79B9_u32;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed as usize
    };
    let values =
        ["", "0", "3", "65536", "4294967296", "1.2.3.4", "255.255.255.0", "C:\\X", "true", "\0"];
    for _ in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..6 {
            text.extend_from_slice(KEYWORDS[next() % KEYWORDS.len()].0.as_bytes());
            text.push(if next() % 4 == 0 { next() as u8 } else { b' ' });
            text.extend_from_slice(values[next() % values.len()].as_bytes());
            text.push(if next() % 4 == 0 { next() as u8 } else { b'\n' });
        }
        let (result, messages) = parse(&text);
        for message in &messages {
            assert!(message.bytes().all(|b| (b' '..=b'~').contains(&b)), "{message:?}");
        }
        assert_eq!(result.is_err(), messages.iter().any(|m| m.starts_with("ERROR")));
        if let Ok(s) = result {
            assert!((1..=10).contains(&s.clients) && (10..=10240).contains(&s.pasv_ports));
            assert!(s.pasv_last() > s.pasv_base && !s.password_file.is_empty());
        }
    }
}
