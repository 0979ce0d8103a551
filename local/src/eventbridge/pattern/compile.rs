//! The compiler from a pattern's JSON to the conditions on each field, with every `$or` multiplied
//! out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{PatternError, matcher::Matcher};

/// The conditions of one alternative: a field's path, e.g. `detail.state`, and the matchers of
/// which one must accept its value. Fields are tried in this order.
pub(super) type Branch = BTreeMap<String, Vec<Matcher>>;

/// The most branches that the `$or`s of a pattern may multiply to.
const MAX_BRANCHES: usize = 1000;

const OR: &str = "$or";

/// Names that no field inside `$or` may have: the matching library reserves them.
const RESERVED_IN_OR: &[&str] = &[
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// Returns the branches of `pattern`, at least one.
pub(super) fn branches(pattern: &Value) -> Result<Vec<Branch>, PatternError> {
    let Value::Object(fields) = pattern else {
        return Err(error("", "Filter is not an object"));
    };
    Scope::default().extend(vec![Branch::new()], fields)
}

/// The place of an object in the pattern.
#[derive(Clone, Default)]
struct Scope {
    path: String,
    inside_or: bool,
}

impl Scope {
    /// Adds the conditions of `object` to each of `branches`.
    ///
    /// `$or` comes last. So if a field is both beside it and inside it, the one inside decides, as
    /// in a pattern written in the usual order.
    fn extend(
        &self,
        mut branches: Vec<Branch>,
        object: &Map<String, Value>,
    ) -> Result<Vec<Branch>, PatternError> {
        if object.is_empty() {
            return Err(error(&self.path, "Empty objects are not allowed"));
        }
        for (name, value) in object.iter().filter(|(name, _)| *name != OR) {
            branches = self.field(name)?.extend_by(branches, name, value)?;
        }
        match object.get(OR) {
            Some(choices) => self.extend_by_or(branches, choices),
            None => Ok(branches),
        }
    }

    /// Returns the scope of this object's field `name`.
    fn field(&self, name: &str) -> Result<Self, PatternError> {
        if self.inside_or && RESERVED_IN_OR.contains(&name) {
            let reason = format!(
                "{name} is a reserved field name which cannot be used inside {OR}; put it in the list of a field"
            );
            return Err(error(&self.path, reason));
        }
        let path = match self.path.as_str() {
            "" => name.to_owned(),
            outer => format!("{outer}.{name}"),
        };
        Ok(Self {
            path,
            inside_or: self.inside_or,
        })
    }

    /// Adds the conditions of `value` on the field of this scope.
    fn extend_by(
        &self,
        mut branches: Vec<Branch>,
        name: &str,
        value: &Value,
    ) -> Result<Vec<Branch>, PatternError> {
        match value {
            Value::Object(object) => self.extend(branches, object),
            Value::Array(alternatives) => {
                let matchers = self.matchers(alternatives)?;
                for branch in &mut branches {
                    branch.insert(self.path.clone(), matchers.clone());
                }
                Ok(branches)
            }
            _ => {
                let reason = format!("{name:?} must be an object or an array");
                Err(error(&self.path, reason))
            }
        }
    }

    fn matchers(&self, alternatives: &[Value]) -> Result<Vec<Matcher>, PatternError> {
        if alternatives.is_empty() {
            return Err(error(&self.path, "Empty arrays are not allowed"));
        }
        alternatives
            .iter()
            .map(Matcher::parse)
            .collect::<Result<_, _>>()
            .map_err(|reason| error(&self.path, reason))
    }

    /// Replaces each branch by one for every choice of an `$or`.
    fn extend_by_or(
        &self,
        branches: Vec<Branch>,
        choices: &Value,
    ) -> Result<Vec<Branch>, PatternError> {
        let choices = self.choices(choices)?;
        let inside = Self {
            path: self.path.clone(),
            inside_or: true,
        };
        let mut extended = Vec::new();
        for choice in choices {
            extended.extend(inside.extend(branches.clone(), choice)?);
            if extended.len() > MAX_BRANCHES {
                let reason =
                    format!("{OR} multiplies to more than {MAX_BRANCHES} rule combinations");
                return Err(error(&self.path, reason));
            }
        }
        Ok(extended)
    }

    fn choices<'a>(&self, choices: &'a Value) -> Result<Vec<&'a Map<String, Value>>, PatternError> {
        let Value::Array(choices) = choices else {
            let reason = format!("{OR} must be an array of objects");
            return Err(error(&self.path, reason));
        };
        if choices.len() < 2 {
            let reason = format!("{OR} must have at least 2 objects");
            return Err(error(&self.path, reason));
        }
        choices
            .iter()
            .map(|choice| {
                choice
                    .as_object()
                    .ok_or_else(|| error(&self.path, format!("only objects are allowed in {OR}")))
            })
            .collect()
    }
}

fn error(path: &str, reason: impl Into<String>) -> PatternError {
    PatternError {
        path: path.to_owned(),
        reason: reason.into(),
    }
}
