//! The notification queue on SQS.

use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry};

use super::{Enqueue, EnqueueError};
use crate::{aws_error::is_throttling, push::Push};

/// The most entries of one `SendMessageBatch`.
const BATCH: usize = 10;

/// How often the entries of a batch that SQS did not take are sent again.
const ATTEMPTS: usize = 3;

/// The notification queue on SQS.
#[derive(Clone, Debug)]
pub struct NotificationQueue {
    client: Client,
    url: String,
}

impl NotificationQueue {
    /// The queue at `url`.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self {
            client,
            url: url.into(),
        }
    }

    async fn send(&self, push: &Push) -> Result<(), EnqueueError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(push.to_queue_body())
            .send()
            .await
            .map(drop)
            .map_err(failed)
    }

    /// Sends up to ten pushes. SQS takes or refuses each for itself, so only those refused are sent
    /// again.
    async fn send_batch(&self, pushes: &[Push]) -> Result<(), EnqueueError> {
        let mut entries = pushes
            .iter()
            .enumerate()
            .map(|(index, push)| entry(index, push))
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
    async fn enqueue(&self, pushes: &[Push]) -> Result<(), EnqueueError> {
        if let [push] = pushes {
            return self.send(push).await;
        }
        for batch in pushes.chunks(BATCH) {
            self.send_batch(batch).await?;
        }
        Ok(())
    }
}

fn entry(index: usize, push: &Push) -> Result<SendMessageBatchRequestEntry, EnqueueError> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(push.to_queue_body())
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
