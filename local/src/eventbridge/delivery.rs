//! Delivery of an event to a rule's targets, and to a target's dead-letter queue.
//!
//! AWS retries transient errors for a day and gives up at once on a missing queue. A local queue
//! answers the same every time, so there are no retries here.

use std::collections::BTreeMap;

use super::event::Event;
use crate::template::{Rule, Target};

/// A sender of messages to queues.
pub trait Deliver: Send + Sync + 'static {
    /// Checks whether the queue with the ARN `queue` would accept a message, without sending it.
    ///
    /// # Errors
    ///
    /// Returns the error that [`Deliver::deliver`] would return.
    fn check(
        &self,
        queue: &str,
        body: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), DeliveryError>;

    /// Sends `body` to the queue with the ARN `queue`. `attributes` become the message's
    /// attributes, all of data type `String`.
    ///
    /// # Errors
    ///
    /// Returns [`DeliveryError::NoSuchQueue`] if the queue does not exist, and
    /// [`DeliveryError::Refused`] if it refuses the message.
    fn deliver(
        &self,
        queue: &str,
        body: String,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), DeliveryError>;
}

/// The reason why a queue did not accept a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// No queue has this ARN.
    #[error("the queue does not exist")]
    NoSuchQueue,
    /// The queue refused the message, e.g. because it is too large. Holds the reason.
    #[error("{0}")]
    Refused(String),
}

/// Checks that no target of `rule` loses `event` because of its size: the target's queue or its
/// dead-letter queue must accept it. A missing queue is not an error, because AWS accepts such
/// events. The error is one sentence.
pub(super) fn check(event: &Event, rule: &Rule, queues: &dyn Deliver) -> Result<(), String> {
    for target in &rule.targets {
        let queue = &target.queue;
        let Err(reason @ DeliveryError::Refused(_)) =
            queues.check(queue, &event.body_for(target, rule), &BTreeMap::new())
        else {
            continue;
        };
        let attributes = dead_letter_attributes(rule, target, &reason);
        let dead_lettered = target
            .dead_letter_queue
            .as_ref()
            .is_some_and(|queue| queues.check(queue, &event.body, &attributes).is_ok());
        if !dead_lettered {
            return Err(format!(
                "queue {queue} refuses the event and no dead-letter queue accepts it: {reason}"
            ));
        }
    }
    Ok(())
}

/// Sends `event` once to each target of `rule`. If a target refuses the event, it goes to the
/// target's dead-letter queue; without one the event is dropped and logged.
pub(super) fn deliver(event: &Event, rule: &Rule, queues: &dyn Deliver) {
    for target in &rule.targets {
        if let Err(reason) =
            queues.deliver(&target.queue, event.body_for(target, rule), BTreeMap::new())
        {
            dead_letter(event, rule, target, &reason, queues);
        }
    }
}

fn dead_letter(
    event: &Event,
    rule: &Rule,
    target: &Target,
    reason: &DeliveryError,
    queues: &dyn Deliver,
) {
    let Some(dead_letter_queue) = &target.dead_letter_queue else {
        tracing::error!(
            event_id = event.id,
            rule = rule.name,
            queue = target.queue,
            %reason,
            "event lost: its target refused it and has no dead-letter queue"
        );
        return;
    };
    let attributes = dead_letter_attributes(rule, target, reason);
    match queues.deliver(dead_letter_queue, event.body.clone(), attributes) {
        Ok(()) => tracing::warn!(
            event_id = event.id,
            rule = rule.name,
            queue = target.queue,
            dead_letter_queue,
            %reason,
            "event sent to the dead-letter queue: its target refused it"
        ),
        Err(dead_letter_reason) => tracing::error!(
            event_id = event.id,
            rule = rule.name,
            queue = target.queue,
            dead_letter_queue,
            %reason,
            %dead_letter_reason,
            "event lost: its target and the dead-letter queue refused it"
        ),
    }
}

/// Returns the attributes of the user guide's "Using dead-letter queues to process undelivered
/// events". A refused message looks as if its target allowed no retries. AWS never retries a
/// missing queue, so such a message has exhausted no retry condition.
fn dead_letter_attributes(
    rule: &Rule,
    target: &Target,
    reason: &DeliveryError,
) -> BTreeMap<String, String> {
    let code = match reason {
        DeliveryError::NoSuchQueue => "NO_RESOURCE",
        DeliveryError::Refused(_) => "ERROR_FROM_TARGET",
    };
    let mut attributes = BTreeMap::from([
        ("RULE_ARN".to_owned(), rule.arn.clone()),
        ("TARGET_ARN".to_owned(), target.queue.clone()),
        ("ERROR_CODE".to_owned(), code.to_owned()),
        ("ERROR_MESSAGE".to_owned(), reason.to_string()),
        ("RETRY_ATTEMPTS".to_owned(), "0".to_owned()),
    ]);
    if matches!(reason, DeliveryError::Refused(_)) {
        attributes.insert(
            "EXHAUSTED_RETRY_CONDITION".to_owned(),
            "MaximumRetryAttempts".to_owned(),
        );
    }
    attributes
}
