//! Claiming offsets: one conditional update of a head.
//!
//! Each event sets its slot to its tag and to the old `top` plus its number, and `top` grows by the number of
//! events. The operands of an update are the values from before it, so no event needs to know its
//! offset. The update is one write unit for heads up to 1 KB, and the condition makes it idempotent: sent
//! again, it is refused with the head that remembers its events.
//!
//! Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html>

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    DynamoDbLogRows, failed,
    item::{self, Key},
    unreadable,
};
use crate::{
    audience::Audience,
    log::{Claim, Claimed, HEAD_LIFETIME, LogError},
};

const STEP: &str = "claim an offset";

impl DynamoDbLogRows {
    pub(super) async fn claim_on_head(
        &self,
        audience: &Audience,
        claim: Claim<'_>,
    ) -> Result<Claimed, LogError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::head(audience).into()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match Expressions::of(&claim).apply(update).send().await {
            Ok(updated) => {
                let head = updated.attributes().and_then(item::head);
                return head.map(Claimed::Made).ok_or_else(|| unreadable(STEP));
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                let head = refused.item().and_then(item::head);
                head.map(Claimed::Refused).ok_or_else(|| unreadable(STEP))
            }
            _ => Err(failed(STEP, error)),
        }
    }
}

/// The expressions of an update, and their values.
struct Expressions {
    set: Vec<String>,
    conditions: Vec<String>,
    names: Vec<(&'static str, &'static str)>,
    values: Vec<(String, aws_sdk_dynamodb::types::AttributeValue)>,
}

impl Expressions {
    fn of(claim: &Claim<'_>) -> Self {
        let mut expressions = Self::of_head(claim);
        let mut slots = BTreeSet::new();
        for (index, event) in claim.events.iter().enumerate() {
            expressions.admit(index, event);
            // Two paths of an update must not overlap.
            if slots.insert(event.tag.slot) {
                expressions.remember(index, event, claim);
            }
        }
        if let Some(last) = claim.last {
            expressions.keep(&last);
        }
        expressions
    }

    fn of_head(claim: &Claim<'_>) -> Self {
        let value = |name: &str, value| (name.to_owned(), value);
        Self {
            set: [
                "#epoch = if_not_exists(#epoch, :epoch)",
                "#made = if_not_exists(#made, :now)",
                "#kept = if_not_exists(#kept, :kept)",
                "#at = :now",
                "#expires = :expires",
            ]
            .map(str::to_owned)
            .to_vec(),
            conditions: vec!["(attribute_not_exists(#kept) OR #kept = :kept)".to_owned()],
            names: vec![
                ("#epoch", item::EPOCH),
                ("#made", item::MADE_AT),
                ("#kept", item::RETENTION),
                ("#at", item::AT),
                ("#expires", item::EXPIRES_AT),
                ("#top", item::TOP),
            ],
            values: vec![
                value(":epoch", item::text(claim.new_epoch.as_str())),
                value(":now", item::number(claim.now.as_millis())),
                value(":kept", item::retention(claim.retention)),
                value(
                    ":expires",
                    item::number((claim.now + HEAD_LIFETIME).as_secs()),
                ),
                value(":zero", item::number(0)),
                value(":count", item::number(claim.events.len())),
            ],
        }
    }

    /// Adds the condition that the head does not remember the event, or with the offset that it lost.
    fn admit(&mut self, index: usize, event: &crate::log::ClaimedEvent) {
        let slot = item::slot_names(event.tag.slot);
        let mut admitted = format!(
            "attribute_not_exists({0}) OR NOT begins_with({0},:i{index})",
            slot.event
        );
        self.values
            .push((format!(":i{index}"), item::binary(event.tag.bits.to_vec())));
        if let Some(lost) = event.lost {
            admitted.push_str(&format!(" OR {} = :l{index}", slot.offset));
            self.values.push((format!(":l{index}"), item::number(lost)));
        }
        self.conditions.push(format!("({admitted})"));
    }

    fn remember(&mut self, index: usize, event: &crate::log::ClaimedEvent, claim: &Claim<'_>) {
        let slot = item::slot_names(event.tag.slot);
        self.set.push(format!("{} = :t{index}", slot.event));
        self.set.push(format!(
            "{} = if_not_exists(#top,:zero) + :n{index}",
            slot.offset
        ));
        self.values.extend([
            (
                format!(":t{index}"),
                item::remembered(event.tag.bits, claim.now),
            ),
            (format!(":n{index}"), item::number(index + 1)),
        ]);
    }

    fn keep(&mut self, last: &crate::log::LastValue<'_>) {
        self.set.push("#frame = :frame".to_owned());
        self.names.push(("#frame", item::FRAME));
        self.values
            .push((":frame".to_owned(), item::text(last.frame.get())));
        if let Some(version) = last.version {
            self.set.push("#version = :version".to_owned());
            self.conditions
                .push("(attribute_not_exists(#version) OR #version < :version)".to_owned());
            self.names.push(("#version", item::VERSION));
            self.values
                .push((":version".to_owned(), item::number(version)));
        }
    }

    fn apply(self, mut update: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        for (name, attribute) in self.names {
            update = update.expression_attribute_names(name, attribute);
        }
        for (name, value) in self.values {
            update = update.expression_attribute_values(name, value);
        }
        update
            .update_expression(format!("SET {} ADD #top :count", self.set.join(", ")))
            .condition_expression(self.conditions.join(" AND "))
    }
}
