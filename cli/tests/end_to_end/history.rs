//! Logs: `herald tail --since` and `--rewind`, and `herald history`.

use herald_local::Authentication;
use serde_json::{Value, json};

use crate::harness::{Running, TestStack, json_lines};

/// A stack whose entities, users and broadcasts have logs, except for entities that begin with `plain`.
async fn stack_with_logs(authentication: Authentication) -> TestStack {
    let policy = json!({"messages": 1000, "seconds": 600});
    let history = json!({"**": policy, "plain*": null, "$user": policy, "$everyone": policy});
    TestStack::start_with(authentication, &[("History", &history.to_string())]).await
}

/// Starts a `tail`, and waits until it is subscribed.
async fn subscribed(stack: &TestStack, arguments: &[&str]) -> Running {
    let mut tail = stack.herald(&[&["tail"], arguments].concat()).start();
    tail.says("subscribed").await;
    tail
}

/// Publishes messages about an entity one after the other, and waits until each is pushed.
async fn publish(stack: &TestStack, entity: &str, messages: std::ops::RangeInclusive<u64>) {
    let mut tail = subscribed(stack, &[entity]).await;
    for message in messages {
        let message = message.to_string();
        stack.done(&["publish", "--entity", entity, &message]).await;
        assert_eq!(tail.prints().await["message"].to_string(), message);
    }
    tail.signal("INT").await;
    assert_eq!(tail.ended().await.code, Some(130));
}

fn messages(pushes: &[Value]) -> Vec<u64> {
    let messages = pushes.iter().map(|push| push["message"].as_u64());
    messages.map(|message| message.expect("a number")).collect()
}

/// Returns the position of a push as `--since` reads it.
fn since(push: &Value) -> String {
    format!(
        "{}/{}",
        push["epoch"].as_str().expect("an epoch"),
        push["offset"]
    )
}

#[tokio::test]
async fn tail_goes_on_from_the_position_that_it_printed_at_its_end() {
    let stack = stack_with_logs(Authentication::Open).await;
    let mut tail = subscribed(&stack, &["order-1", "--json"]).await;
    stack.done(&["publish", "--entity", "order-1", "1"]).await;
    let first = tail.prints().await;
    tail.signal("INT").await;
    let ended = tail.ended().await;
    assert_eq!(ended.code, Some(130));
    let position = json!({"epoch": first["epoch"], "offset": 1});
    assert_eq!(
        json_lines(&ended.stdout),
        [json!({"end": {"entityId": "order-1", "position": position, "since": since(&first)}})]
    );
    publish(&stack, "order-1", 2..=3).await;

    let arguments = ["tail", "order-1", "--since", &since(&first), "--count", "2"];
    let ended = stack.herald(&arguments).run("").await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let pushes = json_lines(&ended.stdout);
    assert_eq!(messages(&pushes), [2, 3]);
    let last = format!("order-1: go on with --since {}", since(&pushes[1]));
    assert!(ended.stderr.contains(&last), "{}", ended.stderr);

    let arguments = ["tail", "order-1", "--since", "0", "--count", "3"];
    let pushes = json_lines(&stack.done(&arguments).await);
    assert_eq!(messages(&pushes), [1, 2, 3]);
    let arguments = ["tail", "order-1", "--rewind", "2", "--count", "2"];
    let pushes = json_lines(&stack.done(&arguments).await);
    assert_eq!(messages(&pushes), [2, 3]);
    stack.stop().await;
}

#[tokio::test]
async fn messages_during_a_broken_connection_are_printed_in_order() {
    let stack = stack_with_logs(Authentication::Open).await;
    let mut tail = subscribed(&stack, &["order-1", "--count", "3"]).await;
    publish(&stack, "order-1", 1..=1).await;
    assert_eq!(tail.prints().await["message"], 1);
    stack.running.gateway().close_all();
    publish(&stack, "order-1", 2..=3).await;
    let ended = tail.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(messages(&json_lines(&ended.stdout)), [2, 3]);
    stack.stop().await;
}

#[tokio::test]
async fn lost_messages_are_a_line_of_their_own() {
    let stack = stack_with_logs(Authentication::Open).await;
    publish(&stack, "order-1", 1..=2).await;
    let mut tail = subscribed(&stack, &["order-1", "--since", "otherlog/1", "--json"]).await;
    let lost = tail.prints().await;
    assert_eq!(lost["lost"]["entityId"], "order-1");
    assert_eq!(lost["lost"]["position"]["offset"], 2);
    publish(&stack, "order-1", 3..=3).await;
    assert_eq!(tail.prints().await["offset"], 3);
    tail.signal("INT").await;
    let end = &json_lines(&tail.ended().await.stdout)[0]["end"];
    assert_eq!(end["position"]["offset"], 3);

    let mut tail = subscribed(&stack, &["order-1", "--since", "otherlog/1"]).await;
    let lost = tail.says("lost: ").await;
    assert!(
        lost.starts_with(
            "lost: the log does not have all messages of order-1; the next one follows "
        )
    );
    tail.signal("INT").await;
    tail.ended().await;

    let mut tail = subscribed(&stack, &["plain", "--since", "0"]).await;
    let lost = tail.says("lost: ").await;
    assert!(
        lost.starts_with("lost: plain has no log, so pushes"),
        "{lost}"
    );
    tail.signal("INT").await;
    let ended = tail.ended().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""));
    stack.stop().await;
}

#[tokio::test]
async fn history_prints_the_selected_messages_in_order() {
    let stack = stack_with_logs(Authentication::Open).await;
    publish(&stack, "order-1", 1..=5).await;
    let read = async |selection: &[&str]| {
        let arguments = [&["history", "order-1", "--json"], selection].concat();
        let mut lines = json_lines(&stack.done(&arguments).await);
        let end = lines.pop().expect("the end");
        (
            messages(&lines),
            end["end"]["since"].as_str().expect("a position").to_owned(),
        )
    };
    let (all, end) = read(&[]).await;
    assert_eq!(all, [1, 2, 3, 4, 5]);
    let epoch = end.strip_suffix("/5").expect("the last offset").to_owned();
    let at = |offset: u64| format!("{epoch}/{offset}");
    for (selection, expected, end) in [
        (&["--last", "2"][..], &[4, 5][..], 5),
        (&["--since", &at(3)], &[4, 5], 5),
        (&["--since", &at(5)], &[], 5),
        (&["--since", "0", "--limit", "2"], &[1, 2], 2),
        (&["--before", "4", "--limit", "2"], &[2, 3], 3),
        (&["--before", "3"], &[1, 2], 2),
    ] {
        assert_eq!(
            read(selection).await,
            (expected.to_vec(), at(end)),
            "{selection:?}"
        );
    }

    let ended = stack
        .herald(&["history", "order-1", "--last", "1"])
        .run("")
        .await;
    let columns: Vec<_> = ended.stdout.split_whitespace().collect();
    assert_eq!((columns[0], columns[2]), (&*at(5), "5"), "{}", ended.stdout);
    assert!(columns[1].ends_with('Z'), "{}", ended.stdout);
    assert_eq!(
        ended.stderr,
        format!("order-1: go on with --since {}\n", at(5))
    );
    stack.stop().await;
}

#[tokio::test]
async fn history_reads_on_beyond_the_limits_of_a_reply() {
    let stack = stack_with_logs(Authentication::Open).await;
    // More than the 300 messages and the 96 KiB of a reply.
    let text = "x".repeat(500);
    let line = |_| json!({"entityId": "order-1", "message": text}).to_string();
    let lines: Vec<_> = (0..350).map(line).collect();
    let mut tail = subscribed(&stack, &["order-1", "--count", "350"]).await;
    let published = stack
        .herald(&["publish", "--lines"])
        .run(&lines.join("\n"))
        .await;
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    for _ in 0..350 {
        tail.prints().await;
    }
    assert_eq!(tail.ended().await.code, Some(0));
    for (selection, offsets) in [
        (&["--last", "320"][..], 31..=350),
        (&["--since", "0"], 1..=350),
        (&["--since", "0", "--limit", "310"], 1..=310),
        (&["--before", "341", "--limit", "310"], 31..=340),
    ] {
        let arguments = [&["history", "order-1", "--json"], selection].concat();
        let mut read = json_lines(&stack.done(&arguments).await);
        assert_eq!(
            read.pop().expect("the end")["end"]["position"]["offset"],
            *offsets.end()
        );
        let read: Vec<_> = read.iter().map(|push| push["offset"].as_u64()).collect();
        assert_eq!(read, offsets.map(Some).collect::<Vec<_>>(), "{selection:?}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn history_without_log_permission_or_message_says_so() {
    let stack = stack_with_logs(Authentication::Secret).await;
    let token = ["token", "--user", "alice", "--permission", "**=subscribe"];
    let token = stack.done(&token).await;
    let ended = stack.herald(&["history", "order-1"]);
    let ended = ended.variable("HERALD_TOKEN", token.trim()).run("").await;
    assert_eq!(ended.code, Some(3));
    let words = "cannot read the history of order-1: the server refused the request: you may not read the history of order-1";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);

    let ended = stack.herald(&["history", "plain"]).run("").await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("this audience has no log"),
        "{}",
        ended.stderr
    );

    let ended = stack
        .herald(&["history", "order-1", "--since", "otherlog/1", "--json"])
        .run("")
        .await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(json_lines(&ended.stdout)[0]["lost"]["entityId"], "order-1");
    let words = "the log does not have all messages of order-1 since otherlog/1: read those that it has with --last";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);

    let ended = stack.herald(&["history", "order-1"]).run("").await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert!(
        ended.stderr.contains("no messages of order-1"),
        "{}",
        ended.stderr
    );
    stack.stop().await;
}

#[tokio::test]
async fn logs_of_user_and_everyone_are_read() {
    let stack = stack_with_logs(Authentication::Secret).await;
    let mut tail = subscribed(&stack, &["--user", "--broadcast", "--as", "alice"]).await;
    stack.done(&["publish", "--user", "alice", "1"]).await;
    assert_eq!(tail.prints().await["message"], 1);
    stack.done(&["publish", "--broadcast", "2"]).await;
    assert_eq!(tail.prints().await["message"], 2);
    tail.signal("INT").await;
    tail.ended().await;
    for (log, message, name) in [("--user", 1, "user"), ("--everyone", 2, "everyone")] {
        let read = stack
            .done(&["history", log, "--as", "alice", "--json"])
            .await;
        let lines = json_lines(&read);
        assert_eq!(
            (&lines[0]["message"], &lines[1]["end"][name]),
            (&json!(message), &json!(true))
        );
    }
    let empty = stack.done(&["history", "--user", "--as", "bob"]).await;
    assert_eq!(empty, "");
    stack.stop().await;
}

#[tokio::test]
async fn publish_to_a_user_of_an_open_stack_tells_that_no_client_has_a_user() {
    let stack = TestStack::start(Authentication::Open).await;
    for command in ["tail", "history"] {
        let ended = stack.herald(&[command, "--user"]).run("").await;
        assert_eq!(ended.code, Some(2), "{command}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("its connections have no user"),
            "{}",
            ended.stderr
        );
    }
    let published = stack
        .herald(&["publish", "--user", "alice", "Hello"])
        .run("")
        .await;
    assert_eq!(published.code, Some(0));
    assert!(
        published.stderr.contains("its connections have no user"),
        "{}",
        published.stderr
    );
    stack.stop().await;
}
