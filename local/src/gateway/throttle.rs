//! API Gateway's token bucket.

use std::time::Instant;

use crate::template::Throttle;

/// A token bucket that fills at a rate up to a burst; every request costs one token.
#[derive(Debug)]
pub(super) struct TokenBucket {
    limit: Throttle,
    tokens: f64,
    filled_at: Instant,
}

impl TokenBucket {
    /// Makes a full bucket.
    pub(super) fn new(limit: Throttle) -> Self {
        Self {
            limit,
            tokens: f64::from(limit.burst),
            filled_at: Instant::now(),
        }
    }

    /// Returns whether the bucket admits a request now. No bucket admits every request.
    pub(super) fn admits(bucket: &mut Option<Self>) -> bool {
        bucket
            .as_mut()
            .is_none_or(|bucket| bucket.try_acquire(Instant::now()))
    }

    /// Returns whether the bucket admits a request at this time.
    pub(super) fn try_acquire(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.limit.rate).min(f64::from(self.limit.burst));
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
    fn bucket_admits_a_burst_and_then_the_rate() {
        let mut bucket = TokenBucket::new(Throttle {
            rate: 2.0,
            burst: 3,
        });
        let start = bucket.filled_at;
        let mut admits = |millis| bucket.try_acquire(start + Duration::from_millis(millis));
        assert_eq!(
            [admits(0), admits(0), admits(0), admits(0)],
            [true, true, true, false]
        );
        assert!(!admits(400));
        assert!(admits(500));
        assert_eq!(
            [admits(9000), admits(9000), admits(9000), admits(9000)],
            [true, true, true, false]
        );
    }

    #[test]
    fn bucket_with_limits_of_zero_admits_nothing() {
        let mut bucket = TokenBucket::new(Throttle {
            rate: 0.0,
            burst: 0,
        });
        assert!(!bucket.try_acquire(bucket.filled_at + Duration::from_secs(1000)));
    }
}
