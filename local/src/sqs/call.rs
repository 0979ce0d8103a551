//! The dispatch of the AWS JSON protocol's operations by name.

use serde_json::Value;

use super::{
    errors, handles, move_tasks, queue_operations,
    queues::{QueueId, Queues},
    receive, send,
};
use crate::aws_json::{Answer, ServiceError, parse};

/// The operations of [`call`].
const OPERATIONS: [&str; 14] = [
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "DeleteMessage",
    "DeleteMessageBatch",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "ListMessageMoveTasks",
    "ListQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
    "SendMessageBatch",
    "StartMessageMoveTask",
];

/// Answers one operation, named by the text after `AmazonSQS.` in `X-Amz-Target`. Only
/// `ReceiveMessage` waits, for at most its `WaitTimeSeconds`.
///
/// # Errors
///
/// Returns the error for the caller if the operation is unknown or refuses its input.
pub async fn call(queues: &Queues, operation: &str, request: Value) -> Answer {
    match operation {
        "SendMessage" => send::send_message(queues, parse(request)?),
        "SendMessageBatch" => send::send_message_batch(queues, parse(request)?),
        "ReceiveMessage" => receive::receive_message(queues, parse(request)?).await,
        "DeleteMessage" => handles::single(queues, parse(request)?, handles::delete),
        "DeleteMessageBatch" => handles::batch(queues, parse(request)?, handles::delete),
        "ChangeMessageVisibility" => {
            handles::single(queues, parse(request)?, handles::change_visibility)
        }
        "ChangeMessageVisibilityBatch" => {
            handles::batch(queues, parse(request)?, handles::change_visibility)
        }
        "GetQueueUrl" => queue_operations::queue_url(queues, parse(request)?),
        "GetQueueAttributes" => queue_operations::attributes(queues, parse(request)?),
        "ListQueues" => queue_operations::list(queues, parse(request)?),
        "ListDeadLetterSourceQueues" => {
            queue_operations::list_dead_letter_sources(queues, parse(request)?)
        }
        "PurgeQueue" => queue_operations::purge(queues, parse(request)?),
        "StartMessageMoveTask" => move_tasks::start(queues, parse(request)?),
        "ListMessageMoveTasks" => move_tasks::list(queues, parse(request)?),
        _ => Err(errors::unsupported_operation(format!(
            "herald-local does not support {operation}; it supports {}",
            OPERATIONS.join(", ")
        ))),
    }
}

/// Returns the queue with the URL of a request.
pub(super) fn addressed(queues: &Queues, url: &str) -> Result<QueueId, ServiceError> {
    queues
        .with_url(url)
        .ok_or_else(errors::queue_does_not_exist)
}
