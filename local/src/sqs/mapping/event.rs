//! The event for a function: `{"Records": […]}`, with records in Lambda's shape.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::sqs::{
    message::{AttributeValue, MessageAttribute, md5_of_attributes, md5_of_text},
    queue::Received,
    receive::system_attributes,
};

/// The largest event, in bytes: Lambda's limit on a synchronous invocation's payload.
pub(super) const MAXIMUM_EVENT: usize = 6 * 1024 * 1024;

const BEFORE: &str = r#"{"Records":["#;
const AFTER: &str = "]}";

/// Returns one record as JSON text.
pub(super) fn record(message: &Received, queue_arn: &str, region: &str) -> String {
    let content = &message.content;
    let mut record = json!({
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": content.body,
        "attributes": system_attributes(message),
        "messageAttributes": message_attributes(message),
        "md5OfBody": md5_of_text(&content.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    });
    if let Some(sum) = md5_of_attributes(&content.attributes) {
        record["md5OfMessageAttributes"] = json!(sum);
    }
    record.to_string()
}

/// Returns the event with these records.
pub(super) fn event(records: &[String]) -> Bytes {
    [BEFORE, &records.join(","), AFTER].concat().into()
}

/// Returns the number of leading records that fit one event of at most `limit` bytes; at least one.
pub(super) fn fitting(records: &[String], limit: usize) -> usize {
    let mut size = BEFORE.len() + AFTER.len();
    let fits = |record: &&String| {
        size += record.len() + ",".len();
        // The first record has no comma before it.
        size - ",".len() <= limit
    };
    records.iter().take_while(fits).count().max(1)
}

fn message_attributes(message: &Received) -> Value {
    let attributes = message.content.attributes.iter();
    Value::Object(Map::from_iter(attributes.map(|(name, attribute)| {
        (name.clone(), message_attribute(attribute))
    })))
}

fn message_attribute(attribute: &MessageAttribute) -> Value {
    let (name, value) = match &attribute.value {
        AttributeValue::Text(text) => ("stringValue", text.clone()),
        AttributeValue::Binary(bytes) => ("binaryValue", STANDARD.encode(bytes)),
    };
    json!({
        name: value,
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": attribute.data_type,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::Arc,
        time::{Duration, UNIX_EPOCH},
    };

    use super::*;
    use crate::sqs::message::Content;

    const ARN: &str = "arn:aws:sqs:us-east-1:123456789012:notify-queue";

    fn received(content: Content) -> Received {
        Received {
            id: "059f36b4-87a3-44ab-83d2-661975830a7d".to_owned(),
            receipt_handle: "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a".to_owned(),
            content: Arc::new(content),
            sent_at: UNIX_EPOCH + Duration::from_millis(1_795_169_731_012),
            first_received_at: UNIX_EPOCH + Duration::from_millis(1_795_169_731_020),
            receive_count: 1,
            hidden_until: UNIX_EPOCH,
            dead_letter_source: None,
        }
    }

    fn parsed(content: Content) -> Value {
        let record = record(&received(content), ARN, "us-east-1");
        serde_json::from_slice(&event(&[record])).expect("JSON")
    }

    #[test]
    fn plain_message_becomes_the_event_of_aws() {
        assert_eq!(
            parsed(Content::text("hello")),
            json!({ "Records": [{
                "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": "hello",
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1795169731012",
                    "SenderId": "AIDALOCALLOCALLOCALLO",
                    "ApproximateFirstReceiveTimestamp": "1795169731020",
                },
                "messageAttributes": {},
                "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
                "eventSource": "aws:sqs",
                "eventSourceARN": ARN,
                "awsRegion": "us-east-1",
            }] })
        );
    }

    #[test]
    fn attributes_have_the_lambda_shape_and_parse_as_sqs_event() {
        let binary = MessageAttribute {
            data_type: "Binary".to_owned(),
            value: AttributeValue::Binary(vec![0, 255]),
        };
        let event = parsed(Content {
            attributes: BTreeMap::from([
                ("reason".to_owned(), MessageAttribute::string("too late")),
                ("blob".to_owned(), binary),
            ]),
            system_attributes: BTreeMap::from([("AWSTraceHeader".to_owned(), "Root=1".to_owned())]),
            ..Content::text("hello")
        });
        let record = &event["Records"][0];
        assert_eq!(
            record["messageAttributes"],
            json!({
                "reason": {
                    "stringValue": "too late",
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": "String",
                },
                "blob": {
                    "binaryValue": "AP8=",
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": "Binary",
                },
            })
        );
        assert_eq!(record["attributes"]["AWSTraceHeader"], "Root=1");
        assert!(record["md5OfMessageAttributes"].is_string());
        let read: aws_lambda_events::sqs::SqsEvent =
            serde_json::from_value(event).expect("an SQS event");
        assert_eq!(read.records[0].body.as_deref(), Some("hello"));
    }

    #[test]
    fn records_beyond_the_event_limit_do_not_fit() {
        let records = ["1".repeat(10), "2".repeat(10), "3".repeat(10)];
        let size = |count: usize| event(&records[..count]).len();
        for (limit, expected) in [
            (size(3), 3),
            (size(3) - 1, 2),
            (size(2), 2),
            (size(2) - 1, 1),
            (size(1) - 1, 1),
        ] {
            assert_eq!(fitting(&records, limit), expected, "{limit}");
        }
    }
}
