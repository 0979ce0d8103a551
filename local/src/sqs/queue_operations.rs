//! The operations on whole queues: `GetQueueUrl`, `ListQueues`, `ListDeadLetterSourceQueues`,
//! `GetQueueAttributes` and `PurgeQueue`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    call::addressed,
    clock::since_epoch,
    errors,
    queues::{QueueId, Queues},
};
use crate::aws_json::Answer;

/// Optional attributes of a queue: a request for a missing one is not an error.
const OPTIONAL: [&str; 9] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
];

/// The input of operations with a queue's URL alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByUrl {
    queue_url: String,
}

/// `GetQueueUrl`'s input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByName {
    queue_name: String,
}

/// `ListQueues`' input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByPrefix {
    #[serde(default)]
    queue_name_prefix: String,
}

/// `GetQueueAttributes`' input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

/// Answers the URL of the queue with a name.
pub(super) fn queue_url(queues: &Queues, request: ByName) -> Answer {
    let queue = queues
        .with_name(&request.queue_name)
        .ok_or_else(errors::queue_does_not_exist)?;
    Ok(json!({ "QueueUrl": queues.definition(queue).url }))
}

/// Answers the URLs of all queues whose name has a prefix.
pub(super) fn list(queues: &Queues, request: ByPrefix) -> Answer {
    let matches = |id: &QueueId| {
        let name = &queues.definition(*id).name;
        name.starts_with(&request.queue_name_prefix)
    };
    Ok(json!({ "QueueUrls": urls(queues, queues.ids().filter(matches)) }))
}

/// Answers the URLs of the queues whose dead letters go to a queue.
pub(super) fn list_dead_letter_sources(queues: &Queues, request: ByUrl) -> Answer {
    let queue = addressed(queues, &request.queue_url)?;
    // The only output name with a lower-case first letter.
    Ok(json!({ "queueUrls": urls(queues, queues.dead_letter_sources(queue)) }))
}

/// Answers the requested attributes of a queue.
pub(super) fn attributes(queues: &Queues, request: Attributes) -> Answer {
    let queue = addressed(queues, &request.queue_url)?;
    let mut attributes = all_attributes(queues, queue);
    let wanted = request.attribute_names;
    let known =
        |name: &str| name == "All" || attributes.contains_key(name) || OPTIONAL.contains(&name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        return Err(errors::invalid_attribute_name(unknown));
    }
    if !wanted.iter().any(|name| name == "All") {
        attributes.retain(|name, _| wanted.contains(name));
    }
    Ok(json!({ "Attributes": attributes }))
}

/// Deletes every message of a queue.
pub(super) fn purge(queues: &Queues, request: ByUrl) -> Answer {
    queues.purge(addressed(queues, &request.queue_url)?);
    Ok(json!({}))
}

fn urls(queues: &Queues, ids: impl Iterator<Item = QueueId>) -> Vec<String> {
    ids.map(|id| queues.definition(id).url.clone()).collect()
}

fn all_attributes(queues: &Queues, queue: QueueId) -> Map<String, Value> {
    let definition = queues.definition(queue);
    let counts = queues.counts(queue);
    let created_at = since_epoch(queues.created_at()).as_secs().to_string();
    let mut attributes = Map::from_iter(
        [
            ("QueueArn", definition.arn.clone()),
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            (
                "ApproximateNumberOfMessagesNotVisible",
                counts.in_flight.to_string(),
            ),
            (
                "ApproximateNumberOfMessagesDelayed",
                counts.delayed.to_string(),
            ),
            ("CreatedTimestamp", created_at.clone()),
            ("LastModifiedTimestamp", created_at),
            (
                "VisibilityTimeout",
                definition.visibility_timeout.as_secs().to_string(),
            ),
            (
                "MaximumMessageSize",
                definition.maximum_message_size.to_string(),
            ),
            (
                "MessageRetentionPeriod",
                definition.retention.as_secs().to_string(),
            ),
            ("DelaySeconds", definition.delay.as_secs().to_string()),
            (
                "ReceiveMessageWaitTimeSeconds",
                definition.receive_wait.as_secs().to_string(),
            ),
            ("SqsManagedSseEnabled", false.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), Value::String(value))),
    );
    if let Some(redrive) = &definition.redrive {
        let policy = json!({
            "deadLetterTargetArn": redrive.dead_letter_queue,
            "maxReceiveCount": redrive.max_receive_count,
        });
        attributes.insert(
            "RedrivePolicy".to_owned(),
            Value::String(policy.to_string()),
        );
    }
    attributes
}
