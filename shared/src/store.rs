//! The connection store: the connections, their users and their subscriptions.
//!
//! [`Connections`] is the store and decides the order in which rows are written. The trait [`Rows`] is
//! the place where the rows are: [`DynamoDbRows`] has them in the table, `memory::MemoryRows` in memory.

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
    presence::Info,
    token_expiry::TokenExpiry,
};

mod connections;
#[cfg(feature = "aws")]
mod dynamodb;
mod members;
#[cfg(any(test, feature = "fakes"))]
pub mod memory;
mod rows;

pub(crate) use connections::write_all;
pub use connections::{Connections, WithoutConnections};
#[cfg(all(feature = "aws", feature = "fakes"))]
pub use dynamodb::seed;
#[cfg(feature = "aws")]
pub use dynamodb::{ConnectionTable, DynamoDbRows};
#[cfg(feature = "aws")]
pub(crate) use dynamodb::{failed, unless_refused};
pub use members::{TrackMembers, Untracked};
pub use rows::{Addition, Change, Charge, Listener, Rows, Superseded};

/// A new connection, as the store gets it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The connection.
    pub id: ConnectionId,
    /// The time it was opened.
    pub connected_at: SystemTime,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The user of the connection. `None` if it is anonymous.
    pub user: Option<UserId>,
    /// The end of its token. `None` if it has no token.
    pub token_expires_at: Option<TokenExpiry>,
}

/// The data on a connection's own row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConnection {
    /// The time it was opened.
    pub connected_at: SystemTime,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The user of the connection. `None` if it is anonymous.
    pub user: Option<UserId>,
    /// The end of its token. `None` if it has no token.
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
    /// The time that connection was opened.
    pub connected_at: SystemTime,
    /// The end of its token, as far as the caller knows: it may have been renewed since.
    pub token_expires_at: Option<TokenExpiry>,
    /// The entities, each once, at most [`ENTITIES_AT_ONCE`].
    pub entities: &'a [EntityId],
    /// Those of the entities whose changes of members the client wants to be told.
    pub watched: &'a [EntityId],
    /// The user of the connection. `None` if it is anonymous.
    pub user: Option<&'a UserId>,
    /// The info of its token for other members.
    pub info: Option<&'a Info>,
}

/// The maximum number of entities in one [`Subscription`]: DynamoDB accepts expressions of at most 4 KB
/// and 300 operators.
///
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html>
pub const ENTITIES_AT_ONCE: usize = 100;

/// The maximum total length of the ids of a connection's entities, in bytes. Every write of the
/// connection's row pays for the whole set, a write unit for each kilobyte.
pub const ENTITY_BYTES: usize = 8 * 1024;

/// The result of a subscription to one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// The subscription is stored, now or before.
    Stored,
    /// The connection has the maximum number of subscriptions.
    LimitReached,
    /// The ids of the connection's entities would exceed [`ENTITY_BYTES`].
    BytesReached,
    /// An unsubscribe that ran at the same time ended it.
    Ended,
    /// The connection is no longer stored.
    ConnectionGone,
}

/// The decision about a connection's request to send messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It may send the messages.
    Admitted {
        /// The end of its token. `None` if it has no token.
        token_expires_at: Option<TokenExpiry>,
    },
    /// It has sent more than its rate allows.
    TooFast,
    /// The connection has been forgotten.
    ConnectionGone,
}

/// The rate at which a connection may send messages: `per_second` in the long run, and after a pause up
/// to `burst` at once. This is the generic cell rate algorithm: a connection is charged the time that
/// its messages take at that rate, and may be at most a burst ahead of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageRate {
    /// The number of messages per second in the long run.
    pub per_second: NonZeroU32,
    /// The number of messages at once.
    pub burst: NonZeroU32,
}

impl MessageRate {
    /// Returns the time that this many messages take.
    pub fn time_for(self, messages: NonZeroU32) -> Duration {
        Duration::from_secs(messages.get().into()) / self.per_second.get()
    }
}

/// The part of an audience that is read at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The recipients on the page, in the order of their slots.
    pub recipients: Vec<Recipient>,
    /// The connection that the page was read to. `None` if the range holds no more.
    pub read_to: Option<ConnectionId>,
}

impl Page {
    /// Returns the part of the range, of which this is the first page, that it covers.
    pub fn range_of(&self, range: &Range) -> Range {
        match &self.read_to {
            Some(read_to) => range.up_to(read_to),
            None => range.clone(),
        }
    }
}

/// A reader of audiences.
pub trait ReadAudience: Sync {
    /// Reads the first page of a range of an audience.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the table could not be read.
    fn read_audience(
        &self,
        audience: &Audience,
        range: &Range,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Reads the first page of a range of an entity's audience, with only those connections that asked for
    /// its presence.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the table could not be read.
    fn read_watchers(
        &self,
        entity: &EntityId,
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

/// A reader of the ends of tokens.
pub trait ReadToken: Sync {
    /// Returns the end of the connection's token. Acknowledged renewals are included.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the table could not be read.
    fn current_token(
        &self,
        connection: &ConnectionId,
    ) -> impl Future<Output = Result<CurrentToken, StoreError>> + Send;
}

/// Removes connections that are gone.
pub trait Forget: Sync {
    /// Removes all rows of a connection, and last the listener row in `audience`: a crash may have left
    /// that row without the others.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if some rows could not be deleted. The same call again completes it.
    fn prune(
        &self,
        connection: &ConnectionId,
        audience: &Audience,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes all rows of a connection. An unknown connection is not an error.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if some rows could not be deleted. The same call again completes it.
    fn forget(
        &self,
        connection: &ConnectionId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A store of connections and their subscriptions.
pub trait ConnectionStore: Admit {
    /// Stores a new connection, which is in its user's audience from then on.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if some rows could not be written. The same call again completes it.
    fn connect(
        &self,
        connection: &Connection,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Subscribes a connection to entities, up to `limit` subscriptions in all, and returns the result
    /// for each, in their order. A second subscription to the same entity has no effect.
    ///
    /// Every audience that is read after this returned has the connection if the result is
    /// [`Subscribed::Stored`].
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if some rows could not be written. It undoes nothing: the same call again
    /// completes it.
    fn subscribe(
        &self,
        subscription: Subscription<'_>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Subscribed>, StoreError>> + Send;

    /// Ends a subscription of a connection of `user`. A subscription that does not exist is not an error.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if some rows could not be written. The same call again completes it.
    fn unsubscribe(
        &self,
        connection: &ConnectionId,
        user: Option<&UserId>,
        entity: &EntityId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes a new end of the token for a connection and all its subscriptions. Returns false if the
    /// connection was forgotten.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if some rows could not be written. The same call again completes it.
    fn renew(
        &self,
        connection: &ConnectionId,
        token_expires_at: TokenExpiry,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// A keeper of the rate of senders.
pub trait Admit: Sync {
    /// Charges a connection for messages sent at `now`, unless they exceed `rate`.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the connection could not be read or charged.
    fn admit(
        &self,
        connection: &ConnectionId,
        messages: NonZeroU32,
        rate: MessageRate,
        now: SystemTime,
    ) -> impl Future<Output = Result<Admitted, StoreError>> + Send;
}

/// The reason the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table is throttled; the same call may succeed later.
    #[error("the connection table is throttled")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// Any other failure.
    #[error("failed to {step}")]
    Failed {
        /// The step that failed, e.g. `store the subscription`.
        step: &'static str,
        /// The reason.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}
