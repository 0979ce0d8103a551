//! The queues' clock: real time, plus what a test skipped.
//!
//! It runs on tokio's time, so that a test that pauses tokio pauses the queues, and it can be
//! advanced while everything else keeps its pace, so that a test with real processes and sockets
//! need not wait for a visibility timeout.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::{sync::watch, time::Instant};

/// A clock that can be moved forward; whoever sleeps on it notices.
#[derive(Debug)]
pub struct Clock {
    started_at: SystemTime,
    started: Instant,
    skipped: watch::Sender<Duration>,
}

impl Clock {
    /// A clock that shows the machine's time.
    pub fn new() -> Self {
        Self {
            started_at: SystemTime::now(),
            started: Instant::now(),
            skipped: watch::Sender::new(Duration::ZERO),
        }
    }

    /// The time; it never goes back.
    pub fn now(&self) -> SystemTime {
        self.started_at + self.started.elapsed() + *self.skipped.borrow()
    }

    /// Moves the clock forward and wakes whoever sleeps until a time that is now past.
    pub fn advance(&self, by: Duration) {
        self.skipped.send_modify(|skipped| *skipped += by);
    }

    /// Returns once the clock shows `time` or later.
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

/// How long after the start of 1970 a time is. The clock starts at the machine's time and only goes
/// forward, so it shows none before.
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
    async fn follows_tokio_s_time() {
        let clock = Clock::new();
        let before = clock.now();
        clock.sleep_until(before + HOUR).await;
        assert!(clock.now() >= before + HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn advancing_wakes_a_sleeper_at_once() {
        let (clock, started) = (Clock::new(), Instant::now());
        let wake_up = clock.now() + HOUR;
        tokio::join!(clock.sleep_until(wake_up), async { clock.advance(HOUR) });
        assert!(clock.now() >= wake_up);
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
