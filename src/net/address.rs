//! Our IPv4 address: fixed, or leased by DHCP (RFC 2131); and what changes of it the console hears.
//!
//! Calls nothing of `net`. What a DHCP server says is checked before smoltcp gets it: smoltcp panics on
//! addresses that are not unicast.

use core::net::Ipv4Addr;

use smoltcp::iface::Interface;
use smoltcp::socket::dhcpv4;
use smoltcp::wire::{IpCidr, Ipv4Cidr};

/// Where the address comes from.
#[derive(Debug, Clone, Copy)]
pub enum AddressPlan<'a> {
    /// IPADDR, NETMASK and GATEWAY of MTCP.CFG.
    Fixed(Address),
    /// A DHCP server; Ethernet only: over SLIP there is none, and [`super::Stack::address`] stays `None`.
    Dhcp {
        /// The name that the server is told (RFC 2132 section 3.14); empty: none. At most 63 bytes.
        hostname: &'a str,
    },
}

/// An address in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Our address.
    pub ip: Ipv4Addr,
    /// The network mask.
    pub netmask: Ipv4Addr,
    /// The router to everywhere else.
    pub gateway: Option<Ipv4Addr>,
}

/// Something about the network that a user should read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A DHCP server gave us this address, or another than before.
    Configured {
        /// The address.
        address: Address,
        /// The server's identifier.
        server: Ipv4Addr,
    },
    /// The lease ran out or was refused; connections are gone with it.
    LeaseLost,
    /// Another station uses our address; its station address.
    Conflict([u8; 6]),
}

/// Whether a station can have `ip`.
fn is_host(ip: Ipv4Addr) -> bool {
    let first = ip.octets()[0];
    first != 0 && first != 127 && first < 224
}

impl Address {
    /// Whether it can work: a host's address, a mask of leading ones, and a gateway that is another host
    /// of the same network.
    pub fn is_usable(&self) -> bool {
        let mask = u32::from(self.netmask);
        is_host(self.ip)
            && mask.leading_ones() + mask.trailing_zeros() == 32
            && mask.leading_ones() > 0
            && self.gateway.is_none_or(|gateway| {
                is_host(gateway) && gateway != self.ip && self.contains(gateway)
            })
    }

    /// Whether `other` is on the same network.
    pub fn contains(&self, other: Ipv4Addr) -> bool {
        (u32::from(self.ip) ^ u32::from(other)) & u32::from(self.netmask) == 0
    }

    /// The network's broadcast address; all ones where the network is too small to have one (RFC 3021).
    pub fn broadcast(&self) -> Ipv4Addr {
        let hosts = !u32::from(self.netmask);
        if hosts < 2 { Ipv4Addr::BROADCAST } else { Ipv4Addr::from(u32::from(self.ip) | hosts) }
    }
}

/// Makes `interface` use `address`, or none.
pub(super) fn assign(interface: &mut Interface, address: Option<Address>) {
    interface.update_ip_addrs(|list| {
        list.clear();
        if let Some(address) = address {
            let prefix = u32::from(address.netmask).leading_ones() as u8;
            // The list holds one, and is empty.
            let _ = list.push(IpCidr::Ipv4(Ipv4Cidr::new(address.ip, prefix)));
        }
    });
    interface.routes_mut().remove_default_ipv4_route();
    if let Some(gateway) = address.and_then(|address| address.gateway) {
        // The table holds one, and is empty.
        let _ = interface.routes_mut().add_default_ipv4_route(gateway);
    }
}

/// What a lease says, where it can be used: a router that cannot work is left out.
pub(super) fn of_lease(lease: &dhcpv4::Config<'_>) -> Option<Address> {
    let mut address = Address {
        ip: lease.address.address(),
        netmask: lease.address.netmask(),
        gateway: lease.router,
    };
    if !address.is_usable() {
        address.gateway = None;
    }
    address.is_usable().then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(ip: [u8; 4], netmask: [u8; 4], gateway: Option<[u8; 4]>) -> Address {
        Address { ip: ip.into(), netmask: netmask.into(), gateway: gateway.map(Ipv4Addr::from) }
    }

    #[test]
    fn only_what_can_work_is_usable() {
        let mask = [255, 255, 255, 0];
        assert!(address([10, 0, 0, 1], mask, Some([10, 0, 0, 2])).is_usable());
        assert!(address([10, 0, 0, 1], [255; 4], None).is_usable());
        assert!(!address([10, 0, 0, 1], mask, Some([10, 0, 1, 2])).is_usable());
        assert!(!address([10, 0, 0, 1], mask, Some([10, 0, 0, 1])).is_usable());
        assert!(!address([10, 0, 0, 1], mask, Some([0; 4])).is_usable());
        assert!(!address([10, 0, 0, 1], [255, 0, 255, 0], None).is_usable());
        assert!(!address([10, 0, 0, 1], [0; 4], None).is_usable());
        assert!(!address([224, 0, 0, 1], mask, None).is_usable());
        assert!(!address([0; 4], mask, None).is_usable());
        assert!(!address([255; 4], mask, None).is_usable());
    }

    #[test]
    fn networks_have_a_broadcast_address_unless_they_are_points() {
        assert_eq!(
            address([10, 1, 2, 3], [255, 255, 0, 0], None).broadcast(),
            Ipv4Addr::new(10, 1, 255, 255)
        );
        assert_eq!(
            address([10, 1, 2, 2], [255, 255, 255, 254], None).broadcast(),
            Ipv4Addr::BROADCAST
        );
    }
}
