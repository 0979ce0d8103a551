//! What bounds a delivery.

use std::time::Duration;

/// The bounds of a delivery. The defaults fit a notifier with a time limit of a minute.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// How many posts are under way at once.
    pub in_flight: usize,
    /// How long one post may take.
    pub post_timeout: Duration,
    /// How often a connection is tried within one attempt.
    pub tries: u32,
    /// How many attempts there are: this many messages at the most name a connection before it is a
    /// dead letter. A connection that is not open yet has one more.
    pub attempts: u32,
    /// The number of times that a connection that there was no time for is put back within one attempt. After that,
    /// each time counts as an attempt.
    pub rounds: u32,
    /// The number of posts that fail in a row, none answered in between, before the others are not tried.
    pub hopeless_after: usize,
    /// How long before the deadline the last post starts: enough for it to end, to put back what is
    /// left, and in the first half of it to forget who is gone.
    pub reserve: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            in_flight: 100,
            post_timeout: Duration::from_secs(5),
            tries: 3,
            attempts: 6,
            rounds: 10,
            hopeless_after: 100,
            reserve: Duration::from_secs(12),
        }
    }
}
