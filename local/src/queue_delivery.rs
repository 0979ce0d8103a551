//! EventBridge's delivery of messages to the SQS queues.

use std::collections::BTreeMap;

use crate::{
    eventbridge::{Deliver, DeliveryError},
    sqs::{Content, MessageAttribute, QueueId, Queues, SendError},
};

impl Deliver for Queues {
    fn check(
        &self,
        queue: &str,
        body: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), DeliveryError> {
        let limit = self.definition(find(self, queue)?).maximum_message_size;
        let content = content(body.to_owned(), attributes.clone());
        content.check(limit).map_err(refused)
    }

    fn deliver(
        &self,
        queue: &str,
        body: String,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), DeliveryError> {
        let queue = find(self, queue)?;
        let sent = self.send_to(queue, content(body, attributes), None);
        sent.map(drop).map_err(refused)
    }
}

fn find(queues: &Queues, arn: &str) -> Result<QueueId, DeliveryError> {
    queues.with_arn(arn).ok_or(DeliveryError::NoSuchQueue)
}

fn refused(error: SendError) -> DeliveryError {
    DeliveryError::Refused(error.to_string())
}

fn content(body: String, attributes: BTreeMap<String, String>) -> Content {
    let attributes = attributes.into_iter();
    Content {
        attributes: attributes
            .map(|(name, value)| (name, MessageAttribute::string(value)))
            .collect(),
        ..Content::text(body)
    }
}
