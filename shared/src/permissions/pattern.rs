//! Patterns of entity ids, which are read as segments separated by `:`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{EntityId, InvalidId};

/// A pattern of entity ids: `*` stands for any number of characters within one `:`-separated segment,
/// and `**` as the last segment for one or more whole segments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntityPattern(String);

/// The reason a text is not an [`EntityPattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// No entity id can match the text, because it breaks the rules of an id.
    #[error("the pattern {0}")]
    NotAnId(InvalidId),
    /// `**` is part of a segment, or not the last segment.
    #[error("the pattern {0:?} is invalid: ** must be the whole last segment")]
    MisplacedRest(String),
}

const REST: &str = "**";

impl EntityPattern {
    /// Returns the pattern if `text` is an entity id in which `**` is at most the last segment.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPattern`] otherwise.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidPattern> {
        let text = EntityId::new(text).map_err(InvalidPattern::NotAnId)?;
        let fixed = text
            .as_str()
            .strip_suffix(REST)
            .map_or(text.as_str(), |before| {
                // The text before a `**` that is a whole segment ends with the separator.
                if before.is_empty() || before.ends_with(':') {
                    before
                } else {
                    text.as_str()
                }
            });
        if fixed.contains(REST) {
            return Err(InvalidPattern::MisplacedRest(text.into()));
        }
        Ok(Self(text.into()))
    }

    /// Returns the pattern that every entity matches.
    pub fn everything() -> Self {
        Self(REST.to_owned())
    }

    /// Returns whether the whole id matches. The time is at most proportional to the product of both
    /// lengths.
    pub fn matches(&self, entity: &EntityId) -> bool {
        let mut segments = entity.as_str().split(':');
        for pattern in self.0.split(':') {
            match segments.next() {
                Some(_) if pattern == REST => return true,
                Some(segment) if segment_matches(pattern, segment) => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }
}

/// Matches the parts between the stars from left to right, each at its first occurrence: a later one
/// could only leave less for the remaining parts.
fn segment_matches(pattern: &str, segment: &str) -> bool {
    let Some((first, others)) = pattern.split_once('*') else {
        return pattern == segment;
    };
    let (between, last) = others.rsplit_once('*').unwrap_or(("", others));
    let Some(rest) = segment.strip_prefix(first) else {
        return false;
    };
    let Some(mut rest) = rest.strip_suffix(last) else {
        return false;
    };
    for part in between.split('*') {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

impl fmt::Display for EntityPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for EntityPattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        Self::new(text)
    }
}

impl From<EntityPattern> for String {
    fn from(pattern: EntityPattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    #[test]
    fn pattern_matches_whole_id_by_segments() {
        for (pattern, matching, others) in [
            (
                "order-1",
                &["order-1"][..],
                &["order-10", "order", "Order-1"][..],
            ),
            (
                "order:*",
                &["order:1", "order:"],
                &["order", "order:1:2", "xorder:1"],
            ),
            ("order-*", &["order-", "order-1"], &["order-1:2", "order"]),
            ("*", &["a", "*"], &["a:b", ":"]),
            ("*:*", &["a:b", ":"], &["a", "a:b:c"]),
            (
                "a*b*c",
                &["abc", "axbxc", "abbcc", "abcbc"],
                &["ab", "ac", "abcd", "a:b:c"],
            ),
            ("a*a", &["aa", "aba"], &["a"]),
            ("*ab*ab*", &["abab", "xabyabz"], &["ab", "aba"]),
            (
                "room:**",
                &["room:1", "room:1:2", "room:"],
                &["room", "rooms:1"],
            ),
            ("*:x:**", &["a:x:b", "b:x:c:d"], &["a:x", "a:y:b"]),
            ("**", &["a", "a:b", ":", "*"], &[]),
            ("日*", &["日本", "日"], &["本日"]),
        ] {
            let parsed = EntityPattern::new(pattern).expect(pattern);
            let expected = iter::repeat(true)
                .zip(matching)
                .chain(iter::repeat(false).zip(others));
            for (matches, id) in expected {
                let entity = EntityId::new(*id).expect("an id");
                assert_eq!(parsed.matches(&entity), matches, "{pattern} and {id}");
            }
        }
    }

    #[test]
    fn invalid_pattern_is_refused_with_message() {
        for (pattern, message) in [
            ("", "the pattern must not be empty"),
            ("a\n", "the pattern must not contain control characters"),
            (
                "**:a",
                r#"the pattern "**:a" is invalid: ** must be the whole last segment"#,
            ),
            (
                "a**",
                r#"the pattern "a**" is invalid: ** must be the whole last segment"#,
            ),
            (
                "a:***",
                r#"the pattern "a:***" is invalid: ** must be the whole last segment"#,
            ),
            (
                "a:**:**",
                r#"the pattern "a:**:**" is invalid: ** must be the whole last segment"#,
            ),
        ] {
            let error = EntityPattern::new(pattern).expect_err(pattern).to_string();
            assert_eq!(error, message);
        }
    }
}
