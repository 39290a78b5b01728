//! The PC as the server sees it.

use core::arch::asm;

use ftpsrv::console::{Key, SerialKeys, TextScreen};
use ftpsrv::hw::pic::Lines;
use ftpsrv::hw::ports::Ports;
use ftpsrv::hw::uart::{self, Uart};
use ftpsrv::hw::{pit, rtc, speaker};
use ftpsrv::server::Machine;
use ftpsrv::time::{DateTime, Millis};

use super::clock::Clock;
use super::display::Display;
use super::ports::IoPorts;
use super::{interrupt, keyboard, low};

/// A page of figures fits.
const SERIAL_QUEUE: usize = 1536;
/// Milliseconds that a full queue takes to leave, with the transmitter's own, and half as much again.
const LAST_WORDS: u64 = 200;
/// Milliseconds without any work after which the CPU halts though the card's interrupt may not end it.
const REST_AFTER: u64 = 20;
/// Times that an interrupt has to come to be relied on.
const PROVEN: u8 = 3;
/// The RTC is read anew after so many milliseconds.
const DATE_AGE: u64 = 200;

/// Interrupt lines that are to end a HLT.
#[derive(Default)]
struct Wake {
    lines: Lines,
    /// How often they came.
    came: u8,
}

impl Wake {
    fn open(&mut self, lines: Lines) {
        (0..16).filter(|irq| lines >> irq & 1 != 0).for_each(interrupt::open);
        self.lines |= lines;
    }

    fn count(&mut self, lines: Lines) {
        self.came = self.came.saturating_add(u8::from(lines & self.lines != 0));
    }

    fn is_proven(&self) -> bool {
        self.came >= PROVEN
    }
}

/// The PC.
pub struct Pc {
    clock: Clock,
    display: Option<Display>,
    serial: Option<Uart<IoPorts>>,
    queue: [u8; SERIAL_QUEUE],
    queue_start: usize,
    queue_len: usize,
    date: Option<(Millis, DateTime)>,
    /// Something ends a HLT within milliseconds.
    wakes: bool,
    /// The network card's interrupt, and the disks'.
    card: Wake,
    disks: Wake,
    /// Keys come from COM1 too.
    keys: Option<SerialKeys>,
}

impl Pc {
    /// Starts clock, COM1 and the interrupts; shows text on `display`.
    pub fn new(display: Option<Display>) -> Pc {
        let clock = Clock::start();
        interrupt::enable();
        Pc {
            clock,
            display,
            serial: Uart::new(IoPorts, uart::COM1, uart::MAX_BAUD),
            queue: [0; SERIAL_QUEUE],
            queue_start: 0,
            queue_len: 0,
            date: None,
            wakes: interrupt::start_rtc(),
            card: Wake::default(),
            disks: Wake::default(),
            keys: None,
        }
    }

    /// The display's name.
    pub fn display_name(&self) -> &'static str {
        self.display.as_ref().map_or("none", |display| display.name)
    }

    /// Takes keys from a terminal on COM1, besides the keyboard's.
    pub fn listen_to_serial(&mut self) {
        self.keys = Some(SerialKeys::default());
    }

    /// Waits until COM1 has sent what was said so far.
    pub fn drain_serial(&mut self) {
        let start = self.now();
        while self.now().since(start) < LAST_WORDS {
            self.poll();
        }
    }

    /// Leaves COM1 to somebody else: SLIP.
    pub fn give_up_serial(&mut self) {
        self.serial = None;
        self.queue_len = 0;
    }

    /// Whether [`Machine::idle`] halts the CPU.
    #[cfg(feature = "selftest")]
    pub fn halts(&self) -> bool {
        self.wakes
    }

    /// Lets the disks' interrupts end a HLT.
    pub fn wake_on_disks(&mut self, lines: Lines) {
        self.disks.open(lines);
    }

    /// Lets the network card's interrupt end a HLT.
    pub fn wake_on(&mut self, irq: u8) {
        self.card.open((1 << irq) & interrupt::CARDS);
    }
}

impl Machine for Pc {
    fn now(&self) -> Millis {
        self.clock.now()
    }

    fn date_time(&mut self) -> DateTime {
        let now = self.now();
        if let Some((read, date)) = self.date
            && now.since(read) < DATE_AGE
        {
            return date;
        }
        let date = rtc::date_time(&mut IoPorts).unwrap_or(DateTime::EPOCH);
        self.date = Some((now, date));
        date
    }

    fn key(&mut self) -> Option<Key> {
        if let (Some(keys), Some(serial)) = (&mut self.keys, &mut self.serial) {
            while let Some((byte, _)) = serial.get() {
                if let Some(key) = keys.push(byte) {
                    return Some(key);
                }
            }
        }
        keyboard::key()
    }

    fn screen(&mut self) -> Option<&mut dyn TextScreen> {
        self.display.as_mut().map(|display| &mut display.screen as &mut dyn TextScreen)
    }

    fn serial(&mut self, bytes: &[u8]) {
        if self.serial.is_none() {
            return;
        }
        let mut rest = bytes;
        while self.queue_len < SERIAL_QUEUE && !rest.is_empty() {
            // Up to the queue's end, or to its beginning.
            let end = (self.queue_start + self.queue_len) % SERIAL_QUEUE;
            let place = &mut self.queue[end..];
            let count = rest.len().min(place.len()).min(SERIAL_QUEUE - self.queue_len);
            place[..count].copy_from_slice(&rest[..count]);
            self.queue_len += count;
            rest = &rest[count..];
        }
        self.poll();
    }

    fn poll(&mut self) {
        interrupt::check_stack();
        let Some(serial) = &mut self.serial else { return };
        while self.queue_len > 0 {
            let end = (self.queue_start + self.queue_len).min(SERIAL_QUEUE);
            let taken = serial.write(self.queue.get(self.queue_start..end).unwrap_or_default());
            if taken == 0 {
                return;
            }
            self.queue_start = (self.queue_start + taken) % SERIAL_QUEUE;
            self.queue_len -= taken;
        }
    }

    fn tone(&mut self, hertz: u16) {
        speaker::tone(&mut IoPorts, hertz);
    }

    /// Without an RTC that wakes the CPU it does not sleep: a client would wait for the timer's tick. While
    /// nobody has seen the card's and the disks' interrupts come, it does not sleep where a packet or a disk is
    /// to be expected.
    fn idle(&mut self, rested: u64, disk: bool) {
        let expected = self.card.is_proven() && (!disk || self.disks.is_proven());
        let rests = expected || !disk && rested >= REST_AFTER;
        let lines = if rests && self.wakes && self.queue_len == 0 {
            interrupt::halt()
        } else {
            interrupt::came()
        };
        self.card.count(lines);
        self.disks.count(lines);
    }

    fn entropy(&mut self) -> u64 {
        let mut state = u64::from(low::read::<u32>(low::TICKS)) << 32;
        if let Some(date) = rtc::date_time(&mut IoPorts) {
            state ^= u64::from(date.to_seconds());
        }
        for _ in 0..8 {
            // The two clocks drift against each other and against memory refresh.
            state = (state ^ u64::from(pit::elapsed(&mut IoPorts)))
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(23);
        }
        state
    }

    fn restart(&mut self) -> ! {
        const WARM: u16 = 0x1234;
        low::write(low::RESET_FLAG, WARM);
        rtc::stop_periodic(&mut IoPorts);
        // The keyboard controller pulses the CPU's reset line; where there is none, port 92h does, or
        // an exception without a table.
        IoPorts.outb(0x64, 0xFE);
        IoPorts.delay_us(10_000);
        let fast = IoPorts.inb(0x92);
        if fast != 0xFF {
            IoPorts.outb(0x92, fast | 1);
            IoPorts.delay_us(10_000);
        }
        let nothing = [0u16; 3];
        // SAFETY: the PC is to go down.
        unsafe { asm!("cli", "lidt [{}]", "int 3", in(reg) &nothing, options(noreturn)) };
    }
}
