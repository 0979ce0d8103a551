//! Charging a connection for its messages.
//!
//! One attribute of the connection's row holds up to when its messages are charged. A connection that
//! was quiet is charged from now on; one that was not, from where it stands. Each is one conditional
//! write, and the first is tried first because most connections are quiet.

use std::{
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::{
        UpdateItemError, UpdateItemOutput, builders::UpdateItemFluentBuilder,
    },
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{ConnectionTable, condition_failed, refused_item};
use crate::{
    ids::ConnectionId,
    store::{Admitted, MessageRate, StoreError, batch_write::failed, row},
};

impl ConnectionTable {
    pub(super) async fn charge(
        &self,
        connection: &ConnectionId,
        messages: NonZeroU32,
        rate: MessageRate,
        now: SystemTime,
    ) -> Result<Admitted, StoreError> {
        let now = row::since_epoch(now);
        let cost = rate.time_for(messages);
        let quiet = self
            .charging(connection)
            .update_expression("SET #until = :until")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(#until) OR #until < :now)",
            )
            .expression_attribute_values(":until", micros(now + cost))
            .expression_attribute_values(":now", micros(now))
            .send()
            .await;
        match outcome(quiet)? {
            Admitted::TooFast => {}
            outcome => return Ok(outcome),
        }
        let latest = (now + rate.time_for(rate.burst)).saturating_sub(cost);
        let busy = self
            .charging(connection)
            .update_expression("SET #until = #until + :cost")
            .condition_expression("attribute_exists(pk) AND #until <= :latest")
            .expression_attribute_values(":cost", micros(cost))
            .expression_attribute_values(":latest", micros(latest))
            .send()
            .await;
        outcome(busy)
    }

    fn charging(&self, connection: &ConnectionId) -> UpdateItemFluentBuilder {
        self.update(connection, row::CONNECTION)
            .expression_attribute_names("#until", row::CHARGED_UNTIL)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

fn outcome(
    charged: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<Admitted, StoreError> {
    match charged {
        Ok(charged) => Ok(Admitted::Admitted {
            token_expires_at: charged.attributes().and_then(row::token_expiry),
        }),
        Err(error) if condition_failed(&error) => Ok(match refused_item(&error) {
            Some(_) => Admitted::TooFast,
            None => Admitted::ConnectionGone,
        }),
        Err(error) => Err(failed("charge the connection for its messages", error)),
    }
}

fn micros(duration: Duration) -> AttributeValue {
    row::number(duration.as_micros())
}
