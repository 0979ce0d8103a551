//! Invalid frames: each is answered by an error frame that names the mistake, stores no row and crashes
//! no function.

use herald_testkit::local_only;
use serde_json::{Value, json};

use crate::harness::TestStack;

#[tokio::test]
async fn invalid_frame_is_answered_with_its_mistake() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    let too_long = format!(
        r#"{{"action":"subscribe","entityId":"{}"}}"#,
        "é".repeat(129)
    );
    let too_many = json!({
        "action": "sendMessage",
        "broadcast": true,
        "messages": vec![json!({"message": 1, "name": "n"}); 26],
    })
    .to_string();
    let too_deep = format!(
        r#"{{"action":"sendMessage","broadcast":true,"message":{}{}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let rows = stack.rows().await;
    for (frame, code, expected) in [
        (
            &*too_deep,
            "bad_request",
            "message has more than 100 levels of arrays and objects",
        ),
        ("", "unknown_action", "not JSON"),
        ("hello", "unknown_action", "not JSON"),
        (r#"{"action":"subscribe""#, "unknown_action", "not JSON"),
        (
            r#"{"action":"subscribe","entityId":'a'}"#,
            "unknown_action",
            "not JSON",
        ),
        ("[]", "unknown_action", "not an object"),
        (r#"["subscribe"]"#, "unknown_action", "not an object"),
        ("5", "unknown_action", "not an object"),
        ("null", "unknown_action", "not an object"),
        (r#""subscribe""#, "unknown_action", "not an object"),
        ("{}", "unknown_action", "no action"),
        (r#"{"action":null}"#, "unknown_action", "not a string"),
        (r#"{"action":5}"#, "unknown_action", "not a string"),
        (r#"{"action":{}}"#, "unknown_action", "not a string"),
        (r#"{"action":"dance"}"#, "unknown_action", "dance"),
        (r#"{"action":"$connect"}"#, "unknown_action", "$connect"),
        (
            r#"{"action":"$disconnect"}"#,
            "unknown_action",
            "$disconnect",
        ),
        (
            r#"{"action":"subscribe"}"#,
            "bad_request",
            "entityId is missing",
        ),
        (
            r#"{"action":"subscribe","entityId":""}"#,
            "bad_request",
            "entityId must not be empty",
        ),
        (
            r#"{"action":"subscribe","entityId":7}"#,
            "bad_request",
            "entityId must be a string",
        ),
        (
            r#"{"action":"subscribe","entityId":null}"#,
            "bad_request",
            "entityId must be a string",
        ),
        (
            r#"{"action":"subscribe","entityId":["a"]}"#,
            "bad_request",
            "entityId must be a string",
        ),
        (
            r#"{"action":"subscribe","entityId":"a\u0000b"}"#,
            "bad_request",
            "control characters",
        ),
        (
            &too_long,
            "bad_request",
            "entityId is 258 bytes long, the limit is 256",
        ),
        (
            r#"{"action":"subscribe","entityId":"a","id":[]}"#,
            "bad_request",
            "id must be",
        ),
        (
            r#"{"action":"unsubscribe","entityId":""}"#,
            "bad_request",
            "entityId must not be empty",
        ),
        (
            r#"{"action":"sendMessage"}"#,
            "bad_request",
            "message is missing",
        ),
        (
            r#"{"action":"sendMessage","message":1,"name":2}"#,
            "bad_request",
            "name must be a string",
        ),
        (
            r#"{"action":"sendMessage","message":1,"entityId":"a","broadcast":true}"#,
            "bad_request",
            "entityId and broadcast exclude each other",
        ),
        (
            r#"{"action":"sendMessage","message":1,"broadcast":"yes"}"#,
            "bad_request",
            "broadcast must be true or false",
        ),
        (
            r#"{"action":"sendMessage","messages":[{"message":1}]}"#,
            "bad_request",
            "messages needs a target",
        ),
        (
            r#"{"action":"subscribe","entityId":"a","rewind":301}"#,
            "bad_request",
            "rewind must be a whole number from 1 to 300",
        ),
        (
            r#"{"action":"history","last":1}"#,
            "bad_request",
            "send exactly one of entityId",
        ),
        (
            r#"{"action":"history","entityId":"a"}"#,
            "bad_request",
            "send exactly one of since",
        ),
        (
            r#"{"action":"history","entityId":"a","since":{"offset":-1}}"#,
            "bad_request",
            "since must be a position",
        ),
        (
            r#"{"action":"history","entityId":"a","last":-1}"#,
            "bad_request",
            "last must be a whole number",
        ),
        (
            r#"{"action":"sync"}"#,
            "bad_request",
            "the frame names no log",
        ),
        (
            r#"{"action":"sync","everyone":7}"#,
            "bad_request",
            "everyone must be a position",
        ),
        (
            &too_many,
            "too_many",
            "messages has 26 entries, the limit is 25",
        ),
    ] {
        client.send_text(frame).await;
        let error = client.frame().await;
        assert_eq!(error["type"], "error", "{frame}: {error}");
        assert_eq!(error["code"], code, "{frame}: {error}");
        assert_eq!(error["retryable"], false, "{frame}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(expected), "{frame}: {message}");
        if code == "unknown_action" {
            assert!(
                message.starts_with("Seems like wrong endpoint: "),
                "{message}"
            );
        }
    }
    assert_eq!(stack.rows().await, rows);
    assert_no_function_failed(&stack);
    stack.stop().await;
}

#[tokio::test]
async fn error_has_the_action_and_the_request_id() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    let refused = client.ask(json!({"action": "subscribe", "id": "7"})).await;
    assert_eq!(
        refused,
        json!({
            "type": "error",
            "action": "subscribe",
            "id": "7",
            "code": "bad_request",
            "message": "entityId is missing: send the entity's id",
            "retryable": false,
        })
    );
    stack.stop().await;
}

/// The largest message that a client may send is too large to push, because the push adds its id and
/// time.
#[tokio::test]
async fn message_that_is_too_large_to_push_is_refused() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    let frame = |length: usize| {
        json!({"action": "sendMessage", "broadcast": true, "message": "x".repeat(length)})
            .to_string()
    };
    let text = frame(128 * 1024 - frame(0).len());
    assert_eq!(text.len(), 128 * 1024);
    client.send_in_frames(&text).await;
    let refused = client.frame().await;
    assert_eq!(refused["code"], "too_large");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("the limit is 131072")
    );
    stack.stop().await;
}

/// The function checks the size itself, because it can also be invoked directly.
#[local_only("invokes a function directly")]
#[tokio::test]
async fn function_refuses_a_body_over_the_limit() {
    use herald_local::lambda::{Invocation, Invoke};
    let stack = TestStack::start().await;
    let padding = "x".repeat(128 * 1024);
    let frame = json!({"action": "subscribe", "entityId": "order-1", "padding": padding});
    let event = json!({
        "requestContext": {
            "connectionId": "PcQeDRO4gIEm4LQ=",
            "connectedAt": 0,
            "requestTimeEpoch": 0,
            "identity": {},
        },
        "body": frame.to_string(),
    });
    let host = stack.running().functions().unwrap();
    let invocation = host
        .invoke("SubscribeFunction", event.to_string().into())
        .await;
    let Invocation::Returned(result) = invocation else {
        panic!("{invocation:?}")
    };
    let result: Value = serde_json::from_slice(&result).unwrap();
    assert_eq!(result["statusCode"], 413);
    assert!(result["body"].as_str().unwrap().contains("too_large"));
    stack.stop().await;
}

/// Fails if a function crashed: the local stack would have started it again.
fn assert_no_function_failed(stack: &TestStack) {
    let Some(local) = stack.local() else { return };
    let host = local.functions().unwrap();
    for function in [
        "DefaultFunction",
        "SubscribeFunction",
        "UnsubscribeFunction",
    ] {
        assert_eq!(host.started(function), 1, "{function}");
    }
}
