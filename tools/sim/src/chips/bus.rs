//! The I/O space: devices at ranges of ports, all ones where there is none, and simulated time.

use std::cell::RefCell;
use std::rc::Rc;

use ftpsrv::hw::ports::Ports;

use super::lent::Lent;

/// Something that answers at ports.
pub trait Device {
    /// Whether it answers at `port`.
    fn decodes(&self, port: u16) -> bool;

    /// A read of `size` bytes (1, 2 or 4) at `port`, one that it decodes.
    fn read(&mut self, port: u16, size: u8) -> u32;

    /// A write of `size` bytes at `port`.
    fn write(&mut self, port: u16, size: u8, value: u32);

    /// `us` microseconds have passed.
    fn elapse(&mut self, us: u32) {
        let _ = us;
    }

    /// Its interrupt line, and how often it has raised that.
    fn interrupts(&self) -> Option<(u8, u64)> {
        None
    }
}

/// Microseconds between interrupts of the PC's timer.
const TICK_US: u64 = 54_925;
/// What passes before a PC that rests is looked at again.
const STEP_US: u32 = 50;

#[derive(Default)]
struct Inner {
    devices: Vec<Rc<RefCell<dyn Device>>>,
    now_us: u64,
    accesses: u64,
    stray_writes: Vec<u16>,
    /// Of each line, interrupts that ended a rest.
    served: [u64; 16],
    deaf: bool,
}

/// A handle to the bus; clones share it.
#[derive(Clone, Default)]
pub struct PortBus(Rc<RefCell<Inner>>, Lent);

impl PortBus {
    /// A bus without devices.
    pub fn new() -> PortBus {
        PortBus::default()
    }

    /// Plugs a device in, and returns the handle through which a test watches it.
    pub fn plug<D: Device + 'static>(&self, device: D) -> Rc<RefCell<D>> {
        let device = Rc::new(RefCell::new(device));
        self.0.borrow_mut().devices.push(device.clone());
        device
    }

    /// Memory that drivers have lent to bus masters.
    pub fn lent(&self) -> Lent {
        self.1.clone()
    }

    /// Microseconds since the start. Every access takes one, as on ISA.
    pub fn now_us(&self) -> u64 {
        self.0.borrow().now_us
    }

    /// IN and OUT instructions so far; a string instruction counts each of its elements.
    pub fn accesses(&self) -> u64 {
        self.0.borrow().accesses
    }

    /// Ports without a device that were written to.
    pub fn stray_writes(&self) -> Vec<u16> {
        self.0.borrow().stray_writes.clone()
    }

    /// No interrupt but the timer's gets through from now on.
    pub fn cut_lines(&self) {
        self.0.borrow_mut().deaf = true;
    }

    /// Lines that came since the last call, a bit for each.
    fn came(&self) -> u16 {
        let mut inner = self.0.borrow_mut();
        let raised: Vec<_> =
            inner.devices.iter().filter_map(|it| it.borrow().interrupts()).collect();
        let mut lines = 0;
        for (irq, count) in raised {
            let served = std::mem::replace(&mut inner.served[usize::from(irq)], count);
            lines |= u16::from(served != count && !inner.deaf) << irq;
        }
        lines
    }

    /// Lets time pass.
    pub fn elapse(&self, us: u32) {
        let mut inner = self.0.borrow_mut();
        inner.now_us += u64::from(us);
        for device in &inner.devices {
            device.borrow_mut().elapse(us);
        }
    }

    fn device(&self, port: u16) -> Option<Rc<RefCell<dyn Device>>> {
        self.elapse(1);
        let mut inner = self.0.borrow_mut();
        inner.accesses += 1;
        inner.devices.iter().find(|device| device.borrow().decodes(port)).cloned()
    }

    fn read(&self, port: u16, size: u8) -> u32 {
        match self.device(port) {
            Some(device) => device.borrow_mut().read(port, size),
            None => u32::MAX,
        }
    }

    fn write(&self, port: u16, size: u8, value: u32) {
        match self.device(port) {
            Some(device) => device.borrow_mut().write(port, size, value),
            None => self.0.borrow_mut().stray_writes.push(port),
        }
    }
}

impl Ports for PortBus {
    fn inb(&mut self, port: u16) -> u8 {
        self.read(port, 1) as u8
    }

    fn outb(&mut self, port: u16, value: u8) {
        self.write(port, 1, u32::from(value));
    }

    fn inw(&mut self, port: u16) -> u16 {
        self.read(port, 2) as u16
    }

    fn outw(&mut self, port: u16, value: u16) {
        self.write(port, 2, u32::from(value));
    }

    fn inl(&mut self, port: u16) -> u32 {
        self.read(port, 4)
    }

    fn outl(&mut self, port: u16, value: u32) {
        self.write(port, 4, value);
    }

    fn lend(&mut self, start: *const u8, length: usize) -> Option<u32> {
        Some(self.1.lend(start, length))
    }

    fn delay_us(&mut self, us: u32) {
        self.elapse(us);
    }

    fn rest(&mut self, irq: u8) -> (bool, u32) {
        let start = self.now_us();
        let tick = (start / TICK_US + 1) * TICK_US;
        loop {
            let lines = self.came();
            let now = self.now_us();
            if lines != 0 || now >= tick {
                return (lines >> irq & 1 != 0, (now - start).max(20) as u32);
            }
            self.elapse(STEP_US);
        }
    }
}
