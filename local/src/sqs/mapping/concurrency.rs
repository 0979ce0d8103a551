//! The limit of concurrent invocations of one mapping.
//!
//! AWS starts with five and, during a backlog, adds 300 a minute, five a second, up to a thousand.
//! A mapping with `MaximumConcurrency` gets that number from the start. Here both are bounded by
//! the environments of a function: the records of an invocation that waits for an environment could
//! become visible again.

use std::time::Duration;

use crate::lambda::MAXIMUM_ENVIRONMENTS;

const START: usize = 5;
const STEP: usize = 5;
const STEP_TIME: Duration = Duration::from_secs(1);

/// The current limit.
#[derive(Debug)]
pub(super) struct Concurrency {
    start: usize,
    limit: usize,
    maximum: usize,
}

impl Concurrency {
    /// Starts with the template's maximum, if any.
    pub(super) fn new(maximum: Option<usize>) -> Self {
        // With a maximum of zero, no invocation would ever start.
        let maximum = maximum.map(|maximum| maximum.clamp(1, MAXIMUM_ENVIRONMENTS));
        let start = maximum.unwrap_or(START);
        Self {
            start,
            limit: start,
            maximum: maximum.unwrap_or(MAXIMUM_ENVIRONMENTS),
        }
    }

    /// Returns the current limit.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Waits until the limit has grown: each second with a backlog. Never returns at the maximum.
    pub(super) async fn grown(&mut self, backlog: impl Fn() -> bool) {
        loop {
            if self.limit >= self.maximum {
                return std::future::pending().await;
            }
            tokio::time::sleep(STEP_TIME).await;
            if backlog() {
                self.limit = self.maximum.min(self.limit + STEP);
                return;
            }
        }
    }

    /// Resets the limit after an empty queue: the next backlog starts small again.
    pub(super) fn reset(&mut self) {
        self.limit = self.start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn limit_without_maximum_grows_from_5_to_16_until_reset() {
        let mut concurrency = Concurrency::new(None);
        for expected in [5, 10, 15] {
            assert_eq!(concurrency.limit(), expected);
            concurrency.grown(|| true).await;
        }
        assert_eq!(concurrency.limit(), 16);
        let never = tokio::time::timeout(Duration::from_secs(3600), concurrency.grown(|| true));
        assert!(never.await.is_err());
        concurrency.reset();
        assert_eq!(concurrency.limit(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn limit_without_backlog_does_not_grow() {
        let mut concurrency = Concurrency::new(None);
        let never = tokio::time::timeout(Duration::from_secs(3600), concurrency.grown(|| false));
        assert!(never.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn limit_with_maximum_is_fixed_from_the_start() {
        let mut concurrency = Concurrency::new(Some(2));
        assert_eq!(concurrency.limit(), 2);
        let never = tokio::time::timeout(Duration::from_secs(3600), concurrency.grown(|| true));
        assert!(never.await.is_err());
    }

    #[test]
    fn maximum_is_clamped_to_1_and_the_number_of_environments() {
        for (maximum, limit) in [(0, 1), (1, 1), (16, 16), (1000, 16)] {
            assert_eq!(Concurrency::new(Some(maximum)).limit(), limit, "{maximum}");
        }
    }
}
