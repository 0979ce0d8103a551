//! The result of a function behind a proxy integration.
//!
//! AWS documents the allowed members and calls every other result malformed. A status may also be a
//! text of digits, and a header's value a number or a boolean, as in AWS's own samples.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-output-format>

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::scalar::Scalar;

/// The parts of a well-formed result that the gateway uses.
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
    /// Reads the result of a function. The error is the problem of a malformed result.
    pub(super) fn parse(result: &[u8]) -> Result<Self, String> {
        // A map first: serde would also accept an array of the members' values.
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

    /// Returns a header's value; its name is compared ignoring case. As AWS documents,
    /// `multiValueHeaders` takes precedence.
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
        .ok_or_else(|| format!("statusCode must be a number from 100 to 599, got {text}"))
}

fn decode(body: &str) -> Result<String, String> {
    let bytes = STANDARD
        .decode(body)
        .map_err(|error| format!("body must be base64: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "body must be UTF-8, because frames are text".to_owned())
}
