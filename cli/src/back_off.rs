//! How long to wait before something is tried again.

use std::time::Duration;

/// The delay after `failures` failures in a row: a random share of `base`, doubled each time, and never of
/// more than `cap`. `share` is random, at least 0 and less than 1.
///
/// Source: <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>, "full jitter"
pub(crate) fn delay(base: Duration, cap: Duration, failures: u32, share: f64) -> Duration {
    let doubled = base.saturating_mul(2u32.saturating_pow(failures));
    doubled.min(cap).mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_bound() {
        let half = |failures| {
            let seconds = Duration::from_secs;
            delay(seconds(1), seconds(30), failures, 0.5).as_secs_f64()
        };
        let delays: Vec<_> = (0..7).map(half).collect();
        assert_eq!(delays, [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]);
        assert_eq!(half(u32::MAX), 15.0);
    }
}
