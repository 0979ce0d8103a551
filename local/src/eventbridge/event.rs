//! An event: the value that rules match and the text that targets receive.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use uuid::Uuid;

use crate::{
    activity::{RecordKind, event_ids, kept_detail},
    template::{Rule, Target},
};

use super::input::Delivered;

/// An accepted event.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// The event's unique id, the same for every target, so receivers can recognise duplicates.
    pub(super) id: String,
    /// The text that a target without an input of its own receives. It holds `detail` as it was sent, except for characters
    /// that SQS refuses.
    pub(super) body: String,
    /// The same as a value, for matching.
    pub(super) value: Value,
    /// The time at which it was accepted, in RFC 3339.
    ingested_at: String,
    /// `detail` as it was sent, for the activity record; `None` if it is too large for one.
    detail: Option<Box<RawValue>>,
}

/// The parts of a new event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    pub(super) source: &'a str,
    pub(super) detail_type: &'a str,
    /// JSON text.
    pub(super) detail: &'a str,
    pub(super) resources: &'a [String],
    pub(super) time: DateTime<Utc>,
    pub(super) ingested_at: DateTime<Utc>,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
}

impl Event {
    /// Makes an event with a new id. `None` if `detail` is not a JSON object.
    pub(super) fn new(parts: Parts<'_>) -> Option<Self> {
        let id = Uuid::new_v4().to_string();
        let envelope = Envelope {
            version: "0",
            id: &id,
            detail_type: parts.detail_type,
            source: parts.source,
            account: parts.account,
            time: in_seconds(parts.time),
            region: parts.region,
            resources: parts.resources,
            detail: serde_json::from_str(parts.detail).ok()?,
        };
        let body = serde_json::to_string(&envelope).ok()?;
        let value: Value = serde_json::from_str(&body).ok()?;
        value["detail"].is_object().then_some(Self {
            id,
            body: escape_noncharacters(body),
            value,
            ingested_at: in_seconds(parts.ingested_at),
            detail: kept_detail(parts.detail),
        })
    }

    /// Returns the text that a target of a rule receives.
    pub(super) fn body_for(&self, target: &Target, rule: &Rule) -> String {
        let delivered = Delivered {
            event: &self.value,
            ingested_at: &self.ingested_at,
            rule_name: &rule.name,
            rule_arn: &rule.arn,
        };
        let text = target.input.text(delivered).map(escape_noncharacters);
        text.unwrap_or_else(|| self.body.clone())
    }

    /// Returns the activity record of the event, sent from `bus` to the targets of `rules`.
    pub(super) fn happening(&self, bus: &str, rules: &[&Rule]) -> RecordKind {
        let text = |name: &str| self.value[name].as_str().unwrap_or_default().to_owned();
        RecordKind::Event {
            event_id: event_ids::of_body(&self.body)
                .pop()
                .unwrap_or_else(|| self.id.clone()),
            id: self.id.clone(),
            detail_type: text("detail-type"),
            source: text("source"),
            cut: self.detail.is_none(),
            detail: self.detail.clone(),
            bus: bus.to_owned(),
            rules: rules.iter().map(|rule| rule.name.clone()).collect(),
        }
    }
}

fn in_seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Escapes U+FFFE and U+FFFF, which JSON may hold and SQS refuses. They occur in strings only,
/// where an escape means the same. AWS's behaviour is not known.
fn escape_noncharacters(json: String) -> String {
    json.replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff")
}

/// An event's JSON, with its members in AWS's order.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope<'a> {
    version: &'a str,
    id: &'a str,
    detail_type: &'a str,
    source: &'a str,
    account: &'a str,
    time: String,
    region: &'a str,
    resources: &'a [String],
    detail: &'a RawValue,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(detail: &str) -> Parts<'_> {
        Parts {
            source: "com.example.orders",
            detail_type: "order.updated",
            detail,
            resources: &[],
            time: DateTime::from_timestamp(1_795_169_730, 987_000_000).expect("in range"),
            ingested_at: DateTime::from_timestamp(1_795_169_731, 0).expect("in range"),
            account: "123456789012",
            region: "us-east-1",
        }
    }

    #[test]
    fn body_has_members_in_aws_order() {
        let event = Event::new(parts(r#"{"tenantId":"acme"}"#)).expect("an event");
        let expected = format!(
            r#"{{"version":"0","id":"{}","detail-type":"order.updated","source":"com.example.orders","account":"123456789012","time":"2026-11-20T10:15:30Z","region":"us-east-1","resources":[],"detail":{{"tenantId":"acme"}}}}"#,
            event.id
        );
        assert_eq!(event.body, expected);
        assert_eq!(event.value["detail"]["tenantId"], "acme");
    }

    #[test]
    fn each_event_has_a_new_version_4_uuid() {
        let [first, second] = [0, 1].map(|_| Event::new(parts("{}")).expect("an event").id);
        assert_ne!(first, second);
        let id = Uuid::parse_str(&first).expect("a UUID");
        assert_eq!(id.get_version_num(), 4);
    }

    #[test]
    fn body_keeps_the_text_of_detail() {
        for detail in [
            r#"{"n":12345678901234567890123.4500,"e":3.0e2}"#,
            r#"{"escaped":"\u00e9\/\ud83d\ude80","plain":"é/🚀","\u0061":"\t"}"#,
            r#"{"b":1, "a":2,  "b":3}"#,
        ] {
            let event = Event::new(parts(detail)).expect("an event");
            assert!(
                event.body.ends_with(&format!(r#""detail":{detail}}}"#)),
                "{}",
                event.body
            );
        }
    }

    #[test]
    fn detail_that_is_not_an_object_is_refused() {
        let deep = format!("{}{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
        for detail in [
            "",
            "text",
            r#""text""#,
            "[{}]",
            "null",
            "{",
            "{} {}",
            r#"{"a":"\ud83d"}"#,
            &deep,
        ] {
            assert!(Event::new(parts(detail)).is_none(), "{detail:.40}");
        }
    }
}
