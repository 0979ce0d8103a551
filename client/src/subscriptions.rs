//! The receiving end of several entities.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{Stream, stream::SelectAll};
use herald_shared::ids::EntityId;

use crate::{Next, RequestError, Subscription, SubscriptionError};

/// The subscriptions to several entities, read together: [`Client::subscribe_many`](crate::Client::subscribe_many).
/// Dropping it unsubscribes from all.
///
/// Each item names its entity. Read them with [`next_event`](Subscriptions::next_event), or as a [`Stream`], which ends
/// once every subscription has. The events of one entity keep their order.
#[must_use = "dropping the subscriptions unsubscribes"]
pub struct Subscriptions {
    entities: SelectAll<Named>,
}

/// The events of one entity, with its id.
struct Named {
    entity: EntityId,
    events: Events,
}

enum Events {
    Subscribed(Subscription),
    /// The server refused the subscription.
    Refused(RequestError),
    Ended,
}

impl Subscriptions {
    pub(crate) fn new(
        results: impl IntoIterator<Item = (EntityId, Result<Subscription, RequestError>)>,
    ) -> Self {
        let named = results.into_iter().map(|(entity, result)| Named {
            entity,
            events: result.map_or_else(Events::Refused, Events::Subscribed),
        });
        Self {
            entities: named.collect(),
        }
    }

    /// Waits for the next event of any entity. `None` once every subscription has ended, each with its
    /// [`SubscriptionError::Ended`]; one that the server refused ends with the refusal.
    pub async fn next_event(&mut self) -> Option<(EntityId, Result<Next, SubscriptionError>)> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Subscriptions {
    type Item = (EntityId, Result<Next, SubscriptionError>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.entities).poll_next(context)
    }
}

impl Stream for Named {
    type Item = (EntityId, Result<Next, SubscriptionError>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = match &mut self.events {
            Events::Subscribed(subscription) => ready!(subscription.poll_event(context)),
            Events::Refused(error) => Err(SubscriptionError::Ended(error.clone())),
            Events::Ended => return Poll::Ready(None),
        };
        if matches!(event, Err(SubscriptionError::Ended(_))) {
            self.events = Events::Ended;
        }
        Poll::Ready(Some((self.entity.clone(), event)))
    }
}

impl fmt::Debug for Subscriptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entities: Vec<_> = self.entities.iter().map(|named| &named.entity).collect();
        formatter
            .debug_struct("Subscriptions")
            .field("entities", &entities)
            .finish_non_exhaustive()
    }
}
