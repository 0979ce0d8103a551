//! The connection store: who is connected, as which user, subscribed to what.

use std::{error::Error, future::Future, time::SystemTime};

use crate::{
    audience::{Audience, Range},
    ids::{ConnectionId, EntityId, UserId},
};

#[cfg(feature = "aws")]
mod batch_write;
#[cfg(feature = "aws")]
mod dynamodb;
pub mod memory;
#[cfg(feature = "aws")]
mod row;

#[cfg(feature = "aws")]
pub use dynamodb::ConnectionTable;

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
}

/// How a subscription ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// It is stored, now or already before.
    Stored,
    /// The connection has as many subscriptions as it may have.
    LimitReached,
    /// The connection was forgotten meanwhile.
    ConnectionGone,
}

/// As much of an audience as is read at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The connections, in the order of their slots.
    pub connections: Vec<ConnectionId>,
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

/// Forgets connections that are gone.
pub trait Forget: Sync {
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

    /// Subscribes a connection that was opened at `connected_at` to an entity, unless it has `limit`
    /// subscriptions. Subscribing twice is the same as once.
    fn subscribe(
        &self,
        connection: &ConnectionId,
        connected_at: SystemTime,
        entity: &EntityId,
        limit: u32,
    ) -> impl Future<Output = Result<Subscribed, StoreError>> + Send;

    /// Ends a subscription. Ending one that is not there is no error.
    fn unsubscribe(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
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
