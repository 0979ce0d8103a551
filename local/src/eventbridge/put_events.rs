//! The request of `PutEvents`: the checks of the request and its entries, and the event of an
//! entry.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::event::{Event, Parts};
use crate::aws_json::ServiceError;

/// The largest number of entries in one request.
const MAX_ENTRIES: usize = 10;

/// The largest size in bytes of all entries of a request together.
const MAX_REQUEST_SIZE: usize = 1024 * 1024;

/// The bytes that `Time` adds to the size, independent of its notation.
const TIME_SIZE: usize = 14;

/// The request of `PutEvents`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEvents {
    pub(super) entries: Vec<Entry>,
}

/// One entry of a request, from which an event is made.
#[derive(Debug, Default)]
pub(super) struct Entry {
    members: Members,
    /// The reason why the members are unreadable. The entry then fails alone.
    unreadable: Option<String>,
}

/// The members of an entry.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Members {
    source: Option<String>,
    detail_type: Option<String>,
    /// JSON text.
    detail: Option<String>,
    resources: Option<Vec<String>>,
    /// Seconds since the epoch.
    time: Option<f64>,
    /// A name or an ARN.
    event_bus_name: Option<String>,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Value::deserialize(deserializer)?;
        Ok(match serde_json::from_value(members) {
            Ok(members) => Self {
                members,
                unreadable: None,
            },
            Err(error) => Self {
                members: Members::default(),
                unreadable: Some(error.to_string()),
            },
        })
    }
}

/// The reason why an entry is refused. It does not affect the other entries of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryError {
    code: &'static str,
    message: String,
}

/// The members of an event that its entry does not have.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventContext<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    /// The time of events whose entry has none.
    pub(super) now: DateTime<Utc>,
}

impl PutEvents {
    /// Checks the number and the total size of the entries, which fail the request as a whole.
    pub(super) fn check(&self) -> Result<(), ServiceError> {
        match self.entries.len() {
            0 => return Err(wrong_length("[]", "greater than or equal to 1")),
            1..=MAX_ENTRIES => {}
            _ => {
                let limit = format!("less than or equal to {MAX_ENTRIES}");
                return Err(wrong_length("[…]", &limit));
            }
        }
        if self.entries.iter().map(Entry::size).sum::<usize>() > MAX_REQUEST_SIZE {
            return Err(ServiceError::bad_request(
                "ValidationException",
                "Total size of the entries in the request is over the limit.",
            ));
        }
        Ok(())
    }
}

impl Entry {
    /// Makes an event of the entry.
    pub(super) fn event(&self, context: EventContext<'_>) -> Result<Event, EntryError> {
        if let Some(reason) = &self.unreadable {
            return Err(EntryError::new(
                "InvalidArgument",
                format!("The entry is not valid. Reason: {reason}."),
            ));
        }
        let source = required("Source", self.members.source.as_deref())?;
        let detail_type = required("DetailType", self.members.detail_type.as_deref())?;
        let detail = required("Detail", self.members.detail.as_deref())?;
        if source.starts_with("aws.") {
            return Err(EntryError::new(
                "NotAuthorizedForSourceException",
                "Not authorized for the source.",
            ));
        }
        Event::new(Parts {
            source,
            detail_type,
            detail,
            resources: self.members.resources.as_deref().unwrap_or_default(),
            time: self.time_or(context.now)?,
            ingested_at: context.now,
            account: context.account,
            region: context.region,
        })
        .ok_or_else(|| EntryError::new("MalformedDetail", "Detail is malformed."))
    }

    /// Returns the name or ARN of the entry's bus. `None` for the default bus.
    pub(super) fn event_bus_name(&self) -> Option<&str> {
        self.members.event_bus_name.as_deref()
    }

    fn time_or(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, EntryError> {
        let Some(seconds) = self.members.time else {
            return Ok(now);
        };
        // The cast saturates to a value beyond chrono's range.
        DateTime::from_timestamp(seconds.floor() as i64, 0).ok_or_else(|| {
            EntryError::new(
                "InvalidArgument",
                "Parameter Time is not valid. Reason: Time must be seconds since 1970-01-01.",
            )
        })
    }

    /// Returns the entry's size by the user guide's "Calculating PutEvents event entry size".
    fn size(&self) -> usize {
        let texts = [
            &self.members.source,
            &self.members.detail_type,
            &self.members.detail,
        ];
        let texts = texts.into_iter().flatten();
        let resources = self.members.resources.iter().flatten();
        let time = self.members.time.map_or(0, |_| TIME_SIZE);
        time + texts.chain(resources).map(String::len).sum::<usize>()
    }
}

impl EntryError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Returns the entry's part of the answer.
    pub(super) fn answer(&self) -> Value {
        json!({ "ErrorCode": self.code, "ErrorMessage": self.message })
    }
}

fn required<'a>(name: &str, value: Option<&'a str>) -> Result<&'a str, EntryError> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        EntryError::new(
            "InvalidArgument",
            format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
        )
    })
}

fn wrong_length(value: &str, limit: &str) -> ServiceError {
    ServiceError::bad_request(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at 'entries' failed to satisfy constraint: Member must have length {limit}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> EventContext<'static> {
        EventContext {
            account: "123456789012",
            region: "us-east-1",
            now: DateTime::UNIX_EPOCH,
        }
    }

    fn entry(changes: Value) -> Entry {
        let mut entry = json!({ "Source": "shop", "DetailType": "order", "Detail": "{}" });
        for (name, value) in changes.as_object().expect("an object") {
            entry[name] = value.clone();
        }
        serde_json::from_value(entry).expect("an entry")
    }

    #[test]
    fn invalid_entry_returns_code_and_reason() {
        let required = |name: &str| {
            format!("Parameter {name} is not valid. Reason: {name} is a required argument.")
        };
        let malformed = "Detail is malformed.".to_owned();
        for (changes, code, message) in [
            (
                json!({ "Source": null }),
                "InvalidArgument",
                required("Source"),
            ),
            (
                json!({ "Source": "" }),
                "InvalidArgument",
                required("Source"),
            ),
            (
                json!({ "DetailType": null }),
                "InvalidArgument",
                required("DetailType"),
            ),
            (
                json!({ "Detail": null }),
                "InvalidArgument",
                required("Detail"),
            ),
            (
                json!({ "Detail": "text" }),
                "MalformedDetail",
                malformed.clone(),
            ),
            (
                json!({ "Detail": "\"text\"" }),
                "MalformedDetail",
                malformed.clone(),
            ),
            (
                json!({ "Detail": "[]" }),
                "MalformedDetail",
                malformed.clone(),
            ),
            (
                json!({ "Detail": "{\"a\":}" }),
                "MalformedDetail",
                malformed,
            ),
            (
                json!({ "Source": "aws.ec2" }),
                "NotAuthorizedForSourceException",
                "Not authorized for the source.".to_owned(),
            ),
            (
                json!({ "Time": 1e300 }),
                "InvalidArgument",
                "Parameter Time is not valid. Reason: Time must be seconds since 1970-01-01."
                    .to_owned(),
            ),
        ] {
            let error = entry(changes.clone())
                .event(context())
                .expect_err("no event");
            assert_eq!(error, EntryError { code, message }, "{changes}");
        }
    }

    #[test]
    fn unreadable_entry_fails_alone() {
        for (bad, reason) in [
            (json!({ "Source": 7 }), "invalid type: integer `7`"),
            (json!({ "Source": "s", "Detail": {} }), "invalid type: map"),
            (json!({ "Resources": "one" }), "invalid type: string"),
            (json!({ "Resources": [1] }), "invalid type: integer `1`"),
            (json!({ "Time": "now" }), "invalid type: string"),
            (json!("text"), "invalid type: string"),
            (Value::Null, "invalid type: null"),
        ] {
            let good = json!({ "Source": "shop", "DetailType": "order", "Detail": "{}" });
            let request = json!({ "Entries": [good, bad, good] });
            let request: PutEvents = serde_json::from_value(request).expect("a request");
            request
                .check()
                .expect("an unreadable entry does not fail the request");
            let events = request.entries.iter().map(|entry| entry.event(context()));
            let events: Vec<_> = events.collect();
            assert!(events[0].is_ok() && events[2].is_ok(), "{bad}");
            let error = events[1].as_ref().expect_err("an unreadable entry");
            assert_eq!(error.code, "InvalidArgument");
            let expected = format!("The entry is not valid. Reason: {reason}");
            assert!(error.message.starts_with(&expected), "{}", error.message);
        }
    }

    #[test]
    fn event_time_is_the_entry_time_or_now_in_whole_seconds() {
        for (time, expected) in [
            (Value::Null, "1970-01-01T00:00:00Z"),
            (json!(1_795_169_730), "2026-11-20T10:15:30Z"),
            (json!(1_795_169_730.999), "2026-11-20T10:15:30Z"),
        ] {
            let event = entry(json!({ "Time": time }))
                .event(context())
                .expect("an event");
            assert_eq!(event.value["time"], expected);
        }
    }

    #[test]
    fn entry_size_counts_the_members_of_the_user_guide() {
        assert_eq!(entry(json!({})).size(), 4 + 5 + 2);
        assert_eq!(entry(json!({ "Time": 1.5 })).size(), 4 + 5 + 2 + 14);
        assert_eq!(
            entry(json!({ "Resources": ["ab", "é"] })).size(),
            4 + 5 + 2 + 2 + 2
        );
        assert_eq!(entry(json!({ "EventBusName": "free" })).size(), 4 + 5 + 2);
    }

    #[test]
    fn request_with_0_or_11_entries_or_more_than_1_mib_is_refused() {
        let of_size = |size: usize| entry(json!({ "Detail": "x".repeat(size - 4 - 5) }));
        let request = |entries| PutEvents { entries };
        let failure = |entries| request(entries).check().expect_err("refused").message;

        let ten = || {
            (0..10)
                .map(|_| of_size(MAX_REQUEST_SIZE / 16))
                .collect::<Vec<_>>()
        };
        request(ten()).check().expect("ten entries");
        request(vec![of_size(MAX_REQUEST_SIZE)])
            .check()
            .expect("1 MiB");
        let half = MAX_REQUEST_SIZE / 2;
        request(vec![of_size(half), of_size(half)])
            .check()
            .expect("1 MiB together");

        assert_eq!(
            failure(vec![of_size(half), of_size(half + 1)]),
            "Total size of the entries in the request is over the limit."
        );
        assert_eq!(
            failure(vec![]),
            "1 validation error detected: Value '[]' at 'entries' failed to satisfy constraint: Member must have length greater than or equal to 1"
        );
        let eleven = ten().into_iter().chain([of_size(20)]).collect();
        assert_eq!(
            failure(eleven),
            "1 validation error detected: Value '[…]' at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10"
        );
    }
}
