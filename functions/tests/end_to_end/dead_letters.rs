//! The dead-letter queue, looked at and replayed as an operator does it: with calls of SQS.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::{
    Client as Sqs,
    config::{Credentials, SharedCredentialsProvider},
    types::{MessageAttributeValue, QueueAttributeName},
};
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
    let queues = Queues::of(&stack);
    stack.send_to_queue(&["no push".to_owned()]).await;
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
    let queues = Queues::of(&stack);
    let mut client = stack.client().await;
    let rows = stack.rows().await;
    let (connection, _) = rows[0].trim_start_matches("C#").split_once(' ').unwrap();
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
    let queues = Queues::of(&stack);
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
                token_expires_at: None,
            }],
            attempt: 1,
        },
        except: None,
        frame: RawValue::from_string(late().to_string()).unwrap(),
        then_disconnect: false,
    }
}

/// The notification queue and its dead-letter queue, by URL.
struct Queues {
    sqs: Sqs,
    notifications: String,
    dead_letters: String,
}

#[derive(Debug)]
struct DeadLetter {
    body: String,
    reason: String,
    message_id: String,
}

impl Queues {
    fn of(stack: &TestStack) -> Self {
        let addresses = stack.running().addresses();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .endpoint_url(&addresses.endpoint)
            .build();
        Self {
            sqs: Sqs::new(&config),
            notifications: addresses.queues["NotificationQueue"].clone(),
            dead_letters: addresses.queues["NotificationDeadLetterQueue"].clone(),
        }
    }

    /// Looks at a dead letter and leaves it where it is; waits until there is one.
    async fn next_dead_letter(&self) -> DeadLetter {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.dead_letters)
            .message_attribute_names("All")
            .visibility_timeout(0)
            .wait_time_seconds(20)
            .send()
            .await
            .unwrap();
        let message = received.messages().first().expect("a dead letter");
        let reason = &message.message_attributes().unwrap()["Reason"];
        DeadLetter {
            body: message.body().unwrap().to_owned(),
            reason: reason.string_value().unwrap().to_owned(),
            message_id: message.message_id().unwrap().to_owned(),
        }
    }

    /// Moves all dead letters back onto the notification queue.
    async fn replay(&self) {
        self.sqs
            .start_message_move_task()
            .source_arn(self.arn(&self.dead_letters).await)
            .destination_arn(self.arn(&self.notifications).await)
            .send()
            .await
            .unwrap();
    }

    /// Puts a dead letter there as the notifier does.
    async fn bury(&self, body: &str, reason: &str) {
        let reason = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(reason)
            .build()
            .unwrap();
        self.sqs
            .send_message()
            .queue_url(&self.dead_letters)
            .message_body(body)
            .message_attributes("Reason", reason)
            .send()
            .await
            .unwrap();
    }

    async fn arn(&self, url: &str) -> String {
        self.attribute(url, QueueAttributeName::QueueArn).await
    }

    /// How many messages a queue holds, received ones included.
    async fn length(&self, url: &str) -> usize {
        let mut length = 0;
        for state in [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ] {
            let count = self.attribute(url, state).await;
            length += count.parse::<usize>().unwrap();
        }
        length
    }

    async fn attribute(&self, url: &str, name: QueueAttributeName) -> String {
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(name.clone())
            .send()
            .await
            .unwrap();
        answer.attributes().unwrap()[&name].clone()
    }
}
