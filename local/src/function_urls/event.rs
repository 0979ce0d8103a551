//! The event of a request: payload format 2.0.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-request-payload>

use std::{borrow::Cow, collections::BTreeMap, net::SocketAddr};

use axum::http::{HeaderMap, HeaderName, header, request::Parts};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Caller, FunctionUrlServer};
use crate::gateway::trace_id;

/// The route and the stage, which URLs do not have.
const DEFAULT: &str = "$default";

/// The headers that belong to the connection and not to the request, and `Cookie`, whose values are the
/// member `cookies`.
const LEFT_OUT: [HeaderName; 4] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::COOKIE,
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    version: &'static str,
    route_key: &'static str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

impl FunctionUrlServer {
    /// Returns the event of a request that arrives now.
    pub(super) fn event<'a>(
        &self,
        client: SocketAddr,
        request_id: &str,
        head: &'a Parts,
        body: &'a Bytes,
        caller: Option<Caller>,
    ) -> Event<'a> {
        let query = head.uri.query().unwrap_or_default();
        let text = text(&head.headers, body);
        Event {
            version: "2.0",
            route_key: DEFAULT,
            raw_path: head.uri.path(),
            raw_query_string: query,
            cookies: cookies(&head.headers),
            headers: headers(&head.headers, client),
            query_string_parameters: parameters(query),
            request_context: self.context(client, request_id, head, caller, Utc::now()),
            is_base64_encoded: !body.is_empty() && text.is_none(),
            body: match text {
                _ if body.is_empty() => None,
                Some(text) => Some(text.into()),
                None => Some(STANDARD.encode(body).into()),
            },
        }
    }

    fn context(
        &self,
        client: SocketAddr,
        request_id: &str,
        head: &Parts,
        caller: Option<Caller>,
        now: DateTime<Utc>,
    ) -> Value {
        let text = |name| header_text(&head.headers, &name);
        let mut context = json!({
            "accountId": if caller.is_some() { self.account_id.as_str() } else { "anonymous" },
            "apiId": self.url.id,
            "domainName": text(header::HOST),
            "domainPrefix": self.url.id,
            "http": {
                "method": head.method.as_str(),
                "path": head.uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": client.ip().to_canonical(),
                "userAgent": text(header::USER_AGENT),
            },
            "requestId": request_id,
            "routeKey": DEFAULT,
            "stage": DEFAULT,
            "time": now.format("%d/%b/%Y:%H:%M:%S %z").to_string(),
            "timeEpoch": now.timestamp_millis(),
        });
        if let Some(caller) = caller {
            context["authorizer"] = json!({ "iam": caller });
        }
        context
    }
}

/// Returns the headers with lower-case names, the values of each joined by commas.
fn headers(sent: &HeaderMap, client: SocketAddr) -> BTreeMap<String, String> {
    let names = sent.keys().filter(|name| !LEFT_OUT.contains(name));
    let mut headers: BTreeMap<_, _> = names
        .map(|name| (name.as_str().to_owned(), header_text(sent, name)))
        .collect();
    for (name, value) in [
        (
            "x-amzn-tls-cipher-suite",
            "TLS_AES_128_GCM_SHA256".to_owned(),
        ),
        ("x-amzn-tls-version", "TLSv1.3".to_owned()),
        ("x-amzn-trace-id", trace_id()),
        ("x-forwarded-for", client.ip().to_canonical().to_string()),
        ("x-forwarded-port", "443".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
    ] {
        headers.insert(name.to_owned(), value);
    }
    headers
}

/// Returns all values of a header, joined by commas.
fn header_text(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    values.join(",")
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::COOKIE).iter();
    let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let cookies: Vec<_> = values
        .flat_map(|value| {
            let cookies = value.split(';').map(|cookie| cookie.trim().to_owned());
            cookies.collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .collect();
    cookies
}

/// Returns the decoded parameters, the values of each joined by commas.
fn parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::<String, String>::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        parameters
            .entry(name.into_owned())
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    parameters
}

/// Returns the text of a body, `None` for a binary one: its content type decides. Without a content type
/// a body is binary, and so is a form.
fn text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<&'a str> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = content_type.split(';').next().unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    let is_text = media_type.starts_with("text/")
        || matches!(
            media_type.as_str(),
            "application/json" | "application/xml" | "application/javascript"
        )
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml");
    is_text.then(|| str::from_utf8(body).ok())?
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{cookies, parameters, text};

    #[test]
    fn content_type_decides_whether_a_body_is_text() {
        for (content_type, is_text) in [
            (Some("application/json"), true),
            (Some("Application/JSON; charset=utf-8"), true),
            (Some("text/plain"), true),
            (Some("application/problem+json"), true),
            (Some("image/svg+xml"), true),
            (Some("application/x-www-form-urlencoded"), false),
            (Some("multipart/form-data; boundary=json"), false),
            (Some("application/octet-stream"), false),
            (Some(""), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(content_type) = content_type {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            }
            assert_eq!(text(&headers, b"{}").is_some(), is_text, "{content_type:?}");
            assert_eq!(text(&headers, b"\xff"), None, "{content_type:?}");
        }
    }

    #[test]
    fn repeated_parameters_are_decoded_and_joined() {
        let parameters = parameters("a=1&b=x%20y+z&a=2&c");
        let expected = [("a", "1,2"), ("b", "x y z"), ("c", "")];
        assert!(
            parameters
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .eq(expected)
        );
    }

    #[test]
    fn cookies_of_all_headers_are_listed() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; b=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("c=3;"));
        assert_eq!(cookies(&headers), ["a=1", "b=2", "c=3"]);
    }
}
