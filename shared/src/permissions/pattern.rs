//! Patterns that entities match. Ids are read as segments separated by `:`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{EntityId, InvalidId};

/// A pattern of entity ids: `*` stands for any characters within one `:`-separated segment, none
/// included, and `**` as the last segment for one or more whole segments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntityPattern(String);

/// Why a text is no [`EntityPattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// No entity id can match it, as it is none itself.
    #[error("the pattern {0}")]
    NoId(InvalidId),
    /// `**` is a part of a segment, or not the last one.
    #[error("the pattern {0:?} is not one: ** must stand alone as the last segment")]
    MisplacedRest(String),
}

const REST: &str = "**";

impl EntityPattern {
    /// Checks `text`: an entity id in which `**` is at most the last segment.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidPattern> {
        let text = EntityId::new(text).map_err(InvalidPattern::NoId)?;
        let fixed = text
            .as_str()
            .strip_suffix(REST)
            .map_or(text.as_str(), |before| {
                // What is before a `**` that stands alone ends with the separator.
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

    /// The pattern that every entity matches.
    pub fn everything() -> Self {
        Self(REST.to_owned())
    }

    /// Whether the whole id matches. Time grows with the product of both lengths at most.
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

/// Matches what is between the stars from left to right, each at its first place: a later place could
/// only leave less for the rest.
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
    fn a_pattern_matches_the_whole_id_segment_by_segment() {
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
    fn what_is_wrong_with_a_pattern_is_said() {
        for (pattern, said) in [
            ("", "the pattern must not be empty"),
            ("a\n", "the pattern must not hold control characters"),
            (
                "**:a",
                r#"the pattern "**:a" is not one: ** must stand alone as the last segment"#,
            ),
            (
                "a**",
                r#"the pattern "a**" is not one: ** must stand alone as the last segment"#,
            ),
            (
                "a:***",
                r#"the pattern "a:***" is not one: ** must stand alone as the last segment"#,
            ),
            (
                "a:**:**",
                r#"the pattern "a:**:**" is not one: ** must stand alone as the last segment"#,
            ),
        ] {
            let error = EntityPattern::new(pattern).expect_err(pattern).to_string();
            assert_eq!(error, said);
        }
    }
}
