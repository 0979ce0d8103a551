//! A dead-letter queue on SQS: looking into it without losing anything, and what a replay needs.

use std::collections::HashSet;

use anyhow::anyhow;
use aws_sdk_sqs::{
    Client,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
    },
};

use super::{Name, letter::Letter};
use crate::{failure::Failure, target::aws_failure};

/// The most messages of one call.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>
const BATCH: usize = 10;

/// How long messages that are looked at are hidden, in seconds, if they are not made visible before.
const HIDDEN_FOR: i32 = 60;

/// How long a call waits for messages, in seconds. Without waiting SQS asks only some of its servers, and may
/// answer that there is nothing when there is.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>
const WAIT_FOR: i32 = 1;

/// A dead-letter queue.
pub(super) struct Queue {
    pub(super) client: Client,
    pub(super) name: Name,
    url: String,
}

impl Queue {
    pub(super) fn new(client: Client, name: Name, url: &str) -> Self {
        Self {
            client,
            name,
            url: url.to_owned(),
        }
    }

    /// The messages of the queue, up to so many. They are visible again afterwards.
    pub(super) async fn look(&self, limit: usize) -> Result<Vec<Letter>, Failure> {
        let mut letters = Vec::new();
        let looked = self
            .receive_all(async |letter| {
                letters.push(letter);
                Ok(letters.len() < limit)
            })
            .await;
        self.release(&letters).await?;
        looked.map(|()| letters)
    }

    /// The messages with these ids. All others are visible again afterwards; those that were found are not.
    pub(super) async fn take(&self, ids: &HashSet<&str>) -> Result<Vec<Letter>, Failure> {
        let (mut found, mut others) = (Vec::new(), Vec::new());
        let looked = self
            .receive_all(async |letter: Letter| {
                if ids.contains(letter.id.as_str()) {
                    found.push(letter);
                } else {
                    others.push(letter);
                }
                Ok(found.len() < ids.len())
            })
            .await;
        if looked.is_err() {
            others.append(&mut found);
        }
        self.release(&others).await?;
        looked.map(|()| found)
    }

    /// Receives each message once and hands it on, until there are no more or `visit` says that it is enough.
    /// What was handed on stays hidden.
    pub(super) async fn receive_all(
        &self,
        mut visit: impl AsyncFnMut(Letter) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let mut seen = HashSet::new();
        loop {
            let received = self.receive().await?;
            // The same again: it was hidden for so long that it came back. All others have been seen.
            if received.iter().all(|letter| seen.contains(&letter.id)) {
                return Ok(());
            }
            let mut is_enough = false;
            let mut too_many = Vec::new();
            for letter in received {
                if is_enough {
                    too_many.push(letter);
                } else if seen.insert(letter.id.clone()) {
                    is_enough = !visit(letter).await?;
                }
            }
            self.release(&too_many).await?;
            if is_enough {
                return Ok(());
            }
        }
    }

    /// Makes messages visible at once.
    pub(super) async fn release(&self, letters: &[Letter]) -> Result<(), Failure> {
        for batch in letters.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(index, letter)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(&letter.receipt)
                    .visibility_timeout(0)
                    .build()
            });
            // Whatever is not made visible now is by itself, a minute later.
            self.client
                .change_message_visibility_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries.collect::<Result<_, _>>()?))
                .send()
                .await
                .map_err(|error| {
                    aws_failure(
                        "messages that were looked at are hidden for a minute",
                        error,
                    )
                })?;
        }
        Ok(())
    }

    /// Sends a message's body to another queue, and then deletes it here: if the deletion fails it is there
    /// twice, and clients drop the repeat.
    pub(super) async fn resend(&self, letter: &Letter, destination: &str) -> Result<(), Failure> {
        let id = &letter.id;
        self.client
            .send_message()
            .queue_url(destination)
            .message_body(&letter.body)
            .send()
            .await
            .map_err(|error| aws_failure(format!("{id} cannot be sent again"), error))?;
        self.client
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(&letter.receipt)
            .send()
            .await
            .map_err(|error| {
                aws_failure(format!("{id} is sent again, but cannot be deleted"), error)
            })?;
        Ok(())
    }

    /// The queue's ARN.
    pub(super) async fn arn(&self) -> Result<String, Failure> {
        arn(&self.client, &self.url).await
    }

    async fn receive(&self) -> Result<Vec<Letter>, Failure> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(BATCH as i32)
            .visibility_timeout(HIDDEN_FOR)
            .wait_time_seconds(WAIT_FOR)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(|error| {
                let name = self.name.as_str();
                aws_failure(
                    format!("the dead-letter queue {name} cannot be read"),
                    error,
                )
            })?;
        let messages = received.messages.unwrap_or_default().into_iter();
        Ok(messages
            .filter_map(|message| Letter::new(self.name, message))
            .collect())
    }
}

/// The ARN of the queue at `url`.
pub(super) async fn arn(client: &Client, url: &str) -> Result<String, Failure> {
    let asked = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .map_err(|error| aws_failure(format!("{url} cannot be asked for its ARN"), error))?;
    let attributes = asked.attributes.unwrap_or_default();
    let arn = attributes.get(&QueueAttributeName::QueueArn).cloned();
    Ok(arn.ok_or_else(|| anyhow!("SQS does not say the ARN of {url}"))?)
}
