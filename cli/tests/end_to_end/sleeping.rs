//! A `tail` whose process is stopped, as by a laptop that sleeps, until the gateway has ended its connection.

use std::time::Duration;

use herald_local::gateway::Limits;

use crate::harness::{TestStack, until};

/// The gateway's ten minutes without a message, for a test.
const IDLE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn tail_that_slept_past_the_idle_timeout_prints_every_message_once_and_in_order() {
    let stack = TestStack::start_with_limits(Limits {
        idle: IDLE,
        ..Limits::default()
    })
    .await;
    let mut tail = stack.herald(&["tail", "order-1"]).start();
    tail.says("subscribed").await;
    stack.done(&["publish", "--entity", "order-1", "1"]).await;
    assert_eq!(tail.prints().await["message"], 1);

    tail.signal("STOP").await;
    // This one is posted to the socket, or is missed if the connection has just ended.
    stack.done(&["publish", "--entity", "order-1", "2"]).await;
    until("the connection has ended", || {
        stack.running.gateway().open_connections().is_empty()
    })
    .await;
    for message in ["3", "4", "5"] {
        stack
            .done(&["publish", "--entity", "order-1", message])
            .await;
    }
    tail.signal("CONT").await;

    let mut messages = Vec::new();
    for offset in 2..=5 {
        let push = tail.prints().await;
        assert_eq!(push["offset"], offset, "{push}");
        messages.push(push["message"].as_u64().expect("a number"));
    }
    messages.sort_unstable();
    assert_eq!(messages, [2, 3, 4, 5]);
    tail.signal("INT").await;
    let ended = tail.ended().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""));
    assert!(!ended.stderr.contains("lost: "), "{}", ended.stderr);
    stack.stop().await;
}
