//! The queues' clock: real time plus the time that tests skip.
//!
//! It runs on tokio's time, so a test that pauses tokio pauses the queues. It can be advanced
//! alone, so a test with real processes and sockets need not wait for a visibility timeout.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::{sync::watch, time::Instant};

/// A clock that can be advanced; an advance wakes sleepers on it.
#[derive(Debug)]
pub struct Clock {
    started_at: SystemTime,
    started: Instant,
    skipped: watch::Sender<Duration>,
}

impl Clock {
    /// Makes a clock with the machine's time.
    pub fn new() -> Self {
        Self {
            started_at: SystemTime::now(),
            started: Instant::now(),
            skipped: watch::Sender::new(Duration::ZERO),
        }
    }

    /// Returns the time, which never goes back.
    pub fn now(&self) -> SystemTime {
        self.started_at + self.started.elapsed() + *self.skipped.borrow()
    }

    /// Advances the clock and wakes sleepers whose time has come.
    pub fn advance(&self, by: Duration) {
        self.skipped.send_modify(|skipped| *skipped += by);
    }

    /// Waits until the clock shows `time` or later.
    pub async fn sleep_until(&self, time: SystemTime) {
        let mut skipped = self.skipped.subscribe();
        while let Some(left) = time
            .duration_since(self.now())
            .ok()
            .filter(|left| !left.is_zero())
        {
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = skipped.changed() => {}
            }
        }
    }
}

/// Returns the duration since the epoch. The clock starts at the machine's time and only goes
/// forward, so it never shows an earlier time.
pub(super) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn clock_follows_paused_tokio_time() {
        let clock = Clock::new();
        let before = clock.now();
        clock.sleep_until(before + HOUR).await;
        assert!(clock.now() >= before + HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn advance_wakes_a_sleeper_at_once() {
        let (clock, started) = (Clock::new(), Instant::now());
        let wake_up = clock.now() + HOUR;
        tokio::join!(clock.sleep_until(wake_up), async { clock.advance(HOUR) });
        assert!(clock.now() >= wake_up);
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
