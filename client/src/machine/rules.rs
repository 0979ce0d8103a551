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
