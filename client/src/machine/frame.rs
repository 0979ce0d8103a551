//! What a text from the server means.
//!
//! A field of an unexpected kind counts as absent: a newer server may say more than this client knows.

use std::{borrow::Cow, collections::HashMap};

use herald_shared::ids::EntityId;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{GatewayError, Push, Reply, RequestError, ServerError};

/// A text from the server.
#[derive(Debug)]
pub(super) enum Frame {
    /// The reply to the request with this `id`.
    Reply {
        id: u64,
        result: Result<Reply, RequestError>,
    },
    /// An error that does not say which request it is about.
    Unaddressed(RequestError),
    Push(Push),
    Disconnect {
        reconnect: bool,
        code: Option<String>,
        reason: Option<String>,
    },
    /// Nothing to act on: a `pong`, or nothing we know.
    Nothing,
}

impl Frame {
    pub(super) fn read(text: String) -> Self {
        let Ok(fields) = serde_json::from_str::<Fields<'_>>(&text) else {
            return Self::Nothing;
        };
        let id = fields.text("id").and_then(|id| id.parse().ok());
        match (fields.text("type").as_deref(), id) {
            (None, _) => fields
                .gateway_error()
                .map_or(Self::Nothing, Self::Unaddressed),
            (Some("pong"), _) | (Some("ack"), None) => Self::Nothing,
            (Some("error"), Some(id)) => Self::Reply {
                id,
                result: Err(fields.server_error()),
            },
            (Some("error"), None) => Self::Unaddressed(fields.server_error()),
            (Some("disconnect"), _) => Self::Disconnect {
                reconnect: fields.flag("reconnect").unwrap_or(true),
                code: fields.text("code"),
                reason: fields.text("reason"),
            },
            (Some("ack" | "message"), Some(id)) => Self::Reply {
                id,
                result: Ok(Reply::new(text)),
            },
            (Some(kind), _) => {
                let kind = kind.to_owned();
                let entity_id = fields
                    .text("entityId")
                    .and_then(|id| EntityId::new(id).ok());
                let (event_id, time) = (fields.text("eventId"), fields.text("time"));
                Self::Push(Push::new(text, kind, entity_id, event_id, time))
            }
        }
    }
}

/// The fields of a JSON object.
#[derive(Deserialize)]
#[serde(transparent)]
struct Fields<'a>(#[serde(borrow)] HashMap<Cow<'a, str>, &'a RawValue>);

impl Fields<'_> {
    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    fn server_error(&self) -> RequestError {
        RequestError::Server(ServerError {
            code_text: self.text("code").unwrap_or_default(),
            message: self.text("message").unwrap_or_default(),
            retryable: self.flag("retryable").unwrap_or(false),
        })
    }

    fn gateway_error(&self) -> Option<RequestError> {
        let of_the_gateway = ["connectionId", "requestId"]
            .iter()
            .any(|field| self.0.contains_key(*field));
        let message = self.text("message").filter(|_| of_the_gateway)?;
        Some(RequestError::Gateway(GatewayError::new(message)))
    }
}
