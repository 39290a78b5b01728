//! The settings, their ranges and defaults (manual, "Configuration parameters").

use core::net::Ipv4Addr;

use heapless::Vec;

use crate::time::Zone;
use crate::vfs::codepage;
use crate::vfs::path::DriveSet;

/// A file named in the configuration, as written: DOS form (`C:\MTCP\FTP.LOG`) or `/drive_c/...`.
pub type FileName = Vec<u8, 80>;

/// Fixed addresses of MTCP.CFG; without IPADDR the address comes by DHCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedAddress {
    /// IPADDR
    pub address: Ipv4Addr,
    /// NETMASK
    pub netmask: Ipv4Addr,
    /// GATEWAY
    pub gateway: Option<Ipv4Addr>,
}

/// What to do with names longer than 8.3 that clients give (FTPSRV_LONG_NAMES).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LongNames {
    /// Refuse them: 8.3 is the law.
    #[default]
    Refuse,
    /// Make an alias as DOS would.
    Shorten,
}

/// How names travel (FTPSRV_CODEPAGE).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CodePage {
    /// The disk's bytes as they are.
    #[default]
    Raw,
    /// Code page 437 on disk, UTF-8 on the wire.
    Cp437,
    /// Code page 850 on disk, UTF-8 on the wire.
    Cp850,
}

impl CodePage {
    /// The characters; `None` when names travel as they are.
    pub fn table(self) -> Option<&'static codepage::CodePage> {
        match self {
            CodePage::Raw => None,
            CodePage::Cp437 => Some(&codepage::CP437),
            CodePage::Cp850 => Some(&codepage::CP850),
        }
    }
}

/// Where the server shows what happens and takes keys from (FTPSRV_CONSOLE).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConsoleDevice {
    /// Screen and keyboard, and a copy of the log on COM1.
    #[default]
    Screen,
    /// COM1 alone: a PC without display or keyboard.
    Serial,
}

/// Everything that MTCP.CFG can say to this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// IPADDR, NETMASK, GATEWAY; `None`: DHCP.
    pub fixed_address: Option<FixedAddress>,
    /// NAMESERVER; kept for SITE STATS, the server resolves no names.
    pub nameserver: Option<Ipv4Addr>,
    /// HOSTNAME, sent with DHCP requests and in the greeting.
    pub hostname: heapless::String<32>,
    /// MTU, 46 to 1500 bytes.
    pub mtu: u16,
    /// FTPSRV_PASSWORD_FILE
    pub password_file: FileName,
    /// FTPSRV_LOG_FILE
    pub log_file: Option<FileName>,
    /// FTPSRV_MOTD_FILE
    pub motd_file: Option<FileName>,
    /// FTPSRV_SESSION_TIMEOUT, 60 to 7200 seconds.
    pub session_timeout_s: u16,
    /// FTPSRV_CONTROL_PORT, 1 to 65535.
    pub control_port: u16,
    /// FTPSRV_EXT_IPADDR
    pub external_address: Option<Ipv4Addr>,
    /// FTPSRV_PASV_BASE, 1024 to 32767.
    pub pasv_base: u16,
    /// FTPSRV_PASV_PORTS, 10 to 10240.
    pub pasv_ports: u16,
    /// FTPSRV_CLIENTS, 1 to 10.
    pub clients: u8,
    /// FTPSRV_CLIENTS_PER_ADDRESS, 1 to 10; `None`: as many as FTPSRV_CLIENTS.
    pub clients_per_address: Option<u8>,
    /// FTPSRV_FILEBUFFER_SIZE in bytes, 4096 to 16384 by 1024.
    pub file_buffer: usize,
    /// FTPSRV_TCPBUFFER_SIZE in bytes, 4096 to 16384 by 1024.
    pub tcp_buffer: usize,
    /// FTPSRV_PACKETS_PER_POLL, 1 to 10: rounds of receiving and sending in a turn. mTCP counts packets;
    /// a round takes in all that the card holds.
    pub packets_per_poll: u8,
    /// FTPSRV_EXCLUDE_DRIVES: letters that are not served.
    pub excluded_drives: DriveSet,
    /// FTPSRV_CLOBBER_FILES: uploads may overwrite.
    pub clobber_files: bool,
    /// FTPSRV_NAT: PASV always answers FTPSRV_EXT_IPADDR, and active mode connects to the control
    /// connection's peer whatever PORT says.
    pub nat: bool,
    /// FTPSRV_TIMEZONE
    pub zone: Zone,
    /// FTPSRV_LONG_NAMES
    pub long_names: LongNames,
    /// FTPSRV_CODEPAGE
    pub code_page: CodePage,
    /// FTPSRV_NIC: driver to use, with its parameters, as written; empty: probe.
    pub nic: heapless::String<32>,
    /// FTPSRV_VERBOSE: every probe of hardware is shown.
    pub verbose: bool,
    /// FTPSRV_CONSOLE
    pub console: ConsoleDevice,
}

impl Settings {
    /// Clients that may be connected at once from one address.
    pub fn clients_per_address(&self) -> u8 {
        self.clients_per_address.map_or(self.clients, |limit| limit.min(self.clients))
    }

    /// The last port for passive data connections; [`Settings::pasv_base`] is the first.
    pub fn pasv_last(&self) -> u16 {
        self.pasv_base.saturating_add(self.pasv_ports.saturating_sub(1))
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            fixed_address: None,
            nameserver: None,
            hostname: heapless::String::new(),
            mtu: 1500,
            password_file: Vec::new(),
            log_file: None,
            motd_file: None,
            session_timeout_s: 180,
            control_port: 21,
            external_address: None,
            pasv_base: 2048,
            pasv_ports: 1024,
            clients: 3,
            clients_per_address: None,
            file_buffer: 8192,
            tcp_buffer: 8192,
            packets_per_poll: 1,
            excluded_drives: DriveSet::EMPTY,
            clobber_files: false,
            nat: false,
            zone: Zone(0),
            long_names: LongNames::Refuse,
            code_page: CodePage::Raw,
            nic: heapless::String::new(),
            verbose: false,
            console: ConsoleDevice::Screen,
        }
    }
}
