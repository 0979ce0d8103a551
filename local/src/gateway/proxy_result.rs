//! The result of a function behind a proxy integration, member by member.
//!
//! AWS documents which members it may have and calls every other result malformed. A status may also
//! be a text of digits, and a header's value a number or a boolean, as in samples of AWS's own.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-output-format>

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::scalar::Scalar;

/// A well-formed result, as far as the gateway uses it.
#[derive(Debug)]
pub(super) struct ProxyResult {
    /// The status, from 100 to 599.
    pub(super) status: u16,
    /// The text for the client, if the route is two-way.
    pub(super) body: Option<String>,
    headers: HashMap<String, Scalar>,
    multi_value_headers: HashMap<String, Vec<Scalar>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Members {
    status_code: Scalar,
    headers: Option<HashMap<String, Scalar>>,
    multi_value_headers: Option<HashMap<String, Vec<Scalar>>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

impl ProxyResult {
    /// Reads what a function returned.
    ///
    /// # Errors
    ///
    /// Returns what is wrong if the result is malformed.
    pub(super) fn parse(result: &[u8]) -> Result<Self, String> {
        // As a map first: serde would take an array of the members' values as well.
        let members: Map<String, Value> =
            serde_json::from_slice(result).map_err(|error| error.to_string())?;
        let members: Members =
            serde_json::from_value(members.into()).map_err(|error| error.to_string())?;
        Ok(Self {
            status: status(members.status_code)?,
            body: match members.body {
                Some(body) if members.is_base64_encoded == Some(true) => Some(decode(&body)?),
                body => body,
            },
            headers: members.headers.unwrap_or_default(),
            multi_value_headers: members.multi_value_headers.unwrap_or_default(),
        })
    }

    /// Returns a header's value, its name compared without regard to case. As AWS documents, what
    /// `multiValueHeaders` says wins.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let named = |given: &str| given.eq_ignore_ascii_case(name);
        let multiple = self.multi_value_headers.iter();
        let mut multiple = multiple.filter(|(given, _)| named(given));
        let value = multiple.find_map(|(_, values)| values.first());
        let mut single = self.headers.iter();
        value
            .or_else(|| single.find_map(|(given, value)| named(given).then_some(value)))
            .cloned()
            .map(Scalar::into_text)
    }
}

fn status(given: Scalar) -> Result<u16, String> {
    let text = given.into_text();
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let status = text.parse().ok();
    status
        .filter(|status| is_digits && (100..600).contains(status))
        .ok_or_else(|| format!("statusCode is no status: {text}"))
}

fn decode(body: &str) -> Result<String, String> {
    let bytes = STANDARD
        .decode(body)
        .map_err(|error| format!("body is not base64: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "body is not UTF-8, and frames are text".to_owned())
}
