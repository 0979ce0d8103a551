//! What goes wrong on purpose, so that people and tests can see what becomes of it.

use std::{collections::HashMap, time::Duration};

use super::throttle::TokenBucket;
use crate::template::Throttle;

/// What goes wrong with the gateway on purpose. Shares are between 0, never, and 1, always.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// How much longer every post takes.
    pub post_delay: Duration,
    /// The most posts, to all connections together; those over it are answered 429.
    pub throttle: Option<Throttle>,
    /// The most posts to each connection; those over it are answered 429.
    pub throttle_each: Option<Throttle>,
    /// The share of posts that are answered 410, although the connection is open. The notifier believes
    /// it once the connection is 30 s old.
    pub gone: f64,
    /// The share of posts that are answered 500.
    pub failing: f64,
    /// The share of connections whose end `$disconnect` is not told.
    pub lost_disconnects: f64,
    /// Holds upgrades between `$connect` and the 101 until this ends: posts to their connections are
    /// answered 410.
    pub hold_openings: bool,
}

/// What becomes of one post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Throttled,
    Gone,
    Failing,
}

/// The faults with what they count.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    faults: Faults,
    all: Option<TokenBucket>,
    each: HashMap<String, TokenBucket>,
}

impl Troubles {
    /// From now on, these faults and no others.
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

    /// Whether `$disconnect` is told of the end of one connection.
    pub(super) fn loses_disconnect(&mut self, connection_id: &str) -> bool {
        self.each.remove(connection_id);
        happens(self.faults.lost_disconnects)
    }

    /// What becomes of a post to a connection.
    pub(super) fn judge(&mut self, connection_id: &str) -> Verdict {
        if !TokenBucket::admits(&mut self.all) || !self.admits_to(connection_id) {
            Verdict::Throttled
        } else if happens(self.faults.gone) {
            Verdict::Gone
        } else if happens(self.faults.failing) {
            Verdict::Failing
        } else {
            Verdict::Pass
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
        bucket.take(std::time::Instant::now())
    }
}

/// Whether something that happens to this share happens now.
fn happens(share: f64) -> bool {
    share > 0.0 && rand::random::<f64>() < share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(faults: Faults, connections: &[&str]) -> Vec<Verdict> {
        let mut troubles = Troubles::default();
        troubles.set(faults);
        connections.iter().map(|id| troubles.judge(id)).collect()
    }

    #[test]
    fn a_throttle_is_for_all_or_for_each() {
        let one = Some(Throttle {
            rate: 0.0,
            burst: 1,
        });
        let of_all = Faults {
            throttle: one,
            ..Faults::default()
        };
        assert_eq!(
            verdicts(of_all, &["a", "b"]),
            [Verdict::Pass, Verdict::Throttled]
        );
        let of_each = Faults {
            throttle_each: one,
            ..Faults::default()
        };
        assert_eq!(
            verdicts(of_each, &["a", "b", "a"]),
            [Verdict::Pass, Verdict::Pass, Verdict::Throttled]
        );
    }

    #[test]
    fn a_share_is_that_share() {
        let half = Faults {
            failing: 0.5,
            ..Faults::default()
        };
        let verdicts = verdicts(half, &["a"; 10_000]);
        let failing = verdicts
            .iter()
            .filter(|verdict| **verdict == Verdict::Failing);
        assert!((4_500..5_500).contains(&failing.count()));
    }
}
