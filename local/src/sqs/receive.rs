//! The operation `ReceiveMessage`.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    call::addressed,
    clock::since_epoch,
    errors,
    message::{AttributeValue, MessageAttribute, md5_of_attributes, md5_of_text},
    queue::Received,
    queues::Queues,
};
use crate::aws_json::{Answer, ServiceError};

/// The sender of every message, in the form of an IAM user's id.
const SENDER_ID: &str = "AIDALOCALLOCALLOCALLO";
const MAXIMUM_MESSAGES: u64 = 10;
const MAXIMUM_VISIBILITY: u64 = 43_200;
const MAXIMUM_WAIT: u64 = 20;

/// The operation's input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Request {
    queue_url: String,
    max_number_of_messages: Option<u64>,
    visibility_timeout: Option<u64>,
    wait_time_seconds: Option<u64>,
    /// The older name of the next member.
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

/// Receives up to ten messages, and waits up to twenty seconds for the first.
pub(super) async fn receive_message(queues: &Queues, request: Request) -> Answer {
    let queue = addressed(queues, &request.queue_url)?;
    let maximum = request.max_number_of_messages.unwrap_or(1);
    check_range("MaxNumberOfMessages", maximum, 1, MAXIMUM_MESSAGES)?;
    let visibility = check_visibility(request.visibility_timeout)?;
    let wait = match request.wait_time_seconds {
        Some(seconds) => {
            check_range("WaitTimeSeconds", seconds, 0, MAXIMUM_WAIT)?;
            Duration::from_secs(seconds)
        }
        None => queues.definition(queue).receive_wait,
    };
    let received = queues
        .receive(queue, maximum as usize, visibility, wait)
        .await;
    if received.is_empty() {
        return Ok(json!({}));
    }
    let messages = received.iter().map(|message| request.render(message));
    Ok(json!({ "Messages": messages.collect::<Vec<_>>() }))
}

/// Checks a visibility timeout in seconds: 12 hours at most.
pub(super) fn check_visibility(seconds: Option<u64>) -> Result<Option<Duration>, ServiceError> {
    if let Some(seconds) = seconds {
        check_range("VisibilityTimeout", seconds, 0, MAXIMUM_VISIBILITY)?;
    }
    Ok(seconds.map(Duration::from_secs))
}

/// Returns every system attribute of a message by name, for receivers and functions.
pub(super) fn system_attributes(message: &Received) -> BTreeMap<String, String> {
    let mut attributes = message.content.system_attributes.clone();
    let mut insert = |name: &str, value: String| attributes.insert(name.to_owned(), value);
    insert("SenderId", SENDER_ID.to_owned());
    insert("SentTimestamp", epoch_milliseconds(message.sent_at));
    insert("ApproximateReceiveCount", message.receive_count.to_string());
    let first_received_at = epoch_milliseconds(message.first_received_at);
    insert("ApproximateFirstReceiveTimestamp", first_received_at);
    if let Some(source) = &message.dead_letter_source {
        insert("DeadLetterQueueSourceArn", source.clone());
    }
    attributes
}

impl Request {
    fn render(&self, message: &Received) -> Value {
        let mut output = json!({
            "MessageId": message.id,
            "ReceiptHandle": message.receipt_handle,
            "MD5OfBody": md5_of_text(&message.content.body),
            "Body": message.content.body,
        });
        let mut attributes = system_attributes(message);
        attributes.retain(|name, _| self.wants_system_attribute(name));
        if !attributes.is_empty() {
            output["Attributes"] = json!(attributes);
        }
        let mut attributes = message.content.attributes.clone();
        attributes.retain(|name, _| self.wants_attribute(name));
        // The sum covers the returned attributes alone, because SDKs check it against them.
        if let Some(sum) = md5_of_attributes(&attributes) {
            output["MD5OfMessageAttributes"] = json!(sum);
            output["MessageAttributes"] = render_attributes(&attributes);
        }
        output
    }

    fn wants_system_attribute(&self, name: &str) -> bool {
        let mut wanted = self
            .attribute_names
            .iter()
            .chain(&self.message_system_attribute_names);
        wanted.any(|wanted| wanted == "All" || wanted == name)
    }

    /// Returns whether an attribute is requested. A requested name may be `All` or `.*` for every
    /// attribute, or `prefix.*`.
    fn wants_attribute(&self, name: &str) -> bool {
        self.message_attribute_names.iter().any(|wanted| {
            let prefix = wanted.strip_suffix(".*");
            wanted == "All"
                || wanted == name
                || prefix.is_some_and(|prefix| name.starts_with(prefix))
        })
    }
}

fn render_attributes(attributes: &BTreeMap<String, MessageAttribute>) -> Value {
    let render = |attribute: &MessageAttribute| match &attribute.value {
        AttributeValue::Text(text) => {
            json!({ "DataType": attribute.data_type, "StringValue": text })
        }
        AttributeValue::Binary(bytes) => {
            json!({ "DataType": attribute.data_type, "BinaryValue": STANDARD.encode(bytes) })
        }
    };
    let attributes = attributes.iter();
    Value::Object(Map::from_iter(
        attributes.map(|(name, attribute)| (name.clone(), render(attribute))),
    ))
}

fn check_range(name: &str, value: u64, from: u64, to: u64) -> Result<(), ServiceError> {
    if (from..=to).contains(&value) {
        return Ok(());
    }
    Err(errors::invalid_parameter_value(format!(
        "Value {value} for parameter {name} is invalid. Reason: Must be between {from} and {to}, if \
         provided."
    )))
}

fn epoch_milliseconds(time: SystemTime) -> String {
    since_epoch(time).as_millis().to_string()
}
