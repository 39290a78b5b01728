//! Too little memory is said, with figures, whatever it did not suffice for.

use crate::rig::plan;
use ftpsrv::net::{AddressPlan, Plan, Stack};
use sim::memory::HostMemory;
use sim::network::{Network, SimNic};

#[test]
fn what_does_not_fit_is_named() {
    let plan = Plan { address: AddressPlan::Dhcp { hostname: "FTPSRV" }, ..plan() };
    let mut purposes = Vec::new();
    for size in (0..90_000).step_by(250) {
        let network = Network::new(1);
        let nic = Box::leak(Box::new(SimNic::new(&network)));
        let mut memory = HostMemory::new(size);
        let stack = Stack::new(nic, &plan, &mut memory, network.now());
        match stack.and_then(|stack| stack.furnish(&mut memory)) {
            Ok(_) => purposes.push("enough"),
            Err(error) => {
                let what = error.0;
                assert!(what.wanted > what.available && what.available <= size);
                purposes.push(what.purpose);
            }
        }
    }
    purposes.dedup();
    assert_eq!(purposes.first(), Some(&"control sockets"));
    assert!(purposes.contains(&"network frames"));
    assert!(purposes.contains(&"control buffers") && purposes.contains(&"data receive buffers"));
    assert_eq!(purposes.last(), Some(&"enough"));
}
