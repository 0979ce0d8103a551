//! Requests to publish, each with its exact answer.

use herald_local::lambda::{Invocation, Invoke};
use herald_shared::protocol::PUBLISH_BYTES;
use herald_testkit::local_only;
use serde_json::{Value, json};

use super::harness::{KEY_ID, Publishing, entry, everything, key};
use crate::http_client::{HttpAnswer, send};

/// The key that may publish to the entities `order:*` only.
const NARROW: &str = "k2aaaaaaaaaa";

/// The key that may publish nothing.
const READER: &str = "k3aaaaaaaaaa";

const JSON: (&str, &str) = ("content-type", "application/json");

const NO_KEY: &str =
    "the request has no API key of this stack: send the header Authorization: Bearer hk_…";

async fn start() -> Publishing {
    let publishing = Publishing::start().await;
    let keys = json!({
        KEY_ID: entry(&everything()),
        NARROW: entry(&json!({"order:*": ["publish"]})),
        READER: entry(&json!({"**": ["subscribe", "history"]})),
    });
    publishing.put_keys(&keys).await;
    publishing
}

fn error(code: &str, message: &str) -> Value {
    json!({"type": "error", "code": code, "message": message, "retryable": false})
}

fn refused(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "retryable": false}})
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

fn assert_answer(answer: &HttpAnswer, status: u16, body: &Value, request: &str) {
    assert_eq!((answer.status, &answer.json()), (status, body), "{request}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn request_without_an_accepted_key_is_unauthorized() {
    let publishing = start().await;
    let good = key(KEY_ID);
    let wrong = format!("{}X", &good[..good.len() - 1]);
    let body = json!({"messages": [{"broadcast": true, "message": 1}]}).to_string();
    for authorization in [
        vec![],
        vec![String::new()],
        vec!["Bearer".to_owned()],
        vec![good.clone()],
        vec![format!("Basic {good}")],
        vec![format!("Bearer {good} x")],
        vec![bearer("hk_")],
        vec![bearer(&good.to_uppercase())],
        vec![bearer(&key("k9aaaaaaaaaa"))],
        vec![bearer(&wrong)],
        vec![bearer(&format!("{good}x"))],
        vec![bearer(&"x".repeat(7000))],
        vec![bearer(&good), bearer(&good)],
    ] {
        let mut headers = vec![JSON];
        headers.extend(
            authorization
                .iter()
                .map(|value| ("authorization", &**value)),
        );
        let answer = send("POST", &publishing.url, &headers, body.clone()).await;
        let expected = error("unauthorized", NO_KEY);
        assert_answer(&answer, 401, &expected, &format!("{authorization:?}"));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    publishing.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn wrong_request_is_refused_whole() {
    let publishing = start().await;
    let good = bearer(&key(KEY_ID));
    let one = r#"{"messages":[{"broadcast":true,"message":1}]}"#;
    let too_many = json!({"messages": vec![json!({"broadcast": true, "message": 1}); 101]});
    let (too_many, too_large) = (too_many.to_string(), " ".repeat(PUBLISH_BYTES + 1));
    let body_must_be = "the body must be {\"messages\":[…]} with an optional \"bus\":true:";
    let bad = |problem: &str| error("bad_request", &format!("{body_must_be} {problem}"));
    let not_json = error(
        "bad_request",
        "the body must be JSON: send the header Content-Type: application/json",
    );
    let no_method = error("unknown_action", "this path has no such method: use POST");
    for (method, path, content_type, body, status, expected) in [
        ("GET", "", "application/json", "", 405, no_method.clone()),
        ("PUT", "", "application/json", one, 405, no_method.clone()),
        ("DELETE", "", "application/json", "", 405, no_method.clone()),
        ("PATCH", "", "application/json", one, 405, no_method.clone()),
        // The URL has no CORS: a preflight is a request like any other.
        (
            "OPTIONS",
            "",
            "application/json",
            "",
            405,
            no_method.clone(),
        ),
        (
            "POST",
            "messages",
            "application/json",
            one,
            404,
            error(
                "unknown_action",
                "there is nothing at this path: use POST /",
            ),
        ),
        ("POST", "", "", one, 415, not_json.clone()),
        ("POST", "", "text/plain", one, 415, not_json.clone()),
        (
            "POST",
            "",
            "application/x-www-form-urlencoded",
            one,
            415,
            not_json.clone(),
        ),
        (
            "POST",
            "",
            "multipart/form-data",
            one,
            415,
            not_json.clone(),
        ),
        ("POST", "", "application/jsonp", one, 415, not_json.clone()),
        (
            "POST",
            "",
            "application/octet-stream",
            one,
            415,
            not_json.clone(),
        ),
        (
            "POST",
            "",
            "application/json",
            "",
            400,
            error("bad_request", "the body is missing: send a JSON object"),
        ),
        (
            "POST",
            "",
            "application/json",
            "hello",
            400,
            bad("expected value at line 1 column 1"),
        ),
        (
            "POST",
            "",
            "application/json",
            r#"{"messages":[{"broadcast":true"#,
            400,
            bad("EOF while parsing an object at line 1 column 30"),
        ),
        (
            "POST",
            "",
            "application/json",
            r#"{"messages":[]} x"#,
            400,
            bad("trailing characters at line 1 column 17"),
        ),
        (
            "POST",
            "",
            "application/json",
            "{}",
            400,
            bad("missing field `messages` at line 1 column 2"),
        ),
        (
            "POST",
            "",
            "application/json",
            r#"{"messages":{"broadcast":true,"message":1}}"#,
            400,
            bad("invalid type: map, expected a sequence at line 1 column 12"),
        ),
        (
            "POST",
            "",
            "application/json",
            r#"{"messages":[],"messages":[]}"#,
            400,
            bad("duplicate field `messages` at line 1 column 25"),
        ),
        (
            "POST",
            "",
            "application/json",
            r#"{"messages":[],"to":1}"#,
            400,
            bad("unknown field `to`, expected `messages` or `bus` at line 1 column 19"),
        ),
        (
            "POST",
            "",
            "application/json",
            r#"{"messages":[],"bus":"yes"}"#,
            400,
            bad("invalid type: string \"yes\", expected a boolean at line 1 column 26"),
        ),
        (
            "POST",
            "",
            "application/json",
            r#"{"messages":[]}"#,
            400,
            error(
                "bad_request",
                "messages is empty: send at least one message",
            ),
        ),
        (
            "POST",
            "",
            "application/json",
            &too_many,
            400,
            error(
                "too_many",
                "messages has 101 entries, the limit is 100: send the others in another request",
            ),
        ),
        (
            "POST",
            "",
            "application/json",
            &too_large,
            413,
            error(
                "too_large",
                "the message is 1048577 bytes long, the limit is 1048576: send a shorter message",
            ),
        ),
    ] {
        let url = format!("{}{path}", publishing.url);
        let mut headers = vec![("authorization", &*good)];
        if !content_type.is_empty() {
            headers.push(("content-type", content_type));
        }
        let answer = send(method, &url, &headers, body.to_owned()).await;
        let request = format!("{method} /{path} {content_type} {body:.100}");
        assert_answer(&answer, status, &expected, &request);
        match status {
            405 => assert_eq!(answer.header("allow"), "POST"),
            415 => assert_eq!(answer.header("accept"), "application/json"),
            _ => {}
        }
    }
    publishing.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn key_without_the_right_is_forbidden() {
    let publishing = start().await;
    let one = |message: Value| json!({"messages": [message]});
    let broadcast = one(json!({"broadcast": true, "message": 1}));
    let answer = publishing.send_with(&key(READER), &broadcast).await;
    let nothing = "the key may not publish at all: give it permissions";
    assert_answer(
        &answer,
        403,
        &error("forbidden", nothing),
        "a key that may nothing",
    );
    for (message, action) in [
        (
            json!({"entityId": "room:1", "message": 1}),
            Some("publish to room:1"),
        ),
        (
            json!({"entityId": "order:1:2", "message": 1}),
            Some("publish to order:1:2"),
        ),
        (
            json!({"userId": "ann", "message": 1}),
            Some("send to users"),
        ),
        (json!({"broadcast": true, "message": 1}), Some("broadcast")),
        (json!({"entityId": "order:1", "message": 1}), None),
    ] {
        let answer = publishing
            .send_with(&key(NARROW), &one(message.clone()))
            .await;
        let result = &answer.json()["results"][0];
        match action {
            Some(action) => {
                let text = format!("the key may not {action}: none of its permissions allows it");
                assert_eq!(*result, refused("forbidden", &text), "{message}");
            }
            None => assert!(result["eventId"].is_string(), "{result}"),
        }
    }
    publishing.stack.stop().await;
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn wrong_message_is_refused_beside_the_others() {
    let publishing = start().await;
    let mut client = publishing.stack.client_of("ann").await;
    client.subscribe("order:1").await;
    let invalid =
        |problem: &str| refused("bad_request", &format!("the message is invalid: {problem}"));
    let invalid_at = |field: &str, problem: &str| {
        let text = format!("the message is invalid at the field `{field}`: {problem}");
        refused("bad_request", &text)
    };
    let fields =
        "`entityId`, `userId`, `broadcast`, `message`, `callback`, `version`, `idempotencyKey`";
    let recipient = refused(
        "bad_request",
        "the message needs one recipient: send exactly one of entityId, userId and \"broadcast\":true",
    );
    let long_key = format!(
        r#"{{"broadcast":true,"message":1,"idempotencyKey":"{}"}}"#,
        "k".repeat(1025)
    );
    let too_large = format!(
        r#"{{"entityId":"order:1","message":"{}"}}"#,
        "x".repeat(128 * 1024)
    );
    let wrong: Vec<(&str, Value)> = vec![
        (
            "1",
            invalid("invalid type: integer `1`, expected an object"),
        ),
        ("{}", invalid("missing field `message`")),
        (r#"{"message":1}"#, recipient.clone()),
        (r#"{"message":1,"broadcast":false}"#, recipient.clone()),
        (
            r#"{"message":1,"broadcast":true,"userId":"ann"}"#,
            recipient.clone(),
        ),
        (
            r#"{"message":1,"entityId":"order:1","userId":"ann"}"#,
            recipient.clone(),
        ),
        (
            r#"{"message":1,"broadcast":true,"to":"ann"}"#,
            invalid(&format!("unknown field `to`, expected one of {fields}")),
        ),
        (
            r#"{"message":1,"broadcast":true,"message":2}"#,
            invalid("duplicate field `message`"),
        ),
        (
            r#"{"message":1,"entityId":""}"#,
            invalid_at("entityId", "must not be empty"),
        ),
        (
            r#"{"message":1,"entityId":null}"#,
            invalid_at("entityId", "invalid type: null, expected a string"),
        ),
        (
            r#"{"message":1,"entityId":"order:1","callback":1}"#,
            invalid(
                "unknown field `callback`, expected one of `entityId`, `message`, `version`, \
                 `idempotencyKey`",
            ),
        ),
        (
            r#"{"message":1,"entityId":"order:1","version":-1}"#,
            invalid_at("version", "invalid value: integer `-1`, expected u64"),
        ),
        (
            r#"{"message":1,"broadcast":true,"idempotencyKey":""}"#,
            refused(
                "bad_request",
                "the event id is empty: give idempotencyKey a value or leave it out",
            ),
        ),
        (
            &long_key,
            refused(
                "bad_request",
                "the event id is 1025 bytes long, the limit is 1024",
            ),
        ),
    ];
    let (message, callback) = (nested(101), nested(101));
    let deep_message = format!(r#"{{"broadcast":true,"message":{message}}}"#);
    let deep_callback = format!(r#"{{"userId":"ann","message":1,"callback":{callback}}}"#);
    let too_deep = |field: &str| {
        let problem =
            "has more than 100 levels of arrays and objects: flatten it, or send it as a string";
        refused("bad_request", &format!("{field} {problem}"))
    };
    let mut wrong = wrong;
    wrong.push((&deep_message, too_deep("message")));
    wrong.push((&deep_callback, too_deep("callback")));
    let messages: Vec<_> = wrong.iter().map(|(message, _)| *message).collect();
    let good = r#"{"entityId":"order:1","message":"good"}"#;
    let messages = messages.join(",");
    let body = format!(r#"{{"messages":[{messages},{good},{too_large}]}}"#);
    let bearer = bearer(&key(KEY_ID));
    let headers = [("authorization", &*bearer), JSON];
    let answer = send("POST", &publishing.url, &headers, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let results = answer.json()["results"].as_array().unwrap().clone();
    assert_eq!(results.len(), wrong.len() + 2);
    for ((message, expected), result) in wrong.iter().zip(&results) {
        assert_eq!(result, expected, "{message:.200}");
    }
    let frame = client.frame().await;
    assert_eq!(frame["eventId"], results[wrong.len()]["eventId"]);
    // The frame's length depends on the time in it.
    let error = &results[wrong.len() + 1]["error"];
    assert_eq!(error["code"], "too_large");
    let text = error["message"].as_str().unwrap();
    assert!(
        text.ends_with("the limit is 131072: send a shorter message"),
        "{text}"
    );
    publishing.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn unusual_request_is_accepted() {
    let publishing = start().await;
    let body = r#"{"bus":false,"messages":[{"message":1,"broadcast":true}]}"#;
    for (scheme, content_type, path) in [
        ("Bearer", "application/json; charset=utf-8", ""),
        ("bearer", "Application/JSON", ""),
        (
            "BEARER ",
            "application/json;charset=\"utf-8\";x=y",
            "?ignored=1",
        ),
    ] {
        let authorization = format!("{scheme} {}", key(KEY_ID));
        let headers = [
            ("authorization", &*authorization),
            ("content-type", content_type),
        ];
        let url = format!("{}{path}", publishing.url);
        let answer = send("POST", &url, &headers, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    publishing.stack.stop().await;
}

/// Lambda encodes a body that it takes for binary, and answers by itself what no function can.
#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn encoded_body_is_decoded_and_binary_one_refused() {
    let publishing = start().await;
    let host = publishing.stack.running().functions().unwrap();
    let event = |body: &str| {
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "",
            "headers": {"authorization": bearer(&key(KEY_ID)), "content-type": "application/json"},
            "requestContext": {
                "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
                "timeEpoch": 1_764_324_000_000_u64,
            },
            "body": body, "isBase64Encoded": true,
        })
    };
    for (body, status) in [
        // {"messages":[{"broadcast":true,"message":1}]}
        (
            "eyJtZXNzYWdlcyI6W3siYnJvYWRjYXN0Ijp0cnVlLCJtZXNzYWdlIjoxfV19",
            200,
        ),
        ("H4sIAAAAAAAA", 400),
        ("not base64!", 400),
    ] {
        let payload = event(body).to_string();
        let Invocation::Returned(answer) = host.invoke("PublishFunction", payload.into()).await
        else {
            panic!("{body}")
        };
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["statusCode"], status, "{answer}");
    }
    publishing.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn request_over_the_limits_of_the_url_is_refused_before_the_function() {
    let publishing = start().await;
    let good = bearer(&key(KEY_ID));
    let body = " ".repeat(7 * 1024 * 1024);
    let answer = send(
        "POST",
        &publishing.url,
        &[("authorization", &good), JSON],
        body,
    )
    .await;
    assert_eq!(answer.status, 413, "{}", answer.body);
    assert!(
        answer.json()["Message"]
            .as_str()
            .unwrap()
            .contains("smaller than")
    );
    publishing.stack.stop().await;
}
