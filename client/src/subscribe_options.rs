//! The options of a subscription, and the part of a log to read.

use herald_shared::{
    log::Position,
    protocol::{LogName, StartRequest},
};
use serde_json::{Map, Value, json};

/// The start of a subscription in the log of its entity, and its presence. By default it begins with the next push,
/// and does not ask for presence.
///
/// The start counts for the first subscription to an entity. A later one joins it at the client's position.
///
/// ```
/// use herald_client::SubscribeOptions;
///
/// let last_twenty = SubscribeOptions::new().rewind(20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscribeOptions {
    pub(crate) start: StartRequest,
    pub(crate) presence: bool,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self {
            start: StartRequest::Live,
            presence: false,
        }
    }
}

impl SubscribeOptions {
    /// Returns the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts from a saved position: every message since then is delivered, or
    /// [`Next::Lost`](crate::Next::Lost) comes first. It replaces an earlier [`SubscribeOptions::rewind`].
    pub fn recover(mut self, position: Position) -> Self {
        self.start = StartRequest::Recover(position);
        self
    }

    /// Starts with the last messages, from 1 to 300, which needs the permission `history`. It replaces an
    /// earlier [`SubscribeOptions::recover`].
    pub fn rewind(mut self, messages: usize) -> Self {
        self.start = StartRequest::Rewind(messages);
        self
    }

    /// Asks for the users at the entity, which needs the permission `presence`:
    /// [`Subscription::presence`](crate::Subscription::presence) then has them, and
    /// [`Subscription::presence_changes`](crate::Subscription::presence_changes) tells who joins and leaves. Every
    /// subscription to an entity may ask by itself.
    ///
    /// ```
    /// use herald_client::SubscribeOptions;
    ///
    /// let with_presence = SubscribeOptions::new().presence();
    /// ```
    pub fn presence(mut self) -> Self {
        self.presence = true;
        self
    }
}

/// A part of a log, for [`Client::history`](crate::Client::history).
///
/// ```
/// use herald_client::History;
///
/// let last_fifty = History::last(50);
/// let those_before = History::before(190, 50);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    fields: Map<String, Value>,
}

impl History {
    /// Returns the last messages, at most so many, up to 300.
    pub fn last(messages: usize) -> Self {
        Self::of([("last", json!(messages))])
    }

    /// Returns the messages before an offset, at most so many, up to 300.
    pub fn before(offset: u64, messages: usize) -> Self {
        Self::of([("before", json!(offset)), ("limit", json!(messages))])
    }

    /// Returns the messages since a position, as many as fit in a reply.
    pub fn since(position: &Position) -> Self {
        Self::of([("since", json!(position))])
    }

    /// Returns at most so many of the messages, up to 300.
    pub fn limit(mut self, messages: usize) -> Self {
        self.fields.insert("limit".to_owned(), json!(messages));
        self
    }

    fn of<const N: usize>(fields: [(&str, Value); N]) -> Self {
        let fields = fields.into_iter();
        Self {
            fields: fields
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }

    /// Returns the request for the log of an audience.
    pub(crate) fn request(self, of: &LogName) -> String {
        let (name, value) = match of {
            LogName::Entity(entity) => ("entityId", json!(entity)),
            LogName::User => ("user", json!(true)),
            LogName::Everyone => ("everyone", json!(true)),
        };
        let mut fields = self.fields;
        fields.insert("action".to_owned(), json!("history"));
        fields.insert(name.to_owned(), value);
        Value::Object(fields).to_string()
    }
}
