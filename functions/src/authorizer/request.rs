//! The gateway's request to the authorizer.
//!
//! The type is our own, because the one in `aws_lambda_events` fails on a header that is not ASCII, and
//! a failure is answered with 500 instead of 401.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>

use std::collections::HashMap;

use serde::Deserialize;

/// A client's request to connect. Header names keep the client's spelling.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerRequest {
    /// The resource that the client wants to call: the route `$connect` of the stage.
    pub method_arn: String,
    #[serde(default)]
    multi_value_headers: Option<HashMap<String, Vec<String>>>,
    #[serde(default)]
    multi_value_query_string_parameters: Option<HashMap<String, Vec<String>>>,
}

impl AuthorizerRequest {
    /// Returns the values of a header.
    pub(super) fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.multi_value_headers
            .iter()
            .flatten()
            .filter(move |(given, _)| given.eq_ignore_ascii_case(name))
            .flat_map(|(_, values)| values)
            .map(String::as_str)
    }

    /// Returns the values of a parameter in the query string.
    pub(super) fn query<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.multi_value_query_string_parameters
            .iter()
            .filter_map(move |parameters| parameters.get(name))
            .flatten()
            .map(String::as_str)
    }
}
