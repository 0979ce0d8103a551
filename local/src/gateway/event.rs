//! The events for functions, in the shapes captured from AWS.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Gateway, context::Context, id};

/// The properties of a connection, taken from its upgrade request, that later events carry.
#[derive(Clone, Debug)]
pub(super) struct ConnectionInfo {
    /// The connection's id.
    pub(super) connection_id: String,
    /// The time when the connection was opened.
    pub(super) connected_at: DateTime<Utc>,
    /// The client's address.
    pub(super) source_ip: IpAddr,
    /// The client's `User-Agent`, if it sent one.
    pub(super) user_agent: Option<String>,
    /// The request's `Host`.
    pub(super) host: String,
    /// The authorizer's context, if there is an authorizer.
    pub(super) authorizer: Option<Map<String, Value>>,
}

impl ConnectionInfo {
    /// Returns the user id of the authorizer's context.
    pub(super) fn user_id(&self) -> Option<&str> {
        self.authorizer.as_ref()?.get("userId")?.as_str()
    }
}

/// The code and reason with which a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CloseStatus {
    /// The close code, as `disconnectStatusCode`.
    pub(super) code: u16,
    /// The reason, as `disconnectReason`.
    pub(super) reason: String,
}

/// The event of one message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageEvent<'a> {
    request_context: Context<'a>,
    body: &'a str,
    is_base64_encoded: bool,
}

impl MessageEvent<'_> {
    /// Returns the event's request id.
    pub(super) fn request_id(&self) -> &str {
        &self.request_context.request_id
    }
}

impl Gateway {
    /// Returns the authorizer's event.
    pub(super) fn authorizer_event(
        &self,
        info: &ConnectionInfo,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Value {
        let mut event = json!({
            "type": "REQUEST",
            "methodArn": self.connect_arn(),
            "stageVariables": self.api.stage_variables,
            "requestContext": self.context(info, "$connect", "CONNECT"),
        });
        let mut all = forwarded(headers, info);
        all.insert("content-length".to_owned(), vec!["0".to_owned()]);
        insert_request(&mut event, &all, query);
        event
    }

    /// Returns the `$connect` event. `authorizer_latency` is in milliseconds.
    pub(super) fn connect_event(
        &self,
        info: &ConnectionInfo,
        headers: &HeaderMap,
        query: Option<&str>,
        authorizer_latency: Option<u128>,
    ) -> Value {
        let mut context = self.context(info, "$connect", "CONNECT");
        if let (Some(latency), Some(authorizer)) = (authorizer_latency, &mut context.authorizer) {
            let latency = json!(latency);
            authorizer
                .to_mut()
                .insert("integrationLatency".to_owned(), latency);
        }
        let mut event = json!({"requestContext": context, "isBase64Encoded": false});
        if !self.api.stage_variables.is_empty() {
            event["stageVariables"] = json!(self.api.stage_variables);
        }
        let mut kept = headers.clone();
        for removed in ["connection", "upgrade", "content-length"] {
            kept.remove(removed);
        }
        insert_request(&mut event, &forwarded(&kept, info), query);
        event
    }

    /// Returns the event of one message on the route `route_key`.
    pub(super) fn message_event<'a>(
        &'a self,
        info: &'a ConnectionInfo,
        route_key: &'a str,
        body: &'a str,
    ) -> MessageEvent<'a> {
        let mut request_context = self.context(info, route_key, "MESSAGE");
        request_context.message_id = Some(id::new());
        MessageEvent {
            request_context,
            body,
            is_base64_encoded: false,
        }
    }

    /// Returns the `$disconnect` event.
    pub(super) fn disconnect_event(&self, info: &ConnectionInfo, status: &CloseStatus) -> Value {
        let mut context = self.context(info, "$disconnect", "DISCONNECT");
        context.disconnect_status_code = Some(status.code);
        context.disconnect_reason = Some(&status.reason);
        let headers: Headers = [
            ("Host", info.host.as_str()),
            ("x-api-key", ""),
            ("X-Forwarded-For", ""),
            ("x-restapi", ""),
        ]
        .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
        .into();
        let mut event = json!({"requestContext": context, "isBase64Encoded": false});
        insert_request(&mut event, &headers, None);
        event
    }

    /// Returns the ARN of `$connect`, which an authorizer's policy must allow.
    pub(super) fn connect_arn(&self) -> String {
        format!(
            "arn:aws:execute-api:{}:{}:{}/{}/$connect",
            self.region, self.account_id, self.api.api_id, self.api.stage
        )
    }
}

/// Header values by name.
type Headers = std::collections::BTreeMap<String, Vec<String>>;

/// Returns the client's headers and those that the gateway adds.
fn forwarded(headers: &HeaderMap, info: &ConnectionInfo) -> Headers {
    let mut all = Headers::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        all.entry(spelling(name)).or_default().push(value);
    }
    for (name, value) in [
        ("X-Amzn-Trace-Id", trace_id()),
        ("X-Forwarded-For", info.source_ip.to_string()),
        ("X-Forwarded-Port", "443".to_owned()),
        ("X-Forwarded-Proto", "https".to_owned()),
    ] {
        all.insert(name.to_owned(), vec![value]);
    }
    all
}

/// Returns a new `X-Amzn-Trace-Id`.
pub(crate) fn trace_id() -> String {
    let seconds = Utc::now().timestamp();
    format!("Root=1-{seconds:08x}-{:024x}", rand::random::<u128>() >> 32)
}

/// Returns the usual spelling of a header's name. AWS keeps the client's spelling, which hyper
/// drops; clients write `Like-This`, with one exception in the handshake's own headers.
fn spelling(name: &HeaderName) -> String {
    name.as_str()
        .split('-')
        .map(|word| match word {
            "websocket" => "WebSocket".to_owned(),
            word => {
                let (first, rest) = word.split_at(word.len().min(1));
                first.to_ascii_uppercase() + rest
            }
        })
        .collect::<Vec<_>>()
        .join("-")
}

/// Writes headers and query parameters as AWS does: the last value in one map, all values in
/// another, and no map of parameters if there are none.
fn insert_request(event: &mut Value, headers: &Headers, query: Option<&str>) {
    event["headers"] = last_values(headers);
    event["multiValueHeaders"] = json!(headers);
    let mut parameters = Headers::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        parameters
            .entry(name.into_owned())
            .or_default()
            .push(value.into_owned());
    }
    if !parameters.is_empty() {
        event["queryStringParameters"] = last_values(&parameters);
        event["multiValueQueryStringParameters"] = json!(parameters);
    }
}

fn last_values(all: &Headers) -> Value {
    all.iter()
        .map(|(name, values)| (name.clone(), json!(values.last())))
        .collect::<Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_have_the_usual_spelling() {
        for (name, spelled) in [
            ("host", "Host"),
            ("sec-websocket-key", "Sec-WebSocket-Key"),
            ("user-agent", "User-Agent"),
            ("x-a1-b", "X-A1-B"),
        ] {
            assert_eq!(spelling(&HeaderName::from_static(name)), spelled);
        }
    }
}
