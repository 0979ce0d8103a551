//! How many invocations of one mapping may run at once.
//!
//! AWS starts with five and, while there is a backlog, adds 300 a minute, five a second, up to a
//! thousand. A mapping that sets `MaximumConcurrency` gets that number from the start. Here neither
//! goes beyond the environments a function may have: the records of an invocation that waits for one
//! could become visible again meanwhile.

use std::time::Duration;

use crate::lambda::MAXIMUM_ENVIRONMENTS;

const START: usize = 5;
const STEP: usize = 5;
const STEP_TIME: Duration = Duration::from_secs(1);

/// The limit, as it is now.
#[derive(Debug)]
pub(super) struct Concurrency {
    start: usize,
    limit: usize,
    maximum: usize,
}

impl Concurrency {
    /// With the maximum the template sets, if any.
    pub(super) fn new(maximum: Option<usize>) -> Self {
        // With none allowed nothing could ever end to make room.
        let maximum = maximum.map(|maximum| maximum.clamp(1, MAXIMUM_ENVIRONMENTS));
        let start = maximum.unwrap_or(START);
        Self {
            start,
            limit: start,
            maximum: maximum.unwrap_or(MAXIMUM_ENVIRONMENTS),
        }
    }

    /// How many may run now.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns when the limit has grown, which takes a second and a backlog by then; never, if it is
    /// at its maximum.
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

    /// The queue has run dry: the next backlog starts small again.
    pub(super) fn reset(&mut self) {
        self.limit = self.start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_a_maximum_it_grows_from_five_to_sixteen_and_starts_again() {
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
    async fn without_a_backlog_it_does_not_grow() {
        let mut concurrency = Concurrency::new(None);
        let never = tokio::time::timeout(Duration::from_secs(3600), concurrency.grown(|| false));
        assert!(never.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_maximum_holds_from_the_start() {
        let mut concurrency = Concurrency::new(Some(2));
        assert_eq!(concurrency.limit(), 2);
        let never = tokio::time::timeout(Duration::from_secs(3600), concurrency.grown(|| true));
        assert!(never.await.is_err());
    }

    #[test]
    fn a_maximum_is_at_least_one_and_no_more_than_there_are_environments() {
        for (maximum, limit) in [(0, 1), (1, 1), (16, 16), (1000, 16)] {
            assert_eq!(Concurrency::new(Some(maximum)).limit(), limit, "{maximum}");
        }
    }
}
