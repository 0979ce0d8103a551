//! The receiving ends of pushes.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::Stream;
use herald_shared::ids::EntityId;
use tokio::sync::mpsc;

use crate::{
    Push, SubscriptionError,
    driver::{Command, SubscriberId},
    mailbox::Reader,
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
}

impl Pushes {
    pub(crate) fn new(reader: Reader, commands: mpsc::UnboundedSender<Command>) -> Self {
        Self {
            reader,
            has_ended: false,
            commands,
        }
    }

    /// Waits for the next push.
    ///
    /// # Errors
    ///
    /// Returns [`SubscriptionError::Lagged`] if this reader was too slow and pushes were dropped; the next
    /// call goes on. Returns [`SubscriptionError::Ended`] for ever once the client has stopped.
    pub async fn recv(&mut self) -> Result<Push, SubscriptionError> {
        poll_fn(|context| self.reader.poll(context)).await
    }
}

impl Stream for Pushes {
    type Item = Result<Push, SubscriptionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.reader.poll(context));
        self.has_ended = matches!(next, Err(SubscriptionError::Ended(_)));
        Poll::Ready(Some(next))
    }
}

impl Subscription {
    pub(crate) fn new(entity: EntityId, subscriber: SubscriberId, pushes: Pushes) -> Self {
        Self {
            entity,
            subscriber,
            pushes,
        }
    }

    /// Returns the entity.
    pub fn entity(&self) -> &EntityId {
        &self.entity
    }

    /// Waits for the next push.
    ///
    /// # Errors
    ///
    /// Returns [`SubscriptionError::Lagged`] if this reader was too slow and pushes were dropped; the next
    /// call goes on. Returns [`SubscriptionError::Ended`] for ever once the server has ended the subscription
    /// or the client has stopped.
    pub async fn recv(&mut self) -> Result<Push, SubscriptionError> {
        self.pushes.recv().await
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
