//! The Lambda REQUEST authorizer on `$connect`. Its results are never cached for WebSocket APIs.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>

use std::time::Instant;

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Gateway, event::Opening, policy::Policy};
use crate::{lambda::Invocation, template::Authorizer};

/// The largest result of an authorizer, in bytes.
const RESULT_LIMIT: usize = 8 * 1024;

/// What the authorizer says of a client it lets in.
pub(super) struct Authorized {
    /// Its context and principal id, for every later event.
    pub(super) context: Map<String, Value>,
    /// How long it took, in milliseconds.
    pub(super) latency: u128,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    principal_id: String,
    policy_document: Policy,
    #[serde(default)]
    context: Map<String, Value>,
}

impl Gateway {
    /// Asks the authorizer, if there is one. Errs with the status that the upgrade is refused with.
    pub(super) async fn authorize(
        &self,
        opening: &Opening,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<Option<Authorized>, StatusCode> {
        let Some(authorizer) = &self.api.authorizer else {
            return Ok(None);
        };
        self.check_identity_sources(authorizer, headers, query)?;
        let event = self.authorizer_event(opening, headers, query);
        let started = Instant::now();
        let payload = Bytes::from(event.to_string());
        let invocation = self.invoke.invoke(&authorizer.function, payload);
        let answer = match tokio::time::timeout(self.limits.authorizer, invocation).await {
            Ok(Invocation::Returned(answer)) => parse(&answer)?,
            Ok(Invocation::Failed(error)) if error.error_message == "Unauthorized" => {
                return Err(StatusCode::UNAUTHORIZED);
            }
            Ok(Invocation::Failed(_) | Invocation::Refused(_)) => {
                return Err(StatusCode::INTERNAL_SERVER_ERROR);
            }
            Err(_) => {
                tracing::warn!("the authorizer took longer than the gateway waits");
                return Err(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        if !answer.policy_document.allows(&self.connect_arn()) {
            return Err(StatusCode::FORBIDDEN);
        }
        Ok(Some(Authorized {
            context: context(answer)?,
            latency: started.elapsed().as_millis(),
        }))
    }

    /// A request that lacks what the authorizer decides by is refused without asking it.
    fn check_identity_sources(
        &self,
        authorizer: &Authorizer,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<(), StatusCode> {
        let given = |source: &String| {
            if let Some(name) = source.strip_prefix("route.request.header.") {
                headers.get(name).is_some_and(|value| !value.is_empty())
            } else if let Some(name) = source.strip_prefix("route.request.querystring.") {
                form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                    .any(|(given, value)| given == name && !value.is_empty())
            } else if let Some(name) = source.strip_prefix("stageVariables.") {
                let variable = self.api.stage_variables.get(name);
                variable.is_some_and(|value| !value.is_empty())
            } else {
                // What is left is `context.`, which is there on every request.
                true
            }
        };
        if authorizer.identity_sources.iter().all(given) {
            Ok(())
        } else {
            Err(StatusCode::UNAUTHORIZED)
        }
    }
}

fn parse(answer: &Bytes) -> Result<Answer, StatusCode> {
    let parsed = if answer.len() > RESULT_LIMIT {
        Err(format!(
            "is {} bytes, the most is {RESULT_LIMIT}",
            answer.len()
        ))
    } else {
        serde_json::from_slice(answer).map_err(|error| error.to_string())
    };
    parsed.map_err(|problem| {
        tracing::error!(problem, "the authorizer's answer cannot be used");
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

/// The authorizer's context as later events carry it: flat, every value a string.
fn context(answer: Answer) -> Result<Map<String, Value>, StatusCode> {
    let mut context = Map::new();
    for (name, value) in answer.context {
        let text = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                tracing::error!(
                    name,
                    "the authorizer's context holds neither string, number nor boolean"
                );
                return Err(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        context.insert(name, json!(text));
    }
    context.insert("principalId".to_owned(), json!(answer.principal_id));
    Ok(context)
}
