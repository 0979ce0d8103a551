//! The time from an event to its last post.

use std::time::{Duration, SystemTime};

use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};

/// Returns the time from an event to its last post. `None` if the event's time cannot be read. A
/// difference between clocks does not make it negative.
pub(super) fn lag(event_time: &str, last_post_at: SystemTime) -> Option<Duration> {
    let event_time = DateTime::from_str(event_time, DateTimeFormat::DateTimeWithOffset).ok()?;
    let event_time = SystemTime::try_from(event_time).ok()?;
    Some(last_post_at.duration_since(event_time).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn lag_counts_from_the_events_time() {
        let last_post_at = UNIX_EPOCH + Duration::from_millis(1_500);
        for (event_time, milliseconds) in [
            ("1970-01-01T00:00:01Z", Some(500)),
            ("1970-01-01T00:00:01.25Z", Some(250)),
            ("1970-01-01T01:00:00+01:00", Some(1_500)),
            ("1970-01-01T00:00:02Z", Some(0)),
            ("now", None),
        ] {
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(lag(event_time, last_post_at), expected, "{event_time}");
        }
    }
}
