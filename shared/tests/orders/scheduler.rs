//! Rows whose every request waits for a permit.

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
    /// It is applied and answered.
    Apply,
    /// It is applied, its answer is lost, and it is sent again.
    LoseAnswer,
    /// It times out and is sent again, and is applied at some later moment.
    ApplyLate,
}

/// A request that waits for its permit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) actor: Actor,
    pub(crate) name: &'static str,
    /// True for a single write of a listener row.
    pub(crate) may_be_late: bool,
    /// True for a conditional change of the set, whose answer is worth losing.
    pub(crate) may_lose_answer: bool,
}

/// A write that is still on its way.
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

/// The requests of a run, and what each function has seen.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    next: Ticket,
    pub(crate) waiting: BTreeMap<Ticket, Waiting>,
    permits: BTreeMap<Ticket, Permit>,
    wakers: BTreeMap<Ticket, Waker>,
    /// Requests that are being applied.
    pub(crate) in_flight: usize,
    pub(crate) late: Vec<LateWrite>,
    /// For each function, a hash over all that its requests were answered: it decides what it does next.
    pub(crate) seen: BTreeMap<Actor, u64>,
    /// Every change of the set that was applied, in order: the function that made it.
    pub(crate) changes: Vec<Actor>,
}

/// A desk that several handles share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduler(Arc<Mutex<Desk>>);

impl Scheduler {
    pub(crate) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().expect("no panic at the desk")
    }

    pub(crate) fn permit(&self, ticket: Ticket, permit: Permit) {
        let mut desk = self.desk();
        desk.waiting.remove(&ticket);
        desk.in_flight += 1;
        desk.permits.insert(ticket, permit);
        if let Some(waker) = desk.wakers.remove(&ticket) {
            waker.wake();
        }
    }

    /// Waits for the permit of a request.
    pub(crate) async fn permitted(&self, waiting: Waiting) -> Permit {
        let ticket = {
            let mut desk = self.desk();
            desk.next += 1;
            let ticket = desk.next;
            desk.waiting.insert(ticket, waiting);
            ticket
        };
        poll_fn(|context| {
            let mut desk = self.desk();
            if let Some(permit) = desk.permits.remove(&ticket) {
                return Poll::Ready(permit);
            }
            desk.wakers.insert(ticket, context.waker().clone());
            Poll::Pending
        })
        .await
    }

    pub(crate) fn answered(&self, actor: Actor, answer: &impl Debug) {
        let mut desk = self.desk();
        desk.in_flight -= 1;
        let seen = desk.seen.entry(actor).or_default();
        let mut hasher = DefaultHasher::new();
        (*seen, format!("{answer:?}")).hash(&mut hasher);
        *seen = hasher.finish();
    }
}

/// The rows as one function sees them.
#[derive(Debug)]
pub(crate) struct Scheduled<'a, R> {
    pub(crate) rows: &'a R,
    pub(crate) scheduler: Scheduler,
    pub(crate) actor: Actor,
}

impl<R: Rows> Scheduled<'_, R> {
    /// Sends a request as the SDK does: again, if its answer is lost.
    async fn send<T: Debug, F: Future<Output = Result<T, StoreError>>>(
        &self,
        waiting: Waiting,
        late: Option<LateWrite>,
        request: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        loop {
            let permit = self.scheduler.permitted(waiting).await;
            match permit {
                Permit::Apply => {
                    let answer = request().await;
                    self.scheduler.answered(self.actor, &answer);
                    return answer;
                }
                Permit::LoseAnswer => {
                    request().await.map(drop)?;
                }
                Permit::ApplyLate => self.scheduler.desk().late.extend(late.clone()),
            }
            self.scheduler.answered(self.actor, &permit);
        }
    }

    /// Waits for a permit to go on with something that is no request to the rows.
    pub(crate) async fn pause(&self, name: &'static str) {
        let done = self.send(self.plain(name), None, async || Ok(()));
        done.await.expect("nothing that can fail");
    }

    fn plain(&self, name: &'static str) -> Waiting {
        Waiting {
            actor: self.actor,
            name,
            may_be_late: false,
            may_lose_answer: false,
        }
    }

    /// Notes who changed the set, when it was changed.
    fn note(&self, change: Result<Change, StoreError>) -> Result<Change, StoreError> {
        if let Ok(Change::Made(_)) = &change {
            self.scheduler.desk().changes.push(self.actor);
        }
        change
    }
}

impl<R: Rows> Rows for Scheduled<'_, R> {
    fn page_limit(&self) -> usize {
        self.rows.page_limit()
    }

    async fn put_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        let waiting = self.plain("put the connection");
        self.send(waiting, None, || self.rows.put_connection(connection))
            .await
    }

    async fn connection(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let waiting = self.plain("read the connection");
        self.send(waiting, None, || self.rows.connection(connection))
            .await
    }

    async fn delete_connection(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let waiting = self.plain("delete the connection");
        self.send(waiting, None, || self.rows.delete_connection(connection))
            .await
    }

    async fn add_entities(
        &self,
        connection: &ConnectionId,
        addition: Addition<'_>,
    ) -> Result<Change, StoreError> {
        let waiting = Waiting {
            may_lose_answer: true,
            ..self.plain("add to the set")
        };
        self.send(waiting, None, || async {
            self.note(self.rows.add_entities(connection, addition).await)
        })
        .await
    }

    async fn remove_entity(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> Result<Change, StoreError> {
        let waiting = Waiting {
            may_lose_answer: true,
            ..self.plain("remove from the set")
        };
        self.send(waiting, None, || async {
            self.note(self.rows.remove_entity(connection, entity).await)
        })
        .await
    }

    async fn set_token_expiry(
        &self,
        connection: &ConnectionId,
        expiry: TokenExpiry,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let waiting = self.plain("renew the token");
        self.send(waiting, None, || {
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
        let waiting = Waiting {
            may_be_late: true,
            ..self.plain("put the listener")
        };
        self.send(waiting, Some(late), || self.rows.put_listener(listener))
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
        let waiting = Waiting {
            may_be_late: true,
            ..self.plain("delete the listener")
        };
        self.send(waiting, Some(late), || {
            self.rows.delete_listener(connection, entity, superseded)
        })
        .await
    }

    /// One by one, since a batch is not atomic.
    async fn delete_listeners(
        &self,
        connection: &ConnectionId,
        audiences: &[Audience],
    ) -> Result<(), StoreError> {
        for audience in audiences {
            let waiting = self.plain("delete a listener in a batch");
            let audience = std::slice::from_ref(audience);
            self.send(waiting, None, || {
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
        let waiting = self.plain("renew the listener's token");
        self.send(waiting, None, || {
            self.rows
                .set_listener_token_expiry(connection, audience, expiry)
        })
        .await
    }

    async fn listeners(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        let waiting = self.plain("read the audience");
        self.send(waiting, None, || self.rows.listeners(audience, range))
            .await
    }

    async fn charge(&self, connection: &ConnectionId, charge: Charge) -> Result<bool, StoreError> {
        let waiting = self.plain("charge");
        self.send(waiting, None, || self.rows.charge(connection, charge))
            .await
    }
}

/// Applies a write that was on its way.
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
