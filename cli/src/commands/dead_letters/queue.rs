//! A dead-letter queue on SQS: reading without removing messages, and moving them to another queue.

use std::collections::HashSet;

use anyhow::anyhow;
use aws_sdk_sqs::{
    Client,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
    },
};

use super::{QueueName, letter::DeadLetter};
use crate::failure::{Failure, aws_failure};

/// The largest number of messages in one call.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>
const BATCH: usize = 10;

/// The visibility timeout of received messages, in seconds.
const VISIBILITY_TIMEOUT: i32 = 60;

/// The time that a call waits for messages, in seconds. Without waiting, SQS asks only some of its servers and may miss
/// messages.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>
const WAIT_TIME: i32 = 1;

/// A dead-letter queue.
pub(super) struct Queue {
    pub(super) client: Client,
    pub(super) name: QueueName,
    url: String,
}

impl Queue {
    pub(super) fn new(client: Client, name: QueueName, url: &str) -> Self {
        Self {
            client,
            name,
            url: url.to_owned(),
        }
    }

    /// Returns at most `limit` messages, and makes them visible again.
    pub(super) async fn peek(&self, limit: usize) -> Result<Vec<DeadLetter>, Failure> {
        let mut letters = Vec::new();
        let received = self
            .receive_all(async |letter| {
                letters.push(letter);
                Ok(letters.len() < limit)
            })
            .await;
        self.release(&letters).await?;
        received.map(|()| letters)
    }

    /// Returns the messages with these ids, which stay hidden. Makes all others visible again.
    pub(super) async fn receive_ids(
        &self,
        ids: &HashSet<&str>,
    ) -> Result<Vec<DeadLetter>, Failure> {
        let (mut found, mut others) = (Vec::new(), Vec::new());
        let received = self
            .receive_all(async |letter: DeadLetter| {
                if ids.contains(letter.id.as_str()) {
                    found.push(letter);
                } else {
                    others.push(letter);
                }
                Ok(found.len() < ids.len())
            })
            .await;
        if received.is_err() {
            others.append(&mut found);
        }
        self.release(&others).await?;
        received.map(|()| found)
    }

    /// Receives each message once and calls `visit`, until the queue is empty or `visit` returns `false`. Visited messages
    /// stay hidden.
    pub(super) async fn receive_all(
        &self,
        mut visit: impl AsyncFnMut(DeadLetter) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let mut seen = HashSet::new();
        loop {
            let received = self.receive().await?;
            // Messages come back when their visibility timeout ends: all others have been seen by then.
            if received.iter().all(|letter| seen.contains(&letter.id)) {
                return Ok(());
            }
            let mut is_done = false;
            let mut surplus = Vec::new();
            for letter in received {
                if is_done {
                    surplus.push(letter);
                } else if seen.insert(letter.id.clone()) {
                    is_done = !visit(letter).await?;
                }
            }
            self.release(&surplus).await?;
            if is_done {
                return Ok(());
            }
        }
    }

    /// Makes messages visible again.
    pub(super) async fn release(&self, letters: &[DeadLetter]) -> Result<(), Failure> {
        for batch in letters.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(index, letter)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(&letter.receipt)
                    .visibility_timeout(0)
                    .build()
            });
            // Entries that fail become visible when their visibility timeout ends.
            self.client
                .change_message_visibility_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries.collect::<Result<_, _>>()?))
                .send()
                .await
                .map_err(|error| {
                    aws_failure(
                        format!(
                            "cannot make messages visible again before {VISIBILITY_TIMEOUT} s pass"
                        ),
                        error,
                    )
                })?;
        }
        Ok(())
    }

    /// Sends a message's body to another queue, and then deletes it here. If the deletion fails, the message exists twice,
    /// and clients drop the repeat.
    pub(super) async fn resend(
        &self,
        letter: &DeadLetter,
        destination: &str,
    ) -> Result<(), Failure> {
        let id = &letter.id;
        self.client
            .send_message()
            .queue_url(destination)
            .message_body(&letter.body)
            .send()
            .await
            .map_err(|error| aws_failure(format!("cannot replay {id}"), error))?;
        self.client
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(&letter.receipt)
            .send()
            .await
            .map_err(|error| aws_failure(format!("replayed {id}, but cannot delete it"), error))?;
        Ok(())
    }

    /// Returns the queue's ARN.
    pub(super) async fn arn(&self) -> Result<String, Failure> {
        arn(&self.client, &self.url).await
    }

    async fn receive(&self) -> Result<Vec<DeadLetter>, Failure> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(BATCH as i32)
            .visibility_timeout(VISIBILITY_TIMEOUT)
            .wait_time_seconds(WAIT_TIME)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(|error| {
                let name = self.name.as_str();
                aws_failure(format!("cannot read the dead-letter queue {name}"), error)
            })?;
        let messages = received.messages.unwrap_or_default().into_iter();
        Ok(messages
            .filter_map(|message| DeadLetter::new(self.name, message))
            .collect())
    }
}

/// Returns the ARN of the queue at `url`.
pub(super) async fn arn(client: &Client, url: &str) -> Result<String, Failure> {
    let asked = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .map_err(|error| aws_failure(format!("cannot look up the ARN of {url}"), error))?;
    let attributes = asked.attributes.unwrap_or_default();
    let arn = attributes.get(&QueueAttributeName::QueueArn).cloned();
    Ok(arn.ok_or_else(|| anyhow!("SQS responded without the ARN of {url}"))?)
}
