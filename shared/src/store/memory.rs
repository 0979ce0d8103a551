//! The rows of the connection table in memory, for tests of code that needs a store. They pass the same
//! contract test as the rows in DynamoDB.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::{
    Addition, Change, Charge, Connection, Connections, Listener, Page, Rows, StoreError,
    StoredConnection, Superseded,
};
use crate::{
    audience::{Audience, Range, Recipient, slot},
    ids::{ConnectionId, EntityId},
    token_expiry::TokenExpiry,
};

/// The connection store in memory.
pub type MemoryStore = Connections<MemoryRows>;

impl MemoryStore {
    /// Returns an empty store that reads audiences in pages of this size.
    pub fn new(page_size: usize) -> Self {
        Self::over(MemoryRows::new(page_size))
    }
}

/// The rows in memory.
#[derive(Debug)]
pub struct MemoryRows {
    tables: Mutex<Tables>,
    page_size: usize,
}

#[derive(Debug, Default)]
struct Tables {
    connections: BTreeMap<ConnectionId, StoredConnection>,
    listeners: BTreeMap<Audience, BTreeMap<Place, ListenerRow>>,
    charged_until: BTreeMap<ConnectionId, Duration>,
}

/// The position of a connection in an audience: its slot, then its id.
type Place = (u8, ConnectionId);

#[derive(Clone, Debug)]
struct ListenerRow {
    change: u64,
    connected_at: SystemTime,
    token_expires_at: Option<TokenExpiry>,
    watches: bool,
}

impl MemoryRows {
    /// Returns an empty table that is read in pages of this size.
    pub fn new(page_size: usize) -> Self {
        Self {
            tables: Mutex::default(),
            page_size,
        }
    }

    /// Returns the listeners on the first page of a range that meet the filter. As in DynamoDB, the page has
    /// its limit before the filter.
    fn page(
        &self,
        audience: &Audience,
        range: &Range,
        filter: impl Fn(&ListenerRow) -> bool,
    ) -> Page {
        let tables = self.tables();
        let after = range.after.as_ref().map(place);
        let rows: Vec<_> = tables
            .listeners
            .get(audience)
            .into_iter()
            .flatten()
            .filter(|((slot, _), _)| (range.first..=range.last).contains(slot))
            .filter(|(place, _)| after.as_ref().is_none_or(|after| *place > after))
            .take(self.page_size)
            .collect();
        // DynamoDB, too, ends a full page without a look at the next row.
        let full = rows.len() == self.page_size;
        let last = rows.last().filter(|_| full);
        Page {
            read_to: last.map(|((_, connection), _)| connection.clone()),
            recipients: rows
                .iter()
                .filter(|(_, row)| filter(row))
                .map(|((_, connection), row)| Recipient {
                    connection: connection.clone(),
                    connected_at: row.connected_at,
                    token_expires_at: row.token_expires_at,
                })
                .collect(),
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn put(&mut self, connection: &ConnectionId, audience: Audience, row: ListenerRow) {
        let rows = self.listeners.entry(audience).or_default();
        rows.insert(place(connection), row);
    }

    fn listener(
        &mut self,
        connection: &ConnectionId,
        audience: &Audience,
    ) -> Option<&mut ListenerRow> {
        self.listeners
            .get_mut(audience)?
            .get_mut(&place(connection))
    }

    fn delete(&mut self, connection: &ConnectionId, audience: &Audience) {
        if let Some(rows) = self.listeners.get_mut(audience) {
            rows.remove(&place(connection));
        }
    }
}

fn place(connection: &ConnectionId) -> Place {
    (slot(connection), connection.clone())
}

impl Rows for MemoryRows {
    fn page_limit(&self) -> usize {
        self.page_size
    }

    async fn put_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let stored = StoredConnection {
            connected_at: connection.connected_at,
            ip_address: connection.ip_address.clone(),
            user_agent: connection.user_agent.clone(),
            user: connection.user.clone(),
            token_expires_at: connection.token_expires_at,
            entities: Default::default(),
            changes: 0,
        };
        let own = tables.connections.entry(connection.id.clone());
        own.or_insert(stored);
        let user = connection.user.clone().map(Audience::User);
        for audience in user.into_iter().chain([Audience::Everyone]) {
            let row = ListenerRow {
                change: 0,
                connected_at: connection.connected_at,
                token_expires_at: connection.token_expires_at,
                watches: false,
            };
            tables.put(&connection.id, audience, row);
        }
        Ok(())
    }

    async fn connection(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        Ok(self.tables().connections.get(connection).cloned())
    }

    async fn delete_connection(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        Ok(self.tables().connections.remove(connection))
    }

    async fn add_entities(
        &self,
        connection: &ConnectionId,
        addition: Addition<'_>,
    ) -> Result<Change, StoreError> {
        let mut tables = self.tables();
        let Some(stored) = tables.connections.get_mut(connection) else {
            return Ok(Change::ConnectionGone);
        };
        let set = &mut stored.entities;
        let bytes: usize = set.iter().map(|entity| entity.as_str().len()).sum();
        let has_known = addition.known.iter().all(|entity| set.contains(entity));
        let has_fresh = addition.fresh.iter().any(|entity| set.contains(entity));
        let has_room = set.len() <= addition.room && bytes <= addition.bytes_room;
        if !has_known || has_fresh || !(has_room || addition.fresh.is_empty()) {
            return Ok(Change::Refused(stored.clone()));
        }
        set.extend(addition.fresh.iter().cloned());
        stored.changes += 1;
        Ok(Change::Made(stored.changes))
    }

    async fn remove_entity(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> Result<Change, StoreError> {
        let mut tables = self.tables();
        let Some(stored) = tables.connections.get_mut(connection) else {
            return Ok(Change::ConnectionGone);
        };
        if !stored.entities.remove(entity) {
            return Ok(Change::Refused(stored.clone()));
        }
        stored.changes += 1;
        Ok(Change::Made(stored.changes))
    }

    async fn set_token_expiry(
        &self,
        connection: &ConnectionId,
        expiry: TokenExpiry,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let mut tables = self.tables();
        let stored = tables.connections.get_mut(connection);
        Ok(stored.map(|stored| {
            stored.token_expires_at = Some(expiry);
            stored.clone()
        }))
    }

    async fn put_listener(&self, listener: Listener<'_>) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let audience = Audience::Entity(listener.entity.clone());
        let present = tables.listener(listener.connection, &audience);
        if present.is_some_and(|row| row.change > listener.change) {
            return Ok(());
        }
        let row = ListenerRow {
            change: listener.change,
            connected_at: listener.connected_at,
            token_expires_at: listener.token_expires_at,
            watches: listener.watches,
        };
        tables.put(listener.connection, audience, row);
        Ok(())
    }

    async fn delete_listener(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
        superseded: Superseded,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let audience = Audience::Entity(entity.clone());
        let present = tables.listener(connection, &audience);
        if present.is_some_and(|row| superseded.covers(row.change)) {
            tables.delete(connection, &audience);
        }
        Ok(())
    }

    async fn delete_listeners(
        &self,
        connection: &ConnectionId,
        audiences: &[Audience],
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for audience in audiences {
            tables.delete(connection, audience);
        }
        Ok(())
    }

    async fn set_listener_token_expiry(
        &self,
        connection: &ConnectionId,
        audience: &Audience,
        expiry: TokenExpiry,
    ) -> Result<(), StoreError> {
        if let Some(row) = self.tables().listener(connection, audience) {
            row.token_expires_at = Some(expiry);
        }
        Ok(())
    }

    async fn listeners(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        Ok(self.page(audience, range, |_| true))
    }

    async fn watchers(&self, entity: &EntityId, range: &Range) -> Result<Page, StoreError> {
        let audience = Audience::Entity(entity.clone());
        Ok(self.page(&audience, range, |row| row.watches))
    }

    async fn charge(&self, connection: &ConnectionId, charge: Charge) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let until = tables.charged_until.get(connection).copied();
        let until = until.unwrap_or_default().max(charge.now);
        if until > charge.latest {
            return Ok(false);
        }
        let charged = until + charge.cost;
        tables.charged_until.insert(connection.clone(), charged);
        Ok(true)
    }
}
