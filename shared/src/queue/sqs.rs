//! The queues in SQS.

mod each;
mod letter;

use std::{collections::BTreeSet, ops::Range, time::Duration};

use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{BatchResultErrorEntry, MessageAttributeValue, SendMessageBatchRequestEntry},
};

use self::letter::Letter;
use super::{DeadLetter, Enqueue, EnqueueError, EnqueueFlush, NotEnqueued, Release};
use crate::{aws_error::is_throttling, backoff::bound, presence::Flush, push::Push};

/// The maximum number of entries in one `SendMessageBatch`.
const BATCH: usize = 10;

/// The maximum size of a message with its attributes, and of all messages in a `SendMessageBatch`
/// together, in bytes.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const MESSAGE_BYTES: usize = 1024 * 1024;

/// The number of sends of a message before the error is returned.
const SENDS: u32 = 3;

/// The longest pause before the second send, which doubles before the third.
const PAUSE: Duration = Duration::from_millis(50);

/// The attribute of a dead letter with the reason it is one.
const REASON: &str = "Reason";

/// The notification queue in SQS.
#[derive(Clone, Debug)]
pub struct NotificationQueue {
    client: Client,
    url: String,
}

/// The dead-letter queue in SQS.
#[derive(Clone, Debug)]
pub struct DeadLetterQueue {
    client: Client,
    url: String,
}

/// Both queues of the notifier.
#[derive(Clone, Debug)]
pub struct NotifierQueues {
    /// The notification queue.
    pub notifications: NotificationQueue,
    /// Its dead-letter queue.
    pub dead_letters: DeadLetterQueue,
}

/// A message that SQS has not accepted yet.
struct Pending {
    /// The index of its push.
    index: usize,
    body: String,
}

/// The messages that SQS refused.
struct Refused {
    indices: BTreeSet<usize>,
    reason: EnqueueError,
}

impl NotificationQueue {
    /// Returns the queue at `url`.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self {
            client,
            url: url.into(),
        }
    }

    /// Sends all messages once, in as few batches as SQS allows.
    async fn send_once(&self, pending: &[Pending], delay: i32) -> Result<(), Refused> {
        let mut refused: Option<Refused> = None;
        for batch in batches(pending) {
            let batch: Vec<_> = pending[batch].iter().collect();
            let sent = self.send_batch(&batch, delay).await;
            match (&mut refused, sent) {
                (_, Ok(())) => {}
                (None, Err(first)) => refused = Some(first),
                (Some(refused), Err(other)) => refused.join(other),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    async fn send_flush(&self, body: &str, delay: Duration) -> Result<(), EnqueueError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .delay_seconds(seconds(delay))
            .send()
            .await
            .map(drop)
            .map_err(failed)
    }

    /// Sends up to ten messages. SQS accepts or refuses each independently.
    async fn send_batch(&self, batch: &[&Pending], delay: i32) -> Result<(), Refused> {
        let entries = batch.iter().map(|message| entry(message, delay));
        let sent = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect()))
            .send()
            .await;
        let all = || batch.iter().map(|message| message.index);
        match sent {
            Err(error) => Err(Refused {
                indices: all().collect(),
                reason: failed(error),
            }),
            Ok(answer) => answer
                .failed()
                .iter()
                .max_by_key(|entry| !entry.sender_fault())
                .map_or(Ok(()), |reason| {
                    let refused = |index: &usize| {
                        let id = index.to_string();
                        answer.failed().iter().any(|entry| entry.id() == id)
                    };
                    Err(Refused {
                        indices: all().filter(refused).collect(),
                        reason: entry_failed(reason),
                    })
                }),
        }
    }
}

impl Refused {
    /// Merges another refusal. The reason of the merged refusal is a transient one if there is any.
    fn join(&mut self, other: Self) {
        self.indices.extend(other.indices);
        if !self.reason.is_transient() {
            self.reason = other.reason;
        }
    }
}

impl Enqueue for NotificationQueue {
    /// Retries only the messages that SQS refused.
    async fn enqueue(&self, pushes: &[Push], delay: Duration) -> Result<(), NotEnqueued> {
        let delay = seconds(delay);
        let mut pending = pending(pushes);
        let mut sends = 0;
        while let Err(Refused { indices, reason }) = self.send_once(&pending, delay).await {
            sends += 1;
            if sends == SENDS || !reason.is_transient() {
                return Err(NotEnqueued {
                    refused: indices.into_iter().collect(),
                    source: reason,
                });
            }
            pending.retain(|message| indices.contains(&message.index));
            pause(sends).await;
        }
        Ok(())
    }
}

impl EnqueueFlush for NotificationQueue {
    async fn enqueue_flush(&self, flush: &Flush, delay: Duration) -> Result<(), EnqueueError> {
        let body = flush.to_queue_body();
        let mut sends = 0;
        while let Err(error) = self.send_flush(&body, delay).await {
            sends += 1;
            if sends == SENDS || !error.is_transient() {
                return Err(error);
            }
            pause(sends).await;
        }
        Ok(())
    }
}

impl Release for NotificationQueue {
    async fn release(&self, receipt_handle: &str, delay: Duration) -> Result<(), EnqueueError> {
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt_handle)
            .visibility_timeout(seconds(delay))
            .send()
            .await
            .map(drop)
            .map_err(failed)
    }
}

impl DeadLetterQueue {
    /// Returns the queue at `url`.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self {
            client,
            url: url.into(),
        }
    }

    async fn send_once(&self, letter: &Letter<'_>) -> Result<(), EnqueueError> {
        let reason = MessageAttributeValue::builder()
            .data_type(letter::DATA_TYPE)
            .string_value(&letter.reason)
            .build()
            .map_err(|error| EnqueueError::Refused(error.into()))?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(letter.body.as_ref())
            .message_attributes(REASON, reason)
            .send()
            .await
            .map(drop)
            .map_err(failed)
    }
}

impl DeadLetter for DeadLetterQueue {
    async fn dead_letter(&self, body: &str, reason: &str) -> Result<(), EnqueueError> {
        let letter = Letter::new(body, reason);
        let mut sends = 0;
        while let Err(error) = self.send_once(&letter).await {
            sends += 1;
            if sends == SENDS || !error.is_transient() {
                return Err(error);
            }
            pause(sends).await;
        }
        Ok(())
    }
}

impl Enqueue for NotifierQueues {
    async fn enqueue(&self, pushes: &[Push], delay: Duration) -> Result<(), NotEnqueued> {
        self.notifications.enqueue(pushes, delay).await
    }
}

impl EnqueueFlush for NotifierQueues {
    async fn enqueue_flush(&self, flush: &Flush, delay: Duration) -> Result<(), EnqueueError> {
        self.notifications.enqueue_flush(flush, delay).await
    }
}

impl Release for NotifierQueues {
    async fn release(&self, receipt_handle: &str, delay: Duration) -> Result<(), EnqueueError> {
        self.notifications.release(receipt_handle, delay).await
    }
}

impl DeadLetter for NotifierQueues {
    async fn dead_letter(&self, body: &str, reason: &str) -> Result<(), EnqueueError> {
        self.dead_letters.dead_letter(body, reason).await
    }
}

fn pending(pushes: &[Push]) -> Vec<Pending> {
    let bodies = pushes.iter().map(Push::to_queue_body).enumerate();
    bodies
        .map(|(index, body)| Pending { index, body })
        .collect()
}

/// Returns the messages in order, divided into batches that SQS accepts.
fn batches(messages: &[Pending]) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let start = next;
        let mut bytes = 0;
        let fitting = messages[start..]
            .iter()
            .take(BATCH)
            .take_while(|message| {
                bytes += message.body.len();
                bytes <= MESSAGE_BYTES
            })
            .count();
        // A message that is too large for a batch is sent alone. SQS refuses it if it exceeds the limit.
        next = (start + fitting.max(1)).min(messages.len());
        (start < next).then_some(start..next)
    })
}

fn entry(message: &Pending, delay: i32) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder()
        .id(message.index.to_string())
        .message_body(&message.body)
        .delay_seconds(delay)
        .build()
        .expect("the id and the body are set")
}

fn seconds(delay: Duration) -> i32 {
    i32::try_from(delay.as_secs()).unwrap_or(i32::MAX)
}

async fn pause(sends: u32) {
    let longest = bound(PAUSE, Duration::MAX, sends - 1);
    tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
}

fn entry_failed(entry: &BatchResultErrorEntry) -> EnqueueError {
    let reason = format!("{}: {}", entry.code(), entry.message().unwrap_or_default());
    if entry.sender_fault() {
        EnqueueError::Refused(reason.into())
    } else {
        EnqueueError::Failed(reason.into())
    }
}

fn failed<E>(error: SdkError<E>) -> EnqueueError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    if is_throttling(&error) {
        EnqueueError::Throttled(error.into())
    } else if matches!(status, Some(400..500)) {
        EnqueueError::Refused(error.into())
    } else {
        EnqueueError::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_has_at_most_ten_messages_and_its_maximum_size() {
        let sizes = |lengths: &[usize]| {
            let messages: Vec<_> = lengths
                .iter()
                .enumerate()
                .map(|(index, length)| Pending {
                    index,
                    body: "x".repeat(*length),
                })
                .collect();
            batches(&messages)
                .map(|batch| batch.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[]), [] as [usize; 0]);
        assert_eq!(sizes(&[1; 25]), [10, 10, 5]);
        let kib = 1024;
        assert_eq!(
            sizes(&[1000 * kib, 24 * kib, 1, 1200 * kib, 1]),
            [2, 1, 1, 1]
        );
    }
}
