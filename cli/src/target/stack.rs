//! The addresses of a deployed stack: its outputs in CloudFormation.

use anyhow::Context;
use aws_sdk_cloudformation::Client;

use super::{AcceptedTokens, Target, aws};
use crate::{
    arguments::{Addresses, Globals},
    failure::Failure,
};

/// The addresses of the stack called `name`. Errs if there is none, or the caller may not ask.
pub(super) async fn find(name: &str, globals: &Globals) -> Result<Target, Failure> {
    let config = aws::deployed(globals.region.as_deref(), globals.profile.as_deref()).await?;
    let region = config.region().map(ToString::to_string);
    let described = Client::new(&config)
        .describe_stacks()
        .stack_name(name)
        .send()
        .await
        .map_err(|error| aws::failure(format!("the stack {name} cannot be looked up"), error))?;
    let stack = described.stacks().first();
    let stack = stack.context("CloudFormation answers without a stack")?;
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
        accepted_tokens: accepted_tokens(output, parameter),
        ..Target::default()
    })
}

/// By the names of the template's outputs.
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

/// What the template's output `TokenSecretArn` and its parameters say of tokens; none if they are not
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
    fn outputs_and_parameters_go_by_the_templates_names() {
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
