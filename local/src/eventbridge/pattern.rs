//! Event patterns: the conditions under which a rule matches an event.
//!
//! The language is the one of the EventBridge user guide, "Comparison operators for use in event
//! patterns". Where the guide is silent, this follows AWS's own matching library (`event-ruler`);
//! where guide and service disagree (`300` matches `300.0`), this follows the service.
//!
//! Left out: AWS refuses patterns with too costly wildcards, by a measure that it does not publish.
//! Here they only cost time.

mod compile;
mod fields;
mod matcher;
mod number;
mod numeric;
mod text;
mod wildcard;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::Value;

use self::{
    compile::Branch,
    fields::{Elements, Fields},
    matcher::Matcher,
};

/// The longest pattern in characters: the service's default quota.
const MAX_LENGTH: usize = 2048;

/// A compiled event pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The alternatives of `$or`; one of them must match. A pattern without `$or` has one.
    branches: Vec<Branch>,
}

/// The reason why a pattern is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", at(path))]
pub struct PatternError {
    /// The field in question, e.g. `detail.state`; empty for the pattern as a whole.
    pub path: String,
    /// The problem, in AWS's words where they are known.
    pub reason: String,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// Returns a [`PatternError`] that names the invalid field.
    pub fn parse(pattern: &Value) -> Result<Self, PatternError> {
        let length = pattern.to_string().chars().count();
        if length > MAX_LENGTH {
            return Err(PatternError {
                path: String::new(),
                reason: format!(
                    "the pattern has {length} characters, {MAX_LENGTH} are allowed; move conditions to another rule"
                ),
            });
        }
        Ok(Self {
            branches: compile::branches(pattern)?,
        })
    }

    /// Returns whether the pattern matches `event`.
    pub fn matches(&self, event: &Value) -> bool {
        self.branches
            .iter()
            .any(|branch| branch_matches(branch, &Fields::of(event, branch)))
    }
}

/// Returns whether all fields of `branch` match. Goes through the fields and keeps every choice of
/// array elements under which all of them matched so far: fields inside the objects of one array
/// must match within the same object.
fn branch_matches(branch: &Branch, fields: &Fields<'_>) -> bool {
    let mut choices = BTreeSet::from([Elements::default()]);
    let mut arrays_to_come = fields.arrays_after_each(branch);
    for (path, alternatives) in branch {
        let to_come = arrays_to_come.pop().unwrap_or_default();
        choices = choices
            .iter()
            .flat_map(|choice| extend(choice, fields, path, alternatives))
            .map(|choice| choice.only(&to_come))
            .collect();
        if choices.is_empty() {
            return false;
        }
    }
    true
}

/// Returns the choices under which the field at `path` matches as well.
fn extend(
    choice: &Elements,
    fields: &Fields<'_>,
    path: &str,
    alternatives: &[Matcher],
) -> Vec<Elements> {
    let mut absent = true;
    let mut extended = Vec::new();
    for (leaf, elements) in fields.at(path) {
        let Some(joined) = choice.joined(elements) else {
            continue;
        };
        absent = false;
        if alternatives.iter().any(|matcher| matcher.accepts(leaf)) {
            extended.push(joined);
        }
    }
    if absent && alternatives.iter().any(Matcher::accepts_absence) {
        extended.push(choice.clone());
    }
    extended
}

fn at(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(", at {path}")
    }
}
