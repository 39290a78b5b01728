//! Names on their way: the disk has bytes of a code page, the control connection is a Telnet stream, and
//! the client may speak UTF-8 (FTPSRV_CODEPAGE; RFC 2640).
//!
//! May call `vfs` (code pages). Everything else in `ftp` deals in the disk's bytes.

use core::net::SocketAddrV4;

use super::link::ControlLink;
use super::reply::{Line, MAX_REPLY};
use crate::config::settings::CodePage as Setting;
use crate::vfs::codepage::{CP437, CP850, CodePage, CodePageError};

/// Stands for a character that the code page has not: no name may have it, so such names are refused.
const NO_CHARACTER: u8 = 0x7F;

/// The code page that names are converted from; `None`: they travel as they are.
pub fn code_page(setting: Setting) -> Option<&'static CodePage> {
    match setting {
        Setting::Raw => None,
        Setting::Cp437 => Some(&CP437),
        Setting::Cp850 => Some(&CP850),
    }
}

/// Bytes of earlier replies that the client need not have acknowledged for the next to be sent.
const UNACKNOWLEDGED: usize = 280;

/// What a control connection's send buffer must hold: the longest line of a reply, behind earlier ones.
pub const fn send_buffer(setting: Setting) -> usize {
    MAX_REPLY * growth(matches!(setting, Setting::Raw)) + UNACKNOWLEDGED
}

/// How many bytes one may become: of UTF-8, or, where they travel `raw`, Telnet's escape twice.
const fn growth(raw: bool) -> usize {
    if raw { 2 } else { 3 }
}

/// The disk's bytes of what a client has sent, in `out`; `None` when it stays as it is: there is no code
/// page, or it is not UTF-8 and so must have been meant as bytes.
pub fn to_disk<'o>(
    page: Option<&CodePage>,
    text: &[u8],
    out: &'o mut [u8],
) -> Option<Result<&'o [u8], CodePageError>> {
    match page?.to_disk(text, Some(NO_CHARACTER), out) {
        Err(CodePageError::NotUtf8) => None,
        other => Some(other),
    }
}

/// Adds a listing's line to `recoded`, as the data connection carries it where there is a code page.
pub fn recode(page: &CodePage, line: &Line, recoded: &mut Line) {
    page.to_wire(line.as_bytes(), &mut |bytes| {
        recoded.bytes(bytes);
    });
}

/// The control connection, on which replies are converted.
pub struct WireLink<'a> {
    /// The connection itself.
    pub inner: &'a mut dyn ControlLink,
    /// Where there is one, UTF-8 is sent.
    pub page: Option<&'static CodePage>,
}

impl ControlLink for WireLink<'_> {
    fn peer(&self) -> SocketAddrV4 {
        self.inner.peer()
    }

    fn local(&self) -> SocketAddrV4 {
        self.inner.local()
    }

    fn receive(&mut self, take: &mut dyn FnMut(&[u8]) -> usize) {
        self.inner.receive(take);
    }

    /// Whatever has this much room can be sent whole.
    fn room(&self) -> usize {
        self.inner.room() / growth(self.page.is_none())
    }

    fn send(&mut self, data: &[u8]) -> usize {
        let inner = &mut *self.inner;
        match self.page {
            Some(page) => page.to_wire(data, &mut |bytes| {
                inner.send(bytes);
            }),
            // 255 is Telnet's escape, and doubled means itself (RFC 854).
            None => {
                for piece in data.split_inclusive(|&byte| byte == 255) {
                    inner.send(piece);
                    if piece.last() == Some(&255) {
                        inner.send(&[255]);
                    }
                }
            }
        }
        data.len()
    }

    fn doubt(&mut self) {
        self.inner.doubt();
    }

    fn is_drained(&self) -> bool {
        self.inner.is_drained()
    }

    fn may_receive(&self) -> bool {
        self.inner.may_receive()
    }

    fn is_dead(&self) -> bool {
        self.inner.is_dead()
    }

    fn close(&mut self) {
        self.inner.close();
    }

    fn abort(&mut self) {
        self.inner.abort();
    }
}
