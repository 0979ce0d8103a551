//! The connection store in memory, for tests of what stands on a store. It passes the same contract
//! tests as the one on DynamoDB.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::{Connection, ConnectionStore, Forget, Page, ReadAudience, StoreError, Subscribed};
use crate::{
    audience::{Audience, Range, slot},
    ids::{ConnectionId, EntityId},
};

/// The connection store in memory.
#[derive(Debug)]
pub struct MemoryStore {
    connections: Mutex<BTreeMap<ConnectionId, Memberships>>,
    page_size: usize,
}

/// What a connection belongs to beside everyone.
#[derive(Debug, Default)]
struct Memberships {
    user: Option<Audience>,
    entities: BTreeSet<EntityId>,
}

impl MemoryStore {
    /// An empty store that reads audiences in pages of this size.
    pub fn new(page_size: usize) -> Self {
        Self {
            connections: Mutex::default(),
            page_size,
        }
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Memberships>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memberships {
    fn of(&self, audience: &Audience) -> bool {
        match audience {
            Audience::Everyone => true,
            Audience::User(_) => self.user.as_ref() == Some(audience),
            Audience::Entity(entity) => self.entities.contains(entity),
        }
    }
}

impl ConnectionStore for MemoryStore {
    async fn connect(&self, connection: &Connection) -> Result<(), StoreError> {
        let memberships = Memberships {
            user: connection.user.clone().map(Audience::User),
            entities: BTreeSet::new(),
        };
        self.connections()
            .insert(connection.id.clone(), memberships);
        Ok(())
    }

    async fn subscribe(
        &self,
        connection: &ConnectionId,
        _connected_at: SystemTime,
        entity: &EntityId,
        limit: u32,
    ) -> Result<Subscribed, StoreError> {
        let mut connections = self.connections();
        let Some(memberships) = connections.get_mut(connection) else {
            return Ok(Subscribed::ConnectionGone);
        };
        let full = memberships.entities.len() >= limit as usize;
        if full && !memberships.entities.contains(entity) {
            return Ok(Subscribed::LimitReached);
        }
        memberships.entities.insert(entity.clone());
        Ok(Subscribed::Stored)
    }

    async fn unsubscribe(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> Result<(), StoreError> {
        if let Some(memberships) = self.connections().get_mut(connection) {
            memberships.entities.remove(entity);
        }
        Ok(())
    }
}

impl Forget for MemoryStore {
    async fn forget(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        self.connections().remove(connection);
        Ok(())
    }
}

impl ReadAudience for MemoryStore {
    async fn read_audience(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        let connections = self.connections();
        let start = range.after.as_ref().map(|after| (slot(after), after));
        let in_range: BTreeSet<_> = connections
            .iter()
            .filter(|(_, memberships)| memberships.of(audience))
            .map(|(connection, _)| (slot(connection), connection))
            .filter(|(slot, _)| (range.first..=range.last).contains(slot))
            .filter(|place| start.is_none_or(|start| *place > start))
            .collect();
        let page: Vec<_> = in_range
            .into_iter()
            .take(self.page_size)
            .map(|(_, connection)| connection.clone())
            .collect();
        // As DynamoDB, which does not look whether anything follows a full page.
        let full = page.len() == self.page_size;
        Ok(Page {
            read_to: page.last().filter(|_| full).cloned(),
            connections: page,
        })
    }
}
