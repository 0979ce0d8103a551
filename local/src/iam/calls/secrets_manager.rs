//! The calls of Secrets Manager. A secret is checked by the ARN or name in the request. Only a statement
//! about every resource allows a name here, because the end of the ARN is random on AWS.
//!
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html>

use serde_json::Value;

use crate::iam::call::{ANY, Call};

pub(super) fn calls(operation: &str, request: &Value) -> Vec<Call> {
    let secret = request["SecretId"].as_str().unwrap_or(ANY);
    vec![Call::new(format!("secretsmanager:{operation}"), secret)]
}
