//! Settings of entities by pattern, of which the most specific one decides.

use std::cmp::Reverse;

use super::EntityPattern;
use crate::ids::EntityId;

/// Settings by entity pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByPattern<T> {
    /// The most specific pattern first.
    settings: Vec<(EntityPattern, T)>,
}

impl<T> ByPattern<T> {
    /// Returns the setting of the most specific pattern that matches the entity. `None` if none matches.
    pub fn of(&self, entity: &EntityId) -> Option<&T> {
        let mut settings = self.settings.iter();
        let (_, setting) = settings.find(|(pattern, _)| pattern.matches(entity))?;
        Some(setting)
    }

    /// Returns every setting.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.settings.iter().map(|(_, setting)| setting)
    }
}

impl<T> Default for ByPattern<T> {
    fn default() -> Self {
        Self {
            settings: Vec::new(),
        }
    }
}

impl<T> FromIterator<(EntityPattern, T)> for ByPattern<T> {
    fn from_iter<I: IntoIterator<Item = (EntityPattern, T)>>(settings: I) -> Self {
        let mut settings: Vec<_> = settings.into_iter().collect();
        settings.sort_by_cached_key(|(pattern, _)| Reverse(specificity(pattern)));
        Self { settings }
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
