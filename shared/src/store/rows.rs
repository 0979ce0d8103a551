//! The rows of the connection table, one request at a time.
//!
//! Each method is one request (a batch counts as one) and each condition is checked by the table
//! itself, atomically with the write. The order of the requests is the business of
//! [`Connections`](super::Connections).

use std::{future::Future, time::Duration};

use super::{Connection, Page, StoreError, StoredConnection};
use crate::{
    audience::{Audience, Range},
    ids::{ConnectionId, EntityId},
    token_expiry::TokenExpiry,
};

/// Entities to be added to a connection's set, and what has to be true of the set.
#[derive(Clone, Copy, Debug)]
pub struct Addition<'a> {
    /// The entities that the set has.
    pub known: &'a [EntityId],
    /// The entities that the set does not have.
    pub fresh: &'a [EntityId],
    /// The most entities that the set may have before the addition.
    pub room: usize,
    /// The most bytes that the ids in the set may have before the addition.
    pub bytes_room: usize,
}

/// The result of a change of a connection's set of entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The change is made and has this number.
    Made(u64),
    /// The condition does not hold. This is the row that it was checked on.
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
    /// The number of the change that the row stands for.
    pub change: u64,
    /// The connection, as [`Connection::connected_at`] has it.
    pub connected_at: std::time::SystemTime,
    /// When the connection's token ends. `None` if it has no token.
    pub token_expires_at: Option<TokenExpiry>,
}

/// The listener rows that a deletion is meant for, by the number of their change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Superseded {
    /// The row of this very change.
    By(u64),
    /// Rows of changes below this one.
    Below(u64),
    /// Any row.
    Always,
}

impl Superseded {
    /// Returns whether the row of `change` is to be deleted.
    pub fn covers(self, change: u64) -> bool {
        match self {
            Self::By(own) => change == own,
            Self::Below(bound) => change < bound,
            Self::Always => true,
        }
    }
}

/// A charge for messages, in durations since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    /// Now.
    pub now: Duration,
    /// The time that the messages take at the connection's rate.
    pub cost: Duration,
    /// The latest moment up to which the connection may be charged already.
    pub latest: Duration,
    /// When the row of the charges may go.
    pub expires_at: Duration,
}

/// The rows of the connection table.
///
/// # Errors
///
/// Every method returns [`StoreError`] if the table did not answer, or refused for another reason than
/// its condition. The write may have been applied then, or may still be.
pub trait Rows: Send + Sync {
    /// The most recipients of a page.
    fn page_limit(&self) -> usize;

    /// Stores the connection's own row, unless there is one, and the listener rows of its user and of
    /// everyone. A write that arrives late must not take subscriptions away.
    fn put_connection(
        &self,
        connection: &Connection,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads the connection's own row, consistently. `None` if there is none.
    fn connection(
        &self,
        connection: &ConnectionId,
    ) -> impl Future<Output = Result<Option<StoredConnection>, StoreError>> + Send;

    /// Deletes the connection's own row and returns what it was. `None` if there was none.
    fn delete_connection(
        &self,
        connection: &ConnectionId,
    ) -> impl Future<Output = Result<Option<StoredConnection>, StoreError>> + Send;

    /// Adds entities to the set and one to its number of changes, if the row exists and the set is as
    /// the addition says.
    fn add_entities(
        &self,
        connection: &ConnectionId,
        addition: Addition<'_>,
    ) -> impl Future<Output = Result<Change, StoreError>> + Send;

    /// Removes an entity from the set and adds one to its number of changes, if the set has it.
    fn remove_entity(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> impl Future<Output = Result<Change, StoreError>> + Send;

    /// Writes when the token ends on the connection's own row, and returns the row. `None` if there is
    /// none.
    fn set_token_expiry(
        &self,
        connection: &ConnectionId,
        expiry: TokenExpiry,
    ) -> impl Future<Output = Result<Option<StoredConnection>, StoreError>> + Send;

    /// Stores a listener row, unless there is one of a later change.
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

    /// Deletes the listener rows by which these audiences have the connection.
    fn delete_listeners(
        &self,
        connection: &ConnectionId,
        audiences: &[Audience],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes when the token ends on the listener row by which an audience has the connection, if there
    /// is one.
    fn set_listener_token_expiry(
        &self,
        connection: &ConnectionId,
        audience: &Audience,
        expiry: TokenExpiry,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads the first page of a range of an audience, consistently. For everyone, the range lies in one
    /// shard ([`Range::shards`]).
    fn listeners(
        &self,
        audience: &Audience,
        range: &Range,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Charges a connection for messages. Returns false if it is charged beyond the latest moment
    /// already.
    fn charge(
        &self,
        connection: &ConnectionId,
        charge: Charge,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
