//! Cross-origin requests: the URL answers preflights itself, and adds its headers to every response to an
//! allowed origin. Its headers replace those of the function.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors>

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts},
    response::Response,
};

use crate::template::Cors;

/// The entry that allows everything.
const ANY: &str = "*";

/// Returns whether a request asks what a page of another origin may send.
/// <https://fetch.spec.whatwg.org/#cors-preflight-request>
pub(super) fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(header::ORIGIN)
        && head
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Returns the answer to a preflight. To an origin that is not allowed it grants nothing.
pub(super) fn preflight(cors: &Cors, request: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    if allowed_origin(cors, request).is_none() {
        return response;
    }
    let headers = response.headers_mut();
    let list = |entries: &[String]| entries.join(",");
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        &list(&cors.allow_methods),
    );
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        &list(&cors.allow_headers),
    );
    if let Some(seconds) = cors.max_age {
        set(
            headers,
            header::ACCESS_CONTROL_MAX_AGE,
            &seconds.to_string(),
        );
    }
    response
}

/// Adds the headers that let a page of an allowed origin read a response.
pub(super) fn expose(cors: &Cors, request: &HeaderMap, headers: &mut HeaderMap) {
    let Some(origin) = allowed_origin(cors, request) else {
        return;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    set(
        headers,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        &cors.expose_headers.join(","),
    );
    if cors.allow_credentials {
        set(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
}

/// Returns the origin of a request, if the URL allows it.
fn allowed_origin<'a>(cors: &Cors, request: &'a HeaderMap) -> Option<&'a HeaderValue> {
    let origin = request.get(header::ORIGIN)?;
    let mut allowed = cors.allow_origins.iter();
    allowed
        .any(|allowed| allowed == ANY || allowed.as_bytes() == origin.as_bytes())
        .then_some(origin)
}

/// Sets a header, unless its value is empty.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if value.is_empty() {
        return;
    }
    headers.extend(HeaderValue::from_str(value).map(|value| (name, value)));
}
