//! The whole server on the drivers of real cards, each on the model of its chip: files both ways.

use std::cell::RefCell;
use std::rc::Rc;

use crate::ftp::Ftp;
use crate::rig::{Boot, C, Rig, SERVER};
use ftpsrv::hw::nic;
use ftpsrv::net::nic::Nic;
use sim::chips::dp8390::{Card, Dp8390};
use sim::chips::etherlink3::EtherLink3;
use sim::chips::pci::Pci;
use sim::chips::pcnet::{Dma, Pcnet};
use sim::chips::ram::{CardMemory, Ram};
use sim::chips::rtl8139::Rtl8139;
use sim::chips::uart::{Kind, SlipPeer, Uart};
use sim::chips::{Cable, Device, PortBus, Station};
use sim::client::Host;
use sim::network::{Network, Random, STATION};

/// A PC with one card, which the server finds as FTPSRV_NIC says.
fn with_card<D: Device + Station + 'static>(
    wanted: &'static str,
    make: impl FnOnce(&PortBus, &Ram) -> D + 'static,
) -> Boot {
    Boot::new().card(move |network: &Network| {
        let (bus, ram) = (PortBus::new(), Ram::new(0x2_0000));
        let card: Rc<RefCell<dyn Station>> = bus.plug(make(&bus, &ram));
        let cable = Cable::new(network, &bus, card);
        let mut memory = CardMemory::new(1 << 20, &ram);
        let found = nic::find(bus, wanted, true, 0, &mut memory, &mut |_| {});
        let found: &'static mut dyn Nic = found.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(found.address(), STATION);
        (found, cable)
    })
}

/// Files of a megabyte up and down, two at once, and what the disk has then.
fn files_both_ways(boot: Boot) {
    let mut rig = boot.start();
    let content = Random::new(5).bytes(1_000_001);
    let ftp = rig.login(0);
    assert!(rig.put(ftp, "STOR UP.DAT", &content).starts_with("226"));
    let (back, reply) = rig.get(ftp, "RETR UP.DAT");
    assert!(reply.starts_with("226") && back == content, "{reply}");
    let other = rig.login(1);
    let down = rig.begin(ftp, "RETR UP.DAT");
    assert!(rig.put(other, "STOR TWO.DAT", &content[..300_000]).starts_with("226"));
    assert!(rig.reply(ftp).starts_with("226"));
    rig.run(100);
    assert!(rig.hosts[0].take(down) == content);
    rig.check_disks();
    assert!(rig.on_disk(C, "TWO.DAT") == content[..300_000]);
}

#[test]
fn etherlink3() {
    files_both_ways(with_card("", |_, _| EtherLink3::new(0x300, STATION)));
}

#[test]
fn etherlink3_with_the_first_fifos() {
    files_both_ways(with_card("3c509 280", |_, _| EtherLink3::new(0x280, STATION).small()));
}

/// Bursts that no receive ring holds, and that want answers, in the middle of a transfer: the card is back
/// afterwards, and with it everybody's connection.
fn bursts_in_between(boot: Boot) {
    let mut rig = boot.start();
    let content = Random::new(6).bytes(400_000);
    let ftp = rig.login(0);
    let data = rig.begin(ftp, "STOR UP.DAT");
    rig.hosts[0].send(data, &content);
    for _ in 0..5 {
        rig.run(20);
        for _ in 0..60 {
            rig.hosts[1].ping(SERVER, STATION, 1400);
        }
    }
    rig.hosts[0].close(data);
    assert!(rig.reply(ftp).starts_with("226"));
    let (back, reply) = rig.get(ftp, "RETR UP.DAT");
    assert!(reply.starts_with("226") && back == content, "{reply}");
    rig.check_disks();
}

#[test]
fn ne2000() {
    files_both_ways(with_card("", |_, _| Dp8390::new(Card::ne2000(0x300), STATION)));
}

#[test]
fn ne2000_with_8_bits() {
    files_both_ways(with_card("ne2000 280 3", |_, _| Dp8390::new(Card::ne1000(0x280), STATION)));
}

#[test]
fn ne2000_in_bursts() {
    bursts_in_between(with_card("", |_, _| Dp8390::new(Card::ne2000(0x300), STATION)));
    bursts_in_between(with_card("", |_, _| Dp8390::new(Card::ne1000(0x300), STATION)));
}

#[test]
fn etherlink3_in_bursts() {
    bursts_in_between(with_card("", |_, _| EtherLink3::new(0x300, STATION)));
    bursts_in_between(with_card("", |_, _| EtherLink3::new(0x300, STATION).small()));
}

fn pcnet_on_isa(wanted: &'static str, base: u16, channel: usize) -> Boot {
    with_card(wanted, move |bus, ram| {
        let dma = bus.plug(Dma::default());
        Pcnet::isa(base, channel, &dma, STATION, ram)
    })
}

fn pcnet_on_pci() -> Boot {
    with_card("", |bus, ram| {
        bus.plug(Pci::new(0x2000_1022, 0x6100));
        Pcnet::pci(0x6100, STATION, ram)
    })
}

/// A frame takes a descriptor, or whole pages, however little is in it: who sends small ones is not to send more
/// than the card takes.
#[test]
fn small_segments_do_not_overflow_a_card() {
    let ne2000 = || with_card("", |_, _| Dp8390::new(Card::ne2000(0x300), STATION));
    let ne1000 = || with_card("", |_, _| Dp8390::new(Card::ne1000(0x300), STATION));
    for mtu in [576, 1006, 1400, 1500] {
        small_segments("NE2000", ne2000(), mtu);
        small_segments("NE1000", ne1000(), mtu);
        small_segments("PCnet", pcnet_on_pci(), mtu);
        small_segments("RTL8139", rtl8139(), mtu);
    }
}

fn small_segments(name: &str, boot: Boot, mtu: usize) {
    let content = Random::new(7).bytes(200_001);
    let mut rig = boot.start();
    for host in &mut rig.hosts {
        *host = Host::with_mtu(&rig.network, host.ip(), mtu);
    }
    let ftp = rig.login(0);
    assert!(rig.put(ftp, "STOR UP.DAT", &content).starts_with("226"));
    assert_eq!(lost(&mut rig, ftp), 0, "{name}, packets of {mtu}");
    // When another one joins, the ring is still lent to the first.
    let other = rig.login(1);
    let up = rig.begin(other, "STOR TWO.DAT");
    rig.hosts[1].send(up, &content);
    rig.hosts[1].close(up);
    assert!(rig.put(ftp, "STOR MORE.DAT", &content).starts_with("226"));
    assert!(rig.reply(other).starts_with("226"));
    assert!(lost(&mut rig, ftp) <= 2, "{name}, packets of {mtu}");
    assert!(rig.on_disk(C, "TWO.DAT") == content);
}

/// Frames that the card has dropped.
fn lost(rig: &mut Rig, client: Ftp) -> u32 {
    // As often the figures are renewed.
    rig.run(1_100);
    let reply = rig.cmd(client, "SITE STATS");
    let (before, _) = reply.split_once(" lost").expect("how many are lost");
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

fn rtl8139() -> Boot {
    with_card("", |bus, ram| {
        bus.plug(Pci::new(0x8139_10EC, 0x6200));
        Rtl8139::new(0x6200, STATION, ram)
    })
}

#[test]
fn pcnets() {
    files_both_ways(pcnet_on_isa("", 0x300, 5));
    files_both_ways(pcnet_on_isa("pcnet 240 9", 0x240, 3));
    files_both_ways(pcnet_on_pci());
    bursts_in_between(pcnet_on_isa("", 0x360, 7));
    bursts_in_between(pcnet_on_pci());
}

#[test]
fn rtl8139s() {
    files_both_ways(rtl8139());
    bursts_in_between(rtl8139());
}

/// A file up and down again over a serial line.
fn over_a_line(wanted: &'static str, io: u16, kind: Kind) {
    let boot = Boot::new().card(move |network: &Network| {
        let (bus, ram) = (PortBus::new(), Ram::new(0));
        let uart = bus.plug(Uart::new(io, kind));
        let cable = Cable::new(network, &bus, Rc::new(RefCell::new(SlipPeer::new(&uart))));
        let mut memory = CardMemory::new(1 << 20, &ram);
        let found = nic::find(bus, wanted, true, 0, &mut memory, &mut |_| {});
        (found.unwrap_or_else(|error| panic!("{error}")), cable)
    });
    let mut rig = boot.start();
    // Every byte that SLIP escapes is among them.
    let content = Random::new(7).bytes(30_001);
    let ftp = rig.login(0);
    let reply = rig.put(ftp, "STOR UP.DAT", &content);
    assert!(reply.starts_with("226"), "{kind:?}: {reply}");
    let (back, reply) = rig.get(ftp, "RETR UP.DAT");
    assert!(reply.starts_with("226") && back == content, "{kind:?}: {reply}");
    rig.check_disks();
}

#[test]
fn serial_lines() {
    over_a_line("slip com1 115200", 0x3F8, Kind::Ns16550A);
    // A byte at a time: as fast as the server looks.
    over_a_line("slip com2 19200", 0x2F8, Kind::Ns16450);
    over_a_line("slip com3 9600", 0x3E8, Kind::Ins8250);
    over_a_line("slip com4 9600", 0x2E8, Kind::Ns16550);
}
