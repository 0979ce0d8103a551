//! Values by entity pattern.

use std::cmp::Reverse;

use crate::{ids::EntityId, permissions::EntityPattern};

/// Values by entity pattern. An entity has the value of the most specific pattern that matches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByPattern<T> {
    /// The most specific pattern first.
    values: Vec<(EntityPattern, T)>,
}

impl<T> ByPattern<T> {
    /// Returns the values, of which each pattern has one.
    pub fn new(values: impl IntoIterator<Item = (EntityPattern, T)>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by_cached_key(|(pattern, _)| Reverse(specificity(pattern)));
        Self { values }
    }

    /// Returns the value of an entity. `None` if no pattern matches it.
    pub fn of(&self, entity: &EntityId) -> Option<&T> {
        let mut values = self.values.iter();
        let (_, value) = values.find(|(pattern, _)| pattern.matches(entity))?;
        Some(value)
    }

    /// Returns all values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.values.iter().map(|(_, value)| value)
    }
}

/// The rank of a pattern among those that match an entity, compared segment by segment from the left: fixed
/// text before text with `*`, more fixed characters before fewer, and `**` last.
fn specificity(pattern: &EntityPattern) -> Vec<(u8, usize)> {
    let text = pattern.to_string();
    let rank = |segment: &str| {
        let fixed = segment.bytes().filter(|byte| *byte != b'*').count();
        match segment {
            "**" => (0, 0),
            _ if segment.contains('*') => (1, fixed),
            _ => (2, fixed),
        }
    };
    text.split(':').map(rank).collect()
}
