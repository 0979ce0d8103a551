//! Large audiences, and audiences in which things go wrong: the real notifier against a sink that
//! stands for more connections than there are sockets.

use std::time::Duration;

use herald_local::sqs;
use serde_json::json;

use crate::{
    harness::{TestStack, until},
    sink::Sink,
};

const ENTITY: &str = "order-1";

fn connection(number: usize) -> String {
    format!("c-{number}")
}

fn number(connection: &str) -> usize {
    connection.trim_start_matches("c-").parse().unwrap()
}

/// One in ten is gone, one in twenty is throttled twice, one in a hundred fails once.
fn troubled(connection: &str, nth: usize) -> u16 {
    match number(connection) {
        n if n % 10 == 0 => 410,
        n if n % 20 == 1 && nth <= 2 => 429,
        n if n % 100 == 2 && nth == 1 => 500,
        _ => 200,
    }
}

fn is_live(number: usize) -> bool {
    !number.is_multiple_of(10)
}

async fn subscribed(sink: &Sink, count: usize) -> TestStack {
    let stack = TestStack::start_posting_to(&sink.endpoint).await;
    stack.seed(ENTITY, (0..count).map(connection)).await;
    stack
}

async fn put(stack: &TestStack, event_id: &str) {
    let detail = json!({"entityId": ENTITY, "message": "hello", "idempotencyKey": event_id});
    stack.put_event("Entity Updated", detail).await;
}

async fn nothing_is_left_to_do(stack: &TestStack) {
    until("the queue is empty", async || {
        stack.messages("NotificationQueue").is_empty()
    })
    .await;
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "leads the notifier's posts to a sink")]
async fn in_a_troubled_audience_everybody_live_gets_each_event_once() {
    const SUBSCRIBERS: usize = 10_000;
    let sink = Sink::start(troubled).await;
    let stack = subscribed(&sink, SUBSCRIBERS).await;
    stack.running().queues().set_faults(sqs::Faults {
        shuffle: true,
        ..sqs::Faults::default()
    });
    for event_id in ["e-1", "e-2"] {
        put(&stack, event_id).await;
    }
    nothing_is_left_to_do(&stack).await;
    for number in 0..SUBSCRIBERS {
        let taken = sink.seen(&connection(number)).taken;
        let times = |event_id| taken.get(event_id).copied().unwrap_or_default();
        let expected = usize::from(is_live(number));
        assert_eq!(
            (times("e-1"), times("e-2")),
            (expected, expected),
            "{number}"
        );
    }
    let live = (0..SUBSCRIBERS).filter(|number| is_live(*number)).count();
    assert_eq!(stack.rows().await.len(), live);
    assert!(stack.messages("NotificationDeadLetterQueue").is_empty());
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "leads the notifier's posts to a sink")]
async fn a_notifier_that_is_killed_loses_nothing() {
    const SUBSCRIBERS: usize = 10_000;
    let sink = Sink::start(troubled).await;
    let stack = subscribed(&sink, SUBSCRIBERS).await;
    put(&stack, "e-1").await;
    until("it is in the middle of it", async || {
        sink.taken_by("e-1") > 2_000
    })
    .await;
    stack
        .running()
        .functions()
        .unwrap()
        .kill("NotifierFunction");
    let live = (0..SUBSCRIBERS).filter(|number| is_live(*number)).count();
    assert!(sink.taken_by("e-1") < live, "it was killed too late");
    stack
        .running()
        .queues()
        .clock()
        .advance(Duration::from_secs(361));
    nothing_is_left_to_do(&stack).await;
    assert_eq!(sink.taken_by("e-1"), live);
    assert_eq!(stack.rows().await.len(), live);
    assert!(stack.messages("NotificationDeadLetterQueue").is_empty());
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "leads the notifier's posts to a sink")]
async fn fifty_thousand_subscribers_are_reached_over_several_messages() {
    const SUBSCRIBERS: usize = 50_000;
    let sink = Sink::start(|_, _| 200).await;
    let stack = subscribed(&sink, SUBSCRIBERS).await;
    put(&stack, "e-1").await;
    nothing_is_left_to_do(&stack).await;
    assert_eq!(sink.taken_by("e-1"), SUBSCRIBERS);
    for number in 0..SUBSCRIBERS {
        assert_eq!(sink.seen(&connection(number)).posts, 1, "{number}");
    }
    let queue = stack.queue("NotificationQueue");
    let messages = stack.running().queues().ever_sent(queue);
    assert!((3..20).contains(&messages), "{messages}");
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "leads the notifier's posts to a sink")]
async fn one_that_is_throttled_for_ever_is_a_dead_letter_alone() {
    let sink = Sink::start(|connection, _| if number(connection) == 3 { 429 } else { 200 }).await;
    let stack = subscribed(&sink, 20).await;
    put(&stack, "e-1").await;
    until("the one is a dead letter", async || {
        // Its next attempt is minutes away.
        stack
            .running()
            .queues()
            .clock()
            .advance(Duration::from_secs(5));
        !stack.messages("NotificationDeadLetterQueue").is_empty()
    })
    .await;
    nothing_is_left_to_do(&stack).await;
    for number in (0..20).filter(|number| *number != 3) {
        assert_eq!(sink.seen(&connection(number)).posts, 1, "{number}");
    }
    // Six attempts of three tries each.
    assert_eq!(sink.seen(&connection(3)).posts, 18);
    let dead_letters = stack.messages("NotificationDeadLetterQueue");
    assert_eq!(dead_letters.len(), 1);
    let content = &dead_letters[0].content;
    assert!(
        content.body.contains(r#""connections":[["c-3","#),
        "{}",
        content.body
    );
    let reason = format!("{:?}", content.attributes["Reason"]);
    assert!(
        reason.contains("not reached in 6 attempts: the gateway answered 429"),
        "{reason}"
    );
    stack.stop().await;
}
