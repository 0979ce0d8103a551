//! The addresses of a herald-local, which it describes itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Addresses, Target, http::HttpClient};
use crate::failure::Failure;

/// The path of the description.
const DESCRIPTION: &str = "/console/stack.json";

/// The part of the description that commands need. Tables and queues have the names of their resources in the template.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    web_socket: String,
    endpoint: String,
    authentication: Option<String>,
    tokens: Option<String>,
    region: Option<String>,
    #[serde(default)]
    tables: BTreeMap<String, String>,
    #[serde(default)]
    queues: BTreeMap<String, String>,
    #[serde(default)]
    buses: BTreeMap<String, String>,
    /// The template's outputs.
    #[serde(default)]
    outputs: BTreeMap<String, String>,
}

/// Asks the herald-local at `endpoint` for its addresses.
pub(super) async fn find(endpoint: &str) -> Result<Target, Failure> {
    if !endpoint.starts_with("http://") {
        return Err(Failure::usage(format!(
            "--endpoint must begin with http://, because herald-local serves no TLS, got `{endpoint}`"
        )));
    }
    let url = format!("{}{DESCRIPTION}", endpoint.trim_end_matches('/'));
    let described = HttpClient::new().get::<Description>(&url).await;
    let description = described.map_err(|failure| match failure {
        Failure::Failed(error) => Failure::Failed(error.context(format!(
            "{endpoint} is not the AWS endpoint of a herald-local of this version: pass with --endpoint \
             the one that herald-local prints"
        ))),
        failure => failure,
    })?;
    Ok(description.into())
}

impl From<Description> for Target {
    fn from(mut description: Description) -> Self {
        Self {
            endpoint: Some(description.endpoint),
            region: description.region,
            profile: None,
            addresses: Addresses {
                web_socket: Some(description.web_socket),
                table: description.tables.remove("Table"),
                // A template has only one bus.
                bus: description.buses.into_values().next(),
                queue: description.queues.remove("NotificationQueue"),
                dead_letter_queue: description.queues.remove("NotificationDeadLetterQueue"),
                events_dead_letter_queue: description.queues.remove("EventsDeadLetterQueue"),
            },
            authentication: description.authentication,
            tokens: description.tokens,
            publish_url: description.outputs.remove("PublishUrl"),
            publish_keys: description.outputs.remove("PublishKeysArn"),
            accepted_tokens: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_are_found_by_the_names_in_the_template() {
        let description = json!({
            "webSocket": "ws://127.0.0.1:3030/dev",
            "endpoint": "http://127.0.0.1:3030",
            "authentication": "jwks",
            "tokens": "http://127.0.0.1:3030/auth/token",
            "region": "eu-central-1",
            "console": "http://127.0.0.1:3030/",
            "tables": {"Table": "table"},
            "queues": {
                "NotificationQueue": "queue",
                "NotificationDeadLetterQueue": "dead letters",
                "EventsDeadLetterQueue": "events",
            },
            "buses": {"default": "default"},
            "outputs": {"PublishUrl": "http://127.0.0.1:3031/", "PublishKeysArn": "keys"},
        });
        let description: Description = serde_json::from_value(description).expect("a description");
        let some = |text: &str| Some(text.to_owned());
        let expected = Target {
            endpoint: some("http://127.0.0.1:3030"),
            region: some("eu-central-1"),
            profile: None,
            addresses: Addresses {
                web_socket: some("ws://127.0.0.1:3030/dev"),
                table: some("table"),
                bus: some("default"),
                queue: some("queue"),
                dead_letter_queue: some("dead letters"),
                events_dead_letter_queue: some("events"),
            },
            authentication: some("jwks"),
            tokens: some("http://127.0.0.1:3030/auth/token"),
            publish_url: some("http://127.0.0.1:3031/"),
            publish_keys: some("keys"),
            accepted_tokens: None,
        };
        assert_eq!(Target::from(description), expected);
    }
}
