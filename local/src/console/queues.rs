//! Listing the queues with their messages, and deleting and replaying messages.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    body::Body,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Console, json_response, not_found};
use crate::{
    gateway::respond,
    sqs::{AttributeValue, MessageState, MessageView, QueueId, Queues, RemoveError},
    template::Stack,
};

/// The number of messages that are listed of a queue.
const LISTED: usize = 100;

/// Pairs of a queue and its dead-letter queue, from the redrive policies of queues and from the targets
/// of rules.
pub(super) struct DeadLetters(Vec<(QueueId, QueueId)>);

impl DeadLetters {
    pub(super) fn new(stack: &Stack, queues: &Queues) -> Self {
        let of_queues = stack.queues.iter().filter_map(|queue| {
            let redrive = queue.redrive.as_ref()?;
            Some((&queue.arn, &redrive.dead_letter_queue))
        });
        let targets = stack.rules.iter().flat_map(|rule| &rule.targets);
        let of_rules = targets.filter_map(|target| {
            let dead_letter_queue = target.dead_letter_queue.as_ref()?;
            Some((&target.queue, dead_letter_queue))
        });
        let mut pairs = Vec::new();
        for (queue, dead_letter_queue) in of_queues.chain(of_rules) {
            let pair = queues
                .with_arn(queue)
                .zip(queues.with_arn(dead_letter_queue));
            pairs.extend(pair.filter(|pair| !pairs.contains(pair)));
        }
        Self(pairs)
    }

    /// Returns the queues whose dead letters go to this one.
    fn sources(&self, queue: QueueId) -> impl Iterator<Item = QueueId> {
        let pairs = self.0.iter();
        pairs.filter_map(move |(source, dead)| (*dead == queue).then_some(*source))
    }
}

/// Lists every queue with its oldest messages.
pub(super) async fn list(State(console): State<Arc<Console>>) -> Response<Body> {
    let queues: Vec<_> = console
        .queues
        .ids()
        .map(|id| console.describe(id))
        .collect();
    json_response(&json!({ "queues": queues }))
}

/// Deletes one message.
pub(super) async fn remove(
    State(console): State<Arc<Console>>,
    Path((queue, message_id)): Path<(String, String)>,
) -> Response<Body> {
    match console.queue(&queue) {
        Some(id) => done(console.queues.remove(id, &message_id)),
        None => not_found(NO_QUEUE),
    }
}

/// Moves one message from a dead-letter queue back to its source.
pub(super) async fn replay(
    State(console): State<Arc<Console>>,
    Path((queue, message_id)): Path<(String, String)>,
) -> Response<Body> {
    let Some(id) = console.queue(&queue) else {
        return not_found(NO_QUEUE);
    };
    let Some(source) = console.dead_letters.sources(id).next() else {
        let message =
            format!("{queue} is not a dead-letter queue: its messages cannot be replayed");
        return respond(StatusCode::BAD_REQUEST, &message);
    };
    done(console.queues.replay(id, &message_id, source))
}

const NO_QUEUE: &str = "the stack has no queue with this logical id";

fn done(result: Result<(), RemoveError>) -> Response<Body> {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error @ RemoveError::NoSuchMessage) => not_found(&error.to_string()),
        Err(error @ RemoveError::InFlight) => respond(StatusCode::CONFLICT, &error.to_string()),
    }
}

impl Console {
    fn queue(&self, logical_id: &str) -> Option<QueueId> {
        let mut ids = self.queues.ids();
        ids.find(|id| self.queues.definition(*id).logical_id == logical_id)
    }

    fn describe(&self, id: QueueId) -> Value {
        let definition = self.queues.definition(id);
        let counts = self.queues.counts(id);
        let sources = self.dead_letters.sources(id);
        let sources = sources.map(|source| &self.queues.definition(source).logical_id);
        let messages = self.queues.oldest(id, LISTED);
        json!({
            "logicalId": definition.logical_id,
            "name": definition.name,
            "url": definition.url,
            "deadLetterQueueOf": sources.collect::<Vec<_>>(),
            "visible": counts.visible,
            "inFlight": counts.in_flight,
            "delayed": counts.delayed,
            "messages": messages.iter().map(message).collect::<Vec<_>>(),
        })
    }
}

fn message(message: &MessageView) -> Value {
    let attributes: BTreeMap<_, _> = message
        .content
        .attributes
        .iter()
        .map(|(name, attribute)| (name, text(&attribute.value)))
        .collect();
    json!({
        "messageId": message.id,
        "body": message.content.body,
        "attributes": attributes,
        "state": match message.state {
            MessageState::Visible => "visible",
            MessageState::InFlight(_) => "inFlight",
            MessageState::Delayed(_) => "delayed",
        },
        "sentAt": epoch_milliseconds(message.sent_at),
        "receiveCount": message.receive_count,
    })
}

/// Returns an attribute's value, bytes as base64.
fn text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Binary(bytes) => STANDARD.encode(bytes),
    }
}

fn epoch_milliseconds(time: SystemTime) -> f64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_micros() as f64 / 1000.0
}
