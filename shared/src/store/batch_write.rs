//! `BatchWriteItem` until nothing is left unprocessed.

use std::time::Duration;

use aws_sdk_dynamodb::{Client, types::WriteRequest};

use super::StoreError;
use crate::aws_error::is_throttling;

/// The most writes of one `BatchWriteItem`.
const BATCH: usize = 25;

/// How often what DynamoDB left unprocessed is sent again before the caller is told.
const ATTEMPTS: u32 = 8;

/// The pause before the first repeat; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Writes all `writes`; `step` names what they are for.
pub(super) async fn batch_write(
    client: &Client,
    table: &str,
    writes: Vec<WriteRequest>,
    step: &'static str,
) -> Result<(), StoreError> {
    for batch in writes.chunks(BATCH) {
        write(client, table, batch.to_vec(), step).await?;
    }
    Ok(())
}

async fn write(
    client: &Client,
    table: &str,
    mut writes: Vec<WriteRequest>,
    step: &'static str,
) -> Result<(), StoreError> {
    for attempt in 0..ATTEMPTS {
        let answer = client
            .batch_write_item()
            .request_items(table, writes)
            .send()
            .await
            .map_err(|error| failed(step, error))?;
        writes = answer
            .unprocessed_items
            .and_then(|mut tables| tables.remove(table))
            .unwrap_or_default();
        if writes.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt)).await;
    }
    let left = writes.len();
    Err(StoreError::Throttled(
        format!("{left} writes were left unprocessed {ATTEMPTS} times").into(),
    ))
}

/// The store's error for a failed call.
pub(super) fn failed<E>(
    step: &'static str,
    error: aws_sdk_dynamodb::error::SdkError<E>,
) -> StoreError
where
    E: aws_sdk_dynamodb::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    if is_throttling(&error) {
        StoreError::Throttled(error.into())
    } else {
        StoreError::Failed {
            step,
            source: error.into(),
        }
    }
}
