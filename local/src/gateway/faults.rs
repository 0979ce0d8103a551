//! Injected faults of posts, upgrades and `$disconnect`.

use std::{collections::HashMap, time::Duration};

use super::throttle::TokenBucket;
use crate::template::Throttle;

/// Injected faults of the gateway. Shares are between 0, never, and 1, always.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// The added delay of every post.
    pub post_delay: Duration,
    /// The throttle of posts to all connections together; a post over it is answered 429.
    pub throttle: Option<Throttle>,
    /// The throttle of posts to each connection; a post over it is answered 429.
    pub throttle_each: Option<Throttle>,
    /// The share of posts that are answered 410 although the connection is open. The notifier
    /// retries after a 410 in the first 30 s of a connection.
    pub gone: f64,
    /// The share of posts that are answered 500.
    pub failing: f64,
    /// The share of posts that are answered 200 and never arrive.
    pub hidden: f64,
    /// The share of connections whose end invokes no `$disconnect`.
    pub lost_disconnects: f64,
    /// Holds upgrades between `$connect` and the 101; meanwhile posts to their connections are
    /// answered 410.
    pub hold_openings: bool,
}

/// The injected fault of one post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PostFault {
    Throttled,
    Gone,
    Failing,
    Hidden,
}

/// The faults and the state of their throttles.
#[derive(Debug, Default)]
pub(super) struct FaultInjector {
    faults: Faults,
    all: Option<TokenBucket>,
    each: HashMap<String, TokenBucket>,
}

impl FaultInjector {
    /// Replaces the faults.
    pub(super) fn set(&mut self, faults: Faults) {
        *self = Self {
            all: faults.throttle.map(TokenBucket::new),
            each: HashMap::new(),
            faults,
        };
    }

    pub(super) fn post_delay(&self) -> Duration {
        self.faults.post_delay
    }

    /// Returns whether the `$disconnect` of a connection that ends is lost.
    pub(super) fn loses_disconnect(&mut self, connection_id: &str) -> bool {
        self.each.remove(connection_id);
        happens(self.faults.lost_disconnects)
    }

    /// Returns the fault of a post to a connection, if any.
    pub(super) fn post_fault(&mut self, connection_id: &str) -> Option<PostFault> {
        if !TokenBucket::admits(&mut self.all) || !self.admits_to(connection_id) {
            Some(PostFault::Throttled)
        } else if happens(self.faults.gone) {
            Some(PostFault::Gone)
        } else if happens(self.faults.failing) {
            Some(PostFault::Failing)
        } else if happens(self.faults.hidden) {
            Some(PostFault::Hidden)
        } else {
            None
        }
    }

    fn admits_to(&mut self, connection_id: &str) -> bool {
        let Some(limit) = self.faults.throttle_each else {
            return true;
        };
        let bucket = self
            .each
            .entry(connection_id.to_owned())
            .or_insert_with(|| TokenBucket::new(limit));
        bucket.try_acquire(std::time::Instant::now())
    }
}

/// Returns `true` with this probability.
pub(crate) fn happens(share: f64) -> bool {
    share > 0.0 && rand::random::<f64>() < share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post_faults(faults: Faults, connections: &[&str]) -> Vec<Option<PostFault>> {
        let mut injector = FaultInjector::default();
        injector.set(faults);
        let post_fault = |id: &&str| injector.post_fault(id);
        connections.iter().map(post_fault).collect()
    }

    #[test]
    fn throttle_limits_all_connections_together_or_each() {
        let one = Some(Throttle {
            rate: 0.0,
            burst: 1,
        });
        let of_all = Faults {
            throttle: one,
            ..Faults::default()
        };
        assert_eq!(
            post_faults(of_all, &["a", "b"]),
            [None, Some(PostFault::Throttled)]
        );
        let of_each = Faults {
            throttle_each: one,
            ..Faults::default()
        };
        assert_eq!(
            post_faults(of_each, &["a", "b", "a"]),
            [None, None, Some(PostFault::Throttled)]
        );
    }

    #[test]
    fn share_of_one_half_fails_about_half_of_the_posts() {
        let half = Faults {
            failing: 0.5,
            ..Faults::default()
        };
        let post_faults = post_faults(half, &["a"; 10_000]);
        let failing = post_faults
            .iter()
            .filter(|fault| **fault == Some(PostFault::Failing));
        assert!((4_500..5_500).contains(&failing.count()));
    }
}
