//! The connection store on DynamoDB.
//!
//! Rows of one connection are written by several functions at once, and `$disconnect` may run while
//! a `subscribe` still does. The order of the writes keeps any interleaving from leaving a row
//! behind: a subscription is stored first and counted on the connection's row afterwards, which
//! fails if that row is gone; forgetting removes the connection's row first and looks for the others
//! afterwards. So either the count fails and the subscription is taken back, or it was stored in
//! time to be found.

use std::time::SystemTime;

use aws_sdk_dynamodb::{
    Client,
    operation::{
        delete_item::builders::DeleteItemFluentBuilder,
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    types::{
        DeleteRequest, PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, WriteRequest,
    },
};

use super::{
    Connection, ConnectionStore, Forget, Page, ReadAudience, StoreError, Subscribed,
    batch_write::{batch_write, failed},
    row::{self, Row, text},
};
use crate::{
    audience::{Audience, Range},
    ids::{ConnectionId, EntityId},
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

    /// Stores a subscription; false if it was there before.
    async fn put_subscription(&self, row: Row) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(row))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(failed("store the subscription", error)),
        }
    }

    /// Counts one subscription more on the connection's row, if there is such a row and room.
    async fn count_subscription(
        &self,
        connection: &ConnectionId,
        limit: u32,
    ) -> Result<Subscribed, StoreError> {
        let counted = self
            .add_to_count(connection, 1)
            .condition_expression(
                "attribute_exists(pk) AND \
                 (attribute_not_exists(subscriptions) OR subscriptions < :limit)",
            )
            .expression_attribute_values(":limit", row::number(limit))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = counted else {
            return Ok(Subscribed::Stored);
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(match failed.item() {
                    Some(_) => Subscribed::LimitReached,
                    None => Subscribed::ConnectionGone,
                })
            }
            _ => Err(failed("count the subscription", error)),
        }
    }

    async fn discount_subscription(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        let discounted = self
            .add_to_count(connection, -1)
            .condition_expression("attribute_exists(pk)")
            .send()
            .await;
        match discounted {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(failed("count the subscription off", error)),
        }
    }

    fn add_to_count(&self, connection: &ConnectionId, change: i32) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(row::partition_key(connection)))
            .key("sk", text(row::CONNECTION))
            .update_expression("ADD subscriptions :change")
            .expression_attribute_values(":change", row::number(change))
    }

    fn delete(&self, connection: &ConnectionId, audience: &Audience) -> DeleteItemFluentBuilder {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key("pk", text(row::partition_key(connection)))
            .key("sk", text(row::sort_key(audience)))
    }

    /// Deletes one page of a connection's rows; returns where the next one starts.
    async fn delete_page(
        &self,
        connection: &ConnectionId,
        start: Option<Row>,
    ) -> Result<Option<Row>, StoreError> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :connection")
            .expression_attribute_values(":connection", text(row::partition_key(connection)))
            .projection_expression("pk, sk")
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| failed("read the connection's rows", error))?;
        let deletes = page
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|key| {
                let request = DeleteRequest::builder().set_key(Some(key)).build();
                request.map(|request| WriteRequest::builder().delete_request(request).build())
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unbuildable("delete the connection's rows", error))?;
        batch_write(
            &self.client,
            &self.table,
            deletes,
            "delete the connection's rows",
        )
        .await?;
        Ok(page.last_evaluated_key)
    }
}

impl ConnectionStore for ConnectionTable {
    async fn connect(&self, connection: &Connection) -> Result<(), StoreError> {
        let user_membership = connection.user.clone().map(|user| {
            row::membership(
                &connection.id,
                &Audience::User(user),
                connection.connected_at,
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
        connection: &ConnectionId,
        connected_at: SystemTime,
        entity: &EntityId,
        limit: u32,
    ) -> Result<Subscribed, StoreError> {
        let audience = Audience::Entity(entity.clone());
        let row = row::membership(connection, &audience, connected_at);
        if !self.put_subscription(row).await? {
            return Ok(Subscribed::Stored);
        }
        let subscribed = self.count_subscription(connection, limit).await;
        if !matches!(subscribed, Ok(Subscribed::Stored)) {
            self.delete(connection, &audience)
                .send()
                .await
                .map_err(|error| failed("take the subscription back", error))?;
        }
        subscribed
    }

    async fn unsubscribe(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> Result<(), StoreError> {
        let deleted = self
            .delete(connection, &Audience::Entity(entity.clone()))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|error| failed("delete the subscription", error))?;
        match deleted.attributes {
            Some(_) => self.discount_subscription(connection).await,
            None => Ok(()),
        }
    }
}

impl Forget for ConnectionTable {
    async fn forget(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        self.delete(connection, &Audience::Everyone)
            .send()
            .await
            .map_err(|error| failed("delete the connection", error))?;
        let mut start = None;
        loop {
            start = self.delete_page(connection, start).await?;
            if start.is_none() {
                return Ok(());
            }
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
            .projection_expression("audienceSk")
            .set_exclusive_start_key(start)
            .set_limit(self.page_limit)
            .send()
            .await
            .map_err(|error| failed("read the audience", error))?;
        let read_to = page.last_evaluated_key.as_ref();
        Ok(Page {
            connections: page.items().iter().filter_map(connection_of).collect(),
            read_to: read_to.and_then(connection_of),
        })
    }
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
