//! qemu-system-i386's command line.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Result, bail};

use super::{Adapter, Display, Machine, Network, Pc, Speed, UserNetwork};

pub fn arguments(pc: &Pc) -> Result<Vec<OsString>> {
    let mut line = Line::default();
    let machine = if pc.machine == Machine::Pc { "pc" } else { "isapc" };
    // Without -nodefaults the machine would have a card and a CD-ROM drive that nobody asked for.
    line.words(&["-nodefaults", "-machine", machine, "-cpu", &pc.cpu]);
    // A floppy that does not boot leaves the PC to its hard disk.
    let boot = if pc.floppy.is_some() { "ac" } else { "c" };
    let adapter = match pc.adapter {
        Adapter::Vga => "std",
        Adapter::None => "none",
        other => bail!("QEMU has no {other:?}: use DOSBox for that"),
    };
    line.words(&["-m", &pc.memory_mb.to_string(), "-vga", adapter, "-boot", boot]);
    if let Some(floppy) = &pc.floppy {
        line.drive("if=floppy,index=0,format=raw,file=", floppy);
    }
    if let Some(kernel) = &pc.kernel {
        line.word("-kernel");
        line.0.push(kernel.into());
    }
    if pc.disks.len() > 4 {
        bail!("a PC has room for four hard disks, and {} were given", pc.disks.len());
    }
    if pc.scsi {
        line.words(&["-device", "am53c974,id=scsi"]);
    }
    for (index, disk) in pc.disks.iter().enumerate() {
        if pc.scsi {
            line.drive(&format!("if=none,id=disk{index},format=raw,file="), disk);
            line.words(&["-device", &format!("scsi-hd,drive=disk{index},bus=scsi.0")]);
            continue;
        }
        line.drive(&format!("if=ide,index={index},media=disk,format=raw,file="), disk);
    }
    match pc.display {
        Display::None => line.words(&["-display", "none"]),
        Display::Window(name) => line.words(&["-display", name]),
    }
    line.words(&["-monitor", "none", "-parallel", "none"]);
    line.serial(pc.serial_log.as_deref());
    line.network(pc)?;
    match pc.speed {
        Speed::Full => (),
        Speed::Shift(shift) => line.words(&["-icount", &format!("shift={shift},align=on")]),
        Speed::Stepped(shift) => line.words(&["-icount", &format!("shift={shift}")]),
    }
    if let Some(socket) = &pc.control {
        line.word("-qmp");
        line.file("unix:", socket, ",server=on,wait=off");
    }
    Ok(line.0)
}

#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn word(&mut self, word: &str) {
        self.0.push(word.into());
    }

    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    /// A file's name within an option: QEMU reads a comma there as the option's end unless doubled.
    fn file(&mut self, before: &str, file: &Path, after: &str) {
        let name = file.to_string_lossy().replace(',', ",,");
        self.word(&format!("{before}{name}{after}"));
    }

    fn drive(&mut self, before: &str, file: &Path) {
        self.word("-drive");
        self.file(before, file, "");
    }

    /// COM1 goes to standard output, and QEMU itself keeps the log, so that the printed command
    /// line does the same as we do.
    fn serial(&mut self, log: Option<&Path>) {
        self.word("-chardev");
        match log {
            Some(log) => {
                self.file("stdio,id=com1,signal=off,logfile=", log, ",logappend=off");
            }
            None => self.word("stdio,id=com1,signal=off"),
        }
        self.words(&["-serial", "chardev:com1"]);
    }

    fn network(&mut self, pc: &Pc) -> Result<()> {
        if pc.nic == "none" {
            self.words(&["-nic", "none"]);
            return Ok(());
        }
        let (backend, id) = match &pc.network {
            Network::User(user) => (user_backend(user)?, "net0".to_owned()),
            Network::Custom(spec) => with_id(spec),
        };
        self.words(&["-netdev", &backend, "-device", &device(&pc.nic, &id)]);
        Ok(())
    }
}

/// The card; the NE2000 where its jumpers are set by default in the manuals of the time.
fn device(nic: &str, netdev: &str) -> String {
    match nic {
        "ne2k_isa" => format!("ne2k_isa,netdev={netdev},iobase=0x300,irq=9"),
        _ => format!("{nic},netdev={netdev}"),
    }
}

/// A back end as the user wrote it, with an identifier if he gave none.
fn with_id(spec: &str) -> (String, String) {
    let id = spec.split(',').find_map(|part| part.strip_prefix("id="));
    match id {
        Some(id) => (spec.to_owned(), id.to_owned()),
        None => (format!("{spec},id=net0"), "net0".to_owned()),
    }
}

fn user_backend(user: &UserNetwork) -> Result<String> {
    let mut text = "user,id=net0".to_owned();
    let guest = match user.fixed {
        None => String::new(),
        Some((address, bits, gateway)) => {
            let [host, dns, dhcp] = neighbours(address, bits, gateway)?;
            let network = Ipv4Addr::from_bits(address.to_bits() & mask(bits));
            text += &format!(",net={network}/{bits},host={host},dns={dns},dhcpstart={dhcp}");
            address.to_string()
        }
    };
    for (host, port) in &user.forwards {
        text += &format!(",hostfwd=tcp:127.0.0.1:{host}-{guest}:{port}");
    }
    Ok(text)
}

fn mask(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

/// Addresses for the NAT itself (the guest's gateway if it has one), its name server and its DHCP
/// range, all in the guest's network and none of them the guest's own.
fn neighbours(address: Ipv4Addr, bits: u8, gateway: Option<Ipv4Addr>) -> Result<[Ipv4Addr; 3]> {
    let network = address.to_bits() & mask(bits);
    let inside = |other: Ipv4Addr| other.to_bits() & mask(bits) == network && other != address;
    let gateway = gateway.filter(|gateway| inside(*gateway));
    let last = network | !mask(bits);
    let mut free = (network + 1..last)
        .map(Ipv4Addr::from_bits)
        .filter(|candidate| *candidate != address && Some(*candidate) != gateway);
    let host = gateway.or_else(|| free.next());
    match (host, free.next(), free.next()) {
        (Some(host), Some(dns), Some(dhcp)) => Ok([host, dns, dhcp]),
        _ => bail!("the network of {address}/{bits} is too small for the emulator's NAT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn pc() -> Pc {
        Pc {
            machine: Machine::Pc,
            cpu: "486".into(),
            memory_mb: 4,
            nic: "ne2k_isa".into(),
            network: Network::User(UserNetwork { fixed: None, forwards: vec![(2121, 21)] }),
            speed: Speed::Full,
            floppy: Some(PathBuf::from("/tmp/a,b.img")),
            kernel: None,
            disks: vec![PathBuf::from("/tmp/c.img")],
            scsi: false,
            adapter: Adapter::Vga,
            display: Display::None,
            serial_log: None,
            control: None,
        }
    }

    fn line(pc: &Pc) -> String {
        let words = arguments(pc).expect("a machine that QEMU has");
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn commas_in_file_names_are_doubled() {
        assert!(line(&pc()).contains("if=floppy,index=0,format=raw,file=/tmp/a,,b.img"));
    }

    #[test]
    fn the_card_hangs_on_the_nat_with_its_forwards() {
        let text = line(&pc());
        assert!(text.contains("-netdev user,id=net0,hostfwd=tcp:127.0.0.1:2121-:21"));
        assert!(text.contains("-device ne2k_isa,netdev=net0,iobase=0x300,irq=9"));
    }

    #[test]
    fn a_fixed_address_moves_the_nat_to_its_network() {
        let fixed =
            Some((Ipv4Addr::new(192, 168, 2, 100), 24, Some(Ipv4Addr::new(192, 168, 2, 1))));
        let network = Network::User(UserNetwork { fixed, forwards: vec![(2121, 21)] });
        let text = line(&Pc { network, ..pc() });
        assert!(text.contains(
            "net=192.168.2.0/24,host=192.168.2.1,dns=192.168.2.2,dhcpstart=192.168.2.3,\
             hostfwd=tcp:127.0.0.1:2121-192.168.2.100:21"
        ));
    }

    #[test]
    fn a_gateway_outside_of_the_network_is_not_the_nat() {
        let gateway = Some(Ipv4Addr::new(10, 0, 0, 1));
        let found = neighbours(Ipv4Addr::new(192, 168, 2, 1), 29, gateway).expect("room for three");
        assert_eq!(found.map(|address| address.octets()[3]), [2, 3, 4]);
        assert!(neighbours(Ipv4Addr::new(192, 168, 2, 1), 30, None).is_err());
    }

    #[test]
    fn a_custom_back_end_keeps_its_own_identifier() {
        let custom = |spec: &str| Pc { network: Network::Custom(spec.into()), ..pc() };
        assert!(line(&custom("socket,id=x,listen=:1")).contains("ne2k_isa,netdev=x,"));
        assert!(line(&custom("socket,listen=:1")).contains("socket,listen=:1,id=net0"));
    }

    #[test]
    fn no_card_and_a_capped_speed() {
        let text = line(&Pc { nic: "none".into(), speed: Speed::Shift(7), ..pc() });
        assert!(text.contains("-nic none") && !text.contains("-netdev"));
        assert!(text.ends_with("-icount shift=7,align=on"));
    }
}
