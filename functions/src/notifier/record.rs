//! A record of the queue, parsed once.

use aws_lambda_events::sqs::SqsMessage;

/// A message as SQS delivered it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) message_id: String,
    pub(super) body: String,
    /// The handle by which the message is released. `None` if the event has none.
    pub(super) receipt_handle: Option<String>,
    /// The number of its receives, this one included.
    pub(super) receives: u32,
}

impl From<SqsMessage> for Record {
    fn from(message: SqsMessage) -> Self {
        let receives = message.attributes.get("ApproximateReceiveCount");
        let receives = receives.and_then(|count| count.parse().ok());
        Self {
            message_id: message.message_id.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            receipt_handle: message.receipt_handle,
            receives: receives.unwrap_or(1),
        }
    }
}
