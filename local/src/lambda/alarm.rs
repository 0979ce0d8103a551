//! A timer for deadlines that hardly ever come.
//!
//! Setting a timer earlier than all others wakes the runtime's I/O driver by a system call, so a
//! fresh one per invocation costs several. This one is left as it is when the deadline moves on, and
//! set again when it goes off too early.

use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is kept from one deadline to the next.
#[derive(Debug)]
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// An alarm that goes off for nobody yet.
    pub(super) fn new() -> Self {
        Self(Box::pin(sleep_until(Instant::now())))
    }

    /// Waits until `deadline`. Nothing is lost when the returned future is dropped before.
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
    async fn every_deadline_is_waited_for_to_its_end_and_no_longer() {
        let mut alarm = Alarm::new();
        for given_up_before in [None, Some(3), Some(30)] {
            for seconds in [10, 5, 0, 20] {
                if let Some(given_up_before) = given_up_before {
                    let limit = Duration::from_secs(given_up_before);
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
