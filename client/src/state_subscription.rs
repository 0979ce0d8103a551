//! A subscription with the state of its entity, which is loaded with its position and again after a loss.

use std::{error::Error, fmt, future::Future, pin::Pin, sync::Arc};

use herald_shared::{error_chain::error_chain, ids::EntityId, log::Position};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    Cause, ConnectionState, Next, Push, RequestError, Subscription, SubscriptionError,
    machine::{BackOff, Rules},
};

type StateFuture<S> =
    Pin<Box<dyn Future<Output = Result<Snapshot<S>, Box<dyn Error + Send + Sync>>> + Send>>;

/// The application's callback that loads a state.
pub(crate) type StateCallback<S> = Box<dyn Fn() -> StateFuture<S> + Send + Sync>;

/// The state of an entity, and a position of the entity's log that is not beyond it.
///
/// The position is read **first**, and the state second: the state then has every message up to the position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot<S> {
    /// The position. `None` if the entity has no log.
    pub position: Option<Position>,
    /// The state.
    pub state: S,
}

impl<S> Snapshot<S> {
    /// Makes a snapshot from a position that was read before the state.
    pub fn new(position: impl Into<Option<Position>>, state: S) -> Self {
        Self {
            position: position.into(),
            state,
        }
    }
}

/// The next event of a [`StateSubscription`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update<S> {
    /// The state, which replaces everything before it.
    State(S),
    /// A push that the state does not have.
    Message(Push),
}

/// The failure of [`Client::subscribe_with_state`](crate::Client::subscribe_with_state).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The state callback failed.
    #[error("the state callback failed")]
    Callback(#[source] Cause),
    /// The subscription failed.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// A subscription that begins with the state of its entity, and loads it again when messages are lost:
/// [`Client::subscribe_with_state`](crate::Client::subscribe_with_state). Dropping it unsubscribes.
#[must_use = "dropping a subscription unsubscribes"]
pub struct StateSubscription<S> {
    subscription: Subscription,
    callback: StateCallback<S>,
    states: watch::Receiver<ConnectionState>,
    rules: Arc<Rules>,
    back_off: BackOff,
    /// The state that the application has not read yet.
    unread: Option<S>,
    /// The position of the state.
    loaded: Option<Position>,
    /// The reason to load the state again. `None` if it is fresh.
    stale: Option<Stale>,
    /// The position after what the application has read.
    position: Option<Position>,
}

/// A state that is to be loaded again.
struct Stale {
    /// The position that the state must have reached. `None` if it is unknown.
    needed: Option<Position>,
    /// The earliest time to load it, after a failure.
    not_before: Option<Instant>,
}

/// Boxes a callback, and its futures and errors.
pub(crate) fn boxed<S, F, Fut, E>(callback: F) -> StateCallback<S>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Snapshot<S>, E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    Box::new(move || {
        let snapshot = callback();
        Box::pin(async move { snapshot.await.map_err(Into::into) })
    })
}

/// Loads the first state.
pub(crate) async fn load_first<S>(callback: &StateCallback<S>) -> Result<Snapshot<S>, StateError> {
    let snapshot = callback().await;
    snapshot.map_err(|error| StateError::Callback(Cause::new(error)))
}

impl<S> StateSubscription<S> {
    pub(crate) fn new(
        subscription: Subscription,
        callback: StateCallback<S>,
        snapshot: Snapshot<S>,
        states: watch::Receiver<ConnectionState>,
        rules: Arc<Rules>,
    ) -> Self {
        // A later subscriber of the entity joins at the client's position, perhaps beyond the state.
        let joined_at = subscription.position();
        let mut this = Self {
            subscription,
            callback,
            states,
            rules,
            back_off: BackOff::default(),
            unread: None,
            loaded: None,
            stale: None,
            position: None,
        };
        this.mark_stale(joined_at);
        this.accept(snapshot);
        this
    }

    /// Returns the entity.
    pub fn entity(&self) -> &EntityId {
        self.subscription.entity()
    }

    /// Returns the position in the entity's log after the last update that was read. `None` if the entity has no
    /// log.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Waits for the next update. The first is the state that was loaded before the subscription.
    ///
    /// The state is loaded again, and returned, when messages are lost: because the server does not have them any
    /// more, because the application was too slow, or, without a log, because the connection broke. A callback
    /// that fails then is called again with back-off, and so is one whose position is before that from which
    /// messages arrive. The future may be dropped at any time: nothing is lost by that.
    ///
    /// # Errors
    ///
    /// Returns [`SubscriptionError::Ended`] for ever once the server has ended the subscription or the client has
    /// stopped.
    pub async fn next(&mut self) -> Result<Update<S>, SubscriptionError> {
        loop {
            if let Some(state) = self.unread.take() {
                return Ok(Update::State(state));
            }
            if self.stale.is_some() {
                self.reload().await?;
                continue;
            }
            let has_log = self.subscription.position().is_some();
            let next = tokio::select! {
                biased;
                Ok(()) = self.states.changed() => {
                    // Pushes without a log that were sent meanwhile are lost.
                    if !has_log && *self.states.borrow_and_update() == ConnectionState::Open {
                        self.subscription.discard();
                        self.mark_stale(None);
                    }
                    continue;
                }
                next = self.subscription.next_event() => next,
            };
            match next {
                Ok(Next::Message(push)) if self.is_in_state(&push) => {}
                Ok(Next::Message(push)) => {
                    self.position = push.position().cloned().or(self.position.take());
                    return Ok(Update::Message(push));
                }
                Ok(Next::Lost(position)) => self.mark_stale(position),
                Err(SubscriptionError::Lagged(_)) => {
                    let needed = self.subscription.position_before_next();
                    self.mark_stale(needed);
                }
                Err(ended) => return Err(ended),
            }
        }
    }

    fn mark_stale(&mut self, needed: Option<Position>) {
        self.stale = Some(Stale {
            needed,
            not_before: None,
        });
    }

    /// Loads the state once. It stays stale if that fails, or if the state is older than the messages that arrive.
    async fn reload(&mut self) -> Result<(), SubscriptionError> {
        if let Some(at) = self.stale.as_ref().and_then(|stale| stale.not_before) {
            let mut states = self.states.clone();
            let stopped = states.wait_for(|state| matches!(state, ConnectionState::Stopped(_)));
            tokio::select! {
                () = sleep_until(at) => {}
                _ = stopped => {}
            }
            self.subscription.ended()?;
        }
        match (self.callback)().await {
            Ok(snapshot) => {
                if !self.accept(snapshot) {
                    self.reload_later();
                }
            }
            Err(error) => {
                tracing::warn!(error = error_chain(&*error), "the state callback failed");
                self.reload_later();
            }
        }
        Ok(())
    }

    /// Takes a snapshot as the state, unless it is older than the messages that arrive.
    fn accept(&mut self, snapshot: Snapshot<S>) -> bool {
        let is_new_enough = self.is_new_enough(&snapshot);
        if is_new_enough {
            self.back_off.reset();
            self.stale = None;
            self.position = snapshot.position.clone();
            self.loaded = snapshot.position;
            self.unread = Some(snapshot.state);
        }
        is_new_enough
    }

    fn reload_later(&mut self) {
        let delay = self.back_off.next(&self.rules, fastrand::f64());
        if let Some(stale) = &mut self.stale {
            stale.not_before = Some(Instant::now() + delay);
        }
    }

    /// Returns false if a snapshot is known to be older than the messages that arrive.
    fn is_new_enough(&self, snapshot: &Snapshot<S>) -> bool {
        let needed = self.stale.as_ref().and_then(|stale| stale.needed.as_ref());
        needed
            .zip(snapshot.position.as_ref())
            .is_none_or(|(needed, loaded)| {
                let same_epoch = loaded.epoch == needed.epoch;
                needed.offset == 0 || same_epoch && loaded.offset >= needed.offset
            })
    }

    fn is_in_state(&self, push: &Push) -> bool {
        let known = self.loaded.as_ref().zip(push.position());
        known.is_some_and(|(loaded, at)| loaded.epoch == at.epoch && at.offset <= loaded.offset)
    }
}

impl<S> fmt::Debug for StateSubscription<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StateSubscription")
            .field("entity", self.entity())
            .finish_non_exhaustive()
    }
}
