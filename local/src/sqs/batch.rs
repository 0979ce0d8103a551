//! The shared part of the three batch operations: up to ten entries, each of which succeeds or
//! fails alone.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::errors;
use crate::aws_json::{Answer, ServiceError};

const MAX_ENTRIES: usize = 10;
const MAX_ID_LENGTH: usize = 80;

/// A batch operation's input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", bound = "T: DeserializeOwned")]
pub(super) struct Batch<T> {
    pub(super) queue_url: String,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<Entry<T>>,
}

/// One entry of a batch: the input for a single message, with an id.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) id: String,
    /// The input, or an error if a member is missing or has a wrong type: the entry then fails
    /// alone.
    pub(super) request: Result<T, ServiceError>,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Entry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An entry that is no JSON object fails the request, as AWS's JSON protocol cannot parse
        // it.
        let mut members = Map::deserialize(deserializer)?;
        let id = match members.remove("Id") {
            Some(Value::String(id)) => id,
            // `Batch::check` refuses the empty id and with it the batch.
            _ => String::new(),
        };
        let request = serde_json::from_value(Value::Object(members)).map_err(|error| {
            errors::invalid_parameter_value(format!("The entry is not valid. Reason: {error}."))
        });
        Ok(Self { id, request })
    }
}

impl<T> Batch<T> {
    /// Checks the number of entries and their ids, which fail the batch as a whole.
    pub(super) fn check(&self) -> Result<(), ServiceError> {
        match self.entries.len() {
            0 => return Err(errors::empty_batch_request()),
            sent if sent > MAX_ENTRIES => {
                return Err(errors::too_many_entries_in_batch_request(MAX_ENTRIES, sent));
            }
            _ => {}
        }
        let mut seen = HashSet::new();
        for Entry { id, .. } in &self.entries {
            if !is_entry_id(id) {
                return Err(errors::invalid_batch_entry_id());
            }
            if !seen.insert(id) {
                return Err(errors::batch_entry_ids_not_distinct(id));
            }
        }
        Ok(())
    }

    /// Runs `single` for each entry and collects the results.
    pub(super) fn answer(self, mut single: impl FnMut(T) -> Answer) -> Answer {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for Entry { id, request } in self.entries {
            match request.and_then(&mut single) {
                Ok(mut output) => {
                    output["Id"] = json!(id);
                    successful.push(output);
                }
                Err(error) => failed.push(failure(&id, &error)),
            }
        }
        Ok(json!({ "Successful": successful, "Failed": failed }))
    }
}

fn failure(id: &str, error: &ServiceError) -> Value {
    let code = error.query_code.unwrap_or(&error.code);
    json!({
        "Id": id,
        "SenderFault": error.status < 500,
        "Code": code.trim_end_matches(";Sender"),
        "Message": error.message,
    })
}

fn is_entry_id(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=MAX_ID_LENGTH).contains(&id.len()) && id.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws_json::parse;

    fn check(ids: &[&str]) -> Option<&'static str> {
        let entries = ids
            .iter()
            .map(|id| Entry {
                id: (*id).to_owned(),
                request: Ok(()),
            })
            .collect();
        let batch = Batch {
            queue_url: String::new(),
            entries,
        };
        batch.check().err().and_then(|error| error.query_code)
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        message_body: String,
        delay_seconds: Option<u64>,
    }

    #[test]
    fn entry_that_is_not_an_object_fails_the_batch() {
        for bad in [json!("text"), json!(7), json!(["a"]), Value::Null] {
            let good = json!({ "Id": "good", "MessageBody": "b" });
            let batch = json!({ "QueueUrl": "q", "Entries": [good, bad] });
            let error = parse::<Batch<Input>>(batch).expect_err("no batch");
            assert_eq!(error.code, "SerializationException", "{bad}");
        }
    }

    #[test]
    fn entry_with_missing_or_mistyped_member_fails_alone() {
        for (bad, reason) in [
            (json!({}), "missing field `MessageBody`"),
            (json!({ "MessageBody": 7 }), "invalid type: integer `7`"),
            (json!({ "MessageBody": null }), "invalid type: null"),
            (
                json!({ "MessageBody": "b", "DelaySeconds": -1 }),
                "invalid value: integer `-1`",
            ),
            (
                json!({ "MessageBody": "b", "DelaySeconds": "soon" }),
                "invalid type: string",
            ),
        ] {
            let mut bad = bad;
            bad["Id"] = json!("bad");
            let good = json!({ "Id": "good", "MessageBody": "b", "DelaySeconds": 1 });
            let batch = json!({ "QueueUrl": "q", "Entries": [bad, good] });
            let batch: Batch<Input> = serde_json::from_value(batch).expect("a batch");
            batch.check().expect("valid ids");
            let answer = batch
                .answer(|input| Ok(json!({ "Sent": [input.message_body, input.delay_seconds] })))
                .expect("an answer");
            assert_eq!(
                answer["Successful"],
                json!([{ "Sent": ["b", 1], "Id": "good" }])
            );
            let failed = &answer["Failed"][0];
            assert_eq!(
                (&failed["Id"], &failed["SenderFault"]),
                (&json!("bad"), &json!(true))
            );
            let message = failed["Message"].as_str().expect("a message");
            assert!(message.contains(reason), "{message}");
        }
    }

    #[test]
    fn batch_with_0_or_11_entries_or_invalid_ids_is_refused() {
        let ten = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let eleven = [ten.as_slice(), &["10"]].concat();
        let (longest, longer) = ("i".repeat(80), "i".repeat(81));
        for (ids, expected) in [
            (ten.as_slice(), None),
            (&[longest.as_str()], None),
            (&["a-b_C9"], None),
            (&[], Some("AWS.SimpleQueueService.EmptyBatchRequest;Sender")),
            (
                &eleven,
                Some("AWS.SimpleQueueService.TooManyEntriesInBatchRequest;Sender"),
            ),
            (
                &["a", "b", "a"],
                Some("AWS.SimpleQueueService.BatchEntryIdsNotDistinct;Sender"),
            ),
            (
                &[""],
                Some("AWS.SimpleQueueService.InvalidBatchEntryId;Sender"),
            ),
            (
                &["a b"],
                Some("AWS.SimpleQueueService.InvalidBatchEntryId;Sender"),
            ),
            (
                &[&longer],
                Some("AWS.SimpleQueueService.InvalidBatchEntryId;Sender"),
            ),
        ] {
            assert_eq!(check(ids), expected, "{ids:?}");
        }
    }
}
