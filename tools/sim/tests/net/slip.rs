//! Bare IP over a serial line.

use crate::rig::{ALICE, CLIENTS, CONTROL, SERVER, plan};
use ftpsrv::net::{AddressPlan, Plan, Stack};
use sim::client::Host;
use sim::memory::HostMemory;
use sim::network::{Network, SimNic};

#[test]
fn a_client_at_the_other_end_of_the_line_is_served() {
    let network = Network::new(1);
    let nic = Box::leak(Box::new(SimNic::slip(&network)));
    let mut memory = HostMemory::new(1 << 20);
    let stack = Stack::new(nic, &plan(), &mut memory, network.now()).unwrap();
    stack.furnish(&mut memory).unwrap();
    let mut alice = Host::slip(&network, ALICE);
    let connection = alice.connect(CONTROL);
    let mut slot = None;
    for _ in 0..200 {
        stack.poll(network.now(), 8);
        alice.poll();
        network.advance(1);
        slot = slot.or_else(|| stack.accept());
        if let Some((mut control, _)) = slot.and_then(|slot| stack.ports(slot, CLIENTS - 1))
            && alice.received(connection).len() + control.send(&[b'x'; 100]) > 3000
        {
            break;
        }
    }
    assert!(alice.received(connection).len() > 2900);
    assert_eq!(stack.address().map(|address| address.ip), Some(SERVER));
}

#[test]
fn there_is_no_dhcp_on_a_line() {
    let network = Network::new(1);
    let nic = Box::leak(Box::new(SimNic::slip(&network)));
    let mut memory = HostMemory::new(1 << 20);
    let plan = Plan { address: AddressPlan::Dhcp { hostname: "X" }, ..plan() };
    let stack = Stack::new(nic, &plan, &mut memory, network.now()).unwrap();
    stack.furnish(&mut memory).unwrap();
    network.record();
    for _ in 0..20_000 {
        stack.poll(network.now(), 8);
        network.advance(1);
    }
    assert_eq!(stack.address(), None);
    assert!(network.take_recorded().is_empty());
}
