//! Rows of the connection table whose changes are noted.
//!
//! The set of entities on a connection's own row is the truth about its subscriptions, so the write that
//! changes it, and no other step, makes the event: neither a retry that finds the change made nor a failure of
//! a later step makes it twice or loses it.

use std::{sync::Arc, time::SystemTime};

use herald_shared::{
    audience::{Audience, Range},
    ids::{ConnectionId, EntityId, UserId},
    store::{
        Addition, Change as SetChange, Charge, Connection, Listener, Page, Rows, StoreError,
        StoredConnection, Superseded,
    },
    token_expiry::TokenExpiry,
};

use super::{
    event::{BackendEvent, Change, ConnectionChange, End},
    notes::Notes,
};

/// Rows whose changes are noted.
#[derive(Clone, Debug)]
pub struct WatchedRows<R> {
    pub(super) rows: R,
    /// `None` if no event is put.
    pub(super) watch: Option<Watch>,
}

/// The place of the notes, and what is known about the connection that a function works for.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) notes: Arc<Notes>,
    /// The user of the connection whose message is processed.
    pub(super) user: Option<UserId>,
    /// The time that connection was opened.
    pub(super) connected_at: SystemTime,
    /// The reason for which connections are removed.
    pub(super) end: End,
}

impl Watch {
    /// Notes a change by a message of the connection.
    fn changed(&self, connection: &ConnectionId, change: Change) {
        self.note(ConnectionChange {
            time: SystemTime::now(),
            connection: connection.clone(),
            user: self.user.clone(),
            connected_at: self.connected_at,
            change,
        });
    }

    fn opened(&self, connection: &Connection) {
        self.note(ConnectionChange {
            time: SystemTime::now(),
            connection: connection.id.clone(),
            user: connection.user.clone(),
            connected_at: connection.connected_at,
            change: Change::Opened,
        });
    }

    fn removed(&self, connection: &ConnectionId, stored: &StoredConnection) {
        let event = |change| ConnectionChange {
            time: SystemTime::now(),
            connection: connection.clone(),
            user: stored.user.clone(),
            connected_at: stored.connected_at,
            change,
        };
        // The deletion is the last change of the set.
        let number = stored.changes + 1;
        for entity in &stored.entities {
            let change = Change::Unsubscribed(entity.clone(), number, self.end.clone());
            self.note(event(change));
        }
        self.note(event(Change::Closed(self.end.clone())));
    }

    fn note(&self, change: ConnectionChange) {
        self.notes.add(BackendEvent::Connection(change));
    }
}

impl<R: Rows> Rows for WatchedRows<R> {
    fn page_limit(&self) -> usize {
        self.rows.page_limit()
    }

    async fn put_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        self.rows.put_connection(connection).await?;
        if let Some(watch) = &self.watch {
            watch.opened(connection);
        }
        Ok(())
    }

    async fn connection(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        self.rows.connection(connection).await
    }

    async fn delete_connection(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let deleted = self.rows.delete_connection(connection).await?;
        if let (Some(watch), Some(stored)) = (&self.watch, &deleted) {
            watch.removed(connection, stored);
        }
        Ok(deleted)
    }

    async fn add_entities(
        &self,
        connection: &ConnectionId,
        addition: Addition<'_>,
    ) -> Result<SetChange, StoreError> {
        let change = self.rows.add_entities(connection, addition).await?;
        if let (Some(watch), SetChange::Made(number)) = (&self.watch, &change) {
            for entity in addition.fresh {
                watch.changed(connection, Change::Subscribed(entity.clone(), *number));
            }
        }
        Ok(change)
    }

    async fn remove_entity(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> Result<SetChange, StoreError> {
        let change = self.rows.remove_entity(connection, entity).await?;
        if let (Some(watch), SetChange::Made(number)) = (&self.watch, &change) {
            let removed = Change::Unsubscribed(entity.clone(), *number, End::Unsubscribed);
            watch.changed(connection, removed);
        }
        Ok(change)
    }

    async fn set_token_expiry(
        &self,
        connection: &ConnectionId,
        expiry: TokenExpiry,
    ) -> Result<Option<StoredConnection>, StoreError> {
        self.rows.set_token_expiry(connection, expiry).await
    }

    async fn put_listener(&self, listener: Listener<'_>) -> Result<(), StoreError> {
        self.rows.put_listener(listener).await
    }

    async fn delete_listener(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
        superseded: Superseded,
    ) -> Result<(), StoreError> {
        let rows = &self.rows;
        rows.delete_listener(connection, entity, superseded).await
    }

    async fn delete_listeners(
        &self,
        connection: &ConnectionId,
        audiences: &[Audience],
    ) -> Result<(), StoreError> {
        self.rows.delete_listeners(connection, audiences).await
    }

    async fn set_listener_token_expiry(
        &self,
        connection: &ConnectionId,
        audience: &Audience,
        expiry: TokenExpiry,
    ) -> Result<(), StoreError> {
        let rows = &self.rows;
        rows.set_listener_token_expiry(connection, audience, expiry)
            .await
    }

    async fn listeners(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        self.rows.listeners(audience, range).await
    }

    async fn watchers(&self, entity: &EntityId, range: &Range) -> Result<Page, StoreError> {
        self.rows.watchers(entity, range).await
    }

    async fn charge(&self, connection: &ConnectionId, charge: Charge) -> Result<bool, StoreError> {
        self.rows.charge(connection, charge).await
    }
}
