//! The listener rows, which are the members of audiences.

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

impl DynamoDbRows {
    /// Queries the listeners in a range, with only those that have the attribute if one is named.
    pub(super) async fn query_listeners(
        &self,
        audience: &Audience,
        range: &Range,
        attribute: Option<&str>,
    ) -> Result<Page, StoreError> {
        let (first, last) = row::sort_keys(range);
        let after = range.after.as_ref();
        let page = self
            .client
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
            .limit(self.page_limit)
            .send()
            .await
            .map_err(|error| failed("read the audience", error))?;
        let read_to = page.last_evaluated_key.as_ref();
        let read_to = read_to.and_then(row::listening_connection);
        let rows = page.items();
        // A filtered iterator has no length: collected, the list would grow to up to twice its size.
        let mut recipients = Vec::with_capacity(rows.len());
        recipients.extend(rows.iter().filter_map(row::recipient));
        Ok(Page {
            recipients,
            read_to,
        })
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
