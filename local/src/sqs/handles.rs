//! The operations on receipt handles: `DeleteMessage`, `ChangeMessageVisibility` and their batches.

use serde::Deserialize;
use serde_json::json;

use super::{
    batch::Batch,
    call::addressed,
    errors,
    queues::{QueueId, Queues},
    receive::check_visibility,
};
use crate::aws_json::Answer;

/// The input of the operation for a single message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Single<T> {
    queue_url: String,
    #[serde(flatten)]
    request: T,
}

/// The input of a delete.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete {
    receipt_handle: String,
}

/// The input of a change of visibility.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeVisibility {
    receipt_handle: String,
    visibility_timeout: Option<u64>,
}

/// Runs a change for one message.
pub(super) fn single<T>(
    queues: &Queues,
    request: Single<T>,
    change: impl Fn(&Queues, QueueId, T) -> Answer,
) -> Answer {
    let queue = addressed(queues, &request.queue_url)?;
    change(queues, queue, request.request)
}

/// Runs a change for up to ten messages.
pub(super) fn batch<T>(
    queues: &Queues,
    batch: Batch<T>,
    change: impl Fn(&Queues, QueueId, T) -> Answer,
) -> Answer {
    let queue = addressed(queues, &batch.queue_url)?;
    batch.check()?;
    batch.answer(|request| change(queues, queue, request))
}

/// Deletes a message.
pub(super) fn delete(queues: &Queues, queue: QueueId, request: Delete) -> Answer {
    let handle = request.receipt_handle;
    queues
        .delete(queue, &handle)
        .map_err(|error| errors::refused_handle(error, &handle))?;
    Ok(json!({}))
}

/// Changes the visibility timeout of a message in flight.
pub(super) fn change_visibility(
    queues: &Queues,
    queue: QueueId,
    request: ChangeVisibility,
) -> Answer {
    let timeout = check_visibility(request.visibility_timeout)?
        .unwrap_or(queues.definition(queue).visibility_timeout);
    let handle = request.receipt_handle;
    queues
        .change_visibility(queue, &handle, timeout)
        .map_err(|error| errors::refused_handle(error, &handle))?;
    Ok(json!({}))
}
