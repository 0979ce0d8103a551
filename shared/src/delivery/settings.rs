//! The settings of a delivery.

use std::time::Duration;

/// The limits of a delivery. The defaults fit a notifier with a time limit of one minute.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The maximum number of posts per second for one push, of all notifiers that deliver ranges of its
    /// audience. Retries are not counted. The default is an account's quota of requests.
    ///
    /// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>
    pub posts_per_second: u32,
    /// The maximum number of posts in flight, each on a connection of its own. The number adapts to the
    /// gateway: see [`Window`](super::Window).
    pub in_flight: usize,
    /// The maximum number of connections that are forgotten at once.
    pub forgetting: usize,
    /// The time limit of one post.
    pub post_timeout: Duration,
    /// The maximum number of tries of a connection within one attempt.
    pub tries: u32,
    /// The maximum number of attempts: at most this many messages name a connection before it becomes a
    /// dead letter. A connection that is not open yet gets one more.
    pub attempts: u32,
    /// The maximum number of times that a connection is requeued within one attempt because the time ran
    /// out. After that, each time counts as an attempt.
    pub rounds: u32,
    /// The number of consecutive posts without an answer after which the remaining posts are not made.
    pub circuit_limit: usize,
    /// The time before the deadline at which the last post starts: enough for it to end, to requeue
    /// undelivered parts, and in its first half to forget connections that are gone.
    pub reserve: Duration,
}

impl Settings {
    /// Returns the settings for a share of the account's requests: one notifier can use it up with posts of
    /// 20 ms, if it is at most 25,000 a second.
    pub fn for_share(posts_per_second: u32) -> Self {
        Self {
            posts_per_second,
            in_flight: (posts_per_second as usize / 50).clamp(10, 500),
            ..Self::default()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            posts_per_second: 10_000,
            in_flight: 200,
            forgetting: 100,
            post_timeout: Duration::from_secs(5),
            tries: 3,
            attempts: 6,
            rounds: 10,
            circuit_limit: 100,
            reserve: Duration::from_secs(12),
        }
    }
}
