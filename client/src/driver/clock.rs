//! The machine's clock, which advances while the computer sleeps, and detects that it slept.
//!
//! On Linux and macOS the monotonic clock of timers stops during a sleep, so a time-out of four minutes would
//! end after four minutes awake. The wall clock advances, but may be set. The machine's time is therefore the
//! monotonic clock plus the time that the wall clock gained on it during sleeps.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::machine::Moment;

/// The time between two checks of the clocks.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The gain of the wall clock that only a sleep explains. A smaller gain is a clock being corrected.
const SLEEP_GAIN: Duration = Duration::from_secs(10);

/// The time between two checks that only a sleep explains, on systems where both clocks advance during a sleep.
const SLEEP_PAUSE: Duration = Duration::from_secs(65);

/// The clock of one client.
pub(super) struct Clock {
    start: Instant,
    /// The time that the monotonic clock missed.
    slept: Duration,
    checked: (SystemTime, Instant),
}

impl Clock {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            slept: Duration::ZERO,
            checked: (SystemTime::now(), now),
        }
    }

    pub(super) fn now(&self) -> Moment {
        self.start.elapsed() + self.slept
    }

    /// Converts a moment of the machine to the instant for a timer.
    pub(super) fn instant_of(&self, moment: Moment) -> Instant {
        self.start + moment.saturating_sub(self.slept)
    }

    /// Returns true if the computer slept since the last check.
    pub(super) fn has_jumped(&mut self) -> bool {
        let (wall, monotonic) = (SystemTime::now(), Instant::now());
        // A wall clock that was set back gained nothing.
        let wall_elapsed = wall.duration_since(self.checked.0).unwrap_or_default();
        let elapsed = monotonic - self.checked.1;
        self.checked = (wall, monotonic);
        let jump = jump(wall_elapsed, elapsed);
        self.slept += jump.unwrap_or_default();
        jump.is_some()
    }
}

/// Returns the time that the monotonic clock missed since the last check. `None` if the computer did not sleep.
fn jump(wall_elapsed: Duration, elapsed: Duration) -> Option<Duration> {
    let gain = wall_elapsed.saturating_sub(elapsed);
    if gain > SLEEP_GAIN {
        return Some(gain);
    }
    (elapsed > SLEEP_PAUSE).then_some(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_detected_whichever_clock_advances_in_it() {
        for (wall_elapsed, elapsed, expected) in [
            (5, 5, None),
            (3605, 5, Some(3600)),
            (3605, 3605, Some(0)),
            (7, 5, None),
            (0, 5, None),
            (60, 60, None),
        ] {
            let seconds = Duration::from_secs;
            let jump = jump(seconds(wall_elapsed), seconds(elapsed));
            assert_eq!(jump, expected.map(seconds), "{wall_elapsed} {elapsed}");
        }
    }

    #[test]
    fn clock_advances_by_the_time_of_a_sleep() {
        let mut clock = Clock::new();
        let before = clock.now();
        clock.checked.0 -= Duration::from_secs(3600);
        assert!(clock.has_jumped());
        assert!(clock.now() - before >= Duration::from_secs(3600));
        assert!(clock.instant_of(clock.now()) <= Instant::now());
        assert!(!clock.has_jumped());
    }
}
