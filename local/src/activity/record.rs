//! The kinds of records, as their JSON stands on the wire: `kind` says which.

use std::{net::IpAddr, time::Duration};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Excerpt, event_ids, hiding::without_token};

/// How much of a client's message is kept, and of its reply, in bytes.
const BODY_LIMIT: usize = 4 * 1024;

/// The largest detail of an event that is kept, in bytes.
const DETAIL_LIMIT: usize = 16 * 1024;

/// One record.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    /// Its place among all, from 1.
    pub(crate) number: u64,
    /// When it was made, in epoch milliseconds.
    pub(crate) at: f64,
    /// What happened.
    #[serde(flatten)]
    pub(crate) happening: Happening,
}

/// What happened. Durations are in milliseconds; a field without a value is `null`.
#[derive(Debug, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum Happening {
    /// A client was let in.
    Connected {
        connection_id: String,
        user_id: Option<String>,
        source_ip: IpAddr,
    },
    /// An upgrade, or a request of a page elsewhere, was refused with this status.
    Refused { status: u16, source_ip: IpAddr },
    /// A connection ended.
    Disconnected {
        connection_id: String,
        code: u16,
        reason: Option<String>,
    },
    /// A client's message was answered, or dealt with in silence.
    Request {
        connection_id: String,
        route_key: String,
        body: Excerpt,
        /// None: no route takes the message.
        function: Option<String>,
        milliseconds: f64,
        reply: Option<Excerpt>,
        /// Those that the reply names.
        event_ids: Vec<String>,
        /// Whether the body or the reply is only the beginning.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
    },
    /// An event came onto a bus.
    Event {
        event_id: String,
        /// EventBridge's own, which is the same if the sender gave none.
        id: String,
        detail_type: String,
        source: String,
        /// As it was sent; none if it is too large.
        detail: Option<Box<RawValue>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
        bus: String,
        /// The names of the rules that take it.
        rules: Vec<String>,
    },
    /// A message came onto a queue.
    Queued {
        /// The queue's logical id.
        queue: String,
        message_id: String,
        event_ids: Vec<String>,
        /// For how many seconds nobody can receive it.
        delay: f64,
        cause: Cause,
    },
    /// An invocation has ended.
    Invocation {
        /// None: it was not run, or whoever ran it did not say.
        request_id: Option<String>,
        /// The function's logical id.
        function: String,
        milliseconds: f64,
        outcome: Outcome,
        error: Option<String>,
        event_ids: Vec<String>,
        /// The logical id of the queue whose messages it was for.
        queue: Option<String>,
        /// How many messages.
        records: Option<usize>,
        /// The last lines that the function printed.
        logs: Vec<Excerpt>,
    },
    /// A call to post to a connection was answered.
    Post {
        connection_id: String,
        event_ids: Vec<String>,
        bytes: usize,
        status: u16,
        milliseconds: f64,
    },
}

/// Why a message came onto a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Cause {
    /// Somebody sent it.
    Sent,
    /// It was received too often from another queue.
    Redriven,
    /// It was moved back from a dead-letter queue.
    Replayed,
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// The function returned.
    Ok,
    /// It returned an error or panicked.
    Error,
    /// It took too long.
    Timeout,
    /// Its process ended.
    Crashed,
    /// It was not run.
    Refused,
}

impl Happening {
    /// A message of a client, with what was answered after this time. A token in it is not kept.
    pub(crate) fn request(
        connection_id: &str,
        route_key: &str,
        function: Option<&str>,
        body: &str,
        reply: Option<&str>,
        after: Duration,
    ) -> Self {
        let body = Excerpt::of(&without_token(body), BODY_LIMIT);
        let event_ids = reply.map_or_else(Vec::new, event_ids::of_body);
        let reply = reply.map(|reply| Excerpt::of(reply, BODY_LIMIT));
        Self::Request {
            connection_id: connection_id.to_owned(),
            route_key: route_key.to_owned(),
            function: function.map(str::to_owned),
            milliseconds: milliseconds(after),
            event_ids,
            cut: body.is_cut || reply.as_ref().is_some_and(|reply| reply.is_cut),
            body,
            reply,
        }
    }

    /// A message that came onto the queue with this logical id.
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

/// The detail of an event, unless it is too large to keep.
pub(crate) fn kept_detail(detail: &str) -> Option<Box<RawValue>> {
    let kept = Some(detail).filter(|detail| detail.len() <= DETAIL_LIMIT);
    kept.and_then(|detail| RawValue::from_string(detail.to_owned()).ok())
}

/// A duration in milliseconds, to the microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
