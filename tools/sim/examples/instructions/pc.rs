//! A PC with models of an NE2000's and an IDE drive's chips, under the product's own drivers.
//!
//! Every way out of the server switches the count off for as long as it takes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::rc::Rc;

use ftpsrv::block::{Access, DiskError, DiskId, DiskInfo, DiskKind, Disks, Lba, Owner, Transfer};
use ftpsrv::config::Severity;
use ftpsrv::console::{Key, TextScreen};
use ftpsrv::hw::ata::Ata;
use ftpsrv::hw::ne2000::Ne2000;
use ftpsrv::hw::ports::Ports;
use ftpsrv::server::desk::Desk;
use ftpsrv::server::{Machine, Server, start};
use ftpsrv::time::{DateTime, Millis};
use ftpsrv::vfs::{Drive, Drives, DrivesSize, Provider};
use sim::chips::PortBus;
use sim::chips::cable::Station;
use sim::chips::dp8390::{Card, Dp8390};
use sim::chips::ide::{IdeChannel, Model};
use sim::fat_image::{TempFile, mkfs, mtools};
use sim::memory::HostMemory;
use sim::network::{Network, Plug, STATION};
use sim::pc::{Clock, Panel, Pc};

use crate::counter::outside;

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);

/// 32 MB, FAT16 with clusters of 4 KB, as larger disks have them.
const SECTORS: u32 = 65_536;
const FORMAT: [&str; 4] = ["-F", "16", "-s", "8"];
/// As the kernel divides 4 MB.
const CACHE: usize = 64 * 1024;
const CARD_PORT: u16 = 0x300;
/// What a chip takes for anything, microseconds: the bench is about the server's time, not the
/// hardware's.
const AT_ONCE: u32 = 2_000;

const CONFIG: &str = "IPADDR 10.0.0.2\r\nNETMASK 255.255.255.0\r\n\
    FTPSRV_PASSWORD_FILE C:\\FTPPASS.TXT\r\nFTPSRV_FILEBUFFER_SIZE 16\r\n\
    FTPSRV_TCPBUFFER_SIZE 16\r\n";
const PASSWORDS: &str = "tester secret [none] [any] all\r\n";

/// What port accesses are counted by.
#[derive(Clone, Copy)]
pub struct Chip(usize);

/// The network card.
pub const CARD: Chip = Chip(0);
/// The disk.
pub const DISK: Chip = Chip(1);

/// Port I/O to the chips. In the kernel each of these is one instruction, or one an element.
#[derive(Clone)]
pub struct IoSpace {
    bus: PortBus,
    chip: Chip,
    accesses: Rc<RefCell<[u64; 2]>>,
}

impl IoSpace {
    /// Uncounted, but for the number of elements that travel.
    fn access<T>(&mut self, elements: usize, act: impl FnOnce(&mut PortBus) -> T) -> T {
        outside(|| {
            let result = act(&mut self.bus);
            self.accesses.borrow_mut()[self.chip.0] += elements as u64;
            self.bus.elapse(AT_ONCE);
            result
        })
    }
}

impl Ports for IoSpace {
    #[inline(never)]
    fn inb(&mut self, port: u16) -> u8 {
        self.access(1, |bus| bus.inb(port))
    }

    #[inline(never)]
    fn outb(&mut self, port: u16, value: u8) {
        self.access(1, |bus| bus.outb(port, value));
    }

    #[inline(never)]
    fn inw(&mut self, port: u16) -> u16 {
        self.access(1, |bus| bus.inw(port))
    }

    #[inline(never)]
    fn outw(&mut self, port: u16, value: u16) {
        self.access(1, |bus| bus.outw(port, value));
    }

    #[inline(never)]
    fn inl(&mut self, port: u16) -> u32 {
        self.access(1, |bus| bus.inl(port))
    }

    #[inline(never)]
    fn outl(&mut self, port: u16, value: u32) {
        self.access(1, |bus| bus.outl(port, value));
    }

    #[inline(never)]
    fn read_bytes(&mut self, port: u16, buffer: &mut [u8]) {
        self.access(buffer.len(), |bus| bus.read_bytes(port, buffer));
    }

    #[inline(never)]
    fn write_bytes(&mut self, port: u16, data: &[u8]) {
        self.access(data.len(), |bus| bus.write_bytes(port, data));
    }

    #[inline(never)]
    fn read_words(&mut self, port: u16, buffer: &mut [u8]) {
        self.access(buffer.len().div_ceil(2), |bus| bus.read_words(port, buffer));
    }

    #[inline(never)]
    fn write_words(&mut self, port: u16, data: &[u8]) {
        self.access(data.len().div_ceil(2), |bus| bus.write_words(port, data));
    }

    #[inline(never)]
    fn read_dwords(&mut self, port: u16, buffer: &mut [u8]) {
        self.access(buffer.len().div_ceil(4), |bus| bus.read_dwords(port, buffer));
    }

    #[inline(never)]
    fn write_dwords(&mut self, port: u16, data: &[u8]) {
        self.access(data.len().div_ceil(4), |bus| bus.write_dwords(port, data));
    }

    #[inline(never)]
    fn delay_us(&mut self, us: u32) {
        outside(|| self.bus.elapse(us));
    }
}

/// The PC's one disk.
struct IdeDisk(Ata<IoSpace>);

impl Disks for IdeDisk {
    fn count(&self) -> u8 {
        1
    }

    fn info(&self, _: DiskId) -> Option<DiskInfo> {
        let sectors = self.0.identity(0)?.sectors;
        let (kind, access) = (DiskKind::Hard, Access::Ata);
        Some(DiskInfo { kind, sectors, capacity: sectors, access, bios_number: 0x80 })
    }

    fn read(&mut self, _: DiskId, lba: Lba, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.0.read(0, lba, buffer)
    }

    fn write(&mut self, _: DiskId, lba: Lba, data: &[u8]) -> Result<(), DiskError> {
        self.0.write(0, lba, data)
    }

    fn move_some(
        &mut self,
        owner: Owner,
        _: DiskId,
        lba: Lba,
        transfer: Transfer<'_>,
        ahead: u32,
    ) -> Result<usize, DiskError> {
        self.0.move_some(owner, 0, lba, transfer, ahead, self.clock())
    }

    fn flush_some(&mut self, owner: Owner, _: DiskId) -> Result<bool, DiskError> {
        self.0.flush_some(owner, 0, self.clock())
    }

    fn release(&mut self, owner: Owner) {
        self.0.release(owner);
    }

    fn engaged(&mut self, _: DiskId, owner: Option<Owner>) -> bool {
        self.0.engaged(0, owner, self.clock())
    }

    fn under_way(&mut self, _: DiskId) -> Option<(Owner, bool)> {
        self.0.under_way(0)
    }

    fn flush(&mut self, _: DiskId) -> Result<(), DiskError> {
        self.0.flush(0)
    }

    /// Its commands take no time.
    fn clock(&self) -> u32 {
        0
    }

    fn changed(&mut self, _: DiskId) -> bool {
        false
    }
}

/// The simulated PC, uncounted. What is drawn on its screen counts for the console; nothing is while a
/// file travels.
pub struct Board(Pc);

impl Machine for Board {
    #[inline(never)]
    fn now(&self) -> Millis {
        outside(|| self.0.now())
    }

    fn date_time(&mut self) -> DateTime {
        outside(|| self.0.date_time())
    }

    #[inline(never)]
    fn key(&mut self) -> Option<Key> {
        outside(|| self.0.key())
    }

    fn screen(&mut self) -> Option<&mut dyn TextScreen> {
        self.0.screen()
    }

    fn serial(&mut self, bytes: &[u8]) {
        outside(|| self.0.serial(bytes));
    }

    fn poll(&mut self) {}

    fn tone(&mut self, hertz: u16) {
        outside(|| self.0.tone(hertz));
    }

    fn idle(&mut self, _: u64, _: bool) {}

    fn entropy(&mut self) -> u64 {
        outside(|| self.0.entropy())
    }

    fn restart(&mut self) -> ! {
        self.0.restart()
    }
}

/// What the bench sees of the PC.
pub struct ChipPc {
    pub panel: Panel,
    chip: Rc<RefCell<Dp8390>>,
    accesses: Rc<RefCell<[u64; 2]>>,
}

impl ChipPc {
    /// Port accesses to a chip so far.
    pub fn accesses(&self, chip: Chip) -> u64 {
        self.accesses.borrow()[chip.0]
    }
}

/// The cable between the card's chip and the segment. Frames wait on it until the chip's ring has room.
pub struct Wire {
    plug: Plug,
    waiting: VecDeque<Vec<u8>>,
}

impl Wire {
    pub fn new(network: &Network) -> Wire {
        Wire { plug: network.attach(4096), waiting: VecDeque::new() }
    }

    /// Moves frames both ways.
    pub fn carry(&mut self, pc: &ChipPc) {
        let mut chip = pc.chip.borrow_mut();
        for frame in chip.sent.drain(..) {
            self.plug.send(&frame);
        }
        self.waiting.extend(std::iter::from_fn(|| self.plug.receive()));
        while let Some(frame) = self.waiting.pop_front_if(|frame| chip.has_room(frame.len())) {
            chip.arrive(&frame);
        }
    }
}

/// Boots a server whose disk has `content` as DOWN.BIN, and [`LISTED`] files in LIST.
pub fn boot(content: &[u8]) -> (Server<'static, 'static, Board>, ChipPc) {
    let bus = PortBus::new();
    let chip = bus.plug(Dp8390::new(Card::ne2000(CARD_PORT), STATION));
    let channel = bus.plug(IdeChannel::primary().connect(0, Model::modern(SECTORS)));
    channel.borrow_mut().drive(0).medium = medium(content);
    let accesses = Rc::new(RefCell::new([0; 2]));
    let io = |chip| IoSpace { bus: bus.clone(), chip, accesses: accesses.clone() };

    let time = DateTime { year: 1993, month: 6, day: 14, hour: 8, minute: 30, second: 0 };
    let machine = Box::leak(Box::new(Board(Pc::new(Clock::default(), time))));
    let panel = machine.0.panel();
    let mut memory = HostMemory::new(4 << 20);
    let Ok(desk) = Desk::new(machine, &mut memory) else { panic!("no memory for the desk") };
    let desk = Box::leak(Box::new(desk));
    let disks = Box::leak(Box::new(IdeDisk(Ata::find(io(DISK)))));
    let Ok(drives) = Drives::placed(disks, &mut memory, DrivesSize::of(CACHE)) else {
        panic!("no memory for the drives")
    };
    drives.set_time(time);
    let c = Drive::from_index(2).expect("C");
    let mut say = |text: std::fmt::Arguments<'_>, _: Severity| panel.note(&text.to_string());
    let Ok(start) = start::read(drives, c, &mut memory, &mut say) else {
        panic!("{}", panel.serial())
    };
    let Ok(nic) = Ne2000::new(io(CARD), CARD_PORT, None, None) else { panic!("no card") };
    let nic = Box::leak(Box::new(nic));
    let Ok(mut server) = Server::new(machine, desk, nic, drives, start, &mut memory) else {
        panic!("no memory for the server")
    };
    assert!(server.furnish(&mut memory).is_ok(), "no memory for the server's buffers");
    (server, ChipPc { panel, chip, accesses })
}

/// Files that LIST shows.
pub const LISTED: usize = 200;

fn medium(content: &[u8]) -> sim::disk::Medium {
    let files = [
        ("MTCP.CFG", CONFIG.as_bytes()),
        ("FTPPASS.TXT", PASSWORDS.as_bytes()),
        ("DOWN.BIN", content),
    ];
    let medium = files.iter().fold(mkfs(SECTORS, &FORMAT), |medium, (name, bytes)| {
        let file = TempFile::new();
        std::fs::write(file.path(), bytes).expect("a file");
        let path = file.path().to_str().expect("a path");
        mtools(&medium, "mcopy", &["-D", "o", path, &format!("::{name}")]).0
    });
    let list = TempFile::new();
    std::fs::create_dir(list.path()).expect("a directory");
    for number in 0..LISTED {
        std::fs::write(list.path().join(format!("F{number:04}.DAT")), []).expect("a file");
    }
    let path = list.path().to_str().expect("a path");
    let (medium, _) = mtools(&medium, "mcopy", &["-s", path, "::LIST"]);
    std::fs::remove_dir_all(list.path()).expect("an end");
    medium
}
