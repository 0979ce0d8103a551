//! The connection store in memory, for tests of what stands on a store. It passes the same contract
//! tests as the one on DynamoDB.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::{
    Admitted, Connection, ConnectionStore, CurrentToken, Forget, MessageRate, Page, ReadAudience,
    ReadToken, StoreError, Subscribed, Subscription,
};
use crate::{
    audience::{Audience, Range, Recipient, slot},
    ids::{ConnectionId, EntityId},
    token_expiry::TokenExpiry,
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
    connected_at: Option<SystemTime>,
    token_expires_at: Option<TokenExpiry>,
    /// Up to when its messages are charged.
    charged_until: Option<SystemTime>,
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
            connected_at: Some(connection.connected_at),
            token_expires_at: connection.token_expires_at,
            ..Memberships::default()
        };
        self.connections()
            .insert(connection.id.clone(), memberships);
        Ok(())
    }

    async fn subscribe(
        &self,
        subscription: Subscription<'_>,
        limit: u32,
    ) -> Result<Subscribed, StoreError> {
        let mut connections = self.connections();
        let Some(memberships) = connections.get_mut(subscription.connection) else {
            return Ok(Subscribed::ConnectionGone);
        };
        let entity = subscription.entity;
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

    async fn renew(
        &self,
        connection: &ConnectionId,
        token_expires_at: TokenExpiry,
    ) -> Result<bool, StoreError> {
        let mut connections = self.connections();
        let memberships = connections.get_mut(connection);
        Ok(memberships
            .map(|memberships| memberships.token_expires_at = Some(token_expires_at))
            .is_some())
    }

    async fn admit(
        &self,
        connection: &ConnectionId,
        messages: NonZeroU32,
        rate: MessageRate,
        now: SystemTime,
    ) -> Result<Admitted, StoreError> {
        let mut connections = self.connections();
        let Some(memberships) = connections.get_mut(connection) else {
            return Ok(Admitted::ConnectionGone);
        };
        let start = memberships
            .charged_until
            .map_or(now, |until| until.max(now));
        let until = start + rate.time_for(messages);
        if until > now + rate.time_for(rate.burst) {
            return Ok(Admitted::TooFast);
        }
        memberships.charged_until = Some(until);
        Ok(Admitted::Admitted {
            token_expires_at: memberships.token_expires_at,
        })
    }
}

impl ReadToken for MemoryStore {
    async fn current_token(&self, connection: &ConnectionId) -> Result<CurrentToken, StoreError> {
        Ok(match self.connections().get(connection) {
            None => CurrentToken::ConnectionGone,
            Some(memberships) => memberships
                .token_expires_at
                .map_or(CurrentToken::None, CurrentToken::EndsAt),
        })
    }
}

impl Forget for MemoryStore {
    async fn prune(&self, connection: &ConnectionId, _: &Audience) -> Result<(), StoreError> {
        self.forget(connection).await
    }

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
            .map(|(connection, memberships)| {
                let place = (slot(connection), connection);
                (
                    place,
                    memberships.connected_at,
                    memberships.token_expires_at,
                )
            })
            .filter(|((slot, _), ..)| (range.first..=range.last).contains(slot))
            .filter(|(place, ..)| start.is_none_or(|start| *place > start))
            .collect();
        let page: Vec<_> = in_range
            .into_iter()
            .take(self.page_size)
            .map(
                |((_, connection), connected_at, token_expires_at)| Recipient {
                    connection: connection.clone(),
                    connected_at: connected_at.unwrap_or(SystemTime::UNIX_EPOCH),
                    token_expires_at,
                },
            )
            .collect();
        // As DynamoDB, which does not look whether anything follows a full page.
        let full = page.len() == self.page_size;
        Ok(Page {
            read_to: page
                .last()
                .filter(|_| full)
                .map(|recipient| recipient.connection.clone()),
            recipients: page,
        })
    }
}
