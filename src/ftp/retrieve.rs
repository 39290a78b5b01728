//! Downloads: from the disk straight into the data connection's send buffer.
//!
//! May call `vfs`.

use super::ascii;
use super::client::{Client, Context};
use super::link::DataState;
use super::reply::Refusal;
use super::transfer::{BROKEN_OFF, Progress, Stage, Transfer};
use crate::vfs::provider::{FileHandle, OpenFlags, Provider};
use crate::vfs::{FsError, ResolvedPath};

/// Bytes of a sector: reads end on a multiple of it, where they can.
const SECTOR: u32 = 512;

/// Bytes worth a read before the file's end.
const PIECE: usize = 16384;

/// Opens the file and learns its size.
pub(super) fn open(
    transfer: &mut Transfer,
    client: &Client,
    cx: &mut Context<'_, '_>,
) -> Result<Progress, Refusal> {
    let Some(file) = transfer.file else {
        let mut place = ResolvedPath::root();
        client.find(cx.shared.users, &mut place)?;
        // Text is read to where it can be spread from, which is elsewhere each time.
        let pinned = !transfer.ascii;
        let flags = OpenFlags { read: true, pinned, ..OpenFlags::default() };
        transfer.file = Some(cx.files.open(&place, flags)?);
        transfer.stage = Stage::Inspect;
        return Ok(Progress::Busy);
    };
    transfer.size = cx.files.attributes_of(file)?.size;
    if transfer.offset > transfer.size {
        return Err(Refusal::Reply(&(554, "REST's offset is behind the end of the file")));
    }
    transfer.stage = Stage::Connect;
    Ok(Progress::Busy)
}

/// Sends a piece: when half of the send buffer or [`PIECE`] is free, or all that is left fits. After it the next one is asked
/// for at once, so that the disk is at work with it meanwhile.
pub(super) fn send_piece(
    transfer: &mut Transfer,
    cx: &mut Context<'_, '_>,
) -> Result<Progress, Refusal> {
    let file = transfer.file.ok_or(FsError::BadHandle)?;
    if !matches!(cx.data.state(), DataState::Open | DataState::PeerClosed) {
        return Err(BROKEN_OFF);
    }
    if transfer.size == transfer.offset && !transfer.carry {
        cx.data.close();
        transfer.stage = Stage::Drain;
        return Ok(Progress::Busy);
    }
    if !send_some(transfer, file, cx)? {
        return Ok(Progress::Waiting);
    }
    match send_some(transfer, file, cx) {
        Err(Refusal::AGAIN) => {}
        result => drop(result?),
    }
    Ok(Progress::Busy)
}

/// Sends a piece, if there is one and it is time for it.
fn send_some(
    transfer: &mut Transfer,
    file: FileHandle,
    cx: &mut Context<'_, '_>,
) -> Result<bool, Refusal> {
    let left = transfer.size - transfer.offset;
    // A file of LFs alone doubles on its way.
    let most = if transfer.ascii { left.saturating_mul(2).max(1) } else { left };
    let over = left == 0 && !transfer.carry;
    let enough = (cx.data.send_capacity() / 2).min(PIECE);
    if over || cx.data.room() < enough.min(most as usize) {
        return Ok(false);
    }
    let files = &mut *cx.files;
    let mut result = Ok(());
    let mut sent = 0;
    cx.data.send(&mut |buffer| {
        let filled = if transfer.ascii {
            fill_text(transfer, files, file, buffer)
        } else {
            fill(transfer, files, file, buffer)
        };
        sent = filled.unwrap_or(0);
        result = filled.map(|_| ());
        sent
    });
    transfer.bytes = transfer.bytes.wrapping_add(sent as u32);
    result?;
    Ok(true)
}

/// Reads the file's next bytes into `buffer`, up to a sector's end where that leaves any.
fn fill(
    transfer: &mut Transfer,
    files: &mut dyn Provider,
    file: FileHandle,
    buffer: &mut [u8],
) -> Result<usize, FsError> {
    let left = transfer.size - transfer.offset;
    let mut length = left.min(u32::try_from(buffer.len()).unwrap_or(u32::MAX));
    if length < left {
        let end = (transfer.offset + length) / SECTOR * SECTOR;
        if end > transfer.offset {
            length = end - transfer.offset;
        }
    }
    if length == 0 {
        return Ok(0);
    }
    let read = files.read(file, transfer.offset, &mut buffer[..length as usize])?;
    // The file cannot have become shorter while it is open: the disk contradicts itself.
    if read == 0 {
        return Err(FsError::Damaged);
    }
    transfer.offset += read as u32;
    Ok(read)
}

/// As [`fill`], with every line end sent as CRLF: what is read into the buffer's second half is spread
/// over the whole.
fn fill_text(
    transfer: &mut Transfer,
    files: &mut dyn Provider,
    file: FileHandle,
    buffer: &mut [u8],
) -> Result<usize, FsError> {
    if transfer.carry {
        if let Some(first) = buffer.first_mut() {
            *first = b'\n';
            transfer.carry = false;
            return Ok(1);
        }
        return Ok(0);
    }
    let start = buffer.len() / 2;
    let read = fill(transfer, files, file, &mut buffer[start..])?;
    let (length, carry) = ascii::spread(buffer, start, read, &mut transfer.after_cr);
    transfer.carry = carry;
    Ok(length)
}
