//! The function `publish` under the Lambda host of the local stack.

use std::path::Path;

use anyhow::bail;
use herald_benches::{Endpoint, OneProcess};
use herald_local::{lambda::Invocation, template::Stack};
use serde_json::{Value, json};

use crate::services::{KEY, Services};

/// The function's logical id in the template.
pub(crate) const FUNCTION: &str = "PublishFunction";

/// Returns the deployed template, with a log for one entity.
pub(crate) fn stack() -> anyhow::Result<Stack> {
    herald_benches::stack([
        ("Authentication", "open"),
        ("PublishKeys", "create"),
        ("History", r#"{"logged":{"messages":100,"seconds":600}}"#),
    ])
}

/// Returns the function, not yet started.
pub(crate) fn publish(
    stack: &Stack,
    services: &Services,
    binary: &Path,
) -> anyhow::Result<OneProcess> {
    let endpoint = Endpoint {
        url: &services.endpoint,
        authorities: &services.identity.authorities(),
    };
    OneProcess::new(stack, FUNCTION, binary, &endpoint)
}

/// Answers one request, all of whose messages must be published.
pub(crate) async fn answer(publish: &OneProcess, event: &str) -> anyhow::Result<()> {
    let invocation = publish.invoke(event).await;
    let Invocation::Returned(answer) = invocation else {
        bail!("the function failed: {invocation:?}");
    };
    let answer: Value = serde_json::from_slice(&answer)?;
    let body = answer["body"].as_str().unwrap_or_default();
    anyhow::ensure!(
        answer["statusCode"] == 200 && !body.contains("error"),
        "not published: {answer}"
    );
    Ok(())
}

/// Returns the event of a request with this many messages to an entity.
pub(crate) fn request(entity: &str, messages: u32) -> String {
    let message = json!({
        "entityId": entity,
        "message": {"status": "shipped", "carrier": "Träger & Söhne", "parcels": [1, 2, 3]},
    });
    let messages = vec![message; messages as usize];
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "",
        "headers": {
            "authorization": format!("Bearer {KEY}"), "content-type": "application/json",
            "host": "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws",
        },
        "requestContext": {
            "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.10"},
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599", "timeEpoch": 1_795_860_930_123_u64,
        },
        "body": json!({"messages": messages}).to_string(), "isBase64Encoded": false,
    })
    .to_string()
}
