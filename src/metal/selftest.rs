//! The kernel tests itself on the machine it was booted on, in place of serving (feature
//! `selftest`): what no host test can reach. `cargo xtask test` boots it and reads COM1.
//!
//! Writes to hard disk 80h, which has to be a scratch disk with "FTPSRV SCRATCH" in sector 0.
//! Then a key chooses the way to stop: PgUp invalid opcode, PgDn division by zero, Alt-S stack
//! overflow, Alt-U panic, Alt-X restart.

use core::arch::{asm, global_asm};
use core::fmt::Write;
use core::hint::black_box;

use ftpsrv::block::{DiskError, DiskId, DiskKind, Disks, Lba, SECTOR};
use ftpsrv::console::Key;
use ftpsrv::hw::rtc;
use ftpsrv::memory::Memory;
use ftpsrv::server::Machine;

use super::bios::Registers;
use super::bios_disk::BiosDisks;
use super::early::EarlyText;
use super::low;
use super::memory::Arena;
use super::pc::Pc;
use super::ports::IoPorts;

global_asm!(include_str!("selftest.s"), options(att_syntax, raw));

unsafe extern "C" {
    fn selftest_byte_swap(values: &mut [u32; 8]);
}

/// Says a line on the screen and COM1, which nobody else writes to.
macro_rules! info {
    ($($said:tt)*) => {
        // Nothing of it can fail.
        let _ = writeln!(EarlyText::new(), $($said)*);
    };
}

/// Runs the tests, then waits for a key.
pub fn run(pc: &mut Pc, arena: &mut Arena, disks: &mut BiosDisks) -> ! {
    say("byte swap", byte_swap());
    say("memory functions", memory_functions());
    // An emulator that had to wait for its host saw a second end too late.
    let passed = (0..5).any(|_| clock(pc));
    say("clock", passed);
    let passed = clock_over_bios_calls(pc);
    say("clock over BIOS calls", passed);
    let passed = midnight(pc);
    say("midnight", passed);
    let passed = idle(pc);
    say("idle", passed);
    say("scratch disk", scratch_disk(arena, disks));
    say("end", true);
    loop {
        match pc.key() {
            // SAFETY: these stop the kernel, which is what they are for.
            Some(Key::PageUp) => unsafe { asm!(".byte 0x0F, 0xFF") },
            // SAFETY: as above.
            Some(Key::PageDown) => unsafe {
                asm!("div {zero}", zero = in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _);
            },
            Some(Key::Statistics) => {
                black_box(overflow(black_box(1)));
            }
            Some(Key::Users) => panic!("asked for"),
            Some(Key::Exit) => pc.restart(),
            _ => pc.idle(u64::MAX, false),
        }
    }
}

fn say(test: &str, passed: bool) {
    info!("SELFTEST {test}: {}", if passed { "ok" } else { "FAILED" });
}

/// BSWAP of every register but ESP, on a 386 by the exception handler; the flags stay.
fn byte_swap() -> bool {
    const IN: [u32; 7] =
        [0x0102_0304, 0x8090_A0B0, 0xFFFF_0000, 0x00C0_FFEE, 0x1122_3344, 0xDEAD_BEEF, 0x7];
    const FLAGS: u32 = 0x8D5;
    let mut values = [0; 8];
    values[..7].copy_from_slice(&IN);
    // SAFETY: selftest.s keeps to these eight double words and keeps all registers.
    unsafe { selftest_byte_swap(&mut values) };
    let swapped = IN.iter().zip(&values).all(|(before, after)| {
        let [a, b, c, d] = before.to_le_bytes();
        [d, c, b, a] == after.to_le_bytes()
    });
    swapped && values[7] & FLAGS == FLAGS
}

/// memcpy, memmove both ways with overlap, memset, at all alignments and short lengths.
fn memory_functions() -> bool {
    let pattern = |index: usize| (index * 37 + 11) as u8;
    let mut buffer = [0u8; 96];
    for (from, to) in (0..12).flat_map(|from| (0..12).map(move |to| (from, to))) {
        for length in 0..40 {
            for (index, byte) in buffer.iter_mut().enumerate() {
                *byte = pattern(index);
            }
            black_box(&mut buffer).copy_within(from..from + length, to);
            black_box(&mut buffer)[to + length..].fill(0xA5);
            let right = buffer.iter().enumerate().all(|(index, &byte)| {
                byte == match index {
                    _ if index >= to + length => 0xA5,
                    _ if index >= to => pattern(index - to + from),
                    _ => pattern(index),
                }
            });
            if !right {
                return false;
            }
        }
    }
    true
}

/// Two seconds of the RTC are 2000 ms, and time never goes back.
fn clock(pc: &Pc) -> bool {
    let second = || rtc::date_time(&mut IoPorts).map(|date| date.second);
    let mut monotonic = true;
    let mut last = pc.now();
    let mut edges = [last; 2];
    let mut shown = second();
    for (index, wanted) in [1, 2].into_iter().enumerate() {
        let mut changes = 0;
        while changes < wanted {
            let now = pc.now();
            monotonic &= now >= last;
            last = now;
            let current = second();
            if current != shown {
                shown = current;
                changes += 1;
            }
        }
        edges[index] = pc.now();
    }
    let passed = edges[1].since(edges[0]);
    info!("2 s of the RTC were {passed} ms");
    monotonic && (1950..=2050).contains(&passed)
}

/// A second of BIOS calls is a second: none of its ticks is lost or counted twice.
fn clock_over_bios_calls(pc: &Pc) -> bool {
    let Some(start) = rtc::date_time(&mut IoPorts) else { return false };
    let begun = pc.now();
    let mut calls = 0u32;
    while pc.now().since(begun) < 3000 {
        Registers::ax(0x0F00).call(0x10);
        calls += 1;
    }
    let end = rtc::date_time(&mut IoPorts).unwrap_or(start);
    let seconds = end.to_seconds().saturating_sub(start.to_seconds());
    info!("{calls} BIOS calls in 3000 ms, {seconds} s of the RTC");
    (2..=4).contains(&seconds)
}

/// The tick count starts anew at midnight; the clock goes on.
fn midnight(pc: &Pc) -> bool {
    let kept: u32 = low::read(low::TICKS);
    let before = pc.now();
    low::write(low::TICKS, low::TICKS_A_DAY - 2);
    let jumped = pc.now();
    let mut last = jumped;
    while low::read::<u32>(low::TICKS) > 4 || last.since(jumped) < 150 {
        let now = pc.now();
        if now < last || now.since(last) > 900 {
            return false;
        }
        last = now;
        if last.since(jumped) > 3000 {
            return false;
        }
    }
    low::write(low::TICKS, kept);
    jumped >= before
}

/// A hundred turns of HLT take what a hundred interrupts of the RTC do, if it ticks.
fn idle(pc: &mut Pc) -> bool {
    let start = pc.now();
    for _ in 0..100 {
        pc.idle(u64::MAX, false);
    }
    let passed = pc.now().since(start);
    info!("100 HLTs took {passed} ms, RTC {}", if pc.halts() { "ticks" } else { "silent" });
    !pc.halts() || (300..3000).contains(&passed)
}

/// Writes and reads back in pieces of many sizes, from buffers above and below 1 MB.
fn scratch_disk(arena: &mut Arena, disks: &mut BiosDisks) -> bool {
    let hard = |disk: &DiskId| {
        disks
            .info(*disk)
            .is_some_and(|info| info.kind == DiskKind::Hard && info.bios_number == 0x80)
    };
    let Some(disk) = (0..disks.count()).map(DiskId).find(hard) else {
        info!("no hard disk");
        return true;
    };
    // Room for one buffer is left in conventional memory, which the BIOS is given itself; where there
    // is extended memory the other lies there, which takes the way over the bounce buffer.
    let (low, high) = arena.sizes();
    let spare = if high > 0 { low.saturating_sub(201 * SECTOR) } else { 0 };
    if arena.bytes("the self-test", spare).is_err() {
        return false;
    }
    let Ok(buffer) = arena.bytes("the self-test", 200 * SECTOR) else { return false };
    let Some(first) = buffer.get_mut(..SECTOR) else { return false };
    if disks.read(disk, Lba(0), first).is_err() || !first.starts_with(b"FTPSRV SCRATCH") {
        info!("hard disk is no scratch disk");
        return true;
    }
    let Ok(other) = arena.bytes("the self-test", 200 * SECTOR) else { return false };
    info!("buffers at {:p} and {:p}", buffer.as_ptr(), other.as_ptr());
    [(1, 1), (2, 17), (61, 5), (100, 200), (333, 128), (1000, 63)].into_iter().all(
        |(lba, count)| {
            let (Some(out), Some(back)) =
                (buffer.get_mut(..count * SECTOR), other.get_mut(..count * SECTOR))
            else {
                return false;
            };
            for (index, byte) in out.iter_mut().enumerate() {
                *byte = (index / SECTOR * 7 + index + lba) as u8;
            }
            let lba = Lba(lba as u32);
            let written =
                disks.write(disk, lba, out).is_ok() && disks.read(disk, lba, back).is_ok();
            let same = written && out == back;
            // And the other way round, so that both buffers are written from.
            back.reverse();
            out.fill(0);
            same && disks.write(disk, lba, back).is_ok()
                && disks.read(disk, lba, out).is_ok()
                && out == back
        },
    ) && disks.read(disk, Lba(u32::MAX), buffer) == Err(DiskError::OutOfRange)
}

#[expect(unconditional_recursion)]
fn overflow(depth: u32) -> u32 {
    let frame = black_box([depth; 16]);
    overflow(depth + frame[3]) + frame[5]
}
