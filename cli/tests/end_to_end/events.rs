//! `herald publish`.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use herald_local::Authentication;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::harness::{FakeServer, TestStack, herald, json_lines};

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    file
}

#[tokio::test]
async fn message_is_read_from_argument_file_or_standard_input() {
    let stack = TestStack::start(Authentication::Open).await;
    let mut tail = stack.herald(&["tail", "order-1"]).start();
    tail.says("subscribed").await;
    let message = file("{\"digits\": 1.10}\n");
    let path = message.path().to_str().expect("a path");
    let with_byte_order_mark = file("\u{feff}{\"digits\": 1.10}\r\n");
    let marked = with_byte_order_mark.path().to_str().expect("a path");
    for (arguments, input, expected) in [
        (vec!["Hello"], "", json!("Hello")),
        (vec!["--file", path], "", json!({"digits": 1.10})),
        (vec!["--file", marked], "", json!({"digits": 1.10})),
        (vec![], "from a pipe\n", json!("from a pipe")),
        (vec!["--text"], "[1]\n", json!("[1]")),
    ] {
        let arguments = [&["publish", "--entity", "order-1"], &arguments[..]].concat();
        let ended = stack.herald(&arguments).run(input).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        assert_eq!(tail.prints().await["message"], expected, "{arguments:?}");
    }
    let key = ["--idempotency-key", "shipped-1", "--json"];
    let published = stack
        .done(&[&["publish", "--entity", "order-1", "Hello"], &key[..]].concat())
        .await;
    assert_eq!(json_lines(&published), [json!({"eventId": "shipped-1"})]);
    assert_eq!(tail.prints().await["eventId"], "shipped-1");
    stack.stop().await;
}

#[tokio::test]
async fn empty_input_is_refused_and_nothing_is_published() {
    let empty = file("");
    let path = empty.path().to_str().expect("a path");
    for (arguments, words) in [
        (
            &["--broadcast"][..],
            "standard input is empty, so nothing was published",
        ),
        (&["--broadcast", "--text"], "standard input is empty"),
        (
            &["--broadcast", "--file", path],
            "is empty, so nothing was published",
        ),
    ] {
        let ended = herald(&[&["publish"], arguments].concat()).run("").await;
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(
            ended.stderr.contains(words),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
    let stack = TestStack::start(Authentication::Open).await;
    let ended = stack.herald(&["publish", "--lines"]).run("\n").await;
    assert_eq!(ended.code, Some(2));
    let words = "the input has no lines, so nothing was published";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
    stack.stop().await;
}

#[tokio::test]
async fn version_orders_the_events_of_a_log_of_the_last_message() {
    let history = [("History", r#"{"price:*":{"last":true}}"#)];
    let stack = TestStack::start_with(Authentication::Open, &history).await;
    let mut tail = stack.herald(&["tail", "price:7"]).start();
    tail.says("subscribed").await;
    for (version, message) in [("7", "new"), ("6", "old"), ("8", "newest")] {
        let publish = [
            "publish",
            "--entity",
            "price:7",
            "--version",
            version,
            message,
        ];
        stack.done(&publish).await;
        if message != "old" {
            assert_eq!(tail.prints().await["message"], message);
        }
    }
    stack.stop().await;
}

#[tokio::test]
async fn invalid_line_is_reported_with_its_number_and_others_are_published() {
    let stack = TestStack::start(Authentication::Open).await;
    let mut tail = stack.herald(&["tail", "order-1", "--count", "24"]).start();
    tail.says("subscribed").await;
    let mut lines: Vec<_> = (1..=25)
        .map(|number| json!({"entityId": "order-1", "message": number}).to_string())
        .collect();
    lines[6] = r#"{"entityId":"order-1"}"#.to_owned();
    let lines = file(&format!("\u{feff}{}", lines.join("\n")));
    let path = lines.path().to_str().expect("a path");
    let arguments = ["publish", "--lines", "--json", "--file", path];
    let ended = stack.herald(&arguments).run("").await;
    assert_eq!(ended.code, Some(5));
    assert_eq!(
        ended.stderr,
        "herald: line 7: missing field `message` (column 22)\n\
         herald: 1 of 25 events failed\n"
    );
    let published = json_lines(&ended.stdout);
    let numbers: Vec<_> = published.iter().map(|line| line["line"].as_u64()).collect();
    let expected: Vec<_> = (1..=25).filter(|number| *number != 7).map(Some).collect();
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
async fn line_is_published_while_the_pipe_stays_open() {
    let stack = TestStack::start(Authentication::Open).await;
    let mut publish = stack.herald(&["publish", "--lines", "--json"]).start();
    publish.types(r#"{"broadcast":true,"message":1}"#).await;
    assert_eq!(publish.prints().await["line"], 1);
    // The end of the input must not end the command before the signal.
    let pipe = publish.stdin.take();
    publish.signal("INT").await;
    assert_eq!(publish.ended().await.code, Some(130));
    drop(pipe);
    stack.stop().await;
}

/// The details of the published events, call by call.
type Calls = Arc<Mutex<Vec<Vec<String>>>>;

/// A fake EventBridge that throttles "throttled" on the first call, and always refuses "denied".
async fn fake_event_bridge(State(calls): State<Calls>, body: String) -> Json<Value> {
    let request: Value = serde_json::from_str(&body).expect("JSON");
    let entries = request["Entries"].as_array().expect("entries");
    let details: Vec<_> = entries
        .iter()
        .map(|entry| entry["Detail"].as_str().expect("a text").to_owned())
        .collect();
    let mut calls = calls.lock().expect("not poisoned");
    let is_first = calls.is_empty();
    let results: Vec<_> = details
        .iter()
        .map(|detail| {
            if detail.contains("throttled") && is_first {
                json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"})
            } else if detail.contains("denied") {
                json!({"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not yours"})
            } else {
                json!({"EventId": format!("id of {detail}")})
            }
        })
        .collect();
    calls.push(details);
    Json(json!({"FailedEntryCount": 0, "Entries": results}))
}

#[tokio::test]
async fn only_throttled_events_are_retried() {
    let calls = Calls::default();
    let server = FakeServer::start(|endpoint| {
        let description = json!({
            "webSocket": "ws://127.0.0.1:1/dev", "endpoint": endpoint, "buses": {"default": "default"},
        });
        Router::new()
            .route("/console/stack.json", get(async || Json(description)))
            .route("/", post(fake_event_bridge))
            .with_state(calls.clone())
    })
    .await;

    let lines: Vec<_> = ["one", "throttled", "denied", "throttled too"]
        .map(|message| json!({"broadcast": true, "message": message}).to_string())
        .into();
    let arguments = ["--endpoint", &server.url, "publish", "--lines", "--json"];
    let ended = herald(&arguments).run(&lines.join("\n")).await;

    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    let lines = json_lines(&ended.stdout);
    let numbers: Vec<_> = lines.iter().map(|line| &line["line"]).collect();
    assert_eq!(numbers, [1, 2, 4]);
    assert_eq!(lines[2]["eventId"], r#"id of {"message":"throttled too"}"#);
    let denied =
        "line 3: EventBridge refused the event: Not yours (NotAuthorizedForSourceException)";
    assert!(ended.stderr.contains(denied), "{}", ended.stderr);
    let calls = calls.lock().expect("not poisoned");
    let retried = [
        r#"{"message":"throttled"}"#,
        r#"{"message":"throttled too"}"#,
    ];
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1], retried);
}
