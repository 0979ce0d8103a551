//! The limit on the connections of one user.
//!
//! The table may have connections that are closed, because the gateway does not promise a `$disconnect`.
//! They must not lock their user out: expired connections do not count, and before a user at the limit
//! is refused, the gateway is asked whether the others are still open.
//!
//! Sources: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html>
//! ("`$disconnect` is a best-effort event") and
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

mod gateway;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    error::Error,
    future::Future,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::{StreamExt, stream};
use herald_shared::{
    audience::{Audience, Range, Recipient, slot},
    ids::{ConnectionId, UserId},
    store::{Forget, ReadAudience, StoreError},
};

pub use gateway::Gateway;

/// The maximum number of connections of a user that the gateway is asked about, the oldest first.
const ASKED: usize = 100;

/// The maximum number of these requests in flight.
const AT_ONCE: usize = 25;

/// The time for which a process does not ask again about the connections of a refused user. A client
/// that connects over and over would otherwise cost the API a hundred requests each time.
const PAUSE: Duration = Duration::from_secs(10);

/// The maximum number of refused users that a process remembers.
const REMEMBERED: usize = 10_000;

/// A service that knows which connections are closed.
pub trait FindClosed: Sync {
    /// Returns whether the gateway reports that the connection does not exist. A connection counts as
    /// open if the gateway does not answer.
    fn is_closed(&self, connection: &ConnectionId) -> impl Future<Output = bool> + Send;
}

/// The limit on the number of connections of each user.
#[derive(Debug)]
pub struct ConnectionLimit<'a, S, G> {
    store: &'a S,
    gateway: &'a G,
    limit: NonZeroU32,
    /// The refused users, each with the time until which the gateway is not asked about their
    /// connections.
    full: Mutex<HashMap<UserId, SystemTime>>,
}

impl<'a, S: ReadAudience + Forget, G: FindClosed> ConnectionLimit<'a, S, G> {
    /// Returns a limit of `limit` connections for each user.
    pub fn new(store: &'a S, gateway: &'a G, limit: NonZeroU32) -> Self {
        Self {
            store,
            gateway,
            limit,
            full: Mutex::default(),
        }
    }

    /// Returns whether a user may have one more connection at `now`. It forgets closed connections that
    /// would otherwise exhaust the limit.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the user's connections cannot be read.
    pub async fn has_room(&self, user: &UserId, now: SystemTime) -> Result<bool, StoreError> {
        let audience = Audience::User(user.clone());
        let counted = self.counted(&audience, now).await?;
        if counted.len() < self.limit() {
            return Ok(true);
        }
        if self.was_full(user, now) {
            return Ok(false);
        }
        let count = counted.len();
        let closed = self.closed(counted, now).await;
        self.forget(&closed, &audience).await;
        let has_room = count - closed.len() < self.limit();
        if !has_room {
            self.remember(user, now);
        }
        Ok(has_room)
    }

    fn limit(&self) -> usize {
        self.limit.get() as usize
    }

    /// Reads the connections of an audience that have not expired: all of them, or enough to reach the
    /// limit even if all that the gateway is asked about are closed.
    async fn counted(
        &self,
        audience: &Audience,
        now: SystemTime,
    ) -> Result<Vec<Recipient>, StoreError> {
        let enough = self.limit() + ASKED;
        let mut counted = Vec::new();
        let mut range = Some(Range::WHOLE);
        while let Some(unread) = range
            && counted.len() < enough
        {
            let page = self.store.read_audience(audience, &unread).await?;
            let recipients = page.recipients.into_iter();
            counted.extend(recipients.filter(|recipient| !recipient.has_expired(now)));
            range = page.read_to.map(|read_to| Range {
                first: slot(&read_to),
                after: Some(read_to),
                ..Range::WHOLE
            });
        }
        Ok(counted)
    }

    /// Returns the closed ones among the oldest connections. Young connections are left out, because the
    /// gateway does not know a connection during its handshake.
    async fn closed(&self, mut counted: Vec<Recipient>, now: SystemTime) -> Vec<ConnectionId> {
        counted.retain(|recipient| !recipient.is_young(now));
        counted.sort_by_key(|recipient| recipient.connected_at);
        stream::iter(counted.into_iter().take(ASKED))
            .map(|Recipient { connection, .. }| async {
                let is_closed = self.gateway.is_closed(&connection).await;
                is_closed.then_some(connection)
            })
            .buffer_unordered(AT_ONCE)
            .filter_map(|closed| async { closed })
            .collect()
            .await
    }

    /// Removes the rows of closed connections. A closed connection does not count even if its rows could
    /// not be removed.
    async fn forget(&self, closed: &[ConnectionId], audience: &Audience) {
        stream::iter(closed)
            .for_each_concurrent(AT_ONCE, |connection| async move {
                if let Err(error) = self.store.prune(connection, audience).await {
                    let error = &error as &dyn Error;
                    tracing::warn!(%connection, error, "failed to forget a closed connection");
                }
            })
            .await;
    }

    fn was_full(&self, user: &UserId, now: SystemTime) -> bool {
        self.full().get(user).is_some_and(|until| now < *until)
    }

    fn remember(&self, user: &UserId, now: SystemTime) {
        let mut full = self.full();
        if full.len() >= REMEMBERED {
            full.clear();
        }
        full.insert(user.clone(), now + PAUSE);
    }

    fn full(&self) -> MutexGuard<'_, HashMap<UserId, SystemTime>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
