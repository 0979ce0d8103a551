//! What the gateway asks the authorizer.
//!
//! A type of our own: that of `aws_lambda_events` fails on a header that is not ASCII, and a failure
//! is answered 500 where 401 is right.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>

use std::collections::HashMap;

use serde::Deserialize;

/// A client that wants to connect. Headers keep the client's spelling of their names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerRequest {
    /// What the client wants to call: the route `$connect` of the stage.
    pub method_arn: String,
    #[serde(default)]
    multi_value_headers: Option<HashMap<String, Vec<String>>>,
    #[serde(default)]
    multi_value_query_string_parameters: Option<HashMap<String, Vec<String>>>,
}

impl AuthorizerRequest {
    /// The values of a header.
    pub(super) fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.multi_value_headers
            .iter()
            .flatten()
            .filter(move |(given, _)| given.eq_ignore_ascii_case(name))
            .flat_map(|(_, values)| values)
            .map(String::as_str)
    }

    /// The values of a parameter in the query string.
    pub(super) fn query<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.multi_value_query_string_parameters
            .iter()
            .filter_map(move |parameters| parameters.get(name))
            .flatten()
            .map(String::as_str)
    }
}
