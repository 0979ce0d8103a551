//! What the three batch operations share: up to ten entries, each of which succeeds or fails alone.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors;
use crate::aws_json::{Answer, ServiceError};

const MAXIMUM_ENTRIES: usize = 10;
const MAXIMUM_ID: usize = 80;

/// A batch operation's input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<T> {
    pub(super) queue_url: String,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<Entry<T>>,
}

/// One entry: the input of the operation for a single message, with an id.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry<T> {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) request: T,
}

impl<T> Batch<T> {
    /// Checks what concerns the batch as a whole.
    pub(super) fn check(&self) -> Result<(), ServiceError> {
        match self.entries.len() {
            0 => return Err(errors::empty_batch_request()),
            sent if sent > MAXIMUM_ENTRIES => {
                return Err(errors::too_many_entries_in_batch_request(
                    MAXIMUM_ENTRIES,
                    sent,
                ));
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

    /// Runs `single` for each entry and gathers what came of it.
    pub(super) fn answer(self, mut single: impl FnMut(T) -> Answer) -> Answer {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for Entry { id, request } in self.entries {
            match single(request) {
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
    (1..=MAXIMUM_ID).contains(&id.len()) && id.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ids: &[&str]) -> Option<&'static str> {
        let entries = ids
            .iter()
            .map(|id| Entry {
                id: (*id).to_owned(),
                request: (),
            })
            .collect();
        let batch = Batch {
            queue_url: String::new(),
            entries,
        };
        batch.check().err().and_then(|error| error.query_code)
    }

    #[test]
    fn a_batch_has_one_to_ten_entries_with_distinct_ids() {
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
