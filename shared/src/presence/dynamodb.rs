//! The rows of presence in the connection table in DynamoDB.

mod item;

use aws_sdk_dynamodb::{
    Client,
    operation::{
        delete_item::builders::DeleteItemFluentBuilder,
        update_item::{UpdateItemError, UpdateItemOutput, builders::UpdateItemFluentBuilder},
    },
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    Begun, Commit, Committed, Flush, FlushReason, Joined, Joining, Member, MemberPage, MemberRow,
    MemberRows, Members, SetRow,
};
use crate::{
    ids::EntityId,
    queue::NotificationQueue,
    store::{StoreError, Superseded, failed, unless_refused},
};
use item::{Item, Key};

/// The members of entities in a DynamoDB table.
pub type PresenceTable = Members<DynamoDbMemberRows, NotificationQueue>;

/// The rows of a DynamoDB table.
#[derive(Clone, Debug)]
pub struct DynamoDbMemberRows {
    client: Client,
    table: String,
    page_limit: Option<i32>,
}

/// The result of a conditional update: the row after it, or the row that violated the condition.
enum Updated {
    Made(Item),
    Refused(Option<Item>),
}

impl DynamoDbMemberRows {
    /// Returns the rows in the table of that name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
            page_limit: None,
        }
    }

    /// Returns the same rows in pages of at most this many.
    #[cfg(feature = "fakes")]
    pub fn with_page_limit(self, rows: i32) -> Self {
        Self {
            page_limit: Some(rows),
            ..self
        }
    }

    fn update(&self, key: Key) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.into()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    fn delete(&self, key: Key) -> DeleteItemFluentBuilder {
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key.into()))
    }

    async fn row(&self, key: Key, consistent: bool) -> Result<Option<Item>, StoreError> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.into()))
            .consistent_read(consistent)
            .send()
            .await
            .map_err(|error| failed("read presence", error))?;
        Ok(read.item)
    }
}

async fn send(update: UpdateItemFluentBuilder, step: &'static str) -> Result<Updated, StoreError> {
    let error = match update.send().await {
        Ok(UpdateItemOutput { attributes, .. }) => {
            return Ok(Updated::Made(attributes.unwrap_or_default()));
        }
        Err(error) => error,
    };
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
            Ok(Updated::Refused(refused.item().cloned()))
        }
        _ => Err(failed(step, error)),
    }
}

/// Adds the condition that a row is as it was seen.
fn as_seen(update: UpdateItemFluentBuilder, seen: &MemberRow) -> UpdateItemFluentBuilder {
    update
        .expression_attribute_names("#change", item::CHANGE)
        .expression_attribute_names("#ends", item::ENDS_AT)
        .expression_attribute_names("#announced", item::ANNOUNCED)
        .expression_attribute_names("#left", item::LEFT)
        .expression_attribute_values(":change", item::number(seen.change))
        .expression_attribute_values(":ends", item::number(seen.expires_at))
        .expression_attribute_values(":true", item::truth())
}

const AS_SEEN: &str = "#change = :change AND #ends = :ends";

impl MemberRows for DynamoDbMemberRows {
    async fn join(&self, joining: Joining<'_>) -> Result<Joined, StoreError> {
        let mut set = "SET #change = :change, #ends = :ends, #expires = :expires".to_owned();
        let mut update = self
            .update(Key::member(joining.entity, joining.member))
            .return_values(ReturnValue::AllOld)
            .condition_expression("attribute_not_exists(pk) OR #change <= :change")
            .expression_attribute_names("#change", item::CHANGE)
            .expression_attribute_names("#ends", item::ENDS_AT)
            .expression_attribute_names("#expires", item::EXPIRES_AT)
            .expression_attribute_names("#left", item::LEFT)
            .expression_attribute_names("#info", item::INFO)
            .expression_attribute_values(":change", item::number(joining.change))
            .expression_attribute_values(":ends", item::number(joining.expires_at))
            .expression_attribute_values(":expires", item::member_expires_at(joining.expires_at));
        match joining.info {
            Some(info) => {
                set += ", #info = :info REMOVE #left";
                update = update.expression_attribute_values(":info", item::text(info.as_json()));
            }
            None => set += " REMOVE #left, #info",
        }
        let update = update.update_expression(set);
        Ok(match send(update, "store a member").await? {
            Updated::Made(before) => Joined::Written(item::member(&before)),
            Updated::Refused(_) => Joined::Superseded,
        })
    }

    async fn leave(
        &self,
        entity: &EntityId,
        member: &Member,
        superseded: Superseded,
    ) -> Result<Option<MemberRow>, StoreError> {
        let condition = match superseded {
            Superseded::By(_) => "#change = :seen",
            Superseded::Below(_) => "#change < :seen",
            Superseded::Always => "attribute_exists(pk)",
        };
        let mut update = self
            .update(Key::member(entity, member))
            .update_expression("SET #left = :true, #change = :change")
            .condition_expression(format!("{condition} AND attribute_not_exists(#left)"))
            .expression_attribute_names("#left", item::LEFT)
            .expression_attribute_names("#change", item::CHANGE)
            .expression_attribute_values(":true", item::truth())
            .expression_attribute_values(":change", item::number(superseded.bound()));
        if let Superseded::By(seen) | Superseded::Below(seen) = superseded {
            update = update.expression_attribute_values(":seen", item::number(seen));
        }
        Ok(match send(update, "mark a member as left").await? {
            Updated::Made(row) => item::member(&row),
            Updated::Refused(row) => row.as_ref().and_then(item::member).filter(|row| row.left),
        })
    }

    async fn member(
        &self,
        entity: &EntityId,
        member: &Member,
    ) -> Result<Option<MemberRow>, StoreError> {
        let row = self.row(Key::member(entity, member), false).await?;
        Ok(row.as_ref().and_then(item::member))
    }

    async fn members(
        &self,
        entity: &EntityId,
        after: Option<&Member>,
    ) -> Result<MemberPage, StoreError> {
        let mut start: Option<Item> = after.map(|after| Key::member(entity, after).into());
        let mut rows = Vec::new();
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("pk = :entity")
                .expression_attribute_values(":entity", item::text(item::partition(entity)))
                .set_exclusive_start_key(start)
                .set_limit(self.page_limit)
                .send()
                .await
                .map_err(|error| failed("read the members", error))?;
            // The set is among them.
            rows.extend(page.items().iter().filter_map(item::member));
            let read_to = page
                .last_evaluated_key
                .as_ref()
                .and_then(item::member_of_key);
            start = page.last_evaluated_key;
            if read_to.is_some() || start.is_none() {
                return Ok(MemberPage { rows, read_to });
            }
        }
    }

    async fn mark_announced(
        &self,
        entity: &EntityId,
        seen: &MemberRow,
    ) -> Result<bool, StoreError> {
        let update = self
            .update(Key::member(entity, &seen.member))
            .update_expression("SET #announced = :true")
            .condition_expression(format!("{AS_SEEN} AND attribute_not_exists(#left)"));
        let updated = send(as_seen(update, seen), "mark a member as announced").await?;
        Ok(matches!(updated, Updated::Made(_)))
    }

    async fn retire(&self, entity: &EntityId, seen: &MemberRow) -> Result<bool, StoreError> {
        let update = self
            .update(Key::member(entity, &seen.member))
            .update_expression("SET #left = :true REMOVE #announced")
            .condition_expression(AS_SEEN);
        let updated = send(as_seen(update, seen), "retire a member").await?;
        Ok(matches!(updated, Updated::Made(_)))
    }

    async fn remove(&self, entity: &EntityId, seen: &MemberRow) -> Result<(), StoreError> {
        let delete = self
            .delete(Key::member(entity, &seen.member))
            .condition_expression(AS_SEEN)
            .expression_attribute_names("#change", item::CHANGE)
            .expression_attribute_names("#ends", item::ENDS_AT)
            .expression_attribute_values(":change", item::number(seen.change))
            .expression_attribute_values(":ends", item::number(seen.expires_at));
        unless_refused(delete.send().await, "remove a member")
    }

    async fn set(&self, entity: &EntityId) -> Result<Option<SetRow>, StoreError> {
        let row = self.row(Key::set(entity), true).await?;
        Ok(row.as_ref().map(item::set))
    }

    async fn schedule(&self, flush: &Flush, previous: Option<u64>) -> Result<bool, StoreError> {
        let mut update = self
            .update(Key::set(&flush.entity_id))
            .update_expression("SET #at = :at, #expires = :expires")
            .expression_attribute_names("#at", item::scheduled(flush.reason))
            .expression_attribute_names("#expires", item::EXPIRES_AT)
            .expression_attribute_values(":at", item::number(flush.at))
            .expression_attribute_values(":expires", item::set_expires_at(flush));
        update = match previous {
            None => update.condition_expression("attribute_not_exists(#at)"),
            Some(previous) => update
                .condition_expression("#at = :previous")
                .expression_attribute_values(":previous", item::number(previous)),
        };
        let updated = send(update, "schedule a flush of presence").await?;
        Ok(matches!(updated, Updated::Made(_)))
    }

    async fn begin(&self, flush: &Flush) -> Result<Begun, StoreError> {
        let own = match flush.reason {
            FlushReason::Changes => "#at <= :at",
            FlushReason::Expiry => "#at = :at",
        };
        let update = self
            .update(Key::set(&flush.entity_id))
            .update_expression("SET #expires = :expires REMOVE #at")
            .condition_expression(format!("attribute_not_exists(#at) OR {own}"))
            .expression_attribute_names("#at", item::scheduled(flush.reason))
            .expression_attribute_names("#expires", item::EXPIRES_AT)
            .expression_attribute_values(":at", item::number(flush.at))
            .expression_attribute_values(":expires", item::set_expires_at(flush));
        Ok(match send(update, "begin a flush of presence").await? {
            Updated::Made(row) => Begun::Removed(item::set(&row)),
            Updated::Refused(row) => Begun::Other(item::set(&row.unwrap_or_default())),
        })
    }

    async fn commit(&self, entity: &EntityId, commit: Commit) -> Result<Committed, StoreError> {
        let update = self
            .update(Key::set(entity))
            .update_expression("SET #version = :version, #count = :count ADD #turn :one")
            .condition_expression(match commit.turn {
                0 => "attribute_not_exists(#turn) OR #turn = :turn",
                _ => "#turn = :turn",
            })
            .expression_attribute_names("#version", item::VERSION)
            .expression_attribute_names("#count", item::COUNT)
            .expression_attribute_names("#turn", item::TURN)
            .expression_attribute_values(":version", item::number(commit.version))
            .expression_attribute_values(":count", item::number(commit.count))
            .expression_attribute_values(":turn", item::number(commit.turn))
            .expression_attribute_values(":one", item::number(1));
        Ok(match send(update, "commit a flush of presence").await? {
            Updated::Made(_) => Committed::Made,
            Updated::Refused(row) => Committed::Refused(item::set(&row.unwrap_or_default())),
        })
    }
}
