//! Finding the network card: by probing, by FTPSRV_NIC, and what is said of it.

use ftpsrv::config::Settings;
use ftpsrv::hw::nic::{self, NoCard};
use ftpsrv::hw::pic::Lines;
use ftpsrv::hw::ports::Ports;
use ftpsrv::net::nic::{DriverInfo, Nic};
use sim::chips::dp8390::{Card, Dp8390};
use sim::chips::etherlink3::EtherLink3;
use sim::chips::pci::Pci;
use sim::chips::pcnet::{Dma, Pcnet};
use sim::chips::pic::Pic;
use sim::chips::ram::{CardMemory, Ram};
use sim::chips::rtl8139::Rtl8139;
use sim::chips::{PortBus, Station};

const ADDRESS: [u8; 6] = [0x00, 0x00, 0x1A, 0x12, 0x34, 0x56];

/// A PC's bus, and the memory of its cards.
struct Pc {
    bus: PortBus,
    ram: Ram,
    said: Vec<String>,
    /// Interrupt lines that cards may use.
    lines: Lines,
}

impl Pc {
    fn new() -> Pc {
        Pc { bus: PortBus::new(), ram: Ram::new(0x2_0000), said: Vec::new(), lines: 0 }
    }

    fn find<'s>(&mut self, wanted: &'s str) -> Result<&'static mut dyn Nic, NoCard<'s>> {
        let mut memory = CardMemory::new(1 << 20, &self.ram);
        let said = &mut self.said;
        nic::find(self.bus.clone(), wanted, true, self.lines, &mut memory, &mut |text| {
            said.push(text.to_string());
        })
    }

    fn info(&mut self, wanted: &str) -> Option<DriverInfo> {
        let card = self.find(wanted).ok()?;
        assert_eq!(card.address(), ADDRESS);
        Some(card.info())
    }
}

/// A PC with one card, and how FTPSRV_NIC may name it.
fn machines() -> Vec<(Pc, &'static str, &'static str, u16)> {
    let mut all = Vec::new();
    for (name, port) in [("NE2000", 0x300), ("NE1000", 0x240)] {
        let pc = Pc::new();
        let card = if name == "NE2000" { Card::ne2000(port) } else { Card::ne1000(port) };
        pc.bus.plug(Dp8390::new(card, ADDRESS));
        all.push((pc, "ne2000", name, port));
    }
    let pc = Pc::new();
    pc.bus.plug(EtherLink3::new(0x300, ADDRESS));
    all.push((pc, "3c509", "3Com EtherLink III (3C509)", 0x300));
    let pc = Pc::new();
    let dma = pc.bus.plug(Dma::default());
    pc.bus.plug(Pcnet::isa(0x300, 5, &dma, ADDRESS, &pc.ram));
    all.push((pc, "pcnet", "AMD PCnet (ISA)", 0x300));
    let pc = Pc::new();
    pc.bus.plug(Pci::new(0x2000_1022, 0x6100));
    pc.bus.plug(Pcnet::pci(0x6100, ADDRESS, &pc.ram));
    all.push((pc, "pcnet", "AMD PCnet", 0x6100));
    let pc = Pc::new();
    pc.bus.plug(Pci::new(0x8139_10EC, 0x6200));
    pc.bus.plug(Rtl8139::new(0x6200, ADDRESS, &pc.ram));
    all.push((pc, "rtl8139", "RTL8139", 0x6200));
    let pc = Pc::new();
    pc.bus.plug(Pci::new(0x8029_10EC, 0x6300));
    pc.bus.plug(Dp8390::new(Card::ne2000(0x6300), ADDRESS));
    all.push((pc, "rtl8029", "RTL8029 (NE2000 on PCI)", 0x6300));
    all
}

#[test]
fn every_card_is_found_by_itself_by_its_name_and_by_its_port() {
    for (mut pc, wanted, name, port) in machines() {
        let found = pc.info("").expect(name);
        assert_eq!((found.name, found.io, found.irq), (name, port, None));
        assert!(pc.said.iter().any(|line| line.contains(&format!("{port:X}h"))), "{:?}", pc.said);
        assert_eq!(pc.info(wanted).map(|found| found.name), Some(name));
        // As MTCP.CFG has it, which knows the names too.
        let line = format!("FTPSRV_NIC {wanted} {port:x} 10");
        let text = format!("FTPSRV_PASSWORD_FILE C:\\PASS.TXT\n{line}\n");
        let settings = Settings::parse(text.as_bytes(), "MTCP.CFG", &mut |_| {});
        let wanted = settings.unwrap_or_else(|_| panic!("{line}")).nic;
        let found = pc.info(&wanted).expect(name);
        assert_eq!((found.name, found.io, found.irq), (name, port, Some(10)));
    }
}

#[test]
fn the_interrupt_of_a_card_is_used_where_nobody_else_listens_to_it() {
    for (mut pc, wanted, name, port) in machines() {
        // The BIOS routed PCI's to 11.
        for (lines, expected) in [(1 << 11 | 1 << 5, Some(11)), (1 << 5, None)] {
            pc.lines = lines;
            let on_pci = pc.bus.clone().inl(0xCF8) == 0;
            assert_eq!(pc.info("").expect(name).irq, expected.filter(|_| on_pci), "{name}");
        }
        assert_eq!(pc.info(&format!("{wanted} {port:x} 3")).unwrap().irq, Some(3));
    }
    let mut pc = Pc::new();
    let card = pc.bus.plug(Dp8390::new(Card::ne2000(0x300), ADDRESS));
    pc.bus.plug(Pic::default()).borrow_mut().connect(9, &card);
    for (lines, expected) in [(1 << 9, Some(9)), (1 << 5, None)] {
        pc.lines = lines;
        assert_eq!(pc.info("").unwrap().irq, expected);
    }
}

#[test]
fn another_name_or_port_than_the_cards_finds_nothing() {
    const NAMES: [&str; 5] = ["ne2000", "3c509", "pcnet", "rtl8139", "rtl8029"];
    for (mut pc, wanted, name, _) in machines() {
        for other in NAMES.into_iter().filter(|other| *other != wanted) {
            assert!(matches!(pc.find(other), Err(NoCard::Absent(_))), "{other} for {name}");
        }
        let elsewhere = format!("{wanted} 3A0");
        assert!(matches!(pc.find(&elsewhere), Err(NoCard::Absent(_))), "{elsewhere}");
        // It was not disturbed.
        assert!(pc.info(wanted).is_some());
    }
}

#[test]
fn a_pc_without_card_is_told_what_was_looked_for_and_nothing_is_written_to() {
    let mut pc = Pc::new();
    assert!(matches!(pc.find(""), Err(NoCard::Nothing)));
    for line in ["PCI: none", "PCnet at 300h: nothing", "NE2000 at 220h: nothing", "3C509: nothing"]
    {
        assert!(pc.said.iter().any(|said| said == line), "{line}: {:?}", pc.said);
    }
    let mut written = pc.bus.stray_writes();
    written.sort_unstable();
    written.dedup();
    // The bridge to PCI, and the port at which 3C509s listen.
    assert_eq!(written, [0x110, 0xCF8]);
}

#[test]
fn card_on_pci_is_switched_on() {
    let mut pc = Pc::new();
    let bridge = pc.bus.plug(Pci::new(0x8139_10EC, 0x6200));
    pc.bus.plug(Rtl8139::new(0x6200, ADDRESS, &pc.ram));
    assert!(!bridge.borrow().is_enabled());
    assert!(pc.info("").is_some());
    assert!(bridge.borrow().is_enabled());
}

#[test]
fn broken_card_is_named_and_the_next_one_taken() {
    let mut pc = Pc::new();
    let dma = pc.bus.plug(Dma::default());
    // Its jumpers say a DMA channel that does not exist.
    pc.bus.plug(Pcnet::isa(0x340, 1, &dma, ADDRESS, &pc.ram));
    let chip = pc.bus.plug(Dp8390::new(Card::ne2000(0x300), ADDRESS));
    let nic = pc.find("").expect("a card");
    assert_eq!(nic.info().name, "NE2000");
    assert!(chip.borrow_mut().arrive(&[ADDRESS.as_slice(), &[0; 60]].concat()));
    assert_eq!(nic.receive(&mut [0; 1536]), Some(66));
    let line = "PCnet at 340h: an address, but it does not get the bus";
    assert!(pc.said.iter().any(|said| said == line), "{:?}", pc.said);
}
