//! The rows of the connection table, one request at a time.
//!
//! Each method is one request (a batch counts as one), and the table checks each condition atomically
//! with the write. [`Connections`](super::Connections) decides the order of the requests.

use std::{future::Future, time::Duration};

use super::{Connection, Page, StoreError, StoredConnection};
use crate::{
    audience::{Audience, Range},
    ids::{ConnectionId, EntityId},
    token_expiry::TokenExpiry,
};

/// Entities to add to a connection's set, and the condition on the set.
#[derive(Clone, Copy, Debug)]
pub struct Addition<'a> {
    /// The entities that the set must have.
    pub known: &'a [EntityId],
    /// The entities that the set must not have, and that are added.
    pub fresh: &'a [EntityId],
    /// The maximum number of entities in the set before the addition.
    pub room: usize,
    /// The maximum total length of the ids in the set before the addition, in bytes.
    pub bytes_room: usize,
}

/// The result of a change to a connection's set of entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The change was made and has this number.
    Made(u64),
    /// The condition failed on this row.
    Refused(StoredConnection),
    /// The connection has no row.
    ConnectionGone,
}

/// The listener row of a subscription.
#[derive(Clone, Copy, Debug)]
pub struct Listener<'a> {
    /// The subscriber.
    pub connection: &'a ConnectionId,
    /// The entity.
    pub entity: &'a EntityId,
    /// The number of the change that wrote the row.
    pub change: u64,
    /// The time the connection was opened, as in [`Connection::connected_at`].
    pub connected_at: std::time::SystemTime,
    /// The end of the connection's token. `None` if it has no token.
    pub token_expires_at: Option<TokenExpiry>,
    /// True if the client wants to be told of changes of the entity's members.
    pub watches: bool,
}

/// The listener rows that a deletion applies to, by the number of their change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Superseded {
    /// The row of exactly this change.
    By(u64),
    /// Rows of changes with lower numbers.
    Below(u64),
    /// Any row.
    Always,
}

impl Superseded {
    /// Returns whether the deletion applies to the row of `change`.
    pub fn covers(self, change: u64) -> bool {
        match self {
            Self::By(own) => change == own,
            Self::Below(bound) => change < bound,
            Self::Always => true,
        }
    }

    /// Returns the number below which no change is valid any more. No connection has as many changes as that
    /// of [`Self::Always`].
    #[cfg(any(feature = "aws", test, feature = "fakes"))]
    pub(crate) fn bound(self) -> u64 {
        match self {
            Self::By(own) => own,
            Self::Below(bound) => bound,
            Self::Always => u64::from(u32::MAX),
        }
    }
}

/// A charge for messages, in durations since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    /// The current time.
    pub now: Duration,
    /// The time that the messages take at the connection's rate.
    pub cost: Duration,
    /// The latest time up to which the connection may already be charged.
    pub latest: Duration,
    /// The time after which the row of the charges may be removed.
    pub expires_at: Duration,
}

/// The rows of the connection table.
///
/// # Errors
///
/// Every method returns [`StoreError`] if the table did not answer, or refused for a reason other than
/// the condition. The write may then have been applied, or may still be.
pub trait Rows: Send + Sync {
    /// The maximum number of recipients on a page.
    fn page_limit(&self) -> usize;

    /// Stores the connection's own row, unless it exists, and the listener rows of its user and of
    /// everyone. A write that arrives late must not remove subscriptions.
    fn put_connection(
        &self,
        connection: &Connection,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads the connection's own row consistently. `None` if it does not exist.
    fn connection(
        &self,
        connection: &ConnectionId,
    ) -> impl Future<Output = Result<Option<StoredConnection>, StoreError>> + Send;

    /// Deletes the connection's own row and returns it. `None` if it did not exist.
    fn delete_connection(
        &self,
        connection: &ConnectionId,
    ) -> impl Future<Output = Result<Option<StoredConnection>, StoreError>> + Send;

    /// Adds entities to the set and increments its number of changes, if the row exists and the set
    /// meets the condition of `addition`.
    fn add_entities(
        &self,
        connection: &ConnectionId,
        addition: Addition<'_>,
    ) -> impl Future<Output = Result<Change, StoreError>> + Send;

    /// Removes an entity from the set and increments its number of changes, if the set has it.
    fn remove_entity(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> impl Future<Output = Result<Change, StoreError>> + Send;

    /// Writes the end of the token on the connection's own row and returns the row. `None` if it does
    /// not exist.
    fn set_token_expiry(
        &self,
        connection: &ConnectionId,
        expiry: TokenExpiry,
    ) -> impl Future<Output = Result<Option<StoredConnection>, StoreError>> + Send;

    /// Stores a listener row, unless a later change has written it.
    fn put_listener(
        &self,
        listener: Listener<'_>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes the listener row of an entity, if it is `superseded`.
    fn delete_listener(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
        superseded: Superseded,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes the listener rows of the connection in these audiences.
    fn delete_listeners(
        &self,
        connection: &ConnectionId,
        audiences: &[Audience],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes the end of the token on the connection's listener row in an audience, if the row exists.
    fn set_listener_token_expiry(
        &self,
        connection: &ConnectionId,
        audience: &Audience,
        expiry: TokenExpiry,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads the first page of a range of an audience consistently. For everyone, the range must lie in
    /// one shard ([`Range::shards`]).
    fn listeners(
        &self,
        audience: &Audience,
        range: &Range,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Reads the first page of a range of an entity's audience consistently, with only those listeners that
    /// watch its members.
    fn watchers(
        &self,
        entity: &EntityId,
        range: &Range,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Charges a connection for messages. Returns false if it is already charged beyond the latest time.
    fn charge(
        &self,
        connection: &ConnectionId,
        charge: Charge,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
