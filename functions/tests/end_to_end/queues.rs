//! The notification queue and its dead-letter queue through calls of SQS, like an operator's.

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client as Sqs,
    types::{Message, MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry},
};

use crate::{harness::until, target::Addresses};

/// Both queues, by URL.
pub struct Queues {
    pub sqs: Sqs,
    pub notifications: String,
    pub dead_letters: String,
}

/// A dead letter on its queue.
#[derive(Debug)]
pub struct DeadLetter {
    pub body: String,
    pub reason: String,
    pub message_id: String,
}

impl Queues {
    pub fn new(aws: &SdkConfig, addresses: &Addresses) -> Self {
        Self {
            sqs: Sqs::new(aws),
            notifications: addresses.queues["NotificationQueue"].clone(),
            dead_letters: addresses.queues["NotificationDeadLetterQueue"].clone(),
        }
    }

    /// Puts up to ten texts on the notification queue, so that they can be received in one batch.
    pub async fn notify(&self, bodies: &[String]) {
        let entry = |(index, body): (usize, &String)| {
            SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(body)
                .build()
                .unwrap()
        };
        let sent = self
            .sqs
            .send_message_batch()
            .queue_url(&self.notifications)
            .set_entries(Some(bodies.iter().enumerate().map(entry).collect()))
            .send()
            .await
            .unwrap();
        assert_eq!(sent.failed(), []);
    }

    /// Waits for a dead letter and returns it without removing it.
    pub async fn next_dead_letter(&self) -> DeadLetter {
        let message = self.receive(0, 20).await.expect("a dead letter");
        let reason = &message.message_attributes().unwrap()["Reason"];
        DeadLetter {
            body: message.body().unwrap().to_owned(),
            reason: reason.string_value().unwrap().to_owned(),
            message_id: message.message_id().unwrap().to_owned(),
        }
    }

    /// Moves all dead letters back to the notification queue.
    pub async fn replay(&self) {
        self.sqs
            .start_message_move_task()
            .source_arn(self.arn(&self.dead_letters).await)
            .destination_arn(self.arn(&self.notifications).await)
            .send()
            .await
            .unwrap();
    }

    /// Puts a dead letter on the queue like the notifier.
    pub async fn put_dead_letter(&self, body: &str, reason: &str) {
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

    /// Waits until the notification queue is empty, and deletes the dead letters.
    pub async fn drain(&self) {
        self.until_idle().await;
        while let Some(message) = self.receive(30, 0).await {
            let delete = self.sqs.delete_message().queue_url(&self.dead_letters);
            let receipt = message.receipt_handle().unwrap();
            delete.receipt_handle(receipt).send().await.unwrap();
        }
    }

    /// Waits until the notification queue is empty.
    pub async fn until_idle(&self) {
        until("the notification queue is empty", async || {
            self.length(&self.notifications).await == 0
        })
        .await;
    }

    /// Returns the number of messages on a queue, received ones included.
    pub async fn length(&self, url: &str) -> usize {
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

    pub async fn arn(&self, url: &str) -> String {
        self.attribute(url, QueueAttributeName::QueueArn).await
    }

    /// Receives one dead letter, hidden from others for a while.
    async fn receive(&self, hidden_seconds: i32, wait_seconds: i32) -> Option<Message> {
        let receive = self
            .sqs
            .receive_message()
            .queue_url(&self.dead_letters)
            .message_attribute_names("All")
            .visibility_timeout(hidden_seconds)
            .wait_time_seconds(wait_seconds);
        receive.send().await.unwrap().messages?.pop()
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
