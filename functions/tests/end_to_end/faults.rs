//! What goes wrong on purpose, and that the stack comes through it.

use std::{collections::BTreeSet, time::Duration};

use herald_local::{faults::Faults, gateway, sqs};
use serde_json::json;

use crate::harness::{TestStack, until};

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "moves the local table's clock")]
async fn rows_expire_when_their_time_has_come() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client.subscribe("order-1").await;
    let rows = |hours: u64| {
        stack
            .running()
            .dynamodb()
            .expire(Duration::from_secs(hours * 3600))
    };
    assert_eq!(rows(2).unwrap(), 0);
    assert_eq!(rows(3).unwrap(), 2);
    assert!(stack.rows().await.is_empty());
    // A connection that is not known any more cannot subscribe.
    let refused = client
        .ask(json!({"action": "subscribe", "entityId": "order-2"}))
        .await;
    assert_eq!(refused["code"], "unknown_connection");
    assert!(stack.rows().await.is_empty());
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "needs the local stack's faults")]
async fn killed_notifiers_failing_posts_and_duplicates_lose_nothing() {
    let stack = TestStack::start_with_faults(Faults {
        gateway: gateway::Faults {
            failing: 0.3,
            post_delay: Duration::from_millis(5),
            ..Default::default()
        },
        queues: sqs::Faults {
            duplicates: 0.3,
            shuffle: true,
            ..Default::default()
        },
        killed: 0.3,
        ..Faults::default()
    })
    .await;
    let mut client = stack.client().await;
    client.subscribe("order-1").await;
    for number in 0..20 {
        let key = event_id(number);
        let detail = json!({"entityId": "order-1", "message": number, "idempotencyKey": key});
        stack.put_event("Entity Updated", detail).await;
    }
    // A killed notifier's messages come back after their visibility timeout, failed posts sooner.
    until("nothing is left to do", async || {
        stack
            .running()
            .queues()
            .clock()
            .advance(Duration::from_secs(30));
        stack.messages("NotificationQueue").is_empty()
    })
    .await;
    client.send_text(r#"{"action":"ping"}"#).await;
    let mut accounted_for = BTreeSet::new();
    loop {
        let push = client.frame().await;
        match push["eventId"].as_str() {
            // A repeat has an id that was seen.
            Some(event_id) => accounted_for.insert(event_id.to_owned()),
            None => break assert_eq!(push["type"], "pong"),
        };
    }
    for dead_letter in stack.messages("NotificationDeadLetterQueue") {
        let body = &dead_letter.content.body;
        let named = (0..20)
            .map(event_id)
            .filter(|id| body.contains(&format!("\"{id}\"")));
        accounted_for.extend(named);
    }
    assert_eq!(accounted_for, (0..20).map(event_id).collect());
    stack.stop().await;
}

fn event_id(number: usize) -> String {
    format!("e-{number}")
}
