//! SLIP on models of UARTs: with and without FIFO, escapes, lost and damaged bytes.

use std::cell::RefCell;
use std::rc::Rc;

use ftpsrv::hw::slip::Slip;
use ftpsrv::hw::uart::{self, Uart as Driver};
use ftpsrv::net::nic::{Class, Nic, SendError};
use sim::chips::uart::{Kind, SlipPeer, Uart, encode};
use sim::chips::{PortBus, Station};
use sim::memory::HostMemory;

const KINDS: [Kind; 4] = [Kind::Ins8250, Kind::Ns16450, Kind::Ns16550, Kind::Ns16550A];
const IO: u16 = 0x2F8;

struct Line {
    bus: PortBus,
    uart: Rc<RefCell<Uart>>,
    peer: SlipPeer,
    nic: Slip<'static, PortBus>,
}

fn line(kind: Kind, baud: u32) -> Line {
    let bus = PortBus::new();
    let uart = bus.plug(Uart::new(IO, kind));
    let driver = Driver::new(bus.clone(), IO, baud).expect("a UART");
    let nic = Slip::new(driver, IO, 3, &mut HostMemory::new(10_000)).expect("memory");
    Line { peer: SlipPeer::new(&uart), bus, uart, nic }
}

/// Bytes of every value, escapes among them.
fn packet(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 5 + number * 37 + 0xC0) as u8).collect()
}

impl Line {
    /// Polls every `us` microseconds until the line is quiet; the packets of either direction.
    fn run(&mut self, us: u32) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let (mut received, mut sent) = (Vec::new(), Vec::new());
        let mut quiet = 0;
        while quiet < 50 {
            let mut buffer = [0xEE; 1536];
            let before = received.len();
            while let Some(length) = self.nic.receive(&mut buffer) {
                received.push(buffer[..length].to_vec());
            }
            let taken = received.len() > before;
            let departed = self.peer.depart();
            let busy = self.uart.borrow().pending() > 0 || !self.nic.can_send();
            quiet = if taken || departed.is_some() || busy { 0 } else { quiet + 1 };
            sent.extend(departed);
            self.bus.elapse(us);
        }
        (received, sent)
    }
}

#[test]
fn every_uart_is_set_up_and_none_is_found_where_none_is() {
    for kind in KINDS {
        for (baud, expected) in [(115_200, 115_200), (38_400, 38_400), (9_600, 9_600), (50, 50)] {
            let line = line(kind, baud);
            assert_eq!(line.uart.borrow().baud(), expected, "{kind:?}");
        }
        let bus = PortBus::new();
        bus.plug(Uart::new(IO, kind));
        assert!(Driver::new(bus.clone(), IO, 0).is_none());
        assert!(Driver::new(bus, IO, 230_400).is_none());
    }
    assert!(
        uart::COM_PORTS.iter().all(|&(io, _)| Driver::new(PortBus::new(), io, 9_600).is_none())
    );
    let info = line(Kind::Ins8250, 9_600).nic.info();
    assert_eq!((info.class, info.io, info.irq, info.mtu), (Class::Slip, IO, Some(3), 1006));
}

#[test]
fn packets_of_every_length_go_both_ways_at_once() {
    for kind in KINDS {
        let mut line = line(kind, 115_200);
        for length in (1..=1006).step_by(67).chain([1006]) {
            let (to, from) = (packet(length, length), packet(length + 1, length));
            line.nic.send(&to).unwrap();
            // A FIFO takes a short one at once.
            if length > 16 {
                assert_eq!(line.nic.send(&to), Err(SendError::Busy));
            }
            line.peer.arrive(&from);
            // Somewhat faster than bytes come, which a UART without FIFO needs.
            let (received, sent) = line.run(70);
            assert_eq!((received, sent), (vec![from], vec![to]), "{kind:?} {length}");
        }
        assert_eq!(line.uart.borrow().lost, 0);
        let statistics = line.nic.statistics();
        assert_eq!((statistics.packets_in, statistics.packets_out), (17, 17));
        assert_eq!((statistics.errors_in, statistics.lost), (0, 0));
    }
}

#[test]
fn fifo_is_filled_so_that_the_line_never_waits() {
    let mut line = line(Kind::Ns16550A, 115_200);
    let packet = vec![0x55; 1000];
    line.nic.send(&packet).unwrap();
    let start = line.bus.now_us();
    while !line.nic.can_send() {
        line.bus.elapse(200);
    }
    // 1002 bytes of 86.8 us, and up to 200 us after every 16 until it is seen that the FIFO is empty.
    let took = line.bus.now_us() - start;
    assert!((85_000..100_000).contains(&took), "{took}");
}

#[test]
fn fifo_bridges_a_millisecond_and_a_uart_without_loses_what_tcp_sends_again() {
    let packets: Vec<_> = (0..20).map(|number| packet(number, 300)).collect();
    for (kind, baud, us) in [
        (Kind::Ns16550A, 115_200, 1_000),
        (Kind::Ns16550, 9_600, 1_000),
        (Kind::Ns16450, 9_600, 1_000),
        (Kind::Ins8250, 9_600, 1_000),
    ] {
        let mut line = line(kind, baud);
        for packet in &packets {
            line.peer.arrive(packet);
        }
        assert!(line.run(us).0 == packets, "{kind:?}");
    }
    // Too slow: nothing that is damaged is handed over, and it ends with the noise.
    for kind in KINDS {
        let mut line = line(kind, 115_200);
        for packet in &packets {
            line.peer.arrive(packet);
        }
        assert!(line.run(5_000).0.iter().all(|packet| packets.contains(packet)), "{kind:?}");
        assert!(line.uart.borrow().lost > 1_000);
        assert!(line.nic.statistics().errors_in > 0);
        // The END before a packet closes what noise there was.
        line.peer.arrive(&packets[0]);
        assert_eq!(line.run(70).0, packets[..1], "{kind:?}");
    }
}

#[test]
fn damaged_byte_costs_its_packet_alone() {
    for kind in KINDS {
        let mut line = line(kind, 57_600);
        line.peer.arrive(&packet(1, 100));
        line.uart
            .borrow_mut()
            .feed(&packet(2, 10).iter().map(|byte| byte & 0x3F).collect::<Vec<_>>());
        line.uart.borrow_mut().feed_bad(0x41);
        line.uart.borrow_mut().feed(&[0x42, 0xC0]);
        line.peer.arrive(&packet(3, 100));
        assert_eq!(line.run(100).0, [packet(1, 100), packet(3, 100)], "{kind:?}");
        assert_eq!(line.nic.statistics().errors_in, 1);
    }
}

#[test]
fn packet_that_no_buffer_holds_is_dropped_alone() {
    let mut line = line(Kind::Ns16550A, 115_200);
    for length in [1500, 1501, 4000, 20] {
        line.peer.arrive(&packet(length, length));
    }
    assert_eq!(line.run(500).0, [packet(1500, 1500), packet(20, 20)]);
    assert_eq!(line.nic.statistics().errors_in, 2);
    assert_eq!(line.nic.send(&[]), Err(SendError::BadLength));
    assert_eq!(line.nic.send(&[0; 1501]), Err(SendError::BadLength));
}

#[test]
fn wrong_escapes_and_empty_packets_are_borne() {
    let mut line = line(Kind::Ns16550A, 115_200);
    // RFC 1055: the byte behind a wrong escape is taken as it is.
    line.uart.borrow_mut().feed(&[0xC0, 0xC0, 0x01, 0xDB, 0x02, 0xDB, 0xC0, 0xC0]);
    line.uart.borrow_mut().feed(&encode(&[0xDC, 0xDD, 0xDB, 0xC0]));
    assert_eq!(line.run(500).0, [vec![1, 2], vec![0xDC, 0xDD, 0xDB, 0xC0]]);
}

#[test]
fn interrupts_are_for_bytes_that_came_and_for_room_while_there_is_something_to_send() {
    let mut line = line(Kind::Ns16550A, 115_200);
    line.bus.elapse(10_000);
    assert!(!line.uart.borrow().interrupts());
    line.nic.send(&packet(1, 100)).unwrap();
    line.bus.elapse(10_000);
    assert!(line.uart.borrow().interrupts());
    line.run(500);
    assert!(!line.uart.borrow().interrupts());
    line.peer.arrive(&packet(1, 5));
    line.bus.elapse(500);
    assert!(line.uart.borrow().interrupts());
    line.run(500);
    assert!(!line.uart.borrow().interrupts());
}
