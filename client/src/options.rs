//! The options of a client.

use std::{error::Error, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::{Token, machine::Rules};

pub(crate) type TokenFuture =
    Pin<Box<dyn Future<Output = Result<Token, Box<dyn Error + Send + Sync>>> + Send>>;
pub(crate) type TokenCallback = Arc<dyn Fn() -> TokenFuture + Send + Sync>;

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
    pub(crate) rules: Rules,
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
            token: None,
            tls: None,
            buffer: 1000,
        }
    }
}

impl Options {
    /// Returns the defaults, without a token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the token callback, which the client asks at every attempt to connect, and before a token
    /// expires. The token is sent in the header `Authorization: Bearer …`.
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

    /// Sets the TLS configuration. By default the client trusts the operating system's certificates.
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Sets the number of pushes that wait for a slow reader; 1000 by default. Beyond it the oldest are
    /// dropped, and the reader gets [`SubscriptionError::Lagged`](crate::SubscriptionError::Lagged).
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

    /// Sets the time-out of an attempt, token and handshake together; 45 s by default.
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.rules.connect_timeout = time;
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

    /// Sets the longest random time that the client waits before it asks for a presence of which it missed a change;
    /// 2 s by default.
    pub fn presence_spread(mut self, time: Duration) -> Self {
        self.rules.presence_spread = time;
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("rules", &self.rules)
            .field("buffer", &self.buffer)
            .finish_non_exhaustive()
    }
}
