//! The dead-letter queue, inspected and replayed with calls of SQS, as an operator does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use herald_local::gateway;
use herald_shared::{
    audience::{ALL_SLOTS, Audience, Recipient},
    ids::ConnectionId,
    push::{Push, Recipients},
    store::seed::RowKey,
    token_expiry::TokenExpiry,
};
use herald_testkit::local_only;
use serde_json::{Value, json, value::RawValue};

use crate::{
    ending::store_end_of_token,
    harness::{EVERYTHING, TestStack, until},
};

/// A replayed message that is not a push becomes a dead letter with the same reason again.
#[tokio::test]
async fn replayed_poison_is_a_dead_letter_again() {
    let stack = TestStack::start().await;
    let queues = stack.notifications();
    queues.notify(&["no push".to_owned()]).await;
    let first = queues.next_dead_letter().await;
    assert_eq!(first.body, "no push");
    assert!(
        first.reason.starts_with("the record is not a push"),
        "{first:?}"
    );

    queues.replay().await;
    let second = queues.next_dead_letter().await;
    assert_ne!(second.message_id, first.message_id);
    assert_eq!((second.body, second.reason), (first.body, first.reason));
    stack.stop().await;
}

#[tokio::test]
async fn event_nested_too_deeply_is_a_dead_letter_with_the_reason() {
    let stack = TestStack::start().await;
    let queues = stack.notifications();
    let message = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let event = format!(
        r#"{{"id":"e-1","detail-type":"Broadcast","time":"now","detail":{{"message":{message}}}}}"#
    );
    queues.notify(&[event]).await;
    let letter = queues.next_dead_letter().await;
    assert_eq!(
        letter.reason,
        "the record is not a push: message has more than 100 levels of arrays and objects: flatten it, or send it \
         as a string"
    );
    stack.stop().await;
}

#[tokio::test]
async fn replayed_push_is_delivered() {
    let stack = TestStack::start().await;
    let queues = stack.notifications();
    let mut client = stack.client().await;
    let connection = only_connection(&stack).await;
    let dead_letter = push_for(&connection, None).to_queue_body();
    queues
        .put_dead_letter(&dead_letter, "not reached in 6 attempts")
        .await;

    queues.replay().await;
    let frame = client.frame().await;
    assert_eq!(frame, late());
    until("both queues are empty", async || {
        queues.length(&queues.notifications).await == 0
            && queues.length(&queues.dead_letters).await == 0
    })
    .await;
    stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn replayed_dead_letter_does_not_close_a_connection_with_a_valid_token() {
    let stack = TestStack::start_with_users().await;
    let queues = stack.notifications();
    let mut client = stack.client_of("ann").await;
    let connection = only_connection(&stack).await;
    let ended = Some(TokenExpiry::from_epoch_seconds(1));
    let dead_letter = push_for(&connection, ended).to_queue_body();
    queues
        .put_dead_letter(&dead_letter, "not reached in 6 attempts")
        .await;

    queues.replay().await;
    assert_eq!(client.frame().await, late());
    assert_eq!(client.ask(json!({"action": "ping"})).await["type"], "pong");
    stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn retry_after_renewal_delivers_the_push_and_keeps_the_connection() {
    let stack = TestStack::start_with_users().await;
    let mut client = stack.client_of("ann").await;
    client.subscribe("order:1").await;
    // Valid for the first attempt, and not for the second.
    let good_until = SystemTime::now() + Duration::from_secs(8) - TokenExpiry::LEEWAY;
    let good_until = good_until.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expiry = TokenExpiry::from_epoch_seconds(good_until);
    store_end_of_token(&stack, "ann", expiry).await;
    let gateway = stack.running().gateway();
    gateway.set_faults(gateway::Faults {
        failing: 1.0,
        ..Default::default()
    });
    let detail = json!({"entityId": "order:1", "message": "shipped"});
    stack.put_event("Entity Updated", detail).await;
    until("the retry waits", async || {
        let waiting = stack.messages("NotificationQueue");
        waiting
            .iter()
            .any(|message| message.content.body.contains(r#""attempt":2"#))
    })
    .await;
    let authenticate = json!({"action": "authenticate", "token": stack.token("ann", EVERYTHING)});
    assert_eq!(client.ask(authenticate).await["type"], "ack");
    until("the first token has ended", async || {
        expiry.has_passed(SystemTime::now())
    })
    .await;

    gateway.set_faults(Default::default());
    let clock = stack.running().queues().clock();
    clock.advance(Duration::from_secs(10));
    assert_eq!(client.frame().await["message"], "shipped");
    assert_eq!(client.ask(json!({"action": "ping"})).await["type"], "pong");
    stack.stop().await;
}

/// Body and reason together exceed the limit of SQS.
#[tokio::test]
async fn record_of_the_maximum_size_is_a_dead_letter_with_its_reason() {
    const LARGEST: usize = 1024 * 1024;
    let stack = TestStack::start().await;
    let queues = stack.notifications();
    queues.notify(&["x".repeat(LARGEST)]).await;
    let dead_letter = queues.next_dead_letter().await;
    assert!(
        dead_letter.reason.starts_with("the record is not a push"),
        "{}",
        dead_letter.reason
    );
    let body: Value = serde_json::from_str(&dead_letter.body).unwrap();
    assert_eq!(body["reduced"]["bytes"], LARGEST);
    stack.stop().await;
}

/// SQS knows no source queue of a message that the notifier sent to the dead-letter queue. Without a
/// destination it stays there.
#[tokio::test]
async fn replay_without_a_destination_fails() {
    let stack = TestStack::start().await;
    let queues = stack.notifications();
    queues.put_dead_letter("no push", "by hand").await;
    let source = queues.arn(&queues.dead_letters).await;
    queues
        .sqs
        .start_message_move_task()
        .source_arn(&source)
        .send()
        .await
        .unwrap();
    let tasks = queues
        .sqs
        .list_message_move_tasks()
        .source_arn(&source)
        .send()
        .await
        .unwrap();
    let task = &tasks.results()[0];
    assert_eq!(task.status(), Some("FAILED"));
    assert_eq!(
        task.failure_reason(),
        Some("CouldNotDetermineMessageSource")
    );
    assert_eq!(queues.length(&queues.dead_letters).await, 1);
    stack.stop().await;
}

fn late() -> Value {
    json!({
        "type": "Broadcast",
        "message": "late",
        "eventId": "e-1",
        "time": "2026-11-20T10:15:30Z",
    })
}

async fn only_connection(stack: &TestStack) -> String {
    let rows = stack.rows().await;
    let mut connections = rows.iter().filter_map(|row| match row {
        RowKey::Connection(connection) => Some(connection.to_string()),
        _ => None,
    });
    connections.next().unwrap()
}

fn push_for(connection: &str, token_expires_at: Option<TokenExpiry>) -> Push {
    Push {
        event_id: "e-1".to_owned(),
        time: "2026-11-20T10:15:30Z".to_owned(),
        recipients: Recipients::Connections {
            audience: Audience::Everyone,
            connections: vec![Recipient {
                connection: ConnectionId::new(connection).unwrap(),
                connected_at: std::time::UNIX_EPOCH,
                token_expires_at,
            }],
            slots: ALL_SLOTS,
            attempt: 1,
            rounds: 0,
        },
        except: None,
        frame: RawValue::from_string(late().to_string()).unwrap(),
        position: None,
        version: None,
        to_watchers: false,
        then_disconnect: false,
    }
}
