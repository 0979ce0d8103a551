//! The failed records of a batch, read from the function's answer.
//!
//! The rules are those of "Implementing partial batch responses" in Lambda's developer guide: an
//! empty list is success, and an invalid answer fails the whole batch.

use std::collections::HashSet;

use serde_json::Value;

/// Returns the ids of the failed records, all among `message_ids`. The error is the reason why the
/// whole batch failed.
pub(super) fn failures(answer: &[u8], message_ids: &[&str]) -> Result<HashSet<String>, String> {
    if answer.trim_ascii().is_empty() {
        return Ok(HashSet::new());
    }
    let answer = serde_json::from_slice::<Value>(answer)
        .map_err(|error| format!("the function's answer must be JSON: {error}"))?;
    let list = match &answer {
        Value::Null => return Ok(HashSet::new()),
        Value::String(text) if text.is_empty() => return Ok(HashSet::new()),
        Value::Object(members) => members.get("batchItemFailures").unwrap_or(&Value::Null),
        _ => return Err("the function's answer must be a JSON object".to_owned()),
    };
    match list {
        Value::Null => Ok(HashSet::new()),
        Value::Array(items) => items
            .iter()
            .map(|item| failure(item, message_ids))
            .collect(),
        _ => Err("batchItemFailures must be a list".to_owned()),
    }
}

fn failure(item: &Value, message_ids: &[&str]) -> Result<String, String> {
    match item.get("itemIdentifier").and_then(Value::as_str) {
        None | Some("") => {
            Err("each item of batchItemFailures must have an itemIdentifier".to_owned())
        }
        Some(id) if message_ids.contains(&id) => Ok(id.to_owned()),
        Some(id) => Err(format!(
            "itemIdentifier must be the id of a record of the batch, got {id}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [&str; 3] = ["a", "b", "c"];

    #[test]
    fn answer_without_failures_is_success() {
        for answer in [
            "",
            "null",
            r#""""#,
            "{}",
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
            r#"{"statusCode":200}"#,
        ] {
            assert_eq!(
                failures(answer.as_bytes(), &IDS),
                Ok(HashSet::new()),
                "{answer}"
            );
        }
    }

    #[test]
    fn listed_records_are_failures() {
        let answer = r#"{"batchItemFailures":[
            {"itemIdentifier":"a"},{"itemIdentifier":"c"},{"itemIdentifier":"a"}]}"#;
        let failed = failures(answer.as_bytes(), &IDS).expect("a valid answer");
        assert_eq!(failed, HashSet::from(["a".to_owned(), "c".to_owned()]));
    }

    #[test]
    fn invalid_answer_fails_the_whole_batch() {
        for answer in [
            "{",
            r#""ok""#,
            "7",
            "[]",
            r#"{"batchItemFailures":"a"}"#,
            r#"{"batchItemFailures":["a"]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":1}]}"#,
            r#"{"batchItemFailures":[{"id":"a"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}"#,
        ] {
            assert!(failures(answer.as_bytes(), &IDS).is_err(), "{answer}");
        }
    }
}
