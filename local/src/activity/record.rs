//! The records of what happens in the stack. Their JSON is a wire format; its field `kind` names the
//! kind of record.

use std::{net::IpAddr, time::Duration};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Excerpt, event_ids,
    hiding::without_token,
    logs::{self, FramePosition, Recovery},
    presence::PresenceChange,
};

/// The number of bytes kept of a client's message, and of its reply.
const BODY_LIMIT: usize = 4 * 1024;

/// The size of the largest event detail that is kept, in bytes.
const DETAIL_LIMIT: usize = 16 * 1024;

/// One record.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// Its time, in epoch milliseconds.
    pub(crate) at: f64,
    #[serde(flatten)]
    pub(crate) kind: RecordKind,
}

/// The content of a record. Durations are in milliseconds; a field without a value is `null`.
#[derive(Debug, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum RecordKind {
    /// A connection was accepted.
    Connected {
        connection_id: String,
        user_id: Option<String>,
        source_ip: IpAddr,
    },
    /// An upgrade, or a request of a foreign page, was refused with this status.
    Refused { status: u16, source_ip: IpAddr },
    /// A connection ended.
    Disconnected {
        connection_id: String,
        code: u16,
        reason: Option<String>,
    },
    /// A client's message was processed, with or without a reply.
    Request {
        connection_id: String,
        route_key: String,
        body: Excerpt,
        /// `None` if no route matches the message.
        function: Option<String>,
        milliseconds: f64,
        reply: Option<Excerpt>,
        /// The event ids in the reply.
        event_ids: Vec<String>,
        /// The logs that answered with what the client missed, or with a part of them.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        recoveries: Vec<Recovery>,
        /// True if the body or the reply was cut.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
    },
    /// An event was put on a bus.
    Event {
        event_id: String,
        /// The id that EventBridge assigned; `event_id` is the same unless the sender set one.
        id: String,
        detail_type: String,
        source: String,
        /// The detail as it was sent; `None` if it is too large.
        detail: Option<Box<RawValue>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
        bus: String,
        /// The names of the rules that match it.
        rules: Vec<String>,
    },
    /// A message was added to a queue.
    Queued {
        /// The queue's logical id.
        queue: String,
        message_id: String,
        event_ids: Vec<String>,
        /// The seconds until it can be received.
        delay: f64,
        cause: Cause,
    },
    /// An invocation ended.
    Invocation {
        /// `None` if the function did not run, or its host did not report the id.
        request_id: Option<String>,
        /// The function's logical id.
        function: String,
        milliseconds: f64,
        outcome: InvocationStatus,
        error: Option<String>,
        event_ids: Vec<String>,
        /// The logical id of the queue that invoked the function.
        queue: Option<String>,
        /// The number of messages.
        records: Option<usize>,
        /// The last lines that the function printed.
        logs: Vec<Excerpt>,
    },
    /// A post to a connection was answered.
    Post {
        connection_id: String,
        /// The connection's user. `None` if it is anonymous or gone.
        user_id: Option<String>,
        event_ids: Vec<String>,
        /// `None` if the audience has no log.
        #[serde(skip_serializing_if = "Option::is_none")]
        position: Option<FramePosition>,
        /// `None` unless the frame is of presence.
        #[serde(skip_serializing_if = "Option::is_none")]
        presence: Option<PresenceChange>,
        bytes: usize,
        status: u16,
        milliseconds: f64,
    },
}

/// The reason why a message was added to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Cause {
    /// It was sent.
    Sent,
    /// It was received too often from another queue.
    Redriven,
    /// It was moved back from a dead-letter queue.
    Replayed,
}

/// The end of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum InvocationStatus {
    /// The function returned.
    Ok,
    /// It returned an error or panicked.
    Error,
    /// It exceeded its time limit.
    Timeout,
    /// Its process ended.
    Crashed,
    /// It did not run.
    Refused,
}

impl RecordKind {
    /// Returns the record of a client's message and of the reply, sent after the duration `after`. A token
    /// in the message is not kept.
    pub(crate) fn request(
        connection_id: &str,
        route_key: &str,
        function: Option<&str>,
        body: &str,
        reply: Option<&str>,
        after: Duration,
    ) -> Self {
        let recoveries = reply.map_or_else(Vec::new, |reply| logs::of_request(body, reply));
        let body = Excerpt::of(&without_token(body), BODY_LIMIT);
        let event_ids = reply.map_or_else(Vec::new, event_ids::of_body);
        let reply = reply.map(|reply| Excerpt::of(reply, BODY_LIMIT));
        Self::Request {
            connection_id: connection_id.to_owned(),
            route_key: route_key.to_owned(),
            function: function.map(str::to_owned),
            milliseconds: milliseconds(after),
            event_ids,
            recoveries,
            cut: body.is_cut || reply.as_ref().is_some_and(|reply| reply.is_cut),
            body,
            reply,
        }
    }

    /// Returns the record of a message that was added to the queue with this logical id.
    pub(crate) fn queued(
        queue: &str,
        message_id: &str,
        body: &str,
        delay: Duration,
        cause: Cause,
    ) -> Self {
        Self::Queued {
            queue: queue.to_owned(),
            message_id: message_id.to_owned(),
            event_ids: event_ids::of_body(body),
            delay: delay.as_secs_f64(),
            cause,
        }
    }
}

/// Returns the detail of an event, unless it is too large to keep.
pub(crate) fn kept_detail(detail: &str) -> Option<Box<RawValue>> {
    let kept = Some(detail).filter(|detail| detail.len() <= DETAIL_LIMIT);
    kept.and_then(|detail| RawValue::from_string(detail.to_owned()).ok())
}

/// Returns a duration in milliseconds, with microseconds.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
