//! The calls that a request needs to be allowed: its action, which is not always its name, on the
//! resources that it names. One file for each service.
//!
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

mod dynamodb;
mod eventbridge;
mod secrets_manager;
mod sqs;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{
    account::Account,
    call::{ANY, Call},
};

/// Returns the calls of one request of an AWS JSON protocol, all of which must be allowed. `service` and
/// `operation` are the two parts of its `X-Amz-Target`.
pub(super) fn calls(
    account: &Account,
    service: &str,
    operation: &str,
    request: &Value,
) -> Vec<Call> {
    match service {
        "DynamoDB_20120810" | "DynamoDBStreams_20120810" => {
            dynamodb::calls(account, operation, request)
        }
        "AmazonSQS" => sqs::calls(account, operation, request),
        "AWSEvents" => eventbridge::calls(account, operation, request),
        "secretsmanager" => secrets_manager::calls(operation, request),
        _ => vec![Call::new(format!("{service}:{operation}"), ANY)],
    }
}
