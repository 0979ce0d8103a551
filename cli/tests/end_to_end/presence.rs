//! `herald presence`.

use herald_local::{Authentication, issuer::TokenRequest};
use serde_json::{Value, json};

use crate::harness::{Ended, Herald, Running, TestStack, json_lines};

/// Starts a stack with tokens, in which rooms have presence with this policy.
async fn start(policy: Value) -> TestStack {
    let presence = json!({"room-*": policy}).to_string();
    TestStack::start_with(Authentication::Secret, &[("Presence", &presence)]).await
}

/// Starts a `tail` of `room-1`, and waits until its user is a member.
async fn joined(tail: Herald) -> Running {
    let mut tail = tail.start();
    tail.says("subscribed").await;
    tail
}

fn tail(stack: &TestStack, user: &str) -> Herald {
    stack.herald(&["tail", "room-1", "--as", user])
}

/// Starts to follow the members of `room-1` as the user `watcher`.
fn follow(stack: &TestStack, flags: &[&str]) -> Running {
    let arguments = ["presence", "room-1", "--follow", "--as", "watcher"];
    stack.herald(&[&arguments, flags].concat()).start()
}

async fn interrupt(running: Running) -> Ended {
    running.signal("INT").await;
    let ended = running.ended().await;
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    ended
}

fn member(user: &str) -> Value {
    json!({"userId": user, "connections": 1})
}

#[tokio::test]
async fn members_are_listed_with_connections_info_and_count() {
    let stack = start(json!({})).await;
    assert_eq!(
        stack.done(&["presence", "room-1"]).await,
        "count   0\n",
        "a reader is no member"
    );
    let bob = stack.running.mint(&TokenRequest {
        user_id: "bob".to_owned(),
        permissions: Some(json!({"**": ["subscribe"]})),
        info: Some(json!({"name": "Bob"})),
        ..TokenRequest::default()
    });
    let bob = bob.expect("a token").token;
    let members = [
        joined(tail(&stack, "alice")).await,
        joined(tail(&stack, "alice")).await,
        joined(
            stack
                .herald(&["tail", "room-1"])
                .variable("HERALD_TOKEN", &bob),
        )
        .await,
    ];
    assert_eq!(
        stack.done(&["presence", "room-1"]).await,
        "\
here    alice                 2 connections
here    bob                   1 connection    {\"name\":\"Bob\"}
count   2
"
    );
    let listed = stack.done(&["presence", "room-1", "--json"]).await;
    let alice = json!({"userId": "alice", "connections": 2});
    let bob = json!({"userId": "bob", "connections": 1, "info": {"name": "Bob"}});
    assert_eq!(
        json_lines(&listed),
        [json!({"entityId": "room-1", "count": 2, "members": [alice, bob]})]
    );
    for member in members {
        interrupt(member).await;
    }
    stack.stop().await;
}

#[tokio::test]
async fn follow_prints_a_line_of_json_for_a_join_and_a_leave() {
    let stack = start(json!({"interval": 1})).await;
    let mut watcher = follow(&stack, &["--json"]);
    assert_eq!(
        watcher.prints().await,
        json!({"entityId": "room-1", "count": 1, "members": [member("watcher")]})
    );
    let alice = joined(tail(&stack, "alice")).await;
    assert_eq!(
        watcher.prints().await,
        json!({"entityId": "room-1", "count": 2, "joined": [member("alice")], "left": []})
    );
    // A push is none of its lines.
    stack.done(&["publish", "--entity", "room-1", "1"]).await;
    interrupt(alice).await;
    assert_eq!(
        watcher.prints().await,
        json!({"entityId": "room-1", "count": 1, "joined": [], "left": [{"userId": "alice"}]})
    );
    assert_eq!(interrupt(watcher).await.stdout, "");
    stack.stop().await;
}

#[tokio::test]
async fn follow_prints_a_known_member_as_here_after_a_reconnect() {
    let stack = start(json!({"interval": 1})).await;
    let mut watcher = follow(&stack, &[]);
    watcher.says("subscribed to room-1; press Ctrl-C").await;
    let first = "here    watcher               1 connection";
    assert_eq!(watcher.prints_line().await, first);
    assert_eq!(watcher.prints_line().await, "count   1");
    let alice = joined(tail(&stack, "alice")).await;
    let line = "joined  alice                 1 connection";
    assert_eq!(watcher.prints_line().await, line);
    assert_eq!(watcher.prints_line().await, "count   2");

    let again = joined(tail(&stack, "alice")).await;
    let of_watcher = ["connections", "list", "--user", "watcher"];
    let connection = stack.done(&of_watcher).await;
    let connection = connection.split_whitespace().next().expect("an id");
    stack.done(&["connections", "kick", connection]).await;
    // The watcher may have two connections for a moment, which is a line of its own.
    let mut line = watcher.prints_line().await;
    while !line.contains("alice") {
        line = watcher.prints_line().await;
    }
    assert_eq!(line, "here    alice                 2 connections");

    interrupt(alice).await;
    interrupt(again).await;
    while !line.starts_with("left") {
        line = watcher.prints_line().await;
    }
    assert_eq!(line, "left    alice");
    assert_eq!(watcher.prints_line().await, "count   1");
    interrupt(watcher).await;
    stack.stop().await;
}

#[tokio::test]
async fn count_alone_is_printed_above_the_limit() {
    let stack = start(json!({"interval": 1, "members": 1})).await;
    let mut watcher = follow(&stack, &["--json"]);
    let alone = json!({"entityId": "room-1", "count": 1, "members": [member("watcher")]});
    assert_eq!(watcher.prints().await, alone);
    let alice = joined(tail(&stack, "alice")).await;
    let both = json!({"entityId": "room-1", "count": 2});
    assert_eq!(watcher.prints().await, both);
    let listed = stack.done(&["presence", "room-1", "--json"]).await;
    assert_eq!(json_lines(&listed), [both]);
    let listed = stack.herald(&["presence", "room-1"]).run("").await;
    assert_eq!((listed.code, &*listed.stdout), (Some(0), "count   2\n"));
    assert_eq!(
        listed.stderr,
        "room-1 has more members than the stack lists\n"
    );

    interrupt(alice).await;
    assert_eq!(watcher.prints().await, alone);
    interrupt(watcher).await;
    stack.stop().await;
}

#[tokio::test]
async fn connection_without_user_is_counted_and_closed_output_ends_follow() {
    let presence = json!({"room-*": {}}).to_string();
    let stack = TestStack::start_with(Authentication::Open, &[("Presence", &presence)]).await;
    let arguments = ["presence", "room-1", "--follow", "--json"];
    let mut watcher = stack.herald(&arguments).start();
    let anonymous = json!({"entityId": "room-1", "count": 1, "members": []});
    assert_eq!(watcher.prints().await, anonymous);
    let listed = stack.done(&["presence", "room-1", "--json"]).await;
    assert_eq!(json_lines(&listed), [anonymous]);
    watcher.stop_reading();
    assert_eq!(watcher.ended().await.code, Some(0));
    stack.stop().await;
}

#[tokio::test]
async fn entity_without_policy_fails() {
    let stack = start(json!({})).await;
    for flags in [&[][..], &["--follow"]] {
        let arguments = [&["presence", "order-1"], flags].concat();
        let ended = stack.herald(&arguments).run("").await;
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{flags:?}");
        let words = "the stack's parameter Presence has no policy for it";
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
    stack.stop().await;
}

#[tokio::test]
async fn token_without_permission_is_refused() {
    let stack = start(json!({})).await;
    let not_seen = "cannot read the presence of room-1: the server refused the request: \
                    you may not see the presence of room-1";
    for (permission, flags, words) in [
        ("**=subscribe", &[][..], not_seen),
        ("**=subscribe", &["--follow"], not_seen),
        ("**=presence", &["--follow"], "cannot subscribe to room-1"),
    ] {
        let token = ["token", "--user", "alice", "--permission", permission];
        let token = stack.done(&token).await;
        let herald = stack.herald(&[&["presence", "room-1"], flags].concat());
        let ended = herald.variable("HERALD_TOKEN", token.trim()).run("").await;
        assert_eq!((ended.code, &*ended.stdout), (Some(3), ""), "{flags:?}");
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    stack.stop().await;
}
