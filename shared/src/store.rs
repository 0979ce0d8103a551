//! The connection store: the connections, their users and their subscriptions.
//!
//! [`Connections`] is the store: it knows in which order rows are written. Where the rows are is behind
//! the trait [`Rows`]: [`DynamoDbRows`] has them in the table, [`memory::MemoryRows`] in memory.

use std::{
    collections::BTreeSet,
    error::Error,
    future::Future,
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

use crate::{
    audience::{Audience, Range, Recipient},
    ids::{ConnectionId, EntityId, UserId},
    token_expiry::TokenExpiry,
};

mod connections;
#[cfg(feature = "aws")]
mod dynamodb;
pub mod memory;
mod rows;

pub use connections::Connections;
#[cfg(feature = "aws")]
pub use dynamodb::{ConnectionTable, DynamoDbRows, listener_row};
pub use rows::{Addition, Change, Charge, Listener, Rows, Superseded};

/// What is stored of a new connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The connection.
    pub id: ConnectionId,
    /// When it was opened.
    pub connected_at: SystemTime,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// Whose it is, if the authorizer said.
    pub user: Option<UserId>,
    /// When its token ends, if it has one.
    pub token_expires_at: Option<TokenExpiry>,
}

/// Everything that is stored of a connection on its own row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConnection {
    /// When it was opened.
    pub connected_at: SystemTime,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The user of the connection. `None` if it is anonymous.
    pub user: Option<UserId>,
    /// When its token ends. `None` if it has no token.
    pub token_expires_at: Option<TokenExpiry>,
    /// The entities it is subscribed to.
    pub entities: BTreeSet<EntityId>,
    /// The number of changes of its set of entities.
    pub changes: u64,
}

/// A connection's request for subscriptions.
#[derive(Clone, Copy, Debug)]
pub struct Subscription<'a> {
    /// The subscriber.
    pub connection: &'a ConnectionId,
    /// When that connection was opened.
    pub connected_at: SystemTime,
    /// When its token ends, as far as the caller knows: it may have been renewed since.
    pub token_expires_at: Option<TokenExpiry>,
    /// The entities, each once, at most [`ENTITIES_AT_ONCE`].
    pub entities: &'a [EntityId],
}

/// The most entities of one [`Subscription`]: DynamoDB takes expressions of at most 4 KB and 300
/// operators.
///
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html>
pub const ENTITIES_AT_ONCE: usize = 100;

/// The most bytes that the ids of a connection's entities may have together. Every write of the
/// connection's row pays for the whole set, a write unit for each kilobyte.
pub const ENTITY_BYTES: usize = 8 * 1024;

/// The result of a subscription to one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// The subscription is stored, now or before.
    Stored,
    /// The connection has as many subscriptions as it may have.
    LimitReached,
    /// The ids of the connection's entities would have more than [`ENTITY_BYTES`].
    BytesReached,
    /// An unsubscribe that ran at the same time ended it.
    Ended,
    /// The connection is not stored any more.
    ConnectionGone,
}

/// The answer to a connection that wants to send messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It may send as many messages as were asked for.
    Admitted {
        /// When its token ends, if it has one.
        token_expires_at: Option<TokenExpiry>,
    },
    /// It sent more than it may.
    TooFast,
    /// The connection was forgotten meanwhile.
    ConnectionGone,
}

/// How many messages a connection may send: as many a second as `per_second`, and after a pause up to
/// `burst` at once. This is the generic cell rate algorithm: a connection is charged the time its
/// messages take at that rate, and may be at most a burst ahead of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageRate {
    /// The messages a second in the long run.
    pub per_second: NonZeroU32,
    /// The messages at once.
    pub burst: NonZeroU32,
}

impl MessageRate {
    /// How long so many messages take.
    pub fn time_for(self, messages: NonZeroU32) -> Duration {
        Duration::from_secs(messages.get().into()) / self.per_second.get()
    }
}

/// As much of an audience as is read at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Who is on it, in the order of their slots.
    pub recipients: Vec<Recipient>,
    /// The connection that the page was read to, if the range may hold more.
    pub read_to: Option<ConnectionId>,
}

/// Knows who is in an audience.
pub trait ReadAudience: Sync {
    /// The first page of a range of an audience.
    fn read_audience(
        &self,
        audience: &Audience,
        range: &Range,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;
}

/// The end of a connection's token, as the connection's own row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrentToken {
    /// The connection has a token, which ends then.
    EndsAt(TokenExpiry),
    /// The connection has no token.
    None,
    /// The connection is not stored.
    ConnectionGone,
}

/// Reads when the token of a connection ends.
pub trait ReadToken: Sync {
    /// Returns the end of the connection's token, renewals that were acknowledged included.
    fn current_token(
        &self,
        connection: &ConnectionId,
    ) -> impl Future<Output = Result<CurrentToken, StoreError>> + Send;
}

/// Forgets connections that are gone.
pub trait Forget: Sync {
    /// Removes everything of a connection, and last the very row by which `audience` names it: a crash
    /// may have left that row without the others.
    fn prune(
        &self,
        connection: &ConnectionId,
        audience: &Audience,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes everything of a connection. Forgetting one that is not known is no error.
    fn forget(
        &self,
        connection: &ConnectionId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Knows connections and what they are subscribed to.
pub trait ConnectionStore: Sync {
    /// Stores a new connection; its user's audience has it from then on.
    fn connect(
        &self,
        connection: &Connection,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Subscribes a connection to entities, up to `limit` subscriptions in all, and returns the result
    /// for each, in their order. Subscribing twice is the same as once.
    ///
    /// Every event whose audience is read after this returned finds the subscriptions that are
    /// [`Subscribed::Stored`].
    ///
    /// # Errors
    ///
    /// Returns an error if the table could not do all of it. Nothing is taken back then: the same call
    /// again completes it.
    fn subscribe(
        &self,
        subscription: Subscription<'_>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Subscribed>, StoreError>> + Send;

    /// Ends a subscription. Ending one that is not there is no error.
    fn unsubscribe(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Gives a connection, and all its subscriptions, a token that ends at `token_expires_at`; false if
    /// the connection was forgotten.
    fn renew(
        &self,
        connection: &ConnectionId,
        token_expires_at: TokenExpiry,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Charges a connection for so many messages, unless that is more than `rate` allows. They count
    /// as sent at `now`.
    fn admit(
        &self,
        connection: &ConnectionId,
        messages: NonZeroU32,
        rate: MessageRate,
        now: SystemTime,
    ) -> impl Future<Output = Result<Admitted, StoreError>> + Send;
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table takes no more just now; the same call may succeed later.
    #[error("the connection table is throttled")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// Anything else.
    #[error("failed to {step}")]
    Failed {
        /// What was being done, e.g. `store the subscription`.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}
