//! The event ids in a text: an event, a message without one or a push on a queue, a frame or an acknowledgement.
//!
//! Texts are parsed leniently: one that is not understood has no ids.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The part of a queue's invocation that is recorded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    /// The ARN of the queue.
    pub(crate) queue: String,
    /// The number of records.
    pub(crate) count: usize,
    /// The event ids in their bodies, each once.
    pub(crate) event_ids: Vec<String>,
}

/// Returns the ids in the body of a message on a queue, or in a frame to a client.
///
/// The id of an EventBridge event is its sender's `idempotencyKey`, or else its own.
pub(crate) fn of_body(body: &str) -> Vec<String> {
    let Ok(body) = serde_json::from_str::<Body<'_>>(body) else {
        return Vec::new();
    };
    let id = match (body.push, body.detail) {
        (Some(push), _) => within::<Push<'_>>(push).event_id.and_then(text),
        (None, Some(detail)) => {
            let key = within::<Detail<'_>>(detail).idempotency_key;
            key.and_then(text).or_else(|| text(body.id?))
        }
        (None, None) => body.event_id.or(body.idempotency_key).and_then(text),
    };
    let several = body.event_ids.map(|ids| ids.get());
    let several: Vec<String> = several.map_or_else(Vec::new, |ids| {
        serde_json::from_str(ids).unwrap_or_default()
    });
    id.into_iter().chain(several).collect()
}

/// Returns the records of an invocation by a queue; `None` if the event is of another kind.
pub(crate) fn of_records(event: &[u8]) -> Option<Records> {
    let event: QueueEvent<'_> = serde_json::from_slice(event).ok()?;
    let queue = event.records.first()?.queue.to_string();
    let bodies = event.records.iter().map(|record| &record.body);
    let mut event_ids: Vec<_> = bodies.flat_map(|body| of_body(body)).collect();
    let mut seen = std::collections::HashSet::new();
    event_ids.retain(|id| seen.insert(id.clone()));
    Some(Records {
        queue,
        count: event.records.len(),
        event_ids,
    })
}

/// Returns the ids in the reply that a function returns for a client.
pub(crate) fn of_answer(answer: &[u8]) -> Vec<String> {
    let answer: Answer<'_> = serde_json::from_slice(answer).unwrap_or_default();
    answer.body.map_or_else(Vec::new, |body| of_body(&body))
}

// Raw values, so that a member of an unexpected type counts as missing, and unused text is not unescaped.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    push: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    event_id: Option<&'a RawValue>,
    #[serde(borrow)]
    idempotency_key: Option<&'a RawValue>,
    #[serde(borrow)]
    event_ids: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Push<'a> {
    #[serde(borrow)]
    event_id: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(borrow)]
    idempotency_key: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct QueueEvent<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<QueueRecord<'a>>,
}

#[derive(Deserialize)]
struct QueueRecord<'a> {
    #[serde(borrow)]
    body: Cow<'a, str>,
    #[serde(rename = "eventSourceARN", borrow)]
    queue: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
}

fn within<'a, T: Default + Deserialize<'a>>(value: &'a RawValue) -> T {
    serde_json::from_str(value.get()).unwrap_or_default()
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_body_has_its_ids() {
        for (body, expected) in [
            (r#"{"id":"e-1","detail":{"message":1}}"#, &["e-1"][..]),
            (
                r#"{"id":"e-1","detail":{"idempotencyKey":"k-1"}}"#,
                &["k-1"],
            ),
            (r#"{"id":"e-1","detail":{"idempotencyKey":null}}"#, &["e-1"]),
            (r#"{"id":"e-1","detail":{"idempotencyKey":5}}"#, &["e-1"]),
            (r#"{"id":"e-1","detail":5}"#, &["e-1"]),
            (r#"{"id":"e-1","detail":{"eventId":"other"}}"#, &["e-1"]),
            (
                r#"{"push":{"eventId":"p-1","frame":{"eventId":"other"}}}"#,
                &["p-1"],
            ),
            (
                r#"{"push":null,"id":"e-1","detail":{"push":{"eventId":"x"}}}"#,
                &["e-1"],
            ),
            (
                r#"{"entityId":"a","message":{"eventId":"other"},"idempotencyKey":"k-2"}"#,
                &["k-2"],
            ),
            (r#"{"type":"Broadcast","eventId":"f-1"}"#, &["f-1"]),
            (r#"{"eventId":"with \"quotes\""}"#, &["with \"quotes\""]),
            (r#"{"type":"ack","eventIds":["a","b"]}"#, &["a", "b"]),
            (r#"{"type":"ack","action":"subscribe"}"#, &[]),
            (r#"{"type":"ack","eventIds":[1]}"#, &[]),
            (r#"{"eventId":5}"#, &[]),
            (r#"{"push":5}"#, &[]),
            (r#"{"id":"7","action":"ping"}"#, &[]),
            (r#"["eventId"]"#, &[]),
            ("5", &[]),
            ("not JSON", &[]),
            ("", &[]),
        ] {
            assert_eq!(of_body(body), expected, "{body}");
        }
    }

    #[test]
    fn event_of_a_queue_names_its_queue_and_each_id_once() {
        let record = |body: &str| json!({"messageId": "m", "body": body, "eventSourceARN": "arn"});
        let event = json!({"Records": [
            record(r#"{"id":"e-1","detail":{}}"#),
            record("not JSON"),
            record(r#"{"push":{"eventId":"p-1"}}"#),
            record(r#"{"push":{"eventId":"e-1"}}"#),
        ]});
        let expected = Records {
            queue: "arn".to_owned(),
            count: 4,
            event_ids: vec!["e-1".to_owned(), "p-1".to_owned()],
        };
        assert_eq!(of_records(event.to_string().as_bytes()), Some(expected));
        for event in [
            r#"{"requestContext":{},"body":"{}"}"#,
            r#"{"Records":[]}"#,
            "x",
        ] {
            assert_eq!(of_records(event.as_bytes()), None, "{event}");
        }
    }

    #[test]
    fn reply_to_a_client_has_the_ids_of_its_acknowledgement() {
        for (answer, expected) in [
            (
                r#"{"statusCode":200,"body":"{\"eventId\":\"m-1\"}"}"#,
                &["m-1"][..],
            ),
            (r#"{"statusCode":200}"#, &[]),
            (r#"{"batchItemFailures":[]}"#, &[]),
            ("null", &[]),
        ] {
            assert_eq!(of_answer(answer.as_bytes()), expected, "{answer}");
        }
    }
}
