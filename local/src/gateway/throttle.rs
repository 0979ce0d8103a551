//! API Gateway's token bucket.

use std::time::Instant;

use crate::template::Throttle;

/// Fills at a rate up to a burst; every request takes one token.
#[derive(Debug)]
pub(super) struct TokenBucket {
    limit: Throttle,
    tokens: f64,
    filled_at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(limit: Throttle) -> Self {
        Self {
            limit,
            tokens: f64::from(limit.burst),
            filled_at: Instant::now(),
        }
    }

    /// Whether a request may pass now; without a bucket, every one may.
    pub(super) fn admits(bucket: &mut Option<Self>) -> bool {
        bucket
            .as_mut()
            .is_none_or(|bucket| bucket.take(Instant::now()))
    }

    /// Whether a request may pass at this moment.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.limit.rate).min(f64::from(self.limit.burst));
        self.filled_at = now;
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut bucket = TokenBucket::new(Throttle {
            rate: 2.0,
            burst: 3,
        });
        let start = bucket.filled_at;
        let mut taken = |millis| bucket.take(start + Duration::from_millis(millis));
        assert_eq!(
            [taken(0), taken(0), taken(0), taken(0)],
            [true, true, true, false]
        );
        assert!(!taken(400));
        assert!(taken(500));
        assert_eq!(
            [taken(9000), taken(9000), taken(9000), taken(9000)],
            [true, true, true, false]
        );
    }

    #[test]
    fn limits_of_zero_admit_nothing() {
        let mut bucket = TokenBucket::new(Throttle {
            rate: 0.0,
            burst: 0,
        });
        assert!(!bucket.take(bucket.filled_at + Duration::from_secs(1000)));
    }
}
