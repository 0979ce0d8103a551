//! Queues that do not take what the notifier puts back.

use std::time::Duration;

use herald_local::{
    iam::Revoked,
    sqs::{self, MessageState},
};
use herald_shared::{
    push::Push,
    queue::{Enqueue, NotificationQueue},
};
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

/// A sink in which one of the connections is throttled for ever.
async fn sink() -> Sink {
    Sink::start(|connection, _| if connection == "c-3" { 429 } else { 200 }).await
}

/// A stack with the subscribers, whose notifier may not send to these queues.
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

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "takes rights away from functions")]
async fn queue_that_refuses_the_put_back_leaves_a_dead_letter_of_the_rest_with_the_reason() {
    let sink = sink().await;
    let stack = stack(&sink, &["NotificationQueue"]).await;
    put(&stack).await;
    let dead_letter = stack.notifications().next_dead_letter().await;
    let expected = "could not be put back on the queue: the queue refused the request";
    assert!(dead_letter.reason.starts_with(expected), "{dead_letter:?}");
    assert!(dead_letter.body.contains(r#""connections":[["c-3","#));
    stack.notifications().until_idle().await;
    assert_others_have_it_once(&sink);
    assert_eq!(stack.messages("NotificationDeadLetterQueue").len(), 1);
    stack.stop_after_refusals().await;
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "needs the local stack's faults")]
async fn queue_that_fails_for_a_while_takes_the_put_back_later() {
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
    until("the first message is dealt with", async || {
        stack.messages("NotificationQueue").len() == 1
    })
    .await;
    assert_others_have_it_once(&sink);
    stack.stop().await;
}

/// SQS brings the record again, and it is the notifier's memory that keeps repeats from the others. At
/// last SQS itself moves the record, for the notifier may not.
#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "takes rights away from functions")]
async fn record_that_neither_queue_takes_is_not_delivered_to_the_others_again() {
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
    // Nearly always one, unless it was received again before the first had answered.
    let processes = stack.running().functions().unwrap();
    let processes = processes.started("NotifierFunction");
    assert!(processes < 8, "{processes}");
    for number in (0..SUBSCRIBERS).filter(|number| *number != 3) {
        let posts = sink.seen(&connection(number)).posts;
        assert!(posts <= processes, "{number}: {posts} of {processes}");
    }
    stack.stop_after_refusals().await;
}

/// Lets a record that was given back come again at once.
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

/// SQS takes each message of a batch for itself.
#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "needs the local stack's faults")]
async fn batch_that_is_taken_in_part_is_sent_again_only_for_the_rest() {
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
