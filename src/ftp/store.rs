//! Uploads: from the data connection's receive buffer straight to the disk.
//!
//! May call `vfs`.

use super::ascii;
use super::client::{Client, Context};
use super::link::DataState;
use super::reply::Refusal;
use super::transfer::{BROKEN_OFF, Progress, Stage, StoreMode, Transfer};
use crate::vfs::FsError;
use crate::vfs::Name83;
use crate::vfs::path::{PathError, ResolvedPath};
use crate::vfs::provider::{FileHandle, OpenFlags};

/// Bytes of a sector: writes end on a multiple of it, where they can.
const SECTOR: u32 = 512;

/// Milliseconds after which less than a piece is written too, so that what a slow client has sent is not
/// lost with its connection.
const PATIENCE: u64 = 500;

/// Opens the file and finds the place in it.
pub(super) fn open(
    transfer: &mut Transfer,
    mode: StoreMode,
    client: &mut Client,
    cx: &mut Context<'_, '_>,
) -> Result<Progress, Refusal> {
    let Some(file) = transfer.file else {
        return create(transfer, mode, client, cx);
    };
    let size = cx.files.attributes_of(file)?.size;
    match mode {
        StoreMode::Append => transfer.offset = size,
        StoreMode::Resume if transfer.offset > size => {
            return Err(Refusal::Reply(&(554, "REST's offset is behind the end of the file")));
        }
        // Without FTPSRV_CLOBBER_FILES nothing that is there is overwritten.
        StoreMode::Resume if transfer.offset < size && !cx.shared.settings.clobber_files => {
            return Err(Refusal::Reply(&(553, "REST's offset is not the end of the file")));
        }
        _ => {}
    }
    transfer.stage = Stage::Connect;
    Ok(Progress::Busy)
}

#[inline(never)]
fn create(
    transfer: &mut Transfer,
    mode: StoreMode,
    client: &mut Client,
    cx: &mut Context<'_, '_>,
) -> Result<Progress, Refusal> {
    let mut flags = OpenFlags { write: true, pinned: !transfer.ascii, ..OpenFlags::default() };
    match mode {
        StoreMode::New | StoreMode::Unique => (flags.create, flags.exclusive) = (true, true),
        StoreMode::Replace => (flags.create, flags.truncate) = (true, true),
        StoreMode::Append => (flags.create, flags.append) = (true, true),
        StoreMode::Resume => {}
    }
    // For STOU the path is the directory's, and that of the name that is tried while it is.
    let is_unique = mode == StoreMode::Unique;
    if is_unique {
        client.path.enter(unique(transfer.offset))?;
    }
    let mut place = ResolvedPath::root();
    let found = client.find(cx.shared.users, &mut place);
    let opened = match found.and_then(|()| {
        check_reach(flags, &place)?;
        Ok(cx.files.open(&place, flags)?)
    }) {
        Ok(opened) => opened,
        Err(refusal) => {
            if is_unique {
                client.path.leave();
            }
            return next_name(transfer, mode, client, refusal);
        }
    };
    if is_unique {
        transfer.offset = 0;
    }
    if mode == StoreMode::Replace {
        client.long.others_lose(cx.shared.gone, &place);
    }
    client.long.keep(&place, false);
    transfer.file = Some(opened);
    transfer.stage = match mode {
        StoreMode::Append | StoreMode::Resume => Stage::Inspect,
        _ => Stage::Connect,
    };
    Ok(Progress::Busy)
}

/// Another name, where the one that was tried is taken and was our choice.
fn next_name(
    transfer: &mut Transfer,
    mode: StoreMode,
    client: &mut Client,
    refusal: Refusal,
) -> Result<Progress, Refusal> {
    match refusal {
        Refusal::Files(FsError::Exists | FsError::Busy) if mode == StoreMode::Unique => {
            transfer.offset = transfer.offset.wrapping_add(1);
        }
        Refusal::Files(FsError::Exists | FsError::IsADirectory | FsError::Busy)
            if mode != StoreMode::Unique =>
        {
            client.path.replace_last(client.long.next().ok_or(refusal)?)?;
        }
        _ => return Err(refusal),
    }
    Ok(Progress::Busy)
}

/// Refuses to make a file that DOS could not name.
fn check_reach(flags: OpenFlags, place: &ResolvedPath) -> Result<(), PathError> {
    let refused = flags.create && !place.names().is_empty() && !place.is_file_in_reach_of_dos();
    if refused { Err(PathError::TooDeep) } else { Ok(()) }
}

/// The name that STOU tries for `number`: U and seven hexadecimal digits.
fn unique(number: u32) -> Name83 {
    let mut raw = *b"U0000000   ";
    let mut rest = number;
    for place in raw[1..8].iter_mut().rev() {
        *place = b"0123456789ABCDEF"[(rest & 15) as usize];
        rest >>= 4;
    }
    Name83::from_raw(raw)
}

/// Takes a piece: when enough is there for a good write, or when no more will come. After it the next one is
/// given to the disk at once.
pub(super) fn take_piece(
    transfer: &mut Transfer,
    cx: &mut Context<'_, '_>,
) -> Result<Progress, Refusal> {
    let file = transfer.file.ok_or(FsError::BadHandle)?;
    let ended = match cx.data.state() {
        DataState::Open => false,
        DataState::PeerClosed => true,
        _ => return Err(BROKEN_OFF),
    };
    if cx.data.waiting() == 0 {
        transfer.since = cx.now;
        if ended {
            cx.data.close();
            transfer.stage = Stage::Close;
            return Ok(Progress::Busy);
        }
        return Ok(Progress::Waiting);
    }
    if !take_some(transfer, file, ended, cx)? {
        return Ok(Progress::Waiting);
    }
    match take_some(transfer, file, ended, cx) {
        Err(Refusal::AGAIN) => {}
        result => drop(result?),
    }
    Ok(Progress::Busy)
}

/// Takes a piece, if there is one and it is time for it.
fn take_some(
    transfer: &mut Transfer,
    file: FileHandle,
    ended: bool,
    cx: &mut Context<'_, '_>,
) -> Result<bool, Refusal> {
    let waiting = cx.data.waiting();
    let patient = waiting < cx.data.worth_taking() && cx.now.since(transfer.since) < PATIENCE;
    if waiting == 0 || !ended && patient {
        return Ok(false);
    }
    let files = &mut *cx.files;
    let mut result = Ok(());
    let mut taken = 0;
    cx.data.receive(&mut |received| {
        let wanted = whole_sectors(transfer.offset, received, ended);
        let run =
            if transfer.ascii { ascii::storable(wanted, transfer.after_cr) } else { wanted.len() };
        // A bare LF gets the CR that it lacks; then it can be stored as it is.
        let (text, from_wire) = if run == 0 { (&b"\r"[..], false) } else { (&wanted[..run], true) };
        match files.write(file, transfer.offset, text) {
            Ok(written) => {
                transfer.after_cr = written > 0 && text.get(written - 1) == Some(&b'\r');
                transfer.offset = transfer.offset.wrapping_add(written as u32);
                taken = if from_wire { written } else { 0 };
            }
            Err(error) => result = Err(error),
        }
        taken
    });
    result?;
    transfer.bytes = transfer.bytes.wrapping_add(taken as u32);
    transfer.since = cx.now;
    Ok(true)
}

/// As much of `received` as ends with a sector of the file, if that leaves anything.
fn whole_sectors(offset: u32, received: &[u8], ended: bool) -> &[u8] {
    let beyond = (offset.wrapping_add(received.len() as u32) % SECTOR) as usize;
    if ended || beyond >= received.len() { received } else { &received[..received.len() - beyond] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_with_a_sector() {
        let bytes = [0u8; 3000];
        assert_eq!(whole_sectors(0, &bytes, false).len(), 2560);
        assert_eq!(whole_sectors(500, &bytes, false).len(), 2572);
        assert_eq!(whole_sectors(0, &bytes, true).len(), 3000);
        assert_eq!(whole_sectors(0, &bytes[..100], false).len(), 100);
        assert_eq!(whole_sectors(412, &bytes[..100], false).len(), 100);
        assert_eq!(whole_sectors(0, &[], true).len(), 0);
    }

    #[test]
    fn unique_names_count_up() {
        assert_eq!(&unique(0x0ABC_DEF9).to_text(), b"UABCDEF9");
        assert_eq!(&unique(0xFABC_DEFA).to_text(), b"UABCDEFA");
    }
}
