//! The answer of a route's function, in the form of API Gateway's proxy integration.
//!
//! A type of Herald's own: that of `aws_lambda_events` writes header names in lower case, and AWS
//! documents the answer to `$connect` with the header spelled `Sec-WebSocket-Protocol` and no other way.
//!
//! Sources: <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-connect-route-subprotocol.html>
//! and <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-output-format>

use serde::Serialize;

/// The result of a function, as the gateway reads it.
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
    /// An answer that is its HTTP status alone.
    pub fn status(status_code: u16) -> Self {
        Self {
            status_code,
            headers: None,
            body: None,
        }
    }

    /// The same answer with a text for the client.
    pub fn with_body(self, body: String) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// The same answer with the subprotocol that the connection is to have.
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
    fn answers_are_written_as_the_gateway_documents_them() {
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
