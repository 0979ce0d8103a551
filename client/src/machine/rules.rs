//! The numbers of the machine's rules.

use std::time::Duration;

use herald_shared::protocol::MESSAGE_LIMIT;

use crate::WhenFull;

/// Every number of `docs/clients.md`, by its name there.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// True if the client has a token callback.
    pub(crate) token: bool,
    /// True if the client has a poll URL.
    pub(crate) poll: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) backoff_base: Duration,
    pub(crate) backoff_cap: Duration,
    pub(crate) stable_after: Duration,
    pub(crate) refusal_limit: u32,
    pub(crate) offline_retry: Duration,
    pub(crate) unanswered_after: Duration,
    pub(crate) ping_after: Duration,
    pub(crate) pong_timeout: Duration,
    pub(crate) reply_timeout: Duration,
    pub(crate) in_flight_limit: usize,
    pub(crate) outbox_limit: usize,
    pub(crate) outbox_full: WhenFull,
    pub(crate) time_to_live: Duration,
    pub(crate) message_limit: usize,
    pub(crate) repeat_window: usize,
    pub(crate) renew_after: Duration,
    pub(crate) linger_for: Duration,
    pub(crate) renew_token_before: Duration,
    pub(crate) gap_after: Duration,
    pub(crate) gap_spread: Duration,
    pub(crate) held_limit: usize,
    pub(crate) held_while_asking: usize,
    pub(crate) obstacle_limit: u32,
    pub(crate) obstacle_after: Duration,
    pub(crate) killed_within: Duration,
    pub(crate) web_socket_retry: Duration,
    pub(crate) presence_spread: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            token: false,
            poll: false,
            connect_timeout: Duration::from_secs(45),
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_secs(30),
            stable_after: Duration::from_secs(30),
            refusal_limit: 3,
            offline_retry: Duration::from_secs(60),
            unanswered_after: Duration::from_secs(10),
            ping_after: Duration::from_secs(4 * 60),
            pong_timeout: Duration::from_secs(10),
            reply_timeout: Duration::from_secs(30),
            in_flight_limit: 32,
            outbox_limit: 1000,
            outbox_full: WhenFull::RefuseNewest,
            time_to_live: Duration::from_secs(5 * 60),
            message_limit: MESSAGE_LIMIT,
            repeat_window: 1000,
            renew_after: Duration::from_secs(110 * 60),
            linger_for: Duration::from_secs(10),
            renew_token_before: Duration::from_secs(60),
            gap_after: Duration::from_secs(1),
            gap_spread: Duration::from_secs(4),
            held_limit: 256,
            held_while_asking: 1000,
            obstacle_limit: 3,
            obstacle_after: Duration::from_secs(30),
            killed_within: Duration::from_secs(10),
            web_socket_retry: Duration::from_secs(5 * 60),
            presence_spread: Duration::from_secs(2),
        }
    }
}

/// The longest time. The clocks can add it to any time of theirs.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Returns a time of the application, such as [`Duration::MAX`] for "never", as one that the machine can add.
pub(crate) fn bounded(time: Duration) -> Duration {
    time.min(LONGEST)
}

impl Rules {
    /// Bounds every time.
    pub(crate) fn bounded(mut self) -> Self {
        for time in [
            &mut self.connect_timeout,
            &mut self.backoff_base,
            &mut self.backoff_cap,
            &mut self.stable_after,
            &mut self.offline_retry,
            &mut self.unanswered_after,
            &mut self.ping_after,
            &mut self.pong_timeout,
            &mut self.reply_timeout,
            &mut self.time_to_live,
            &mut self.renew_after,
            &mut self.linger_for,
            &mut self.renew_token_before,
            &mut self.gap_after,
            &mut self.gap_spread,
            &mut self.obstacle_after,
            &mut self.killed_within,
            &mut self.web_socket_retry,
            &mut self.presence_spread,
        ] {
            *time = bounded(*time);
        }
        self
    }
}
