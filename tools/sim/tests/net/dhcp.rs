//! Getting an address, keeping it, losing it.

use std::net::Ipv4Addr;

use crate::rig::{ALICE, Rig, SERVER, plan};
use ftpsrv::net::{Address, AddressPlan, Event, Plan};
use sim::client::DhcpServer;

const LEASED: Address = Address {
    ip: SERVER,
    netmask: Ipv4Addr::new(255, 255, 255, 0),
    gateway: Some(Ipv4Addr::new(10, 0, 0, 1)),
};

fn rig(lease: u32) -> Rig {
    let plan = Plan { address: AddressPlan::Dhcp { hostname: "FTPSRV" }, ..plan() };
    let mut rig = Rig::with(&plan, |_| {});
    let router = LEASED.gateway;
    rig.alice.dhcp = Some(DhcpServer { router, ..DhcpServer::new(SERVER, lease) });
    rig
}

fn server(rig: &mut Rig) -> &mut DhcpServer {
    rig.alice.dhcp.as_mut().unwrap()
}

#[test]
fn a_lease_is_taken_and_used() {
    let mut rig = rig(3600);
    assert_eq!(rig.stack.address(), None);
    assert!(!rig.stack.is_local(ALICE));
    rig.until("a lease", 1000, |rig| rig.stack.address().is_some());
    assert_eq!(rig.stack.address(), Some(LEASED));
    assert_eq!(rig.stack.event(), Some(Event::Configured { address: LEASED, server: ALICE }));
    assert_eq!(rig.stack.event(), None);
    assert!(rig.stack.is_local(ALICE));
    assert!(!rig.stack.is_local(Ipv4Addr::new(10, 0, 1, 10)));
    assert_eq!(&server(&mut rig).hostname[..7], b"FTPSRV\0");
    rig.login();
}

#[test]
fn a_server_that_comes_late_is_found() {
    let mut rig = rig(3600);
    server(&mut rig).silent = true;
    rig.run(60_000);
    assert_eq!(rig.stack.address(), None);
    assert_eq!(rig.stack.event(), None);
    server(&mut rig).silent = false;
    rig.until("a lease", 10_000, |rig| rig.stack.address().is_some());
}

#[test]
fn a_lease_is_renewed_and_connections_live_on() {
    let mut rig = rig(120);
    rig.until("a lease", 1000, |rig| rig.stack.address().is_some());
    let (connection, slot) = rig.login();
    let requests = server(&mut rig).requests;
    rig.run(600_000);
    assert!(server(&mut rig).requests >= requests + 8);
    assert_eq!(rig.stack.address(), Some(LEASED));
    rig.stack.control(slot).unwrap().send(b"still here\r\n");
    rig.run(50);
    assert_eq!(rig.alice.take_line(connection).as_deref(), Some("still here"));
}

#[test]
fn a_lease_that_cannot_be_renewed_is_given_up_and_taken_again() {
    let mut rig = rig(120);
    rig.until("a lease", 1000, |rig| rig.stack.address().is_some());
    let (_, slot) = rig.login();
    rig.stack.event();
    server(&mut rig).silent = true;
    rig.until("the end of the lease", 130_000, |rig| rig.stack.address().is_none());
    assert_eq!(rig.stack.event(), Some(Event::LeaseLost));
    rig.run(20);
    assert!(rig.stack.control(slot).unwrap().is_dead());
    rig.stack.release(slot);
    server(&mut rig).silent = false;
    rig.until("a new lease", 10_000, |rig| rig.stack.address().is_some());
    rig.login();
}

#[test]
fn a_refused_renewal_begins_anew_with_the_address_that_is_offered_then() {
    let mut rig = rig(120);
    rig.until("a lease", 1000, |rig| rig.stack.address().is_some());
    rig.stack.event();
    server(&mut rig).refuse = true;
    rig.until("the refusal", 70_000, |rig| rig.stack.address().is_none());
    assert_eq!(rig.stack.event(), Some(Event::LeaseLost));
    let other = Ipv4Addr::new(10, 0, 0, 77);
    (server(&mut rig).refuse, server(&mut rig).address) = (false, other);
    rig.until("another address", 30_000, |rig| {
        rig.stack.address().is_some_and(|address| address.ip == other)
    });
}

#[test]
fn what_a_server_says_is_not_believed_blindly() {
    for (address, netmask, router, usable) in [
        (SERVER, [255, 255, 255, 0], [0, 0, 0, 0], true),
        (SERVER, [255, 255, 255, 0], [255, 255, 255, 255], true),
        (SERVER, [255, 255, 255, 0], [224, 0, 0, 1], true),
        (SERVER, [0, 0, 0, 0], [10, 0, 0, 1], false),
        (Ipv4Addr::new(127, 0, 0, 1), [255, 255, 255, 0], [10, 0, 0, 1], false),
        (Ipv4Addr::new(240, 0, 0, 1), [255, 255, 255, 0], [10, 0, 0, 1], false),
    ] {
        let mut rig = rig(60);
        *server(&mut rig) = DhcpServer {
            netmask: netmask.into(),
            router: Some(router.into()),
            ..DhcpServer::new(address, 60)
        };
        rig.run(100_000);
        let expected = Address { ip: address, netmask: netmask.into(), gateway: None };
        assert_eq!(rig.stack.address(), usable.then_some(expected));
        if usable {
            // A router that cannot be is not asked for: this would be a panic in smoltcp.
            let to = std::net::SocketAddrV4::new(Ipv4Addr::new(192, 168, 9, 9), 2000);
            rig.stack.data(0).unwrap().connect(to, 20).unwrap();
            rig.run(2_000);
        }
    }
}
