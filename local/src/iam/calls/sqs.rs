//! The calls of SQS. A batch needs the action of a single message, and a task that moves dead letters
//! needs the actions that it consists of. AWS writes the actions in lower case when it refuses them.
//!
//! Sources: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html>,
//! and for the lower case <https://github.com/aws/serverless-application-model/issues/3633>

use serde_json::Value;

use crate::iam::{
    account::Account,
    call::{ANY, Call},
};

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

/// Returns the ARN of the queue that a request names by its URL, its name, or its ARN.
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
