//! The properties of every request: no text makes the function panic, each message has one result, and a
//! message is the same push over the queue and over the bus.

use std::sync::Mutex;

use herald_shared::{
    log::{History, Log, memory::MemoryLogRows},
    protocol::PublishResult,
    push::Push,
    queue::{EnqueueEach, EnqueueError, Enqueued},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json, value::RawValue};
use tokio::time::Instant;

use super::{
    Publisher,
    keys::{ApiKeys, PresentedKey},
    request::{Outgoing, PublishRequest},
};
use crate::{
    bus::{Bus, BusEvent, PutError},
    http::HttpRequest,
    logs::Logs,
};

const TIME: &str = "2026-11-28T10:15:30Z";

proptest! {
    #[test]
    fn message_is_the_same_push_over_queue_and_bus(message in message()) {
        let message = raw(&message.to_string());
        let Ok(Outgoing { push, event, idempotency_key, .. }) = Outgoing::read(&message, TIME) else {
            return Ok(());
        };
        let detail: Value = serde_json::from_str(&event.detail).expect("JSON");
        let id = idempotency_key.unwrap_or_else(|| push.event_id.clone());
        let delivered = json!({
            "id": id, "detail-type": event.detail_type, "time": TIME, "detail": detail,
        });
        let over_bus = Push::from_queue_body(&delivered.to_string()).expect("a push");
        let frame = |push: &Push| serde_json::from_str::<Value>(push.frame.get()).expect("JSON");
        prop_assert_eq!(frame(&over_bus), frame(&push));
        prop_assert_eq!(
            (over_bus.event_id, over_bus.recipients, over_bus.version),
            (push.event_id, push.recipients, push.version)
        );
    }

    #[test]
    fn damaged_body_is_read_or_refused(body in damaged(body().prop_map(|body| body.to_string()))) {
        let Ok(request) = PublishRequest::parse(&body) else {
            return Ok(());
        };
        prop_assert!((1..=100).contains(&request.messages.len()));
        for message in request.messages {
            if let Err(refusal) = Outgoing::read(message, TIME) {
                prop_assert!(!refusal.message.is_empty());
            }
        }
    }

    #[test]
    fn each_message_is_on_the_queue_or_refused(
        messages in vec(message(), 1..30),
        accepted in vec(any::<bool>(), 30),
        logged in any::<bool>(),
    ) {
        let queue = PartialQueue { accepted, stored: Mutex::default() };
        let history = if logged { History::default() } else { History::off() };
        let logs = Logs {
            log: Log::over(MemoryLogRows::default()),
            history,
            recover_within: std::time::Duration::ZERO,
        };
        let publisher = Publisher { queue: &queue, bus: &NoBus, logs: &logs };
        let read = |message: &Value| Outgoing::read(&raw(&message.to_string()), TIME);
        let outgoing: Vec<_> = messages.iter().map(read).collect();
        let ids: Vec<_> = outgoing
            .iter()
            .map(|outgoing| outgoing.as_ref().ok().map(|sent| sent.push.event_id.clone()))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let results = runtime.block_on(async {
            let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_764_000_000);
            publisher.enqueue(outgoing, now, Instant::now()).await
        });
        prop_assert_eq!(results.len(), messages.len());
        let mut stored = queue.stored.into_inner().expect("no panic").into_iter();
        for (result, id) in results.iter().zip(ids) {
            if let PublishResult::Published { event_id, position, .. } = result {
                let push = stored.next().expect("a push for each result");
                prop_assert_eq!((&push.event_id, &push.position), (event_id, position));
                prop_assert_eq!(Some(event_id), id.as_ref());
                prop_assert_eq!(position.is_some(), logged);
            }
        }
        prop_assert!(stored.next().is_none());
    }

    #[test]
    fn text_is_a_key_only_in_its_own_form(text in prop_oneof![key(), damaged(key()), any::<String>()]) {
        let parts: Vec<_> = text.split('_').collect();
        let has_form = match parts.as_slice() {
            ["hk", id, secret] => {
                id.len() == 12
                    && id.chars().all(|one| matches!(one, 'a'..='z' | '0'..='9'))
                    && (32..=128).contains(&secret.len())
                    && secret.chars().all(|one| one.is_ascii_alphanumeric())
            }
            _ => false,
        };
        prop_assert_eq!(PresentedKey::read(&text).is_some(), has_form);
    }

    #[test]
    fn only_the_key_itself_opens(presented in prop_oneof![Just(OPENS.to_owned()), damaged(Just(OPENS.to_owned()))]) {
        let json = json!({"k1aaaaaaaaaa": {"sha256": OPENS_SHA256, "may": {"**": ["publish"]}}});
        let keys = ApiKeys::from_json(&json.to_string()).expect("keys");
        let opens = PresentedKey::read(&presented).is_some_and(|key| keys.permissions(key).is_some());
        prop_assert_eq!(opens, presented == OPENS);
    }

    #[test]
    fn damaged_keys_are_read_or_refused(json in damaged(Just(format!(
        r#"{{"k1aaaaaaaaaa":{{"sha256":"{OPENS_SHA256}","may":{{"**":["publish"]}}}}}}"#
    )))) {
        if let Err(error) = ApiKeys::from_json(&json) {
            prop_assert!(!error.to_string().contains(OPENS_SHA256));
        }
    }

    #[test]
    fn request_with_any_texts_is_read(
        (path, query, body) in (any::<String>(), any::<String>(), option::of(any::<String>())),
        (content_type, authorization) in (any::<String>(), any::<String>()),
        encoded in any::<bool>(),
    ) {
        let request: HttpRequest = serde_json::from_value(json!({
            "rawPath": path, "rawQueryString": query, "body": body, "isBase64Encoded": encoded,
            "headers": {"content-type": content_type, "authorization": authorization},
            "requestContext": {"http": {"method": "POST", "sourceIp": ""}, "timeEpoch": 0},
        })).expect("a request");
        let _ = request.query("entityId").count();
        let _ = request.bearer();
        if let Ok(read) = request.json_body(100) {
            prop_assert!((1..=100).contains(&read.len()));
        }
    }
}

/// A key, and its hash.
const OPENS: &str = "hk_k1aaaaaaaaaa_0123456789abcdefABCDEF0123456789abcdefABCDE";
const OPENS_SHA256: &str = "86e054a2eb363e770e834ac11b1c71b0552ccadbad7e17f50b0afda06c223764";

/// A queue that stores only some pushes of each call.
struct PartialQueue {
    accepted: Vec<bool>,
    stored: Mutex<Vec<Push>>,
}

impl EnqueueEach for PartialQueue {
    async fn enqueue_each(&self, pushes: &[Push], _: Instant) -> Enqueued {
        let accepted = &self.accepted[..pushes.len()];
        let stored = pushes
            .iter()
            .zip(accepted)
            .filter(|(_, accepted)| **accepted);
        let stored = stored.map(|(push, _)| push.clone());
        self.stored.lock().expect("no panic").extend(stored);
        Enqueued {
            stored: accepted.to_vec(),
            failure: accepted.contains(&false).then_some(EnqueueError::TimedOut),
        }
    }
}

struct NoBus;

impl Bus for NoBus {
    async fn put(&self, _: &[&BusEvent], _: Instant) -> Vec<Result<String, PutError>> {
        Vec::new()
    }
}

/// Returns a message that is often valid.
fn message() -> impl Strategy<Value = Value> {
    let recipient = prop_oneof![
        select(vec!["order-1", "order-2", ""]).prop_map(|id| json!({"entityId": id})),
        select(vec!["ann", "eve"]).prop_map(|id| json!({"userId": id})),
        any::<bool>().prop_map(|broadcast| json!({"broadcast": broadcast})),
        Just(json!({"entityId": "order-1", "userId": "ann"})),
    ];
    let payload = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let field = prop_oneof![
        select(vec!["k-1", "k-2", ""]).prop_map(|key| ("idempotencyKey", json!(key))),
        (0_u64..3).prop_map(|version| ("version", json!(version))),
        Just(("callback", Value::Null)),
        Just(("to", json!("ann"))),
    ];
    (recipient, option::weighted(0.9, payload), vec(field, 0..2)).prop_map(
        |(mut message, payload, fields)| {
            if let Some(payload) = payload {
                message["message"] = payload;
            }
            for (name, value) in fields {
                message[name] = value;
            }
            message
        },
    )
}

fn body() -> impl Strategy<Value = Value> {
    (vec(message(), 0..4), option::of(any::<bool>())).prop_map(|(messages, bus)| match bus {
        Some(bus) => json!({"messages": messages, "bus": bus}),
        None => json!({"messages": messages}),
    })
}

fn key() -> impl Strategy<Value = String> {
    "hk_[a-z0-9]{11,13}_[A-Za-z0-9]{30,34}"
}

/// Returns texts with a few characters removed, replaced or inserted.
fn damaged(texts: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        option::of(any::<char>()),
        any::<bool>(),
    );
    (texts, vec(edit, 1..3)).prop_map(|(text, edits)| {
        let mut characters: Vec<_> = text.chars().collect();
        for (index, inserted, removes) in edits {
            let at = index.index(characters.len() + 1);
            if removes && at < characters.len() {
                characters.remove(at);
            }
            if let Some(inserted) = inserted {
                characters.insert(at, inserted);
            }
        }
        characters.into_iter().collect()
    })
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("JSON")
}
