//! Secrets Manager. A secret is checked under what the request calls it: its ARN, or its name, which
//! only a statement about everything allows here, as the end of its ARN is random on AWS.
//!
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html>

use serde_json::Value;

use super::{ANY, Call};

pub(super) fn calls(operation: &str, request: &Value) -> Vec<Call> {
    let secret = request["SecretId"].as_str().unwrap_or(ANY);
    vec![Call::new(format!("secretsmanager:{operation}"), secret)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::check;

    #[test]
    fn an_operation_needs_its_action_on_the_secret_it_names() {
        let arn = "arn:aws:secretsmanager:x:1:secret:token-AbCdEf";
        check(
            "secretsmanager",
            "GetSecretValue",
            json!({ "SecretId": arn }),
            &[&format!("secretsmanager:GetSecretValue {arn}")],
        );
    }
}
