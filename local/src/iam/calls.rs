//! What an operation has to be allowed: the action, which is not always its name, and the resources
//! that the request names. One file per service.
//!
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

mod dynamodb;
mod eventbridge;
mod secrets_manager;
mod sqs;

use serde_json::Value;

/// An action and what it is performed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// As AWS names it when it refuses it, e.g. `dynamodb:Query`.
    pub(crate) action: String,
    /// An ARN, or `*` for an action that is about no resource.
    pub(crate) resource: String,
}

/// Where a request is made, which its resources' ARNs say.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) region: String,
    pub(super) id: String,
}

impl Call {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
        }
    }
}

impl Account {
    /// The calls of one request of an AWS JSON protocol, all of which must be allowed. `service` and
    /// `operation` are what its `X-Amz-Target` says.
    pub(super) fn calls(&self, service: &str, operation: &str, request: &Value) -> Vec<Call> {
        match service {
            "DynamoDB_20120810" | "DynamoDBStreams_20120810" => {
                dynamodb::calls(self, operation, request)
            }
            "AmazonSQS" => sqs::calls(self, operation, request),
            "AWSEvents" => eventbridge::calls(self, operation, request),
            "secretsmanager" => secrets_manager::calls(operation, request),
            _ => vec![Call::new(format!("{service}:{operation}"), ANY)],
        }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let Self { region, id } = self;
        format!("arn:aws:{service}:{region}:{id}:{resource}")
    }

    /// The ARN of what a request names by its ARN or by its name, as it likes.
    fn arn_or(&self, name_or_arn: &str, arn_of_name: impl FnOnce(&str) -> String) -> String {
        if name_or_arn.starts_with("arn:") {
            name_or_arn.to_owned()
        } else {
            arn_of_name(name_or_arn)
        }
    }
}

/// What an action is performed on that is about no resource, or about one that nobody can tell: only a
/// statement about everything allows it.
const ANY: &str = "*";

/// The elements of the list `name`.
fn list<'a>(request: &'a Value, name: &str) -> &'a [Value] {
    request[name].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Account;

    /// Checks the calls of a request, each as `action resource`.
    pub(super) fn check(service: &str, operation: &str, request: Value, expected: &[&str]) {
        let account = Account {
            region: "eu-west-1".to_owned(),
            id: "123456789012".to_owned(),
        };
        let calls = account.calls(service, operation, &request);
        let calls: Vec<_> = calls
            .iter()
            .map(|call| {
                let resource = call.resource.replace(":eu-west-1:123456789012:", "::");
                format!("{} {resource}", call.action)
            })
            .collect();
        assert_eq!(calls, expected, "{operation} {request}");
    }

    #[test]
    fn a_service_that_is_not_known_is_checked_all_the_same() {
        check("Kms", "Decrypt", json!({}), &["Kms:Decrypt *"]);
    }
}
