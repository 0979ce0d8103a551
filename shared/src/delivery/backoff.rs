//! How long to wait before trying again.

use std::time::Duration;

use crate::backoff::bound;

/// Between two tries of an attempt: up to 100 ms, then 200 ms and so on.
const TRY: Duration = Duration::from_millis(100);

/// Between two attempts: up to 10 s, then 20 s and so on.
const ATTEMPT: Duration = Duration::from_secs(10);

/// The longest that SQS delays a message.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
const LONGEST_DELAY: Duration = Duration::from_secs(15 * 60);

/// The pause after the `failed`-th try; `random` is between 0 and 1.
pub(super) fn before_next_try(failed: u32, random: f64) -> Duration {
    after_the_first(TRY, Duration::MAX, failed).mul_f64(random)
}

/// The delay after the `failed`-th attempt; `random` is between 0 and 1. Whole seconds, as SQS counts
/// them, and never none: what failed for a whole attempt is not helped at once.
pub(super) fn before_next_attempt(failed: u32, random: f64) -> Duration {
    let delay = after_the_first(ATTEMPT, LONGEST_DELAY, failed).mul_f64(random);
    Duration::from_secs(delay.as_secs().max(1))
}

/// The bound is doubled for every failure but the first.
fn after_the_first(base: Duration, cap: Duration, failed: u32) -> Duration {
    bound(base, cap, failed.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_their_limit() {
        let millis = |failed| before_next_try(failed, 1.0).as_millis();
        assert_eq!([millis(1), millis(2), millis(3)], [100, 200, 400]);
        let seconds = |failed| before_next_attempt(failed, 1.0).as_secs();
        assert_eq!(
            [
                seconds(1),
                seconds(2),
                seconds(3),
                seconds(7),
                seconds(8),
                seconds(1000)
            ],
            [10, 20, 40, 640, 900, 900]
        );
    }

    #[test]
    fn jitter_goes_down_to_nothing_but_for_attempts() {
        assert_eq!(before_next_try(3, 0.0), Duration::ZERO);
        assert_eq!(before_next_attempt(3, 0.0), Duration::from_secs(1));
    }
}
