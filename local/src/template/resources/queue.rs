//! `AWS::SQS::Queue`, standard queues only.

use std::time::Duration;

use crate::template::{
    document::Resource,
    error::Problem,
    identity::physical_name,
    item::{Fields, Item},
    model::{Queue, Redrive},
    scope::Scope,
};

use super::QUEUE;

const IGNORED: &[&str] = &[
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "QueueName",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
    "Tags",
];

const FOUR_DAYS: Duration = Duration::from_secs(4 * 24 * 60 * 60);
const ONE_MEBIBYTE: usize = 1024 * 1024;

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Result<Queue, Problem> {
    let mut properties = scope.properties(resource)?;
    refuse_fifo(&mut properties)?;
    let mut seconds = |key| properties.read(key, Item::seconds);
    let visibility_timeout = seconds("VisibilityTimeout")?;
    let delay = seconds("DelaySeconds")?;
    let retention = seconds("MessageRetentionPeriod")?;
    let receive_wait = seconds("ReceiveMessageWaitTimeSeconds")?;
    let maximum_message_size = properties.read("MaximumMessageSize", Item::number)?;
    let redrive = redrive(scope, &mut properties)?;
    properties.finish(IGNORED)?;
    Ok(Queue {
        logical_id: resource.logical_id.clone(),
        name: physical_name(scope, resource, "QueueName")?,
        arn: scope.attribute(&resource.logical_id, "Arn", resource.usage())?,
        url: scope
            .identity(&resource.logical_id, resource.usage())?
            .reference,
        visibility_timeout: visibility_timeout.unwrap_or(Duration::from_secs(30)),
        delay: delay.unwrap_or(Duration::ZERO),
        retention: retention.unwrap_or(FOUR_DAYS),
        receive_wait: receive_wait.unwrap_or(Duration::ZERO),
        maximum_message_size: maximum_message_size.unwrap_or(ONE_MEBIBYTE),
        redrive,
    })
}

fn refuse_fifo(properties: &mut Fields<'_>) -> Result<(), Problem> {
    match properties.take("FifoQueue")? {
        Some(item) if item.boolean()? => {
            Err(item.problem("FIFO queues are not run here: use a standard queue"))
        }
        _ => Ok(()),
    }
}

fn redrive(scope: &Scope<'_>, properties: &mut Fields<'_>) -> Result<Option<Redrive>, Problem> {
    let Some(mut policy) = properties.nested("RedrivePolicy")? else {
        return Ok(None);
    };
    let dead_letter_queue = policy.require("deadLetterTargetArn")?;
    scope.resource_by_arn(QUEUE, &dead_letter_queue)?;
    let redrive = Redrive {
        dead_letter_queue: dead_letter_queue.text()?,
        max_receive_count: policy.require("maxReceiveCount")?.number()?,
    };
    policy.finish(&[])?;
    Ok(Some(redrive))
}
