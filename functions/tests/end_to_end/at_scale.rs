//! Large audiences, and audiences with faults: the real notifier against a sink that stands for more
//! connections than there are sockets.

use std::time::Duration;

use herald_local::sqs;
use herald_testkit::local_only;
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

/// Returns the status of a post: one connection in ten is gone, one in twenty is throttled twice, one in
/// a hundred fails once.
fn faulty(connection: &str, nth: usize) -> u16 {
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

async fn until_idle(stack: &TestStack) {
    until("the queue is empty", async || {
        stack.messages("NotificationQueue").is_empty()
    })
    .await;
}

#[local_only("needs a notifier that posts to a sink")]
#[tokio::test]
async fn live_connections_of_a_faulty_audience_get_each_event_once() {
    const SUBSCRIBERS: usize = 10_000;
    let sink = Sink::start(faulty).await;
    let stack = subscribed(&sink, SUBSCRIBERS).await;
    stack.running().queues().set_faults(sqs::Faults {
        shuffle: true,
        ..sqs::Faults::default()
    });
    for event_id in ["e-1", "e-2"] {
        put(&stack, event_id).await;
    }
    until_idle(&stack).await;
    for number in 0..SUBSCRIBERS {
        let accepted = sink.seen(&connection(number)).accepted;
        let times = |event_id| accepted.get(event_id).copied().unwrap_or_default();
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

#[local_only("needs a notifier that posts to a sink")]
#[tokio::test]
async fn killed_notifier_loses_no_push() {
    const SUBSCRIBERS: usize = 10_000;
    let sink = Sink::start(faulty).await;
    let stack = subscribed(&sink, SUBSCRIBERS).await;
    put(&stack, "e-1").await;
    until("a part of the posts is made", async || {
        sink.accepted_by("e-1") > 2_000
    })
    .await;
    stack
        .running()
        .functions()
        .unwrap()
        .kill("NotifierFunction");
    let live = (0..SUBSCRIBERS).filter(|number| is_live(*number)).count();
    assert!(
        sink.accepted_by("e-1") < live,
        "the notifier was killed too late"
    );
    stack
        .running()
        .queues()
        .clock()
        .advance(Duration::from_secs(361));
    until_idle(&stack).await;
    assert_eq!(sink.accepted_by("e-1"), live);
    assert_eq!(stack.rows().await.len(), live);
    assert!(stack.messages("NotificationDeadLetterQueue").is_empty());
    stack.stop().await;
}

#[local_only("needs a notifier that posts to a sink")]
#[tokio::test]
async fn fifty_thousand_subscribers_are_reached_over_several_messages() {
    const SUBSCRIBERS: usize = 50_000;
    let sink = Sink::start(|_, _| 200).await;
    let stack = subscribed(&sink, SUBSCRIBERS).await;
    put(&stack, "e-1").await;
    until_idle(&stack).await;
    assert_eq!(sink.accepted_by("e-1"), SUBSCRIBERS);
    for number in 0..SUBSCRIBERS {
        assert_eq!(sink.seen(&connection(number)).posts, 1, "{number}");
    }
    let queue = stack.queue("NotificationQueue");
    let messages = stack.running().queues().ever_sent(queue);
    assert!((3..20).contains(&messages), "{messages}");
    stack.stop().await;
}

#[local_only("needs a notifier that posts to a sink")]
#[tokio::test]
async fn connection_that_is_always_throttled_is_the_only_dead_letter() {
    let sink = Sink::start(|connection, _| if number(connection) == 3 { 429 } else { 200 }).await;
    let stack = subscribed(&sink, 20).await;
    put(&stack, "e-1").await;
    until("the throttled connection is a dead letter", async || {
        // The next attempt is minutes away.
        stack
            .running()
            .queues()
            .clock()
            .advance(Duration::from_secs(5));
        !stack.messages("NotificationDeadLetterQueue").is_empty()
    })
    .await;
    until_idle(&stack).await;
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
