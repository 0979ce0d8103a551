//! The request that a function URL received.

use std::{
    borrow::Cow,
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::HttpRefusal;
use crate::{
    reply::too_large,
    tokens::{InvalidToken, bearer},
};

/// A request. Lambda writes the names of headers in lower case, and joins the values of a repeated one.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRequest {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: HashMap<String, String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: RequestContext,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    http: Http,
    time_epoch: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: String,
}

impl HttpRequest {
    /// Returns the method in upper case, and the path.
    pub fn route(&self) -> (&str, &str) {
        (&self.request_context.http.method, &self.raw_path)
    }

    /// Returns the address of the caller.
    pub fn source_ip(&self) -> &str {
        &self.request_context.http.source_ip
    }

    /// Returns the time Lambda received the request.
    pub fn received_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.request_context.time_epoch)
    }

    /// Returns the value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Returns the token of the `Authorization` header.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidToken`] if there is no such header, or it is not a bearer token.
    pub fn bearer(&self) -> Result<&str, InvalidToken> {
        bearer(self.header("authorization").ok_or(InvalidToken::Missing)?)
    }

    /// Returns the decoded values of a parameter in the query string.
    pub fn query<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        form_urlencoded::parse(self.raw_query_string.as_bytes())
            .filter(move |(given, _)| given == name)
            .map(|(_, value)| value)
    }

    /// Returns the text of a JSON body of at most `limit` bytes. Whether it is JSON is not checked.
    ///
    /// # Errors
    ///
    /// Returns a refusal with 415 if the body is not declared as JSON, 413 if it is too large, and 400 if it
    /// is missing or not UTF-8.
    pub fn json_body(&self, limit: usize) -> Result<Cow<'_, str>, HttpRefusal> {
        if !self.header("content-type").is_some_and(is_json) {
            return Err(HttpRefusal::media_type());
        }
        let body = self.body.as_deref().unwrap_or_default();
        let body = match self.is_base64_encoded {
            false => Cow::Borrowed(body),
            true => {
                let bytes = BASE64_STANDARD.decode(body).ok();
                let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                Cow::Owned(text.ok_or_else(|| {
                    HttpRefusal::bad_request("the body is not UTF-8: send JSON without compression")
                })?)
            }
        };
        match body.len() {
            0 => Err(HttpRefusal::bad_request(
                "the body is missing: send a JSON object",
            )),
            length if length > limit => Err(too_large(length, limit).into()),
            _ => Ok(body),
        }
    }
}

/// Returns whether a `Content-Type` is that of JSON, with any parameters.
fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}
