//! The Lambda REQUEST authorizer on `$connect`. Its results are never cached for WebSocket APIs.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>

use std::{collections::HashMap, time::Instant};

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Gateway, event::ConnectionInfo, policy::Policy, scalar::Scalar};
use crate::{lambda::Invocation, template::Authorizer};

/// The largest result of an authorizer, in bytes.
const RESULT_LIMIT: usize = 8 * 1024;

/// The authorizer's result for an authorized client.
pub(super) struct Authorized {
    /// The authorizer's context and principal id, for every later event.
    pub(super) context: Map<String, Value>,
    /// The authorizer's duration in milliseconds.
    pub(super) latency: u128,
}

/// An authorizer's answer, with the members that AWS documents. Others are ignored.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    principal_id: String,
    policy_document: Policy,
    #[serde(default)]
    context: HashMap<String, Scalar>,
    /// The API key, which only APIs with keys from an authorizer use.
    #[serde(rename = "usageIdentifierKey")]
    _usage_identifier_key: Option<String>,
}

impl Gateway {
    /// Asks the authorizer, if there is one. The error is the status of the refused upgrade.
    pub(super) async fn authorize(
        &self,
        info: &ConnectionInfo,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<Option<Authorized>, StatusCode> {
        let Some(authorizer) = &self.api.authorizer else {
            return Ok(None);
        };
        self.check_identity_sources(authorizer, headers, query)?;
        let event = self.authorizer_event(info, headers, query);
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
                tracing::warn!("upgrade refused: the authorizer exceeded the gateway's time limit");
                return Err(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        if !answer.policy_document.allows(&self.connect_arn()) {
            return Err(StatusCode::FORBIDDEN);
        }
        Ok(Some(Authorized {
            context: context(answer),
            latency: started.elapsed().as_millis(),
        }))
    }

    /// Refuses a request without one of the identity sources; the authorizer is not asked.
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
                // The only other source is `context.`, which every request has.
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

fn parse(answer: &[u8]) -> Result<Answer, StatusCode> {
    read(answer).map_err(|problem| {
        tracing::error!(
            problem,
            "upgrade refused: the authorizer's answer is invalid"
        );
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

fn read(answer: &[u8]) -> Result<Answer, String> {
    if answer.len() > RESULT_LIMIT {
        return Err(format!(
            "the answer has {} bytes, {RESULT_LIMIT} are allowed",
            answer.len()
        ));
    }
    // A map first: serde would also accept an array of the members' values.
    let members: Map<String, Value> =
        serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    let answer: Answer =
        serde_json::from_value(members.into()).map_err(|error| error.to_string())?;
    if answer.principal_id.is_empty() {
        return Err("principalId must not be empty".to_owned());
    }
    Ok(answer)
}

/// Returns the authorizer's context as later events carry it: flat, every value a string.
fn context(answer: Answer) -> Map<String, Value> {
    let context = answer.context.into_iter();
    let mut context: Map<_, _> = context
        .map(|(name, value)| (name, value.into_text().into()))
        .collect();
    context.insert("principalId".to_owned(), answer.principal_id.into());
    context
}
