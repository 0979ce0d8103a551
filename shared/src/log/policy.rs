//! The template parameter `History`: which audiences have a log, and what it keeps.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    audience::Audience,
    permissions::{ByPattern, EntityPattern, InvalidPattern},
};

/// The log of an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPolicy {
    /// The last messages.
    Messages {
        /// The number of messages that a client may be behind and still recover.
        messages: u64,
        /// The seconds that a message is kept.
        seconds: u64,
    },
    /// The last message only: the present state of something. It is kept as long as the head. The last is the
    /// one that was published last, which after a redelivery may be an older one: a producer prevents that
    /// with versions.
    Last,
}

/// The log policy of every audience.
///
/// As JSON an object from entity pattern to policy; `$user` and `$everyone` are the logs of each user and of
/// everyone. An entity has the policy of the most specific pattern that matches it, and one without a match
/// has no log. `{}` switches all logs off.
///
/// ```json
/// {
///   "room:**": {"messages": 200, "seconds": 86400},
///   "price:*": {"last": true},
///   "cursor:**": null,
///   "$user": {"messages": 50, "seconds": 3600},
///   "$everyone": {"messages": 20, "seconds": 600}
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    entities: ByPattern<Option<LogPolicy>>,
    user: Option<LogPolicy>,
    everyone: Option<LogPolicy>,
}

/// The most messages of a policy: more than one subscribe could read in a reasonable number of replies.
pub const MESSAGES_LIMIT: u64 = 10_000;

/// The fewest and the most seconds of a policy: at least twice the margin for clocks, longer than a function
/// may run between claiming an offset and storing its row, and less than the lifetime of a head.
pub const SECONDS_LIMITS: (u64, u64) = (120, 7 * 24 * 60 * 60);

/// The reason a text is not a [`History`].
#[derive(Debug, thiserror::Error)]
pub enum InvalidHistory {
    /// The text is not a JSON object of policies.
    #[error(
        "History must be a JSON object from entity pattern to {{\"messages\": …, \"seconds\": …}}, \
         {{\"last\": true}} or null"
    )]
    Unreadable(#[source] serde_json::Error),
    /// A key is not a pattern.
    #[error("History has the key {key:?}, which is not an entity pattern, $user or $everyone")]
    BadPattern {
        /// The key.
        key: String,
        /// The reason it is not a pattern.
        #[source]
        source: InvalidPattern,
    },
    /// A key begins with `$` and is not one of Herald's.
    #[error(
        "History has the unknown key {0:?}: use $user, $everyone or an entity pattern that does not begin \
         with $"
    )]
    UnknownKey(String),
    /// A policy is not one.
    #[error("History of {key:?} {problem}")]
    BadPolicy {
        /// The key.
        key: String,
        /// The mistake in its policy, and what to do.
        problem: String,
    },
}

/// A policy as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    messages: Option<u64>,
    seconds: Option<u64>,
    last: Option<bool>,
}

impl History {
    /// Returns the policies under which no audience has a log.
    pub fn off() -> Self {
        Self {
            entities: ByPattern::default(),
            user: None,
            everyone: None,
        }
    }

    /// Reads the JSON object.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidHistory`] if the text is not JSON of that form, a key is not a pattern, or a number is
    /// out of range.
    pub fn from_json(text: &str) -> Result<Self, InvalidHistory> {
        let written: BTreeMap<String, Option<Written>> =
            serde_json::from_str(text).map_err(InvalidHistory::Unreadable)?;
        let mut history = Self::off();
        let mut entities = Vec::new();
        for (key, written) in written {
            let policy = written.map(|written| read(&key, &written)).transpose()?;
            match key.as_str() {
                "$user" => history.user = policy,
                "$everyone" => history.everyone = policy,
                _ if key.starts_with('$') => return Err(InvalidHistory::UnknownKey(key)),
                _ => entities.push((pattern(key)?, policy)),
            }
        }
        history.entities = entities.into_iter().collect();
        Ok(history)
    }

    /// Returns the policy of an audience. `None` if it has no log.
    pub fn policy(&self, audience: &Audience) -> Option<LogPolicy> {
        match audience {
            Audience::Everyone => self.everyone,
            Audience::User(_) => self.user,
            Audience::Entity(entity) => *self.entities.of(entity)?,
        }
    }
}

/// The last 100 messages for 10 minutes for every entity and user, and the last 20 for everyone.
impl Default for History {
    fn default() -> Self {
        let of = |messages| {
            let seconds = 600;
            Some(LogPolicy::Messages { messages, seconds })
        };
        Self {
            entities: ByPattern::from_iter([(EntityPattern::everything(), of(100))]),
            user: of(100),
            everyone: of(20),
        }
    }
}

fn pattern(key: String) -> Result<EntityPattern, InvalidHistory> {
    EntityPattern::new(key.clone()).map_err(|source| InvalidHistory::BadPattern { key, source })
}

fn read(key: &str, written: &Written) -> Result<LogPolicy, InvalidHistory> {
    let bad = |problem: String| InvalidHistory::BadPolicy {
        key: key.to_owned(),
        problem,
    };
    let (messages, seconds) = match (written.last, written.messages, written.seconds) {
        (Some(true), None, None) => return Ok(LogPolicy::Last),
        (Some(true), ..) => {
            return Err(bad(
                "has last beside messages or seconds: use one or the other".to_owned(),
            ));
        }
        (None, Some(messages), Some(seconds)) => (messages, seconds),
        (Some(false), ..) => return Err(bad("has last: false: leave it out".to_owned())),
        (None, ..) => return Err(bad("lacks messages or seconds: give both".to_owned())),
    };
    if !(1..=MESSAGES_LIMIT).contains(&messages) {
        return Err(bad(format!(
            "has {messages} messages: use 1 to {MESSAGES_LIMIT}"
        )));
    }
    let (fewest, most) = SECONDS_LIMITS;
    if !(fewest..=most).contains(&seconds) {
        return Err(bad(format!(
            "has {seconds} seconds: use {fewest} to {most}"
        )));
    }
    Ok(LogPolicy::Messages { messages, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error_chain::error_chain,
        ids::{EntityId, UserId},
    };

    fn entity(text: &str) -> Audience {
        Audience::Entity(EntityId::new(text).expect("an id"))
    }

    fn user() -> Audience {
        Audience::User(UserId::new("ann").expect("an id"))
    }

    fn messages(messages: u64) -> Option<LogPolicy> {
        let seconds = 600;
        Some(LogPolicy::Messages { messages, seconds })
    }

    #[test]
    fn default_keeps_a_hundred_messages_for_ten_minutes() {
        let history = History::default();
        assert_eq!(history.policy(&entity("order:1")), messages(100));
        assert_eq!(history.policy(&user()), messages(100));
        assert_eq!(history.policy(&Audience::Everyone), messages(20));
    }

    #[test]
    fn empty_object_switches_every_log_off() {
        let history = History::from_json("{}").expect("policies");
        assert_eq!(history, History::off());
        for audience in [entity("order:1"), user(), Audience::Everyone] {
            assert_eq!(history.policy(&audience), None, "{audience:?}");
        }
    }

    #[test]
    fn most_specific_pattern_decides() {
        let of = |messages| format!(r#"{{"messages":{messages},"seconds":600}}"#);
        let keys = [
            "**", "*", "*:x", "a:**", "a:*", "a:x*", "a:xy*", "a:xyz", "$user",
        ];
        let policies: Vec<_> = keys
            .iter()
            .zip(1..)
            .map(|(key, number)| format!(r#""{key}":{}"#, of(number)))
            .chain([
                r#""price:*":{"last":true}"#.to_owned(),
                r#""a:off":null"#.to_owned(),
            ])
            .collect();
        let json = format!("{{{}}}", policies.join(","));
        let history = History::from_json(&json).expect("policies");
        for (id, expected) in [
            ("b:b:b", messages(1)),
            ("b", messages(2)),
            ("b:x", messages(3)),
            ("a:b:c", messages(4)),
            ("a:b", messages(5)),
            ("a:x", messages(6)),
            ("a:xy", messages(7)),
            ("a:xyz", messages(8)),
            ("price:7", Some(LogPolicy::Last)),
            ("a:off", None),
        ] {
            assert_eq!(history.policy(&entity(id)), expected, "{id}");
        }
        assert_eq!(history.policy(&user()), messages(9));
        assert_eq!(history.policy(&Audience::Everyone), None);
    }

    #[test]
    fn error_names_the_key_and_the_remedy() {
        for (json, expected) in [
            ("[]", "History must be a JSON object from entity pattern to"),
            (r#"{"a":7}"#, "History must be a JSON object"),
            (r#"{"a":{"size":7}}"#, "unknown field `size`"),
            (
                r#"{"$users":{"last":true}}"#,
                r#"unknown key "$users": use $user, $everyone or an entity pattern"#,
            ),
            (
                r#"{"a**":{"last":true}}"#,
                r#"the key "a**", which is not an entity pattern, $user or $everyone"#,
            ),
            (
                r#"{"a":{"messages":7}}"#,
                r#"History of "a" lacks messages or seconds: give both"#,
            ),
            (
                r#"{"a":{"messages":0,"seconds":600}}"#,
                r#"History of "a" has 0 messages: use 1 to 10000"#,
            ),
            (
                r#"{"a":{"messages":1,"seconds":60}}"#,
                r#"History of "a" has 60 seconds: use 120 to 604800"#,
            ),
            (
                r#"{"a":{"last":true,"seconds":600}}"#,
                r#"History of "a" has last beside messages or seconds: use one or the other"#,
            ),
            (
                r#"{"a":{"last":false}}"#,
                r#"History of "a" has last: false: leave it out"#,
            ),
        ] {
            let error = error_chain(&History::from_json(json).expect_err(json));
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
