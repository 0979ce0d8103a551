//! Exponential back-off as a function of the number of failures: no clock, no sleep, no random number.
//!
//! The caller waits for a random share of the bound ("full jitter"), so that calls that failed together
//! are not repeated together.
//! Source: <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>

use std::time::Duration;

/// Returns the maximum delay: `base`, doubled `times` times, and never more than `cap`.
pub fn bound(base: Duration, cap: Duration, times: u32) -> Duration {
    base.saturating_mul(2_u32.saturating_pow(times)).min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_bound() {
        let half = |times| {
            let seconds = Duration::from_secs;
            let bound = bound(seconds(1), seconds(30), times);
            bound.mul_f64(0.5).as_secs_f64()
        };
        let delays: Vec<_> = (0..7).map(half).collect();
        assert_eq!(delays, [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]);
        assert_eq!(half(u32::MAX), 15.0);
    }
}
