//! How a client behaves, where the application may choose.

use std::{error::Error, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::{Token, machine::Rules};

pub(crate) type TokenFuture =
    Pin<Box<dyn Future<Output = Result<Token, Box<dyn Error + Send + Sync>>> + Send>>;
pub(crate) type TokenCallback = Arc<dyn Fn() -> TokenFuture + Send + Sync>;

/// Everything about a client that has a default. `docs/clients.md` of the repository says what each
/// number bounds.
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

/// What happens when the outbox is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The new message is refused.
    #[default]
    RefuseNewest,
    /// The oldest message gives way, and fails.
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
    /// The defaults, without a token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks `callback` for a token at every attempt to connect, and before a token ends. It travels in the
    /// header `Authorization: Bearer …`.
    ///
    /// ```
    /// use herald_client::Options;
    ///
    /// let options = Options::new().token(|| async { std::env::var("HERALD_TOKEN") });
    /// ```
    pub fn token<Callback, Answer, Text, Failure>(mut self, callback: Callback) -> Self
    where
        Callback: Fn() -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Result<Text, Failure>> + Send + 'static,
        Text: Into<Token>,
        Failure: Into<Box<dyn Error + Send + Sync>>,
    {
        self.rules.token = true;
        self.token = Some(Arc::new(move || {
            let answer = callback();
            Box::pin(async move { answer.await.map(Into::into).map_err(Into::into) })
        }));
        self
    }

    /// Trusts what `config` trusts, in place of the operating system's certificates.
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// How many pushes wait for a reader that is slow; 1000 by default. Beyond them the oldest are
    /// dropped, and the reader is told how many.
    pub fn buffer(mut self, pushes: usize) -> Self {
        self.buffer = pushes.max(1);
        self
    }

    /// How many messages the outbox holds, and what happens when it is full; 1000 by default, and the
    /// newest is refused.
    pub fn outbox(mut self, limit: usize, when_full: WhenFull) -> Self {
        self.rules.outbox_limit = limit;
        self.rules.outbox_full = when_full;
        self
    }

    /// How long a message waits in the outbox that does not say so itself; 5 minutes by default.
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.rules.time_to_live = time_to_live;
        self
    }

    /// The bound of the first delay between attempts, and of the longest; 1 s and 30 s by default. A
    /// delay is a random share of its bound.
    pub fn back_off(mut self, base: Duration, cap: Duration) -> Self {
        self.rules.backoff_base = base;
        self.rules.backoff_cap = cap;
        self
    }

    /// How long a connection is open before it counts as stable, and the delays start small again; 30 s
    /// by default.
    pub fn stable_after(mut self, time: Duration) -> Self {
        self.rules.stable_after = time;
        self
    }

    /// How long an attempt may take, token and handshake together; 45 s by default.
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.rules.connect_timeout = time;
        self
    }

    /// After how much silence a ping is sent, and within which time something must come; 4 minutes and
    /// 10 s by default. API Gateway closes a connection after 10 minutes of silence.
    pub fn keep_alive(mut self, ping_after: Duration, pong_timeout: Duration) -> Self {
        self.rules.ping_after = ping_after;
        self.rules.pong_timeout = pong_timeout;
        self
    }

    /// Sets after how long a request without a reply makes the client ask whether the connection is there,
    /// if nothing else arrived either; 10 s by default.
    pub fn unanswered_after(mut self, time: Duration) -> Self {
        self.rules.unanswered_after = time;
        self
    }

    /// Bounds how long a client believes that there is no network, after [`Client::network_down`](crate::Client::network_down);
    /// 60 s by default, less a random share of a half.
    pub fn offline_retry(mut self, time: Duration) -> Self {
        self.rules.offline_retry = time;
        self
    }

    /// How long a request waits for its reply; 30 s by default.
    pub fn reply_timeout(mut self, time: Duration) -> Self {
        self.rules.reply_timeout = time;
        self
    }

    /// How many requests may be under way at once; 32 by default.
    pub fn in_flight_limit(mut self, requests: usize) -> Self {
        self.rules.in_flight_limit = requests.max(1);
        self
    }

    /// At which age a connection is renewed, less a random share of a tenth, and how long the old one
    /// lingers after that; 110 minutes and 10 s by default. API Gateway ends a connection after 2 hours.
    pub fn renewal(mut self, renew_after: Duration, linger_for: Duration) -> Self {
        self.rules.renew_after = renew_after;
        self.rules.linger_for = linger_for;
        self
    }

    /// How long before its end a token is renewed; 60 s by default.
    pub fn renew_token_before(mut self, time: Duration) -> Self {
        self.rules.renew_token_before = time;
        self
    }

    /// How many event ids are remembered, so that repeats are dropped; 1000 by default.
    pub fn repeat_window(mut self, ids: usize) -> Self {
        self.rules.repeat_window = ids;
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
