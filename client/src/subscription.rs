//! The receiving ends of pushes.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::Stream;
use herald_shared::{ids::EntityId, log::Position};
use tokio::sync::{mpsc, watch};

use crate::{
    Presence, PresenceChanges, Push, SubscriptionError,
    driver::{Command, SubscriberId},
    mailbox::Reader,
    presence::ToldPresence,
};

/// A receiver of pushes: [`Client::notifications`](crate::Client::notifications),
/// [`Client::broadcasts`](crate::Client::broadcasts), [`Client::pushes_of_type`](crate::Client::pushes_of_type).
///
/// Read it with [`recv`](Pushes::recv), or as a [`Stream`], which ends after its first
/// [`SubscriptionError::Ended`]:
///
/// ```no_run
/// use futures_util::StreamExt;
///
/// # async fn example(client: herald_client::Client) {
/// let mut notifications = client.notifications();
/// while let Some(Ok(push)) = notifications.next().await {
///     println!("{}", push.json());
/// }
/// # }
/// ```
pub struct Pushes {
    reader: Reader,
    has_ended: bool,
    // Keeps the connection open.
    commands: mpsc::UnboundedSender<Command>,
}

/// The next event of a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// A push.
    Message(Push),
    /// Pushes may be lost: the server does not have them any more, or cannot prove that it has all. The
    /// application reads its state anew. Each loss is told once, before the next push.
    ///
    /// Every push after this position arrives. `None` if the audience has no log any more: a push that is sent
    /// while the client is not connected is lost from now on.
    Lost(Option<Position>),
}

/// A subscription to an entity. Dropping it unsubscribes.
///
/// Several subscriptions to one entity share one on the server, which ends with the last of them. Read it
/// with [`recv`](Subscription::recv), or as a [`Stream`], which ends after its first
/// [`SubscriptionError::Ended`].
///
/// ```no_run
/// use herald_client::{EntityId, SubscriptionError};
///
/// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut order = client.subscribe(EntityId::new("order-1")?).await?;
/// loop {
///     match order.recv().await {
///         Ok(push) => println!("{:?}", push.message::<serde_json::Value>()?),
///         Err(SubscriptionError::Lagged(count)) => println!("too slow: lost {count} pushes"),
///         Err(ended) => return Err(ended.into()),
///     }
/// }
/// # }
/// ```
#[must_use = "dropping a subscription unsubscribes"]
pub struct Subscription {
    entity: EntityId,
    subscriber: SubscriberId,
    pushes: Pushes,
    presence: watch::Receiver<Option<ToldPresence>>,
}

impl Pushes {
    pub(crate) fn new(reader: Reader, commands: mpsc::UnboundedSender<Command>) -> Self {
        Self {
            reader,
            has_ended: false,
            commands,
        }
    }

    /// Waits for the next push. It skips [`Next::Lost`].
    ///
    /// # Errors
    ///
    /// Returns [`SubscriptionError::Lagged`] if this reader was too slow and pushes were dropped; the next
    /// call continues after them. Returns [`SubscriptionError::Ended`] for ever once the client has stopped.
    pub async fn recv(&mut self) -> Result<Push, SubscriptionError> {
        poll_fn(|context| self.poll_push(context)).await
    }

    /// Waits for the next push, or for the note that messages may be lost.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`recv`](Pushes::recv).
    pub async fn next_event(&mut self) -> Result<Next, SubscriptionError> {
        poll_fn(|context| self.reader.poll(context)).await
    }

    /// Returns the position in the log after the last push that was read. `None` if it is unknown, or if
    /// there is no log.
    pub fn position(&self) -> Option<Position> {
        self.reader.position()
    }

    fn poll_push(&self, context: &Context<'_>) -> Poll<Result<Push, SubscriptionError>> {
        loop {
            match ready!(self.reader.poll(context)) {
                Ok(Next::Message(push)) => return Poll::Ready(Ok(push)),
                Ok(Next::Lost(_)) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Stream for Pushes {
    type Item = Result<Push, SubscriptionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_push(context));
        self.has_ended = matches!(next, Err(SubscriptionError::Ended(_)));
        Poll::Ready(Some(next))
    }
}

impl Subscription {
    pub(crate) fn new(
        entity: EntityId,
        subscriber: SubscriberId,
        pushes: Pushes,
        presence: watch::Receiver<Option<ToldPresence>>,
    ) -> Self {
        Self {
            entity,
            subscriber,
            pushes,
            presence,
        }
    }

    /// Returns the entity.
    pub fn entity(&self) -> &EntityId {
        &self.entity
    }

    /// Waits for the next push. It skips [`Next::Lost`].
    ///
    /// # Errors
    ///
    /// Returns [`SubscriptionError::Lagged`] if this reader was too slow and pushes were dropped; the next
    /// call continues after them. Returns [`SubscriptionError::Ended`] for ever once the server has ended the subscription
    /// or the client has stopped.
    pub async fn recv(&mut self) -> Result<Push, SubscriptionError> {
        self.pushes.recv().await
    }

    /// Waits for the next push, or for the note that messages may be lost.
    ///
    /// ```no_run
    /// use herald_client::{EntityId, Next};
    ///
    /// # async fn reload() {}
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut order = client.subscribe(EntityId::new("order-1")?).await?;
    /// loop {
    ///     match order.next_event().await? {
    ///         Next::Message(push) => println!("{}", push.json()),
    ///         Next::Lost(_) => reload().await,
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`recv`](Subscription::recv).
    pub async fn next_event(&mut self) -> Result<Next, SubscriptionError> {
        self.pushes.next_event().await
    }

    /// Returns the position in the entity's log after the last push that was read, to start from later with
    /// [`SubscribeOptions::recover`](crate::SubscribeOptions::recover). `None` if the entity has no log.
    ///
    /// It moves before a push is returned, so it can be saved with the effect of the push.
    pub fn position(&self) -> Option<Position> {
        self.pushes.position()
    }

    /// Returns the users at the entity, if the subscription asks for them with
    /// [`SubscribeOptions::presence`](crate::SubscribeOptions::presence). `None` if they are unknown, or if there is
    /// no presence. Without a connection it is the last known set.
    pub fn presence(&self) -> Option<Arc<Presence>> {
        let told = self.presence.borrow();
        told.as_ref().and_then(|told| told.presence.clone())
    }

    /// Returns the changes of the users at the entity, beginning with everybody who is there.
    ///
    /// ```no_run
    /// use herald_client::{EntityId, SubscribeOptions};
    ///
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let options = SubscribeOptions::new().presence();
    /// let room = client.subscribe_with(EntityId::new("room-1")?, options).await?;
    /// let mut changes = room.presence_changes();
    /// while let Some(change) = changes.next().await {
    ///     for member in &change.joined {
    ///         println!("{} joined", member.user_id);
    ///     }
    ///     for member in &change.left {
    ///         println!("{} left", member.user_id);
    ///     }
    ///     println!("{:?} are here", change.presence.map(|presence| presence.count));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn presence_changes(&self) -> PresenceChanges {
        PresenceChanges::new(self.presence.clone())
    }

    /// Returns the position before the next push. `None` if none waits, or if it has none.
    pub(crate) fn position_before_next(&self) -> Option<Position> {
        self.pushes.reader.position_before_next()
    }

    /// Drops the pushes that were not read.
    pub(crate) fn discard(&self) {
        self.pushes.reader.discard();
    }

    /// Returns an error if no further push arrives.
    pub(crate) fn ended(&self) -> Result<(), SubscriptionError> {
        let ended = self.pushes.reader.ended();
        ended.map_or(Ok(()), |error| Err(SubscriptionError::Ended(error)))
    }
}

impl Stream for Subscription {
    type Item = Result<Push, SubscriptionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.pushes).poll_next(context)
    }
}

impl fmt::Debug for Pushes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pushes").finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Subscription")
            .field("entity", &self.entity)
            .finish_non_exhaustive()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let subscriber = self.subscriber;
        // Fails only if the client has stopped, and with it the subscription.
        let _ = self
            .pushes
            .commands
            .send(Command::Unsubscribe { subscriber });
    }
}
