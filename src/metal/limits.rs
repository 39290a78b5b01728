//! What the machine can do without a server (feature `limits`): reads its disk, then sends to whoever
//! connects to one port, and receives from whoever connects to another. `cargo xtask bench` measures the
//! server's share of it.
//!
//! The same drivers and the same network layer, with the buffers that MTCP.CFG gives a client.

use ftpsrv::block::{DiskKind, Disks, Lba};
use ftpsrv::config::{Settings, Severity};
use ftpsrv::memory::Memory;
use ftpsrv::net::nic::Nic;
use ftpsrv::net::{AddressPlan, DataPort, DataState, Plan, Stack};
use ftpsrv::server::Machine;
use ftpsrv::server::desk::Desk;

use super::disks::PcDisks;
use super::fault;
use super::memory::Arena;
use super::pc::Pc;

/// Bytes that are read of the disk, and at a time.
const DISK_BYTES: usize = 8 << 20;
const DISK_PIECE: usize = 16 << 10;
/// Times that they are read.
const DISK_RUNS: usize = 5;

/// Measures and serves until the PC is switched off.
pub fn run(
    pc: &mut Pc,
    desk: &mut Desk<'static>,
    card: &'static mut dyn Nic,
    settings: &Settings,
    arena: &mut Arena,
) -> ! {
    let Ok(buffer) = arena.bytes("the disk", DISK_PIECE) else { fault::stop(&"no memory") };
    // With little memory the disks are not read.
    if let Ok(mut disks) = PcDisks::find(arena) {
        read_disk(pc, desk, &mut disks, buffer);
    }
    let file_buffer = settings.file_buffer;
    let plan = Plan {
        address: AddressPlan::Dhcp { hostname: "limits" },
        mtu: settings.mtu,
        control_port: settings.control_port,
        control_sockets: 1,
        control_buffers: (1024, 1024),
        data_sockets: 2,
        data_buffers: (settings.tcp_buffer + file_buffer, file_buffer),
        kept: 0,
        per_address: 1,
        seed: pc.entropy(),
    };
    let stack = match Stack::new(card, &plan, arena, pc.now()) {
        Ok(stack) => stack,
        Err(error) => fault::stop(&error),
    };
    if let Err(error) = stack.furnish(arena) {
        fault::stop(&error)
    }
    let (mut ready, mut last_work) = (false, pc.now());
    loop {
        let now = pc.now();
        if !stack.poll(now, usize::from(settings.packets_per_poll)).is_idle() {
            last_work = now;
        }
        // The emulator's NAT: every client looks like it.
        let Some(peer) = stack.address().and_then(|address| address.gateway) else { continue };
        for (slot, serve) in [source as fn(&mut DataPort<'_, '_>), sink].into_iter().enumerate() {
            let Some(mut port) = stack.data(slot) else { continue };
            if port.state() == DataState::Idle {
                // A port that is not free yet is tried again in the next turn.
                let _ = port.listen(settings.pasv_base + slot as u16, peer);
            }
            serve(&mut port);
        }
        if !ready {
            ready = true;
            let (source, sink) = (settings.pasv_base, settings.pasv_base + 1);
            let line = format_args!("LIMITS READY source {source} sink {sink}");
            desk.say(pc, line, Severity::Note);
        }
        pc.poll();
        if last_work != now {
            pc.idle(now.since(last_work), false);
        }
    }
}

/// Sends whatever lies in the buffer, as fast as it goes.
fn source(port: &mut DataPort<'_, '_>) {
    match port.state() {
        DataState::Open => port.send(&mut |space| space.len()),
        DataState::PeerClosed | DataState::Dead => port.abort(),
        _ => {}
    }
}

/// Takes everything, and closes when the client has.
fn sink(port: &mut DataPort<'_, '_>) {
    match port.state() {
        DataState::Open | DataState::PeerClosed => {
            port.receive(&mut |bytes| bytes.len());
            if port.state() == DataState::PeerClosed && port.waiting() == 0 {
                port.close();
            }
        }
        DataState::Dead => port.abort(),
        _ => {}
    }
}

/// Says how long the start of the first hard disk takes to read.
fn read_disk(pc: &mut Pc, desk: &mut Desk<'static>, disks: &mut PcDisks, buffer: &mut [u8]) {
    disks.assign();
    let hard = |info: &ftpsrv::block::DiskInfo| info.kind == DiskKind::Hard;
    let mut ids = (0..disks.count()).map(ftpsrv::block::DiskId);
    let Some(disk) = ids.find(|disk| disks.info(*disk).is_some_and(|info| hard(&info))) else {
        return;
    };
    let sectors = buffer.len() / ftpsrv::block::SECTOR;
    for _ in 0..DISK_RUNS {
        let start = pc.now();
        let pieces = (0..DISK_BYTES / buffer.len()).map(|piece| Lba((piece * sectors) as u32));
        let bad = pieces.filter(|lba| disks.read(disk, *lba, buffer).is_err()).count();
        let ms = pc.now().since(start);
        let line = format_args!("LIMITS disk: {DISK_BYTES} bytes in {ms} ms, {bad} errors");
        desk.say(pc, line, Severity::Note);
    }
}
