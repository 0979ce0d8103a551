//! What the server answers to a message.

use std::fmt;

use serde::{Deserialize, de::DeserializeOwned};

/// The reply to a message: its acknowledgement, or the echo of a message without a target.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Acknowledged {
    event_id: Option<String>,
    event_ids: Vec<String>,
}

impl Reply {
    pub(crate) fn new(text: String) -> Self {
        Self { text }
    }

    /// The ids of the pushes that it led to, in the order of the messages; none for an echo.
    pub fn event_ids(&self) -> Vec<String> {
        let acknowledged: Acknowledged = serde_json::from_str(&self.text).unwrap_or_default();
        match acknowledged.event_id {
            Some(one) => vec![one],
            None => acknowledged.event_ids,
        }
    }

    /// The echoed message as a type of your own. Errs if it is an acknowledgement, or of another form.
    pub fn echo<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        #[derive(Deserialize)]
        struct Echo<T> {
            message: T,
        }
        serde_json::from_str::<Echo<T>>(&self.text).map(|echo| echo.message)
    }

    /// The whole frame as it was sent, a JSON object.
    pub fn json(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Reply {
    /// Not the text: an echo holds what was said.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reply")
            .field("event_ids", &self.event_ids())
            .finish_non_exhaustive()
    }
}
