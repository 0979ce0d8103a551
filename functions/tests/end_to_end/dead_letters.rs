//! The dead-letter queue, looked at and replayed as an operator does it: with calls of SQS.

use herald_shared::{
    audience::Recipient,
    ids::ConnectionId,
    push::{Push, Recipients},
};
use serde_json::{Value, json, value::RawValue};

use crate::harness::{TestStack, until};

/// Nothing heals a record that is no push: replayed, it comes back with the same reason.
#[tokio::test]
async fn poison_that_is_replayed_is_a_dead_letter_again() {
    let stack = TestStack::start().await;
    let queues = stack.notifications();
    queues.notify(&["no push".to_owned()]).await;
    let first = queues.next_dead_letter().await;
    assert_eq!(first.body, "no push");
    assert!(
        first.reason.starts_with("the record is no push"),
        "{first:?}"
    );

    queues.replay().await;
    let second = queues.next_dead_letter().await;
    assert_ne!(second.message_id, first.message_id);
    assert_eq!((second.body, second.reason), (first.body, first.reason));
    stack.stop().await;
}

#[tokio::test]
async fn a_push_that_could_not_be_delivered_is_after_its_replay() {
    let stack = TestStack::start().await;
    let queues = stack.notifications();
    let mut client = stack.client().await;
    let rows = stack.rows().await;
    let own = rows.iter().find_map(|row| row.strip_prefix("C#"));
    let (connection, _) = own.unwrap().split_once(' ').unwrap();
    let dead_letter = push_for(connection).to_queue_body();
    queues.bury(&dead_letter, "not reached in 6 attempts").await;

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

/// What the notifier sends to the dead-letter queue itself came from no other queue, as far as SQS
/// knows. Without a destination it stays.
#[tokio::test]
async fn a_replay_without_a_destination_moves_nothing_and_says_so() {
    let stack = TestStack::start().await;
    let queues = stack.notifications();
    queues.bury("no push", "by hand").await;
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

fn push_for(connection: &str) -> Push {
    Push {
        event_id: "e-1".to_owned(),
        time: "2026-11-20T10:15:30Z".to_owned(),
        recipients: Recipients::Connections {
            connections: vec![Recipient {
                connection: ConnectionId::new(connection).unwrap(),
                connected_at: std::time::UNIX_EPOCH,
                token_expires_at: None,
            }],
            attempt: 1,
        },
        except: None,
        frame: RawValue::from_string(late().to_string()).unwrap(),
        then_disconnect: false,
    }
}
