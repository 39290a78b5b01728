//! MTCP.CFG: lines of a name and a value, for all mTCP programs together.
//!
//! Names come in any case. Lines for other programs are skipped with a note. A value that cannot be is an
//! error, and all errors of the file are reported at once. Where a name comes twice, the first counts.

use core::net::Ipv4Addr;

use super::lines::{Line, Lines, words};
use super::report::{Invalid, Message, Report, Severity};
use super::settings::{CodePage, ConsoleDevice, FixedAddress, LongNames, Settings};
use super::value::{self, BadValue};
use super::zone;
use crate::text::{Address, Printable};

/// The names that mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    IpAddr,
    Netmask,
    Gateway,
    Nameserver,
    Hostname,
    Mtu,
    PasswordFile,
    LogFile,
    MotdFile,
    SessionTimeout,
    ControlPort,
    ExtIpAddr,
    PasvBase,
    PasvPorts,
    Clients,
    ClientsPerAddress,
    FileBufferSize,
    TcpBufferSize,
    PacketsPerPoll,
    ExcludeDrives,
    ClobberFiles,
    Nat,
    TimeZone,
    LongNames,
    CodePage,
    Nic,
    Verbose,
    Console,
}

const KEYWORDS: [(&str, Keyword); 28] = [
    ("IPADDR", Keyword::IpAddr),
    ("NETMASK", Keyword::Netmask),
    ("GATEWAY", Keyword::Gateway),
    ("NAMESERVER", Keyword::Nameserver),
    ("HOSTNAME", Keyword::Hostname),
    ("MTU", Keyword::Mtu),
    ("FTPSRV_PASSWORD_FILE", Keyword::PasswordFile),
    ("FTPSRV_LOG_FILE", Keyword::LogFile),
    ("FTPSRV_MOTD_FILE", Keyword::MotdFile),
    ("FTPSRV_SESSION_TIMEOUT", Keyword::SessionTimeout),
    ("FTPSRV_CONTROL_PORT", Keyword::ControlPort),
    ("FTPSRV_EXT_IPADDR", Keyword::ExtIpAddr),
    ("FTPSRV_PASV_BASE", Keyword::PasvBase),
    ("FTPSRV_PASV_PORTS", Keyword::PasvPorts),
    ("FTPSRV_CLIENTS", Keyword::Clients),
    ("FTPSRV_CLIENTS_PER_ADDRESS", Keyword::ClientsPerAddress),
    ("FTPSRV_FILEBUFFER_SIZE", Keyword::FileBufferSize),
    ("FTPSRV_TCPBUFFER_SIZE", Keyword::TcpBufferSize),
    ("FTPSRV_PACKETS_PER_POLL", Keyword::PacketsPerPoll),
    ("FTPSRV_EXCLUDE_DRIVES", Keyword::ExcludeDrives),
    ("FTPSRV_CLOBBER_FILES", Keyword::ClobberFiles),
    ("FTPSRV_NAT", Keyword::Nat),
    ("FTPSRV_TIMEZONE", Keyword::TimeZone),
    ("FTPSRV_LONG_NAMES", Keyword::LongNames),
    ("FTPSRV_CODEPAGE", Keyword::CodePage),
    ("FTPSRV_NIC", Keyword::Nic),
    ("FTPSRV_VERBOSE", Keyword::Verbose),
    ("FTPSRV_CONSOLE", Keyword::Console),
];

/// What mTCP's DHCP client writes beside the address.
const DHCP_CLIENT: [&str; 3] = ["DHCPVER", "TIMESTAMP", "LEASE_TIME"];

impl Settings {
    /// The settings in `text`, the content of MTCP.CFG. Everything there is to say about it goes to
    /// `sink`; `file` is what messages call it.
    ///
    /// # Errors
    /// [`Invalid`] when a value is wrong or a needed one is missing.
    pub fn parse(
        text: &[u8],
        file: &str,
        sink: &mut dyn FnMut(&Message<'_>),
    ) -> Result<Settings, Invalid> {
        let mut settings = Settings::default();
        settings.read(text, file, sink)?;
        Ok(settings)
    }

    /// As [`Settings::parse`], into default settings where they are: they are large.
    ///
    /// # Errors
    /// As [`Settings::parse`].
    #[inline(never)]
    pub fn read(
        &mut self,
        text: &[u8],
        file: &str,
        sink: &mut dyn FnMut(&Message<'_>),
    ) -> Result<(), Invalid> {
        let mut parser = Parser {
            settings: self,
            addresses: Addresses::default(),
            report: Report::new(file, sink),
        };
        let mut seen = [0u16; KEYWORDS.len()];
        for line in Lines::new(text) {
            parser.line(line, &mut seen);
        }
        parser.check_address(line_of(&seen, Keyword::IpAddr));
        parser.check_whole(&seen);
        parser.report.finish()
    }
}

struct Parser<'s, 'r> {
    settings: &'s mut Settings,
    addresses: Addresses,
    report: Report<'r>,
}

/// The lines of the fixed address, until all are known.
#[derive(Default)]
struct Addresses {
    address: Option<Ipv4Addr>,
    netmask: Option<Ipv4Addr>,
    gateway: Option<Ipv4Addr>,
    /// There were lines of mTCP's DHCP client.
    by_dhcp_client: bool,
}

impl Parser<'_, '_> {
    fn line(&mut self, line: Line<'_>, seen: &mut [u16; KEYWORDS.len()]) {
        let mut rest = words(line.text);
        let Some(word) = rest.next() else { return };
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let value = rest.next().unwrap_or_default();
        let Some(index) = KEYWORDS.iter().position(|&(name, _)| is(name)) else {
            self.addresses.by_dhcp_client |= DHCP_CLIENT.into_iter().any(is);
            return self.unknown(line.number, word);
        };
        let (Some(&(name, keyword)), Some(first)) = (KEYWORDS.get(index), seen.get_mut(index))
        else {
            return;
        };
        if *first != 0 {
            let first = *first;
            return self.warn(
                line.number,
                format_args!("{name} is in line {first} already, which counts. Remove one of them"),
            );
        }
        *first = line.number;
        let takes_line = matches!(keyword, Keyword::Nic | Keyword::ExcludeDrives);
        let value = if takes_line { after_first_word(line.text) } else { value };
        if let Err(why) = self.set(keyword, value) {
            let blank = if value.is_empty() { "" } else { " " };
            self.report.say(
                Severity::Error,
                Some(line.number),
                format_args!("{name}{blank}{:.80}: {why}", Printable(value)),
            );
        } else if !takes_line
            && let Some(extra) = rest.next()
            && !extra.starts_with(b"#")
            && !extra.starts_with(b";")
        {
            let (value, extra) = (Printable(value), Printable(extra));
            self.warn(
                line.number,
                format_args!("{name} is {value}; {extra:.40} and what follows it is ignored"),
            );
        }
    }

    /// Sets one value. What is in `self.settings` before is the default.
    fn set(&mut self, keyword: Keyword, text: &[u8]) -> Result<(), BadValue> {
        if text.is_empty() {
            return Err(BadValue::Missing);
        }
        let s = &mut self.settings;
        match keyword {
            Keyword::IpAddr if text.eq_ignore_ascii_case(b"dhcp") => self.addresses.address = None,
            Keyword::IpAddr => self.addresses.address = Some(value::host_address(text)?),
            Keyword::Netmask => self.addresses.netmask = Some(value::netmask(text)?),
            Keyword::Gateway => self.addresses.gateway = optional_host(text)?,
            Keyword::Nameserver => s.nameserver = optional_host(text)?,
            Keyword::Hostname => s.hostname = value::host_name(text)?,
            Keyword::Mtu => s.mtu = value::number(text, 46, 1500, s.mtu)?,
            Keyword::PasswordFile => s.password_file = value::file(text)?,
            Keyword::LogFile => s.log_file = Some(value::file(text)?),
            Keyword::MotdFile => s.motd_file = Some(value::file(text)?),
            Keyword::SessionTimeout => {
                s.session_timeout_s = value::number(text, 60, 7200, s.session_timeout_s)?
            }
            Keyword::ControlPort => s.control_port = value::number(text, 1, 65535, s.control_port)?,
            Keyword::ExtIpAddr => s.external_address = Some(value::external_address(text)?),
            Keyword::PasvBase => s.pasv_base = value::number(text, 1024, 32767, s.pasv_base)?,
            Keyword::PasvPorts => s.pasv_ports = value::number(text, 10, 10240, s.pasv_ports)?,
            Keyword::Clients => s.clients = small(text, s.clients)?,
            Keyword::ClientsPerAddress => s.clients_per_address = Some(small(text, s.clients)?),
            Keyword::FileBufferSize => s.file_buffer = value::buffer_size(text)?,
            Keyword::TcpBufferSize => s.tcp_buffer = value::buffer_size(text)?,
            Keyword::PacketsPerPoll => s.packets_per_poll = small(text, s.packets_per_poll)?,
            Keyword::ExcludeDrives => s.excluded_drives = value::drives(text)?,
            Keyword::ClobberFiles => s.clobber_files = value::boolean(text)?,
            Keyword::Nat => s.nat = value::boolean(text)?,
            Keyword::Verbose => s.verbose = value::boolean(text)?,
            Keyword::Nic => s.nic = value::card(text)?,
            Keyword::TimeZone => {
                s.zone = zone::parse(text).ok_or(BadValue::Expected(
                    "the time ahead of UTC from -12:00 to +14:00, or a TZ value like EST5EDT",
                ))?
            }
            Keyword::LongNames => {
                s.long_names = choice(
                    text,
                    "refuse or shorten",
                    &[("refuse", LongNames::Refuse), ("shorten", LongNames::Shorten)],
                )?
            }
            Keyword::CodePage => {
                s.code_page = choice(
                    text,
                    "raw, 437 or 850",
                    &[("raw", CodePage::Raw), ("437", CodePage::Cp437), ("850", CodePage::Cp850)],
                )?
            }
            Keyword::Console => {
                s.console = choice(
                    text,
                    "screen or serial",
                    &[("screen", ConsoleDevice::Screen), ("serial", ConsoleDevice::Serial)],
                )?
            }
        }
        Ok(())
    }

    fn unknown(&mut self, line: u16, word: &[u8]) {
        let shown = Printable(word);
        if word.eq_ignore_ascii_case(b"PACKETINT") {
            self.note(
                line,
                format_args!("PACKETINT is not needed: there is no packet driver here"),
            );
        } else if word.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"FTPSRV_")) {
            self.warn(
                line,
                format_args!(
                    "{shown:.40} is no setting of this server; skipped. Check its spelling"
                ),
            );
        } else if !DHCP_CLIENT.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes())) {
            self.note(line, format_args!("{shown:.40} is not for this server; skipped"));
        }
    }

    /// Makes the fixed address of its lines.
    fn check_address(&mut self, line: Option<u16>) {
        let Addresses { address, netmask, gateway, by_dhcp_client } = self.addresses;
        let Some(address) = address else { return };
        let shown = Address(address);
        let Some(netmask) = netmask else {
            return self.report.say(
                Severity::Error,
                line,
                format_args!(
                    "IPADDR {shown} needs a netmask. Add a line like NETMASK 255.255.255.0, or \
                     remove IPADDR to get the address by DHCP"
                ),
            );
        };
        let host = u32::from(address) & !u32::from(netmask);
        if u32::from(netmask).leading_ones() < 31 && (host == 0 || host == !u32::from(netmask)) {
            self.report.say(
                Severity::Error,
                line,
                format_args!(
                    "IPADDR {shown} is the network itself or all of it under NETMASK {}. \
                     Choose the address of a host",
                    Address(netmask)
                ),
            );
        }
        if let Some(gateway) = gateway
            && (u32::from(gateway) ^ u32::from(address)) & u32::from(netmask) != 0
        {
            self.report.say(
                Severity::Warning,
                None,
                format_args!(
                    "GATEWAY {} cannot be reached: it is not in the network of IPADDR {shown} and \
                     NETMASK {}",
                    Address(gateway),
                    Address(netmask)
                ),
            );
        }
        if by_dhcp_client {
            self.report.say(
                Severity::Note,
                line,
                format_args!(
                    "mTCP's DHCP client wrote IPADDR {shown}; it is used as a fixed address. \
                     Remove the line, and the server asks for an address itself and renews it"
                ),
            );
        }
        self.settings.fixed_address = Some(FixedAddress { address, netmask, gateway });
    }

    /// What must be there, and what does not go together.
    fn check_whole(&mut self, seen: &[u16; KEYWORDS.len()]) {
        let (port, first, last) =
            (self.settings.control_port, self.settings.pasv_base, self.settings.pasv_last());
        if line_of(seen, Keyword::PasswordFile).is_none() {
            self.report.say(
                Severity::Error,
                None,
                format_args!(
                    "FTPSRV_PASSWORD_FILE is missing, so nobody could log in. Add a line like \
                     FTPSRV_PASSWORD_FILE A:\\FTPPASS.TXT"
                ),
            );
        }
        if line_of(seen, Keyword::LogFile).is_none() {
            self.report.say(
                Severity::Note,
                None,
                format_args!("there is no FTPSRV_LOG_FILE; events are shown, but kept in no file"),
            );
        }
        if (first..=last).contains(&port) {
            self.report.say(
                Severity::Error,
                line_of(seen, Keyword::ControlPort),
                format_args!(
                    "FTPSRV_CONTROL_PORT {port} is one of the passive ports, {first} to {last}. \
                     Choose another, or change FTPSRV_PASV_BASE"
                ),
            );
        }
        if self.settings.nat && self.settings.external_address.is_none() {
            self.report.say(
                Severity::Warning,
                line_of(seen, Keyword::Nat),
                format_args!(
                    "FTPSRV_NAT has no address to tell clients. Add FTPSRV_EXT_IPADDR, or passive \
                     transfers will fail"
                ),
            );
        }
    }

    fn note(&mut self, line: u16, text: core::fmt::Arguments<'_>) {
        self.report.say(Severity::Note, Some(line), text);
    }

    fn warn(&mut self, line: u16, text: core::fmt::Arguments<'_>) {
        self.report.say(Severity::Warning, Some(line), text);
    }
}

/// The line that set `keyword`.
fn line_of(seen: &[u16; KEYWORDS.len()], keyword: Keyword) -> Option<u16> {
    KEYWORDS
        .iter()
        .zip(seen)
        .find(|((_, k), _)| *k == keyword)
        .map(|(_, &line)| line)
        .filter(|&l| l > 0)
}

/// All of a line but its first word, and no comment behind it.
fn after_first_word(line: &[u8]) -> &[u8] {
    let blank = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let rest = line.get(blank..).unwrap_or_default();
    rest.split(|&b| matches!(b, b'#' | b';')).next().unwrap_or_default().trim_ascii()
}

/// 1 to 10.
fn small(text: &[u8], default: u8) -> Result<u8, BadValue> {
    value::number(text, 1, 10, u16::from(default)).map(|value| value as u8)
}

/// An address, or 0.0.0.0 for none.
fn optional_host(text: &[u8]) -> Result<Option<Ipv4Addr>, BadValue> {
    match value::address(text)? {
        Ipv4Addr::UNSPECIFIED => Ok(None),
        _ => value::host_address(text).map(Some),
    }
}

/// One of some words.
fn choice<T: Copy>(
    text: &[u8],
    expected: &'static str,
    choices: &[(&str, T)],
) -> Result<T, BadValue> {
    choices
        .iter()
        .find(|(word, _)| text.eq_ignore_ascii_case(word.as_bytes()))
        .map(|&(_, value)| value)
        .ok_or(BadValue::Expected(expected))
}

#[cfg(test)]
#[path = "mtcp_cfg_tests.rs"]
mod tests;
