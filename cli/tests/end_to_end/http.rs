//! `herald publish` over HTTP.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::{Value, json};

use crate::{
    harness::{Ended, FakeServer, herald, json_lines},
    keys::{created, start},
};

#[tokio::test]
async fn message_is_pushed_and_its_offset_printed() {
    let stack = start().await;
    let key = created(&stack, "order-*=publish").await;
    let mut tail = stack.herald(&["tail", "order-1", "--count", "3"]).start();
    tail.says("subscribed").await;
    let url = stack.running.addresses().function_urls["PublishFunctionUrl"].clone();
    for target in [&["--key", &key][..], &["--url", &url, "--key", &key]] {
        let arguments = [
            &["publish", "--entity", "order-1", "--json", "Hello"],
            target,
        ]
        .concat();
        let published = json_lines(&stack.done(&arguments).await).remove(0);
        let push = tail.prints().await;
        for field in ["eventId", "epoch", "offset"] {
            assert_eq!(published.get(field), push.get(field), "{field}");
        }
    }
    let publish = ["publish", "--http", "--entity", "order-1", "Hello"];
    let publish = [&publish[..], &["--idempotency-key", "shipped-1"]].concat();
    let ended = stack
        .herald(&publish)
        .variable("HERALD_KEY", &key)
        .run("")
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.split_whitespace().next(), Some("shipped-1"));
    assert_eq!(tail.prints().await["eventId"], "shipped-1");
    stack.stop().await;
}

#[tokio::test]
async fn lines_are_published_in_requests_of_a_hundred() {
    let stack = start().await;
    let key = created(&stack, "**=publish,broadcast").await;
    let mut tail = stack.herald(&["tail", "order-1", "--count", "248"]).start();
    tail.says("subscribed").await;
    let mut lines: Vec<_> = (1..=250)
        .map(|number| json!({"entityId": "order-1", "message": number}).to_string())
        .collect();
    lines[6] = r#"{"entityId":"order-1"}"#.to_owned();
    // The key may send to no user.
    lines[211] = r#"{"userId":"alice","message":1}"#.to_owned();
    let arguments = ["publish", "--lines", "--json", "--key", &key];
    let ended = stack.herald(&arguments).run(&lines.join("\n")).await;
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    let mut errors: Vec<_> = ended.stderr.lines().collect();
    errors.sort();
    assert_eq!(
        errors,
        [
            "herald: 2 of 250 events failed",
            "herald: line 212: the message was refused: the key may not send to users: none of its \
             permissions allows it (forbidden)",
            "herald: line 7: missing field `message` (column 22)",
        ]
    );
    let published = json_lines(&ended.stdout);
    let numbers: Vec<_> = published.iter().map(|line| line["line"].as_u64()).collect();
    let expected: Vec<_> = (1..=250)
        .filter(|number| ![7, 212].contains(number))
        .map(Some)
        .collect();
    assert_eq!(numbers, expected);
    let mut pushed: Vec<_> = json_lines(&tail.ended().await.stdout)
        .iter()
        .map(|push| push["message"].as_u64())
        .collect();
    pushed.sort();
    assert_eq!(pushed, expected);
    stack.stop().await;
}

#[tokio::test]
async fn refused_request_has_the_exit_code_of_its_reason() {
    let stack = start().await;
    let narrow = created(&stack, "order-*=publish").await;
    let unknown = format!("hk_{}_{}", "a".repeat(12), "b".repeat(43));
    for (key, code, words) in [
        (narrow.as_str(), 3, "may not publish to room-1"),
        (
            &unknown,
            3,
            "responded with 401: the request has no API key",
        ),
        ("secret", 2, "the API key must begin with hk_"),
        ("hk_a b", 2, "the API key must begin with hk_"),
    ] {
        let arguments = ["publish", "--entity", "room-1", "Hello", "--key", key];
        let ended = stack.herald(&arguments).run("").await;
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
        assert!(!ended.stderr.contains(&"b".repeat(43)), "{}", ended.stderr);
    }
    stack.stop().await;
}

#[tokio::test]
async fn wrong_url_or_missing_key_is_wrong_usage() {
    for (arguments, words) in [
        (&["--http"][..], "pass --key or set HERALD_KEY"),
        (
            &["--url", "http://127.0.0.1:1/"],
            "pass --key or set HERALD_KEY",
        ),
        (
            &["--url", "ftp://a/", "--key", "hk_a"],
            "with https:// or http://, got `ftp://a/`",
        ),
        (&["--url", "a b", "--key", "hk_a"], "and is invalid"),
        (
            &["--url", "http://a/", "--source", "shop"],
            "cannot be used with",
        ),
    ] {
        let arguments = [&["publish", "--broadcast", "Hello"], arguments].concat();
        let ended = herald(&arguments).run("").await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

/// The requests of a fake function: its keys and its bodies.
type Requests = Arc<Mutex<Vec<(String, Value)>>>;

/// Answers the requests with these statuses and bodies in turn, and returns what `herald` did.
async fn published_at(answers: Vec<(u16, Value)>, lines: &str) -> (Ended, Vec<(String, Value)>) {
    let requests = Requests::default();
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let answer = async move |State(requests): State<Requests>,
                             headers: HeaderMap,
                             Json(body): Json<Value>| {
        let key = headers["authorization"].to_str().expect("text").to_owned();
        requests.lock().expect("not poisoned").push((key, body));
        let answer = answers.lock().expect("not poisoned").next();
        let (status, body) = answer.expect("an answer");
        (StatusCode::from_u16(status).expect("a status"), Json(body))
    };
    let server = FakeServer::start(|_| {
        Router::new()
            .route("/", post(answer))
            .with_state(requests.clone())
    })
    .await;
    let url = format!("{}/", server.url);
    let arguments = [
        "publish", "--lines", "--json", "--url", &url, "--key", "hk_a_b",
    ];
    let ended = herald(&arguments).run(lines).await;
    let requests = requests.lock().expect("not poisoned").clone();
    (ended, requests)
}

fn results(results: Value) -> (u16, Value) {
    (200, json!({"results": results}))
}

#[tokio::test]
async fn throttled_requests_and_retryable_messages_are_repeated() {
    let lines: Vec<_> = ["one", "two", "three"]
        .map(|message| json!({"broadcast": true, "message": message}).to_string())
        .into();
    let error =
        |code, retryable| json!({"error": {"code": code, "message": "no", "retryable": retryable}});
    let (ended, requests) = published_at(
        vec![
            (429, json!({"Message": "Rate Exceeded."})),
            results(json!([
                {"eventId": "e-1", "epoch": "k", "offset": 1},
                error("internal", true),
                error("too_large", false),
            ])),
            results(json!([{"eventId": "e-2", "stale": true}])),
        ],
        &lines.join("\n"),
    )
    .await;
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert_eq!(
        json_lines(&ended.stdout),
        [
            json!({"line": 1, "eventId": "e-1", "epoch": "k", "offset": 1}),
            json!({"line": 2, "eventId": "e-2", "stale": true}),
        ]
    );
    let refused = "line 3: the message was refused: no (too_large)";
    assert!(ended.stderr.contains(refused), "{}", ended.stderr);
    assert!(requests.iter().all(|(key, _)| key == "Bearer hk_a_b"));
    assert_eq!(
        requests[0].1, requests[1].1,
        "the throttled request is repeated"
    );
    let retried = json!({"messages": [{"broadcast": true, "message": "two"}]});
    assert_eq!(requests[2].1, retried);
    assert_eq!(requests.len(), 3);
}

/// The messages may have been published, and a repeat would publish them twice.
#[tokio::test]
async fn failed_request_is_not_repeated() {
    for (status, body, code, words) in [
        (502, json!({"Message": "x"}), 4, "responded with 502: x"),
        (
            413,
            json!({"message": "too large"}),
            1,
            "responded with 413: too large",
        ),
        (200, json!({"ok": true}), 1, "is not a URL for publishing"),
        (200, json!({"results": []}), 1, "wrong number of results"),
    ] {
        let line = r#"{"broadcast":true,"message":1}"#;
        let (ended, requests) = published_at(vec![(status, body)], line).await;
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
        assert_eq!(requests.len(), 1);
    }
}
