//! Comparison of the events for functions with events captured from AWS.

use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerRequestTypeRequest, ApiGatewayWebsocketProxyRequest,
};
use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::harness::{TestGateway, reporting, returned, status};

/// The members that differ between two events, by name.
const VARYING: [&str; 16] = [
    "connectedAt",
    "connectionId",
    "content-length",
    "extendedRequestId",
    "Host",
    "integrationLatency",
    "messageId",
    "requestId",
    "requestTime",
    "requestTimeEpoch",
    "Sec-WebSocket-Key",
    "sourceIp",
    "X-Amzn-Trace-Id",
    "X-Forwarded-For",
    "tenantId",
    "body",
];

/// Returns the shape of an event: varying values are replaced by their kind.
fn shape(value: &Value, name: &str) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), shape(value, name)))
            .collect(),
        Value::Array(items) => items.iter().map(|item| shape(item, name)).collect(),
        Value::String(text) if VARYING.contains(&name) && !text.is_empty() => json!("a text"),
        Value::Number(_) if VARYING.contains(&name) => json!("a number"),
        other => other.clone(),
    }
}

fn sample(text: &str) -> Value {
    shape(&serde_json::from_str(text).unwrap(), "")
}

fn authorizer_answer() -> Value {
    json!({
        "principalId": "user-42",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "*", "Effect": "Allow", "Resource": "*"}],
        },
        "context": {"tenantId": "acme"},
    })
}

/// See docs/local-vs-aws.md: "Forwarded port and protocol".
#[tokio::test]
async fn events_have_the_shape_of_captured_ones() {
    let (on_message, mut messages) = reporting();
    let (on_disconnect, mut disconnects) = reporting();
    let gateway = TestGateway::builder()
        .api(|api| {
            api.stage_variables
                .insert("env".to_owned(), "prod".to_owned());
        })
        .authorizer(&[], |_| returned(authorizer_answer()))
        .route("$connect", |_| {
            let headers = json!({"Sec-WebSocket-Protocol": "push.v1"});
            std::future::ready(returned(json!({"statusCode": 200, "headers": headers})))
        })
        .route("subscribe", on_message)
        .route("$disconnect", on_disconnect)
        .start()
        .await;
    let url = format!("{}?token=t-1", gateway.url());
    let headers = [
        ("origin", "https://app.example.com"),
        (
            "sec-websocket-extensions",
            "permessage-deflate; client_max_window_bits",
        ),
        ("sec-websocket-protocol", "push.v1"),
        ("user-agent", "push-client/1.0"),
    ];
    let (mut socket, _) = gateway.try_connect(&url, &headers).await.unwrap();
    socket
        .send(Message::text(r#"{"action":"subscribe","topic":"orders"}"#))
        .await
        .unwrap();
    let message = messages.recv().await.unwrap();
    gateway.gateway.close_all();
    let disconnect = disconnects.recv().await.unwrap();
    let connect = gateway.events("$connect").remove(0);

    assert_eq!(
        shape(&connect, ""),
        sample(include_str!("samples/connect.json"))
    );
    assert_eq!(
        shape(&message, ""),
        sample(include_str!("samples/message.json"))
    );
    assert_eq!(
        shape(&disconnect, ""),
        sample(include_str!("samples/disconnect.json"))
    );
    for event in [connect, message, disconnect] {
        let context = &event["requestContext"];
        assert_eq!(context["requestId"], context["extendedRequestId"]);
        assert!(context["connectedAt"].as_i64() <= context["requestTimeEpoch"].as_i64());
        serde_json::from_value::<ApiGatewayWebsocketProxyRequest>(event).unwrap();
    }
}

#[tokio::test]
async fn authorizer_event_has_the_shape_of_a_captured_one() {
    let gateway = TestGateway::builder()
        .authorizer(&[], |_| returned(authorizer_answer()))
        .start()
        .await;
    let url = format!("{}?token=t-1", gateway.url());
    let headers = [("user-agent", "push-client/1.0")];
    gateway.try_connect(&url, &headers).await.unwrap();
    let event = gateway.events("authorizer").remove(0);
    // These values have the client's spelling.
    let text = event
        .to_string()
        .replace("\"Connection\":\"Upgrade\"", "\"Connection\":\"upgrade\"")
        .replace(
            "\"Connection\":[\"Upgrade\"]",
            "\"Connection\":[\"upgrade\"]",
        );
    assert_eq!(
        shape(&serde_json::from_str(&text).unwrap(), ""),
        sample(include_str!("samples/authorizer-request.json"))
    );
    serde_json::from_value::<ApiGatewayCustomAuthorizerRequestTypeRequest>(event).unwrap();
}

/// See docs/local-vs-aws.md: "Stage variables".
#[tokio::test]
async fn empty_members_are_absent() {
    let gateway = TestGateway::builder()
        .route("$connect", |_| status(200))
        .start()
        .await;
    gateway.connect().await;
    let event = gateway.events("$connect").remove(0);
    for absent in [
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "stageVariables",
        "body",
        "path",
    ] {
        assert!(event.get(absent).is_none(), "{absent}");
    }
    let context = &event["requestContext"];
    assert!(context.get("authorizer").is_none());
    assert!(context["identity"].get("userAgent").is_none());
    for removed in ["Connection", "Upgrade", "content-length"] {
        assert!(event["headers"].get(removed).is_none(), "{removed}");
    }
}

/// See docs/local-vs-aws.md: "Repeated query parameters".
#[tokio::test]
async fn repeated_query_parameter_has_its_last_value_and_all_values() {
    let gateway = TestGateway::builder()
        .route("$connect", |_| status(200))
        .start()
        .await;
    let url = format!("{}?a=1&b=x%20y&a=2", gateway.url());
    assert_eq!(gateway.status(&url).await, 101);
    let event = gateway.events("$connect").remove(0);
    assert_eq!(
        event["queryStringParameters"],
        json!({"a": "2", "b": "x y"})
    );
    assert_eq!(
        event["multiValueQueryStringParameters"],
        json!({"a": ["1", "2"], "b": ["x y"]})
    );
}
