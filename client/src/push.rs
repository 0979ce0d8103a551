//! A push from the server.

use std::{fmt, sync::Arc};

use herald_shared::{ids::EntityId, log::Position};
use serde::{Deserialize, de::DeserializeOwned};

/// A push: an event from EventBridge, or a message of another client. A clone is cheap.
///
/// ```no_run
/// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// #[derive(serde::Deserialize)]
/// struct OrderState {
///     state: String,
/// }
///
/// let mut order = client.subscribe("order-1").await?;
/// let push = order.recv().await?;
/// let order: OrderState = push.message()?;
/// println!("{} at {:?}", order.state, push.time());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Push(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    text: String,
    kind: String,
    entity_id: Option<EntityId>,
    event_id: Option<String>,
    time: Option<String>,
    position: Option<Position>,
}

impl Push {
    pub(crate) fn new(
        text: String,
        kind: String,
        entity_id: Option<EntityId>,
        event_id: Option<String>,
        time: Option<String>,
        position: Option<Position>,
    ) -> Self {
        Self(Arc::new(Inner {
            text,
            kind,
            entity_id,
            event_id,
            time,
            position,
        }))
    }

    /// Returns the frame's `type`: `Entity Updated`, `User Push Notification`, `Broadcast`, `message`.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Returns the entity that the push is about. `None` for notifications and broadcasts.
    pub fn entity_id(&self) -> Option<&EntityId> {
        self.0.entity_id.as_ref()
    }

    /// Returns the event's id, which is the same in every repeat.
    pub fn event_id(&self) -> Option<&str> {
        self.0.event_id.as_deref()
    }

    /// Returns the event's time, in the format of RFC 3339.
    pub fn time(&self) -> Option<&str> {
        self.0.time.as_deref()
    }

    /// Returns the position in the log of the push's audience: that after this message. `None` if the audience
    /// has no log.
    pub fn position(&self) -> Option<&Position> {
        self.0.position.as_ref()
    }

    /// Returns the message as a type of your own.
    ///
    /// # Errors
    ///
    /// Returns an error if the push has no message, or if it is not a `T`.
    pub fn message<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        #[derive(Deserialize)]
        struct Frame<T> {
            message: T,
        }
        serde_json::from_str::<Frame<T>>(&self.0.text).map(|frame| frame.message)
    }

    /// Returns a notification's `callback`, the sender's instruction to the application, as a type of your own.
    ///
    /// # Errors
    ///
    /// Returns an error if the push has no callback, or if it is not a `T`.
    pub fn callback<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        #[derive(Deserialize)]
        struct Frame<T> {
            callback: T,
        }
        serde_json::from_str::<Frame<T>>(&self.0.text).map(|frame| frame.callback)
    }

    /// Returns the sender's name of a client's message, which the server does not check.
    pub fn name(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Frame {
            name: String,
        }
        serde_json::from_str::<Frame>(&self.0.text)
            .ok()
            .map(|frame| frame.name)
    }

    /// Returns the whole frame as the server sent it, a JSON object.
    pub fn json(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Debug for Push {
    /// Omits the message: a log must not hold it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Push")
            .field("kind", &self.0.kind)
            .field("entity_id", &self.0.entity_id)
            .field("event_id", &self.0.event_id)
            .finish_non_exhaustive()
    }
}
