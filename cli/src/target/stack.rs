//! The addresses of a deployed stack: its outputs in CloudFormation.

use anyhow::Context;
use aws_sdk_cloudformation::Client;

use super::{Target, aws};
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
    let outputs = stack.context("CloudFormation knows no such stack")?;
    let output = |key: &str| {
        let mut outputs = outputs.outputs().iter();
        let output = outputs.find(|output| output.output_key() == Some(key))?;
        output.output_value().map(str::to_owned)
    };
    Ok(Target {
        region,
        addresses: addresses(output),
        token_secret: output("TokenSecretArn"),
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
