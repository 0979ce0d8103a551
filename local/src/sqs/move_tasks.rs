//! `StartMessageMoveTask` and `ListMessageMoveTasks`, which move messages out of a dead-letter
//! queue.
//!
//! A task here moves the visible messages and is complete when the operation answers; its rate is
//! checked and otherwise ignored. As on AWS, the moved messages are new: with a new id, a new time
//! and no receives. `CancelMessageMoveTask` is not needed.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    clock::since_epoch,
    errors,
    queue::Transfer,
    queues::{QueueId, Queues},
};
use crate::aws_json::{Answer, ServiceError};

const MAXIMUM_RATE: u32 = 500;
const MAXIMUM_RESULTS: usize = 10;

/// `StartMessageMoveTask`'s input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Start {
    source_arn: String,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<u32>,
}

/// `ListMessageMoveTasks`' input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    source_arn: String,
    max_results: Option<usize>,
}

/// A completed task.
#[derive(Debug)]
pub(super) struct MoveTask {
    source: QueueId,
    destination_arn: Option<String>,
    rate: Option<u32>,
    found: usize,
    moved: usize,
    started_at: SystemTime,
}

/// Moves every visible message to the destination, or else to its source queue.
pub(super) fn start(queues: &Queues, request: Start) -> Answer {
    let source = find(queues, &request.source_arn)?;
    if queues.dead_letter_sources(source).next().is_none() {
        return Err(errors::invalid_parameter_value(
            "Source queue must be configured as a Dead Letter Queue.",
        ));
    }
    let rate = request.max_number_of_messages_per_second;
    if rate.is_some_and(|rate| !(1..=MAXIMUM_RATE).contains(&rate)) {
        return Err(errors::invalid_parameter_value(format!(
            "MaxNumberOfMessagesPerSecond must be between 1 and {MAXIMUM_RATE}."
        )));
    }
    let destination = match &request.destination_arn {
        Some(arn) => Some(find(queues, arn)?),
        None => None,
    };
    let started_at = queues.clock().now();
    let transfers = queues.drain_visible(source);
    let found = transfers.len();
    let moved = move_all(queues, source, destination, transfers);
    queues.move_tasks().push(MoveTask {
        source,
        destination_arn: request.destination_arn,
        rate,
        found,
        moved,
        started_at,
    });
    Ok(json!({ "TaskHandle": Uuid::new_v4().to_string() }))
}

/// Lists the latest tasks of a queue, the newest first.
pub(super) fn list(queues: &Queues, request: List) -> Answer {
    let source = find(queues, &request.source_arn)?;
    let maximum = request.max_results.unwrap_or(1);
    if !(1..=MAXIMUM_RESULTS).contains(&maximum) {
        return Err(errors::invalid_parameter_value(format!(
            "MaxResults must be between 1 and {MAXIMUM_RESULTS}."
        )));
    }
    let tasks = queues.move_tasks();
    let tasks = tasks.iter().rev().filter(|task| task.source == source);
    let results = tasks
        .take(maximum)
        .map(|task| task.render(&request.source_arn));
    Ok(json!({ "Results": results.collect::<Vec<_>>() }))
}

fn find(queues: &Queues, arn: &str) -> Result<QueueId, ServiceError> {
    queues.with_arn(arn).ok_or_else(errors::resource_not_found)
}

/// Returns the number of moved messages. A message that was sent directly to the dead-letter queue
/// has no source queue and stays.
fn move_all(
    queues: &Queues,
    source: QueueId,
    destination: Option<QueueId>,
    transfers: Vec<Transfer>,
) -> usize {
    let mut moved = 0;
    for transfer in transfers {
        let origin = transfer.dead_letter_source.as_deref();
        match destination.or_else(|| queues.with_arn(origin?)) {
            Some(destination) => {
                queues.resend(destination, transfer);
                moved += 1;
            }
            None => queues.put_back(source, transfer),
        }
    }
    moved
}

impl MoveTask {
    fn render(&self, source_arn: &str) -> Value {
        let mut output = json!({
            "Status": "COMPLETED",
            "SourceArn": source_arn,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.found,
            "StartedTimestamp": since_epoch(self.started_at).as_millis() as u64,
        });
        if let Some(arn) = &self.destination_arn {
            output["DestinationArn"] = json!(arn);
        }
        if let Some(rate) = self.rate {
            output["MaxNumberOfMessagesPerSecond"] = json!(rate);
        }
        if self.moved < self.found {
            output["Status"] = json!("FAILED");
            output["FailureReason"] = json!("CouldNotDetermineMessageSource");
        }
        output
    }
}
