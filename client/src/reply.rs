//! The server's reply to a message.

use std::fmt;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// The reply to a message: its acknowledgement, or the echo of a message without an audience.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    text: String,
}

/// The ids of an acknowledgement, of any JSON type.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Acknowledged {
    event_id: Value,
    event_ids: Value,
}

impl Reply {
    pub(crate) fn new(text: String) -> Self {
        Self { text }
    }

    /// Returns the event ids of the messages, in their order. Empty for an echo.
    pub fn event_ids(&self) -> Vec<String> {
        let acknowledged: Acknowledged = serde_json::from_str(&self.text).unwrap_or_default();
        let several = acknowledged.event_ids.as_array().cloned();
        let all = [acknowledged.event_id]
            .into_iter()
            .chain(several.into_iter().flatten());
        all.filter_map(|id| id.as_str().map(str::to_owned))
            .collect()
    }

    /// Returns the echoed message as a type of your own.
    ///
    /// # Errors
    ///
    /// Returns an error if the reply is an acknowledgement, or if its message is not a `T`.
    pub fn echo<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        #[derive(Deserialize)]
        struct Echo<T> {
            message: T,
        }
        serde_json::from_str::<Echo<T>>(&self.text).map(|echo| echo.message)
    }

    /// Returns the whole frame as the server sent it, a JSON object.
    pub fn json(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Reply {
    /// Omits the text: a log must not hold messages.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reply")
            .field("event_ids", &self.event_ids())
            .finish_non_exhaustive()
    }
}
