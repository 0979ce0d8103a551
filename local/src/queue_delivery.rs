//! From EventBridge's targets to the queues.

use std::collections::BTreeMap;

use crate::{
    eventbridge::{Deliver, Undeliverable},
    sqs::{MessageAttribute, Queues, SendError},
};

impl Deliver for Queues {
    fn deliver(
        &self,
        queue: &str,
        body: String,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), Undeliverable> {
        let attributes = attributes
            .into_iter()
            .map(|(name, value)| (name, MessageAttribute::string(value)))
            .collect();
        match self.send(queue, body, attributes, None) {
            Ok(_) => Ok(()),
            Err(SendError::UnknownQueue(_)) => Err(Undeliverable::NoSuchQueue),
            Err(error) => Err(Undeliverable::Refused(error.to_string())),
        }
    }
}
