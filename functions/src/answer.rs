//! The answer of a route's function, in the format of API Gateway's proxy integration.
//!
//! The type is Herald's own, because the one in `aws_lambda_events` writes header names in lower case,
//! and AWS documents the answer to `$connect` only with the spelling `Sec-WebSocket-Protocol`.
//!
//! Sources: <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-connect-route-subprotocol.html>
//! and <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-output-format>

use serde::Serialize;

/// The result of a function for the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteAnswer {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Headers {
    #[serde(rename = "Sec-WebSocket-Protocol")]
    subprotocol: &'static str,
}

impl RouteAnswer {
    /// Returns an answer with this HTTP status and nothing else.
    pub fn status(status_code: u16) -> Self {
        Self {
            status_code,
            headers: None,
            body: None,
        }
    }

    /// Returns the same answer with a text for the client.
    pub fn with_body(self, body: String) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// Returns the same answer with the subprotocol of the connection.
    pub fn with_subprotocol(self, subprotocol: &'static str) -> Self {
        Self {
            headers: Some(Headers { subprotocol }),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_documented_format() {
        for (answer, json) in [
            (RouteAnswer::status(200), r#"{"statusCode":200}"#),
            (
                RouteAnswer::status(200).with_subprotocol("herald.v1"),
                r#"{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"herald.v1"}}"#,
            ),
            (
                RouteAnswer::status(404).with_body("no".to_owned()),
                r#"{"statusCode":404,"body":"no"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&answer).expect("JSON"), json);
        }
    }
}
