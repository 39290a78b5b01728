//! The beep for a login: a few tones, one after the other, without anybody waiting for them.

use crate::time::Millis;

/// Tones of the login beep: hertz (0 is silence) and milliseconds.
const LOGIN: [(u16, u16); 4] = [(880, 70), (0, 20), (1320, 90), (0, 0)];

/// The beeper: on or off, and where it is in the tune.
#[derive(Debug, Clone)]
pub struct Beeper {
    is_on: bool,
    /// Index into [`LOGIN`] of what sounds next.
    next: usize,
    /// When it sounds.
    due: Millis,
}

impl Default for Beeper {
    /// On and silent.
    fn default() -> Beeper {
        Beeper { is_on: true, next: LOGIN.len(), due: Millis::default() }
    }
}

impl Beeper {
    /// Whether logins are heard.
    pub const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Alt-B. A beep under way is cut by the next [`Beeper::poll`].
    pub fn toggle(&mut self) {
        self.is_on = !self.is_on;
        if !self.is_on && self.next < LOGIN.len() {
            self.next = LOGIN.len() - 1;
            self.due = Millis::default();
        }
    }

    /// Somebody logged in. A beep under way is heard to its end and stands for both.
    pub fn login(&mut self, now: Millis) {
        if self.is_on && self.next >= LOGIN.len() {
            self.next = 0;
            self.due = now;
        }
    }

    /// What the speaker is to sound from now on, in hertz, 0 for silence; `None`: as before. Called once
    /// a turn.
    pub fn poll(&mut self, now: Millis) -> Option<u16> {
        let &(hertz, length) = LOGIN.get(self.next)?;
        if now < self.due {
            return None;
        }
        self.next += 1;
        self.due = now.plus(u64::from(length));
        Some(hertz)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn listen(beeper: &mut Beeper, from: u64, to: u64) -> Vec<(u64, u16)> {
        (from..to).filter_map(|ms| beeper.poll(Millis(ms)).map(|hertz| (ms, hertz))).collect()
    }

    #[test]
    fn a_login_is_a_short_tune_that_ends_in_silence() {
        let mut beeper = Beeper::default();
        assert_eq!(listen(&mut beeper, 0, 100), []);
        beeper.login(Millis(100));
        let tones = listen(&mut beeper, 100, 2000);
        assert_eq!(tones, [(100, 880), (170, 0), (190, 1320), (280, 0)]);
    }

    #[test]
    fn logins_at_once_make_one_beep_and_later_ones_their_own() {
        let mut beeper = Beeper::default();
        beeper.login(Millis(0));
        beeper.poll(Millis(0));
        beeper.login(Millis(1));
        assert_eq!(listen(&mut beeper, 1, 1000).len(), LOGIN.len() - 1);
        beeper.login(Millis(1000));
        assert_eq!(listen(&mut beeper, 1000, 2000).len(), LOGIN.len());
    }

    #[test]
    fn off_is_silent_at_once() {
        let mut beeper = Beeper::default();
        beeper.login(Millis(0));
        assert_eq!(beeper.poll(Millis(0)), Some(880));
        beeper.toggle();
        assert_eq!(beeper.poll(Millis(1)), Some(0));
        beeper.login(Millis(2));
        assert_eq!(listen(&mut beeper, 2, 1000), []);
        beeper.toggle();
        assert!(beeper.is_on());
        assert_eq!(listen(&mut beeper, 1000, 2000), []);
    }

    #[test]
    fn a_late_turn_leaves_no_tone_out() {
        let mut beeper = Beeper::default();
        beeper.login(Millis(0));
        let tones: Vec<_> = (0..6).filter_map(|turn| beeper.poll(Millis(turn * 5000))).collect();
        assert_eq!(tones, [880, 0, 1320, 0]);
    }
}
