//! The trait by which the store tells of subscriptions that begin and end.

use std::future::Future;

use super::{StoreError, Subscription, Superseded};
use crate::ids::{ConnectionId, EntityId, UserId};

/// A keeper of the members of entities. The store calls it between its own writes.
pub trait TrackMembers: Send + Sync {
    /// Writes the connection's member rows of these entities, which the change of this number added to its
    /// set. The listener rows are written afterwards.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if some rows could not be written. The same call again completes it.
    fn join(
        &self,
        subscription: Subscription<'_>,
        entities: &[EntityId],
        change: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Marks the connection's member rows of these entities as left, if they are `superseded`.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if some rows could not be written. The same call again completes it.
    fn leave(
        &self,
        connection: &ConnectionId,
        user: Option<&UserId>,
        entities: &[EntityId],
        superseded: Superseded,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// No members: a store that serves no subscriptions, or a reader of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Untracked;

impl TrackMembers for Untracked {
    async fn join(&self, _: Subscription<'_>, _: &[EntityId], _: u64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn leave(
        &self,
        _: &ConnectionId,
        _: Option<&UserId>,
        _: &[EntityId],
        _: Superseded,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}
