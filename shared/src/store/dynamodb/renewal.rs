//! Giving a connection a token that ends later.
//!
//! The row of the connection comes first. A subscription that is stored meanwhile is found afterwards,
//! or finds the new end when it is counted on that row.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{ConnectionTable, condition_failed};
use crate::{
    ids::ConnectionId,
    store::{StoreError, batch_write::failed, row},
    token_expiry::TokenExpiry,
};

/// How many rows are written at once.
const AT_ONCE: usize = 10;

impl ConnectionTable {
    pub(super) async fn renew_rows(
        &self,
        connection: &ConnectionId,
        expiry: TokenExpiry,
    ) -> Result<bool, StoreError> {
        let known = self.set_token_expiry(connection, row::CONNECTION, expiry);
        if !known.await? {
            return Ok(false);
        }
        let mut start = None;
        loop {
            let (rows, next) = self.read_rows(connection, start).await?;
            let others = rows
                .into_iter()
                .filter_map(row::into_sort_key)
                .filter(|sort_key| sort_key != row::CONNECTION);
            stream::iter(others)
                .map(|sort_key| async move {
                    self.set_token_expiry(connection, &sort_key, expiry).await
                })
                .buffer_unordered(AT_ONCE)
                .try_collect::<Vec<_>>()
                .await?;
            if next.is_none() {
                return Ok(true);
            }
            start = next;
        }
    }

    /// Writes when the token ends on one row of a connection; false if there is no such row.
    pub(super) async fn set_token_expiry(
        &self,
        connection: &ConnectionId,
        sort_key: &str,
        expiry: TokenExpiry,
    ) -> Result<bool, StoreError> {
        let updated = self
            .update(connection, sort_key)
            .update_expression("SET #expiry = :expiry")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#expiry", row::TOKEN_EXPIRES_AT)
            .expression_attribute_values(":expiry", row::number(expiry.epoch_seconds()))
            .send()
            .await;
        match updated {
            Ok(_) => Ok(true),
            Err(error) if condition_failed(&error) => Ok(false),
            Err(error) => Err(failed("renew the token", error)),
        }
    }
}
