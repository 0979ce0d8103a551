//! The operations `SendMessage` and `SendMessageBatch`.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    batch::Batch,
    call::addressed,
    errors,
    message::{AttributeValue, Content, MessageAttribute, md5_of_attributes, md5_of_text},
    queues::{QueueId, Queues},
};
use crate::aws_json::{Answer, ServiceError};

/// The largest total size in bytes of a batch's messages.
const MAXIMUM_BATCH_SIZE: usize = 1 << 20;

/// `SendMessage`'s input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Single {
    queue_url: String,
    #[serde(flatten)]
    message: Message,
}

/// The shared input of `SendMessage` and of an entry of `SendMessageBatch`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Message {
    message_body: String,
    delay_seconds: Option<u64>,
    message_attributes: Option<BTreeMap<String, WireAttribute>>,
    message_system_attributes: Option<BTreeMap<String, WireAttribute>>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireAttribute {
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<String>,
}

/// Sends one message.
pub(super) fn send_message(queues: &Queues, request: Single) -> Answer {
    let queue = addressed(queues, &request.queue_url)?;
    send(queues, queue, request.message)
}

/// Sends up to ten messages of at most 1 MiB together.
pub(super) fn send_message_batch(queues: &Queues, batch: Batch<Message>) -> Answer {
    let queue = addressed(queues, &batch.queue_url)?;
    batch.check()?;
    let requests = batch.entries.iter().map(|entry| &entry.request);
    let size = requests.flatten().map(Message::size).sum();
    if size > MAXIMUM_BATCH_SIZE {
        return Err(errors::batch_request_too_long(MAXIMUM_BATCH_SIZE, size));
    }
    batch.answer(|message| send(queues, queue, message))
}

fn send(queues: &Queues, queue: QueueId, message: Message) -> Answer {
    if queues.fails_to_send(queue) {
        return Err(errors::internal_failure());
    }
    let delay = message.delay_seconds.map(Duration::from_secs);
    let (content, md5_of_system_attributes) = message.into_content()?;
    let md5_of_body = md5_of_text(&content.body);
    let md5_of_attributes = md5_of_attributes(&content.attributes);
    let id = queues.send_to(queue, content, delay)?;
    let mut output = json!({ "MessageId": id, "MD5OfMessageBody": md5_of_body });
    insert_some(&mut output, "MD5OfMessageAttributes", md5_of_attributes);
    insert_some(
        &mut output,
        "MD5OfMessageSystemAttributes",
        md5_of_system_attributes,
    );
    Ok(output)
}

impl Message {
    /// Returns the size that counts against the batch. A malformed entry fails alone later.
    fn size(&self) -> usize {
        let attribute_size = |(name, attribute): (&String, &WireAttribute)| {
            let text = attribute.string_value.as_ref().map_or(0, String::len);
            let binary = attribute
                .binary_value
                .as_ref()
                .map_or(0, |value| decoded_length(value));
            name.len() + attribute.data_type.len() + text + binary
        };
        let attributes = self.message_attributes.iter().flatten();
        self.message_body.len() + attributes.map(attribute_size).sum::<usize>()
    }

    /// Returns the content and the MD5 sum of the system attributes.
    fn into_content(self) -> Result<(Content, Option<String>), ServiceError> {
        if self.message_deduplication_id.is_some() {
            return Err(errors::invalid_parameter_value(
                "MessageDeduplicationId is allowed for FIFO queues only; remove it for this standard queue",
            ));
        }
        let given = parse_attributes(self.message_system_attributes)?;
        let md5_of_system_attributes = md5_of_attributes(&given);
        let mut system_attributes = BTreeMap::new();
        for (name, attribute) in given {
            match (name.as_str(), attribute.value) {
                ("AWSTraceHeader", AttributeValue::Text(header)) => {
                    system_attributes.insert(name, header);
                }
                _ => {
                    return Err(errors::invalid_parameter_value(format!(
                        "message system attribute {name} is invalid; only AWSTraceHeader of type \
                         String is allowed"
                    )));
                }
            }
        }
        let group = self
            .message_group_id
            .map(|group| ("MessageGroupId".to_owned(), group));
        system_attributes.extend(group);
        let content = Content {
            body: self.message_body,
            attributes: parse_attributes(self.message_attributes)?,
            system_attributes,
        };
        Ok((content, md5_of_system_attributes))
    }
}

fn parse_attributes(
    attributes: Option<BTreeMap<String, WireAttribute>>,
) -> Result<BTreeMap<String, MessageAttribute>, ServiceError> {
    let attributes = attributes.unwrap_or_default().into_iter();
    attributes
        .map(|(name, attribute)| attribute.parse(name))
        .collect()
}

impl WireAttribute {
    fn parse(self, name: String) -> Result<(String, MessageAttribute), ServiceError> {
        let invalid = |rule: &str| {
            Err(errors::invalid_parameter_value(format!(
                "message attribute {name:?} is invalid: {rule}"
            )))
        };
        let value = match (self.string_value, self.binary_value) {
            (Some(text), None) => AttributeValue::Text(text),
            (None, Some(encoded)) => match STANDARD.decode(encoded) {
                Ok(bytes) => AttributeValue::Binary(bytes),
                Err(_) => return invalid("its BinaryValue must be base64"),
            },
            _ => return invalid("it must have either a StringValue or a BinaryValue"),
        };
        let data_type = self.data_type;
        Ok((name, MessageAttribute { data_type, value }))
    }
}

fn decoded_length(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

fn insert_some(output: &mut Value, name: &str, value: Option<String>) {
    if let Some(value) = value {
        output[name] = json!(value);
    }
}
