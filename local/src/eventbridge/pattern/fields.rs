//! The leaves of an event, each with its path and the array elements around it.
//!
//! Arrays do not appear in a path: every scalar of an array has the array's own path. A dot in a
//! path may come from nesting or from a field's name; the service treats `{"a.b": 1}` and
//! `{"a": {"b": 1}}` alike.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::compile::Branch;

/// The leaves of an event at the paths of a branch.
pub(super) struct Fields<'a> {
    by_path: HashMap<&'a str, Vec<(&'a Value, Elements)>>,
}

/// The element chosen of each array: the array's number and the element's index.
///
/// Only elements that are objects or arrays count; the scalars of an array are alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Elements(BTreeMap<usize, usize>);

impl<'a> Fields<'a> {
    /// Finds the leaves of `event`.
    pub(super) fn of(event: &'a Value, branch: &'a Branch) -> Self {
        let mut walk = Walk {
            by_path: branch.keys().map(|path| (path.as_str(), vec![])).collect(),
            path: String::new(),
            elements: Elements::default(),
            arrays: 0,
        };
        walk.value(event);
        Self {
            by_path: walk.by_path,
        }
    }

    /// Returns the leaves at `path`; empty if the field is absent or not a leaf.
    pub(super) fn at(&self, path: &str) -> &[(&'a Value, Elements)] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }

    /// Returns for each field of `branch` the arrays around the fields after it, last field first.
    ///
    /// Choices of other arrays no longer matter. Dropping them keeps the number of choices from
    /// multiplying over unrelated arrays.
    pub(super) fn arrays_after_each(&self, branch: &Branch) -> Vec<BTreeSet<usize>> {
        let mut after = BTreeSet::new();
        branch
            .keys()
            .rev()
            .map(|path| {
                let here = after.clone();
                after.extend(
                    self.at(path)
                        .iter()
                        .flat_map(|(_, elements)| elements.0.keys()),
                );
                here
            })
            .collect()
    }
}

impl Elements {
    /// Returns both choices together. `None` if they have different elements of one array.
    pub(super) fn joined(&self, other: &Self) -> Option<Self> {
        let mut joined = self.0.clone();
        for (&array, &index) in &other.0 {
            if *joined.entry(array).or_insert(index) != index {
                return None;
            }
        }
        Some(Self(joined))
    }

    /// Returns the choices of `arrays` alone.
    pub(super) fn only(mut self, arrays: &BTreeSet<usize>) -> Self {
        self.0.retain(|array, _| arrays.contains(array));
        self
    }
}

/// A walk over an event, with its current place.
struct Walk<'a> {
    by_path: HashMap<&'a str, Vec<(&'a Value, Elements)>>,
    path: String,
    elements: Elements,
    arrays: usize,
}

impl<'a> Walk<'a> {
    fn value(&mut self, value: &'a Value) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    self.field(name, value);
                }
            }
            Value::Array(array) => self.array(array),
            leaf => {
                if let Some(leaves) = self.by_path.get_mut(self.path.as_str()) {
                    leaves.push((leaf, self.elements.clone()));
                }
            }
        }
    }

    fn field(&mut self, name: &str, value: &'a Value) {
        let outer = self.path.len();
        if outer > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        self.value(value);
        self.path.truncate(outer);
    }

    fn array(&mut self, array: &'a [Value]) {
        let number = self.arrays;
        self.arrays += 1;
        for (index, element) in array.iter().enumerate() {
            if element.is_object() || element.is_array() {
                self.elements.0.insert(number, index);
            }
            self.value(element);
            self.elements.0.remove(&number);
        }
    }
}
