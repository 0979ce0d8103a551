//! The addresses of a deployed stack, from its outputs in CloudFormation.

use anyhow::Context;
use aws_sdk_cloudformation::Client;

use super::{AcceptedTokens, Addresses, Target, TargetArguments, aws};
use crate::failure::{Failure, aws_failure};

/// Looks up the stack with this name.
pub(super) async fn find(name: &str, arguments: &TargetArguments) -> Result<Target, Failure> {
    let config = aws::deployed(arguments.region.as_deref(), arguments.profile.as_deref()).await?;
    let region = config.region().map(ToString::to_string);
    let described = Client::new(&config)
        .describe_stacks()
        .stack_name(name)
        .send()
        .await
        .map_err(|error| aws_failure(format!("cannot look up the stack {name}"), error))?;
    let stack = described.stacks().first();
    let stack = stack.context("CloudFormation responded without a stack")?;
    let output = |key: &str| {
        let mut outputs = stack.outputs().iter();
        let output = outputs.find(|output| output.output_key() == Some(key))?;
        output.output_value().map(str::to_owned)
    };
    let parameter = |key: &str| {
        let mut parameters = stack.parameters().iter();
        let parameter = parameters.find(|parameter| parameter.parameter_key() == Some(key))?;
        parameter.parameter_value().map(str::to_owned)
    };
    Ok(Target {
        region,
        addresses: addresses(output),
        authentication: parameter("Authentication"),
        publish_url: output("PublishUrl"),
        publish_keys: output("PublishKeysArn"),
        accepted_tokens: accepted_tokens(output, parameter),
        ..Target::default()
    })
}

/// Returns the addresses in the template's outputs.
fn addresses(output: impl Fn(&str) -> Option<String>) -> Addresses {
    Addresses {
        web_socket: output("WebSocketUri"),
        table: output("TableName"),
        bus: output("EventBusName"),
        queue: output("NotificationQueueUrl"),
        dead_letter_queue: output("NotificationDeadLetterQueueUrl"),
        events_dead_letter_queue: output("EventsDeadLetterQueueUrl"),
    }
}

/// Returns the accepted tokens, from the template's output `TokenSecretArn` and its parameters. `None` if tokens are not
/// signed with a secret.
fn accepted_tokens(
    output: impl Fn(&str) -> Option<String>,
    parameter: impl Fn(&str) -> Option<String>,
) -> Option<AcceptedTokens> {
    let given = |key| parameter(key).filter(|value| !value.is_empty());
    let first = |list: String| list.split(',').next().map(|one| one.trim().to_owned());
    Some(AcceptedTokens {
        secret: output("TokenSecretArn")?,
        issuer: given("TokenIssuer"),
        audience: given("TokenAudience").and_then(first),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_and_parameters_are_found_by_the_names_in_the_template() {
        let output = |key: &str| Some(format!("the {key}"));
        let addresses = addresses(output);
        assert_eq!(addresses.web_socket.as_deref(), Some("the WebSocketUri"));
        assert_eq!(addresses.bus.as_deref(), Some("the EventBusName"));

        let parameter = |key: &str| match key {
            "TokenAudience" => Some("app, other-app".to_owned()),
            _ => Some(String::new()),
        };
        let expected = AcceptedTokens {
            secret: "the TokenSecretArn".to_owned(),
            issuer: None,
            audience: Some("app".to_owned()),
        };
        assert_eq!(accepted_tokens(output, parameter), Some(expected));
        assert_eq!(accepted_tokens(|_| None, parameter), None);
    }
}
