//! `herald send`.

use herald_local::Authentication;
use serde_json::json;

use crate::harness::{TestStack, json_lines};

#[tokio::test]
async fn messages_reach_their_audience_and_their_event_ids_are_printed() {
    let stack = TestStack::start(Authentication::Open).await;
    let tail = ["tail", "room-1", "room-2", "--broadcast", "--count", "5"];
    let mut tail = stack.herald(&tail).start();
    tail.says("subscribed").await;
    let rooms = ["send", "--entity", "room-1", "--entity", "room-2"];
    let sent = stack
        .done(&[&rooms[..], &["Hello", r#"{"a":4.20}"#, "--name", "Aseem"]].concat())
        .await;
    let mut event_ids: Vec<_> = sent.lines().collect();
    assert_eq!(event_ids.len(), 4);
    let acknowledged = stack.done(&["send", "--broadcast", "--json", "42"]).await;
    let acknowledged = &json_lines(&acknowledged)[0];
    assert_eq!(acknowledged["action"], "sendMessage");
    event_ids.push(acknowledged["eventId"].as_str().expect("an id"));

    let ended = tail.ended().await;
    let pushes = json_lines(&ended.stdout);
    for (push, message, entity) in [
        (event_ids[0], json!("Hello"), json!("room-1")),
        (event_ids[1], json!("Hello"), json!("room-2")),
        (event_ids[2], json!({"a": 4.2}), json!("room-1")),
        (event_ids[3], json!({"a": 4.2}), json!("room-2")),
        (event_ids[4], json!(42), json!(null)),
    ] {
        let push = pushes.iter().find(|other| other["eventId"] == push);
        let push = push.expect("a push");
        assert_eq!((&push["message"], &push["entityId"]), (&message, &entity));
    }
    assert_eq!(
        pushes.iter().filter(|push| push["name"] == "Aseem").count(),
        4
    );
    // JSON arrives as it was written.
    assert_eq!(ended.stdout.matches(r#"{"a":4.20}"#).count(), 2);
    stack.stop().await;
}

#[tokio::test]
async fn refused_messages_are_reported_one_by_one() {
    let stack = TestStack::start(Authentication::Secret).await;
    let token = ["token", "--user", "alice", "--permission", "room:*=publish"];
    let token = stack.done(&token).await;
    let send = |arguments: &[&str]| {
        let arguments = [&["send", "Hello"], arguments].concat();
        let herald = stack.herald(&arguments);
        herald.variable("HERALD_TOKEN", token.trim())
    };
    for (arguments, code, words) in [
        (vec!["--broadcast"], 3, "the message failed: "),
        (
            vec!["--entity", "room:1", "--entity", "order:1"],
            5,
            "message 2: ",
        ),
        (
            vec!["--entity", "order:1", "--entity", "order:2"],
            3,
            "2 of 2 messages failed",
        ),
    ] {
        let ended = send(&arguments).run("").await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    stack.stop().await;
}
