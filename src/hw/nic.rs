//! Choosing the network card: the one that FTPSRV_NIC names, or the first that is found.
//!
//! May call the drivers and `memory`. Cards on PCI are looked for first, because that disturbs nothing;
//! then PCnets and NE2000s at the usual ports of ISA, and last cards that have no ports until they are
//! given some (3C509).

use core::fmt::{self, Arguments, Display};

use super::dma::DmaMemory;
use super::etherlink3::{self, EtherLink3};
use super::ne2000::{ISA_PORTS, Ne2000, NotFound};
use super::pci::{self, Function};
use super::pcnet::{self, Pcnet, Slot};
use super::pic::Lines;
use super::ports::Ports;
use super::rtl8139::{self, Rtl8139};
use super::slip::Slip;
use super::uart::{COM_PORTS, MAX_BAUD, Uart};
use crate::memory::OutOfMemory;
use crate::net::nic::Nic;

/// Which driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    /// NE2000 or NE1000 on ISA.
    Ne2000,
    /// NE2000 on PCI.
    Rtl8029,
    Rtl8139,
    Pcnet,
    EtherLink3,
}

/// Names for FTPSRV_NIC.
const NAMES: [(&str, Driver); 6] = [
    ("ne2000", Driver::Ne2000),
    ("ne1000", Driver::Ne2000),
    ("rtl8029", Driver::Rtl8029),
    ("rtl8139", Driver::Rtl8139),
    ("pcnet", Driver::Pcnet),
    ("3c509", Driver::EtherLink3),
];

/// The drivers that FTPSRV_NIC may name, besides the serial line.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// Cards on PCI: device number in the high word, vendor in the low one.
const PCI_CARDS: [(u32, Driver); 16] = [
    (0x8029_10EC, Driver::Rtl8029),
    // Winbond 89C940 and its twin, Compex, KTI, NetVin, VIA, SureCom, Holtek
    (0x0940_1050, Driver::Rtl8029),
    (0x5A5A_1050, Driver::Rtl8029),
    (0x1401_11F6, Driver::Rtl8029),
    (0x3000_8E2E, Driver::Rtl8029),
    (0x5000_4A14, Driver::Rtl8029),
    (0x0926_1106, Driver::Rtl8029),
    (0x0E34_10BD, Driver::Rtl8029),
    (0x0058_12C3, Driver::Rtl8029),
    (0x8139_10EC, Driver::Rtl8139),
    (0x8138_10EC, Driver::Rtl8139),
    // Accton, D-Link
    (0x1211_1113, Driver::Rtl8139),
    (0x1300_1186, Driver::Rtl8139),
    (0x1340_1186, Driver::Rtl8139),
    (0x2000_1022, Driver::Pcnet),
    (0x2001_1022, Driver::Pcnet),
];

/// What memory is asked for.
const PURPOSE: &str = "the network card";

/// Why there is no network.
#[derive(Debug)]
pub enum NoCard<'s> {
    /// Nothing was found.
    Nothing,
    /// FTPSRV_NIC asks for a card that is not there.
    Absent(&'s str),
    /// FTPSRV_NIC cannot be understood from this word on.
    Word(&'s str),
    /// A serial line has no DHCP.
    NeedsAddress,
    /// There is no UART where FTPSRV_NIC says.
    NoUart(&'s str),
    /// A card was found, and its buffers do not fit.
    Memory(OutOfMemory),
}

impl From<OutOfMemory> for NoCard<'_> {
    fn from(error: OutOfMemory) -> Self {
        NoCard::Memory(error)
    }
}

impl Display for NoCard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoCard::Nothing => f.write_str(
                "no network card found. This server drives NE2000 cards at ports 300h, 280h, 320h, 340h, \
                 360h, 2A0h, 2C0h, 240h and 220h, PCnet at 300h, 320h, 340h and 360h, 3C509, and RTL8029, \
                 RTL8139 and PCnet on PCI: check that the card is in its slot, set it to 300h, and restart",
            ),
            NoCard::Absent(text) => write!(
                f,
                "FTPSRV_NIC {text}: there is no such card. Correct the line in MTCP.CFG, or remove it so \
                 that all cards are looked for"
            ),
            NoCard::Word(word) => write!(
                f,
                "FTPSRV_NIC: {word} is not understood. Write ne2000, 3c509, rtl8029, rtl8139 or pcnet, \
                 then the port (300h) and the IRQ (10) if need be; or slip com1 115200"
            ),
            NoCard::NeedsAddress => f.write_str(
                "FTPSRV_NIC slip: a serial line has no DHCP. Set IPADDR, NETMASK and GATEWAY in MTCP.CFG",
            ),
            NoCard::NoUart(text) => write!(
                f,
                "FTPSRV_NIC {text}: there is no serial port, or it cannot work at that speed. Choose com1 \
                 to com4, and a speed that divides 115200"
            ),
            NoCard::Memory(error) => error.fmt(f),
        }
    }
}

/// What FTPSRV_NIC asks for.
#[derive(Default)]
struct Wanted {
    driver: Option<Driver>,
    io: Option<u16>,
    irq: Option<u8>,
}

impl Wanted {
    fn parse(text: &str) -> Result<Wanted, NoCard<'_>> {
        let mut words = text.split_ascii_whitespace();
        let mut wanted = Wanted::default();
        let Some(name) = words.next() else { return Ok(wanted) };
        let known = NAMES.iter().find(|known| name.eq_ignore_ascii_case(known.0));
        wanted.driver = Some(known.ok_or(NoCard::Word(name))?.1);
        if let Some(word) = words.next() {
            wanted.io = Some(port(word).ok_or(NoCard::Word(word))?);
        }
        if let Some(word) = words.next() {
            let irq = number(word, 10).filter(|irq| (2..=15).contains(irq));
            wanted.irq = Some(irq.ok_or(NoCard::Word(word))? as u8);
        }
        words.next().map_or(Ok(wanted), |word| Err(NoCard::Word(word)))
    }

    fn takes(&self, driver: Driver) -> bool {
        self.driver.is_none_or(|wanted| wanted == driver)
    }
}

/// A port, hexadecimal: 300, 300h, 0x300; a card has 32 of them.
fn port(word: &str) -> Option<u16> {
    let digits = word.strip_prefix("0x").or(word.strip_prefix("0X")).unwrap_or(word);
    let digits = digits.strip_suffix(['h', 'H']).unwrap_or(digits);
    let port = number(digits, 16).filter(|port| (0x100..=0xFFE0).contains(port));
    port.map(|port| port as u16)
}

/// The value of digits to the base `radix`; 0 without any.
#[inline(never)]
fn number(digits: &str, radix: u32) -> Option<u32> {
    digits.bytes().try_fold(0u32, |value, digit| {
        value.checked_mul(radix)?.checked_add(char::from(digit).to_digit(radix)?)
    })
}

/// Whether FTPSRV_NIC asks for a serial line.
pub fn is_serial(text: &str) -> bool {
    let name = text.split_ascii_whitespace().next();
    name.is_some_and(|name| name.eq_ignore_ascii_case("slip"))
}

/// Finds the card and puts it to work. `text` is FTPSRV_NIC's, empty to take any card; `fixed` says
/// whether there is a fixed address; `lines` are the interrupt lines that a card may use without being told
/// to, as nobody else serves them; `say` is told of each probe.
///
/// # Errors
/// [`NoCard`], with what to do.
pub fn find<'a, 's, P: Ports + Clone + 'a, M: DmaMemory<'a>>(
    mut ports: P,
    text: &'s str,
    fixed: bool,
    lines: Lines,
    memory: &mut M,
    say: &mut dyn FnMut(Arguments<'_>),
) -> Result<&'a mut (dyn Nic + 'a), NoCard<'s>> {
    if is_serial(text) {
        let words = text.split_ascii_whitespace();
        let line = if fixed { line(ports, text, words, memory) } else { Err(NoCard::NeedsAddress) };
        return Ok(memory.place("the serial line", line?)?);
    }
    let wanted = Wanted::parse(text)?;
    if let Some((driver, io, irq)) = find_pci(&mut ports, &wanted, lines, say) {
        if let Some(card) = start(ports.clone(), driver, io, irq, memory)? {
            return Ok(card);
        }
        say(format_args!("The card at {io:X}h does not answer"));
    }
    let nothing = if text.is_empty() { NoCard::Nothing } else { NoCard::Absent(text) };
    find_isa(ports, &wanted, lines, memory, say)?.ok_or(nothing)
}

/// The first card on ISA that is wanted, at work.
fn find_isa<'a, P: Ports + Clone + 'a, M: DmaMemory<'a>>(
    mut ports: P,
    wanted: &Wanted,
    lines: Lines,
    memory: &mut M,
    say: &mut dyn FnMut(Arguments<'_>),
) -> Result<Option<&'a mut (dyn Nic + 'a)>, OutOfMemory> {
    // A port of the user's choice need not be one of the usual ones.
    let at = |usual: &'static [u16]| {
        let usual = usual.iter().copied().filter(|_| wanted.io.is_none());
        wanted.io.into_iter().chain(usual)
    };
    // PCnets before NE2000s: it takes but reading to see that there is none.
    for io in at(&pcnet::ISA_PORTS).filter(|_| wanted.takes(Driver::Pcnet)) {
        if !pcnet::is_likely(&mut ports, io) {
            say(format_args!("PCnet at {io:X}h: nothing"));
            continue;
        }
        let card = pcnet(ports.clone(), io, wanted.irq, Slot::Isa, memory)?;
        let found =
            if card.is_some() { "found" } else { "an address, but it does not get the bus" };
        say(format_args!("PCnet at {io:X}h: {found}"));
        if card.is_some() {
            return Ok(card);
        }
    }
    for io in at(&ISA_PORTS).filter(|_| wanted.takes(Driver::Ne2000)) {
        if let Some(mut card) = probe(ports.clone(), io, wanted.irq, say) {
            if wanted.irq.is_none() {
                card.find_line(lines);
            }
            return place(Some(card), memory);
        }
    }
    if !wanted.takes(Driver::EtherLink3) {
        return Ok(None);
    }
    let Some((io, address)) = etherlink3::activate(&mut ports, wanted.io) else {
        say(format_args!("3C509: nothing"));
        return Ok(None);
    };
    let card = EtherLink3::new(ports, io, wanted.irq, address);
    let found = if card.is_some() { "found" } else { "it does not answer there" };
    say(format_args!("3C509 at {io:X}h: {found}"));
    place(card, memory)
}

/// An NE2000 at one of the ports of ISA.
fn probe<P: Ports>(
    ports: P,
    io: u16,
    irq: Option<u8>,
    say: &mut dyn FnMut(Arguments<'_>),
) -> Option<Ne2000<P>> {
    let (card, found) = match Ne2000::new(ports, io, irq, None) {
        Ok(card) => (Some(card), "found"),
        Err((NotFound::NoChip, _)) => (None, "nothing"),
        Err((NotFound::NoAddress, _)) => (None, "a DP8390 without station address"),
        Err((NotFound::NoMemory, _)) => (None, "a DP8390 without memory that an NE2000 has"),
    };
    say(format_args!("NE2000 at {io:X}h: {found}"));
    card
}

/// The first card on PCI that is wanted, with its port and the IRQ that the user gave, or else the one that the
/// BIOS chose: unless it may be a disk controller's too, which the BIOS listens to.
fn find_pci<P: Ports>(
    ports: &mut P,
    wanted: &Wanted,
    lines: Lines,
    say: &mut dyn FnMut(Arguments<'_>),
) -> Option<(Driver, u16, Option<u8>)> {
    let mut found = None;
    let mut visit = |ports: &mut P, function: Function, id: u32| {
        let io = function.io(ports);
        let irq = function.irq(ports);
        let known = PCI_CARDS.iter().find(|card| card.0 == id).map(|card| card.1);
        say(format_args!(
            "PCI {:04X}:{:04X}, port {:X}h, IRQ {}{}",
            id & 0xFFFF,
            id >> 16,
            io.unwrap_or(0),
            irq,
            if known.is_some() { ": a network card" } else { "" }
        ));
        if let (Some(driver), Some(io)) = (known.filter(|&driver| wanted.takes(driver)), io)
            && wanted.io.is_none_or(|wanted| wanted == io)
        {
            function.enable(ports);
            let free = irq < 16 && lines >> irq & 1 != 0;
            found = Some((driver, io, wanted.irq.or(free.then_some(irq))));
        }
        found.is_some()
    };
    if !pci::scan(ports, &mut visit) {
        say(format_args!("PCI: none"));
    }
    found
}

/// Puts a card on PCI to work; `None` when it does not answer.
fn start<'a, P: Ports + 'a, M: DmaMemory<'a>>(
    ports: P,
    driver: Driver,
    io: u16,
    irq: Option<u8>,
    memory: &mut M,
) -> Result<Option<&'a mut (dyn Nic + 'a)>, OutOfMemory> {
    match driver {
        Driver::Rtl8139 => {
            let region = memory.dma(PURPOSE, rtl8139::MEMORY)?;
            place(Rtl8139::new(ports, io, irq, region), memory)
        }
        Driver::Pcnet => pcnet(ports, io, irq, Slot::Pci, memory),
        _ => place(Ne2000::new(ports, io, irq, Some("RTL8029 (NE2000 on PCI)")).ok(), memory),
    }
}

/// As [`start`], for a PCnet in either slot.
fn pcnet<'a, P: Ports + 'a, M: DmaMemory<'a>>(
    ports: P,
    io: u16,
    irq: Option<u8>,
    slot: Slot,
    memory: &mut M,
) -> Result<Option<&'a mut (dyn Nic + 'a)>, OutOfMemory> {
    let region = memory.dma(PURPOSE, pcnet::MEMORY)?;
    place(Pcnet::new(ports, io, irq, slot, region), memory)
}

/// Puts a driver where it stays, if its card answered.
fn place<'a, N: Nic + 'a, M: DmaMemory<'a>>(
    card: Option<N>,
    memory: &mut M,
) -> Result<Option<&'a mut (dyn Nic + 'a)>, OutOfMemory> {
    Ok(match card {
        Some(card) => Some(memory.place(PURPOSE, card)?),
        None => None,
    })
}

/// The serial line that `words` name: slip, com1 to com4, and the speed.
fn line<'a, 's, P: Ports, M: DmaMemory<'a>>(
    ports: P,
    text: &'s str,
    mut words: core::str::SplitAsciiWhitespace<'s>,
    memory: &mut M,
) -> Result<Slip<'a, P>, NoCard<'s>> {
    let name = words.nth(1).unwrap_or("com1");
    let com = match name.as_bytes() {
        [c, o, m, digit @ b'1'..=b'4'] if [*c, *o, *m].eq_ignore_ascii_case(b"com") => digit - b'1',
        _ => return Err(NoCard::Word(name)),
    };
    let &(io, irq) = COM_PORTS.get(usize::from(com)).ok_or(NoCard::Word(name))?;
    let baud = match words.next() {
        Some(word) => number(word, 10).ok_or(NoCard::Word(word))?,
        None => MAX_BAUD,
    };
    let uart = Uart::new(ports, io, baud).ok_or(NoCard::NoUart(text))?;
    Ok(Slip::new(uart, io, irq, memory)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_card() {
        let wanted = Wanted::parse("NE2000 0x340 10").ok();
        let wanted = wanted.map(|wanted| (wanted.driver, wanted.io, wanted.irq));
        assert_eq!(wanted, Some((Some(Driver::Ne2000), Some(0x340), Some(10))));
        assert_eq!(Wanted::parse("pcnet 6100h").ok().and_then(|wanted| wanted.io), Some(0x6100));
        assert!(Wanted::parse("").is_ok_and(|wanted| wanted.takes(Driver::Pcnet)));
        for (text, word) in [
            ("3c501", "3c501"),
            ("ne2000 zz", "zz"),
            ("ne2000 300 16", "16"),
            ("pcnet 300 9 x", "x"),
        ] {
            assert!(matches!(Wanted::parse(text), Err(NoCard::Word(found)) if found == word));
        }
    }
}
