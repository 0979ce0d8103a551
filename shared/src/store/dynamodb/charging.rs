//! Charging a connection for its messages.
//!
//! The charges have a row of their own, so that a charge does not pay for the set of subscriptions. An
//! idle connection is charged from now on, a busy one from its last charge. Each case is one conditional
//! write; the idle case is tried first because most connections are idle.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::{
        UpdateItemError, UpdateItemOutput, builders::UpdateItemFluentBuilder,
    },
    types::AttributeValue,
};

use super::{
    DynamoDbRows, condition_failed, failed,
    row::{self, Key},
};
use crate::{
    ids::ConnectionId,
    store::{Charge, StoreError},
};

impl DynamoDbRows {
    pub(super) async fn charge_row(
        &self,
        connection: &ConnectionId,
        charge: Charge,
    ) -> Result<bool, StoreError> {
        let idle = self
            .charging(connection, charge)
            .update_expression("SET #until = :until, #expires = :expires")
            .condition_expression("attribute_not_exists(#until) OR #until < :now")
            .expression_attribute_values(":until", micros(charge.now + charge.cost))
            .expression_attribute_values(":now", micros(charge.now))
            .send()
            .await;
        if was_charged(idle)? {
            return Ok(true);
        }
        let busy = self
            .charging(connection, charge)
            .update_expression("SET #until = #until + :cost, #expires = :expires")
            .condition_expression("#until <= :latest")
            .expression_attribute_values(":cost", micros(charge.cost))
            .expression_attribute_values(":latest", micros(charge.latest))
            .send()
            .await;
        was_charged(busy)
    }

    fn charging(&self, connection: &ConnectionId, charge: Charge) -> UpdateItemFluentBuilder {
        self.update(Key::charges(connection))
            .expression_attribute_names("#until", row::CHARGED_UNTIL)
            .expression_attribute_names("#expires", row::EXPIRES_AT)
            .expression_attribute_values(":expires", row::number(charge.expires_at.as_secs()))
    }
}

fn was_charged(
    updated: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<bool, StoreError> {
    match updated {
        Ok(_) => Ok(true),
        Err(error) if condition_failed(&error) => Ok(false),
        Err(error) => Err(failed("charge the connection for its messages", error)),
    }
}

fn micros(duration: Duration) -> AttributeValue {
    row::number(duration.as_micros())
}
