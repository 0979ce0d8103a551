//! The events: their details, and their form on the notification queue.

use std::time::SystemTime;

use herald_shared::{
    ids::{ConnectionId, EntityId, UserId},
    protocol::PresenceFrame,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{bus::BusEvent, message::rfc3339};

/// The detail-types. None is a detail-type of an event that Herald pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum DetailType {
    #[serde(rename = "Connection Opened")]
    ConnectionOpened,
    #[serde(rename = "Connection Closed")]
    ConnectionClosed,
    #[serde(rename = "Entity Subscribed")]
    EntitySubscribed,
    #[serde(rename = "Entity Unsubscribed")]
    EntityUnsubscribed,
    #[serde(rename = "Presence Changed")]
    PresenceChanged,
}

impl DetailType {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionOpened => "Connection Opened",
            Self::ConnectionClosed => "Connection Closed",
            Self::EntitySubscribed => "Entity Subscribed",
            Self::EntityUnsubscribed => "Entity Unsubscribed",
            Self::PresenceChanged => "Presence Changed",
        }
    }
}

/// The reason a connection or subscription ended, as far as the function that removed it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "cause",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum End {
    /// The client unsubscribed.
    Unsubscribed,
    /// The gateway reported the end of the connection.
    Disconnected {
        /// The close code.
        #[serde(skip_serializing_if = "Option::is_none")]
        status_code: Option<i64>,
        /// The gateway's text.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The gateway answered that it does not know the connection.
    Gone,
    /// Herald closed the connection because its token had ended.
    TokenEnded,
    /// Herald closed the connection because of an event `Disconnect User`.
    UserDisconnected,
}

/// A change that is an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BackendEvent {
    /// A change of a connection.
    Connection(ConnectionChange),
    /// A change of an entity's members.
    Presence {
        time: SystemTime,
        /// The frame that clients get.
        frame: PresenceFrame,
    },
}

/// A change of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConnectionChange {
    pub(super) time: SystemTime,
    pub(super) connection: ConnectionId,
    /// The user of the connection. `None` if it is anonymous.
    pub(super) user: Option<UserId>,
    pub(super) connected_at: SystemTime,
    pub(super) change: Change,
}

/// The kind of a change of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Opened,
    Closed(End),
    /// The second value is the number of the change of the connection's subscriptions.
    Subscribed(EntityId, u64),
    Unsubscribed(EntityId, u64, End),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    id: String,
    time: String,
    connection_id: &'a ConnectionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a UserId>,
    connected_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<&'a EntityId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<u64>,
    #[serde(flatten)]
    end: Option<&'a End>,
}

/// The detail of a change of an entity's members.
#[derive(Serialize)]
struct PresenceDetail<'a> {
    id: String,
    time: String,
    #[serde(flatten)]
    frame: &'a PresenceFrame,
}

impl BackendEvent {
    /// Returns the event as it is put on the bus. Its `id` is the same each time.
    pub(super) fn to_bus_event(&self) -> BusEvent {
        match self {
            Self::Connection(change) => change.to_bus_event(),
            Self::Presence { time, frame } => {
                let detail = PresenceDetail {
                    id: format!("presence:{}:{}", frame.version, frame.entity_id),
                    time: rfc3339(*time),
                    frame,
                };
                bus_event(DetailType::PresenceChanged, &detail)
            }
        }
    }
}

fn bus_event(detail_type: DetailType, detail: &impl Serialize) -> BusEvent {
    BusEvent {
        detail_type: detail_type.as_str(),
        detail: serde_json::to_string(detail).expect("a detail is always JSON"),
    }
}

impl ConnectionChange {
    fn to_bus_event(&self) -> BusEvent {
        let connection = &self.connection;
        let (detail_type, id, subscription, end) = match &self.change {
            Change::Opened => (
                DetailType::ConnectionOpened,
                format!("opened:{connection}"),
                None,
                None,
            ),
            Change::Closed(end) => (
                DetailType::ConnectionClosed,
                format!("closed:{connection}"),
                None,
                Some(end),
            ),
            Change::Subscribed(entity, change) => (
                DetailType::EntitySubscribed,
                format!("subscribed:{connection}:{change}:{entity}"),
                Some((entity, *change)),
                None,
            ),
            Change::Unsubscribed(entity, change, end) => (
                DetailType::EntityUnsubscribed,
                format!("unsubscribed:{connection}:{change}:{entity}"),
                Some((entity, *change)),
                Some(end),
            ),
        };
        let detail = Detail {
            id,
            time: rfc3339(self.time),
            connection_id: connection,
            user_id: self.user.as_ref(),
            connected_at: rfc3339(self.connected_at),
            entity_id: subscription.map(|(entity, _)| entity),
            change: subscription.map(|(_, change)| change),
            end,
        };
        bus_event(detail_type, &detail)
    }

    /// Replaces the reason for the end of the connection, if the function that removed it knew only that it
    /// is gone.
    pub(super) fn explain(&mut self, reason: &End) {
        match &mut self.change {
            Change::Closed(end) | Change::Unsubscribed(_, _, end) if *end == End::Gone => {
                *end = reason.clone();
            }
            _ => {}
        }
    }
}

/// The beginning of the body of a message on the notification queue with events for the bus.
const BEGINNING: &str = r#"{"backendEvents":"#;

/// The body of a message on the notification queue with events for the bus.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    backend_events: Vec<Queued<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Queued<'a> {
    detail_type: DetailType,
    #[serde(borrow)]
    detail: &'a RawValue,
}

/// Returns the body of a message on the notification queue for events that the bus did not accept.
pub(super) fn to_queue_body(events: &[&BusEvent]) -> String {
    let events = events.iter().map(|event| {
        let BusEvent {
            detail_type,
            detail,
        } = event;
        format!(r#"{{"detailType":"{detail_type}","detail":{detail}}}"#)
    });
    let events: Vec<_> = events.collect();
    format!("{BEGINNING}[{}]}}", events.join(","))
}

/// Reads the body of a message on the notification queue. `None` if it has no events for the bus.
pub(crate) fn from_queue_body(body: &str) -> Option<Vec<BusEvent>> {
    if !body.starts_with(BEGINNING) {
        return None;
    }
    let body: Body<'_> = serde_json::from_str(body).ok()?;
    let event = |queued: Queued<'_>| BusEvent {
        detail_type: queued.detail_type.as_str(),
        detail: queued.detail.get().to_owned(),
    };
    Some(body.backend_events.into_iter().map(event).collect())
}
