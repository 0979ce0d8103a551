//! The response to a request, from the result of a function.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload>

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

/// The headers that the connection sets by itself.
const LEFT_OUT: [HeaderName; 3] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
];

/// Returns the response that a result describes. A result without `statusCode` is the body itself, with
/// status 200. The error is the problem of a malformed result.
pub(super) fn from_result(result: &[u8]) -> Result<Response<Body>, String> {
    let value: Value = serde_json::from_slice(result)
        .map_err(|error| format!("the result must be JSON: {error}"))?;
    match value {
        Value::Object(members) if members.contains_key("statusCode") => described(&members),
        // AWS was recorded to send the text itself, although its documentation shows the quotes.
        Value::String(text) => Ok(Response::new(Body::from(text))),
        _ => Ok(Response::new(Body::from(result.to_vec()))),
    }
}

fn described(members: &Map<String, Value>) -> Result<Response<Body>, String> {
    let mut response = Response::new(body(members)?);
    *response.status_mut() = status(&members["statusCode"])?;
    let headers = response.headers_mut();
    for (name, value) in object(members, "headers")? {
        let name: HeaderName = parsed("headers", name)?;
        let value = HeaderValue::try_from(scalar("headers", value)?)
            .map_err(|error| format!("the header {name} has an invalid value: {error}"))?;
        if !LEFT_OUT.contains(&name) {
            headers.insert(name, value);
        }
    }
    for cookie in list(members, "cookies")? {
        headers.append(
            header::SET_COOKIE,
            parsed("cookies", &scalar("cookies", cookie)?)?,
        );
    }
    Ok(response)
}

/// Reads a number from 200 to 599, which may be written as text.
fn status(value: &Value) -> Result<StatusCode, String> {
    let text = scalar("statusCode", value)?;
    let code = text.parse().ok().filter(|code| (200..600).contains(code));
    code.and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| format!("statusCode must be 200 to 599, got {text}"))
}

fn body(members: &Map<String, Value>) -> Result<Body, String> {
    let text = match members.get("body") {
        None | Some(Value::Null) => return Ok(Body::empty()),
        Some(Value::String(text)) => text,
        Some(_) => return Err("body must be text: serialise it".to_owned()),
    };
    match members.get("isBase64Encoded") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Body::from(text.clone())),
        Some(Value::Bool(true)) => STANDARD
            .decode(text)
            .map(Body::from)
            .map_err(|error| format!("body must be base64: {error}")),
        Some(_) => Err("isBase64Encoded must be true or false".to_owned()),
    }
}

fn object<'a>(
    members: &'a Map<String, Value>,
    name: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(entries)) => Ok(Some(entries)),
        Some(_) => Err(format!("{name} must be an object")),
    }
    .map(|entries| entries.into_iter().flatten())
}

fn list<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a [Value], String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(entries)) => Ok(entries),
        Some(_) => Err(format!("{name} must be a list")),
    }
}

/// Returns the text of a value that may also be a number or a boolean.
fn scalar(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(boolean) => Ok(boolean.to_string()),
        _ => Err(format!("{name} must hold text, got {value}")),
    }
}

fn parsed<'a, T: TryFrom<&'a str, Error: std::fmt::Display>>(
    name: &str,
    text: &'a str,
) -> Result<T, String> {
    T::try_from(text).map_err(|error| format!("{name} holds the invalid text `{text}`: {error}"))
}
