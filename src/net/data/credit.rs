//! What the peers of several uploads may send: the card's ring, lent out in pieces that are worth a packet of ours.
//!
//! A connection's credit is what its peer may still send, up to the edge of the window that was announced last. A run
//! of segments costs little more than one. So the ring is not divided evenly: an acknowledgement waits until a credit
//! for a run fits in the ring beside the others' credits, or for [`HOLDS`] milliseconds.

use crate::net::packet::Segment;
use crate::net::sender::MSS;
use crate::time::Millis;

/// Bytes of a run.
pub(super) const RUN: usize = 6 * MSS;
/// Bytes that a new peer may send at once beside other uploads.
pub(super) const FIRST: usize = 2 * MSS;
/// Milliseconds that a credit counts for: whoever does not use it for longer has nothing to send.
const HOLDS: u64 = 50;

/// What a peer may still send.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Credit {
    /// Sequence numbers: behind what has come, and of the window's edge.
    came: u32,
    edge: u32,
    /// When it was given.
    since: Millis,
    /// Bytes of it that count as taken in the ring.
    lent: usize,
}

impl Credit {
    /// Bytes of it.
    fn left(&self) -> usize {
        usize::try_from(self.edge.wrapping_sub(self.came).cast_signed()).unwrap_or(0)
    }

    /// Bytes of it that count as taken in the ring.
    pub(super) fn lent(&self) -> usize {
        self.lent
    }

    /// Looks whether it still counts; how much of it does.
    pub(super) fn recount(&mut self, now: Millis) -> usize {
        if now.since(self.since) >= HOLDS {
            self.lent = 0;
        }
        self.lent
    }

    /// Lets it count no longer: the upload is over.
    pub(super) fn end(&mut self) {
        self.lent = 0;
    }

    /// Takes what `segment` brought; `on`: it goes on where the one before ended. What does not is answered at once.
    pub(super) fn take(&mut self, segment: &Segment, on: bool) {
        if !on && segment.sequence != self.came {
            (self.since, self.lent) = (Millis(0), 0);
        }
        self.came = segment.sequence.wrapping_add(segment.payload.into());
        self.lent = self.lent.min(self.left());
    }

    /// Notes that the window's `edge` was announced; it counts where the connection `uploads`.
    pub(super) fn renew(&mut self, edge: u32, now: Millis, uploads: bool) {
        (self.edge, self.since) = (edge, now);
        self.lent = if uploads { self.left() } else { 0 };
    }

    /// The window for the next acknowledgement, bytes; `None`: it waits. Of the `ring` bytes of the card's, `others` are
    /// lent, and a connection gets a run or its even `share`; `mss`: bytes of a segment. `quiet`: nothing more is in
    /// the ring.
    pub(super) fn window(
        &self,
        (ring, share, mss): (usize, usize, usize),
        others: usize,
        quiet: bool,
        now: Millis,
    ) -> Option<usize> {
        let (left, most) = (self.left(), share.max(RUN).min(ring));
        let window = ring.saturating_sub(others).min(most).max(left);
        // Less is not worth a packet, unless the peer waits for what he is owed.
        let gain = most / 2;
        let awaited = left >= gain && !quiet;
        let late = now.since(self.since) >= HOLDS && window >= mss;
        (late || !awaited && window >= left + gain).then_some(window)
    }
}
