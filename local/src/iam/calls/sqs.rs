//! SQS. A batch needs the action of a single message, and moving dead letters back needs what it is
//! made of. AWS writes the actions in lower case when it refuses them.
//!
//! Sources: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html>,
//! and for the lower case <https://github.com/aws/serverless-application-model/issues/3633>

use serde_json::Value;

use super::{ANY, Account, Call};

pub(super) fn calls(account: &Account, operation: &str, request: &Value) -> Vec<Call> {
    let call = |action: &str, queue: &str| {
        let action = action.strip_suffix("Batch").unwrap_or(action);
        Call::new(format!("sqs:{}", action.to_lowercase()), queue)
    };
    let queue = queue(account, request);
    let mut calls = vec![call(operation, &queue)];
    if operation.ends_with("MessageMoveTask") || operation.ends_with("MessageMoveTasks") {
        let actions = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];
        calls.extend(actions.map(|action| call(action, &queue)));
        let destination = request["DestinationArn"].as_str();
        calls.extend(destination.map(|destination| call("SendMessage", destination)));
    }
    calls
}

/// The ARN of the queue that a request names by its address, its name, or its ARN.
fn queue(account: &Account, request: &Value) -> String {
    let text = |name: &str| request[name].as_str();
    if let Some(arn) = text("SourceArn") {
        return arn.to_owned();
    }
    let name_of_url = |url: &'_ str| url.rsplit('/').next().map(str::to_owned);
    let name = text("QueueUrl").and_then(name_of_url);
    match name.as_deref().or(text("QueueName")) {
        Some(name) => account.arn("sqs", name),
        None => ANY.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::check;

    #[test]
    fn an_operation_needs_its_action_on_the_queue_it_names() {
        let queue = json!({"QueueUrl": "http://127.0.0.1:3030/123456789012/Q"});
        for (operation, request, expected) in [
            (
                "SendMessage",
                queue.clone(),
                &["sqs:sendmessage arn:aws:sqs::Q"][..],
            ),
            (
                "SendMessageBatch",
                queue.clone(),
                &["sqs:sendmessage arn:aws:sqs::Q"],
            ),
            (
                "ChangeMessageVisibilityBatch",
                queue,
                &["sqs:changemessagevisibility arn:aws:sqs::Q"],
            ),
            (
                "GetQueueUrl",
                json!({"QueueName": "Q"}),
                &["sqs:getqueueurl arn:aws:sqs::Q"],
            ),
            ("ListQueues", json!({}), &["sqs:listqueues *"]),
            (
                "StartMessageMoveTask",
                json!({"SourceArn": "arn:aws:sqs:x:1:D", "DestinationArn": "arn:aws:sqs:x:1:Q"}),
                &[
                    "sqs:startmessagemovetask arn:aws:sqs:x:1:D",
                    "sqs:receivemessage arn:aws:sqs:x:1:D",
                    "sqs:deletemessage arn:aws:sqs:x:1:D",
                    "sqs:getqueueattributes arn:aws:sqs:x:1:D",
                    "sqs:sendmessage arn:aws:sqs:x:1:Q",
                ],
            ),
        ] {
            check("AmazonSQS", operation, request, expected);
        }
    }
}
