//! Changes of a connection's set of entities, each one conditional update.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::{
        UpdateItemError, UpdateItemOutput, builders::UpdateItemFluentBuilder,
    },
    types::AttributeValue,
};

use super::{DynamoDbRows, condition_failed, failed, refused_row, row};
use crate::{
    ids::{ConnectionId, EntityId},
    store::{Addition, Change, StoreError},
};

impl DynamoDbRows {
    pub(super) async fn add_to_set(
        &self,
        connection: &ConnectionId,
        addition: Addition<'_>,
    ) -> Result<Change, StoreError> {
        let mut conditions = vec![row::EXISTS.to_owned()];
        let mut update = self
            .change_of_set(connection)
            .update_expression("ADD #changes :one");
        if !addition.known.is_empty() {
            let contained;
            (update, contained) = containing(update, "k", addition.known);
            conditions.push(contained.join(" AND "));
        }
        if !addition.fresh.is_empty() {
            let contained;
            (update, contained) = containing(update, "f", addition.fresh);
            conditions.push(format!("NOT ({})", contained.join(" OR ")));
            conditions.push("(attribute_not_exists(#set) OR size(#set) <= :room)".to_owned());
            conditions.push("(attribute_not_exists(#bytes) OR #bytes <= :bytesRoom)".to_owned());
            update = update
                .update_expression("ADD #changes :one, #set :fresh, #bytes :bytes")
                .expression_attribute_names("#bytes", row::ENTITY_BYTES)
                .expression_attribute_values(":fresh", set(addition.fresh))
                .expression_attribute_values(":bytes", row::number(bytes(addition.fresh)))
                .expression_attribute_values(":room", row::number(addition.room))
                .expression_attribute_values(":bytesRoom", row::number(addition.bytes_room));
        }
        let update = update.condition_expression(conditions.join(" AND "));
        change(update.send().await)
    }

    pub(super) async fn remove_from_set(
        &self,
        connection: &ConnectionId,
        entity: &EntityId,
    ) -> Result<Change, StoreError> {
        let removed = [entity.clone()];
        let length = entity.as_str().len();
        let updated = self
            .change_of_set(connection)
            .update_expression("DELETE #set :removed ADD #changes :one, #bytes :bytes")
            .condition_expression("contains(#set, :entity)")
            .expression_attribute_names("#bytes", row::ENTITY_BYTES)
            .expression_attribute_values(":removed", set(&removed))
            .expression_attribute_values(":entity", row::text(entity.as_str()))
            .expression_attribute_values(":bytes", row::number(format!("-{length}")))
            .send()
            .await;
        change(updated)
    }

    /// Returns an update of the connection's own row with the names and values that every change of its
    /// set needs.
    fn change_of_set(&self, connection: &ConnectionId) -> UpdateItemFluentBuilder {
        self.update_connection(connection)
            .expression_attribute_names("#set", row::ENTITIES)
            .expression_attribute_names("#changes", row::CHANGES)
            .expression_attribute_values(":one", row::number(1))
    }
}

/// Returns the update with a value for each entity, and for each the condition that the set contains it.
fn containing(
    mut update: UpdateItemFluentBuilder,
    prefix: &str,
    entities: &[EntityId],
) -> (UpdateItemFluentBuilder, Vec<String>) {
    let mut conditions = Vec::with_capacity(entities.len());
    for (index, entity) in entities.iter().enumerate() {
        let value = format!(":{prefix}{index}");
        conditions.push(format!("contains(#set,{value})"));
        update = update.expression_attribute_values(value, row::text(entity.as_str()));
    }
    (update, conditions)
}

fn set(entities: &[EntityId]) -> AttributeValue {
    let ids = entities.iter().map(|entity| entity.as_str().to_owned());
    AttributeValue::Ss(ids.collect())
}

fn bytes(entities: &[EntityId]) -> usize {
    entities.iter().map(|entity| entity.as_str().len()).sum()
}

fn change(
    updated: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<Change, StoreError> {
    match updated {
        Ok(updated) => {
            let row = updated.attributes();
            let number = row.and_then(|row| row::number_of(row, row::CHANGES));
            Ok(Change::Made(number.unwrap_or_default()))
        }
        Err(error) if condition_failed(&error) => Ok(match refused_row(&error) {
            Some(row) => Change::Refused(row::stored_connection(row)),
            None => Change::ConnectionGone,
        }),
        Err(error) => Err(failed("change the connection's subscriptions", error)),
    }
}
