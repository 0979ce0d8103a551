//! The connection store over rows, with the order in which they are written.
//!
//! Several functions write rows of one connection at the same time, `$disconnect` may run during a
//! `subscribe`, and any of them may stop between two writes. These rules preserve every acknowledged
//! subscription and leave no row behind that is not found later:
//!
//! - **The set of entities on the connection's own row is the truth.** Each change of it has a number,
//!   and a listener row has the number of the change that wrote it, so an older write never undoes a
//!   newer one, however late it arrives.
//! - **Connecting** stores the connection's own row only if it does not exist: the first of two tries
//!   may arrive after the second, when the set has entities.
//! - **Subscribing** changes the set, puts the listener rows and reads the set again: if the set has
//!   lost an entity meanwhile, the entity's row is deleted, unless a later change wrote it.
//! - **Unsubscribing** changes the set and deletes the listener row of an earlier change.
//! - **Forgetting** deletes the connection's own row first, which names the other rows; the user's
//!   listener row goes last.
//! - **A member row** of an entity with presence is written after the set and before the listener row, with
//!   the number of the change, and marked as left where the listener row is deleted ([`TrackMembers`]).
//! - **Pruning** forgets, and deletes last the listener row in which the connection was found.
//! - An error undoes nothing: the same steps again complete the change.

mod everyone;
mod forgetting;
mod renewing;
mod subscribing;

use std::{num::NonZeroU32, time::SystemTime};

use super::{
    Admit, Admitted, Charge, Connection, ConnectionStore, CurrentToken, Forget, MessageRate, Page,
    ReadAudience, ReadToken, Rows, StoreError, StoredConnection, Subscribed, Subscription,
    TrackMembers, Untracked,
};
use crate::{
    audience::{Audience, LIFETIME, Range},
    ids::{ConnectionId, EntityId, UserId},
    token_expiry::{TokenExpiry, since_epoch},
};
pub(crate) use subscribing::write_all;

/// The connection store over `rows`, which tells `members` of subscriptions.
#[derive(Clone, Debug)]
pub struct Connections<R, M = Untracked> {
    rows: R,
    members: M,
}

/// The rates of senders that have no connection, and so no row but that of their charges: clients that
/// poll. Each has an id of the form of a connection's.
#[derive(Clone, Debug)]
pub struct WithoutConnections<R> {
    rows: R,
}

impl<R: Rows> Connections<R> {
    /// Returns the store over `rows`, without members.
    pub fn over(rows: R) -> Self {
        Self {
            rows,
            members: Untracked,
        }
    }

    /// Returns the same store with these members.
    pub fn tracking<M>(self, members: M) -> Connections<R, M> {
        Connections {
            rows: self.rows,
            members,
        }
    }

    /// Returns the rates of senders that have no connection. They have charges in the same rows.
    pub fn without_connections(self) -> WithoutConnections<R> {
        WithoutConnections { rows: self.rows }
    }
}

impl<R: Rows, M> Connections<R, M> {
    /// Returns the members.
    pub fn members(&self) -> &M {
        &self.members
    }

    /// Returns the rows.
    #[cfg(any(test, feature = "fakes"))]
    pub fn rows(&self) -> &R {
        &self.rows
    }

    /// Returns the stored data of a connection. `None` if it is not stored.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the table could not be read.
    pub async fn inspect(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        self.rows.connection(connection).await
    }
}

impl<R: Rows, M: TrackMembers> ConnectionStore for Connections<R, M> {
    async fn connect(&self, connection: &Connection) -> Result<(), StoreError> {
        self.rows.put_connection(connection).await
    }

    async fn subscribe(
        &self,
        subscription: Subscription<'_>,
        limit: u32,
    ) -> Result<Vec<Subscribed>, StoreError> {
        subscribing::subscribe(&self.rows, &self.members, subscription, limit as usize).await
    }

    async fn unsubscribe(
        &self,
        connection: &ConnectionId,
        user: Option<&UserId>,
        entity: &EntityId,
    ) -> Result<(), StoreError> {
        subscribing::unsubscribe(&self.rows, &self.members, connection, user, entity).await
    }

    async fn renew(
        &self,
        connection: &ConnectionId,
        token_expires_at: TokenExpiry,
    ) -> Result<bool, StoreError> {
        renewing::renew(&self.rows, connection, token_expires_at).await
    }
}

impl<R: Rows, M: TrackMembers> Admit for Connections<R, M> {
    async fn admit(
        &self,
        connection: &ConnectionId,
        messages: NonZeroU32,
        rate: MessageRate,
        now: SystemTime,
    ) -> Result<Admitted, StoreError> {
        let charge = charge(messages, rate, now);
        // Both at once: charging a connection that is gone does no harm.
        let (charged, token) = tokio::join!(
            self.rows.charge(connection, charge),
            self.current_token(connection)
        );
        Ok(match (token?, charged?) {
            (CurrentToken::ConnectionGone, _) => Admitted::ConnectionGone,
            (_, false) => Admitted::TooFast,
            (CurrentToken::EndsAt(expiry), true) => Admitted::Admitted {
                token_expires_at: Some(expiry),
            },
            (CurrentToken::None, true) => Admitted::Admitted {
                token_expires_at: None,
            },
        })
    }
}

impl<R: Rows> Admit for WithoutConnections<R> {
    async fn admit(
        &self,
        sender: &ConnectionId,
        messages: NonZeroU32,
        rate: MessageRate,
        now: SystemTime,
    ) -> Result<Admitted, StoreError> {
        let charged = self.rows.charge(sender, charge(messages, rate, now));
        Ok(match charged.await? {
            true => Admitted::Admitted {
                token_expires_at: None,
            },
            false => Admitted::TooFast,
        })
    }
}

fn charge(messages: NonZeroU32, rate: MessageRate, now: SystemTime) -> Charge {
    let cost = rate.time_for(messages);
    Charge {
        now: since_epoch(now),
        cost,
        latest: (since_epoch(now) + rate.time_for(rate.burst)).saturating_sub(cost),
        expires_at: since_epoch(now + LIFETIME),
    }
}

impl<R: Rows, M: TrackMembers> ReadToken for Connections<R, M> {
    async fn current_token(&self, connection: &ConnectionId) -> Result<CurrentToken, StoreError> {
        Ok(match self.rows.connection(connection).await? {
            None => CurrentToken::ConnectionGone,
            Some(stored) => stored
                .token_expires_at
                .map_or(CurrentToken::None, CurrentToken::EndsAt),
        })
    }
}

impl<R: Rows, M: TrackMembers> Forget for Connections<R, M> {
    async fn forget(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        let forgotten = forgetting::forget(&self.rows, &self.members, connection);
        forgotten.await.map(drop)
    }

    async fn prune(
        &self,
        connection: &ConnectionId,
        audience: &Audience,
    ) -> Result<(), StoreError> {
        forgetting::prune(&self.rows, &self.members, connection, audience).await
    }
}

impl<R: Rows, M: TrackMembers> ReadAudience for Connections<R, M> {
    async fn read_audience(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        match audience {
            Audience::Everyone => everyone::read(&self.rows, range).await,
            Audience::User(_) | Audience::Entity(_) => self.rows.listeners(audience, range).await,
        }
    }

    async fn read_watchers(&self, entity: &EntityId, range: &Range) -> Result<Page, StoreError> {
        self.rows.watchers(entity, range).await
    }
}
