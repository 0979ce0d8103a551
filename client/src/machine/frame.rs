//! The frames from the server.
//!
//! A field of an unexpected type counts as absent: a newer server may send more than this client knows.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use herald_shared::{
    ids::EntityId,
    log::{Epoch, Position},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{audience::Audience, log_answer::LogAnswer, presence_frame::PresenceSnapshot};
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
                let position = fields.position().filter(|position| position.offset > 0);
                Self::Push(Push::new(text, kind, entity_id, event_id, time, position))
            }
        }
    }
}

/// Reads the number of a request. `None` if the client writes it differently.
fn request_number(id: &str) -> Option<u64> {
    let number: u64 = id.parse().ok()?;
    (number.to_string() == id).then_some(number)
}

/// The result of a request for one audience: the answer of its log, or an error.
pub(super) type LogResult = Result<LogAnswer, RequestError>;

/// The results of a `subscribe` for its entities.
pub(super) enum EntityResults {
    /// The same error for all.
    Failed(RequestError),
    /// The result of the only entity.
    One(LogAnswer),
    /// The results of a reply to several entities. An entity without a result has no reply.
    Each(HashMap<String, LogResult>),
}

impl EntityResults {
    /// Reads the results from the reply to a `subscribe` to one or to several.
    pub(super) fn of(result: Result<Reply, RequestError>, several: bool) -> Self {
        match result {
            Err(error) => Self::Failed(error),
            Ok(reply) if several => Self::Each(SyncResults::read(&reply).entities),
            Ok(reply) => Self::One(log_answer(&reply)),
        }
    }

    /// Removes and returns the result of an entity.
    pub(super) fn take(&mut self, entity: &EntityId) -> LogResult {
        match self {
            Self::Failed(error) => Err(error.clone()),
            Self::One(answer) => Ok(std::mem::take(answer)),
            Self::Each(results) => results
                .remove(entity.as_str())
                .unwrap_or(Err(RequestError::OutcomeUnknown)),
        }
    }

    /// Returns true if an entity's error says that the server does not know the connection any more.
    pub(super) fn have_unknown_connection(&self) -> bool {
        let is_unknown = |result: &LogResult| {
            let error = result.as_ref().err();
            error.is_some_and(RequestError::is_unknown_connection)
        };
        match self {
            Self::Failed(_) | Self::One(_) => false,
            Self::Each(results) => results.values().any(is_unknown),
        }
    }
}

/// The results of a `sync`. An audience without a result is current.
#[derive(Default)]
pub(super) struct SyncResults {
    entities: HashMap<String, LogResult>,
    user: Option<LogResult>,
    everyone: Option<LogResult>,
}

impl SyncResults {
    pub(super) fn read(reply: &Reply) -> Self {
        let Ok(reply) = serde_json::from_str::<Fields<'_>>(reply.json()) else {
            return Self::default();
        };
        let results = |entities: Fields<'_>| {
            let names = entities.0.keys();
            let result =
                |name: &Cow<'_, str>| Some((name.clone().into_owned(), entities.log_result(name)?));
            names.filter_map(result).collect()
        };
        Self {
            entities: reply.value("entities").map(results).unwrap_or_default(),
            user: reply.log_result("user"),
            everyone: reply.log_result("everyone"),
        }
    }

    /// Removes and returns the result of an audience.
    pub(super) fn take(&mut self, audience: &Audience) -> Option<LogResult> {
        match audience {
            Audience::Entity(entity) => self.entities.remove(entity.as_str()),
            Audience::User => self.user.take(),
            Audience::Everyone => self.everyone.take(),
        }
    }
}

/// Reads the answer of the only log in a reply.
pub(crate) fn log_answer(reply: &Reply) -> LogAnswer {
    serde_json::from_str::<Fields<'_>>(reply.json())
        .map(|fields| fields.log_answer())
        .unwrap_or_default()
}

/// Reads the presence of the only entity in a reply. `None` if it has none.
pub(crate) fn presence_of(reply: &Reply) -> Option<PresenceSnapshot> {
    let fields = serde_json::from_str::<Fields<'_>>(reply.json()).ok()?;
    fields.presence()
}

/// Reads the positions of the messages that a reply acknowledges. Empty for any other reply.
pub(super) fn acknowledged_positions(reply: &Reply) -> Vec<Position> {
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(reply.json()) else {
        return Vec::new();
    };
    if fields.text("action").as_deref() != Some("sendMessage") {
        return Vec::new();
    }
    let several: Vec<Position> = fields.value("positions").unwrap_or_default();
    several.into_iter().chain(fields.position()).collect()
}

/// Reads the longest time from one ping to the next that the acknowledgement of a `subscribe` demands. `None` if it
/// demands none.
pub(super) fn keep_alive(reply: &Reply) -> Option<Duration> {
    let fields: Fields<'_> = serde_json::from_str(reply.json()).ok()?;
    let seconds: u32 = fields.value("keepAlive").filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.into()))
}

/// Reads the pause that the reply to a poll demands. `None` if it demands none.
pub(super) fn poll_pause(reply: &Reply) -> Option<Duration> {
    let fields: Fields<'_> = serde_json::from_str(reply.json()).ok()?;
    let milliseconds = fields.value("pollAfter").filter(|pause| *pause > 0)?;
    Some(Duration::from_millis(milliseconds))
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

    /// Reads a position. Only the start has no epoch.
    fn position(&self) -> Option<Position> {
        let (epoch, offset) = (self.value::<Epoch>("epoch"), self.value("offset")?);
        (epoch.is_some() || offset == 0).then_some(Position { epoch, offset })
    }

    fn log_result(&self, name: &str) -> Option<LogResult> {
        let result: Fields<'_> = self.value(name)?;
        Some(match result.0.contains_key("error") {
            true => Err(result.value::<Fields<'_>>("error")?.server_error()),
            false => Ok(result.log_answer()),
        })
    }

    fn log_answer(&self) -> LogAnswer {
        let messages: Vec<&RawValue> = self.value("messages").unwrap_or_default();
        let push = |message: &RawValue| match Frame::read(message.get().to_owned()) {
            Frame::Push(push) => Some(push),
            _ => None,
        };
        LogAnswer {
            position: self.position(),
            top: self.value("top").unwrap_or(0),
            is_lost: self.flag("recovered") == Some(false),
            messages: messages.into_iter().filter_map(push).collect(),
            more: self.flag("more").unwrap_or(false),
            presence: self.presence(),
        }
    }

    fn presence(&self) -> Option<PresenceSnapshot> {
        PresenceSnapshot::of(&self.value("presence")?)
    }

    fn gateway_error(&self) -> Option<RequestError> {
        let is_of_gateway = ["connectionId", "requestId"]
            .iter()
            .any(|field| self.text(field).is_some());
        let message = self.text("message").filter(|_| is_of_gateway)?;
        Some(RequestError::Gateway(GatewayError::new(message)))
    }
}
