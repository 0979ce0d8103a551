//! `AWS::SQS::Queue`, standard queues only.

use std::time::Duration;

use crate::template::{
    document::Resource,
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

pub(in crate::template) fn read(scope: &Scope<'_>, resource: &Resource) -> Option<Queue> {
    let mut properties = scope.properties(resource)?;
    let mut seconds = |key| properties.read(key, Item::seconds);
    let visibility_timeout = seconds("VisibilityTimeout");
    let delay = seconds("DelaySeconds");
    let retention = seconds("MessageRetentionPeriod");
    let receive_wait = seconds("ReceiveMessageWaitTimeSeconds");
    let maximum_message_size = properties.read("MaximumMessageSize", Item::number);
    let redrive = properties.nested("RedrivePolicy");
    let redrive = redrive.and_then(|policy| redrive_policy(scope, policy));
    properties.finish(IGNORED);
    let identity = scope.identity_of(resource)?;
    Some(Queue {
        logical_id: resource.logical_id.clone(),
        name: identity.name.clone(),
        arn: identity.arn.clone(),
        url: identity.reference.clone(),
        visibility_timeout: visibility_timeout.unwrap_or(Duration::from_secs(30)),
        delay: delay.unwrap_or(Duration::ZERO),
        retention: retention.unwrap_or(FOUR_DAYS),
        receive_wait: receive_wait.unwrap_or(Duration::ZERO),
        maximum_message_size: maximum_message_size.unwrap_or(ONE_MEBIBYTE),
        redrive,
    })
}

fn redrive_policy(scope: &Scope<'_>, mut policy: Fields<'_>) -> Option<Redrive> {
    let dead_letter_queue = policy.require("deadLetterTargetArn");
    let max_receive_count = policy.require("maxReceiveCount");
    policy.finish(&[]);
    let dead_letter_queue = dead_letter_queue.and_then(|queue| queue_arn(scope, &queue));
    Some(Redrive {
        max_receive_count: max_receive_count?.read(Item::number)?,
        dead_letter_queue: dead_letter_queue?,
    })
}

/// Reads the ARN of a queue, which must be one of the template's, or of the stack beside which its rules run.
pub(super) fn queue_arn(scope: &Scope<'_>, item: &Item<'_>) -> Option<String> {
    item.read(|item| {
        let arn = item.text()?;
        let mut queues = scope.beside.iter().flat_map(|stack| &stack.queues);
        if queues.any(|queue| queue.arn == arn) {
            return Ok(arn);
        }
        match (scope.resource_by_arn(QUEUE, item), scope.beside) {
            (Ok(_), _) => Ok(arn),
            (Err(problem), None) => Err(problem),
            (Err(_), Some(_)) => Err(item.problem(format!(
                "`{arn}` is the ARN of no queue that runs here: import the queue of the stack with Fn::ImportValue, or \
                 use a parameter with the name of the output"
            ))),
        }
    })
}
