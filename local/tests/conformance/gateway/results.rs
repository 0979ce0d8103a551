//! Tests of each member of a function's result, at every kind of route.

use std::future::{Ready, ready};

use bytes::Bytes;
use futures_util::SinkExt;
use herald_local::lambda::Invocation;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::harness::{TestGateway, next_text, returned};

/// The reply of a two-way route.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Body(&'static str),
    Nothing,
    InternalServerError,
}

use Reply::{Body, InternalServerError, Nothing};

/// Well-formed results, with the status of an upgrade and the reply of a two-way route.
const WELL_FORMED: &[(&str, u16, Reply)] = &[
    // All documented members.
    (r#"{"statusCode": 200}"#, 101, Nothing),
    (r#"{"statusCode": 200, "body": "a"}"#, 101, Body("a")),
    (
        r#"{"isBase64Encoded": false, "statusCode": 200, "headers": {"a": "b"},
            "multiValueHeaders": {"a": ["b", "c"]}, "body": "a"}"#,
        101,
        Body("a"),
    ),
    // statusCode
    (r#"{"statusCode": "200", "body": "a"}"#, 101, Body("a")),
    // A 1xx is a status, but no answer to an upgrade.
    (r#"{"statusCode": 100, "body": "a"}"#, 502, Body("a")),
    (r#"{"statusCode": 299, "body": "a"}"#, 101, Body("a")),
    (r#"{"statusCode": 300, "body": "a"}"#, 300, Body("a")),
    (r#"{"statusCode": 599, "body": "a"}"#, 599, Body("a")),
    // headers
    (
        r#"{"statusCode": 200, "headers": null, "body": "a"}"#,
        101,
        Body("a"),
    ),
    (
        r#"{"statusCode": 200, "headers": {}, "body": "a"}"#,
        101,
        Body("a"),
    ),
    (
        r#"{"statusCode": 200, "headers": {"a": 1, "b": true}, "body": "a"}"#,
        101,
        Body("a"),
    ),
    // multiValueHeaders
    (
        r#"{"statusCode": 200, "multiValueHeaders": null, "body": "a"}"#,
        101,
        Body("a"),
    ),
    (
        r#"{"statusCode": 200, "multiValueHeaders": {"a": []}, "body": "a"}"#,
        101,
        Body("a"),
    ),
    // body
    (r#"{"statusCode": 200, "body": null}"#, 101, Nothing),
    (r#"{"statusCode": 200, "body": ""}"#, 101, Body("")),
    // isBase64Encoded
    (
        r#"{"statusCode": 200, "isBase64Encoded": null, "body": "YQ=="}"#,
        101,
        Body("YQ=="),
    ),
    (
        r#"{"statusCode": 200, "isBase64Encoded": true, "body": "YQ=="}"#,
        101,
        Body("a"),
    ),
    (
        r#"{"statusCode": 200, "isBase64Encoded": true}"#,
        101,
        Nothing,
    ),
];

/// Malformed results: an upgrade is answered 502, and a two-way route replies with an error.
const MALFORMED: &[&str] = &[
    // Not an object.
    "null",
    "",
    "not JSON",
    r#""text""#,
    "200",
    "true",
    "[]",
    r#"[200, null, null, "a", null]"#,
    "{}",
    // statusCode
    r#"{"body": "a"}"#,
    r#"{"statusCode": null, "body": "a"}"#,
    r#"{"statusCode": "+200", "body": "a"}"#,
    r#"{"statusCode": " 200", "body": "a"}"#,
    r#"{"statusCode": "", "body": "a"}"#,
    r#"{"statusCode": "OK", "body": "a"}"#,
    r#"{"statusCode": true, "body": "a"}"#,
    r#"{"statusCode": [200], "body": "a"}"#,
    r#"{"statusCode": {"code": 200}}"#,
    r#"{"statusCode": 200.5, "body": "a"}"#,
    r#"{"statusCode": -200, "body": "a"}"#,
    r#"{"statusCode": 0, "body": "a"}"#,
    r#"{"statusCode": 99, "body": "a"}"#,
    r#"{"statusCode": 600, "body": "a"}"#,
    r#"{"statusCode": 65736, "body": "a"}"#,
    // headers
    r#"{"statusCode": 200, "headers": "a"}"#,
    r#"{"statusCode": 200, "headers": ["a"]}"#,
    r#"{"statusCode": 200, "headers": {"a": null}}"#,
    r#"{"statusCode": 200, "headers": {"a": ["b"]}}"#,
    r#"{"statusCode": 200, "headers": {"a": {}}}"#,
    // multiValueHeaders
    r#"{"statusCode": 200, "multiValueHeaders": {"a": "b"}}"#,
    r#"{"statusCode": 200, "multiValueHeaders": {"a": [{}]}}"#,
    r#"{"statusCode": 200, "multiValueHeaders": [["a", "b"]]}"#,
    // body
    r#"{"statusCode": 200, "body": {"a": 1}}"#,
    r#"{"statusCode": 200, "body": ["a"]}"#,
    r#"{"statusCode": 200, "body": 1}"#,
    r#"{"statusCode": 200, "body": true}"#,
    // isBase64Encoded
    r#"{"statusCode": 200, "isBase64Encoded": true, "body": "a"}"#,
    r#"{"statusCode": 200, "isBase64Encoded": true, "body": "//8="}"#,
    r#"{"statusCode": 200, "isBase64Encoded": "true", "body": "YQ=="}"#,
    r#"{"statusCode": 200, "isBase64Encoded": 1, "body": "YQ=="}"#,
    // Unknown members.
    r#"{"statusCode": 200, "body": "a", "cookies": []}"#,
    r#"{"statusCode": 200, "body": "a", "message": "b"}"#,
    r#"{"statusCode": 200, "StatusCode": 200}"#,
];

/// Returns every result with the status of an upgrade and the reply of a two-way route.
fn results() -> impl Iterator<Item = (&'static str, u16, Reply)> {
    let malformed = MALFORMED.iter();
    let malformed = malformed.map(|result| (*result, 502, InternalServerError));
    WELL_FORMED.iter().copied().chain(malformed)
}

fn returns(result: &'static str) -> impl Fn(Value) -> Ready<Invocation> {
    move |_| ready(Invocation::Returned(Bytes::from(result)))
}

fn after(_: Value) -> Ready<Invocation> {
    ready(returned(json!({"statusCode": 200, "body": "after"})))
}

/// See docs/local-vs-aws.md: "Malformed results of functions".
#[tokio::test]
async fn result_of_connect_determines_the_status_of_the_upgrade() {
    for (result, status, _) in results() {
        let gateway = TestGateway::builder()
            .route("$connect", returns(result))
            .start()
            .await;
        assert_eq!(gateway.status(&gateway.url()).await, status, "{result}");
    }
}

/// See docs/local-vs-aws.md: "Malformed results of functions".
#[tokio::test]
async fn two_way_route_replies_with_the_body_or_an_error_for_a_malformed_result() {
    for (result, _, reply) in results() {
        let gateway = TestGateway::builder()
            .two_way("tested", returns(result))
            .two_way("$default", after)
            .start()
            .await;
        let mut socket = gateway.connect().await;
        let tested = Message::text(r#"{"action":"tested"}"#);
        socket.send(tested).await.unwrap();
        match reply {
            Body(body) => assert_eq!(next_text(&mut socket).await, body, "{result}"),
            Nothing => {}
            InternalServerError => {
                let frame = next_text(&mut socket).await;
                let start = r#"{"message": "Internal server error", "connectionId":"#;
                assert!(frame.starts_with(start), "{result}: {frame}");
            }
        }
        // No other reply arrives, and the connection is still open.
        socket.send(Message::text("after")).await.unwrap();
        assert_eq!(next_text(&mut socket).await, "after", "{result}");
    }
}

/// See docs/local-vs-aws.md: "Malformed results of functions".
#[tokio::test]
async fn result_of_a_one_way_route_is_ignored() {
    for (result, ..) in results() {
        let gateway = TestGateway::builder()
            .route("tested", returns(result))
            .two_way("$default", after)
            .start()
            .await;
        let mut socket = gateway.connect().await;
        for text in [r#"{"action":"tested"}"#, "after"] {
            socket.send(Message::text(text)).await.unwrap();
        }
        assert_eq!(next_text(&mut socket).await, "after", "{result}");
    }
}

#[tokio::test]
async fn result_of_disconnect_is_ignored() {
    for (result, ..) in results() {
        let (sender, mut disconnects) = tokio::sync::mpsc::unbounded_channel();
        let gateway = TestGateway::builder()
            .route("$disconnect", move |event| {
                sender.send(()).unwrap();
                returns(result)(event)
            })
            .start()
            .await;
        drop(gateway.connect().await);
        disconnects.recv().await.unwrap();
        assert_eq!(gateway.status(&gateway.url()).await, 101, "{result}");
    }
}

#[tokio::test]
async fn multi_value_headers_override_headers() {
    let gateway = TestGateway::builder()
        .route(
            "$connect",
            returns(
                r#"{"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "other"},
                    "multiValueHeaders": {"sec-websocket-protocol": ["push.v1"]}}"#,
            ),
        )
        .start()
        .await;
    let offer = [("sec-websocket-protocol", "push.v1, other")];
    let (_, response) = gateway.try_connect(&gateway.url(), &offer).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "push.v1");
}
