//! The time that the machine is told, which goes on while the computer sleeps, and the notice that it slept.
//!
//! On Linux and macOS the clock of timers stands still in the meantime, so that a time-out of four minutes ends
//! four waking minutes later. The clock on the wall goes on, but may be set. So the first is used, and what the
//! second gained on it is added.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::machine::Moment;

/// The time between two looks at the clocks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The gain of the clock on the wall that only a sleep explains. Less is a clock that is being corrected.
const GAIN: Duration = Duration::from_secs(10);

/// The time between two looks that only a sleep explains, where both clocks go on in the meantime.
const LATE: Duration = Duration::from_secs(65);

/// The time of one client.
pub(super) struct Clock {
    start: Instant,
    /// The time that the clock of timers missed.
    slept: Duration,
    looked: (SystemTime, Instant),
}

impl Clock {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            slept: Duration::ZERO,
            looked: (SystemTime::now(), now),
        }
    }

    pub(super) fn now(&self) -> Moment {
        self.start.elapsed() + self.slept
    }

    /// Returns when a timer has to end that is to end at `moment`.
    pub(super) fn instant_of(&self, moment: Moment) -> Instant {
        self.start + moment.saturating_sub(self.slept)
    }

    /// Returns whether the computer slept since the last look.
    pub(super) fn has_jumped(&mut self) -> bool {
        let (wall, steady) = (SystemTime::now(), Instant::now());
        // A clock that was set back gained nothing.
        let by_the_wall = wall.duration_since(self.looked.0).unwrap_or_default();
        let passed = steady - self.looked.1;
        self.looked = (wall, steady);
        let jump = jump(by_the_wall, passed);
        self.slept += jump.unwrap_or_default();
        jump.is_some()
    }
}

/// Returns what the clock of timers missed since the last look; none if nothing was missed.
fn jump(by_the_wall: Duration, passed: Duration) -> Option<Duration> {
    let gain = by_the_wall.saturating_sub(passed);
    if gain > GAIN {
        return Some(gain);
    }
    (passed > LATE).then_some(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_noticed_whichever_clock_goes_on_in_it() {
        for (by_the_wall, passed, expected) in [
            (5, 5, None),
            (3605, 5, Some(3600)),
            (3605, 3605, Some(0)),
            (7, 5, None),
            (0, 5, None),
            (60, 60, None),
        ] {
            let seconds = Duration::from_secs;
            let jump = jump(seconds(by_the_wall), seconds(passed));
            assert_eq!(jump, expected.map(seconds), "{by_the_wall} {passed}");
        }
    }

    #[test]
    fn time_goes_on_by_what_was_slept() {
        let mut clock = Clock::new();
        let before = clock.now();
        clock.looked.0 -= Duration::from_secs(3600);
        assert!(clock.has_jumped());
        assert!(clock.now() - before >= Duration::from_secs(3600));
        assert!(clock.instant_of(clock.now()) <= Instant::now());
        assert!(!clock.has_jumped());
    }
}
