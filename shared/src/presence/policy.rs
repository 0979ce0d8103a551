//! The template parameter `Presence`: which entities have members, and how their changes are announced.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use crate::{
    ids::EntityId,
    permissions::{ByPattern, EntityPattern, InvalidPattern},
};

/// The presence of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresencePolicy {
    /// The seconds for which changes are collected into one frame.
    pub interval: u64,
    /// The largest count at which members are listed. Above it only the count is announced.
    pub members: usize,
}

/// The presence policy of every entity.
///
/// As JSON an object from entity pattern to policy. An entity has the policy of the most specific pattern
/// that matches it; without a match, or with `null`, it has no members. `{}` switches presence off.
///
/// ```json
/// {
///   "room:**": {"interval": 2, "members": 200},
///   "stadium:*": {"interval": 10, "members": 0},
///   "room:private:*": null
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    entities: ByPattern<Option<PresencePolicy>>,
}

/// The fewest and the most seconds of [`PresencePolicy::interval`].
pub const INTERVAL_LIMITS: (u64, u64) = (1, 60);

/// The most members that are listed: more would not fit into a frame.
pub const MEMBERS_LIMIT: usize = 200;

/// The defaults of a policy.
const DEFAULT: PresencePolicy = PresencePolicy {
    interval: 2,
    members: MEMBERS_LIMIT,
};

/// The reason a text is not a [`Presence`].
#[derive(Debug, thiserror::Error)]
pub enum InvalidPresence {
    /// The text is not a JSON object of policies.
    #[error(
        "Presence must be a JSON object from entity pattern to {{\"interval\": …, \"members\": …}} or null"
    )]
    Unreadable(#[source] serde_json::Error),
    /// A key is not a pattern.
    #[error("Presence has the key {key:?}, which is not an entity pattern")]
    BadPattern {
        /// The key.
        key: String,
        /// The reason it is not a pattern.
        #[source]
        source: InvalidPattern,
    },
    /// A key begins with `$`, which is kept for Herald's own.
    #[error("Presence has the unknown key {0:?}: use an entity pattern that does not begin with $")]
    UnknownKey(String),
    /// A policy is not one.
    #[error("Presence of {key:?} {problem}")]
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
    interval: Option<u64>,
    members: Option<usize>,
}

impl Presence {
    /// Reads the JSON object.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPresence`] if the text is not JSON of that form, a key is not a pattern, or a number
    /// is out of range.
    pub fn from_json(text: &str) -> Result<Self, InvalidPresence> {
        let written: BTreeMap<String, Option<Written>> =
            serde_json::from_str(text).map_err(InvalidPresence::Unreadable)?;
        let policies = written.into_iter().map(|(key, written)| {
            let policy = written.map(|written| read(&key, &written)).transpose()?;
            Ok((pattern(key)?, policy))
        });
        Ok(Self {
            entities: policies.collect::<Result<_, InvalidPresence>>()?,
        })
    }

    /// Returns the policy of an entity. `None` if it has no members.
    pub fn policy(&self, entity: &EntityId) -> Option<PresencePolicy> {
        *self.entities.of(entity)?
    }

    /// Returns whether no entity has members.
    pub fn is_off(&self) -> bool {
        self.entities.values().all(Option::is_none)
    }
}

impl PresencePolicy {
    /// Returns the time for which changes are collected.
    pub fn interval(self) -> Duration {
        Duration::from_secs(self.interval)
    }

    /// Returns whether a set of this count is announced with its members.
    pub fn lists(self, count: usize) -> bool {
        self.members > 0 && count <= self.members
    }
}

fn pattern(key: String) -> Result<EntityPattern, InvalidPresence> {
    if key.starts_with('$') {
        return Err(InvalidPresence::UnknownKey(key));
    }
    EntityPattern::new(key.clone()).map_err(|source| InvalidPresence::BadPattern { key, source })
}

fn read(key: &str, written: &Written) -> Result<PresencePolicy, InvalidPresence> {
    let bad = |problem: String| InvalidPresence::BadPolicy {
        key: key.to_owned(),
        problem,
    };
    let interval = written.interval.unwrap_or(DEFAULT.interval);
    let (fewest, most) = INTERVAL_LIMITS;
    if !(fewest..=most).contains(&interval) {
        return Err(bad(format!(
            "has an interval of {interval} seconds: use {fewest} to {most}"
        )));
    }
    let members = written.members.unwrap_or(DEFAULT.members);
    if members > MEMBERS_LIMIT {
        return Err(bad(format!(
            "has {members} members: use 0 to {MEMBERS_LIMIT}"
        )));
    }
    Ok(PresencePolicy { interval, members })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_chain::error_chain;

    fn policy(presence: &Presence, id: &str) -> Option<(u64, usize)> {
        let policy = presence.policy(&EntityId::new(id).expect("an id"))?;
        Some((policy.interval, policy.members))
    }

    #[test]
    fn most_specific_pattern_decides_and_null_switches_off() {
        let json =
            r#"{"room:**":{},"room:*":{"interval":5},"room:7":{"members":0},"room:off":null}"#;
        let presence = Presence::from_json(json).expect("policies");
        for (id, expected) in [
            ("room:1:2", Some((2, 200))),
            ("room:1", Some((5, 200))),
            ("room:7", Some((2, 0))),
            ("room:off", None),
            ("order:1", None),
        ] {
            assert_eq!(policy(&presence, id), expected, "{id}");
        }
        assert!(!presence.is_off());
    }

    #[test]
    fn presence_without_policies_is_off() {
        for json in ["{}", r#"{"room:**":null}"#] {
            let presence = Presence::from_json(json).expect("policies");
            assert!(presence.is_off(), "{json}");
            assert_eq!(policy(&presence, "room:1"), None, "{json}");
        }
    }

    #[test]
    fn error_names_the_key_and_the_remedy() {
        for (json, expected) in [
            (
                "[]",
                "Presence must be a JSON object from entity pattern to",
            ),
            (r#"{"a":7}"#, "Presence must be a JSON object"),
            (r#"{"a":{"size":7}}"#, "unknown field `size`"),
            (
                r#"{"$user":{}}"#,
                r#"unknown key "$user": use an entity pattern"#,
            ),
            (
                r#"{"a**":{}}"#,
                r#"the key "a**", which is not an entity pattern"#,
            ),
            (
                r#"{"a":{"interval":0}}"#,
                r#"Presence of "a" has an interval of 0 seconds: use 1 to 60"#,
            ),
            (
                r#"{"a":{"members":201}}"#,
                r#"Presence of "a" has 201 members: use 0 to 200"#,
            ),
        ] {
            let error = error_chain(&Presence::from_json(json).expect_err(json));
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
