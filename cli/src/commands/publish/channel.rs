//! The two ways to publish: on the event bus, and over HTTP.

use serde::{Deserialize, Serialize};

use super::{batch::Limits, bus::Bus, entry::Entry, http::Http};
use crate::failure::Failure;

/// The way of the messages.
pub(super) enum Channel {
    Bus(Bus),
    Http(Box<Http>),
}

/// A published message.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Published {
    /// The event id that clients receive.
    pub(super) event_id: String,
    /// The position in the log of its audience, if it has a log. The event bus does not return it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) epoch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<u64>,
    /// True if it was dropped, because one of a version as high came before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) stale: bool,
}

/// The result of each message of a call, in order.
pub(super) type Results = Vec<Result<Published, Failure>>;

impl Channel {
    /// Publishes the messages of one call.
    ///
    /// Fails if the call as a whole fails.
    pub(super) async fn put(&self, entries: &[&Entry]) -> Result<Results, Failure> {
        match self {
            Self::Bus(bus) => bus.put(entries).await,
            Self::Http(http) => http.put(entries).await,
        }
    }

    /// Returns the limits of a call.
    pub(super) fn limits(&self) -> Limits {
        match self {
            Self::Bus(_) => Bus::LIMITS,
            Self::Http(_) => Http::LIMITS,
        }
    }

    /// Returns the bytes that count for a message in a call.
    pub(super) fn size(&self, entry: &Entry) -> usize {
        match self {
            Self::Bus(bus) => bus.size(entry),
            Self::Http(_) => Http::size(entry),
        }
    }
}

impl Published {
    /// Returns a message without a known position.
    pub(super) fn with_id(event_id: String) -> Self {
        Self {
            event_id,
            epoch: None,
            offset: None,
            stale: false,
        }
    }

    /// Returns the text for people: the event id, and the offset if it is known.
    pub(super) fn text(&self) -> String {
        let event_id = &self.event_id;
        match (self.offset, self.stale) {
            (_, true) => format!("{event_id} stale"),
            (Some(offset), false) => format!("{event_id} {offset}"),
            (None, false) => event_id.clone(),
        }
    }
}
