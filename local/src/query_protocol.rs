//! Refusals of AWS's query protocol, which STS and older SDKs for SQS use: the operation is the
//! parameter `Action` of a form or of the URL, and an error is XML.
//!
//! No service here supports it, so every request gets an error that its SDK can read:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html>

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use uuid::Uuid;

const FORM: &str = "application/x-www-form-urlencoded";

/// The version of SQS's API.
const SQS: &str = "2012-11-05";

/// Returns whether a request uses or may use the query protocol. Its path is `/` or that of a
/// queue.
pub(crate) fn speaks(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let is_form = || {
        let content_type = headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        content_type.is_some_and(|value| value.to_ascii_lowercase().starts_with(FORM))
    };
    let has_action = || parameter(uri.query().unwrap_or_default(), "Action").is_some();
    is_service(uri.path()) && (has_action() || *method == Method::POST && is_form())
}

/// Returns the error for a request with parameters in its query or its body.
pub(crate) fn refuse(query: &str, body: &str) -> Response<Body> {
    let named = |name| parameter(body, name).or_else(|| parameter(query, name));
    let (code, message) = match (named("Action"), named("Version").as_deref()) {
        (None, _) => (
            "MissingAction",
            "The request has neither the header X-Amz-Target nor the parameter Action; use an AWS SDK."
                .to_owned(),
        ),
        (Some(action), Some(SQS)) => (
            "UnsupportedOperation",
            format!(
                "{action} uses the query protocol, and herald-local supports SQS with the AWS JSON \
                 protocol only (header X-Amz-Target); use a release of the SDK from November 2023 or \
                 later."
            ),
        ),
        (Some(action), _) => (
            "UnsupportedOperation",
            format!(
                "herald-local does not run the service of {action}; it runs DynamoDB, SQS, \
                 EventBridge, Secrets Manager and API Gateway, whose requests have the header \
                 X-Amz-Target or a path of the API."
            ),
        ),
    };
    let id = Uuid::new_v4().to_string();
    let xml = format!(
        "<?xml version=\"1.0\"?>\n<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{}</Message><Detail/></Error><RequestId>{id}</RequestId></ErrorResponse>",
        escaped(&message)
    );
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/xml".to_owned()),
        ("x-amzn-requestid", id),
    ];
    (StatusCode::BAD_REQUEST, headers, xml).into_response()
}

/// Returns whether a path is that of a service, `/`, or of a queue, e.g. `/123456789012/orders`.
fn is_service(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    let account = segments.next().unwrap_or_default();
    account.is_empty() || account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
}

fn parameter<'a>(form: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut parameters = form_urlencoded::parse(form.as_bytes());
    parameters.find_map(|(key, value)| (key == name).then_some(value))
}

/// Escapes XML's special characters, and replaces control characters, which XML cannot hold.
fn escaped(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            character if character.is_control() => '\u{fffd}'.to_string(),
            character => character.to_string(),
        })
        .collect()
}
