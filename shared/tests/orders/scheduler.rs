//! Rows whose requests each wait for a permit of the test.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    fmt::Debug,
    future::poll_fn,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard},
    task::{Poll, Waker},
    time::SystemTime,
};

use herald_shared::{
    audience::{Audience, Range},
    ids::{ConnectionId, EntityId},
    store::{
        Addition, Change, Charge, Connection, Listener, Page, Rows, StoreError, StoredConnection,
        Superseded,
    },
    token_expiry::TokenExpiry,
};

use super::run::opened;

/// The number of a function in a run.
pub(crate) type Actor = usize;

/// The number of a request in a run.
pub(crate) type Ticket = usize;

/// The decision about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Permit {
    /// The request is applied and answered.
    Apply,
    /// The request is applied, its answer is lost, and it is sent again.
    LoseAnswer,
    /// The request times out and is sent again, and the first one is applied later.
    ApplyLate,
}

/// A request that waits for its permit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingRequest {
    pub(crate) actor: Actor,
    pub(crate) name: &'static str,
    /// True for a single write of a listener row.
    pub(crate) may_be_late: bool,
    /// True for a conditional change of the set: its retry meets a changed condition.
    pub(crate) may_lose_answer: bool,
}

/// A write that arrives late.
#[derive(Clone, Debug, Hash)]
pub(crate) enum LateWrite {
    Put {
        change: u64,
        connected_at: SystemTime,
        token_expires_at: Option<u64>,
    },
    Delete {
        superseded: (u8, u64),
    },
    /// The rows of the connect.
    Connect,
}

/// The requests of a run, and the answers of each function.
#[derive(Debug, Default)]
pub(crate) struct SchedulerState {
    next: Ticket,
    pub(crate) pending: BTreeMap<Ticket, PendingRequest>,
    permits: BTreeMap<Ticket, Permit>,
    wakers: BTreeMap<Ticket, Waker>,
    /// Requests that are being applied.
    pub(crate) in_flight: usize,
    pub(crate) late: Vec<LateWrite>,
    /// For each function, a hash over all its answers, which decides its further requests.
    pub(crate) seen: BTreeMap<Actor, u64>,
    /// Every applied change of the set, in order: the function that made it.
    pub(crate) changes: Vec<Actor>,
}

/// A handle on the shared state of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduler(Arc<Mutex<SchedulerState>>);

impl Scheduler {
    pub(crate) fn state(&self) -> MutexGuard<'_, SchedulerState> {
        self.0.lock().expect("no panic with the lock")
    }

    pub(crate) fn permit(&self, ticket: Ticket, permit: Permit) {
        let mut state = self.state();
        state.pending.remove(&ticket);
        state.in_flight += 1;
        state.permits.insert(ticket, permit);
        if let Some(waker) = state.wakers.remove(&ticket) {
            waker.wake();
        }
    }

    /// Waits for the permit of a request.
    pub(crate) async fn permitted(&self, pending: PendingRequest) -> Permit {
        let ticket = {
            let mut state = self.state();
            state.next += 1;
            let ticket = state.next;
            state.pending.insert(ticket, pending);
            ticket
        };
        poll_fn(|context| {
            let mut state = self.state();
            if let Some(permit) = state.permits.remove(&ticket) {
                return Poll::Ready(permit);
            }
            state.wakers.insert(ticket, context.waker().clone());
            Poll::Pending
        })
        .await
    }

    pub(crate) fn answered(&self, actor: Actor, answer: &impl Debug) {
        let mut state = self.state();
        state.in_flight -= 1;
        let seen = state.seen.entry(actor).or_default();
        let mut hasher = DefaultHasher::new();
        (*seen, format!("{answer:?}")).hash(&mut hasher);
        *seen = hasher.finish();
    }
}

/// The rows of one function.
#[derive(Debug)]
pub(crate) struct Scheduled<'a, R> {
    pub(crate) rows: &'a R,
    pub(crate) scheduler: Scheduler,
    pub(crate) actor: Actor,
}

impl<R: Rows> Scheduled<'_, R> {
    /// Sends a request, and sends it again if its answer is lost, as the SDK does.
    async fn send<T: Debug, F: Future<Output = Result<T, StoreError>>>(
        &self,
        pending: PendingRequest,
        late: Option<LateWrite>,
        request: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        loop {
            let permit = self.scheduler.permitted(pending).await;
            match permit {
                Permit::Apply => {
                    let answer = request().await;
                    self.scheduler.answered(self.actor, &answer);
                    return answer;
                }
                Permit::LoseAnswer => {
                    request().await.map(drop)?;
                }
                Permit::ApplyLate => self.scheduler.state().late.extend(late.clone()),
            }
            self.scheduler.answered(self.actor, &permit);
        }
    }

    /// Waits for a permit for a step that is not a request to the rows.
    pub(crate) async fn pause(&self, name: &'static str) {
        let done = self.send(self.plain(name), None, async || Ok(()));
        done.await.expect("a step that cannot fail");
    }

    fn plain(&self, name: &'static str) -> PendingRequest {
        PendingRequest {
            actor: self.actor,
            name,
            may_be_late: false,
            may_lose_answer: false,
        }
    }

    /// Records the function if it changed the set.
    fn record(&self, change: Result<Change, StoreError>) -> Result<Change, StoreError> {
        if let Ok(Change::Made(_)) = &change {
            self.scheduler.state().changes.push(self.actor);
        }
        change
    }
}

impl<R: Rows> Rows for Scheduled<'_, R> {
    fn page_limit(&self) -> usize {
        self.rows.page_limit()
    }

    async fn put_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        let pending = self.plain("put the connection");
        self.send(pending, None, || self.rows.put_connection(connection))
            .await
    }

    async fn connection(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let pending = self.plain("read the connection");
        self.send(pending, None, || self.rows.connection(connection))
            .await
    }

    async fn delete_connection(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let pending = self.plain("delete the connection");
        self.send(pending, None, || self.rows.delete_connection(connection))
            .await
    }

    async fn add_entities(
        &self,
        connection: &ConnectionId,
        addition: Addition<'_>,
    ) -> Result<Change, StoreError> {
        let pending = PendingRequest {
            may_lose_answer: true,
            ..self.plain("add to the set")
        };
        self.send(pending, None, || async {
            self.record(self.rows.add_entities(connection, addition).await)
        })
        .await
    }

    async fn remove_entity(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> Result<Change, StoreError> {
        let pending = PendingRequest {
            may_lose_answer: true,
            ..self.plain("remove from the set")
        };
        self.send(pending, None, || async {
            self.record(self.rows.remove_entity(connection, entity).await)
        })
        .await
    }

    async fn set_token_expiry(
        &self,
        connection: &ConnectionId,
        expiry: TokenExpiry,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let pending = self.plain("renew the token");
        self.send(pending, None, || {
            self.rows.set_token_expiry(connection, expiry)
        })
        .await
    }

    async fn put_listener(&self, listener: Listener<'_>) -> Result<(), StoreError> {
        let late = LateWrite::Put {
            change: listener.change,
            connected_at: listener.connected_at,
            token_expires_at: listener
                .token_expires_at
                .map(|expiry| expiry.epoch_seconds()),
        };
        let pending = PendingRequest {
            may_be_late: true,
            ..self.plain("put the listener")
        };
        self.send(pending, Some(late), || self.rows.put_listener(listener))
            .await
    }

    async fn delete_listener(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
        superseded: Superseded,
    ) -> Result<(), StoreError> {
        let late = LateWrite::Delete {
            superseded: match superseded {
                Superseded::Always => (0, 0),
                Superseded::By(change) => (1, change),
                Superseded::Below(change) => (2, change),
            },
        };
        let pending = PendingRequest {
            may_be_late: true,
            ..self.plain("delete the listener")
        };
        self.send(pending, Some(late), || {
            self.rows.delete_listener(connection, entity, superseded)
        })
        .await
    }

    /// Deletes one row after the other, because a batch is not atomic.
    async fn delete_listeners(
        &self,
        connection: &ConnectionId,
        audiences: &[Audience],
    ) -> Result<(), StoreError> {
        for audience in audiences {
            let pending = self.plain("delete a listener in a batch");
            let audience = std::slice::from_ref(audience);
            self.send(pending, None, || {
                self.rows.delete_listeners(connection, audience)
            })
            .await?;
        }
        Ok(())
    }

    async fn set_listener_token_expiry(
        &self,
        connection: &ConnectionId,
        audience: &Audience,
        expiry: TokenExpiry,
    ) -> Result<(), StoreError> {
        let pending = self.plain("renew the listener's token");
        self.send(pending, None, || {
            self.rows
                .set_listener_token_expiry(connection, audience, expiry)
        })
        .await
    }

    async fn listeners(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        let pending = self.plain("read the audience");
        self.send(pending, None, || self.rows.listeners(audience, range))
            .await
    }

    async fn watchers(&self, entity: &EntityId, range: &Range) -> Result<Page, StoreError> {
        let pending = self.plain("read the watchers");
        self.send(pending, None, || self.rows.watchers(entity, range))
            .await
    }

    async fn charge(&self, connection: &ConnectionId, charge: Charge) -> Result<bool, StoreError> {
        let pending = self.plain("charge");
        self.send(pending, None, || self.rows.charge(connection, charge))
            .await
    }
}

/// Applies a late write.
pub(crate) async fn apply_late<R: Rows>(
    rows: &R,
    connection: &ConnectionId,
    entity: &EntityId,
    write: LateWrite,
) {
    let applied = match write {
        LateWrite::Put {
            change,
            connected_at,
            token_expires_at,
        } => {
            let listener = Listener {
                connection,
                entity,
                change,
                connected_at,
                token_expires_at: token_expires_at.map(TokenExpiry::from_epoch_seconds),
                watches: false,
            };
            rows.put_listener(listener).await
        }
        LateWrite::Connect => rows.put_connection(&opened()).await,
        LateWrite::Delete { superseded } => {
            let superseded = match superseded {
                (0, _) => Superseded::Always,
                (1, change) => Superseded::By(change),
                (_, change) => Superseded::Below(change),
            };
            rows.delete_listener(connection, entity, superseded).await
        }
    };
    applied.expect("rows that answer");
}
