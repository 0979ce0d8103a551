//! The retries of rows that a throttled table refuses.
//!
//! A message whose row is refused has its offset already. If its event is given back, the head may forget
//! the event before it comes again: it then claims a second offset, and clients wait until a reader has
//! filled the first. So the row is retried first, until a deadline.

use std::time::Duration;

use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout_at},
};

use super::LogError;
use crate::backoff::bound;

/// The longest pause after the first retry, which doubles with each further one up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The retries of one call of [`publish`](super::publish).
#[derive(Debug)]
pub(super) struct Patience {
    since: Instant,
    until: Instant,
    /// One row at a time is retried, in the order of their refusals. If all competed for what the table
    /// admits, the last one would wait far longer than the others.
    turn: Mutex<()>,
}

impl Patience {
    /// Returns retries that end after `time`; with none there are no retries.
    pub(super) fn of(time: Duration) -> Self {
        let since = Instant::now();
        Self {
            since,
            until: since + time,
            turn: Mutex::default(),
        }
    }

    /// Returns the time that has passed since the first request.
    pub(super) fn passed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Sends a request, again while the table is throttled.
    ///
    /// # Errors
    ///
    /// Returns the error of the last request.
    pub(super) async fn send<T, F: Future<Output = Result<T, LogError>>>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<T, LogError> {
        let mut throttled = match request().await {
            Err(error @ LogError::Throttled(_)) => error,
            answer => return answer,
        };
        let Ok(_turn) = timeout_at(self.until, self.turn.lock()).await else {
            return Err(throttled);
        };
        for retries in 0.. {
            if Instant::now() >= self.until {
                break;
            }
            match request().await {
                Err(error @ LogError::Throttled(_)) => throttled = error,
                answer => return answer,
            }
            sleep(bound(PAUSE, LONGEST_PAUSE, retries).mul_f64(fastrand::f64())).await;
        }
        Err(throttled)
    }
}
