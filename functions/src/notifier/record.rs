//! A record of the queue, parsed once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::SqsMessage;
use herald_shared::push::Received;

use crate::message::rfc3339;

/// A message as SQS delivered it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) message_id: String,
    pub(super) body: String,
    /// The handle by which the message is released. `None` if the event has none.
    pub(super) receipt_handle: Option<String>,
    /// The number of its receives, this one included.
    pub(super) receives: u32,
    /// The time at which the queue received it, RFC 3339.
    sent_at: String,
}

impl Record {
    /// Returns the facts that serve a body without an event.
    pub(super) fn received(&self) -> Received<'_> {
        Received {
            message_id: &self.message_id,
            sent_at: &self.sent_at,
        }
    }
}

impl From<SqsMessage> for Record {
    fn from(message: SqsMessage) -> Self {
        let number = |name: &str| message.attributes.get(name)?.parse::<u64>().ok();
        let receives = number("ApproximateReceiveCount").and_then(|count| count.try_into().ok());
        let sent_at = number("SentTimestamp").and_then(|milliseconds| {
            let seconds = u32::try_from(milliseconds / 1000).ok()?;
            Some(UNIX_EPOCH + Duration::from_secs(seconds.into()))
        });
        Self {
            message_id: message.message_id.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            receipt_handle: message.receipt_handle,
            receives: receives.unwrap_or(1),
            sent_at: rfc3339(sent_at.unwrap_or_else(SystemTime::now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_at(timestamp: &str) -> String {
        let mut message = SqsMessage::default();
        let attributes = &mut message.attributes;
        attributes.insert("SentTimestamp".to_owned(), timestamp.to_owned());
        Record::from(message).received().sent_at.to_owned()
    }

    #[test]
    fn time_is_that_of_the_queue_or_else_now() {
        assert_eq!(sent_at("1795169731012"), "2026-11-20T10:15:31Z");
        for timestamp in ["", "-1", "soon", "18446744073709551615"] {
            assert!(!sent_at(timestamp).is_empty(), "{timestamp}");
        }
    }
}
