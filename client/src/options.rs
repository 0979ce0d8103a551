//! The options of a client.

use std::{error::Error, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::{Token, machine::Rules};

pub(crate) type TokenFuture =
    Pin<Box<dyn Future<Output = Result<Token, Box<dyn Error + Send + Sync>>> + Send>>;
pub(crate) type TokenCallback = Arc<dyn Fn() -> TokenFuture + Send + Sync>;

/// The time-out of an attempt of a client that may poll.
const CONNECT_TIMEOUT_WITH_POLLING: Duration = Duration::from_secs(15);

/// The settings of a client, each with a default. `docs/clients.md` of the repository explains each number.
///
/// ```
/// use std::time::Duration;
/// use herald_client::{Options, WhenFull};
///
/// # async fn fetch_token() -> Result<String, std::io::Error> { Ok(String::new()) }
/// let options = Options::new()
///     .token(fetch_token)
///     .outbox(100, WhenFull::DropOldest)
///     .time_to_live(Duration::from_secs(30));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    rules: Rules,
    /// `None` for the default, which depends on the poll URL.
    connect_timeout: Option<Duration>,
    pub(crate) poll_url: Option<String>,
    pub(crate) token: Option<TokenCallback>,
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    pub(crate) buffer: usize,
}

/// The policy of a full outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Refuses the new message.
    #[default]
    RefuseNewest,
    /// Drops the oldest message, which fails.
    DropOldest,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            connect_timeout: None,
            poll_url: None,
            token: None,
            tls: None,
            buffer: 10_000,
        }
    }
}

impl Options {
    /// Returns the defaults, without a token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the token callback, which the client asks at every attempt to connect, and before a token
    /// expires. One that does not answer within [`connect_timeout`](Options::connect_timeout) is asked again. The
    /// token is sent in the header `Authorization: Bearer …`.
    ///
    /// ```
    /// use herald_client::Options;
    ///
    /// let options = Options::new().token(|| async { std::env::var("HERALD_TOKEN") });
    /// ```
    pub fn token<F, Fut, T, E>(mut self, callback: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<Token>,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.rules.token = true;
        self.token = Some(Arc::new(move || {
            let token = callback();
            Box::pin(async move { token.await.map(Into::into).map_err(Into::into) })
        }));
        self
    }

    /// Allows the client to poll while its network admits no WebSocket: the address of the stack's function `poll`,
    /// its output `PollUrl`. [`Client::transport`](crate::Client::transport) then is
    /// [`Transport::Poll`](crate::Transport::Poll). The client tries a WebSocket again from time to time, and no
    /// message is lost or repeated by a change.
    ///
    /// Attempts must fail for 30 s before the client polls, and three at least. Start it with
    /// [`Client::start`](crate::Client::start), which waits for them; [`Client::connect`](crate::Client::connect) makes
    /// one attempt only. The time-out of an attempt is 15 s by default, instead of 45 s, so that three are over within
    /// a minute.
    ///
    /// ```
    /// use herald_client::Options;
    ///
    /// let options = Options::new().poll_url("https://a1b2c3.lambda-url.eu-central-1.on.aws/");
    /// ```
    pub fn poll_url(mut self, url: impl Into<String>) -> Self {
        self.rules.poll = true;
        self.poll_url = Some(url.into());
        self
    }

    /// Sets what makes a client with a [`poll_url`](Options::poll_url) poll: the number of handshakes in a row that
    /// fail without a status of the server, or of connections in a row that end without a close frame, and the age up
    /// to which such a connection counts; 3 and 10 s by default.
    pub fn obstacles(mut self, limit: u32, killed_within: Duration) -> Self {
        self.rules.obstacle_limit = limit;
        self.rules.killed_within = killed_within;
        self
    }

    /// Sets the shortest time between the start of the first of the handshakes that make a client with a
    /// [`poll_url`](Options::poll_url) poll, and the failure of the last; 30 s by default. Connections that are cut need
    /// none.
    pub fn obstacle_after(mut self, time: Duration) -> Self {
        self.rules.obstacle_after = time;
        self
    }

    /// Sets the time between the WebSockets that a client tries while it polls; 5 minutes by default, less a random
    /// share of a tenth. It changes to one that is stable ([`stable_after`](Options::stable_after)).
    pub fn web_socket_retry(mut self, time: Duration) -> Self {
        self.rules.web_socket_retry = time;
        self
    }

    /// Sets the TLS configuration. By default the client trusts the operating system's certificates.
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Sets the number of pushes that wait for a slow reader; 10,000 by default. Each reader has a buffer of its own,
    /// which needs memory only while pushes wait: that of their JSON, which readers share, so 10 MB for 10,000 pushes of
    /// 1 KB. A reader that awaits 1 ms for each of 10,000 pushes that arrive together misses none, 90% of them with a
    /// buffer of 1000, and of 50,000 pushes 80% with the default (`cargo bench -p herald-client --bench flood`). Beyond it the oldest are dropped, and the reader gets [`SubscriptionError::Lagged`](crate::SubscriptionError::Lagged).
    pub fn buffer(mut self, pushes: usize) -> Self {
        self.buffer = pushes.max(1);
        self
    }

    /// Sets the number of messages that the outbox holds, and the policy of a full outbox; 1000 by default,
    /// and the newest message is refused.
    pub fn outbox(mut self, limit: usize, when_full: WhenFull) -> Self {
        self.rules.outbox_limit = limit;
        self.rules.outbox_full = when_full;
        self
    }

    /// Sets the time that a message waits in the outbox, unless it has a time to live of its own; 5 minutes by
    /// default.
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.rules.time_to_live = time_to_live;
        self
    }

    /// Sets the bounds of the first and of the longest delay between attempts; 1 s and 30 s by default. A
    /// delay is a random share of its bound.
    pub fn back_off(mut self, base: Duration, cap: Duration) -> Self {
        self.rules.backoff_base = base;
        self.rules.backoff_cap = cap;
        self
    }

    /// Sets the time after which an open connection counts as stable, and the delays start small again; 30 s
    /// by default.
    pub fn stable_after(mut self, time: Duration) -> Self {
        self.rules.stable_after = time;
        self
    }

    /// Sets the time-out of an attempt, token and handshake together; 45 s by default, and 15 s with a
    /// [`poll_url`](Options::poll_url).
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = Some(time);
        self
    }

    /// Sets the silence after which a ping is sent, and the time-out of its answer; 4 minutes and 10 s by
    /// default. API Gateway closes a connection after 10 minutes of silence.
    pub fn keep_alive(mut self, ping_after: Duration, pong_timeout: Duration) -> Self {
        self.rules.ping_after = ping_after;
        self.rules.pong_timeout = pong_timeout;
        self
    }

    /// Sets the time after which a request without a reply makes the client check its connection with a ping,
    /// if nothing else arrived either; 10 s by default.
    pub fn unanswered_after(mut self, time: Duration) -> Self {
        self.rules.unanswered_after = time;
        self
    }

    /// Sets the number of refused authorisations in a row after which the client stops, at least 1; 3 by default.
    pub fn refusal_limit(mut self, refusals: u32) -> Self {
        self.rules.refusal_limit = refusals.max(1);
        self
    }

    /// Sets the longest time that a client waits for the network after
    /// [`Client::network_down`](crate::Client::network_down); 60 s by default, less a random share of a half.
    pub fn offline_retry(mut self, time: Duration) -> Self {
        self.rules.offline_retry = time;
        self
    }

    /// Sets the time-out of a reply; 30 s by default.
    pub fn reply_timeout(mut self, time: Duration) -> Self {
        self.rules.reply_timeout = time;
        self
    }

    /// Sets the number of requests that may be in flight at once; 32 by default.
    pub fn in_flight_limit(mut self, requests: usize) -> Self {
        self.rules.in_flight_limit = requests.max(1);
        self
    }

    /// Sets the most bytes of a request as JSON; 128 KiB by default, API Gateway's own limit.
    pub fn message_limit(mut self, bytes: usize) -> Self {
        self.rules.message_limit = bytes;
        self
    }

    /// Sets the age at which a connection is renewed, less a random share of a tenth, and the time that the
    /// old one lingers after that; 110 minutes and 10 s by default. API Gateway ends a connection after 2 hours.
    pub fn renewal(mut self, renew_after: Duration, linger_for: Duration) -> Self {
        self.rules.renew_after = renew_after;
        self.rules.linger_for = linger_for;
        self
    }

    /// Sets the time before its expiry at which a token is renewed; 60 s by default.
    pub fn renew_token_before(mut self, time: Duration) -> Self {
        self.rules.renew_token_before = time;
        self
    }

    /// Sets the number of event ids that are remembered to drop repeats; 1000 by default.
    pub fn repeat_window(mut self, ids: usize) -> Self {
        self.rules.repeat_window = ids;
        self
    }

    /// Sets the time that the client waits for a missing message before it asks for it, and the longest random
    /// time that is added; 1 s and 4 s by default.
    pub fn gap(mut self, after: Duration, spread: Duration) -> Self {
        self.rules.gap_after = after;
        self.rules.gap_spread = spread;
        self
    }

    /// Sets how many messages of a log may wait for a missing one before the client asks for it at once, and how many
    /// may wait in all before the missing one counts as lost; 256 and 1000 by default.
    pub fn held(mut self, limit: usize, while_asking: usize) -> Self {
        self.rules.held_limit = limit;
        self.rules.held_while_asking = while_asking;
        self
    }

    /// Sets the longest random time that the client waits before it asks for a presence of which it missed a change;
    /// 2 s by default.
    pub fn presence_spread(mut self, time: Duration) -> Self {
        self.rules.presence_spread = time;
        self
    }
}

impl Options {
    /// Returns the numbers for the machine.
    pub(crate) fn rules(&self) -> Rules {
        let default = match self.rules.poll {
            true => CONNECT_TIMEOUT_WITH_POLLING,
            false => self.rules.connect_timeout,
        };
        let rules = Rules {
            connect_timeout: self.connect_timeout.unwrap_or(default),
            ..self.rules.clone()
        };
        rules.bounded()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("rules", &self.rules())
            .field("buffer", &self.buffer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_out_of_an_attempt_is_short_with_a_poll_url_unless_it_is_set() {
        let url = "https://example.com/";
        let set = Duration::from_secs(45);
        for (options, seconds) in [
            (Options::new(), 45),
            (Options::new().poll_url(url), 15),
            (Options::new().poll_url(url).connect_timeout(set), 45),
            (Options::new().connect_timeout(set).poll_url(url), 45),
        ] {
            assert_eq!(
                options.rules().connect_timeout,
                Duration::from_secs(seconds)
            );
        }
    }
}
