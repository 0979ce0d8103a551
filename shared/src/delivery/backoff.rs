//! The back-off of a delivery.

use std::time::Duration;

use crate::{audience::YOUNG, backoff::bound};

/// The longest pause after the first try, which doubles with each further try.
const TRY: Duration = Duration::from_millis(100);

/// The longest delay after the first attempt, which doubles with each further attempt.
const ATTEMPT: Duration = Duration::from_secs(10);

/// The longest delay after the first attempt to reach a connection that is not open yet, which doubles
/// with each further attempt. A handshake takes no longer, and the client waits for its push.
const LOOK: Duration = Duration::from_secs(2);

/// The longest pause after the first send that the queue refused, which doubles up to [`LONGEST_SEND`].
const SEND: Duration = Duration::from_millis(100);
const LONGEST_SEND: Duration = Duration::from_secs(5);

/// The maximum delay of a message in SQS.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
const LONGEST_DELAY: Duration = Duration::from_secs(15 * 60);

/// Returns the pause after a try, of which the first is 1; `random` is between 0 and 1.
pub(super) fn before_next_try(attempt: u32, random: f64) -> Duration {
    after_the_first(TRY, Duration::MAX, attempt).mul_f64(random)
}

/// Returns the pause after a send to a queue, of which the first is 1; `random` is between 0 and 1.
pub(super) fn before_next_send(attempt: u32, random: f64) -> Duration {
    after_the_first(SEND, LONGEST_SEND, attempt).mul_f64(random)
}

/// Returns the delay after an attempt, of which the first is 1; `random` is between 0 and 1. The delay
/// is in whole seconds, as SQS counts them, and never zero: an immediate retry does not help after a
/// whole attempt failed.
pub(super) fn before_next_attempt(attempt: u32, random: f64) -> Duration {
    whole_seconds(after_the_first(ATTEMPT, LONGEST_DELAY, attempt).mul_f64(random))
}

/// Returns the delay after an attempt to reach a connection that is not open yet, of which the first is
/// 1.
pub(super) fn before_next_look(attempt: u32, random: f64) -> Duration {
    whole_seconds(after_the_first(LOOK, YOUNG, attempt).mul_f64(random))
}

fn whole_seconds(delay: Duration) -> Duration {
    Duration::from_secs(delay.as_secs().max(1))
}

/// Returns the limit after an attempt: it is doubled after every attempt but the first.
fn after_the_first(base: Duration, cap: Duration, attempt: u32) -> Duration {
    bound(base, cap, attempt.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_their_limit() {
        let millis = |attempt| before_next_try(attempt, 1.0).as_millis();
        assert_eq!([1, 2, 3].map(millis), [100, 200, 400]);
        let sends = |attempt| before_next_send(attempt, 1.0).as_millis();
        assert_eq!([1, 2, 6, 7, 1000].map(sends), [100, 200, 3200, 5000, 5000]);
        let seconds = |attempt| before_next_attempt(attempt, 1.0).as_secs();
        assert_eq!(
            [1, 2, 3, 7, 8, 1000].map(seconds),
            [10, 20, 40, 640, 900, 900]
        );
        let looks = |attempt| before_next_look(attempt, 1.0).as_secs();
        assert_eq!([1, 2, 4, 5, 1000].map(looks), [2, 4, 16, 30, 30]);
    }

    #[test]
    fn jitter_reaches_zero_except_between_attempts() {
        assert_eq!(before_next_try(3, 0.0), Duration::ZERO);
        assert_eq!(before_next_send(3, 0.0), Duration::ZERO);
        assert_eq!(before_next_attempt(3, 0.0), Duration::from_secs(1));
        assert_eq!(before_next_look(3, 0.0), Duration::from_secs(1));
    }
}
