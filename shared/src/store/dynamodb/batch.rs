//! `BatchWriteItem`, repeated until no write is left unprocessed.

use std::time::Duration;

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};

use super::{
    DynamoDbRows, failed,
    row::{Key, Row},
};
use crate::{backoff, store::StoreError};

/// The maximum number of writes in one `BatchWriteItem`.
///
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>
const BATCH: usize = 25;

/// The number of sends of unprocessed writes before the error is returned.
const ATTEMPTS: u32 = 8;

/// The longest pause before the first repeat, which doubles with each further repeat.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

impl DynamoDbRows {
    pub(super) async fn put_batch(
        &self,
        rows: Vec<Row>,
        step: &'static str,
    ) -> Result<(), StoreError> {
        let requests = rows.into_iter().map(|row| {
            let put = PutRequest::builder().set_item(Some(row)).build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
        });
        self.write_batches(requests.collect(), step).await
    }

    pub(super) async fn delete_batch(
        &self,
        keys: Vec<Key>,
        step: &'static str,
    ) -> Result<(), StoreError> {
        let requests = keys.into_iter().map(|key| {
            let delete = DeleteRequest::builder().set_key(Some(key.into())).build();
            delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
        });
        self.write_batches(requests.collect(), step).await
    }

    async fn write_batches(
        &self,
        writes: Result<Vec<WriteRequest>, aws_sdk_dynamodb::error::BuildError>,
        step: &'static str,
    ) -> Result<(), StoreError> {
        let writes = writes.map_err(|error| StoreError::Failed {
            step,
            source: error.into(),
        })?;
        for batch in writes.chunks(BATCH) {
            self.write_batch(batch.to_vec(), step).await?;
        }
        Ok(())
    }

    async fn write_batch(
        &self,
        mut writes: Vec<WriteRequest>,
        step: &'static str,
    ) -> Result<(), StoreError> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                let bound = backoff::bound(FIRST_PAUSE, Duration::MAX, attempt - 1);
                tokio::time::sleep(bound.mul_f64(fastrand::f64())).await;
            }
            let answer = self
                .client
                .batch_write_item()
                .request_items(&self.table, writes)
                .send()
                .await
                .map_err(|error| failed(step, error))?;
            writes = answer
                .unprocessed_items
                .and_then(|mut tables| tables.remove(&self.table))
                .unwrap_or_default();
            if writes.is_empty() {
                return Ok(());
            }
        }
        let left = writes.len();
        Err(StoreError::Throttled(
            format!("{left} writes were left unprocessed {ATTEMPTS} times").into(),
        ))
    }
}
