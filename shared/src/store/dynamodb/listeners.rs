//! The listener rows, which are the members of audiences.

use aws_sdk_dynamodb::operation::query::QueryOutput;

use super::{
    DynamoDbRows, failed,
    row::{self, Key},
    unless_refused,
};
use crate::{
    audience::{Audience, Range},
    ids::{ConnectionId, EntityId},
    store::{Listener, Page, StoreError, Superseded},
};

/// The number of queries for a full page. The answer to one query for it would take several megabytes of memory.
const QUERIES_OF_A_PAGE: i32 = 4;

impl DynamoDbRows {
    /// Queries the first page of the listeners in a range, without those that lack the attribute if one is named.
    pub(super) async fn query_listeners(
        &self,
        audience: &Audience,
        range: &Range,
        attribute: Option<&str>,
    ) -> Result<Page, StoreError> {
        let mut page = Page::default();
        let mut unread = self.page_limit;
        let mut range = range.clone();
        loop {
            let limit = unread.min((self.page_limit / QUERIES_OF_A_PAGE).max(1));
            let part = self.query_range(audience, &range, attribute, limit).await?;
            unread -= part.scanned_count();
            // A filtered iterator has no length: the list would grow to up to twice its size.
            page.recipients.reserve(part.items().len());
            let recipients = part.items().iter().filter_map(row::recipient);
            page.recipients.extend(recipients);
            let read_to = part.last_evaluated_key();
            page.read_to = read_to.and_then(row::listening_connection);
            if page.read_to.is_none() || unread <= 0 {
                return Ok(page);
            }
            range.after.clone_from(&page.read_to);
        }
    }

    async fn query_range(
        &self,
        audience: &Audience,
        range: &Range,
        attribute: Option<&str>,
        limit: i32,
    ) -> Result<QueryOutput, StoreError> {
        let (first, last) = row::sort_keys(range);
        let after = range.after.as_ref();
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression(row::IN_RANGE)
            .expression_attribute_values(
                ":audience",
                row::text(row::audience_key(audience, range.first)),
            )
            .expression_attribute_values(":first", row::text(first))
            .expression_attribute_values(":last", row::text(last))
            .projection_expression(row::RECIPIENT)
            .set_filter_expression(attribute.map(|name| format!("attribute_exists({name})")))
            .set_exclusive_start_key(after.map(|after| Key::listener(after, audience).into()))
            .limit(limit)
            .send()
            .await
            .map_err(|error| failed("read the audience", error))
    }

    pub(super) async fn put_listener_row(&self, listener: Listener<'_>) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(row::listener(listener)))
            .condition_expression(format!("{} OR #change <= :change", row::ABSENT))
            .expression_attribute_names("#change", row::CHANGE)
            .expression_attribute_values(":change", row::number(listener.change))
            .send()
            .await;
        unless_refused(put, "store the subscription")
    }

    pub(super) async fn delete_listener_row(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
        superseded: Superseded,
    ) -> Result<(), StoreError> {
        let delete = self.delete(Key::listener(connection, &Audience::Entity(entity.clone())));
        let condition = match superseded {
            Superseded::Always => None,
            Superseded::By(change) => Some(("#change = :change", change)),
            Superseded::Below(change) => Some(("#change < :change", change)),
        };
        let delete = match condition {
            None => delete,
            Some((condition, change)) => delete
                .condition_expression(condition)
                .expression_attribute_names("#change", row::CHANGE)
                .expression_attribute_values(":change", row::number(change)),
        };
        unless_refused(delete.send().await, "delete the subscription")
    }
}
