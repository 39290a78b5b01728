//! The stack under test with its wire, and the loop that lets time pass.

use std::net::{Ipv4Addr, SocketAddrV4};

use ftpsrv::net::{Address, AddressPlan, Plan, Stack};
use sim::client::Host;
use sim::memory::HostMemory;
use sim::network::{Network, SimNic};

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const ALICE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
pub const MALLORY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 66);
pub const CLIENTS: usize = 3;
pub const SOCKETS: usize = CLIENTS + 2;
pub const CONTROL: SocketAddrV4 = SocketAddrV4::new(SERVER, 21);
pub const PASSIVE: SocketAddrV4 = SocketAddrV4::new(SERVER, 2048);

pub fn plan() -> Plan<'static> {
    Plan {
        address: AddressPlan::Fixed(Address {
            ip: SERVER,
            netmask: Ipv4Addr::new(255, 255, 255, 0),
            gateway: Some(Ipv4Addr::new(10, 0, 0, 1)),
        }),
        mtu: 1500,
        control_port: 21,
        control_sockets: SOCKETS,
        control_buffers: (1024, 2048),
        data_sockets: CLIENTS,
        data_buffers: (8192, 8192),
        kept: 0,
        per_address: SOCKETS,
        seed: 42,
    }
}

/// A server's stack, Alice and Mallory on one wire.
pub struct Rig {
    pub network: Network,
    pub stack: &'static mut Stack<'static>,
    pub alice: Host,
    pub mallory: Host,
}

impl Rig {
    pub fn new() -> Rig {
        Rig::with(&plan(), |_| {})
    }

    /// With another plan, and a card that `change` makes special.
    pub fn with(plan: &Plan<'static>, change: impl FnOnce(&mut SimNic)) -> Rig {
        let network = Network::new(7);
        let nic = Box::leak(Box::new(SimNic::new(&network)));
        change(nic);
        let mut memory = HostMemory::new(1 << 20);
        let stack = Stack::new(nic, plan, &mut memory, network.now()).unwrap();
        stack.furnish(&mut memory).unwrap();
        let (alice, mallory) = (Host::new(&network, ALICE), Host::new(&network, MALLORY));
        Rig { network, stack, alice, mallory }
    }

    /// One millisecond.
    pub fn step(&mut self) {
        self.stack.poll(self.network.now(), 8);
        self.alice.poll();
        self.mallory.poll();
        self.network.advance(1);
    }

    pub fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.step();
        }
    }

    /// Lets time pass until `done`, at most `ms`; panics after that.
    pub fn until(&mut self, what: &str, ms: u64, mut done: impl FnMut(&mut Rig) -> bool) {
        for _ in 0..ms {
            if done(self) {
                return;
            }
            self.step();
        }
        panic!("not within {ms} ms: {what}");
    }

    /// Logs Alice in as far as TCP goes; her connection and our slot.
    pub fn login(&mut self) -> (sim::client::Connection, usize) {
        let connection = self.alice.connect(CONTROL);
        let mut slot = None;
        self.until("a control connection", 2000, |rig| {
            slot = slot.or_else(|| rig.stack.accept());
            slot.is_some() && rig.alice.is_open(connection)
        });
        (connection, slot.unwrap())
    }

    /// A passive data connection of Alice's on data socket `slot`.
    pub fn passive(&mut self, slot: usize) -> sim::client::Connection {
        self.stack.data(slot).unwrap().listen(PASSIVE.port(), ALICE).unwrap();
        let connection = self.alice.connect(PASSIVE);
        self.until("a passive connection", 9000, |rig| {
            rig.stack.data(slot).unwrap().state() == ftpsrv::net::DataState::Open
                && rig.alice.is_open(connection)
        });
        connection
    }
}
