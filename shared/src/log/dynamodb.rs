//! The rows of the history table on DynamoDB.

mod claiming;
mod item;

use std::{ops::RangeInclusive, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::put_item::PutItemError,
    types::ReturnValuesOnConditionCheckFailure,
};

use super::{
    Claim, Claimed, Consistency, Epoch, Head, Log, LogError, LogRow, LogRows, Put, RowPage,
};
use crate::{audience::Audience, aws_error::is_throttling};
use item::Key;

/// The logs on a DynamoDB table.
pub type LogTable = Log<DynamoDbLogRows>;

impl LogTable {
    /// Returns the logs on the table of that name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self::over(DynamoDbLogRows {
            client,
            table: table.into(),
        })
    }
}

/// The rows of a DynamoDB table.
#[derive(Clone, Debug)]
pub struct DynamoDbLogRows {
    client: Client,
    table: String,
}

impl LogRows for DynamoDbLogRows {
    async fn claim(&self, audience: &Audience, claim: Claim<'_>) -> Result<Claimed, LogError> {
        self.claim_on_head(audience, claim).await
    }

    async fn replace_head(
        &self,
        audience: &Audience,
        ended: &Epoch,
        head: &Head,
    ) -> Result<bool, LogError> {
        let replaced = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::from_head(audience, head)))
            .condition_expression("#epoch = :ended")
            .expression_attribute_names("#epoch", item::EPOCH)
            .expression_attribute_values(":ended", item::text(ended.as_str()))
            .send()
            .await;
        match replaced {
            Ok(_) => Ok(true),
            Err(error) if condition_failed(&error) => Ok(false),
            Err(error) => Err(failed("begin an epoch", error)),
        }
    }

    async fn head(
        &self,
        audience: &Audience,
        consistency: Consistency,
    ) -> Result<Option<Head>, LogError> {
        let step = "read the log's head";
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(Key::head(audience).into()))
            .consistent_read(consistency == Consistency::Strong)
            .send()
            .await
            .map_err(|error| failed(step, error))?;
        read.item()
            .map(|item| item::head(item).ok_or_else(|| unreadable(step)))
            .transpose()
    }

    async fn put(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        row: &LogRow,
        kept_until: Duration,
    ) -> Result<Put, LogError> {
        let step = "store a message";
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::from_row(audience, epoch, row, kept_until)))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match put {
            Ok(_) => return Ok(Put::Stored),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                let present = refused.item().and_then(item::row);
                present.map(Put::Occupied).ok_or_else(|| unreadable(step))
            }
            _ => Err(failed(step, error)),
        }
    }

    async fn rows(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        offsets: RangeInclusive<u64>,
        limit: usize,
    ) -> Result<RowPage, LogError> {
        let step = "read the log";
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :log AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":log", item::text(item::rows_key(audience, epoch)))
            .expression_attribute_values(":first", item::text(item::sort_key(*offsets.start())))
            .expression_attribute_values(":last", item::text(item::sort_key(*offsets.end())))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| failed(step, error))?;
        let rows: Option<Vec<_>> = page.items().iter().map(item::row).collect();
        let read_to = page.last_evaluated_key.as_ref();
        Ok(RowPage {
            rows: rows.ok_or_else(|| unreadable(step))?,
            read_to: read_to.and_then(item::offset),
        })
    }
}

fn condition_failed<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// The error for a row that Herald did not write.
fn unreadable(step: &'static str) -> LogError {
    LogError::Failed {
        step,
        source: "a row of the history table has other attributes than Herald's".into(),
    }
}

/// The log's error for a failed call.
///
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
fn failed<E>(step: &'static str, error: SdkError<E>) -> LogError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.code().map(str::to_owned);
    match code.as_deref() {
        _ if is_throttling(&error) => LogError::Throttled(error.into()),
        Some("ValidationException" | "ItemCollectionSizeLimitExceededException") => {
            let source = error.into();
            LogError::Refused { step, source }
        }
        _ => {
            let source = error.into();
            LogError::Failed { step, source }
        }
    }
}
