//! The readers of a client, each as a stream of numbered events.

use futures_util::{
    StreamExt,
    stream::{BoxStream, SelectAll, unfold},
};
use herald_client::{Next, Position, Pushes, Subscription, SubscriptionError};

/// The events of several readers, each with the number of its reader.
pub(super) type Events = SelectAll<BoxStream<'static, (usize, Result<Next, SubscriptionError>)>>;

/// A reader of a client.
pub(super) enum Reader {
    Entity(Subscription),
    Feed(Pushes),
}

impl Reader {
    /// Returns the position in the log after what was read. `None` if it is unknown, or if there is no log.
    pub(super) fn position(&self) -> Option<Position> {
        match self {
            Self::Entity(subscription) => subscription.position(),
            Self::Feed(pushes) => pushes.position(),
        }
    }

    /// Returns the events as a stream, which repeats the error of a subscription that has ended.
    pub(super) fn events(
        self,
        number: usize,
    ) -> BoxStream<'static, (usize, Result<Next, SubscriptionError>)> {
        unfold(self, move |mut reader| async move {
            let next = reader.next_event().await;
            Some(((number, next), reader))
        })
        .boxed()
    }

    async fn next_event(&mut self) -> Result<Next, SubscriptionError> {
        match self {
            Self::Entity(subscription) => subscription.next_event().await,
            Self::Feed(pushes) => pushes.next_event().await,
        }
    }
}
