//! EventBridge's delivery of messages to the SQS queues.

use std::collections::BTreeMap;

use crate::{
    eventbridge::{Deliver, DeliveryError},
    sqs::{Content, MessageAttribute, Queues, SendError},
};

impl Deliver for Queues {
    fn check(
        &self,
        queue: &str,
        body: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), DeliveryError> {
        let queue = self.with_arn(queue).ok_or(DeliveryError::NoSuchQueue)?;
        let content = Content {
            attributes: strings(attributes.clone()),
            ..Content::text(body)
        };
        Ok(content.check(self.definition(queue).maximum_message_size)?)
    }

    fn deliver(
        &self,
        queue: &str,
        body: String,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), DeliveryError> {
        self.send(queue, body, strings(attributes), None)?;
        Ok(())
    }
}

impl From<SendError> for DeliveryError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::UnknownQueue(_) => Self::NoSuchQueue,
            error => Self::Refused(error.to_string()),
        }
    }
}

fn strings(attributes: BTreeMap<String, String>) -> BTreeMap<String, MessageAttribute> {
    let attributes = attributes.into_iter();
    attributes
        .map(|(name, value)| (name, MessageAttribute::string(value)))
        .collect()
}
