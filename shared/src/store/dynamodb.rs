//! The rows of the connection table in DynamoDB.

mod batch;
mod charging;
mod entities;
mod listeners;

mod row;
#[cfg(feature = "fakes")]
pub mod seed;

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        delete_item::builders::DeleteItemFluentBuilder,
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    Addition, Change, Charge, Connection, Connections, Listener, Page, Rows, StoreError,
    StoredConnection, Superseded,
};
use crate::{
    audience::{Audience, Range},
    aws_error::is_throttling,
    ids::{ConnectionId, EntityId},
    token_expiry::TokenExpiry,
};
use row::{Key, Row};

/// The connection store in a DynamoDB table.
pub type ConnectionTable = Connections<DynamoDbRows>;

impl ConnectionTable {
    /// Returns the store in the table of that name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self::over(DynamoDbRows {
            client,
            table: table.into(),
            page_limit: PAGE_LIMIT,
        })
    }
}

/// The maximum number of connections on a page.
const PAGE_LIMIT: i32 = 10_000;

/// The rows of a DynamoDB table.
#[derive(Clone, Debug)]
pub struct DynamoDbRows {
    client: Client,
    table: String,
    page_limit: i32,
}

impl DynamoDbRows {
    fn update(&self, key: Key) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.into()))
    }

    fn delete(&self, key: Key) -> DeleteItemFluentBuilder {
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key.into()))
    }

    /// Returns an update of the connection's own row. Its result is the new row, or the old row if the
    /// condition failed.
    fn update_connection(&self, connection: &ConnectionId) -> UpdateItemFluentBuilder {
        self.update(Key::connection(connection))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

impl Rows for DynamoDbRows {
    fn page_limit(&self) -> usize {
        self.page_limit.unsigned_abs() as usize
    }

    async fn put_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        let user = connection.user.clone().map(Audience::User);
        let listeners = user
            .iter()
            .chain([&Audience::Everyone])
            .map(|audience| row::listener_from_connect(connection, audience))
            .collect();
        let own = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(row::connection(connection)))
            .condition_expression(row::ABSENT);
        let step = "store the connection";
        let (own, listeners) = tokio::join!(own.send(), self.put_batch(listeners, step));
        unless_refused(own, step)?;
        listeners
    }

    async fn connection(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(Key::connection(connection).into()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| failed("read the connection", error))?;
        Ok(read.item().map(row::stored_connection))
    }

    async fn delete_connection(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let deleted = self
            .delete(Key::connection(connection))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|error| failed("delete the connection", error))?;
        Ok(deleted.attributes().map(row::stored_connection))
    }

    async fn add_entities(
        &self,
        connection: &ConnectionId,
        addition: Addition<'_>,
    ) -> Result<Change, StoreError> {
        self.add_to_set(connection, addition).await
    }

    async fn remove_entity(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> Result<Change, StoreError> {
        self.remove_from_set(connection, entity).await
    }

    async fn set_token_expiry(
        &self,
        connection: &ConnectionId,
        expiry: TokenExpiry,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let updated = renewing(self.update_connection(connection), expiry)
            .send()
            .await;
        match updated {
            Ok(updated) => Ok(updated.attributes().map(row::stored_connection)),
            Err(error) if condition_failed(&error) => Ok(None),
            Err(error) => Err(failed("renew the token", error)),
        }
    }

    async fn put_listener(&self, listener: Listener<'_>) -> Result<(), StoreError> {
        self.put_listener_row(listener).await
    }

    async fn delete_listener(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
        superseded: Superseded,
    ) -> Result<(), StoreError> {
        self.delete_listener_row(connection, entity, superseded)
            .await
    }

    async fn delete_listeners(
        &self,
        connection: &ConnectionId,
        audiences: &[Audience],
    ) -> Result<(), StoreError> {
        let keys = audiences
            .iter()
            .map(|audience| Key::listener(connection, audience))
            .collect();
        self.delete_batch(keys, "delete the connection's rows")
            .await
    }

    async fn set_listener_token_expiry(
        &self,
        connection: &ConnectionId,
        audience: &Audience,
        expiry: TokenExpiry,
    ) -> Result<(), StoreError> {
        let update = self.update(Key::listener(connection, audience));
        unless_refused(renewing(update, expiry).send().await, "renew the token")
    }

    async fn listeners(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        self.query_listeners(audience, range, None).await
    }

    async fn watchers(&self, entity: &EntityId, range: &Range) -> Result<Page, StoreError> {
        let audience = Audience::Entity(entity.clone());
        self.query_listeners(&audience, range, Some(row::WATCHES))
            .await
    }

    async fn charge(&self, connection: &ConnectionId, charge: Charge) -> Result<bool, StoreError> {
        self.charge_row(connection, charge).await
    }
}

/// Adds a new end of the token to the update of a row, which is refused if the row does not exist.
fn renewing(update: UpdateItemFluentBuilder, expiry: TokenExpiry) -> UpdateItemFluentBuilder {
    update
        .update_expression("SET #expiry = :expiry")
        .condition_expression(row::EXISTS)
        .expression_attribute_names("#expiry", row::TOKEN_EXPIRES_AT)
        .expression_attribute_values(":expiry", row::number(expiry.epoch_seconds()))
}

fn condition_failed<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// Returns the result of a conditional write that may be refused.
pub(crate) fn unless_refused<T, E>(
    written: Result<T, SdkError<E>>,
    step: &'static str,
) -> Result<(), StoreError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match written {
        Ok(_) => Ok(()),
        Err(error) if condition_failed(&error) => Ok(()),
        Err(error) => Err(failed(step, error)),
    }
}

/// Returns the row that violated the condition of an update. `None` if there is no row.
fn refused_row(error: &SdkError<UpdateItemError>) -> Option<&Row> {
    match error.as_service_error()? {
        UpdateItemError::ConditionalCheckFailedException(failed) => failed.item(),
        _ => None,
    }
}

/// Returns the store's error for a failed call.
pub(crate) fn failed<E>(step: &'static str, error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
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
