//! How long to wait before trying again.

use std::time::Duration;

use crate::{audience::YOUNG, backoff::bound};

/// Between two tries of an attempt: up to 100 ms, then 200 ms and so on.
const TRY: Duration = Duration::from_millis(100);

/// Between two attempts: up to 10 s, then 20 s and so on.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Between two attempts to reach a connection that is not open yet: up to 2 s, then 4 s and so on. A
/// handshake takes no longer, and the client waits for its push.
const LOOK: Duration = Duration::from_secs(2);

/// Between two sends that the queue did not take: up to 100 ms, then 200 ms and so on, never more than
/// 5 s.
const SEND: Duration = Duration::from_millis(100);
const LONGEST_SEND: Duration = Duration::from_secs(5);

/// The longest that SQS delays a message.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
const LONGEST_DELAY: Duration = Duration::from_secs(15 * 60);

/// The pause after the `failed`-th try; `random` is between 0 and 1.
pub(super) fn before_next_try(failed: u32, random: f64) -> Duration {
    after_the_first(TRY, Duration::MAX, failed).mul_f64(random)
}

/// The pause after the `failed`-th send to a queue; `random` is between 0 and 1.
pub(super) fn before_next_send(failed: u32, random: f64) -> Duration {
    after_the_first(SEND, LONGEST_SEND, failed).mul_f64(random)
}

/// The delay after the `failed`-th attempt; `random` is between 0 and 1. Whole seconds, as SQS counts
/// them, and never none: what failed for a whole attempt is not helped at once.
pub(super) fn before_next_attempt(failed: u32, random: f64) -> Duration {
    whole_seconds(after_the_first(ATTEMPT, LONGEST_DELAY, failed).mul_f64(random))
}

/// The delay after the `failed`-th attempt to reach a connection that is not open yet.
pub(super) fn before_next_look(failed: u32, random: f64) -> Duration {
    whole_seconds(after_the_first(LOOK, YOUNG, failed).mul_f64(random))
}

fn whole_seconds(delay: Duration) -> Duration {
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
        assert_eq!([1, 2, 3].map(millis), [100, 200, 400]);
        let sends = |failed| before_next_send(failed, 1.0).as_millis();
        assert_eq!([1, 2, 6, 7, 1000].map(sends), [100, 200, 3200, 5000, 5000]);
        let seconds = |failed| before_next_attempt(failed, 1.0).as_secs();
        assert_eq!(
            [1, 2, 3, 7, 8, 1000].map(seconds),
            [10, 20, 40, 640, 900, 900]
        );
        let looks = |failed| before_next_look(failed, 1.0).as_secs();
        assert_eq!([1, 2, 4, 5, 1000].map(looks), [2, 4, 16, 30, 30]);
    }

    #[test]
    fn jitter_goes_down_to_nothing_but_for_attempts() {
        assert_eq!(before_next_try(3, 0.0), Duration::ZERO);
        assert_eq!(before_next_send(3, 0.0), Duration::ZERO);
        assert_eq!(before_next_attempt(3, 0.0), Duration::from_secs(1));
        assert_eq!(before_next_look(3, 0.0), Duration::from_secs(1));
    }
}
