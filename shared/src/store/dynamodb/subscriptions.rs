//! Storing subscriptions and counting them.

use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{ConnectionTable, condition_failed, refused_item};
use crate::{
    audience::Audience,
    ids::{ConnectionId, EntityId},
    store::{
        StoreError, Subscribed, Subscription,
        batch_write::failed,
        row::{self, Row},
    },
    token_expiry::TokenExpiry,
};

/// What counting a subscription came to.
enum Counted {
    /// It is counted, on a connection whose token ends then.
    On(Option<TokenExpiry>),
    Not(Subscribed),
}

impl ConnectionTable {
    pub(super) async fn store_subscription(
        &self,
        subscription: Subscription<'_>,
        limit: u32,
    ) -> Result<Subscribed, StoreError> {
        let connection = subscription.connection;
        let audience = Audience::Entity(subscription.entity.clone());
        let row = row::membership(
            connection,
            &audience,
            subscription.connected_at,
            subscription.token_expires_at,
        );
        if !self.put_subscription(row).await? {
            return Ok(Subscribed::Stored);
        }
        match self.count_subscription(connection, limit).await {
            Ok(Counted::On(expiry)) => {
                // The token was renewed, before there was this row to renew with the others.
                if let Some(renewed) = expiry.filter(|_| expiry != subscription.token_expires_at) {
                    self.set_token_expiry(connection, &row::sort_key(&audience), renewed)
                        .await?;
                }
                Ok(Subscribed::Stored)
            }
            Ok(Counted::Not(reason)) => {
                self.take_back(connection, &audience).await?;
                Ok(reason)
            }
            Err(error) => {
                self.take_back(connection, &audience).await?;
                Err(error)
            }
        }
    }

    pub(super) async fn remove_subscription(
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
            Err(error) if condition_failed(&error) => Ok(false),
            Err(error) => Err(failed("store the subscription", error)),
        }
    }

    async fn take_back(
        &self,
        connection: &ConnectionId,
        audience: &Audience,
    ) -> Result<(), StoreError> {
        let deleted = self.delete(connection, audience).send().await;
        deleted
            .map(drop)
            .map_err(|error| failed("take the subscription back", error))
    }

    /// Counts one subscription more on the connection's row, if there is such a row and room.
    async fn count_subscription(
        &self,
        connection: &ConnectionId,
        limit: u32,
    ) -> Result<Counted, StoreError> {
        let counted = self
            .add_to_count(connection, 1)
            .condition_expression(
                "attribute_exists(pk) AND \
                 (attribute_not_exists(subscriptions) OR subscriptions < :limit)",
            )
            .expression_attribute_values(":limit", row::number(limit))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match counted {
            Ok(counted) => Ok(Counted::On(
                counted.attributes().and_then(row::token_expiry),
            )),
            Err(error) if condition_failed(&error) => {
                Ok(Counted::Not(match refused_item(&error) {
                    Some(_) => Subscribed::LimitReached,
                    None => Subscribed::ConnectionGone,
                }))
            }
            Err(error) => Err(failed("count the subscription", error)),
        }
    }

    async fn discount_subscription(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        let discounted = self
            .add_to_count(connection, -1)
            .condition_expression("attribute_exists(pk)")
            .send()
            .await;
        match discounted {
            Err(error) if !condition_failed(&error) => {
                Err(failed("count the subscription off", error))
            }
            _ => Ok(()),
        }
    }

    fn add_to_count(&self, connection: &ConnectionId, change: i32) -> UpdateItemFluentBuilder {
        self.update(connection, row::CONNECTION)
            .update_expression("ADD subscriptions :change")
            .expression_attribute_values(":change", row::number(change))
    }
}
