//! From a rule to its targets, and to a target's dead-letter queue.
//!
//! AWS retries for a day what may yet succeed and gives up at once on a queue that is not there. A
//! queue of this machine answers the same every time, so here nothing is retried.

use std::collections::BTreeMap;

use super::event::Event;
use crate::template::{Rule, Target};

/// Puts messages on queues.
pub trait Deliver: Send + Sync + 'static {
    /// Sends `body` to the queue with the ARN `queue`. `attributes` become the message's attributes,
    /// all of data type `String`.
    fn deliver(
        &self,
        queue: &str,
        body: String,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), Undeliverable>;
}

/// Why a queue did not take a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// There is no queue with this ARN.
    #[error("no such queue")]
    NoSuchQueue,
    /// The queue refused the message, e.g. because it is too large. Holds the reason.
    #[error("{0}")]
    Refused(String),
}

/// Sends `event` once to each target of `rule`. What a target does not take goes to its dead-letter
/// queue; without one it is lost, which is logged.
pub(super) fn deliver(event: &Event, rule: &Rule, queues: &dyn Deliver) {
    for target in &rule.targets {
        if let Err(reason) = queues.deliver(&target.queue, event.body.clone(), BTreeMap::new()) {
            bury(event, rule, target, &reason, queues);
        }
    }
}

fn bury(event: &Event, rule: &Rule, target: &Target, reason: &Undeliverable, queues: &dyn Deliver) {
    let Some(dead_letter_queue) = &target.dead_letter_queue else {
        tracing::error!(
            event_id = event.id,
            rule = rule.name,
            queue = target.queue,
            %reason,
            "an event is lost: its target did not take it and has no dead-letter queue"
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
            "an event went to the dead-letter queue: its target did not take it"
        ),
        Err(dead_letter_reason) => tracing::error!(
            event_id = event.id,
            rule = rule.name,
            queue = target.queue,
            dead_letter_queue,
            %reason,
            %dead_letter_reason,
            "an event is lost: neither its target nor the dead-letter queue took it"
        ),
    }
}

/// The attributes of the user guide's "Using dead-letter queues to process undelivered events". A
/// refused message looks as if its target allowed no retries; one without a queue is never retried
/// and so has exhausted no condition.
fn dead_letter_attributes(
    rule: &Rule,
    target: &Target,
    reason: &Undeliverable,
) -> BTreeMap<String, String> {
    let code = match reason {
        Undeliverable::NoSuchQueue => "NO_RESOURCE",
        Undeliverable::Refused(_) => "ERROR_FROM_TARGET",
    };
    let mut attributes = BTreeMap::from([
        ("RULE_ARN".to_owned(), rule.arn.clone()),
        ("TARGET_ARN".to_owned(), target.queue.clone()),
        ("ERROR_CODE".to_owned(), code.to_owned()),
        ("ERROR_MESSAGE".to_owned(), reason.to_string()),
        ("RETRY_ATTEMPTS".to_owned(), "0".to_owned()),
    ]);
    if matches!(reason, Undeliverable::Refused(_)) {
        attributes.insert(
            "EXHAUSTED_RETRY_CONDITION".to_owned(),
            "MaximumRetryAttempts".to_owned(),
        );
    }
    attributes
}
