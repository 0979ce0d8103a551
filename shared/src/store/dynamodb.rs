//! The connection store on DynamoDB.
//!
//! Rows of one connection are written by several functions at once, and `$disconnect` may run while
//! a `subscribe` still does. The order of the writes keeps any interleaving from leaving a row
//! behind: a subscription is stored first and counted on the connection's row afterwards, which
//! fails if that row is gone; forgetting removes the connection's row first and looks for the others
//! afterwards. So either the count fails and the subscription is taken back, or it was stored in
//! time to be found.

mod admission;
mod inspection;
mod renewal;
mod subscriptions;

pub use inspection::StoredConnection;

use std::{num::NonZeroU32, time::SystemTime};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        delete_item::builders::DeleteItemFluentBuilder,
        query::builders::QueryFluentBuilder,
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    types::{DeleteRequest, PutRequest, WriteRequest},
};

use super::{
    Admitted, Connection, ConnectionStore, CurrentToken, Forget, MessageRate, Page, ReadAudience,
    ReadToken, StoreError, Subscribed, Subscription,
    batch_write::{batch_write, failed},
    row::{self, Row, text},
};
use crate::{
    audience::{Audience, Range, Recipient},
    ids::{ConnectionId, EntityId},
    token_expiry::TokenExpiry,
};

/// The connection store on a DynamoDB table.
#[derive(Clone, Debug)]
pub struct ConnectionTable {
    client: Client,
    table: String,
    page_limit: Option<i32>,
}

impl ConnectionTable {
    /// The store on the table of that name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
            page_limit: None,
        }
    }

    /// The same store, reading audiences in pages of at most so many connections. Without a limit a
    /// page is as large as DynamoDB makes it: 1 MB, some ten thousand connections.
    pub fn with_page_limit(self, connections: i32) -> Self {
        Self {
            page_limit: Some(connections),
            ..self
        }
    }

    fn delete(&self, connection: &ConnectionId, audience: &Audience) -> DeleteItemFluentBuilder {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key("pk", text(row::partition_key(connection)))
            .key("sk", text(row::sort_key(audience)))
    }

    fn update(&self, connection: &ConnectionId, sort_key: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(row::partition_key(connection)))
            .key("sk", text(sort_key))
    }

    /// One page of a connection's rows, to be sent.
    fn query_rows(&self, connection: &ConnectionId, start: Option<Row>) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :connection")
            .expression_attribute_values(":connection", text(row::partition_key(connection)))
            .set_exclusive_start_key(start)
    }

    /// The keys of one page of a connection's rows, and where the next page starts.
    async fn read_rows(
        &self,
        connection: &ConnectionId,
        start: Option<Row>,
    ) -> Result<(Vec<Row>, Option<Row>), StoreError> {
        let page = self
            .query_rows(connection, start)
            .projection_expression("pk, sk")
            .send()
            .await
            .map_err(|error| failed("read the connection's rows", error))?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key))
    }

    async fn delete_rows(&self, keys: Vec<Row>) -> Result<(), StoreError> {
        let deletes = keys
            .into_iter()
            .map(|key| {
                let request = DeleteRequest::builder().set_key(Some(key)).build();
                request.map(|request| WriteRequest::builder().delete_request(request).build())
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unbuildable("delete the connection's rows", error))?;
        let step = "delete the connection's rows";
        batch_write(&self.client, &self.table, deletes, step).await
    }
}

impl ConnectionStore for ConnectionTable {
    async fn connect(&self, connection: &Connection) -> Result<(), StoreError> {
        let user_membership = connection.user.clone().map(|user| {
            row::membership(
                &connection.id,
                &Audience::User(user),
                connection.connected_at,
                connection.token_expires_at,
            )
        });
        let puts = [Some(row::connection(connection)), user_membership]
            .into_iter()
            .flatten()
            .map(|row| {
                let request = PutRequest::builder().set_item(Some(row)).build();
                request.map(|request| WriteRequest::builder().put_request(request).build())
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unbuildable("store the connection", error))?;
        batch_write(&self.client, &self.table, puts, "store the connection").await
    }

    async fn subscribe(
        &self,
        subscription: Subscription<'_>,
        limit: u32,
    ) -> Result<Subscribed, StoreError> {
        self.store_subscription(subscription, limit).await
    }

    async fn unsubscribe(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> Result<(), StoreError> {
        self.remove_subscription(connection, entity).await
    }

    async fn renew(
        &self,
        connection: &ConnectionId,
        token_expires_at: TokenExpiry,
    ) -> Result<bool, StoreError> {
        self.renew_rows(connection, token_expires_at).await
    }

    async fn admit(
        &self,
        connection: &ConnectionId,
        messages: NonZeroU32,
        rate: MessageRate,
        now: SystemTime,
    ) -> Result<Admitted, StoreError> {
        self.charge(connection, messages, rate, now).await
    }
}

impl ReadToken for ConnectionTable {
    async fn current_token(&self, connection: &ConnectionId) -> Result<CurrentToken, StoreError> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", text(row::partition_key(connection)))
            .key("sk", text(row::CONNECTION))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| failed("read the connection", error))?;
        Ok(match read.item {
            None => CurrentToken::ConnectionGone,
            Some(row) => row::token_expiry(&row).map_or(CurrentToken::None, CurrentToken::EndsAt),
        })
    }
}

impl Forget for ConnectionTable {
    async fn prune(&self, connection: &ConnectionId, _: &Audience) -> Result<(), StoreError> {
        self.forget(connection).await
    }

    async fn forget(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        self.delete(connection, &Audience::Everyone)
            .send()
            .await
            .map_err(|error| failed("delete the connection", error))?;
        let mut start = None;
        loop {
            let (keys, next) = self.read_rows(connection, start).await?;
            self.delete_rows(keys).await?;
            if next.is_none() {
                return Ok(());
            }
            start = next;
        }
    }
}

impl ReadAudience for ConnectionTable {
    async fn read_audience(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        let (first, last) = row::audience_sort_keys(range);
        let start = range
            .after
            .as_ref()
            .map(|connection| row::keys(connection, audience));
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(row::AUDIENCE_INDEX)
            .key_condition_expression(
                "audiencePk = :audience AND audienceSk BETWEEN :first AND :last",
            )
            .expression_attribute_values(":audience", text(row::audience_key(audience)))
            .expression_attribute_values(":first", text(first))
            .expression_attribute_values(":last", text(last))
            .projection_expression("audienceSk, expiresAt, #expiry")
            .expression_attribute_names("#expiry", row::TOKEN_EXPIRES_AT)
            .set_exclusive_start_key(start)
            .set_limit(self.page_limit)
            .send()
            .await
            .map_err(|error| failed("read the audience", error))?;
        let read_to = page.last_evaluated_key.as_ref();
        Ok(Page {
            recipients: page.items().iter().filter_map(recipient_of).collect(),
            read_to: read_to.and_then(connection_of),
        })
    }
}

fn recipient_of(row: &Row) -> Option<Recipient> {
    Some(Recipient {
        connection: connection_of(row)?,
        connected_at: row::connected_at(row)?,
        token_expires_at: row::token_expiry(row),
    })
}

fn connection_of(row: &Row) -> Option<ConnectionId> {
    row.get("audienceSk")
        .and_then(|key| key.as_s().ok())
        .and_then(|key| row::connection_of(key))
}

fn unbuildable(step: &'static str, error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Failed {
        step,
        source: error.into(),
    }
}

fn condition_failed<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// The row that did not fulfil the condition of an update, if it asked for it and there is one.
fn refused_item(error: &SdkError<UpdateItemError>) -> Option<&Row> {
    match error.as_service_error()? {
        UpdateItemError::ConditionalCheckFailedException(failed) => failed.item(),
        _ => None,
    }
}
