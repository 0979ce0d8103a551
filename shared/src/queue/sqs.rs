//! The queues on SQS.

mod each;

use std::time::Duration;

use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, SendMessageBatchRequestEntry},
};

use super::{DeadLetter, Enqueue, EnqueueError};
use crate::{aws_error::is_throttling, push::Push};

/// The most entries of one `SendMessageBatch`.
const BATCH: usize = 10;

/// The most bytes of one `SendMessageBatch`, below what SQS took before it took 1 MiB.
const BATCH_BYTES: usize = 256 * 1024;

/// How often the entries of a batch that SQS did not take are sent again.
const ATTEMPTS: usize = 3;

/// The attribute of a dead letter that says why it is one.
const REASON: &str = "Reason";

/// The notification queue on SQS.
#[derive(Clone, Debug)]
pub struct NotificationQueue {
    client: Client,
    url: String,
}

/// The dead-letter queue on SQS.
#[derive(Clone, Debug)]
pub struct DeadLetterQueue {
    client: Client,
    url: String,
}

/// Both queues, as the notifier needs them.
#[derive(Clone, Debug)]
pub struct NotifierQueues {
    /// The notification queue.
    pub notifications: NotificationQueue,
    /// Its dead-letter queue.
    pub dead_letters: DeadLetterQueue,
}

impl NotificationQueue {
    /// The queue at `url`.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self {
            client,
            url: url.into(),
        }
    }

    /// Sends up to ten messages. SQS takes or refuses each for itself, so only those refused are sent
    /// again.
    async fn send(&self, bodies: &[String], delay: i32) -> Result<(), EnqueueError> {
        let mut entries = bodies
            .iter()
            .enumerate()
            .map(|(index, body)| entry(index, body, delay))
            .collect::<Result<Vec<_>, _>>()?;
        let mut refusal = String::new();
        for _ in 0..ATTEMPTS {
            let answer = self
                .client
                .send_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries.clone()))
                .send()
                .await
                .map_err(failed)?;
            let Some(first) = answer.failed().first() else {
                return Ok(());
            };
            refusal = format!("{}: {}", first.code(), first.message().unwrap_or_default());
            entries.retain(|entry| {
                answer
                    .failed()
                    .iter()
                    .any(|failed| failed.id() == entry.id())
            });
        }
        Err(EnqueueError::Failed(refusal.into()))
    }
}

impl Enqueue for NotificationQueue {
    async fn enqueue(&self, pushes: &[Push], delay: Duration) -> Result<(), EnqueueError> {
        let delay = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        let bodies: Vec<_> = pushes.iter().map(Push::to_queue_body).collect();
        for batch in batches(&bodies) {
            self.send(batch, delay).await?;
        }
        Ok(())
    }
}

impl DeadLetterQueue {
    /// The queue at `url`.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self {
            client,
            url: url.into(),
        }
    }
}

impl DeadLetter for DeadLetterQueue {
    async fn dead_letter(&self, body: &str, reason: &str) -> Result<(), EnqueueError> {
        let attribute = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(attribute_text(reason))
            .build()
            .map_err(|error| EnqueueError::Failed(error.into()))?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .message_attributes(REASON, attribute)
            .send()
            .await
            .map(drop)
            .map_err(failed)
    }
}

impl Enqueue for NotifierQueues {
    async fn enqueue(&self, pushes: &[Push], delay: Duration) -> Result<(), EnqueueError> {
        self.notifications.enqueue(pushes, delay).await
    }
}

impl DeadLetter for NotifierQueues {
    async fn dead_letter(&self, body: &str, reason: &str) -> Result<(), EnqueueError> {
        self.dead_letters.dead_letter(body, reason).await
    }
}

/// A reason as SQS takes it, and short, for it may quote what was sent.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn attribute_text(reason: &str) -> String {
    let refused =
        |character: char| character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}');
    reason.replace(refused, " ").chars().take(1000).collect()
}

/// The bodies in order, as many to a batch as SQS takes at once.
fn batches(mut bodies: &[String]) -> impl Iterator<Item = &[String]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = bodies
            .iter()
            .take(BATCH)
            .take_while(|body| {
                bytes += body.len();
                bytes <= BATCH_BYTES
            })
            .count();
        // A message that is too large for a batch goes alone: SQS says so if it takes none such.
        let (batch, rest) = bodies.split_at(fitting.max(1).min(bodies.len()));
        bodies = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

fn entry(
    index: usize,
    body: &str,
    delay: i32,
) -> Result<SendMessageBatchRequestEntry, EnqueueError> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(body)
        .delay_seconds(delay)
        .build()
        .map_err(|error| EnqueueError::Failed(error.into()))
}

fn failed<E>(error: aws_sdk_sqs::error::SdkError<E>) -> EnqueueError
where
    E: aws_sdk_sqs::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    if is_throttling(&error) {
        EnqueueError::Throttled(error.into())
    } else {
        EnqueueError::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_holds_nothing_that_sqs_refuses() {
        assert_eq!(
            attribute_text("unknown field `\u{0}\n\u{85}\u{fffe}\u{ffff}é🎉`"),
            "unknown field `     é🎉`"
        );
        assert_eq!(attribute_text(&"é".repeat(1001)), "é".repeat(1000));
    }

    #[test]
    fn a_batch_keeps_to_ten_messages_and_to_its_size() {
        let sizes = |lengths: &[usize]| {
            let bodies: Vec<_> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            batches(&bodies).map(<[_]>::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[]), [] as [usize; 0]);
        assert_eq!(sizes(&[1; 25]), [10, 10, 5]);
        let kib = 1024;
        assert_eq!(sizes(&[200 * kib, 56 * kib, 1, 300 * kib, 1]), [2, 1, 1, 1]);
    }
}
