//! MTCP.CFG as text: the one that a fresh floppy gets, and settings put over a given one.
//!
//! Lines are kept where they are, so that a message of the server's names the user's own line.

use std::net::Ipv4Addr;

/// What `cargo xtask run` and `cargo xtask image` put on a floppy when they are given nothing.
pub const SAMPLE: &str = "\
# MTCP.CFG: the settings. One a line: a keyword and its value. A # starts a comment.\r
# Every keyword, with its range, is in the README.\r
\r
# The address. Without IPADDR it comes from the network's DHCP server.\r
# IPADDR     192.168.1.100\r
# NETMASK    255.255.255.0\r
# GATEWAY    192.168.1.1\r
\r
HOSTNAME             ftpsrv\r
FTPSRV_PASSWORD_FILE A:\\FTPPASS.TXT\r
FTPSRV_CLIENTS       10\r
";

/// `text` with each of `settings` in force: the lines that set it are changed in place, a setting
/// that has no line is added at the end.
pub fn overlay(text: &[u8], settings: &[(&str, String)]) -> Vec<u8> {
    // What stands behind DOS's end of file is not read.
    let text = text.split(|byte| *byte == 0x1A).next().unwrap_or_default();
    let mut found = vec![false; settings.len()];
    let mut out = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let keyword = keyword(line);
        let set =
            settings.iter().position(|(name, _)| keyword.eq_ignore_ascii_case(name.as_bytes()));
        match set {
            Some(index) => {
                found[index] = true;
                out.extend(setting(&settings[index]));
            }
            None => out.extend(line),
        }
    }
    if out.last().is_some_and(|last| *last != b'\n') {
        out.extend(b"\r\n");
    }
    let missing = settings.iter().zip(found).filter(|(_, found)| !found);
    out.extend(missing.flat_map(|(pair, _)| setting(pair)));
    out
}

/// As [`overlay`], for settings that `text` may say otherwise: those that have no line are added.
pub fn defaults(text: &[u8], settings: &[(&str, String)]) -> Vec<u8> {
    let missing = settings.iter().filter(|(name, _)| value(text, name).is_none());
    overlay(text, &missing.cloned().collect::<Vec<_>>())
}

fn setting((name, value): &(&str, String)) -> Vec<u8> {
    format!("{name} {value}\r\n").into_bytes()
}

fn keyword(line: &[u8]) -> &[u8] {
    words(line).next().unwrap_or_default()
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The value of the line that sets `name`: where there are several, the first counts.
pub fn value(text: &[u8], name: &str) -> Option<String> {
    let lines = text.split(|byte| *byte == b'\n');
    let mut set = lines.filter(|line| keyword(line).eq_ignore_ascii_case(name.as_bytes()));
    let line = set.next()?;
    words(line).nth(1).map(|word| String::from_utf8_lossy(word).into_owned())
}

/// The fixed address with the bits of its net mask and its gateway; `None`: DHCP.
pub fn fixed_address(text: &[u8]) -> Option<(Ipv4Addr, u8, Option<Ipv4Addr>)> {
    let address = |name| value(text, name).and_then(|value| value.parse::<Ipv4Addr>().ok());
    let bits = address("NETMASK").map_or(24, |mask| mask.to_bits().leading_ones() as u8);
    Some((address("IPADDR")?, bits, address("GATEWAY")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_changed_in_its_line_and_the_others_keep_their_numbers() {
        let given = b"# mine\nftpsrv_pasv_base 5000\nWRONG\nIPADDR 10.0.0.1";
        let wanted = [("FTPSRV_PASV_BASE", "2122".to_owned()), ("FTPSRV_NAT", "true".to_owned())];
        let text = String::from_utf8(overlay(given, &wanted)).expect("text");
        assert_eq!(
            text,
            "# mine\nFTPSRV_PASV_BASE 2122\r\nWRONG\nIPADDR 10.0.0.1\r\nFTPSRV_NAT true\r\n"
        );
    }

    #[test]
    fn nothing_is_added_behind_the_end_of_file_mark() {
        let text = overlay(b"HOSTNAME a\r\n\x1Ajunk", &[("FTPSRV_NAT", "true".into())]);
        assert_eq!(text, b"HOSTNAME a\r\nFTPSRV_NAT true\r\n");
    }

    #[test]
    fn values_are_found_whatever_their_case() {
        assert_eq!(value(b"HostName  x y\r\n", "HOSTNAME").as_deref(), Some("x"));
        assert_eq!(value(b"A x\nA y\n", "A").as_deref(), Some("x"));
        assert_eq!(value(b"#HOSTNAME x\r\n", "HOSTNAME"), None);
        let fixed = fixed_address(b"IPADDR 192.168.2.100\r\nNETMASK 255.255.0.0\r\n");
        assert_eq!(fixed, Some((Ipv4Addr::new(192, 168, 2, 100), 16, None)));
    }
}
