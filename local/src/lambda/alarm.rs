//! A timer for deadlines that rarely expire.
//!
//! Setting a timer earlier than all others wakes the runtime's I/O driver by a system call, so a
//! new timer per invocation costs several. This timer stays unchanged if the deadline moves later,
//! and is reset if it expires too early.

use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is reused from one deadline to the next.
#[derive(Debug)]
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// Makes an alarm without a deadline.
    pub(super) fn new() -> Self {
        Self(Box::pin(sleep_until(Instant::now())))
    }

    /// Waits until `deadline`. The returned future is cancel-safe.
    pub(super) async fn until(&mut self, deadline: Instant) {
        while Instant::now() < deadline {
            if self.0.is_elapsed() || deadline < self.0.deadline() {
                self.0.as_mut().reset(deadline);
            }
            self.0.as_mut().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, timeout};

    use super::Alarm;

    #[tokio::test(start_paused = true)]
    async fn alarm_expires_at_each_deadline_also_after_a_cancelled_wait() {
        let mut alarm = Alarm::new();
        for cancelled_deadline in [None, Some(3), Some(30)] {
            for seconds in [10, 5, 0, 20] {
                if let Some(cancelled_deadline) = cancelled_deadline {
                    let limit = Duration::from_secs(cancelled_deadline);
                    timeout(limit / 2, alarm.until(Instant::now() + limit))
                        .await
                        .expect_err("the deadline is later");
                }
                let start = Instant::now();
                alarm.until(start + Duration::from_secs(seconds)).await;
                assert_eq!(start.elapsed().as_secs(), seconds);
            }
        }
    }
}
