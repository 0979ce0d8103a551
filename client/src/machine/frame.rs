//! The frames from the server.
//!
//! A field of an unexpected type counts as absent: a newer server may send more than this client knows.

use std::{borrow::Cow, collections::HashMap};

use herald_shared::ids::EntityId;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{GatewayError, Push, Reply, RequestError, ServerError};

/// A frame from the server.
#[derive(Debug)]
pub(super) enum Frame {
    /// The reply to the request with this `id`.
    Reply {
        id: u64,
        result: Result<Reply, RequestError>,
    },
    /// An error that names no request.
    Unaddressed(RequestError),
    Push(Push),
    Disconnect {
        reconnect: bool,
        code: Option<String>,
        reason: Option<String>,
    },
    /// A `pong`, or a text that this client does not know.
    Nothing,
}

impl Frame {
    pub(super) fn read(text: String) -> Self {
        let Ok(fields) = serde_json::from_str::<Fields<'_>>(&text) else {
            return Self::Nothing;
        };
        let id = fields.text("id").as_deref().and_then(request_number);
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
                let Ok(entity_id) = fields.text("entityId").map(EntityId::new).transpose() else {
                    // No subscription has an invalid id.
                    return Self::Nothing;
                };
                let (event_id, time) = (fields.text("eventId"), fields.text("time"));
                Self::Push(Push::new(text, kind, entity_id, event_id, time))
            }
        }
    }
}

/// Reads the number of a request. `None` if the client would have written it in another way.
fn request_number(id: &str) -> Option<u64> {
    let number: u64 = id.parse().ok()?;
    (number.to_string() == id).then_some(number)
}

/// The results of a `subscribe` for its entities.
pub(super) enum EntityResults {
    /// The same for all.
    Same(Option<RequestError>),
    /// The results of a reply to several entities. An entity without a result has no reply.
    Each(HashMap<String, Option<RequestError>>),
}

impl EntityResults {
    /// Reads the results from the reply to a `subscribe` to one or to several.
    pub(super) fn of(result: &Result<Reply, RequestError>, several: bool) -> Self {
        match result {
            Err(error) => Self::Same(Some(error.clone())),
            Ok(_) if !several => Self::Same(None),
            Ok(reply) => Self::Each(Self::read(reply.json()).unwrap_or_default()),
        }
    }

    fn read(reply: &str) -> Option<HashMap<String, Option<RequestError>>> {
        let reply: Fields<'_> = serde_json::from_str(reply).ok()?;
        let entities: Fields<'_> = reply.value("entities")?;
        let result = |(entity, _): (&Cow<'_, str>, _)| {
            let result: Fields<'_> = entities.value(entity)?;
            let error = match result.0.contains_key("error") {
                true => Some(result.value::<Fields<'_>>("error")?.server_error()),
                false => None,
            };
            Some((entity.clone().into_owned(), error))
        };
        Some(entities.0.iter().filter_map(result).collect())
    }

    /// Returns the error of an entity. `None` if it is subscribed to.
    pub(super) fn error_of(&self, entity: &EntityId) -> Option<RequestError> {
        match self {
            Self::Same(error) => error.clone(),
            Self::Each(results) => match results.get(entity.as_str()) {
                Some(error) => error.clone(),
                None => Some(RequestError::OutcomeUnknown),
            },
        }
    }

    /// Returns true if an entity's error says that the server does not know the connection any more.
    pub(super) fn have_unknown_connection(&self) -> bool {
        match self {
            Self::Same(_) => false,
            Self::Each(results) => results
                .values()
                .flatten()
                .any(RequestError::is_unknown_connection),
        }
    }
}

/// The fields of a JSON object.
#[derive(Deserialize)]
#[serde(transparent)]
struct Fields<'a>(#[serde(borrow)] HashMap<Cow<'a, str>, &'a RawValue>);

impl Fields<'_> {
    /// Reads a field. `None` if it is absent or of another type.
    fn value<'b, T: Deserialize<'b>>(&'b self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.value(name)
    }

    /// Reads a list of texts. An item of another type is `None`.
    fn texts(&self, name: &str) -> Vec<Option<String>> {
        let items: Vec<&RawValue> = self.value(name).unwrap_or_default();
        let items = items.into_iter();
        items
            .map(|item| serde_json::from_str(item.get()).ok())
            .collect()
    }

    fn server_error(&self) -> RequestError {
        RequestError::Server(ServerError {
            code_text: self.text("code").unwrap_or_default(),
            message: self.text("message").unwrap_or_default(),
            retryable: self.flag("retryable").unwrap_or(false),
            event_ids: self.texts("eventIds"),
        })
    }

    fn gateway_error(&self) -> Option<RequestError> {
        let is_of_gateway = ["connectionId", "requestId"]
            .iter()
            .any(|field| self.text(field).is_some());
        let message = self.text("message").filter(|_| is_of_gateway)?;
        Some(RequestError::Gateway(GatewayError::new(message)))
    }
}
