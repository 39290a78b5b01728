//! Data connections: passive ports, NAT, active mode, and strangers on both.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::ftp::{passive_address, port_argument};
use crate::rig::{Boot, Rig, SERVER, SERVERS_STATION};
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, Ipv4Packet, TcpPacket,
};

#[test]
fn pasv_right_after_226_works_five_hundred_times() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    assert!(rig.put(ftp, "STOR F.DAT", &[5; 1000]).starts_with("226"));
    let mut last = None;
    for number in 0..500 {
        // The next command leaves with the acknowledgement of the last reply.
        let address = rig.pasv(ftp);
        if let Some(last) = last {
            let expected = 3000 + (last - 3000 + 1) % 100;
            assert_eq!(address.port(), expected, "ports go in turn");
        }
        last = Some(address.port());
        let data = rig.hosts[0].connect(address);
        rig.say(ftp, if number % 3 == 0 { "LIST" } else { "RETR F.DAT" });
        assert!(rig.reply(ftp).starts_with("150"), "transfer {number}");
        assert!(rig.reply(ftp).starts_with("226"), "transfer {number}");
        let length = rig.hosts[0].received(data).len();
        assert!(number % 3 == 0 || length == 1000, "{number}: {length}");
        // Some clients are slow to close, some never do.
        if number % 2 == 0 {
            rig.hosts[0].close(data);
        }
        if number > 50 && number % 50 == 0 {
            rig.hosts[0].abort(data);
        }
    }
}

#[test]
fn a_passive_port_in_use_is_given_to_nobody_else() {
    let mut rig = Boot::new().set("FTPSRV_PASV_PORTS", "10").start();
    let clients: Vec<_> = (0..9).map(|n| rig.login(n % 3)).collect();
    let held: Vec<u16> = clients[1..].iter().map(|ftp| rig.pasv(*ftp).port()).collect();
    let mut seen = Vec::new();
    for _ in 0..30 {
        let port = rig.pasv(clients[0]).port();
        assert!((3000..3010).contains(&port));
        assert!(!held.contains(&port), "{port} is in use");
        seen.push(port);
    }
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "two free ports, in turn: {seen:?}");
}

#[test]
fn clients_from_outside_get_the_firewalls_address_and_neighbours_ours() {
    let firewall = Ipv4Addr::new(192, 0, 2, 99);
    for (nat, inside) in [("NO", SERVER), ("YES", firewall)] {
        let mut rig =
            Boot::new().set("FTPSRV_EXT_IPADDR", "192.0.2.99").set("FTPSRV_NAT", nat).start();
        let ftp = rig.login(0);
        let neighbour = *rig.pasv(ftp).ip();
        assert_eq!(neighbour, inside, "FTPSRV_NAT {nat}");
        // A network mask that leaves clients outside makes strangers of them.
        let mut rig = Boot::new()
            .set("NETMASK", "255.255.255.248")
            .set("GATEWAY", "10.0.0.1")
            .set("FTPSRV_EXT_IPADDR", "192.0.2.99")
            .set("FTPSRV_NAT", nat)
            .start();
        put_behind_router(&rig);
        let ftp = rig.login(0);
        assert_eq!(*rig.pasv(ftp).ip(), firewall);
    }
}

/// Makes host 0 one that the server takes for distant, behind a router: each is told the other's station
/// as a router between them would tell its own.
fn put_behind_router(rig: &Rig) {
    let (own, station) = (rig.hosts[0].ip(), rig.hosts[0].station());
    let router = Ipv4Addr::new(10, 0, 0, 1);
    rig.hosts[1].inject(&arp_reply((router, station), (SERVER, SERVERS_STATION)));
    rig.hosts[1].inject(&arp_reply((SERVER, SERVERS_STATION), (own, station)));
}

fn arp_reply(from: (Ipv4Addr, [u8; 6]), to: (Ipv4Addr, [u8; 6])) -> Vec<u8> {
    let arp = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: EthernetAddress(from.1),
        source_protocol_addr: from.0,
        target_hardware_addr: EthernetAddress(to.1),
        target_protocol_addr: to.0,
    };
    let ethernet = EthernetRepr {
        src_addr: EthernetAddress(from.1),
        dst_addr: EthernetAddress(to.1),
        ethertype: EthernetProtocol::Arp,
    };
    let mut frame = vec![0; 14 + arp.buffer_len()];
    ethernet.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
    arp.emit(&mut ArpPacket::new_unchecked(&mut frame[14..]));
    frame
}

#[test]
fn a_stranger_on_a_passive_port_is_dropped_and_the_owner_gets_in() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    assert!(rig.put(ftp, "STOR SECRET.DAT", b"for the owner").starts_with("226"));
    let address = rig.pasv(ftp);
    let strangers: Vec<_> = (0..5).map(|_| rig.hosts[1].connect(address)).collect();
    rig.run(50);
    rig.say(ftp, "RETR SECRET.DAT");
    assert!(rig.reply(ftp).starts_with("150"));
    rig.run(500);
    for stranger in strangers {
        assert!(!rig.hosts[1].was_open(stranger));
        assert_eq!(rig.hosts[1].received(stranger), b"");
    }
    let data = rig.hosts[0].connect(address);
    assert!(rig.reply(ftp).starts_with("226"));
    assert_eq!(rig.hosts[0].received(data), b"for the owner");
}

#[test]
fn active_mode_connects_to_the_client_from_the_port_below() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    for (number, verb) in ["PORT", "EPRT"].into_iter().enumerate() {
        let port = 5000 + number as u16;
        let data = rig.hosts[0].listen(port);
        let own = SocketAddrV4::new(rig.hosts[0].ip(), port);
        let argument = match verb {
            "PORT" => port_argument(own),
            _ => format!("|1|{}|{}|", own.ip(), own.port()),
        };
        rig.expect(ftp, &format!("{verb} {argument}"), "200");
        rig.say(ftp, "LIST");
        assert!(rig.reply(ftp).starts_with("150"));
        assert_eq!(rig.hosts[0].peer(data), Some(SocketAddrV4::new(SERVER, 20)));
        assert!(rig.reply(ftp).starts_with("226"));
        let text = String::from_utf8(rig.hosts[0].take(data)).unwrap();
        assert!(text.contains("BOX"), "{text}");
        rig.hosts[0].close(data);
        rig.run(20);
    }
}

/// Destinations, with ports for TCP, of what the server has sent.
fn sent_to(rig: &Rig) -> Vec<(Ipv4Addr, Option<u16>, bool)> {
    let recorded = rig.network.take_recorded();
    let frames = recorded.iter().filter(|(station, _)| *station == 0);
    let mut found = Vec::new();
    for (_, frame) in frames {
        let frame = EthernetFrame::new_checked(&frame[..]).unwrap();
        match frame.ethertype() {
            EthernetProtocol::Ipv4 => {
                let packet = Ipv4Packet::new_checked(frame.payload()).unwrap();
                let tcp = TcpPacket::new_checked(packet.payload()).unwrap();
                found.push((packet.dst_addr(), Some(tcp.dst_port()), tcp.syn()));
            }
            // An ARP packet asks for the address in bytes 24 to 27.
            _ => {
                let target: [u8; 4] = frame.payload()[24..28].try_into().unwrap();
                found.push((Ipv4Addr::from(target), None, false));
            }
        }
    }
    found
}

#[test]
fn nobody_makes_the_server_connect_to_others_or_to_low_ports() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    let own = rig.hosts[0].ip();
    rig.network.record();
    for (command, codes) in [
        ("PORT 10,0,0,11,20,20".to_owned(), ["500", "504"]),
        ("PORT 192,0,2,7,20,20".to_owned(), ["500", "504"]),
        ("PORT 127,0,0,1,20,20".to_owned(), ["500", "504"]),
        ("PORT 10,0,0,2,0,21".to_owned(), ["500", "504"]),
        ("EPRT |1|10.0.0.11|5140|".to_owned(), ["500", "504"]),
        (format!("PORT {}", port_argument(SocketAddrV4::new(own, 25))), ["500", "504"]),
        (format!("EPRT |1|{own}|1023|"), ["500", "504"]),
        (format!("EPRT |1|{own}|0|"), ["500", "504"]),
        ("PORT 10,0,0,10,256,1".to_owned(), ["501", "501"]),
        ("EPRT |2|::1|5000|".to_owned(), ["522", "522"]),
    ] {
        let reply = rig.cmd(ftp, &command);
        assert!(codes.contains(&&reply[..3]), "{command}: {reply}");
        rig.expect(ftp, "LIST", "425");
        rig.expect(ftp, "RETR NOFILE", "425");
    }
    rig.run(5_000);
    let control = rig.hosts[0].local(ftp.control);
    for (address, port, syn) in sent_to(&rig) {
        assert!(address == own && !syn, "a packet to {address}");
        assert!(port.is_none() || port == control, "a packet to port {port:?}");
    }
}

#[test]
fn behind_a_nat_active_mode_goes_to_the_peer_whatever_port_says() {
    let mut rig =
        Boot::new().set("FTPSRV_NAT", "YES").set("FTPSRV_EXT_IPADDR", "192.0.2.99").start();
    let ftp = rig.login(0);
    let data = rig.hosts[0].listen(5000);
    rig.network.record();
    rig.expect(ftp, "PORT 10,0,0,11,19,136", "200");
    rig.say(ftp, "NLST");
    assert!(rig.reply(ftp).starts_with("150"));
    assert!(rig.reply(ftp).starts_with("226"));
    assert_eq!(rig.hosts[0].received(data), b"BOX\r\n");
    let own = rig.hosts[0].ip();
    assert!(sent_to(&rig).iter().all(|(address, ..)| *address == own));
    let reply = rig.expect(ftp, "PORT 10,0,0,11,0,80", "50");
    assert!(reply.starts_with("504") || reply.starts_with("500"));
}

#[test]
fn epsv_gives_a_port_and_all_shuts_the_other_ways() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    let reply = rig.expect(ftp, "EPSV", "229");
    let port = reply.split('|').nth(3).unwrap().parse().unwrap();
    let data = rig.hosts[0].connect(SocketAddrV4::new(SERVER, port));
    rig.say(ftp, "NLST");
    assert!(rig.reply(ftp).starts_with("150"));
    assert!(rig.reply(ftp).starts_with("226"));
    assert_eq!(rig.hosts[0].take(data), b"BOX\r\n");
    rig.expect(ftp, "EPSV 2", "522");
    rig.expect(ftp, "EPSV ALL", "200");
    rig.expect(ftp, "PASV", "501");
    rig.expect(ftp, "PORT 10,0,0,10,20,20", "501");
    rig.expect(ftp, "EPSV", "229");
}

#[test]
fn a_data_connection_that_never_comes_is_425() {
    let mut rig = Boot::new().start();
    let ftp = rig.login(0);
    let reply = rig.expect(ftp, "PASV", "227");
    let _ = passive_address(&reply);
    rig.say(ftp, "LIST");
    assert!(rig.reply(ftp).starts_with("150"));
    let start = rig.now();
    assert!(rig.reply_within(ftp, 40_000).starts_with("425"));
    assert!(rig.now() - start < 35_000);
    // And one that is refused, at once.
    let own = SocketAddrV4::new(rig.hosts[0].ip(), 6000);
    rig.expect(ftp, &format!("PORT {}", port_argument(own)), "200");
    rig.say(ftp, "LIST");
    let reply = rig.reply_within(ftp, 5_000);
    let reply = if reply.starts_with("150") { rig.reply_within(ftp, 5_000) } else { reply };
    assert!(reply.starts_with("425"), "{reply}");
    assert!(rig.names(ftp, "NLST").contains(&"BOX".to_owned()));
}
