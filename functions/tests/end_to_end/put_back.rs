//! Queues that refuse the pushes that the notifier requeues.

use std::time::Duration;

use herald_local::{
    iam::Revoked,
    sqs::{self, MessageState},
};
use herald_shared::{
    push::Push,
    queue::{Enqueue, NotificationQueue},
};
use herald_testkit::local_only;
use serde_json::json;

use crate::{
    harness::{TestStack, until},
    sink::Sink,
};

const ENTITY: &str = "order-1";
const SUBSCRIBERS: usize = 20;

fn connection(number: usize) -> String {
    format!("c-{number}")
}

/// Starts a sink in which one connection is always throttled.
async fn sink() -> Sink {
    Sink::start(|connection, _| if connection == "c-3" { 429 } else { 200 }).await
}

/// Starts a stack with the subscribers, whose notifier may not send to these queues.
async fn stack(sink: &Sink, revoked: &[&str]) -> TestStack {
    let revoked = revoked.iter().map(|queue| Revoked {
        function: "NotifierFunction".to_owned(),
        action: "sqs:SendMessage".to_owned(),
        resource: Some(format!(
            "arn:aws:sqs:us-east-1:123456789012:herald-local-{queue}"
        )),
    });
    let revoked: Vec<_> = revoked.collect();
    let stack = TestStack::try_start_with(|config| {
        config.faults.revoked = revoked;
        config.environment.insert(
            "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI".to_owned(),
            sink.endpoint.clone(),
        );
    });
    let stack = stack.await.unwrap();
    stack.seed(ENTITY, (0..SUBSCRIBERS).map(connection)).await;
    stack
}

async fn put(stack: &TestStack) {
    let detail = json!({"entityId": ENTITY, "message": "hello", "idempotencyKey": "e-1"});
    stack.put_event("Entity Updated", detail).await;
}

fn assert_others_have_it_once(sink: &Sink) {
    for number in (0..SUBSCRIBERS).filter(|number| *number != 3) {
        assert_eq!(sink.seen(&connection(number)).posts, 1, "{number}");
    }
}

#[local_only("revokes permissions of functions")]
#[tokio::test]
async fn push_that_cannot_be_requeued_is_a_dead_letter_with_the_reason() {
    let sink = sink().await;
    let stack = stack(&sink, &["NotificationQueue"]).await;
    put(&stack).await;
    let dead_letter = stack.notifications().next_dead_letter().await;
    let expected = "failed to requeue: the queue refused the request";
    assert!(dead_letter.reason.starts_with(expected), "{dead_letter:?}");
    assert!(dead_letter.body.contains(r#""connections":[["c-3","#));
    stack.notifications().until_idle().await;
    assert_others_have_it_once(&sink);
    assert_eq!(stack.messages("NotificationDeadLetterQueue").len(), 1);
    stack.stop_after_refusals().await;
}

#[local_only("needs the local stack's faults")]
#[tokio::test]
async fn push_is_requeued_once_the_queue_recovers() {
    let sink = sink().await;
    let stack = stack(&sink, &[]).await;
    let queues = stack.running().queues();
    queues.set_faults(sqs::Faults {
        failing_sends: 1.0,
        ..Default::default()
    });
    put(&stack).await;
    until("the attempt is over", async || {
        sink.seen(&connection(3)).posts == 3
    })
    .await;
    queues.set_faults(sqs::Faults::default());
    until("the second attempt waits", async || {
        let waiting = stack.messages("NotificationQueue");
        waiting
            .iter()
            .any(|message| message.content.body.contains(r#""attempt":2"#))
    })
    .await;
    until("the first message is deleted", async || {
        stack.messages("NotificationQueue").len() == 1
    })
    .await;
    assert_others_have_it_once(&sink);
    stack.stop().await;
}

/// SQS delivers the record again, and only the notifier's memory prevents duplicates. Finally SQS itself
/// moves the record, because the notifier may not.
#[local_only("revokes permissions of functions")]
#[tokio::test]
async fn record_refused_by_both_queues_is_not_delivered_twice() {
    let sink = sink().await;
    let both = ["NotificationQueue", "NotificationDeadLetterQueue"];
    let stack = stack(&sink, &both).await;
    put(&stack).await;
    until("the record is a dead letter", async || {
        end_the_pause(&stack);
        !stack.messages("NotificationDeadLetterQueue").is_empty()
    })
    .await;
    // Three tries at each of eight receives.
    assert_eq!(sink.seen(&connection(3)).posts, 24);
    // Usually one, unless the record was received again before the first invocation had answered.
    let processes = stack.running().functions().unwrap();
    let processes = processes.started("NotifierFunction");
    assert!(processes < 8, "{processes}");
    for number in (0..SUBSCRIBERS).filter(|number| *number != 3) {
        let posts = sink.seen(&connection(number)).posts;
        assert!(posts <= processes, "{number}: {posts} of {processes}");
    }
    stack.stop_after_refusals().await;
}

/// Makes a released record visible at once.
fn end_the_pause(stack: &TestStack) {
    const LONGEST: Duration = Duration::from_secs(120);
    let clock = stack.running().queues().clock();
    let now = clock.now();
    for message in stack.messages("NotificationQueue") {
        if let MessageState::InFlight(until) = message.state
            && let Ok(left) = until.duration_since(now)
            && left <= LONGEST
        {
            clock.advance(left);
        }
    }
}

/// SQS accepts each message of a batch independently.
#[local_only("needs the local stack's faults")]
#[tokio::test]
async fn only_the_refused_messages_of_a_batch_are_sent_again() {
    const PUSHES: usize = 60;
    let stack = TestStack::start().await;
    let queues = stack.running().queues();
    queues.set_faults(sqs::Faults {
        failing_sends: 0.5,
        ..Default::default()
    });
    let event = json!({
        "id": "e-1", "detail-type": "Broadcast", "time": "2026-11-20T10:15:30Z",
        "detail": {"message": 1},
    });
    let push = Push::from_queue_body(&event.to_string()).unwrap();
    let mut left = vec![push; PUSHES];
    let client = aws_sdk_sqs::Client::new(stack.aws());
    let queue = NotificationQueue::new(client, &stack.addresses().queues["NotificationQueue"]);
    while let Err(error) = queue.enqueue(&left, Duration::ZERO).await {
        assert!(error.refused.len() < PUSHES, "{error:?}");
        left = error
            .refused
            .iter()
            .map(|index| left[*index].clone())
            .collect();
    }
    let queue = stack.queue("NotificationQueue");
    assert_eq!(queues.ever_sent(queue), PUSHES as u64);
    queues.set_faults(sqs::Faults::default());
    stack.stop().await;
}
